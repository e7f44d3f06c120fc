// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/record.h"

#define FIRST_ROOM 4 /* attributes; from there on the room doubles */

static const char *const kind_names[] = {
	[L7_HTTP] = "http", [L7_GRPC] = "grpc", [L7_DNS] = "dns", [L7_TLS] = "tls",
	[L7_MCP] = "mcp",   [L7_A2A] = "a2a",   [L7_LLM] = "llm", [L7_JSONRPC] = "jsonrpc",
};
_Static_assert(ARRAY_SIZE(kind_names) == L7_KIND_COUNT, "a name for each kind");

static const char *const outcome_names[] = {
	[L7_OK] = "ok",
	[L7_ERROR] = "error",
	[L7_TOOL_ERROR] = "tool_error",
	[L7_NO_ANSWER] = "no_answer",
	[L7_CANCELLED] = "cancelled",
	[L7_UNKNOWN] = "unknown",
	[L7_ONEWAY] = "oneway",
};
_Static_assert(ARRAY_SIZE(outcome_names) == L7_ONEWAY + 1, "a name for each outcome");

static const char *const key_names[] = {
#define X(name, otel, type, source) otel,
	L7_KEYS(X)
#undef X
};

const char *l7_kind_name(enum l7_kind kind)
{
	return kind < L7_KIND_COUNT ? kind_names[kind] : NULL;
}

const char *l7_outcome_name(enum l7_outcome o)
{
	return o < ARRAY_SIZE(outcome_names) ? outcome_names[o] : NULL;
}

const char *l7_key_name(enum l7_key key)
{
	return key < L7_KEY_COUNT ? key_names[key] : NULL;
}

struct l7_record *l7_record_new(enum l7_kind kind, const struct l7_ends *ends)
{
	struct l7_record *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->refs = 1;
	r->kind = kind;
	r->ends = *ends;
	return r;
}

struct l7_record *l7_record_ref(struct l7_record *r)
{
	r->refs++;
	return r;
}

static void attr_clear(struct l7_attr *a)
{
	if (!a->is_int)
		free((char *)a->s);
}

void l7_record_unref(struct l7_record *r)
{
	if (!r || --r->refs)
		return;
	for (unsigned i = 0; i < r->n_attrs; i++)
		attr_clear(&r->attrs[i]);
	free(r->attrs);
	free(r);
}

/* Where the key is, or would be. */
static unsigned place_of(const struct l7_record *r, enum l7_key key)
{
	unsigned i = r->n_attrs; /* keys mostly come in their order */

	while (i > 0 && r->attrs[i - 1].key >= key)
		i--;
	return i;
}

static const struct l7_attr *find(const struct l7_record *r, enum l7_key key)
{
	unsigned i = place_of(r, key);

	return i < r->n_attrs && r->attrs[i].key == key ? &r->attrs[i] : NULL;
}

/* One more at `place`. The room is what follows from their number: a power of two, at least FIRST_ROOM. */
static bool make_place(struct l7_record *r, unsigned place)
{
	unsigned n = r->n_attrs;
	struct l7_attr *v;

	if (n == L7_ATTRS_MAX)
		return false;
	if (n == 0 || (n >= FIRST_ROOM && !(n & (n - 1)))) {
		v = reallocarray(r->attrs, n ? n * 2 : FIRST_ROOM, sizeof(*v));
		if (!v)
			return false;
		r->attrs = v;
	}
	memmove(&r->attrs[place + 1], &r->attrs[place], (n - place) * sizeof(*r->attrs));
	r->n_attrs++;
	return true;
}

/* Takes what a holds. */
static void put(struct l7_record *r, struct l7_attr a)
{
	unsigned place = place_of(r, a.key);

	if (place < r->n_attrs && r->attrs[place].key == a.key)
		attr_clear(&r->attrs[place]);
	else if (!make_place(r, place)) {
		attr_clear(&a);
		r->flags |= L7_PARTIAL;
		return;
	}
	r->attrs[place] = a;
}

void l7_record_int(struct l7_record *r, enum l7_key key, int64_t v)
{
	put(r, (struct l7_attr){ .key = key, .is_int = true, .i = v });
}

/* Bytes of the character at s; 0: it is none, or a control character. */
static size_t char_len(const uint8_t *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > len || s[0] < 0x20 || s[0] == 0x7f)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xc2 && s[1] < 0xa0) ||                                  /* C1 */
	    (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90) || /* longer than need be */
	    (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f))   /* surrogates, beyond U+10FFFF */
		return 0;
	return n;
}

static size_t clean(const uint8_t *s, size_t len, char *to)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t out = 0;

	for (size_t i = 0; i < len;) {
		size_t n = char_len(s + i, len - i), width = n ?: 3;

		if (out + width > L7_STR_MAX)
			break;
		memcpy(to + out, n ? (const char *)s + i : replacement, width);
		out += width;
		i += n ?: 1;
	}
	return out;
}

void l7_record_str(struct l7_record *r, enum l7_key key, const char *s, size_t len)
{
	char buf[L7_STR_MAX];
	struct l7_attr a = { .key = key };

	if (!s || !len)
		return;
	a.s = strndup(buf, clean((const uint8_t *)s, len, buf));
	if (a.s)
		put(r, a);
	else
		r->flags |= L7_PARTIAL;
}

const char *l7_record_get(const struct l7_record *r, enum l7_key key)
{
	const struct l7_attr *a = find(r, key);

	return a && !a->is_int ? a->s : NULL;
}

int64_t l7_record_get_int(const struct l7_record *r, enum l7_key key, int64_t none)
{
	const struct l7_attr *a = find(r, key);

	return a && a->is_int ? a->i : none;
}

size_t l7_record_memory(const struct l7_record *r)
{
	enum { OVERHEAD = 16 }; /* of an allocation */
	size_t size = sizeof(*r) + OVERHEAD;

	for (unsigned i = 0; i < r->n_attrs; i++) {
		size += sizeof(r->attrs[i]);
		if (!r->attrs[i].is_int)
			size += strlen(r->attrs[i].s) + 1 + OVERHEAD;
	}
	return size;
}
