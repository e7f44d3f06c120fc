// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/http_head.h"

#define PSEUDO_MAX 8
#define TEXT_MAX (HTTP_HEAD_MAX + 2 * (HTTP_HEADERS_MAX + PSEUDO_MAX)) /* each string ends in NUL */

static int reserve(struct http_builder *b, size_t len)
{
	if (b->text.n + len > TEXT_MAX)
		return -E2BIG;
	return vec_reserve(&b->text, b->text.size ? len : MAX(len, (size_t)1024));
}

static int end_string(struct http_builder *b)
{
	int r = reserve(b, 1);

	if (r == 0)
		b->text.v[b->text.n++] = '\0';
	return r;
}

static int end_header(struct http_builder *b)
{
	int r = b->headers.n && !b->in_value ? http_builder_value(b, "", 0) : 0;

	return r < 0 || !b->in_value ? r : end_string(b);
}

static int begin_header(struct http_builder *b, bool pseudo)
{
	int r = end_header(b);

	if (r < 0)
		return r;
	if (b->headers.n - b->n_pseudo >= HTTP_HEADERS_MAX || b->n_pseudo > PSEUDO_MAX)
		return -E2BIG;
	r = vec_reserve(&b->headers, b->headers.n ? 1 : 16);
	if (r < 0)
		return r;
	b->headers.v[b->headers.n++] = (struct http_header){};
	b->n_pseudo += pseudo && b->headers.n == b->n_pseudo + 1;
	b->in_value = false;
	return 0;
}

int http_builder_name(struct http_builder *b, const void *s, size_t len)
{
	const unsigned char *c = s;
	char *to;
	int r = 0;

	if (b->in_value || !b->headers.n)
		r = begin_header(b, len && c[0] == ':');
	if (r == 0)
		r = reserve(b, len);
	if (r < 0)
		return r;
	to = b->text.v + b->text.n;
	for (size_t i = 0; i < len; i++)
		to[i] = c[i] >= 'A' && c[i] <= 'Z' ? c[i] | 0x20 : c[i];
	b->text.n += len;
	b->headers.v[b->headers.n - 1].name_len += len;
	return 0;
}

int http_builder_value(struct http_builder *b, const void *s, size_t len)
{
	int r = b->in_value ? 0 : end_string(b);

	if (r < 0)
		return r;
	b->in_value = true;
	r = reserve(b, len);
	if (r < 0)
		return r;
	memcpy(b->text.v + b->text.n, s, len);
	b->text.n += len;
	b->headers.v[b->headers.n - 1].value_len += len;
	return 0;
}

const char *http_builder_pseudo(const struct http_builder *b, const char *name)
{
	for (size_t i = 0; i < b->n_pseudo; i++) {
		if (streq(b->headers.v[i].name, name))
			return b->headers.v[i].value;
	}
	return NULL;
}

static void seal_header(struct http_header *h, char *text)
{
	char *value = text + h->name_len + 1;

	h->name = text;
	h->value = value;
	while (h->value_len && (value[h->value_len - 1] == ' ' || value[h->value_len - 1] == '\t'))
		value[--h->value_len] = '\0';
}

int http_builder_seal(struct http_builder *b, struct http_head *ret_head)
{
	const struct http_header *host;
	size_t at = 0;
	int r = b->sealed ? 0 : end_header(b);

	if (r < 0)
		return r;
	for (size_t i = 0; i < b->headers.n && !b->sealed; i++) {
		struct http_header *h = &b->headers.v[i];
		size_t len = h->name_len + 1 + h->value_len + 1;

		seal_header(h, b->text.v + at);
		at += len;
	}
	b->sealed = true; /* values have lost their blanks: lengths no longer say where the next one is */
	ret_head->headers = b->headers.n ? b->headers.v + b->n_pseudo : NULL;
	ret_head->n_headers = b->headers.n - b->n_pseudo;
	ret_head->method = http_builder_pseudo(b, ":method") ?: "";
	ret_head->target = http_builder_pseudo(b, ":path") ?: "";
	host = http_head_get(ret_head, "host");
	ret_head->authority = http_builder_pseudo(b, ":authority") ?: (host ? host->value : "");
	return 0;
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

const struct http_header *http_head_get(const struct http_head *h, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < h->n_headers; i++) {
		if (h->headers[i].name_len == len && memcmp(h->headers[i].name, name, len) == 0)
			return &h->headers[i];
	}
	return NULL;
}
