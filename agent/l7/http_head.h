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
	VEC(char) text; /* with room for two more bytes always: the ends of a name and of a value */
	VEC(struct http_header) headers;
	bool open, in_value; /* the last header is not over; its name is */
	size_t n_pseudo;
	size_t n_passed, passed_len; /* headers that were not kept, their bytes */
	size_t n_before;             /* headers of the head before this one: those not written over still stand there */
};

/* The next piece of a name (lower-cased) or value. 0, -ENOMEM, or -E2BIG: more than HTTP_HEADERS_MAX or HTTP_HEAD_MAX.
 */
int http_builder_name(struct http_builder *b, const void *s, size_t len);
int http_builder_value(struct http_builder *b, const void *s, size_t len);
/* A whole header; the name is in small letters. */
int http_builder_add(struct http_builder *b, const void *name, size_t name_len, const void *value, size_t value_len);
/*
 * The same, if the head before this one had it in the same place: then it stands there, and whoever added it then has
 * looked at its letters. 1: so it is; 0: it is to be added; or an error. Nameless ones are never the same.
 */
int http_builder_repeat(struct http_builder *b, const void *name, size_t name_len, const void *value, size_t value_len);
/* A header of len bytes that is not kept. Of those, too, there may be so many and so much; -E2BIG. */
int http_builder_pass(struct http_builder *b, size_t len);
/* Fills method, target, authority and headers of ret_head, which are valid until the next call. */
void http_builder_seal(struct http_builder *b, struct http_head *ret_head);
/* The value of a pseudo header of a sealed head, or NULL. */
static inline const char *http_builder_pseudo(const struct http_builder *b, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < b->n_pseudo; i++) {
		if (b->headers.v[i].name_len == len && memcmp(b->headers.v[i].name, name, len) == 0)
			return b->headers.v[i].value;
	}
	return NULL;
}
void http_builder_clear(struct http_builder *b); /* empty again, for the next head */
void http_builder_trim(struct http_builder *b);  /* without memory, if it is empty */
void http_builder_done(struct http_builder *b);  /* empty, and without memory */
size_t http_builder_memory(const struct http_builder *b);

#endif
