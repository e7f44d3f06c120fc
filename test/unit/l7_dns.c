// SPDX-License-Identifier: Apache-2.0
#include "test/unit.h"
#include "test/unit/l7_host.h"

#define SECOND 1000000000ull

static struct test_host host;
static const struct l7_proto *proto;
static void *parser;

static void begin(const struct l7_proto *p, bool midstream)
{
	test_host_init(&host);
	host.host.midstream = midstream;
	proto = p;
	parser = p->new (&host.host);
	ck_assert_ptr_nonnull(parser);
}

static void finish(void)
{
	proto->free(parser);
	test_host_clear(&host);
}

/* ---- messages */

struct msg {
	uint8_t b[4096];
	size_t n;
};

static void put(struct msg *m, const void *data, size_t len)
{
	memcpy(m->b + m->n, data, len);
	m->n += len;
}

static void put16(struct msg *m, unsigned v)
{
	put(m, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void put_name(struct msg *m, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		put(m, &(uint8_t){ (uint8_t)len }, 1);
		put(m, name, len);
		name += len + (name[len] == '.');
	}
	put(m, "", 1);
}

static struct msg new_msg(unsigned id, unsigned flags, const char *name, unsigned type, unsigned answers)
{
	struct msg m = { 0 };

	put16(&m, id);
	put16(&m, flags);
	put16(&m, 1);
	put16(&m, answers);
	put16(&m, 0);
	put16(&m, 0);
	put_name(&m, name);
	put16(&m, type);
	put16(&m, 1);
	return m;
}

static struct msg query(unsigned id, const char *name, unsigned type)
{
	return new_msg(id, 0x0100, name, type, 0);
}

/* A record whose owner is the pointer `owner`. */
static void put_rr(struct msg *m, unsigned owner, unsigned type, unsigned ttl, const void *data, size_t len)
{
	put16(m, 0xc000 | owner);
	put16(m, type);
	put16(m, 1);
	put16(m, ttl >> 16);
	put16(m, ttl);
	put16(m, (unsigned)len);
	put(m, data, len);
}

static void feed(int dir, const struct msg *m, uint64_t ns)
{
	proto->data(parser, dir, m->b, m->n, ns);
}

static const char *get(size_t i, enum l7_key key)
{
	const char *s = i < host.n ? l7_record_get(host.records[i], key) : NULL;

	return s ?: "";
}

/* ---- UDP */

START_TEST(a_query_and_its_answer)
{
	struct msg q = query(7, "wWw.Example.com", 1), a = new_msg(7, 0x8180, "www.example.com", 1, 3);

	begin(&l7_dns_udp, false);
	put_rr(&a, 12, 5, 300, "\4edge\xc0\x10", 7); /* edge + "example.com" of the question */
	put_rr(&a, 45, 1, 30, "\x0a\0\0\x01", 4);
	put_rr(&a, 45, 28, 60, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	feed(0, &q, 1000);
	ck_assert_uint_eq(host.n, 0);
	feed(1, &a, 5000);
	ck_assert_uint_eq(host.n, 1);
	ck_assert_int_eq(host.records[0]->kind, L7_DNS);
	ck_assert_int_eq(host.records[0]->outcome, L7_OK);
	ck_assert_int_eq(host.records[0]->flags, 0);
	ck_assert_uint_eq(host.records[0]->start_ns, 1000);
	ck_assert_uint_eq(host.records[0]->last_ns, 4000);
	ck_assert_uint_eq(host.records[0]->first_ns, 4000);
	ck_assert_str_eq(get(0, L7_KEY_DNS_QUERY), "www.example.com.");
	ck_assert_str_eq(get(0, L7_KEY_DNS_QTYPE), "A");
	ck_assert_str_eq(get(0, L7_KEY_DNS_ADDRS), "10.0.0.1,fd00::1");
	ck_assert_str_eq(get(0, L7_KEY_DNS_CNAMES), "edge.example.com.");
	ck_assert_int_eq(l7_record_get_int(host.records[0], L7_KEY_DNS_TTL, -1), 30);
	ck_assert_int_eq(l7_record_get_int(host.records[0], L7_KEY_DNS_RCODE, -1), 0);
	feed(1, &a, 6000); /* once more: nobody waits for it */
	ck_assert_uint_eq(host.n, 1);
	finish();
}
END_TEST

START_TEST(answers_are_matched_by_id_and_question)
{
	struct msg q1 = query(1, "a.test", 1), q2 = query(1, "b.test", 1), q3 = query(2, "a.test", 28);
	struct msg wrong_id = new_msg(9, 0x8180, "a.test", 1, 0), wrong_name = new_msg(1, 0x8180, "c.test", 1, 0);
	struct msg a2 = new_msg(1, 0x8180, "B.TEST", 1, 0), a3 = new_msg(2, 0x8183, "a.test", 28, 0);
	struct msg refused = { { 0, 1, 0x81, 0x85 }, 12 };

	begin(&l7_dns_udp, false);
	feed(0, &q1, 10);
	feed(0, &q2, 20);
	feed(0, &q3, 30);
	feed(0, &q1, 35); /* repeated: one exchange */
	feed(1, &wrong_id, 40);
	feed(1, &wrong_name, 40);
	ck_assert_uint_eq(host.n, 0);
	feed(1, &a3, 50);
	ck_assert_str_eq(get(0, L7_KEY_DNS_QTYPE), "AAAA");
	ck_assert_int_eq(host.records[0]->outcome, L7_ERROR);
	ck_assert_str_eq(get(0, L7_KEY_ERROR_TYPE), "NXDOMAIN");
	ck_assert_int_eq(l7_record_get_int(host.records[0], L7_KEY_DNS_RCODE, -1), 3);
	ck_assert_int_eq(l7_record_get_int(host.records[0], L7_KEY_DNS_TTL, -1), -1);
	feed(1, &a2, 60);
	ck_assert_str_eq(get(1, L7_KEY_DNS_QUERY), "b.test.");
	ck_assert_uint_eq(host.records[1]->last_ns, 40);
	feed(1, &refused, 70); /* without the question */
	ck_assert_str_eq(get(2, L7_KEY_DNS_QUERY), "a.test.");
	ck_assert_str_eq(get(2, L7_KEY_ERROR_TYPE), "REFUSED");
	ck_assert_uint_eq(host.records[2]->start_ns, 10);
	ck_assert_uint_eq(host.n, 3);
	finish();
}
END_TEST

START_TEST(nobody_answers)
{
	struct msg q1 = query(1, "a.test", 1), q2 = query(2, "b.test", 1), late = new_msg(1, 0x8180, "a.test", 1, 0);

	begin(&l7_dns_udp, false);
	feed(0, &q1, SECOND);
	feed(0, &q2, 3 * SECOND);
	proto->tick(parser, 6 * SECOND - 1);
	ck_assert_uint_eq(host.n, 0);
	proto->tick(parser, 6 * SECOND);
	ck_assert_uint_eq(host.n, 1);
	ck_assert_int_eq(host.records[0]->outcome, L7_NO_ANSWER);
	ck_assert_uint_eq(host.records[0]->last_ns, 0);
	ck_assert_str_eq(get(0, L7_KEY_DNS_QUERY), "a.test.");
	feed(1, &late, 7 * SECOND);
	ck_assert_uint_eq(host.n, 1);
	proto->end(parser, 1, false, 7 * SECOND);
	ck_assert_uint_eq(host.n, 2);
	ck_assert_int_eq(host.records[1]->outcome, L7_NO_ANSWER);
	finish();
}
END_TEST

START_TEST(what_was_not_seen_is_not_claimed)
{
	struct msg q = query(1, "a.test", 1), a = new_msg(5, 0x8180, "b.test", 1, 0);

	begin(&l7_dns_udp, true);
	feed(1, &a, 100); /* asked before the agent was there */
	ck_assert_uint_eq(host.n, 1);
	ck_assert_int_eq(host.records[0]->flags, L7_MIDSTREAM | L7_PARTIAL);
	ck_assert_uint_eq(host.records[0]->last_ns, 0);
	feed(0, &q, 200);
	feed(1, &a, 300);
	ck_assert_uint_eq(host.n, 1);
	proto->gap(parser, 1, 100, 400);
	proto->tick(parser, 6 * SECOND);
	ck_assert_int_eq(host.records[1]->outcome, L7_UNKNOWN);
	ck_assert_int_eq(host.records[1]->flags, L7_MIDSTREAM | L7_PARTIAL);
	finish();
}
END_TEST

START_TEST(the_list_of_pending_queries_is_bounded)
{
	size_t before;

	begin(&l7_dns_udp, false);
	for (unsigned i = 0; i < 256; i++) {
		struct msg q = query(i, "a.test", 1);

		feed(0, &q, 1);
	}
	ck_assert_uint_eq(host.n, 0);
	before = proto->memory(parser);
	for (unsigned i = 256; i < 1000; i++) {
		struct msg q = query(i, "a.test", 1);

		feed(0, &q, 2);
	}
	ck_assert_uint_eq(proto->memory(parser), before);
	ck_assert_uint_eq(host.n, 744);
	ck_assert_int_eq(host.records[0]->outcome, L7_UNKNOWN);
	ck_assert_str_eq(get(0, L7_KEY_REASON), "too many queries wait for an answer");
	finish();
}
END_TEST

START_TEST(names_may_not_loop_or_overflow)
{
	static const struct {
		const char *bytes; /* the CNAME's data, at offset 38 of the message */
		size_t len;
		bool ok;
	} rows[] = {
		{ "\xc0\x0c", 2, true },                               /* the question's name */
		{ "\1x\xc0\x0c", 4, true },  { "\xc0\x26", 2, false }, /* itself */
		{ "\xc0\x28", 2, false },                              /* forward */
		{ "\1x\xc0\x26", 4, false },                           /* back into itself */
		{ "\xc0", 1, false },                                  /* half a pointer */
		{ "\x41x", 2, false },                                 /* labels that are none */
		{ "\x3fx", 2, false },                                 /* beyond the end */
		{ "\1x\0junk", 7, false },                             /* more than a name */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct msg q = query(1, "abc.test", 5), a = new_msg(1, 0x8180, "abc.test", 5, 1);

		begin(&l7_dns_udp, false);
		feed(0, &q, 1);
		put_rr(&a, 12, 5, 1, rows[i].bytes, rows[i].len);
		feed(1, &a, 2);
		ck_assert_uint_eq(host.n, 1);
		ck_assert_msg(!!*get(0, L7_KEY_DNS_CNAMES) == rows[i].ok, "row %zu: %s", i, get(0, L7_KEY_DNS_CNAMES));
		ck_assert_msg(!(host.records[0]->flags & L7_PARTIAL) == rows[i].ok, "row %zu", i);
		finish();
	}
}
END_TEST

START_TEST(names_are_escaped)
{
	struct msg q = { 0 };

	begin(&l7_dns_udp, false);
	put(&q, "\0\1\1\0\0\1\0\0\0\0\0\0\5a.\\\x1b\xff\0\0\x63\0\1", 23);
	feed(0, &q, 1);
	q = query(2, "", 2);
	feed(0, &q, 1);
	proto->end(parser, 1, false, 2);
	ck_assert_str_eq(get(0, L7_KEY_DNS_QUERY), "a\\.\\\\\\027\\255.");
	ck_assert_str_eq(get(0, L7_KEY_DNS_QTYPE), "TYPE99");
	ck_assert_str_eq(get(1, L7_KEY_DNS_QUERY), ".");
	finish();
}
END_TEST

START_TEST(answers_are_kept_whole)
{
	struct msg q = query(1, "a.test", 28), a = new_msg(1, 0x8180, "a.test", 28, 40);
	const char *addrs;

	begin(&l7_dns_udp, false);
	for (int i = 0; i < 40; i++)
		put_rr(&a, 12, 28, 0x80000001, "\x20\1\xd\xb8\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x66\x66", 16);
	feed(0, &q, 1);
	feed(1, &a, 2);
	addrs = get(0, L7_KEY_DNS_ADDRS);
	ck_assert(strlen(addrs) <= L7_STR_MAX && strlen(addrs) > L7_STR_MAX - 40);
	ck_assert_str_eq(strrchr(addrs, ','), ",2001:db8:1111:2222:3333:4444:5555:6666");
	ck_assert_int_eq(host.records[0]->flags, L7_PARTIAL);
	ck_assert_int_eq(l7_record_get_int(host.records[0], L7_KEY_DNS_TTL, -1), 0);
	finish();
}
END_TEST

START_TEST(codes_beyond_fifteen)
{
	struct msg q = query(1, "a.test", 1), a = new_msg(1, 0x8180, "a.test", 1, 0);

	begin(&l7_dns_udp, false);
	a.b[11] = 1;
	put(&a, "\0\0\x29\x04\xd0\1\0\0\0\0\0", 11); /* OPT, upper bits 1: BADVERS */
	feed(0, &q, 1);
	feed(1, &a, 2);
	ck_assert_int_eq(l7_record_get_int(host.records[0], L7_KEY_DNS_RCODE, -1), 16);
	ck_assert_str_eq(get(0, L7_KEY_ERROR_TYPE), "BADVERS");
	finish();
}
END_TEST

START_TEST(truncated_answers_say_so)
{
	struct msg q = query(1, "a.test", 1), a = new_msg(1, 0x8380, "a.test", 1, 5);

	begin(&l7_dns_udp, false);
	feed(0, &q, 1);
	feed(1, &a, 2);
	ck_assert_int_eq(host.records[0]->outcome, L7_OK);
	ck_assert_int_eq(host.records[0]->flags, L7_PARTIAL);
	ck_assert_str_eq(get(0, L7_KEY_REASON), "the answer is truncated (TC)");
	finish();
}
END_TEST

START_TEST(no_dns_is_told_once)
{
	static const char *const junk[] = { "GET / HTTP/1.1\r\n\r\n", "short", "\0\1\0\0\0\2\0\0\0\0\0\0" };
	struct msg q = query(1, "a.test", 1), a = new_msg(1, 0x8180, "a.test", 1, 0);

	begin(&l7_dns_udp, false);
	for (size_t i = 0; i < 3; i++)
		proto->data(parser, 0, (const uint8_t *)junk[1], 5, i + 1);
	proto->data(parser, 0, (const uint8_t *)junk[2], 12, 9);
	feed(1, &q, 9);
	ck_assert_uint_eq(host.n, 1);
	ck_assert_int_eq(host.records[0]->flags, L7_UNPARSEABLE);
	ck_assert_int_eq(host.records[0]->outcome, L7_UNKNOWN);
	ck_assert_str_eq(get(0, L7_KEY_REASON), "shorter than the header of a message");
	feed(0, &q, 10); /* and goes on */
	feed(1, &a, 11);
	ck_assert_uint_eq(host.n, 2);
	ck_assert_int_eq(host.records[1]->outcome, L7_OK);
	finish();
	begin(&l7_dns_udp, false);
	proto->data(parser, 0, (const uint8_t *)"\0\1\x20\0\0\1", 6, 1);
	proto->data(parser, 0, (const uint8_t *)"\0\1\x28\0\0\1\0\0\0\0\0\0", 12, 1); /* UPDATE: not our business */
	ck_assert_uint_eq(host.n, 1);
	finish();
}
END_TEST

/* ---- TCP */

static void put_framed(struct msg *to, const struct msg *m)
{
	put16(to, (unsigned)m->n);
	put(to, m->b, m->n);
}

START_TEST(tcp_survives_every_cut)
{
	struct msg q = query(1, "a.test", 1), q2 = query(2, "b.test", 1), a = new_msg(1, 0x8180, "a.test", 1, 1);
	struct msg in = { 0 }, out = { 0 };

	put_rr(&a, 12, 1, 9, "\1\2\3\4", 4);
	put_framed(&in, &q);
	put_framed(&in, &q2);
	put_framed(&out, &a);
	for (size_t cut = 0; cut <= in.n; cut++) {
		begin(&l7_dns_tcp, false);
		proto->data(parser, 0, in.b, cut, 1);
		proto->data(parser, 0, in.b + cut, in.n - cut, 2);
		for (size_t i = 0; i < out.n; i++)
			proto->data(parser, 1, out.b + i, 1, 10 + i);
		ck_assert_uint_eq(host.n, 1);
		ck_assert_str_eq(get(0, L7_KEY_DNS_ADDRS), "1.2.3.4");
		proto->end(parser, 0, false, 100); /* a half-closed client still gets its answer */
		ck_assert_uint_eq(host.n, 1);
		proto->end(parser, 1, false, 100);
		ck_assert_uint_eq(host.n, 2);
		ck_assert_str_eq(get(1, L7_KEY_DNS_QUERY), "b.test.");
		ck_assert_int_eq(host.records[1]->outcome, L7_NO_ANSWER);
		ck_assert_uint_eq(host.ignored, 0);
		finish();
	}
}
END_TEST

START_TEST(tcp_gives_up_where_framing_is_lost)
{
	struct msg q = query(1, "a.test", 1), in = { 0 };

	put_framed(&in, &q);
	begin(&l7_dns_tcp, false);
	feed(0, &in, 1);
	proto->gap(parser, 1, 20, 2);
	ck_assert_uint_eq(host.n, 1);
	ck_assert_int_eq(host.records[0]->outcome, L7_UNKNOWN);
	ck_assert_int_eq(host.records[0]->flags, L7_PARTIAL);
	ck_assert_uint_eq(host.ignored, 1);
	proto->end(parser, 0, true, 3);
	finish();

	begin(&l7_dns_tcp, false);
	feed(0, &in, 1);
	host.host.given_up = true;
	proto->end(parser, 1, true, 2);
	ck_assert_uint_eq(host.n, 1);
	ck_assert_int_eq(host.records[0]->outcome, L7_UNKNOWN);
	finish();

	begin(&l7_dns_tcp, false);
	proto->data(parser, 0, (const uint8_t *)"\0\0more", 6, 1);
	ck_assert_int_eq(host.records[0]->flags, L7_UNPARSEABLE);
	ck_assert_uint_eq(host.ignored, 1);
	finish();

	begin(&l7_dns_tcp, true);
	feed(0, &in, 1);
	ck_assert_uint_eq(host.n, 1);
	ck_assert_int_eq(host.records[0]->flags, L7_UNPARSEABLE | L7_MIDSTREAM);
	ck_assert_uint_eq(host.ignored, 1);
	finish();
}
END_TEST

START_TEST(tcp_memory_grows_with_what_comes)
{
	size_t before;

	begin(&l7_dns_tcp, false);
	before = proto->memory(parser);
	proto->data(parser, 0,
		    (const uint8_t *)"\xff\xff"
				     "abc",
		    5, 1);
	ck_assert_uint_lt(proto->memory(parser), before + 100);
	finish();
}
END_TEST

UNIT_MAIN(l7_dns, a_query_and_its_answer, answers_are_matched_by_id_and_question, nobody_answers,
	  what_was_not_seen_is_not_claimed, the_list_of_pending_queries_is_bounded, names_may_not_loop_or_overflow,
	  names_are_escaped, answers_are_kept_whole, codes_beyond_fifteen, truncated_answers_say_so,
	  no_dns_is_told_once, tcp_survives_every_cut, tcp_gives_up_where_framing_is_lost,
	  tcp_memory_grows_with_what_comes)
