/* SPDX-License-Identifier: Apache-2.0 */
/* A block of HTTP/2's headers, as it comes in frames; and HPACK's table of one direction, which lives on between them.
 */
#ifndef WEIR_L7_HTTP2_BLOCK_H
#define WEIR_L7_HTTP2_BLOCK_H

#include "agent/l7/http2_head.h"

#define HTTP2_TABLE_MAX (64 * 1024) /* an encoder that uses more cannot be followed */
#define HTTP2_KNOWN_MAX 128

struct http2_block {
	nghttp2_hd_inflater *inflater;
	struct http_builder head; /* what the block says */
	const char *malformed;    /* the error of its stream, not of the connection; NULL: none */
	size_t len;               /* bytes of it so far */
	bool begins;              /* nothing of it was read yet */
	bool too_much;            /* headers: for the rest of it the table alone counts */
	bool again;               /* it is the one that is known */
	/*
	 * The last block, when it is one that says the same whenever it comes again: what that is still is in head.
	 * Either it only points into the table, and leaves that as it was; or it points to nothing but the table that
	 * HPACK begins with, and what it adds is owed to the inflater until that is needed.
	 */
	struct {
		uint8_t bytes[HTTP2_KNOWN_MAX];
		uint8_t len; /* 0: nothing is known */
		bool used;   /* since the last tick */
		uint32_t number;
		uint32_t owed, owed_max; /* times; more leave the same table */
	} known;
};

int http2_block_init(struct http2_block *b); /* 0 or -ENOMEM */
void http2_block_done(struct http2_block *b);

void http2_block_begin(struct http2_block *b);
/* The next bytes; final: the last ones. NULL, or why the connection cannot be read any more; *ret_oom says that it is
 * for lack of memory. */
const char *http2_block_add(struct http2_block *b, const uint8_t *data, size_t len, bool final, bool *ret_oom);
/* What it said has been taken. */
void http2_block_end(struct http2_block *b);

int http2_block_set_table(struct http2_block *b, uint32_t size); /* 0, or negative: it cannot be, or out of memory */
void http2_block_tick(struct http2_block *b);
size_t http2_block_memory(const struct http2_block *b);

#endif
