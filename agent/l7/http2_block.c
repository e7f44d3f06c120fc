// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/http2_block.h"

#define BLOCK_MAX (1 << 20) /* bytes of one that are read, though no more than HTTP_HEAD_MAX are kept */
#define ENTRY_COST 160      /* memory of an entry of nghttp2's table beyond what HPACK counts, at most */
#define INFLATER_COST 4096
#define STATIC_ENTRIES 61
#define ENTRY_LEAST 32 /* what HPACK counts for one, without its text */

static const char too_large[] = "too many or too large headers";

int http2_block_init(struct http2_block *b)
{
	*b = (struct http2_block){};
	return nghttp2_hd_inflate_new(&b->inflater) == 0 ? 0 : -ENOMEM;
}

void http2_block_done(struct http2_block *b)
{
	http_builder_done(&b->head);
	b->known.len = 0;
	if (b->inflater)
		nghttp2_hd_inflate_del(TAKE_PTR(b->inflater));
}

void http2_block_begin(struct http2_block *b)
{
	b->malformed = NULL;
	b->len = 0;
	b->begins = true;
	b->too_much = false;
}

/* ---- HPACK */

static size_t table_max(const struct http2_block *b)
{
	return nghttp2_hd_inflate_get_max_dynamic_table_size(b->inflater);
}

static void give_up(struct http2_block *b)
{
	b->too_much = true;
	b->malformed = too_large;
}

/* 0 or -ENOMEM. */
static int add_header(struct http2_block *b, const nghttp2_nv *nv)
{
	int r = b->too_much ? 0 : http2_head_add(&b->head, nv, &b->malformed);

	if (r != -E2BIG)
		return r;
	give_up(b);
	return 0;
}

/* kept: what it says is of interest, not what it adds to the table alone. */
static const char *inflate(struct http2_block *b, const uint8_t *data, size_t len, bool final, bool kept, bool *ret_oom)
{
	for (;;) {
		int flags = 0;
		nghttp2_nv nv;
		ssize_t n = nghttp2_hd_inflate_hd2(b->inflater, &nv, &flags, data, len, final);

		if (n < 0) {
			*ret_oom = n == NGHTTP2_ERR_NOMEM;
			return "HPACK cannot be decoded";
		}
		data += n;
		len -= n;
		if (kept && flags & NGHTTP2_HD_INFLATE_EMIT) {
			*ret_oom = add_header(b, &nv) < 0;
			if (*ret_oom)
				return "out of memory";
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(b->inflater);
			return NULL;
		}
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && !len)
			return NULL;
	}
}

/* ---- known by heart */

static bool is_known(const struct http2_block *b, const uint8_t *data, size_t len)
{
	return b->known.len && len == b->known.len && memcmp(data, b->known.bytes, len) == 0;
}

/* Nothing but indexes, each in one byte. */
static bool only_points(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] < 0x80 || data[i] == 0xff)
			return false;
	return true;
}

/* An integer of HPACK, as far as they are short: so many bits of its first byte, and one more byte. */
static bool take_number(const uint8_t **p, const uint8_t *end, unsigned bits, size_t *ret)
{
	size_t mask = (1u << bits) - 1;

	if (*p == end)
		return false;
	*ret = *(*p)++ & mask;
	if (*ret < mask)
		return true;
	if (*p == end || **p & 0x80)
		return false;
	*ret += *(*p)++;
	return true;
}

static bool skip_string(const uint8_t **p, const uint8_t *end)
{
	size_t len;

	if (!take_number(p, end, 7, &len) || len > (size_t)(end - *p))
		return false;
	*p += len;
	return true;
}

/* Does it say the same whatever the table has got? Counts what it adds. */
static bool is_fixed(const uint8_t *p, size_t len, unsigned *ret_added)
{
	const uint8_t *end = p + len;

	for (*ret_added = 0; p < end;) {
		bool indexed = *p & 0x80, added = !indexed && *p & 0x40, resizes = !indexed && !added && *p & 0x20;
		size_t index;

		if (resizes || !take_number(&p, end, indexed ? 7 : added ? 6 : 4, &index) || index > STATIC_ENTRIES)
			return false;
		*ret_added += added;
		if (!indexed && !index && !skip_string(&p, end))
			return false;
		if (!indexed && !skip_string(&p, end))
			return false;
	}
	return true;
}

static void forget(struct http2_block *b)
{
	b->known.len = 0;
	b->known.owed = 0;
	http_builder_clear(&b->head);
}

static void learn(struct http2_block *b, const uint8_t *data, size_t len)
{
	unsigned added = 0;

	if (!len || len > HTTP2_KNOWN_MAX || (!only_points(data, len) && !is_fixed(data, len, &added)))
		return;
	memcpy(b->known.bytes, data, len);
	b->known.len = (uint8_t)len;
	b->known.used = true;
	b->known.number++;
	b->known.owed_max = added ? table_max(b) / (ENTRY_LEAST * added) + 2 : 0;
}

/* Before the table is needed. */
static const char *pay(struct http2_block *b, bool *ret_oom)
{
	const char *bad = NULL;

	for (; b->known.owed && !bad; b->known.owed--)
		bad = inflate(b, b->known.bytes, b->known.len, true, false, ret_oom);
	return bad;
}

const char *http2_block_add(struct http2_block *b, const uint8_t *data, size_t len, bool final, bool *ret_oom)
{
	bool whole = TAKE(b->begins, false) && final;
	const char *bad;

	*ret_oom = false;
	b->again = whole && is_known(b, data, len);
	if (b->again) {
		b->known.used = true;
		b->known.owed = MIN(b->known.owed + 1, b->known.owed_max);
		return NULL;
	}
	bad = pay(b, ret_oom);
	if (bad)
		return bad;
	if (!b->len)
		forget(b);
	bad = inflate(b, data, len, final, true, ret_oom);
	b->len += len;
	if (b->len > HTTP_HEAD_MAX)
		give_up(b);
	if (!bad && whole && !b->malformed)
		learn(b, data, len);
	return bad ?: b->len > BLOCK_MAX ? too_large : NULL;
}

void http2_block_end(struct http2_block *b)
{
	if (!b->known.len)
		http_builder_clear(&b->head);
}

/* ---- */

int http2_block_set_table(struct http2_block *b, uint32_t size)
{
	bool oom;

	if (pay(b, &oom))
		return -ENOMEM;
	forget(b);
	return nghttp2_hd_inflate_change_table_size(b->inflater, MIN(size, HTTP2_TABLE_MAX)) < 0 ? -EINVAL : 0;
}

void http2_block_tick(struct http2_block *b)
{
	bool oom;

	if (b->known.len && !TAKE(b->known.used, false) && !pay(b, &oom))
		forget(b);
	http_builder_trim(&b->head);
}

size_t http2_block_memory(const struct http2_block *b)
{
	size_t n = http_builder_memory(&b->head), entries;

	if (!b->inflater)
		return n;
	entries = nghttp2_hd_inflate_get_num_table_entries(b->inflater) - STATIC_ENTRIES;
	return n + INFLATER_COST + nghttp2_hd_inflate_get_dynamic_table_size(b->inflater) + entries * ENTRY_COST;
}
