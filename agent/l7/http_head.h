/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A head while it is being read: names and values piece by piece into one buffer. Pseudo headers come first, under
 * their names of HTTP/2; for HTTP/1 that is ":method" and ":path".
 */
#ifndef WEIR_L7_HTTP_HEAD_H
#define WEIR_L7_HTTP_HEAD_H

#include "agent/l7/http.h"
#include "lib/vec.h"

struct http_builder {
	VEC(char) text;
	VEC(struct http_header) headers; /* lengths only, until http_builder_seal() */
	bool in_value;
	bool sealed; /* it can be read, and not be added to */
	size_t n_pseudo;
};

/* The next piece of a name (lower-cased) or value. 0, -ENOMEM, or -E2BIG: more than HTTP_HEADERS_MAX or HTTP_HEAD_MAX.
 */
int http_builder_name(struct http_builder *b, const void *s, size_t len);
int http_builder_value(struct http_builder *b, const void *s, size_t len);
/* Fills method, target, authority and headers of ret_head, which are valid until the next call. 0 or -ENOMEM. */
int http_builder_seal(struct http_builder *b, struct http_head *ret_head);
/* The value of a pseudo header of a sealed head, or NULL. */
const char *http_builder_pseudo(const struct http_builder *b, const char *name);
void http_builder_done(struct http_builder *b); /* empty again, without memory */
size_t http_builder_memory(const struct http_builder *b);

#endif
