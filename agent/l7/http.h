/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP without its version: http1.c and http2.c turn bytes into exchanges, app.c (MCP, A2A, model calls, gRPC, plain
 * HTTP) turns exchanges into records.
 */
#ifndef WEIR_L7_HTTP_H
#define WEIR_L7_HTTP_H

#include "agent/l7/proto.h"

#define HTTP_HEADERS_MAX 128      /* per message; more: the exchange is unparseable */
#define HTTP_HEAD_MAX (64 * 1024) /* bytes of names and values per message */
#define HTTP_PENDING_MAX 256      /* exchanges of a connection that wait for their answer (pipelining, streams) */

struct http_header {
	const char *name; /* lower case */
	const char *value;
	uint32_t name_len, value_len; /* the strings also end in NUL; a value may contain no other */
};

/* Head of a request or an answer; valid only during the call that passes it. Pseudo headers of HTTP/2 are not in the
 * list. */
struct http_head {
	const char *method;    /* request */
	const char *target;    /* request: path and query as sent */
	const char *authority; /* request: Host or :authority; "" if none */
	const char *protocol;  /* request: :protocol of RFC 8441, "websocket"; mostly NULL */
	int status;            /* answer */
	uint8_t major, minor;  /* 1.0, 1.1, 2.0 */
	uint32_t again;        /* not 0: it came before; a direction's heads of that number are all the same */
	const struct http_header *headers;
	size_t n_headers;
};
/* The first with that (lower-case) name, or NULL. Inline, because the lengths of names are known where it is called. */
static inline const struct http_header *http_head_get(const struct http_head *h, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < h->n_headers; i++) {
		if (h->headers[i].name_len == len && memcmp(h->headers[i].name, name, len) == 0)
			return &h->headers[i];
	}
	return NULL;
}

/*
 * The consumer's side: one struct http_app per connection (what it remembers of it, e.g. nothing), one exchange per
 * request. Order of calls for an exchange: request → body(0)… → trailers(0)? → done(0), answer → body(1)… →
 * trailers(1)? → done(1), the two sequences interleaved as on the wire; 1xx answers are not passed except 101 (then the
 * connection is ignored). close() comes last, always.
 */
struct http_app;
struct http_exchange;
struct http_app *http_app_new(struct l7_host *host); /* NULL: out of memory */
void http_app_free(struct http_app *a);
/* NULL: out of memory; the exchange is not reported. */
struct http_exchange *http_app_request(struct http_app *a, const struct http_head *head, uint64_t ns);
void http_app_answer(struct http_exchange *x, const struct http_head *head, uint64_t ns);
/*
 * Body bytes without transfer coding, content coding still on. Returns true while the consumer wants more of this body;
 * false: the producer need not deliver more of it (and should l7_host.skip() what it knows to come); body_gap() and
 * done() still come.
 */
bool http_app_body(struct http_exchange *x, int dir, const uint8_t *data, size_t len, uint64_t ns);
void http_app_body_gap(struct http_exchange *x, int dir, uint64_t len, uint64_t ns);
void http_app_trailers(struct http_exchange *x, int dir, const struct http_head *trailers, uint64_t ns);
/* The client went away, or is going: RST_STREAM, or the connection's end. */
void http_app_left(struct http_exchange *x);
/* complete false: cut off (connection ended, RST_STREAM, lost). */
void http_app_done(struct http_exchange *x, int dir, bool complete, uint64_t ns);
/* reason: NULL, or why it could not be read (a static string): L7_UNPARSEABLE. Emits what has not been emitted; x is
 * gone. */
void http_app_close(struct http_exchange *x, uint16_t flags, const char *reason, uint64_t ns);
size_t http_app_memory(const struct http_app *a); /* its exchanges included */
void http_app_tick(struct http_app *a, uint64_t ns);

#endif
