// SPDX-License-Identifier: Apache-2.0
#include "test/unit.h"
#include "test/unit/http_fake.h"
#include "test/unit/l7_host.h"

static struct test_host t;
static void *parser;
static uint64_t now;
static uint64_t skipped[2], wanted[2];

static void on_skip(struct l7_host *h, int dir, uint64_t bytes)
{
	(void)h;
	skipped[dir] += bytes;
}

static void on_want(struct l7_host *h, int dir, uint64_t bytes)
{
	(void)h;
	wanted[dir] += bytes;
}

static void begin(void)
{
	bool midstream = t.host.midstream, headers_only = t.host.headers_only;

	test_host_init(&t);
	t.host.midstream = midstream;
	t.host.headers_only = headers_only;
	t.host.skip = on_skip;
	t.host.want = on_want;
	memset(skipped, 0, sizeof(skipped));
	memset(wanted, 0, sizeof(wanted));
	fake_init();
	now = 1000;
	parser = l7_http1.new(&t.host);
	ck_assert_ptr_nonnull(parser);
}

/* Bytes in pieces of `step`; what follows ignore() is not passed, as the worker does it. */
static void say_len(int dir, const char *s, size_t len, size_t step)
{
	now += 1000;
	for (size_t i = 0; i < len && !t.ignored; i += step)
		l7_http1.data(parser, dir, (const uint8_t *)s + i, MIN(step, len - i), now);
}

static void say(int dir, const char *s)
{
	say_len(dir, s, strlen(s), SIZE_MAX / 2);
}

static void gap(int dir, uint64_t len)
{
	now += 1000;
	if (!t.ignored)
		l7_http1.gap(parser, dir, len, now);
}

static void end(int dir, bool reset)
{
	now += 1000;
	l7_http1.end(parser, dir, reset, now);
}

/* Ends the connection; the lines of its exchanges. */
static const char *finish(void)
{
	end(0, false);
	end(1, false);
	l7_http1.free(parser);
	return fake_text();
}

#define REQ(x) "GET " x " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define OK_LINE(x) "GET " x " a {host: a} done => 200 {content-length: 2} \"hi\" done;\n"

/* ---- whole conversations; '<' lines by the client, '>' by the server */

struct turn {
	int dir;
	const char *text;
};

struct talk {
	struct turn turns[8];
	const char *want;
};

static const struct talk talks[] = {
	{ { { 0, REQ("/1") }, { 1, OK }, { 0, REQ("/2") }, { 1, OK } }, OK_LINE("/1") OK_LINE("/2") },
	/* pipelining */
	{ { { 0, REQ("/1") REQ("/2") REQ("/3") }, { 1, OK OK OK } }, OK_LINE("/1") OK_LINE("/2") OK_LINE("/3") },
	/* names in lower case, values without white space around */
	{ { { 0, "\r\nPOST /p?q=1 HTTP/1.0\r\nHOST:  b:80 \t\r\nX-Empty:\r\nContent-Length: 3\r\n\r\nabc" },
	    { 1, "HTTP/1.0 201 Made\r\n\r\nuntil the end" } },
	  "POST /p?q=1 b:80 {host: b:80, x-empty: , content-length: 3} \"abc\" done => 201 \"until the end\" done;\n" },
	/* chunks, extensions, trailers */
	{ { { 0, "PUT /c HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
		 "3;x;z=\"q\"\r\nabc\r\n1\r\nd\r\n0\r\nX-Sum: 12\r\nY: z\r\n\r\n" },
	    { 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n" },
	    { 0, REQ("/n") },
	    { 1, OK } },
	  "PUT /c a {host: a, transfer-encoding: chunked} \"abcd\" [x-sum: 12, y: z] done => "
	  "200 {transfer-encoding: gzip, chunked} \"12345\" done;\n" OK_LINE("/n") },
	/* 100 and 103 are no answers */
	{ { { 0, "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n" },
	    { 1, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" },
	    { 0, "xy" },
	    { 1, OK } },
	  "POST /  {expect: 100-continue, content-length: 2} \"xy\" done => 200 {content-length: 2} \"hi\" done;\n" },
	/* answers without bodies, whatever their heads say */
	{ { { 0, "HEAD /h HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\n\r\nGET /0 HTTP/1.1\r\n\r\n" },
	    { 1, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n"
		 "HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n" } },
	  "HEAD /h  done => 200 {content-length: 99} done;\nGET /4  done => 304 {content-length: 9} done;\n"
	  "GET /0  done => 204 {transfer-encoding: chunked} done;\n" },
	/* 101: what follows is not HTTP */
	{ { { 0, "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" },
	    { 1, "HTTP/1.1 101 Switch\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi" },
	    { 0, "\x81\x82zzzzzz" } },
	  "GET /ws  {connection: Upgrade, upgrade: websocket} done => "
	  "101 {connection: Upgrade, upgrade: websocket} done;\n" },
	/* an upgrade that the server does not follow */
	{ { { 0, "GET /h2c HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" },
	    { 1, OK },
	    { 0, REQ("/2") },
	    { 1, OK } },
	  "GET /h2c  {connection: Upgrade, upgrade: h2c} done => 200 {content-length: 2} \"hi\" done;\n" OK_LINE(
	      "/2") },
	{ { { 0, "CONNECT b:443 HTTP/1.1\r\n\r\n" }, { 1, "HTTP/1.1 200 OK\r\n\r\n" }, { 0, "\x16\x03\x01" } },
	  "CONNECT b:443  done => 200 done;\n" },
	{ { { 0, "CONNECT b:443 HTTP/1.1\r\n\r\n" },
	    { 1, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" },
	    { 0, REQ("/2") },
	    { 1, OK } },
	  "CONNECT b:443  done => 403 {content-length: 0} done;\n" OK_LINE("/2") },
	/* the answer is complete before the request */
	{ { { 0, "POST /big HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc" },
	    { 1, "HTTP/1.1 413 Big\r\nContent-Length: 0\r\n\r\n" },
	    { 0, "def" REQ("/2") },
	    { 1, OK } },
	  "POST /big  {content-length: 6} \"abcdef\" done => 413 {content-length: 0} done;\n" OK_LINE("/2") },
};

START_TEST(conversations_split_anywhere)
{
	for (size_t i = 0; i < ARRAY_SIZE(talks); i++) {
		for (size_t step = 0; step < 40; step++) {
			begin();
			for (size_t k = 0; k < 8 && talks[i].turns[k].text; k++) {
				const struct turn *u = &talks[i].turns[k];
				size_t len = strlen(u->text);

				say_len(u->dir, u->text, len, step ? step : len);
			}
			ck_assert_str_eq(finish(), talks[i].want);
		}
	}
}
END_TEST

START_TEST(two_pieces_split_at_every_byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(talks); i++) {
		size_t total = 0;

		for (size_t k = 0; k < 8 && talks[i].turns[k].text; k++)
			total += strlen(talks[i].turns[k].text);
		for (size_t cut = 1; cut < total; cut++) {
			size_t at = 0;

			begin();
			for (size_t k = 0; k < 8 && talks[i].turns[k].text; k++) {
				const struct turn *u = &talks[i].turns[k];
				size_t len = strlen(u->text), first = cut > at && cut < at + len ? cut - at : len;

				say_len(u->dir, u->text, first, len);
				say_len(u->dir, u->text + first, len - first, len);
				at += len;
			}
			ck_assert_str_eq(finish(), talks[i].want);
		}
	}
}
END_TEST

/* ---- what different readers read differently */

struct bad {
	int dir;
	const char *text;
	const char *want; /* in the line of the exchange */
};

#define POST_CL "POST / HTTP/1.1\r\nContent-Length: 3\r\n"
#define POST_TE "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"

static const struct bad bads[] = {
	{ 0, POST_CL "Transfer-Encoding: chunked\r\n\r\n", "Content-Length" },
	{ 0, POST_TE "Content-Length: 3\r\n\r\n", "Content-Length" },
	{ 0, POST_CL "Content-Length: 4\r\n\r\n", "Content-Length" },
	{ 0, POST_CL "Content-Length: 3\r\n\r\n", "Content-Length" },
	{ 0, "POST / HTTP/1.1\r\nContent-Length: 3, 4\r\n\r\n", "Content-Length" },
	{ 0, "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n", "Content-Length" },
	{ 0, "POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\n", "Content-Length" },
	{ 0, "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", "Content-Length" },
	{ 0, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "Content-Length" },
	{ 0, "GET / HTTP/1.1\nHost: a\r\n\r\n", "LF alone" },
	{ 0, "GET / HTTP/1.1\r\nHost: a\n\r\n", "header" },
	{ 0, "GET / HTTP/1.1\r\nHost: a\r\n\n", "LF alone" },
	{ 0, "GET / HTTP/1.1\r\nHost: a\r\n  folded\r\n\r\n", "folded" },
	{ 0, "GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n", "folded" },
	{ 0, "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "unparseable" },
	{ 0, "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "header" },
	{ 0, "GET / HTTP/1.1\r\nHo\x01st: a\r\n\r\n", "header" },
	{ 0, "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n", "header" },
	{ 0, "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "unparseable" },
	{ 0, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "more than one Host" },
	{ 0, "GET /\r\n", "unparseable" },
	{ 0, "GET / HTTP/2.0\r\n\r\n", "not HTTP/1" },
	{ 0, "GET / HTTP/3.7\r\n\r\n", "version" },
	{ 0, "FROB / HTTP/1.1\r\n\r\n", "method" },
	{ 0, "SETUP / RTSP/1.0\r\n\r\n", "not HTTP" },
	{ 0, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0" },
	{ 0, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n", "ransfer-Encoding" },
	{ 0, "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", "ransfer-Encoding" },
	{ 0, POST_CL "Transfer-Encoding:\r\n\r\n", "empty Transfer-Encoding" },
	{ 0, "POST / HTTP/1.1\r\nTransfer-Encoding: \r\nContent-Length: 5\r\n\r\n", "empty Transfer-Encoding" },
	{ 1, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding:\r\n\r\n", "empty Transfer-Encoding" },
	{ 0, POST_TE "\r\nx\r\n", "chunk size" },
	{ 0, POST_TE "\r\n-1\r\n", "chunk size" },
	{ 0, POST_TE "\r\n0x3\r\nabc\r\n", "chunk size" },
	{ 0, POST_TE "\r\n3 \r\nabc\r\n", "chunk size" },
	{ 0, POST_TE "\r\n11111111111111111\r\n", "Chunk size" },
	{ 0, POST_TE "\r\n3\nabc\r\n", "chunk size" },
	{ 0, POST_TE "\r\n3\r\nabcd\r\n", "chunk" },
	{ 0, POST_TE "\r\n3\r\nabc\n0\r\n\r\n", "chunk" },
	{ 0, POST_TE "\r\n0\r\nA: b\r\n c\r\n\r\n", "folded" },
	{ 0, POST_TE "\r\n0\r\nA: b\r\n\n", "LF alone" },
	{ 1, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "Content-Length" },
	{ 1, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", "Content-Length" },
	{ 1, "HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\n", "LF alone" },
	{ 1, "HTTP/1.1 9999 OK\r\n\r\n", "Response" },
	{ 1, "ICY 200 OK\r\n\r\n", "HTTP" },
	{ 1, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0" },
	{ 1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk size" },
};

START_TEST(ambiguous_messages_are_unparseable)
{
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		const struct bad *b = &bads[i];

		for (size_t step = 1; step <= 256; step *= 4) {
			const char *text;

			begin();
			if (b->dir == 1)
				say(0, REQ("/q"));
			say_len(b->dir, b->text, strlen(b->text), step);
			say(b->dir, REQ("/hidden"));
			text = finish();
			ck_assert_msg(t.ignored == 1, "%zu: %s", i, b->text);
			ck_assert_uint_eq(fake_lines, 1);
			ck_assert_msg(strstr(text, " unparseable: "), "%zu: %s", i, text);
			ck_assert_msg(strstr(text, b->want), "%zu: %s", i, text);
		}
	}
}
END_TEST

START_TEST(nul_in_a_header)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";

	begin();
	say_len(0, text, sizeof(text) - 1, 1000);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: Invalid header"));
}
END_TEST

START_TEST(what_was_read_of_a_bad_request_is_told)
{
	begin();
	say(0, REQ("/1") "POST /admin HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(finish(), "POST /admin b {host: b, content-length: 1"));
	ck_assert_ptr_nonnull(strstr(fake_text(), "GET /1 a {host: a} done => nothing; partial\n"));
	ck_assert_uint_eq(fake_lines, 2);
}
END_TEST

static void flood(int dir, const char *first, const char *line, size_t n)
{
	begin();
	if (dir == 1)
		say(0, REQ("/"));
	say(dir, first);
	for (size_t i = 0; i < n && !t.ignored; i++) {
		say(dir, line);
		ck_assert_uint_lt(l7_http1.memory(parser), 256 * 1024);
	}
}

START_TEST(floods_end_unparseable)
{
	char line[2000];

	memset(line, 'a', sizeof(line));
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	line[1] = ':';
	flood(0, "GET / HTTP/1.1\r\n", "a: b\r\n", 200);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: too many or too large headers"));
	flood(1, "HTTP/1.1 200 OK\r\n", line, 50);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: "));
	line[1] = 'a';
	line[sizeof(line) - 3] = '\0';
	flood(0, "GET /", line, 50);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: "));
	flood(1, "HTTP/1.1 200 ", line, 50);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: head of more than 64 KiB"));
	flood(0, POST_TE "\r\n0\r\n", "a: b\r\n", 200);
	ck_assert_ptr_nonnull(strstr(finish(), "unparseable: too many or too large headers"));
	flood(0, "", REQ("/"), 300);
	ck_assert_ptr_nonnull(
	    strstr(finish(), "GET / a {host: a} => nothing; unparseable: too many requests without an answer"));
	ck_assert_uint_eq(fake_lines, HTTP_PENDING_MAX + 1);
}
END_TEST

START_TEST(most_headers_that_fit)
{
	begin();
	say(0, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		say(0, "a: b\r\n");
	say(0, "\r\n");
	say(1, OK);
	ck_assert_ptr_nonnull(strstr(finish(), "a: b} done => 200"));
}
END_TEST

/* ---- loss */

START_TEST(gaps_in_bodies_lose_nothing_else)
{
	begin();
	say(0, "POST /1 HTTP/1.1\r\nContent-Length: 10\r\n\r\nab");
	gap(0, 7);
	say(0, "z" REQ("/2"));
	say(1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n");
	gap(1, 16);
	say(1, "\r\n8\r\nab");
	gap(1, 3);
	say(1, "cde\r\n0\r\n\r\n" OK);
	ck_assert_str_eq(finish(), "POST /1  {content-length: 10} \"ab\" <7> \"z\" done => "
				   "200 {transfer-encoding: chunked} <16> \"ab\" <3> \"cde\" done;\n" OK_LINE("/2"));
}
END_TEST

START_TEST(gap_that_ends_with_the_body)
{
	begin();
	say(0, REQ("/1"));
	say(1, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
	ck_assert(l7_http1.pending(parser));
	gap(1, 1000000);
	ck_assert(!l7_http1.pending(parser));
	say(0, REQ("/2"));
	say(1, OK);
	ck_assert_str_eq(finish(),
			 "GET /1 a {host: a} done => 200 {content-length: 1000000} <1000000> done;\n" OK_LINE("/2"));
}
END_TEST

START_TEST(gap_in_a_body_until_the_end)
{
	begin();
	say(0, REQ("/1"));
	say(1, "HTTP/1.1 200 OK\r\n\r\nabc");
	gap(1, 5);
	end(1, false);
	ck_assert_str_eq(finish(), "GET /1 a {host: a} done => 200 \"abc\" <5> done;\n");
}
END_TEST

START_TEST(gap_in_a_request_head)
{
	begin();
	say(0, REQ("/1"));
	say(1, OK);
	say(0, "GET /2 HTTP/1.1\r\nX: y\r\n");
	gap(0, 30);
	say(0, "X: y\r\n\r\n");
	say(1, OK);
	say(0, REQ("/3"));
	say(1, OK);
	ck_assert_str_eq(
	    finish(),
	    OK_LINE("/1") "GET /2  {x: y} cut => 200 {content-length: 2} \"hi\" done; partial\n" OK_LINE("/3"));
}
END_TEST

START_TEST(whole_requests_lost)
{
	begin();
	say(0, REQ("/1"));
	gap(0, 500);
	say(1, OK OK);
	say(0, REQ("/3"));
	say(1, OK);
	ck_assert_str_eq(finish(), OK_LINE("/1") OK_LINE("/3"));
}
END_TEST

START_TEST(answers_are_not_paired_while_something_may_be_outstanding)
{
	begin();
	say(0, REQ("/1") REQ("/2"));
	say(1, OK OK); /* the client pipelines */
	gap(0, 100);
	say(1, OK);
	say(0, REQ("/4"));
	say(1, OK);
	ck_assert_str_eq(finish(), OK_LINE("/1") OK_LINE("/2") "GET /4 a {host: a} done => nothing; partial\n");
}
END_TEST

START_TEST(answer_that_passed_before_its_request_was_put_in_order)
{
	begin();
	now = 10000;
	say(1, OK);
	l7_http1.data(parser, 0, (const uint8_t *)REQ("/early"), strlen(REQ("/early")), 5000);
	say(0, REQ("/2"));
	say(1, OK);
	ck_assert_str_eq(finish(), "GET /early a {host: a} done => nothing; partial\n" OK_LINE("/2"));
}
END_TEST

START_TEST(gap_in_chunk_framing_of_an_answer)
{
	begin();
	say(0, REQ("/1"));
	say(1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
	gap(1, 100);
	say(1, OK "\r\n0\r\n\r\n"); /* quoted in the body */
	say(0, REQ("/2"));
	say(1, OK);
	ck_assert_str_eq(
	    finish(),
	    "GET /1 a {host: a} done => 200 {transfer-encoding: chunked} \"ab\" cut; partial\n" OK_LINE("/2"));
}
END_TEST

START_TEST(gap_in_chunk_framing_of_a_request)
{
	begin();
	say(0, POST_TE "\r\n5\r\nab");
	gap(0, 100);
	say(0, REQ("/quoted"));
	say(1, OK);
	say(0, REQ("/2"));
	say(1, OK);
	ck_assert_str_eq(finish(), "POST /  {transfer-encoding: chunked} \"ab\" cut => "
				   "200 {content-length: 2} \"hi\" done; partial\n" OK_LINE("/2"));
}
END_TEST

START_TEST(gap_beyond_a_body)
{
	begin();
	say(0, REQ("/1") REQ("/2"));
	say(1, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	gap(1, 30);
	say(0, REQ("/3"));
	say(1, OK);
	ck_assert_str_eq(finish(), "GET /1 a {host: a} done => 200 {content-length: 10} <10> done;\n"
				   "GET /2 a {host: a} done => nothing; partial\n"
				   "GET /3 a {host: a} done => nothing; partial\n");
}
END_TEST

START_TEST(midstream)
{
	t.host.midstream = true;
	begin();
	say(0, "of a body that nobody can read\r\n\r\n");
	say(1, "neither");
	say(0, REQ("/2"));
	say(1, OK);
	ck_assert_str_eq(finish(), "GET /2 a {host: a} done => 200 {content-length: 2} \"hi\" done; midstream\n");
	begin();
	say(1, OK);
	say(0, REQ("/1"));
	say(1, OK);
	ck_assert_str_eq(finish(), "GET /1 a {host: a} done => 200 {content-length: 2} \"hi\" done; midstream\n");
	ck_assert_uint_eq(t.ignored, 0);
	t.host.midstream = false;
}
END_TEST

/* ---- ends */

START_TEST(ends_of_connections)
{
	begin();
	say(0, REQ("/1"));
	end(0, false); /* half closed: the answer may still come */
	say(1, OK);
	ck_assert_str_eq(finish(), "GET /1 a {host: a} done left => 200 {content-length: 2} \"hi\" done;\n");
	begin();
	say(0, REQ("/1"));
	end(1, false);
	ck_assert_str_eq(finish(), "GET /1 a {host: a} done => nothing;\n");
	begin();
	say(0, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
	end(0, true);
	end(1, true);
	ck_assert_str_eq(finish(), "POST /  {content-length: 5} \"ab left\" cut => nothing;\n");
	begin();
	say(0, REQ("/1"));
	say(1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
	ck_assert_str_eq(finish(), "GET /1 a {host: a} done => 200 {content-length: 5} \"ab\" cut;\n");
	begin();
	say(0, REQ("/1"));
	say(1, "HTTP/1.1 200 OK\r\n\r\nab");
	end(1, true);
	ck_assert_str_eq(finish(), "GET /1 a {host: a} done => 200 \"ab\" cut;\n");
}
END_TEST

/* ---- what is copied */

START_TEST(unwanted_bodies_are_skipped)
{
	fake_enough = 3;
	begin();
	say(0, REQ("/1"));
	say(1, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabcd");
	ck_assert_uint_eq(skipped[1], 1000000 - 4);
	say(1, "e");
	ck_assert_uint_eq(skipped[1], 1000000 - 4); /* asked once */
	gap(1, 1000000 - 5);
	say(0, REQ("/2"));
	say(1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\nabcd");
	ck_assert_uint_eq(skipped[1], 1000000 - 4 + 65536 - 4);
	gap(1, 65532);
	say(1, "\r\n2000\r\n");
	ck_assert_uint_eq(skipped[1], 1000000 - 4 + 65536 - 4 + 8192);
	gap(1, 8192);
	say(1, "\r\n0\r\n\r\n");
	ck_assert_uint_eq(wanted[1], 0);
	finish();
	ck_assert_uint_eq(fake_lines, 2);
	fake_enough = UINT64_MAX;
	t.host.headers_only = true;
	begin();
	say(0, "POST / HTTP/1.1\r\nContent-Length: 50000\r\n\r\n");
	ck_assert_uint_eq(skipped[0], 50000);
	finish();
	t.host.headers_only = false;
}
END_TEST

START_TEST(long_wanted_bodies_are_asked_for)
{
	char piece[1000];

	memset(piece, 'a', sizeof(piece));
	begin();
	say(0, REQ("/1"));
	say(1, "HTTP/1.1 200 OK\r\n\r\n");
	ck_assert_uint_eq(wanted[1], 0);
	for (int i = 1; i <= 1000; i++) {
		say_len(1, piece, sizeof(piece), sizeof(piece));
		if (i > 8)
			ck_assert_uint_ge(wanted[1], i * 1000 + 16384);
	}
	ck_assert_uint_lt(wanted[1], 1000 * 2200); /* windows overlap by half at most */
	finish();
	begin();
	say(0, "POST / HTTP/1.1\r\nContent-Length: 30000\r\n\r\n");
	ck_assert_uint_eq(wanted[0], 30000);
	finish();
	begin();
	say(0, "POST / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n");
	ck_assert_uint_eq(wanted[0], 0);
	ck_assert_uint_eq(skipped[0], 0);
	finish();
}
END_TEST

START_TEST(idle_connections_are_small)
{
	begin();
	say(0, REQ("/1"));
	say(1, OK);
	l7_http1.tick(parser, 1000000000); /* what the next head might have used goes back */
	ck_assert_uint_lt(l7_http1.memory(parser), 2048);
	finish();
}
END_TEST

/* What comes again and again is known by heart, and says the same; what differs in a letter is not. */
START_TEST(heads_that_come_again)
{
	static const char chunked[] =
	    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n";
	static const char post[] = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";

	begin();
	for (int i = 0; i < 4; i++) {
		say(0, REQ("/1"));
		say(1, OK);
	}
	say(0, REQ("/2"));
	say(1, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nhi");
	for (int i = 0; i < 3; i++) {
		say(0, REQ("/1") REQ("/1")); /* two at once */
		say(1, OK);
		say(1, OK);
	}
	for (int i = 0; i < 4; i++) {
		say(0, post);
		say(0, i % 2 ? "abc" : "xyz");
		say(1, chunked);
	}
	for (int i = 0; i < 4; i++) { /* the same answer to another method has no body */
		say(0, i % 2 ? "HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n" : REQ("/11"));
		say(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
		if (i % 2 == 0)
			say(1, "hi");
	}
	ck_assert_str_eq(finish(),
			 OK_LINE("/1") OK_LINE("/1") OK_LINE("/1") OK_LINE(
			     "/1") "GET /2 a {host: a} done => 404 {content-length: 2} \"hi\" done;\n" OK_LINE("/1")
			     OK_LINE("/1") OK_LINE("/1") OK_LINE("/1") OK_LINE("/1") OK_LINE("/1")
#define POST_LINE(body)                                  \
	"POST /1 a {host: a, content-length: 3} \"" body \
	"\" done => 200 {transfer-encoding: chunked} \"hi\" [a: b] done;\n"
#define HEAD_LINE "HEAD /1 a {host: a} done => 200 {content-length: 2} done;\n"
				 POST_LINE("xyz") POST_LINE("abc") POST_LINE("xyz") POST_LINE("abc") OK_LINE("/11")
				     HEAD_LINE OK_LINE("/11") HEAD_LINE);
}
END_TEST

/* A head without headers is known, too, and read no second time. */
START_TEST(heads_without_headers_come_again)
{
	begin();
	for (int i = 0; i < 20; i++) {
		say(0, REQ("/1"));
		say(1, i < 3 || i % 2 ? "HTTP/1.1 204 No Content\r\n\r\n" : OK);
	}
	finish();
	ck_assert_uint_eq(fake_lines, 20);
}
END_TEST

/* Of a connection that has gone quiet no head is kept. */
START_TEST(heads_that_came_again_are_forgotten)
{
	char req[900] = "GET / HTTP/1.1\r\nHost: a\r\nx: ";
	size_t most;

	memset(req + strlen(req), 'x', 800);
	strcat(req, "\r\n\r\n");
	begin();
	for (int i = 0; i < 5; i++) {
		say(0, req);
		say(1, OK);
	}
	most = l7_http1.memory(parser);
	l7_http1.tick(parser, 1000000000);
	l7_http1.tick(parser, 2000000000);
	ck_assert_uint_gt(most, l7_http1.memory(parser) + 1600);
	ck_assert_uint_lt(l7_http1.memory(parser), 2048);
	finish();
}
END_TEST

UNIT_MAIN(http1, conversations_split_anywhere, two_pieces_split_at_every_byte, ambiguous_messages_are_unparseable,
	  nul_in_a_header, what_was_read_of_a_bad_request_is_told, floods_end_unparseable, most_headers_that_fit,
	  gaps_in_bodies_lose_nothing_else, gap_that_ends_with_the_body, gap_in_a_body_until_the_end,
	  gap_in_a_request_head, whole_requests_lost, answers_are_not_paired_while_something_may_be_outstanding,
	  answer_that_passed_before_its_request_was_put_in_order, gap_in_chunk_framing_of_an_answer,
	  gap_in_chunk_framing_of_a_request, gap_beyond_a_body, midstream, ends_of_connections,
	  unwanted_bodies_are_skipped, long_wanted_bodies_are_asked_for, idle_connections_are_small,
	  heads_that_come_again, heads_that_came_again_are_forgotten, heads_without_headers_come_again)
