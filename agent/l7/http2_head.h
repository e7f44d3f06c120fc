/* SPDX-License-Identifier: Apache-2.0 */
/* What RFC 9113, section 8, asks of the heads of messages: HTTP/2's side of agent/l7/http_head.h. */
#ifndef WEIR_L7_HTTP2_HEAD_H
#define WEIR_L7_HTTP2_HEAD_H

#include <nghttp2/nghttp2.h>

#include "agent/l7/http_head.h"

#define HTTP2_NO_LENGTH UINT64_MAX

/*
 * A header as HPACK has it. 0, -ENOMEM, or -E2BIG: more than HTTP_HEADERS_MAX or HTTP_HEAD_MAX. *malformed is set when
 * it is none; what nobody asks for is looked at, counted and not kept.
 */
int http2_head_add(struct http_builder *b, const nghttp2_nv *nv, const char **malformed);

/* Of a sealed head: NULL, or why its message is malformed. malformed: what was found before. *ret_length:
 * content-length. */
const char *http2_malformed_request(const struct http_builder *b, const struct http_head *head, const char *malformed,
				    uint64_t *ret_length);
const char *http2_malformed_answer(const struct http_builder *b, const struct http_head *head, const char *malformed,
				   uint64_t *ret_length);
const char *http2_malformed_trailers(const struct http_builder *b, const struct http_head *head, const char *malformed);
int http2_status(const struct http_builder *b); /* of a sealed head; 0: none */

#endif
