// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/http2_block.h"

#define BLOCK_MAX (1 << 20) /* bytes of one that are read, though no more than HTTP_HEAD_MAX are kept */
#define ENTRY_COST 160      /* memory of an entry of nghttp2's table beyond what HPACK counts, at most */
#define INFLATER_COST 4096
#define STATIC_ENTRIES 61

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
	return len > 0 && len <= HTTP2_KNOWN_MAX;
}

static void forget(struct http2_block *b)
{
	b->known.len = 0;
	http_builder_clear(&b->head);
}

static void learn(struct http2_block *b, const uint8_t *data, size_t len)
{
	memcpy(b->known.bytes, data, len);
	b->known.len = (uint8_t)len;
	b->known.used = true;
}

/* ---- HPACK */

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

static const char *inflate(struct http2_block *b, const uint8_t *data, size_t len, bool final, bool *ret_oom)
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
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
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

const char *http2_block_add(struct http2_block *b, const uint8_t *data, size_t len, bool final, bool *ret_oom)
{
	bool whole = TAKE(b->begins, false) && final;
	const char *bad;

	*ret_oom = false;
	if (whole && is_known(b, data, len)) {
		b->known.used = true;
		return NULL;
	}
	if (!b->len)
		forget(b);
	bad = inflate(b, data, len, final, ret_oom);
	b->len += len;
	if (b->len > HTTP_HEAD_MAX)
		give_up(b);
	if (!bad && whole && !b->malformed && only_points(data, len))
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
	forget(b);
	return nghttp2_hd_inflate_change_table_size(b->inflater, MIN(size, HTTP2_TABLE_MAX)) < 0 ? -EINVAL : 0;
}

void http2_block_tick(struct http2_block *b)
{
	if (b->known.len && !TAKE(b->known.used, false))
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
