// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/track.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>

#include "lib/ct_key.h"
#include "test/unit.h"

#define SECOND 1000000000ull

/* A parser that writes down what happens to it, and does what the payload says. */
static struct {
	char log[4096];
	unsigned alive;
	struct l7_host *host; /* of the newest */
	size_t memory;
	uint64_t ns;
	bool pending, fail, given_up;
	uint64_t frame_left;
	unsigned ticks;
} parser;

static void note(const char *fmt, ...) _printf_(1, 2);
static void note(const char *fmt, ...)
{
	size_t n = strlen(parser.log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(parser.log + n, sizeof(parser.log) - n, fmt, ap);
	va_end(ap);
}

static void *fake_new(struct l7_host *h)
{
	struct l7_host **p = parser.fail ? NULL : malloc(sizeof(*p));

	if (!p)
		return NULL;
	*p = h;
	parser.host = h;
	parser.alive++;
	note(h->midstream ? "mid " : "new ");
	return p;
}

static void fake_free(void *p)
{
	parser.alive--;
	note("free ");
	free(p);
}

static void act(struct l7_host *h, int dir, char c)
{
	static const struct l7_ends none;

	if (c == 'S')
		h->skip(h, dir, 100000);
	if (c == 'O')
		h->skip(h, dir, 0);
	if (c == 'W')
		h->want(h, dir, 5000);
	if (c == 'I')
		h->ignore(h);
	if (c == 'E')
		h->emit(h, l7_record_new(L7_HTTP, &none));
}

static void fake_data(void *p, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct l7_host *h = *(struct l7_host **)p;

	ck_assert_uint_ge(ns, parser.ns);
	parser.ns = ns;
	note("%d:%.*s ", dir, (int)len, (const char *)data);
	for (size_t i = 0; i < len; i++)
		act(h, dir, data[i]);
}

static void fake_gap(_unused_ void *p, int dir, uint64_t len, _unused_ uint64_t ns)
{
	note("%d-%lu ", dir, len);
}

static void fake_end(void *p, int dir, bool reset, _unused_ uint64_t ns)
{
	parser.given_up = (*(struct l7_host **)p)->given_up;
	note("%d%s ", dir, reset ? "!" : ".");
}

static void fake_tick(_unused_ void *p, _unused_ uint64_t ns)
{
	parser.ticks++;
}

static bool fake_pending(_unused_ const void *p)
{
	return parser.pending;
}

static size_t fake_memory(_unused_ const void *p)
{
	return parser.memory;
}

static bool fake_frame(_unused_ const void *p, _unused_ int dir, uint64_t *ret_left)
{
	*ret_left = parser.frame_left;
	return parser.frame_left;
}

static const struct l7_proto fake = {
	.name = "fake",
	.new = fake_new,
	.free = fake_free,
	.data = fake_data,
	.gap = fake_gap,
	.end = fake_end,
	.frame = fake_frame,
	.pending = fake_pending,
	.tick = fake_tick,
	.memory = fake_memory,
};

/* ---- the world around */

static struct {
	unsigned records, wishes, unwishes, ignored;
	struct weir_ct_key key;
	struct weir_l7_want want;
} out;

static void on_emit(_unused_ void *userdata, struct l7_record *r)
{
	out.records++;
	l7_record_free(r);
}

static void on_wish(_unused_ void *userdata, const struct weir_ct_key *key, const struct weir_l7_want *want)
{
	out.key = *key;
	if (want && want->ignored) {
		out.ignored++;
	} else if (want) {
		out.want = *want;
		out.wishes++;
	} else {
		out.unwishes++;
	}
}

static const struct l7_proto *proto_of(enum weir_l7 l7, _unused_ uint8_t ipproto)
{
	return l7 == WEIR_L7_IGNORED ? NULL : &fake;
}

static struct l7_settings settings;
static struct track *track;
static uint64_t now;

static void setup(size_t memory_max, size_t connections_max)
{
	const struct track_params p = { .settings = &settings,
					.memory_max = memory_max,
					.connections_max = connections_max,
					.proto = proto_of,
					.emit = on_emit,
					.wish = on_wish };

	memset(&parser, 0, sizeof(parser));
	memset(&out, 0, sizeof(out));
	settings = (struct l7_settings){};
	now = 1000 * SECOND;
	track = track_new(&p);
}

static void teardown(void)
{
	track_free(track);
	ck_assert_uint_eq(parser.alive, 0);
}

static struct weir_addr addr(const char *text)
{
	struct weir_addr a = {};

	if (strchr(text, ':')) {
		ck_assert_int_eq(inet_pton(AF_INET6, text, &a), 1);
		return a;
	}
	a.b[10] = a.b[11] = 0xff;
	ck_assert_int_eq(inet_pton(AF_INET, text, &a.b[12]), 1);
	return a;
}

/* The client is 10.0.0.9: the larger side of the key. */
static struct weir_l7_excerpt excerpt(uint16_t port, int dir, uint32_t seq, const char *text, unsigned flags)
{
	struct weir_addr client = addr("10.0.0.9"), server = addr("10.0.0.2");

	return (struct weir_l7_excerpt){
		.ts = now,
		.saddr = dir ? server : client,
		.daddr = dir ? client : server,
		.sport = htons(dir ? 80 : port),
		.dport = htons(dir ? port : 80),
		.seq = seq,
		.len = strlen(text),
		.total = strlen(text),
		.identity = { dir ? 302 : 301, dir ? 301 : 302 },
		.proto = IPPROTO_TCP,
		.l7 = WEIR_L7_HTTP1,
		.flags = flags | (dir ? WEIR_L7F_REPLY : 0),
	};
}

static void put(uint16_t port, int dir, uint32_t seq, const char *text, unsigned flags)
{
	struct weir_l7_excerpt x = excerpt(port, dir, seq, text, flags);

	track_excerpt(track, &x, (const uint8_t *)text);
}

#define ck_log(want)                                \
	do {                                        \
		ck_assert_str_eq(parser.log, want); \
		parser.log[0] = 0;                  \
	} while (0)

START_TEST(a_connection_has_a_client_and_a_server)
{
	setup(1 << 20, 10);
	put(5000, 0, 0xfffffffe, "abcd", WEIR_L7F_FIRST);
	put(5000, 1, 70, "wxyz", 0);
	put(5000, 0, 4, "gh", 0);
	put(5000, 0, 2, "ef", 0);
	ck_log("new 0:abcd 1:wxyz 0:ef 0:gh ");
	ck_assert(!parser.host->midstream);
	ck_assert_uint_eq(parser.host->ends.port[0], htons(5000));
	ck_assert_uint_eq(parser.host->ends.port[1], htons(80));
	ck_assert_uint_eq(parser.host->ends.identity[0], 301);
	ck_assert_uint_eq(parser.host->ends.addr[1].b[15], 2);
	put(5001, 1, 500, "late", 0); /* another one, of which the answer is seen first */
	ck_log("mid 1:late ");
	ck_assert_uint_eq(parser.host->ends.port[0], htons(5001));
	ck_assert_uint_eq(parser.host->ends.identity[1], 302);
	put(5001, 0, 9, "next", WEIR_L7F_HEADERS);
	ck_log("0:next ");
	ck_assert(parser.host->headers_only);
	ck_assert_uint_eq(track_stats(track).connections, 2);
	teardown();
	ck_log("1! 0! free 1! 0! free ");
}
END_TEST

START_TEST(who_begins)
{
	struct weir_l7_excerpt x;

	setup(1 << 20, 10);
	/* a server of HTTP/2 may greet first, or at once with the client */
	x = excerpt(1, 1, 500, "settings", WEIR_L7F_FIRST);
	x.l7 = WEIR_L7_HTTP2;
	track_excerpt(track, &x, (const uint8_t *)"settings");
	x = excerpt(1, 0, 100, "preface", WEIR_L7F_FIRST);
	x.l7 = WEIR_L7_HTTP2;
	track_excerpt(track, &x, (const uint8_t *)"preface");
	ck_log("new 1:settings 0:preface ");
	/* but one of HTTP/1 answers: the agent has missed what */
	put(2, 1, 500, "answer", WEIR_L7F_FIRST);
	ck_log("mid 1:answer ");
	teardown();
}
END_TEST

START_TEST(it_ends_by_two_fins_or_a_reset)
{
	setup(1 << 20, 10);
	put(1, 0, 1, "a", WEIR_L7F_FIRST | WEIR_L7F_FIN);
	put(1, 1, 1, "b", 0);
	ck_log("new 0:a 0. 1:b ");
	put(1, 0, 1, "a", WEIR_L7F_FIN); /* again */
	put(1, 1, 2, "", WEIR_L7F_FIN);
	ck_log("1. free ");
	ck_assert(!parser.given_up);
	ck_assert_uint_eq(track_stats(track).connections, 0);
	ck_assert_uint_eq(track_stats(track).memory, 0);
	put(1, 1, 2, "", WEIR_L7F_FIN); /* nobody's */
	ck_assert_uint_eq(track_stats(track).connections, 0);

	put(1, 0, 1, "a", WEIR_L7F_FIRST);
	put(1, 0, 4, "d", 0);
	put(1, 1, 9, "", WEIR_L7F_RST);
	ck_log("new 0:a 0-2 0:d 1! 0! free ");
	ck_assert_uint_eq(track_stats(track).connections, 0);
	ck_assert_uint_eq(track_stats(track).gaps, 1);
	ck_assert_uint_eq(track_stats(track).gap_bytes, 2);
	put(1, 0, 1, "a", WEIR_L7F_FIRST);
	put(1, 0, 2, "", WEIR_L7F_RST);
	ck_log("new 0:a 0! 1! free ");
	ck_assert(!parser.given_up);
	teardown();
}
END_TEST

START_TEST(what_the_other_side_has_is_not_waited_for)
{
	struct weir_l7_excerpt x;

	setup(1 << 20, 10);
	put(1, 0, 100, "request", WEIR_L7F_FIRST);
	x = excerpt(1, 1, 1, "answer", WEIR_L7F_ACK);
	x.ack = 1107;
	track_excerpt(track, &x, (const uint8_t *)"answer");
	ck_log("new 0:request 0-1000 1:answer ");
	put(1, 0, 1107, "x", WEIR_L7F_FIN);
	x = excerpt(1, 1, 7, "y", WEIR_L7F_ACK | WEIR_L7F_FIN);
	x.ack = 1109;
	track_excerpt(track, &x, (const uint8_t *)"y");
	ck_log("0:x 0. 1:y 1. free ");
	teardown();
}
END_TEST

START_TEST(ports_are_used_again)
{
	setup(1 << 20, 10);
	put(1, 0, 100, "a", WEIR_L7F_FIRST);
	put(1, 0, 101, "b", WEIR_L7F_FIRST); /* the packet that decides may come in pieces */
	ck_log("new 0:a 0:b ");
	put(1, 0, 90000000, "c", WEIR_L7F_FIRST);
	ck_log("1! 0! free new 0:c ");
	put(1, 0, 50, "d", 0); /* the first packet was lost */
	ck_log("1! 0! free mid 0:d ");
	put(1, 0, 40, "old", 0);
	ck_log("");
	ck_assert_uint_eq(track_stats(track).connections, 1);
	teardown();
}
END_TEST

START_TEST(what_is_ignored_costs_no_parser)
{
	setup(1 << 20, 10);
	put(1, 0, 1, "abI", WEIR_L7F_FIRST);
	ck_log("new 0:abI 1! 0! free ");
	ck_assert_uint_eq(out.ignored, 1); /* the datapath hears of it */
	put(1, 0, 4, "more", 0);
	put(1, 1, 4, "more", 0);
	ck_assert_uint_eq(out.ignored, 1);
	track_tick(track, now);
	ck_log("");
	ck_assert_uint_eq(parser.ticks, 0);
	ck_assert_uint_eq(track_stats(track).connections, 1);
	put(1, 0, 8, "", WEIR_L7F_FIN);
	put(1, 1, 8, "", WEIR_L7F_FIN);
	ck_assert_uint_eq(track_stats(track).connections, 0);
	parser.fail = true; /* out of memory */
	put(1, 0, 1, "ab", WEIR_L7F_FIRST);
	put(1, 0, 3, "cd", 0);
	ck_log("");
	put(1, 0, 3, "", WEIR_L7F_RST);
	ck_assert_uint_eq(track_stats(track).connections, 0);
	teardown();
}
END_TEST

START_TEST(lost_frames_are_pointed_out)
{
	setup(1 << 20, 10);
	put(1, 0, 1000, "abc", WEIR_L7F_FIRST);
	put(1, 1, 50, "xyz", 0);
	ck_assert_uint_eq(out.want.has_frame[0] + out.want.has_frame[1], 0);
	parser.frame_left = 700;
	put(1, 0, 1003, "abc", WEIR_L7F_LOST);
	ck_assert_uint_eq(out.want.has_frame[1], 1); /* the client's side */
	ck_assert_uint_eq(out.want.frame[1], 1006 + 700);
	ck_assert_uint_eq(out.want.has_frame[0], 0);
	ck_assert_uint_eq(out.wishes, 1);
	put(1, 0, 1006, "abc", 0); /* found */
	ck_assert_uint_eq(out.unwishes, 1);
	parser.frame_left = 0; /* the parser does not know either */
	put(1, 0, 1009, "abc", WEIR_L7F_LOST);
	ck_assert_uint_eq(out.wishes, 1);
	teardown();
}
END_TEST

START_TEST(wishes_reach_the_datapath)
{
	struct weir_ct_key key;
	struct weir_addr client = addr("10.0.0.9"), server = addr("10.0.0.2");

	setup(1 << 20, 10);
	ck_assert_uint_eq(ct_key_set(&key, &client, htons(1), &server, htons(80), IPPROTO_TCP), 1);
	put(1, 0, 1000, "S", WEIR_L7F_FIRST);
	ck_assert_uint_eq(out.wishes, 1);
	ck_assert_mem_eq(&out.key, &key, sizeof(key));
	ck_assert_uint_eq(out.want.has_skip[1], 1); /* the client's side */
	ck_assert_uint_eq(out.want.skip[1], 1001 + 99999);
	ck_assert_uint_eq(out.want.has_skip[0], 0);
	ck_assert_uint_eq(out.want.has_want[0] + out.want.has_want[1], 0);
	put(1, 0, 1001, "abc", 0); /* was on its way */
	ck_assert_uint_eq(out.wishes, 1);
	put(1, 1, 50, "W", 0);
	ck_assert_uint_eq(out.wishes, 2);
	ck_assert_uint_eq(out.want.has_want[0], 1);
	ck_assert_uint_eq(out.want.want[0], 51 + 5000);
	ck_assert_uint_eq(out.want.has_skip[1], 1);
	put(1, 0, 101000, "z", 0); /* the last byte */
	ck_assert_uint_eq(out.wishes, 3);
	ck_assert_uint_eq(out.want.has_skip[1], 0);
	ck_log("new 0:S 0:abc 1:W 0-99996 0:z ");
	ck_assert_uint_eq(track_stats(track).gaps, 0);
	put(1, 1, 51, "O", 0);
	ck_assert_uint_eq(out.want.want[0], 52 + (1u << 30));
	put(1, 1, 52, "more", 0);
	ck_assert_uint_eq(out.wishes, 4);
	put(1, 1, 56 + (1u << 29), "and more", 0); /* renewed in time */
	now += SECOND;
	track_tick(track, now);
	ck_assert_uint_eq(out.wishes, 5);
	ck_assert_uint_eq(out.want.want[0], 64 + (1u << 29) + (1u << 30));
	ck_assert_uint_eq(out.unwishes, 0);
	put(1, 1, 1, "", WEIR_L7F_RST);
	ck_assert_uint_eq(out.unwishes, 1); /* or the next connection would suffer from it */
	teardown();
}
END_TEST

START_TEST(datagrams_are_no_stream)
{
	struct weir_l7_excerpt x;

	setup(1 << 20, 10);
	for (unsigned i = 0; i < 3; i++) {
		x = excerpt(1, i & 1, 0, "query", i ? 0 : WEIR_L7F_FIRST);
		x.proto = IPPROTO_UDP;
		x.l7 = WEIR_L7_DNS;
		x.total += i == 2 ? 100 : 0;
		track_excerpt(track, &x, (const uint8_t *)"query");
	}
	ck_log("new 0:query 1:query 0-105 ");
	now += 16 * SECOND;
	track_tick(track, now);
	ck_log("1! 0! free ");
	teardown();
}
END_TEST

START_TEST(idle_ones_go_unless_something_is_pending)
{
	setup(1 << 20, 10);
	put(1, 0, 1, "a", WEIR_L7F_FIRST);
	put(1, 0, 10, "j", 0);
	parser.log[0] = 0;
	now += SECOND;
	track_tick(track, now);
	ck_log("0-8 0:j "); /* time settles holes */
	ck_assert_uint_eq(parser.ticks, 1);
	now += 299 * SECOND;
	parser.pending = true;
	track_tick(track, now);
	ck_assert_uint_eq(track_stats(track).connections, 1);
	parser.pending = false;
	track_tick(track, now);
	ck_assert_uint_eq(track_stats(track).connections, 0);
	teardown();
}
END_TEST

START_TEST(the_least_recently_used_goes_first)
{
	setup(1 << 20, 3);
	for (uint16_t port = 1; port <= 3; port++)
		put(port, 0, 1, "a", WEIR_L7F_FIRST);
	put(1, 0, 2, "b", 0);
	parser.log[0] = 0;
	put(4, 0, 1, "a", WEIR_L7F_FIRST);
	ck_log("new 0:a 1! 0! free ");
	ck_assert(parser.given_up);
	ck_assert_uint_eq(track_stats(track).evicted, 1);
	ck_assert_uint_eq(track_stats(track).connections, 3);
	put(1, 0, 3, "c", 0); /* still there */
	ck_log("0:c ");
	put(2, 0, 2, "b", 0); /* not this one */
	ck_log("mid 0:b 1! 0! free ");
	teardown();
}
END_TEST

START_TEST(memory_is_bounded)
{
	char much[2048 + 1] = { [0 ... 2047] = 'x' };
	unsigned alive;

	setup(100000, 1000);
	parser.memory = 10000;
	for (uint16_t port = 1; port <= 50; port++) {
		put(port, 0, 1, "a", WEIR_L7F_FIRST);
		ck_assert_uint_le(track_stats(track).memory, 100000);
	}
	ck_assert_uint_eq(parser.alive, track_stats(track).connections);
	ck_assert_uint_ge(track_stats(track).connections, 8);
	ck_assert_uint_eq(track_stats(track).evicted, 50 - track_stats(track).connections);
	alive = parser.alive;
	parser.memory =
	    12501; /* an eighth is for one connection, not more: looked at once much was read, and at each tick */
	put(50, 0, 2, "b", 0);
	ck_assert_uint_eq(parser.alive, alive);
	put(50, 0, 3, much, 0);
	ck_assert_uint_eq(parser.alive, alive - 1);
	parser.log[0] = 0;
	put(50, 0, 3 + sizeof(much) - 1, "c", 0);
	ck_log("");
	track_tick(track, now);
	ck_assert_uint_eq(parser.alive, 0);
	teardown();
}
END_TEST

START_TEST(what_is_left_is_told_at_the_end)
{
	setup(1 << 20, 10);
	put(1, 0, 1, "EE", WEIR_L7F_FIRST);
	ck_assert_uint_eq(out.records, 2);
	teardown();
}
END_TEST

/* The figure that operators plan with, without what the parser keeps. */
START_TEST(an_idle_connection_is_small)
{
	setup(64 << 20, 20000);
	for (unsigned port = 1; port <= 10000; port++) {
		put(port, 0, 1, "a", WEIR_L7F_FIRST);
		parser.log[0] = 0;
	}
	ck_assert_uint_eq(track_stats(track).connections, 10000);
	ck_assert_uint_le(track_stats(track).memory / 10000, 700);
	teardown();
}
END_TEST

START_TEST(keys_are_ordered_as_by_the_datapath)
{
	struct weir_addr a = addr("fd00::1"), b = addr("fd01::1");
	struct weir_ct_key key;

	/* Words as this machine loads them: on a little-endian one the last byte weighs most. */
	ck_assert_uint_eq(ct_key_set(&key, &b, 5, &a, 6, 17), b.w[0] > a.w[0]);
	ck_assert_mem_eq(&key.addr[b.w[0] > a.w[0]], &b, sizeof(b));
	ck_assert_uint_eq(ct_key_set(&key, &a, 5, &a, 6, 17), 0);
	ck_assert_uint_eq(ct_key_set(&key, &a, 7, &a, 6, 17), 1);
	ck_assert_uint_eq(key.port[0], 6);
	ck_assert_uint_eq(key.proto, 17);
}
END_TEST

UNIT_MAIN(track, who_begins, a_connection_has_a_client_and_a_server, it_ends_by_two_fins_or_a_reset,
	  what_the_other_side_has_is_not_waited_for, ports_are_used_again, what_is_ignored_costs_no_parser,
	  wishes_reach_the_datapath, lost_frames_are_pointed_out, datagrams_are_no_stream,
	  idle_ones_go_unless_something_is_pending, the_least_recently_used_goes_first, memory_is_bounded,
	  what_is_left_is_told_at_the_end, an_idle_connection_is_small, keys_are_ordered_as_by_the_datapath)
