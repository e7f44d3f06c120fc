// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/http2_head.h"

#include "lib/ascii.h"

/* ---- header by header */

/* What nobody asks for, often long and often secret, is looked at and not kept. What speaks of the connection (RFC
 * 9113, section 8.2.2) may not be there. */
enum naming { ODD, KEPT, PASSED, HOP_BY_HOP };

/* Names that need no look at their letters: most are one of these. */
static enum naming naming_of(const uint8_t *name, size_t len)
{
#define IS(text) (memcmp(name, text, sizeof(text) - 1) == 0)
	switch (len) {
	case 4:
		return IS("date") ? PASSED : IS("host") ? KEPT : ODD;
	case 5:
		return IS(":path") ? KEPT : ODD;
	case 6:
		return IS("server") || IS("accept") || IS("cookie") ? PASSED : ODD;
	case 7:
		return IS(":method") || IS(":scheme") || IS(":status") ? KEPT : IS("upgrade") ? HOP_BY_HOP : ODD;
	case 10:
		return IS(":authority") || IS("user-agent")   ? KEPT
		       : IS("connection") || IS("keep-alive") ? HOP_BY_HOP
							      : ODD;
	case 11:
		return IS("traceparent") || IS("grpc-status") ? KEPT : ODD;
	case 12:
		return IS("content-type") || IS("grpc-timeout") ? KEPT : ODD;
	case 13:
		return IS("authorization") || IS("cache-control") ? PASSED : ODD;
	case 14:
		return IS("content-length") || IS("mcp-session-id") ? KEPT : ODD;
	case 15:
		return IS("accept-encoding") || IS("accept-language") ? PASSED : ODD;
	case 16:
		return IS("proxy-connection") ? HOP_BY_HOP : ODD;
	case 17:
		return IS("transfer-encoding") ? HOP_BY_HOP : ODD;
	case 20:
		return IS("mcp-protocol-version") ? KEPT : ODD;
	}
#undef IS
	return ODD;
}

/* As nghttp2_check_header_value(), which looks at letters one by one; but a value with anything but ASCII in it is left
 * to it. */
static bool is_value(const uint8_t *value, size_t len)
{
	return ascii_printable(value, len) == len || nghttp2_check_header_value(value, len);
}

static const char *bad_name(const nghttp2_nv *nv, enum naming naming)
{
	if (naming == HOP_BY_HOP)
		return "header of HTTP/1 in HTTP/2";
	return naming == ODD && !nghttp2_check_header_name(nv->name, nv->namelen) ? "invalid header name" : NULL;
}

int http2_head_add(struct http_builder *b, const nghttp2_nv *nv, const char **malformed)
{
	int r = http_builder_repeat(b, nv->name, nv->namelen, nv->value, nv->valuelen);
	const char *name, *value;
	enum naming naming;

	if (r != 0)
		return MIN(r, 0);
	naming = naming_of(nv->name, nv->namelen);
	name = bad_name(nv, naming);
	value = is_value(nv->value, nv->valuelen) ? NULL : "invalid header value";
	*malformed = *malformed ?: name ?: value;
	if (naming == PASSED)
		return http_builder_pass(b, nv->namelen + nv->valuelen);
	/* What is invalid may hold a NUL, and is not kept. A name would pass for valid when it is repeated. */
	return http_builder_add(b, nv->name, name ? 0 : nv->namelen, nv->value, name || value ? 0 : nv->valuelen);
}

/* ---- a whole one */

static bool is_named(const struct http_header *h, const char *name)
{
	return h->name_len == strlen(name) && memcmp(h->name, name, h->name_len) == 0;
}

/* False: none, or another than that of the header before. */
static bool take_length(const struct http_header *h, uint64_t *length)
{
	uint64_t n = 0;

	if (!h->value_len || h->value_len > 18 || strspn(h->value, "0123456789") != h->value_len)
		return false;
	for (size_t i = 0; i < h->value_len; i++)
		n = n * 10 + (uint64_t)(h->value[i] - '0');
	if (*length != HTTP2_NO_LENGTH && *length != n)
		return false;
	*length = n;
	return true;
}

static const char *malformed_headers(const struct http_head *head, uint64_t *ret_length)
{
	*ret_length = HTTP2_NO_LENGTH;
	for (size_t i = 0; i < head->n_headers; i++) {
		const struct http_header *h = &head->headers[i];

		if (h->name[0] == ':')
			return "pseudo header in the wrong place";
		if (is_named(h, "content-length") && !take_length(h, ret_length))
			return "content-length is no number, or several";
	}
	return NULL;
}

/* A bit for each that there may be; 0: it may not. */
static unsigned pseudo_bit(const struct http_header *h, bool request)
{
	if (!request)
		return is_named(h, ":status") ? 1 : 0;
	return is_named(h, ":method")      ? 1
	       : is_named(h, ":path")      ? 2
	       : is_named(h, ":scheme")    ? 4
	       : is_named(h, ":authority") ? 8
	       : is_named(h, ":protocol")  ? 16
					   : 0;
}

static const char *malformed_pseudo(const struct http_builder *b, bool request)
{
	unsigned seen = 0;

	for (size_t i = 0; i < b->n_pseudo; i++) {
		unsigned bit = pseudo_bit(&b->headers.v[i], request);

		if (!bit || seen & bit)
			return "unknown or repeated pseudo header";
		seen |= bit;
	}
	return NULL;
}

const char *http2_malformed_request(const struct http_builder *b, const struct http_head *head, const char *malformed,
				    uint64_t *ret_length)
{
	const char *headers = malformed_headers(head, ret_length);
	const char *bad = malformed ?: malformed_pseudo(b, true) ?: headers;

	if (bad)
		return bad;
	if (!head->method[0])
		return "no :method";
	return head->target[0] || streq(head->method, "CONNECT") ? NULL : "no :path";
}

const char *http2_malformed_answer(const struct http_builder *b, const struct http_head *head, const char *malformed,
				   uint64_t *ret_length)
{
	const char *headers = malformed_headers(head, ret_length);
	const char *bad = malformed ?: malformed_pseudo(b, false) ?: headers;

	return bad ?: head->status < 100 ? "no :status" : NULL;
}

const char *http2_malformed_trailers(const struct http_builder *b, const struct http_head *head, const char *malformed)
{
	uint64_t length; /* says nothing there */
	const char *headers = malformed_headers(head, &length);

	return malformed ?: headers ?: b->n_pseudo ? "trailers that are none" : NULL;
}

int http2_status(const struct http_builder *b)
{
	const char *s = http_builder_pseudo(b, ":status");

	if (!s || s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' || s[2] < '0' || s[2] > '9' || s[3])
		return 0;
	return (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
}
