// SPDX-License-Identifier: Apache-2.0
/*
 * parsers: what reading a connection costs beside the libraries below it, on the same bytes, in turn in every round.
 * HTTP/1: agent/l7/http1.c against llhttp with callbacks that do nothing. HTTP/2: agent/l7/http2.c against nghttp2's
 * HPACK inflater that is given the header blocks alone. What stands above the parsers (records, MCP …) is replaced by
 * functions that do nothing but count. Prints one JSON object: MB/s of each and the median of the rounds' ratios.
 */
#include <llhttp.h>
#include <nghttp2/nghttp2.h>
#include <time.h>

#include "agent/l7/http.h"
#include "lib/vec.h"

#define ROUNDS 15
#define EXCHANGES 2000

/* ---- the consumer */

struct http_app {
	size_t exchanges;
};

static struct http_app app;

struct http_app *http_app_new(_unused_ struct l7_host *host)
{
	return &app;
}

void http_app_free(_unused_ struct http_app *a)
{
}

struct http_exchange *http_app_request(struct http_app *a, _unused_ const struct http_head *head, _unused_ uint64_t ns)
{
	a->exchanges++;
	return (struct http_exchange *)a;
}

void http_app_answer(_unused_ struct http_exchange *x, _unused_ const struct http_head *head, _unused_ uint64_t ns)
{
}

bool http_app_body(_unused_ struct http_exchange *x, _unused_ int dir, _unused_ const uint8_t *data,
		   _unused_ size_t len, _unused_ uint64_t ns)
{
	return true;
}

void http_app_body_gap(_unused_ struct http_exchange *x, _unused_ int dir, _unused_ uint64_t len, _unused_ uint64_t ns)
{
}

void http_app_trailers(_unused_ struct http_exchange *x, _unused_ int dir, _unused_ const struct http_head *trailers,
		       _unused_ uint64_t ns)
{
}

void http_app_left(_unused_ struct http_exchange *x)
{
}

void http_app_done(_unused_ struct http_exchange *x, _unused_ int dir, _unused_ bool complete, _unused_ uint64_t ns)
{
}

void http_app_close(_unused_ struct http_exchange *x, _unused_ uint16_t flags, const char *reason, _unused_ uint64_t ns)
{
	if (!reason)
		return;
	fprintf(stderr, "parsers: %s\n", reason);
	exit(1);
}

size_t http_app_memory(_unused_ const struct http_app *a)
{
	return 0;
}

void http_app_tick(_unused_ struct http_app *a, _unused_ uint64_t ns)
{
}

/* ---- the conversation: an MCP client of the TypeScript SDK and its server */

struct message {
	uint8_t *data;
	size_t len;
	int dir;
	size_t block, block_len; /* HTTP/2: the header block in it */
};

static VEC(struct message) messages;

static void add(int dir, const void *data, size_t len, size_t block, size_t block_len)
{
	struct message m = { malloc(len), len, dir, block, block_len };

	if (!m.data || vec_add(&messages, m) < 0)
		abort();
	memcpy(m.data, data, len);
}

static void forget_messages(void)
{
	for (size_t i = 0; i < messages.n; i++)
		free(messages.v[i].data);
	free(messages.v);
	memset(&messages, 0, sizeof(messages));
}

static int call_body(char *to, size_t size, unsigned i)
{
	return snprintf(
	    to, size,
	    "{\"method\":\"tools/call\",\"params\":{\"name\":\"execute_sql\",\"arguments\":{\"query\":\"select * from "
	    "orders where id = %u\"}},\"jsonrpc\":\"2.0\",\"id\":%u}",
	    i, i);
}

static int result_body(char *to, size_t size, unsigned i)
{
	return snprintf(to, size,
			"event: message\ndata: {\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"one row: "
			"%u\"}]},\"jsonrpc\":"
			"\"2.0\",\"id\":%u}\n\n",
			i, i);
}

/* Each request has a span of its own. */
static const char *trace(unsigned i)
{
	static char text[64];

	snprintf(text, sizeof(text), "00-%08x5b0c4f6ea5a60e2d6b9f1c11-%016lx-01", i / 20 * 2654435761u,
		 (i + 1) * 0x9e3779b97f4a7c15ul);
	return text;
}

static void converse_http1(void)
{
	for (unsigned i = 0; i < EXCHANGES; i++) {
		char body[512], text[2048];
		int len = call_body(body, sizeof(body), i);

		len = snprintf(
		    text, sizeof(text),
		    "POST /mcp HTTP/1.1\r\nhost: tools.default.svc.cluster.local:8080\r\nconnection: keep-alive\r\n"
		    "mcp-session-id: 9ce87c8e-5b0c-4f6e-a5a6-0e2d6b9f1c11\r\nmcp-protocol-version: 2025-11-25\r\n"
		    "content-type: application/json\r\nAccept: application/json, text/event-stream\r\n"
		    "accept-language: *\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\naccept-encoding: gzip, "
		    "deflate\r\n"
		    "traceparent: %s\r\ncontent-length: %d\r\n\r\n%s",
		    trace(i), len, body);
		add(0, text, len, 0, 0);
		len = result_body(body, sizeof(body), i);
		len = snprintf(
		    text, sizeof(text),
		    "HTTP/1.1 200 OK\r\ncache-control: no-cache, no-transform\r\ncontent-type: text/event-stream\r\n"
		    "mcp-session-id: 9ce87c8e-5b0c-4f6e-a5a6-0e2d6b9f1c11\r\nx-accel-buffering: no\r\n"
		    "Date: Thu, 26 Nov 2026 08:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
		    (unsigned)len, body);
		add(1, text, len, 0, 0);
	}
}

#define NV(n, v)                                                        \
	{                                                               \
		(uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), 0 \
	}

static size_t frame(uint8_t *to, size_t len, uint8_t type, uint8_t flags, uint32_t id)
{
	const uint8_t head[9] = { len >> 16, len >> 8, len, type, flags, id >> 24, id >> 16, id >> 8, id };

	memcpy(to, head, sizeof(head));
	return sizeof(head);
}

/* HEADERS and DATA that ends the stream, in one segment. */
static void add_http2(nghttp2_hd_deflater *d, int dir, uint32_t id, const nghttp2_nv *nv, size_t n, const char *body)
{
	uint8_t buf[4096];
	ssize_t block = nghttp2_hd_deflate_hd(d, buf + 9, 2048, nv, n);
	size_t len = strlen(body), at;

	if (block < 0)
		abort();
	at = frame(buf, block, 1, 4, id) + block;
	at += frame(buf + at, len, 0, 1, id);
	memcpy(buf + at, body, len);
	add(dir, buf, at + len, 9, block);
}

static void converse_http2(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	nghttp2_hd_deflater *d[2];
	uint8_t begin[64], settings[9];

	if (nghttp2_hd_deflate_new(&d[0], 4096) || nghttp2_hd_deflate_new(&d[1], 4096))
		abort();
	memcpy(begin, preface, 24);
	frame(begin + 24, 0, 4, 0, 0);
	add(0, begin, 33, 0, 0);
	frame(settings, 0, 4, 0, 0);
	add(1, settings, 9, 0, 0);
	for (unsigned i = 0; i < EXCHANGES; i++) {
		char body[512], session[64], length[16];

		snprintf(session, sizeof(session), "9ce87c8e-5b0c-4f6e-a5a6-%012x", i / 20);
		snprintf(length, sizeof(length), "%d", call_body(body, sizeof(body), i));
		nghttp2_nv request[] = { NV(":method", "POST"),
					 NV(":scheme", "http"),
					 NV(":path", "/mcp"),
					 NV(":authority", "tools.default.svc.cluster.local:8080"),
					 NV("mcp-session-id", session),
					 NV("mcp-protocol-version", "2025-11-25"),
					 NV("content-type", "application/json"),
					 NV("accept", "application/json, text/event-stream"),
					 NV("user-agent", "node"),
					 NV("traceparent", trace(i)),
					 NV("content-length", length) };
		nghttp2_nv answer[] = { NV(":status", "200"), NV("content-type", "text/event-stream"),
					NV("mcp-session-id", session), NV("cache-control", "no-cache, no-transform"),
					NV("date", "Thu, 26 Nov 2026 08:00:00 GMT") };

		add_http2(d[0], 0, 1 + 2 * i, request, ARRAY_SIZE(request), body);
		result_body(body, sizeof(body), i);
		add_http2(d[1], 1, 1 + 2 * i, answer, ARRAY_SIZE(answer), body);
	}
	nghttp2_hd_deflate_del(d[0]);
	nghttp2_hd_deflate_del(d[1]);
}

/* ---- the parsers */

static void nothing(_unused_ struct l7_host *h, _unused_ int dir, _unused_ uint64_t bytes)
{
}

static void ignored(_unused_ struct l7_host *h)
{
	fprintf(stderr, "parsers: the conversation was ignored\n");
	exit(1);
}

static void ours(const struct l7_proto *proto)
{
	static const struct l7_settings settings;
	struct l7_host host = { .settings = &settings, .skip = nothing, .want = nothing, .ignore = ignored };
	size_t before = app.exchanges;
	void *p = proto->new (&host);

	for (size_t i = 0; i < messages.n; i++)
		proto->data(p, messages.v[i].dir, messages.v[i].data, messages.v[i].len, i + 1);
	for (int dir = 0; dir < 2; dir++)
		proto->end(p, dir, false, messages.n + 1);
	proto->free(p);
	if (app.exchanges - before == EXCHANGES)
		return;
	fprintf(stderr, "parsers: %zu exchanges of %d were read\n", app.exchanges - before, EXCHANGES);
	exit(1);
}

static void ours_http1(void)
{
	ours(&l7_http1);
}

static void ours_http2(void)
{
	ours(&l7_http2);
}

static int on_span(_unused_ llhttp_t *p, _unused_ const char *at, _unused_ size_t len)
{
	return 0;
}

static void bare_llhttp(void)
{
	static const llhttp_settings_t callbacks = {
		.on_url = on_span, .on_header_field = on_span, .on_header_value = on_span, .on_body = on_span
	};
	llhttp_t p[2];

	llhttp_init(&p[0], HTTP_REQUEST, &callbacks);
	llhttp_init(&p[1], HTTP_RESPONSE, &callbacks);
	for (size_t i = 0; i < messages.n; i++) {
		const struct message *m = &messages.v[i];

		if (llhttp_execute(&p[m->dir], (const char *)m->data, m->len) != HPE_OK)
			abort();
	}
}

static void inflate(nghttp2_hd_inflater *inflater, const uint8_t *data, size_t len)
{
	nghttp2_nv nv;
	int flags = 0;

	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, data, len, 1);

		if (n < 0)
			abort();
		data += n;
		len -= n;
	}
	nghttp2_hd_inflate_end_headers(inflater);
}

static void bare_hpack(void)
{
	nghttp2_hd_inflater *inflater[2];

	if (nghttp2_hd_inflate_new(&inflater[0]) || nghttp2_hd_inflate_new(&inflater[1]))
		abort();
	for (size_t i = 0; i < messages.n; i++) {
		const struct message *m = &messages.v[i];

		if (m->block_len)
			inflate(inflater[m->dir], m->data + m->block, m->block_len);
	}
	nghttp2_hd_inflate_del(inflater[0]);
	nghttp2_hd_inflate_del(inflater[1]);
}

/* ---- measuring */

static double seconds(void (*f)(void))
{
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (int i = 0; i < 5; i++)
		f();
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	return ((b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9) / 5;
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void compare(const char *name, void (*mine)(void), void (*bare)(void))
{
	double ratio[ROUNDS], best[2] = { 1e9, 1e9 };
	size_t bytes = 0;

	for (size_t i = 0; i < messages.n; i++)
		bytes += messages.v[i].len;
	for (int r = 0; r < ROUNDS; r++) {
		double b = r % 2 ? 0 : seconds(bare), m = seconds(mine);

		if (r % 2)
			b = seconds(bare);
		ratio[r] = b / m;
		best[0] = MIN(best[0], m);
		best[1] = MIN(best[1], b);
	}
	qsort(ratio, ROUNDS, sizeof(*ratio), cmp);
	printf("\"%s\":{\"mb_s\":%.1f,\"bare_mb_s\":%.1f,\"ratio\":%.4f,\"least\":%.4f,\"most\":%.4f,\"bytes\":%zu}",
	       name, bytes / best[0] / 1e6, bytes / best[1] / 1e6, ratio[ROUNDS / 2], ratio[0], ratio[ROUNDS - 1],
	       bytes);
}

int main(void)
{
	putchar('{');
	converse_http1();
	compare("http1", ours_http1, bare_llhttp);
	forget_messages();
	putchar(',');
	converse_http2();
	compare("http2", ours_http2, bare_hpack);
	forget_messages();
	puts("}");
	return 0;
}
