// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/record.h"

#include "lib/ascii.h"
#include "lib/pool.h"

/* A record as it begins: most need no more. */
struct building {
	struct l7_record record;
	struct l7_attr attrs[16];
	char text[384];
};

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

/* Records are made on one thread. */
static struct pool spare = POOL(sizeof(struct building), 1024);

static void begin(struct building *b)
{
	b->record.attrs = b->attrs;
	b->record.room = ARRAY_SIZE(b->attrs);
	b->record.text = b->text;
	b->record.text_room = sizeof(b->text);
	b->record.size = 0;
}

struct l7_record *l7_record_new(enum l7_kind kind, const struct l7_ends *ends)
{
	struct building *b = pool_take(&spare);

	if (!b)
		return NULL;
	b->record = (struct l7_record){ .kind = kind, .ends = *ends };
	begin(b);
	return &b->record;
}

/* Attributes and text have grown out of the allocation they began in. */
static bool attrs_apart(const struct l7_record *r)
{
	return !r->size && r->attrs != ((const struct building *)r)->attrs;
}

static bool text_apart(const struct l7_record *r)
{
	return !r->size && r->text != ((const struct building *)r)->text;
}

void l7_record_free(struct l7_record *r)
{
	if (!r)
		return;
	if (attrs_apart(r))
		free(r->attrs);
	if (text_apart(r))
		free(r->text);
	if (r->size)
		free(r);
	else
		pool_give(&spare, r);
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

static bool grow_attrs(struct l7_record *r)
{
	struct l7_attr *v;

	if (r->room == L7_ATTRS_MAX)
		return false;
	v = malloc(L7_ATTRS_MAX * sizeof(*v));
	if (!v)
		return false;
	memcpy(v, r->attrs, r->n_attrs * sizeof(*v));
	r->attrs = v;
	r->room = L7_ATTRS_MAX;
	return true;
}

/* The strings in use, one after the other; the attributes point there now. Returns their length. */
static size_t gather(const struct l7_record *r, struct l7_attr *attrs, char *to)
{
	size_t n = 0;

	for (unsigned i = 0; i < r->n_attrs; i++) {
		size_t len = r->attrs[i].is_int ? 0 : r->attrs[i].len + 1u;

		attrs[i] = r->attrs[i];
		if (!len)
			continue;
		attrs[i].s = memcpy(to + n, r->attrs[i].s, len);
		n += len;
	}
	return n;
}

static size_t text_used(const struct l7_record *r)
{
	size_t n = 0;

	for (unsigned i = 0; i < r->n_attrs; i++)
		n += r->attrs[i].is_int ? 0 : r->attrs[i].len + 1u;
	return n;
}

/* What was replaced left its text behind: it goes. */
static bool grow_text(struct l7_record *r, size_t more)
{
	size_t room = 2 * (text_used(r) + more);
	char *text = malloc(room);

	if (!text)
		return false;
	r->text_len = (uint32_t)gather(r, r->attrs, text);
	if (text_apart(r))
		free(r->text);
	r->text = text;
	r->text_room = (uint32_t)room;
	return true;
}

static struct l7_attr *place_for(struct l7_record *r, enum l7_key key)
{
	unsigned i = place_of(r, key);

	if (i < r->n_attrs && r->attrs[i].key == key)
		return &r->attrs[i];
	if (r->n_attrs == r->room && !grow_attrs(r)) {
		r->flags |= L7_PARTIAL;
		return NULL;
	}
	memmove(&r->attrs[i + 1], &r->attrs[i], (r->n_attrs - i) * sizeof(*r->attrs));
	r->attrs[i] = (struct l7_attr){ .key = key, .is_int = true };
	r->n_attrs++;
	return &r->attrs[i];
}

void l7_record_int(struct l7_record *r, enum l7_key key, int64_t v)
{
	struct l7_attr *a = place_for(r, key);

	if (a)
		*a = (struct l7_attr){ .key = key, .is_int = true, .i = v };
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

static size_t clean(const uint8_t *s, size_t len, char *to, size_t max)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t out = ascii_printable(s, MIN(len, max));

	memcpy(to, s, out);
	for (size_t i = out; i < len;) {
		size_t n = char_len(s + i, len - i), width = n ?: 3;

		if (out + width > max)
			break;
		memcpy(to + out, n ? (const char *)s + i : replacement, width);
		out += width;
		i += n ?: 1;
	}
	return out;
}

void l7_record_str(struct l7_record *r, enum l7_key key, const char *s, size_t len)
{
	bool long_text = key == L7_KEY_GEN_AI_ARGUMENTS || key == L7_KEY_GEN_AI_RESULT;
	char buf[L7_TEXT_MAX];
	struct l7_attr *a;
	size_t n;

	if (!s || !len)
		return;
	n = clean((const uint8_t *)s, len, buf, long_text ? L7_TEXT_MAX : L7_STR_MAX);
	if (r->text_room - r->text_len <= n && !grow_text(r, n + 1)) {
		r->flags |= L7_PARTIAL;
		return;
	}
	a = place_for(r, key);
	if (!a)
		return;
	*a = (struct l7_attr){ .key = key, .len = (uint16_t)n, .s = memcpy(r->text + r->text_len, buf, n) };
	r->text[r->text_len + n] = '\0';
	r->text_len += (uint32_t)n + 1;
}

void l7_record_drop(struct l7_record *r, enum l7_key first, enum l7_key last)
{
	unsigned from = place_of(r, first), to = place_of(r, last + 1);

	memmove(&r->attrs[from], &r->attrs[to], (r->n_attrs - to) * sizeof(*r->attrs));
	r->n_attrs -= (uint16_t)(to - from);
}

size_t l7_record_packed_size(const struct l7_record *r)
{
	return sizeof(*r) + r->n_attrs * sizeof(*r->attrs) + text_used(r);
}

/* Attributes and text of `from` as they are. */
static void copy_contents(struct l7_record *to, const struct l7_record *from)
{
	memcpy(to->text, from->text, from->text_len);
	for (unsigned i = 0; i < from->n_attrs; i++) {
		to->attrs[i] = from->attrs[i];
		if (!to->attrs[i].is_int)
			to->attrs[i].s = to->text + (from->attrs[i].s - from->text);
	}
	to->n_attrs = from->n_attrs;
	to->text_len = from->text_len;
}

const struct l7_record *l7_record_pack(const struct l7_record *r, void *to)
{
	struct l7_record *p = to;

	*p = *r;
	p->attrs = (struct l7_attr *)(p + 1);
	p->text = (char *)(p->attrs + r->n_attrs);
	if (text_used(r) == r->text_len) /* mostly */
		copy_contents(p, r);
	else
		p->text_len = (uint32_t)gather(r, p->attrs, p->text);
	p->text_room = p->text_len;
	p->room = p->n_attrs;
	p->size = sizeof(*p) + r->n_attrs * sizeof(*r->attrs) + p->text_len;
	return p;
}

struct l7_record *l7_record_copy(const struct l7_record *packed)
{
	struct l7_record *r = malloc(packed->size);

	if (!r)
		return NULL;
	*r = *packed;
	r->attrs = (struct l7_attr *)(r + 1);
	r->text = (char *)(r->attrs + r->n_attrs);
	copy_contents(r, packed);
	return r;
}

struct l7_record *l7_record_resume(const struct l7_record *packed)
{
	struct building *b;

	if (packed->n_attrs > ARRAY_SIZE(b->attrs) || packed->text_len > sizeof(b->text))
		return NULL;
	b = pool_take(&spare);
	if (!b)
		return NULL;
	b->record = *packed;
	begin(b);
	copy_contents(&b->record, packed);
	return &b->record;
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
	size_t size = r->size ?: sizeof(struct building);

	if (attrs_apart(r))
		size += r->room * sizeof(*r->attrs);
	return text_apart(r) ? size + r->text_room : size;
}
