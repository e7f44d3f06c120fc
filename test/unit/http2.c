// SPDX-License-Identifier: Apache-2.0
#include <nghttp2/nghttp2.h>

#include "test/unit.h"
#include "test/unit/http_fake.h"
#include "test/unit/l7_host.h"

static struct test_host t;
static void *parser;
static nghttp2_hd_deflater *deflater[2];
static uint64_t now, skipped, wanted;
static size_t step; /* bytes passed at once; 0: all */

static void on_skip(struct l7_host *h, int dir, uint64_t bytes)
{
	(void)h;
	(void)dir;
	skipped += bytes;
}

static void on_want(struct l7_host *h, int dir, uint64_t bytes)
{
	(void)h;
	(void)dir;
	wanted += bytes;
}

static void say(int dir, const void *data, size_t len)
{
	now += 1000;
	for (size_t i = 0; i < len && !t.ignored; i += step ?: len)
		l7_http2.data(parser, dir, (const uint8_t *)data + i, MIN(step ?: len, len - i), now);
}

static void frame_head(int dir, uint32_t len, uint8_t type, uint8_t flags, uint32_t id)
{
	uint8_t h[9] = { len >> 16, len >> 8, len, type, flags, id >> 24, id >> 16, id >> 8, id };

	say(dir, h, sizeof(h));
}

static void frame(int dir, uint8_t type, uint8_t flags, uint32_t id, const void *data, size_t len)
{
	frame_head(dir, len, type, flags, id);
	say(dir, data, len);
}

static void begin(void)
{
	test_host_init(&t);
	t.host.skip = on_skip;
	t.host.want = on_want;
	skipped = wanted = 0;
	fake_init();
	now = 1000000;
	parser = l7_http2.new(&t.host);
	ck_assert_ptr_nonnull(parser);
	for (int dir = 0; dir < 2; dir++)
		ck_assert_int_eq(nghttp2_hd_deflate_new(&deflater[dir], 65536), 0);
	for (int dir = 0; dir < 2; dir++)
		ck_assert_int_eq(nghttp2_hd_deflate_change_table_size(deflater[dir], 4096), 0);
	say(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame(0, NGHTTP2_SETTINGS, 0, 0, "", 0);
	frame(1, NGHTTP2_SETTINGS, 0, 0, "", 0);
	frame(0, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
	frame(1, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
}

static const char *finish(void)
{
	l7_http2.end(parser, 0, false, now);
	l7_http2.end(parser, 1, false, now);
	l7_http2.free(parser);
	for (int dir = 0; dir < 2; dir++)
		nghttp2_hd_deflate_del(deflater[dir]);
	return fake_text();
}

/* "name=value;…" as HPACK. */
static size_t block(int dir, const char *text, uint8_t *buf, size_t size)
{
	_cleanup_free_ char *copy = strdup(text);
	char *save = NULL;
	nghttp2_nv nv[200];
	size_t n = 0;
	ssize_t r;

	for (char *p = strtok_r(copy, ";", &save); p; p = strtok_r(NULL, ";", &save)) {
		char *v = strchr(p, '=');

		ck_assert_ptr_nonnull(v);
		nv[n++] = (nghttp2_nv){ (uint8_t *)p, (uint8_t *)v + 1, v - p, strlen(v + 1), 0 };
	}
	r = nghttp2_hd_deflate_hd(deflater[dir], buf, size, nv, n);
	ck_assert_int_ge(r, 0);
	return r;
}

static void headers(int dir, uint32_t id, bool last, const char *text)
{
	uint8_t buf[4096];
	size_t len = block(dir, text, buf, sizeof(buf));

	frame(dir, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | (last ? NGHTTP2_FLAG_END_STREAM : 0), id, buf, len);
}

#define GET(p) ":method=GET;:scheme=http;:authority=h;:path=" p
#define LINE(p) "GET " p " h done => 200 {a: b} \"hi\" done;\n"

static void simple(uint32_t id)
{
	headers(0, id, true, GET("/x"));
	headers(1, id, false, ":status=200;a=b");
	frame(1, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id, "hi", 2);
}

START_TEST(calls_split_anywhere)
{
	for (step = 0; step < 30; step++) {
		uint8_t buf[400], padded[400] = { 3, 0x80, 0, 0, 0, 9 };
		size_t len;

		begin();
		simple(1);
		/* gRPC: interleaved, padding, priority, CONTINUATION, trailers, trailers only */
		len = block(0, ":method=POST;:scheme=http;:path=/p.S/M;te=trailers;x=long-enough", buf, sizeof(buf));
		memcpy(padded + 6, buf, 5);
		frame(0, NGHTTP2_HEADERS, NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY, 3, padded, 6 + 5 + 3);
		frame(0, NGHTTP2_CONTINUATION, 0, 3, "", 0);
		frame(0, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 3, buf + 5, len - 5);
		headers(0, 5, false, GET("/5"));
		frame(0, NGHTTP2_PING, 0, 0, "12345678", 8);
		frame(0, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 3, "\2abcd\0", 7);
		frame(0, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 5, "", 0);
		frame(0, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 3, "e", 1);
		headers(1, 5, true, ":status=200;grpc-status=12");
		headers(1, 3, false, ":status=103;early=hint");
		headers(1, 3, false, ":status=200");
		frame(1, NGHTTP2_DATA, 0, 3, "xyz", 3);
		frame(1, 99, 0xff, 7, "unknown", 7);
		headers(1, 3, true, "grpc-status=0;grpc-message=fine");
		ck_assert_str_eq(finish(), LINE("/x") "GET /5 h done => 200 {grpc-status: 12} done;\n"
						      "POST /p.S/M  {te: trailers, x: long-enough} \"abcde\" done => "
						      "200 \"xyz\" [grpc-status: 0, grpc-message: fine] done;\n");
		ck_assert_uint_eq(t.ignored, 0);
	}
	step = 0;
}
END_TEST

/* Heads that only point into the table are known by heart while the table is the same. */
START_TEST(heads_that_come_again)
{
	size_t most;

	begin();
	for (uint32_t id = 1; id < 9; id += 2)
		simple(id);
	headers(0, 9, true, GET("/y")); /* the table has another first entry now */
	headers(1, 9, false, ":status=200;c=d");
	frame(1, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 9, "hi", 2);
	for (uint32_t id = 11; id < 17; id += 2)
		simple(id);
	headers(0, 17, true, GET("/x")); /* the same block again: as trailers it is against the standard */
	headers(1, 17, false, ":status=200;a=b");
	headers(1, 17, true, ":status=200;a=b");
	most = l7_http2.memory(parser);
	l7_http2.tick(parser, 1000000000);
	l7_http2.tick(parser, 2000000000);
	ck_assert_uint_gt(most, l7_http2.memory(parser) + 2000);
	simple(19);
	ck_assert_str_eq(
	    finish(),
	    LINE("/x") LINE("/x") LINE("/x") LINE("/x") "GET /y h done => 200 {c: d} \"hi\" done;\n" LINE("/x")
		LINE("/x") LINE("/x") "GET /x h done => 200 {a: b}; unparseable: trailers that are none\n" LINE("/x"));
}
END_TEST

/* An answer of so many bytes of HPACK, and its request. */
static void answer(uint32_t id, const char *hpack, size_t len)
{
	headers(0, id, true, GET("/x"));
	frame(1, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id, hpack, len);
}

#define ANSWER(id, hpack) answer(id, hpack, sizeof(hpack) - 1)
/* An answer with one header, which is in the table. */
static void point_to(uint32_t id, unsigned index)
{
	char hpack[3] = { '\x88', (char)(index < 127 ? 0x80 | index : 0xff), (char)(index - 127) };

	answer(id, hpack, index < 127 ? 2 : 3);
}

#define ANSWERED(text) "GET /x h done => " text " done;\n"
#define ADDS_TWO "\x88\x7c\1v\x62\1e" /* :status 200, via: v, etag: e; 36 and 37 bytes of the table */

/* Heads that say the same whatever the table has got are known by heart, and the table gets what they add in time. */
START_TEST(heads_that_add_to_the_table)
{
	static const unsigned times[] = { 1, 2, 3, 20, 55, 56, 57, 58, 300 };

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		bool full = times[i] > 55;
		unsigned oldest = full ? 62 + 2 * 56 - 1 : 62 + 2 * times[i];
		const char *text, *last = full ? ANSWERED("200 {via: v}") : ANSWERED("200 {x: d}");
		uint32_t id = 1;

		begin();
		ANSWER(id, "\x88\x40\1x\1d"); /* x: d, 34 bytes of 4096 */
		for (unsigned n = 0; n < times[i]; n++)
			ANSWER(id += 2, ADDS_TWO);
		point_to(id += 2, oldest);
		point_to(id += 2, oldest + 1);
		text = finish();
		for (unsigned n = 0; n < times[i]; n++)
			ck_assert_ptr_nonnull(text = strstr(text + 1, ANSWERED("200 {via: v, etag: e}")));
		text = strchr(text, '\n') + 1;
		ck_assert_int_eq(strncmp(text, last, strlen(last)), 0);
		ck_assert_ptr_nonnull(strstr(text, "HPACK cannot be decoded"));
	}
}
END_TEST

START_TEST(what_is_owed_to_the_table_moves_the_rest)
{
	const char *text;

	begin();
	ANSWER(1, "\x88\x40\1x\1d");
	for (uint32_t id = 3; id < 23; id += 2)
		ANSWER(id, ADDS_TWO);
	ANSWER(23, "\x88\xd2"); /* twenty entries came before it */
	ANSWER(25, ADDS_TWO);
	ANSWER(27, ADDS_TWO);
	l7_http2.tick(parser, 1000000000);
	l7_http2.tick(parser, 2000000000); /* forgotten, and paid */
	ANSWER(29, ADDS_TWO);
	ANSWER(31, "\x88\xd8");
	ANSWER(33, "\x88\x40\1y\1z"); /* to a name of its own: the same */
	ANSWER(35, "\x88\x40\1y\1z");
	ANSWER(37, "\x88\xbf\xda");
	text = strstr(finish(), "{x: d}");
	ck_assert_str_eq(strstr(text + 1, "{x: d}"),
			 "{x: d} done;\n" ANSWERED("200 {via: v, etag: e}") ANSWERED("200 {via: v, etag: e}")
			     ANSWERED("200 {via: v, etag: e}") ANSWERED("200 {x: d}") ANSWERED("200 {y: z}")
				 ANSWERED("200 {y: z}") ANSWERED("200 {y: z, x: d}"));
}
END_TEST

START_TEST(what_is_owed_comes_before_another_size)
{
	begin();
	for (uint32_t id = 1; id < 7; id += 2)
		ANSWER(id, ADDS_TWO);
	frame(0, NGHTTP2_SETTINGS, 0, 0, "\0\1\0\0\0\xc8", 6); /* 200: five entries of the six */
	frame(1, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
	answer(7, "\x3f\xa9\1\x88", 4);
	point_to(9, 66);
	point_to(11, 67);
	ck_assert_ptr_nonnull(strstr(finish(), ANSWERED("200") ANSWERED("200 {etag: e}") "GET /x h done => nothing"));
}
END_TEST

START_TEST(table_size_follows_settings)
{
	begin();
	frame(1, NGHTTP2_SETTINGS, 0, 0, "\0\1\0\0\x20\0", 6); /* 8192 for the client's encoder */
	simple(1);
	frame(0, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
	nghttp2_hd_deflate_change_table_size(deflater[0], 8192);
	simple(3);
	ck_assert_str_eq(finish(), LINE("/x") LINE("/x"));
	begin();
	nghttp2_hd_deflate_change_table_size(deflater[0], 8192); /* not allowed to it */
	simple(1);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: HPACK cannot be decoded"));
}
END_TEST

START_TEST(gaps)
{
	begin();
	headers(0, 1, true, GET("/1"));
	headers(1, 1, false, ":status=200");
	frame_head(1, 10000, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1);
	say(1, "ab", 2);
	l7_http2.gap(parser, 1, 9998, now);
	simple(3);
	ck_assert_str_eq(finish(), "GET /1 h done => 200 \"ab\" <9998> done;\n" LINE("/x"));
	begin();
	simple(1);
	headers(0, 3, true, GET("/3"));
	headers(1, 3, false, ":status=200");
	frame_head(1, 10, NGHTTP2_DATA, 0, 3);
	l7_http2.gap(parser, 1, 11, now);
	ck_assert_uint_eq(t.ignored, 1);
	ck_assert_str_eq(finish(), LINE("/x") "GET /3 h done => 200 <10> cut; partial\n");
}
END_TEST

START_TEST(resets_and_goaway)
{
	begin();
	headers(0, 1, false, GET("/1"));
	frame(0, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
	headers(0, 3, true, GET("/3"));
	headers(1, 3, false, ":status=200");
	frame(1, NGHTTP2_RST_STREAM, 0, 3, "\0\0\0\x02", 4);
	headers(0, 5, true, GET("/5"));
	headers(0, 7, true, GET("/7"));
	frame(1, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\5\0\0\0\0why", 11);
	headers(1, 5, true, ":status=204");
	ck_assert_str_eq(finish(),
			 "GET /1 h left cut => nothing;\nGET /3 h done => 200 cut;\nGET /7 h done => nothing;\n"
			 "GET /5 h done => 204 done;\n");
}
END_TEST

START_TEST(malformed_streams_leave_the_others)
{
	static const char *const bad[] = {
		":method=GET;:scheme=http;:path=/;Upper=x",
		":method=GET;:scheme=http;:path=/;a=b\rc",
		":method=GET;a=b;:path=/",
		":method=GET;cookie=b;:path=/",
		"date=b;:method=GET;:path=/",
		":method=GET;:path=/;cookie=a\rb",
		":method=GET;:method=POST;:path=/",
		":method=GET;:status=200;:path=/",
		":path=/",
		":method=GET;:scheme=http",
		":method=POST;:path=/;transfer-encoding=chunked",
		":method=POST;:path=/;connection=",
		":method=POST;:path=/;keep-alive=x",
		":method=POST;:path=/;upgrade=x",
		":method=POST;:path=/;proxy-connection=x",
		":method=POST;:path=/;content-length=1",
		":method=POST;:path=/;content-length=0;content-length=1",
		":method=POST;:path=/;content-length=+0",
		":method=POST;:path=/;content-length=",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *text;

		begin();
		headers(0, 1, true, bad[i]);
		headers(0, 3, true, bad[i]); /* no better for having come before */
		simple(5);
		text = finish();
		ck_assert_uint_eq(t.ignored, 0);
		ck_assert_uint_eq(fake_lines, 3);
		text = strstr(text, "; unparseable: ");
		ck_assert_msg(text && strstr(text + 1, "; unparseable: ") && strstr(text, "\n" LINE("/x")), "%s: %s",
			      bad[i], text);
	}
}
END_TEST

/* A bad value leaves the others in their places. */
START_TEST(what_is_sound_of_a_malformed_head_is_told)
{
	const char *text;

	begin();
	headers(0, 1, true, ":method=GET;:path=/a\rb;:authority=h");
	text = finish();
	ck_assert_msg(strstr(text, "GET  h => nothing; unparseable: invalid header value") == text, "%s", text);
}
END_TEST

struct bad_frame {
	uint8_t type, flags;
	uint32_t id, len;
	const char *payload;
};

START_TEST(frames_against_the_standard)
{
	static const struct bad_frame bad[] = {
		{ NGHTTP2_DATA, 0, 0, 0, "" },
		{ NGHTTP2_SETTINGS, 0, 1, 0, "" },
		{ NGHTTP2_SETTINGS, 0, 0, 5, "12345" },
		{ NGHTTP2_SETTINGS, 1, 0, 0, "" },
		{ NGHTTP2_PING, 0, 0, 7, "1234567" },
		{ NGHTTP2_RST_STREAM, 0, 1, 3, "123" },
		{ NGHTTP2_DATA, 8, 1, 2, "\5a" },
		{ NGHTTP2_PUSH_PROMISE, 4, 1, 4, "\0\0\0\2" },
		{ NGHTTP2_CONTINUATION, 4, 1, 0, "" },
		{ NGHTTP2_HEADERS, 4, 3, 1, "\xff" },
		{ 99, 0, 0, 16385, "" },
		{ NGHTTP2_HEADERS, 4, 4, 1, "\x82" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		begin();
		headers(0, 1, false, GET("/1"));
		frame_head(0, bad[i].len, bad[i].type, bad[i].flags, bad[i].id);
		say(0, bad[i].payload, strnlen(bad[i].payload, 8) ?: bad[i].len < 10 ? bad[i].len : 0);
		ck_assert_msg(t.ignored == 1, "%zu", i);
		finish();
		ck_assert_uint_ge(fake_lines, 1);
	}
}
END_TEST

START_TEST(floods)
{
	uint8_t buf[400], bomb[2000];
	size_t len;

	begin();
	len = block(0, GET("/1"), buf, sizeof(buf));
	frame(0, NGHTTP2_HEADERS, 0, 1, buf, len);
	for (int i = 0; i < 100; i++)
		frame(0, NGHTTP2_CONTINUATION, 0, 1, "", 0);
	ck_assert_uint_eq(t.ignored, 1);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: too many CONTINUATION frames"));
	begin();
	memset(bomb, 'a', sizeof(bomb));
	memcpy(bomb, "\x82\x86\x84\x40\1x\x7f\xa1\x17", 9); /* a value of 3104 bytes, indexed */
	frame_head(0, 9 + 3104 + 100, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1);
	say(0, bomb, 9);
	memset(bomb, 'a', sizeof(bomb));
	say(0, bomb, 2000);
	say(0, bomb, 1104);
	memset(bomb, 0xbe, sizeof(bomb)); /* and a hundred times */
	say(0, bomb, 100);
	simple(3); /* of the others nothing is hidden */
	ck_assert_uint_eq(t.ignored, 0);
	ck_assert_ptr_nonnull(strstr(fake_text(), LINE("/x")));
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: too many or too large headers"));
	begin();
	fake_quiet = true;
	for (uint32_t i = 1; i < 10000 && !t.ignored; i += 2) {
		headers(0, i, true, GET("/1"));
		frame(0, NGHTTP2_RST_STREAM, 0, i, "\0\0\0\x08", 4);
	}
	ck_assert_uint_eq(t.ignored, 1);
	ck_assert_uint_lt(fake_lines, 1010);
	finish();
	begin();
	for (uint32_t i = 1; i < 5000; i += 2)
		headers(0, i, true, GET("/1"));
	ck_assert_uint_eq(t.ignored, 0);
	ck_assert_uint_lt(l7_http2.memory(parser), 512 * 1024);
	finish();
	ck_assert_uint_eq(fake_lines, 2500);
	fake_quiet = false;
}
END_TEST

START_TEST(midstream_is_not_guessed)
{
	test_host_init(&t);
	t.host.midstream = true;
	fake_init();
	parser = l7_http2.new(&t.host);
	l7_http2.data(parser, 1, (const uint8_t *)"xyz", 3, 1);
	ck_assert_uint_eq(t.ignored, 1);
	l7_http2.end(parser, 0, false, 1);
	l7_http2.end(parser, 1, false, 1);
	l7_http2.free(parser);
	ck_assert_uint_eq(fake_lines, 0);
}
END_TEST

START_TEST(what_is_copied)
{
	static const char piece[1000];

	fake_enough = 1;
	begin();
	headers(0, 1, true, GET("/1"));
	headers(1, 1, false, ":status=200");
	frame_head(1, 16000, NGHTTP2_DATA, 0, 1);
	say(1, "ab", 2);
	ck_assert_uint_eq(skipped, 15998);
	finish();
	fake_enough = UINT64_MAX;
	begin();
	headers(0, 1, true, GET("/1"));
	headers(1, 1, false, ":status=200");
	for (int i = 0; i < 100; i++)
		frame(1, NGHTTP2_DATA, 0, 1, piece, sizeof(piece));
	ck_assert_uint_ge(wanted, 100 * 1000);
	finish();
}
END_TEST

START_TEST(lengths_are_those_of_the_data)
{
	static const struct {
		const char *method, *answer, *data;
		bool good;
	} cases[] = {
		{ "GET", ":status=200;content-length=2", "hi", true },
		{ "GET", ":status=200;content-length=2;content-length=2", "hi", true },
		{ "GET", ":status=200;content-length=3", "hi", false },
		{ "GET", ":status=200;content-length=1", "hi", false },
		{ "GET", ":status=200;content-length=7", "", false },
		{ "HEAD", ":status=200;content-length=7", "", true },
		{ "HEAD", ":status=200;content-length=7", "hi", false },
		{ "GET", ":status=304;content-length=7", "", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char request[100];

		begin();
		snprintf(request, sizeof(request), ":method=%s;:path=/", cases[i].method);
		headers(0, 1, true, request);
		headers(1, 1, false, cases[i].answer);
		frame(1, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, cases[i].data, strlen(cases[i].data));
		ck_assert_msg(!strstr(finish(), "unparseable: content-length is not the length of the data") ==
				  cases[i].good,
			      "%zu: %s", i, fake_text());
		ck_assert_uint_eq(fake_lines, 1);
	}
}
END_TEST

/* What goes through a tunnel is no message of HTTP: WebSocket (RFC 8441), or whatever it is. */
START_TEST(tunnels)
{
	begin();
	headers(0, 1, false, ":method=CONNECT;:protocol=websocket;:scheme=http;:path=/chat;:authority=h");
	headers(1, 1, false, ":status=200");
	ck_assert_str_eq(fake_text(), "CONNECT /chat h done => 200 done;\n"); /* at once */
	frame(0, NGHTTP2_DATA, 0, 1, "\x81\x85", 2);
	frame(1, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "\x88", 1);
	headers(0, 3, false, ":method=CONNECT;:authority=b:443");
	headers(1, 3, false, ":status=200");
	headers(0, 5, false, ":method=CONNECT;:authority=b:443");
	headers(1, 5, true, ":status=403");
	frame(0, NGHTTP2_RST_STREAM, 0, 5, "\0\0\0\0", 4);
	simple(7);
	ck_assert_str_eq(finish(), "CONNECT /chat h done => 200 done;\nCONNECT  b:443 done => 200 done;\n"
				   "CONNECT  b:443 cut => 403 done;\n" LINE("/x"));
	ck_assert_uint_eq(t.ignored, 0);
}
END_TEST

/* What is in the block counts for the table; the others are read on. */
START_TEST(blocks_of_headers_that_are_large)
{
	static char text[140000];
	static uint8_t buf[140000];
	size_t n = (size_t)snprintf(text, sizeof(text), GET("/1")), len, at;

	for (int i = 0; i < 6; i++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, ";x%d=", i);
		memset(text + n, '<', 15000); /* longer by Huffman's code */
		n += 15000;
	}
	snprintf(text + n, sizeof(text) - n, ";later=known");
	begin();
	len = block(0, text, buf, sizeof(buf));
	ck_assert_uint_gt(len, HTTP_HEAD_MAX);
	for (at = 0; at < len; at += 16384) {
		bool last = at + 16384 >= len;

		frame(0, at ? NGHTTP2_CONTINUATION : NGHTTP2_HEADERS,
		      (last ? NGHTTP2_FLAG_END_HEADERS : 0) | (at ? 0 : NGHTTP2_FLAG_END_STREAM), 1, buf + at,
		      MIN(len - at, 16384));
	}
	headers(0, 3, true, GET("/3") ";later=known");
	ck_assert_uint_eq(t.ignored, 0);
	finish();
	ck_assert_ptr_nonnull(strstr(fake_text(), "unparseable: too many or too large headers"));
	ck_assert_ptr_nonnull(strstr(fake_text(), "GET /3 h {later: known} done"));
	ck_assert_uint_eq(fake_lines, 2);
	/* But not for ever. */
	begin();
	frame_head(1, 6, NGHTTP2_SETTINGS, 0, 0);
	say(1, "\0\5\0\xff\xff\xff", 6);
	frame_head(0, 3 << 20, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1);
	memset(buf, 0x82, sizeof(buf));
	for (int i = 0; i < 20 && !t.ignored; i++)
		say(0, buf, sizeof(buf));
	ck_assert_uint_eq(t.ignored, 1);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: too many or too large headers"));
}
END_TEST

START_TEST(what_nobody_asks_for_is_not_kept)
{
	static char text[8192];
	uint8_t buf[8192];
	size_t n;

	begin();
	headers(0, 1, true, GET("/") ";cookie=secret;authorization=Bearer x;a=b;accept=y;date=z");
	ck_assert_str_eq(finish(), "GET / h {a: b} done left => nothing;\n");
	for (int many = 128; many < 130; many++) { /* they count */
		n = (size_t)snprintf(text, sizeof(text), GET("/"));
		for (int i = 0; i < many; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, ";cookie=%d", i);
		begin();
		n = block(0, text, buf, sizeof(buf));
		frame(0, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, buf, n);
		ck_assert_uint_eq(!!strstr(finish(), "unparseable: too many or too large headers"), many == 129);
	}
	/* small on the wire, by the table */
	begin();
	memset(text, 'x', 1500);
	memcpy(text, "cookie=", 7);
	text[1500] = '\0';
	headers(0, 1, true, text);
	n = block(0, GET("/"), buf, sizeof(buf));
	memset(buf + n, 0xbe, 60); /* the newest entry of the table: sixty times 1.5 KiB */
	frame(0, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3, buf, n + 60);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: too many or too large headers"));
}
END_TEST

/* No way to keep from being read without a word. */
START_TEST(settings_without_end)
{
	begin();
	for (int i = 0; i < 1000; i++)
		frame(0, NGHTTP2_SETTINGS, 0, 0, "", 0);
	simple(1);
	ck_assert_uint_eq(t.ignored, 0);
	frame(0, NGHTTP2_SETTINGS, 0, 0, "", 0);
	ck_assert_uint_eq(t.ignored, 1);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: too many SETTINGS without an acknowledgement"));
}
END_TEST

UNIT_MAIN(http2, heads_that_come_again, heads_that_add_to_the_table, what_is_owed_to_the_table_moves_the_rest,
	  what_is_owed_comes_before_another_size, what_nobody_asks_for_is_not_kept, lengths_are_those_of_the_data,
	  settings_without_end, calls_split_anywhere, table_size_follows_settings, gaps, resets_and_goaway,
	  malformed_streams_leave_the_others, what_is_sound_of_a_malformed_head_is_told, frames_against_the_standard,
	  floods, midstream_is_not_guessed, what_is_copied, blocks_of_headers_that_are_large, tunnels)
