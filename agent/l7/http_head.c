// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/http_head.h"

#define PSEUDO_MAX 8
#define TEXT_MAX (HTTP_HEAD_MAX + 2 * (HTTP_HEADERS_MAX + PSEUDO_MAX)) /* each string ends in NUL */
#define TEXT_FIRST 1022
#define HEADERS_FIRST 16
#define KEPT_MAX 4096

/* The headers point into it. */
static void move_text(struct http_builder *b, char *to)
{
	const char *from = b->text.v;

	for (size_t i = 0; i < b->headers.n; i++) {
		struct http_header *h = &b->headers.v[i];

		h->name = to + (h->name - from);
		h->value = h->value ? to + (h->value - from) : NULL;
	}
	b->n_before = 0;
}

static int grow_text(struct http_builder *b, size_t need)
{
	size_t size = MIN(MAX(MAX(need, b->text.size * 2), (size_t)TEXT_FIRST), (size_t)TEXT_MAX + 2);
	char *v;

	if (need > TEXT_MAX + 2)
		return -E2BIG;
	v = malloc(size);
	if (!v)
		return -ENOMEM;
	if (b->text.n)
		memcpy(v, b->text.v, b->text.n);
	move_text(b, v);
	free(b->text.v);
	b->text.v = v;
	b->text.size = size;
	return 0;
}

/* For len bytes, and for the ends. */
static inline int room(struct http_builder *b, size_t len)
{
	size_t need = b->text.n + len + 2;

	return need <= b->text.size ? 0 : grow_text(b, need);
}

static void begin_value(struct http_builder *b, struct http_header *h)
{
	b->text.v[b->text.n++] = '\0';
	b->in_value = true;
	h->value = b->text.v + b->text.n;
}

/* Blanks behind a value are none of it. What they were written over was of the head before. */
static void strip(struct http_builder *b, struct http_header *h)
{
	while (h->value_len && (h->value[h->value_len - 1] == ' ' || h->value[h->value_len - 1] == '\t')) {
		h->value_len--;
		b->text.n--;
		b->n_before = 0;
	}
}

static void end_header(struct http_builder *b)
{
	struct http_header *h;

	if (!TAKE(b->open, false))
		return;
	h = &b->headers.v[b->headers.n - 1];
	if (!b->in_value)
		begin_value(b, h);
	strip(b, h);
	b->text.v[b->text.n++] = '\0';
}

static int grow_headers(struct http_builder *b)
{
	return vec_reserve(&b->headers, b->headers.n ? 1 : HEADERS_FIRST);
}

static inline bool is_full(const struct http_builder *b)
{
	return b->headers.n - b->n_pseudo + b->n_passed >= HTTP_HEADERS_MAX || b->n_pseudo > PSEUDO_MAX;
}

/* There is room in the text. */
static inline int begin_header(struct http_builder *b, bool pseudo)
{
	int r = is_full(b) ? -E2BIG : 0;

	if (r == 0 && b->headers.n == b->headers.size)
		r = grow_headers(b);
	if (r < 0)
		return r;
	end_header(b);
	b->n_pseudo += pseudo && b->headers.n == b->n_pseudo && !b->n_passed;
	b->headers.n++;
	b->open = true;
	b->in_value = false;
	return 0;
}

/* Eight letters at a time: what lies from A to Z has its top bit in `upper`, and gets the bit of small letters. */
static uint64_t lower_word(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101, low = w & ones * 0x7f;
	uint64_t upper = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x7f - 'Z')) & ~w & ones * 0x80;

	return w | upper >> 2;
}

static inline void lower8(char *to, const char *from, size_t len)
{
	uint64_t w = 0;

	memcpy(&w, from, len);
	w = lower_word(w);
	memcpy(to, &w, len);
}

/* What is left over is done together with some of what came before, once more. */
static void lower(char *to, const char *from, size_t len)
{
	size_t i = 0;

	for (; i + 8 <= len; i += 8)
		lower8(to + i, from + i, 8);
	if (i == len)
		return;
	if (len >= 8) {
		lower8(to + len - 8, from + len - 8, 8);
	} else if (len >= 4) {
		lower8(to, from, 4);
		lower8(to + len - 4, from + len - 4, 4);
	} else {
		for (; i < len; i++)
			lower8(to + i, from + i, 1);
	}
}

int http_builder_name(struct http_builder *b, const void *s, size_t len)
{
	int r = room(b, len + 2); /* the one before may still have to be ended */

	if (r == 0 && (!b->open || b->in_value)) {
		r = begin_header(b, len && *(const char *)s == ':');
		if (r == 0)
			b->headers.v[b->headers.n - 1] = (struct http_header){ .name = b->text.v + b->text.n };
	}
	if (r < 0)
		return r;
	lower(b->text.v + b->text.n, s, len);
	b->text.n += len;
	b->headers.v[b->headers.n - 1].name_len += len;
	return 0;
}

int http_builder_value(struct http_builder *b, const void *s, size_t len)
{
	int r = room(b, len + 1);

	if (r < 0)
		return r;
	if (!b->in_value)
		begin_value(b, &b->headers.v[b->headers.n - 1]);
	memcpy(b->text.v + b->text.n, s, len);
	b->text.n += len;
	b->headers.v[b->headers.n - 1].value_len += len;
	return 0;
}

int http_builder_add(struct http_builder *b, const void *name, size_t name_len, const void *value, size_t value_len)
{
	int r = room(b, name_len + value_len + 3);
	struct http_header *h;
	char *at, *to;

	r = r ?: begin_header(b, name_len && *(const char *)name == ':');
	if (r < 0)
		return r;
	h = &b->headers.v[b->headers.n - 1];
	at = b->text.v + b->text.n;
	to = mempcpy(at, name, name_len);
	*to++ = '\0';
	memcpy(to, value, value_len);
	*h = (struct http_header){ at, to, (uint32_t)name_len, (uint32_t)value_len };
	b->text.n += name_len + 1 + value_len;
	b->in_value = true;
	return 0;
}

/* The header that the head before has in this place. */
static bool stands(const struct http_builder *b, const void *name, size_t name_len, const void *value, size_t value_len)
{
	const struct http_header *h;

	if (b->headers.n >= b->n_before)
		return false;
	h = &b->headers.v[b->headers.n];
	return h->name == b->text.v + b->text.n && name_len && h->name_len == name_len && h->value_len == value_len &&
	       memcmp(h->name, name, name_len) == 0 && memcmp(h->value, value, value_len) == 0;
}

int http_builder_repeat(struct http_builder *b, const void *name, size_t name_len, const void *value, size_t value_len)
{
	int r;

	end_header(b);
	if (!stands(b, name, name_len, value, value_len))
		return 0;
	r = begin_header(b, *(const char *)name == ':');
	if (r < 0)
		return r;
	b->text.n += name_len + 1 + value_len;
	b->in_value = true;
	return 1;
}

int http_builder_pass(struct http_builder *b, size_t len)
{
	b->passed_len += len;
	if (is_full(b) || b->passed_len > HTTP_HEAD_MAX)
		return -E2BIG;
	b->n_passed++;
	return 0;
}

void http_builder_seal(struct http_builder *b, struct http_head *ret_head)
{
	const struct http_header *host;

	end_header(b);
	ret_head->headers = b->headers.n ? b->headers.v + b->n_pseudo : NULL;
	ret_head->n_headers = b->headers.n - b->n_pseudo;
	ret_head->method = http_builder_pseudo(b, ":method") ?: "";
	ret_head->target = http_builder_pseudo(b, ":path") ?: "";
	host = http_head_get(ret_head, "host");
	ret_head->authority = http_builder_pseudo(b, ":authority") ?: (host ? host->value : "");
}

void http_builder_clear(struct http_builder *b)
{
	if (b->text.size > KEPT_MAX) {
		http_builder_done(b);
		return;
	}
	b->n_before = b->headers.n ?: b->n_before;
	b->text.n = b->headers.n = b->n_pseudo = b->n_passed = b->passed_len = 0;
	b->open = b->in_value = false;
}

void http_builder_trim(struct http_builder *b)
{
	if (!b->headers.n)
		http_builder_done(b);
}

void http_builder_done(struct http_builder *b)
{
	free(b->text.v);
	free(b->headers.v);
	*b = (struct http_builder){};
}

size_t http_builder_memory(const struct http_builder *b)
{
	return b->text.size + b->headers.size * sizeof(*b->headers.v);
}
