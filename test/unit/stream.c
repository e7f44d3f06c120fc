// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/stream.h"
#include "test/unit.h"

#define MS 1000000ull
#define SPACE 65536

/* What came out, by position; a hole leaves 0 in `there`. */
static struct {
	uint8_t bytes[SPACE], there[SPACE];
	uint64_t pos;
	uint64_t gaps, meant, calls;
	uint64_t ns; /* of the latest */
} out;

static struct stream st;
static uint32_t isn;

static void on_data(void *userdata, const uint8_t *data, size_t len, uint64_t ns)
{
	ck_assert_ptr_eq(userdata, &out);
	ck_assert_uint_gt(len, 0);
	if (out.pos + len <= SPACE) {
		memcpy(out.bytes + out.pos, data, len);
		memset(out.there + out.pos, 1, len);
	}
	out.pos += len;
	out.ns = ns;
	out.calls++;
	ck_assert_uint_eq(st.pos, out.pos); /* a parser that asks to skip counts from behind these bytes */
}

static void on_gap(_unused_ void *userdata, uint64_t len, bool meant, uint64_t ns)
{
	ck_assert_uint_gt(len, 0);
	out.pos += len;
	out.gaps += meant ? 0 : len;
	out.meant += meant ? len : 0;
	out.ns = ns;
	ck_assert_uint_eq(st.pos, out.pos);
}

static const struct stream_sink sink = { &out, on_data, on_gap };

static void setup(uint32_t first_seq)
{
	memset(&out, 0, sizeof(out));
	stream_done(&st);
	st = (struct stream){};
	isn = first_seq;
}

/* A packet whose first strlen(text) bytes of `total` were copied. */
static void put_cut(uint32_t at, const char *text, uint32_t total, uint64_t ns)
{
	const struct stream_piece p = {
		.ns = ns, .seq = isn + at, .data = (const uint8_t *)text, .len = strlen(text), .total = total
	};

	stream_insert(&st, &p, &sink);
}

static void put(uint32_t at, const char *text)
{
	put_cut(at, text, strlen(text), 1);
}

static void put_fin(uint32_t at, const char *text)
{
	const struct stream_piece p = {
		.seq = isn + at, .data = (const uint8_t *)text, .len = strlen(text), .total = strlen(text), .fin = true
	};

	stream_insert(&st, &p, &sink);
}

#define ck_out(want, n_gaps, n_meant)                      \
	do {                                               \
		ck_assert_str_eq((char *)out.bytes, want); \
		ck_assert_uint_eq(out.gaps, n_gaps);       \
		ck_assert_uint_eq(out.meant, n_meant);     \
	} while (0)

START_TEST(order_is_restored_across_the_wrap)
{
	setup(0xfffffffc);
	put(0, "ab");
	put(8, "ij");
	put(4, "ef");
	ck_out("ab", 0, 0);
	put(2, "cd");
	ck_out("abcdef", 0, 0);
	put(6, "gh");
	ck_out("abcdefghij", 0, 0);
	ck_assert_uint_eq(st.held, 0);
	ck_assert(!stream_ended(&st));
	stream_done(&st);
}
END_TEST

START_TEST(of_two_copies_the_first_counts)
{
	setup(7);
	put(0, "abc");
	put(0, "XXXd"); /* sent again, and longer */
	put(1, "YY");   /* all of it is old */
	put(6, "gh");
	put(9, "j");
	put(5, "fZZiZk"); /* around and between what waits */
	ck_out("abcd", 0, 0);
	put(3, "WeV");
	ck_out("abcdefghijk", 0, 0);
	stream_done(&st);
}
END_TEST

START_TEST(a_hole_waits_for_a_while)
{
	setup(100);
	put_cut(0, "ab", 2, 1);
	put_cut(4, "ef", 2, 10 * MS);
	put_cut(8, "ij", 2, 209 * MS);
	stream_expire(&st, 209 * MS, &sink);
	ck_out("ab", 0, 0);
	stream_expire(&st, 210 * MS, &sink); /* the second hole is younger */
	ck_assert_uint_eq(out.gaps, 2);
	ck_assert_uint_eq(out.pos, 6);
	ck_assert_uint_eq(out.ns, 10 * MS); /* when they came */
	put_cut(2, "cd", 2, 211 * MS);      /* too late */
	put_cut(6, "gh", 2, 212 * MS);
	ck_assert_uint_eq(out.pos, 10);
	ck_assert_uint_eq(out.gaps, 2);
	put_cut(14, "op", 2, 300 * MS);
	put_cut(16, "qr", 2, 550 * MS); /* time goes by with the packets, too */
	ck_assert_uint_eq(out.gaps, 6);
	ck_assert_uint_eq(out.pos, 18);
	stream_done(&st);
}
END_TEST

START_TEST(what_waits_is_bounded)
{
	static char text[1025];

	setup(0xffff0000);
	memset(text, 'x', 1024);
	put(0, "a");
	for (unsigned i = 0; i < 60; i++)
		put(1000 + i * 1024, text);
	ck_out("a", 0, 0);
	ck_assert_uint_gt(st.held, 60 * 1024);
	for (unsigned i = 60; i < 63; i++)
		put(1000 + i * 1024, text);
	ck_assert_uint_eq(out.gaps, 999);
	ck_assert_uint_eq(out.pos, 1000 + 63 * 1024);
	ck_assert_uint_eq(st.held, 0);
	/* Bytes one by one cost more than a byte. */
	setup(0);
	put(0, "a");
	for (unsigned i = 0; i < 5000; i++) {
		put(2 + i * 2, "b");
		ck_assert_uint_le(st.held, STREAM_HELD_MAX);
	}
	ck_assert_uint_gt(out.gaps, 2000);
	stream_done(&st);
}
END_TEST

START_TEST(a_large_packet_comes_in_pieces)
{
	setup(0);
	put(0, "abc");
	put(7, "hi"); /* the next packet passed on another CPU meanwhile */
	put(3, "def");
	ck_assert_uint_eq(out.pos, 6);
	put(6, "g");
	ck_out("abcdefghi", 0, 0);
	stream_done(&st);
}
END_TEST

START_TEST(what_was_not_copied_does_not_hold_up)
{
	setup(0);
	put_cut(0, "abc", 10, 1);
	put(30, "de"); /* packets from 10 to 30: nothing of them was copied */
	ck_assert_uint_eq(out.pos, 32);
	ck_assert_uint_eq(out.meant, 27);
	put(40, "n"); /* this hole is another matter */
	ck_assert_uint_eq(out.pos, 32);
	put(32, "fghijklm");
	ck_assert_uint_eq(out.pos, 41);
	put_cut(41, "", 9, 1); /* a whole packet */
	ck_assert_uint_eq(out.pos, 50);
	ck_assert_uint_eq(out.meant, 36);
	put_fin(70, ""); /* copying had stopped */
	ck_assert_uint_eq(out.meant, 56);
	ck_assert_uint_eq(out.gaps, 0);
	ck_assert(stream_ended(&st));
	stream_done(&st);
}
END_TEST

START_TEST(the_rest_of_a_cut_packet_is_told_in_time)
{
	setup(0);
	put_cut(0, "abc", 10, 5 * MS);
	stream_expire(&st, 100 * MS, &sink);
	ck_assert_uint_eq(out.pos, 3);
	stream_expire(&st, 205 * MS, &sink);
	ck_assert_uint_eq(out.pos, 10);
	ck_assert_uint_eq(out.meant, 7);
	put_cut(20, "x", 5, 300 * MS); /* still the same budget */
	ck_assert_uint_eq(out.meant, 17);
	stream_settle(&st, 300 * MS, &sink);
	ck_assert_uint_eq(out.meant, 21);
	ck_assert_uint_eq(out.gaps, 0);
	stream_done(&st);
}
END_TEST

START_TEST(what_was_not_asked_for_does_not_hold_up)
{
	setup(0xfffffff0);
	put(0, "head");
	st.skip = st.pos + 100;
	put(4, "ab"); /* was copied already */
	ck_out("headab", 0, 0);
	put_cut(10, "", 20, 1);
	ck_assert_uint_eq(out.pos, 30);
	put(103, "ef");
	ck_assert_uint_eq(out.pos, 105);
	ck_assert_uint_eq(out.meant, 97);
	put(110, "x"); /* behind what is skipped */
	ck_assert_uint_eq(out.pos, 105);
	st.skip = st.pos + 3;
	put(111, "y");
	ck_assert_uint_eq(out.pos, 108);
	stream_settle(&st, 1, &sink);
	ck_assert_uint_eq(out.gaps, 2);
	ck_assert_uint_eq(out.pos, 112);
	stream_done(&st);
}
END_TEST

START_TEST(what_the_receiver_has_is_not_waited_for)
{
	setup(0xfffffff0);
	stream_ack(&st, isn + 5, 1, &sink); /* of what was not seen */
	put(0, "ab");
	stream_ack(&st, isn + 2, 1, &sink);
	stream_ack(&st, isn + 1, 1, &sink);
	ck_out("ab", 0, 0);
	put(10, "kl");
	stream_ack(&st, isn + 5, 1, &sink);
	ck_assert_uint_eq(out.pos, 5);
	ck_assert_uint_eq(out.gaps, 3);
	put(5, "f");
	stream_ack(&st, isn + 12, 1, &sink);
	ck_assert_uint_eq(out.pos, 12);
	ck_assert_uint_eq(out.gaps, 7);
	put_cut(12, "mn", 100, 1);
	stream_ack(&st, isn + 5000, 1, &sink); /* the rest, and packets of which nothing was copied */
	ck_assert_uint_eq(out.pos, 5000);
	ck_assert_uint_eq(out.meant, 5000 - 14);
	st.skip = st.pos + 1000;
	stream_ack(&st, isn + 6000, 1, &sink);
	ck_assert_uint_eq(out.meant, 6000 - 14);
	stream_ack(&st, isn + 6000 + STREAM_FAR + 1u, 1, &sink); /* nonsense */
	ck_assert_uint_eq(out.pos, 6000);
	put_fin(6000, "");
	stream_ack(&st, isn + 6001, 1, &sink);
	ck_assert_uint_eq(out.pos, 6000);
	ck_assert_uint_eq(out.gaps, 7);
	stream_done(&st);
}
END_TEST

START_TEST(the_end_comes_behind_everything)
{
	setup(0xffffffff);
	put(0, "ab");
	put_fin(4, "ef");
	ck_assert(!stream_ended(&st));
	put(2, "cd");
	ck_assert(stream_ended(&st));
	ck_out("abcdef", 0, 0);
	put_fin(4, "ef");
	ck_out("abcdef", 0, 0);

	setup(5); /* the last bytes are lost */
	put(0, "ab");
	put_fin(4, "");
	ck_assert(!stream_ended(&st));
	stream_expire(&st, STREAM_WAIT_NS, &sink);
	ck_assert(stream_ended(&st));
	ck_assert_uint_eq(out.gaps, 2);

	setup(6); /* an end and nothing else */
	put_fin(0, "");
	ck_assert(stream_ended(&st));
	ck_assert_uint_eq(out.pos, 0);
	stream_done(&st);
}
END_TEST

START_TEST(a_leap_is_not_waited_for)
{
	setup(1000);
	put(0, "ab");
	put(4, "ef");
	put(3000, "x");
	put(STREAM_FAR + 100u, "yz");
	ck_assert_uint_eq(st.held, 0);
	ck_assert_uint_eq(st.next, isn + STREAM_FAR + 102u);
	ck_assert_uint_eq(out.gaps, out.pos - 7);
	stream_done(&st);
}
END_TEST

/* ---- against a model: each byte is the first that came for its place */

struct model {
	uint8_t bytes[SPACE], there[SPACE];
};

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % n;
}

static void put_random(struct model *m, uint32_t at, uint32_t len, uint32_t total)
{
	uint8_t buf[4096];
	const struct stream_piece p = { .ns = 1, .data = buf, .seq = isn + at, .len = len, .total = total };

	for (uint32_t i = 0; i < len; i++) {
		buf[i] = rnd(256);
		if (!m->there[at + i])
			m->bytes[at + i] = buf[i];
		m->there[at + i] = 1;
	}
	stream_insert(&st, &p, &sink);
}

/* Pieces of [0, size) in any order, some twice and overlapping; with `loss`, some never. */
static void run_random(struct model *m, uint32_t size, uint32_t piece_max, bool loss)
{
	uint32_t order[2048], at[2048], len[2048], n = 0, missing = 0;

	for (uint32_t p = 1; p < size && n < 2048; n++) {
		at[n] = p - rnd(MIN(p, 5u));
		len[n] = MIN(1 + rnd(piece_max), size - at[n]);
		p = MAX(at[n] + len[n], p);
		order[n] = n;
	}
	for (uint32_t i = n; i > 1; i--) {
		uint32_t j = rnd(i);

		order[i - 1] = TAKE(order[j], order[i - 1]);
	}
	put_random(m, 0, 1, 1);
	for (uint32_t i = 0; i < n; i++) {
		if (loss && rnd(4) == 0)
			continue;
		put_random(m, at[order[i]], len[order[i]], len[order[i]]);
		if (rnd(4) == 0)
			put_random(m, at[order[i]], len[order[i]], len[order[i]]);
	}
	stream_settle(&st, 1, &sink);
	for (uint32_t i = 0; i < out.pos; i++)
		missing += !m->there[i];
	ck_assert_uint_eq(out.gaps, missing);
	ck_assert_uint_eq(out.meant, 0);
	ck_assert_int_eq(memcmp(out.there, m->there, SPACE), 0);
	ck_assert_int_eq(memcmp(out.bytes, m->bytes, SPACE), 0);
	ck_assert_uint_eq(st.held, 0);
}

START_TEST(any_order_gives_the_same_stream)
{
	static struct model m;

	for (unsigned round = 0; round < 600; round++) {
		uint32_t piece_max = round % 3 == 0 ? 1 : round % 3 == 1 ? 50 : 1500;

		seed = round;
		memset(&m, 0, sizeof(m));
		setup(0u - rnd(2000));
		run_random(&m, 2 + rnd(piece_max == 1 ? 600 : piece_max == 50 ? 8000 : 40000), piece_max, round % 2);
		stream_done(&st);
	}
}
END_TEST

/* Anything at all: what comes out is what came in first, and the limits hold. */
START_TEST(nothing_invented)
{
	static struct model m;

	for (unsigned round = 0; round < 300; round++) {
		seed = 1000000 + round;
		memset(&m, 0, sizeof(m));
		setup(rnd(2) ? 0u - rnd(30000) : rnd(1u << 31));
		put_random(&m, 0, 1, 1);
		for (unsigned i = 0; i < 200; i++) {
			uint32_t len = rnd(3) ? rnd(100) : rnd(2000), at = 1 + rnd(SPACE - 8000);

			st.skip = rnd(20) ? st.skip : st.pos + rnd(3000);
			put_random(&m, rnd(3) ? MIN(st.next - isn + rnd(500), SPACE - 8000) : at, len,
				   rnd(5) ? len : len + rnd(4000));
			ck_assert_uint_le(st.held, STREAM_HELD_MAX);
		}
		stream_settle(&st, 1, &sink);
		ck_assert_uint_eq(st.held, 0);
		for (uint32_t i = 0; i < SPACE; i++)
			if (out.there[i] && (!m.there[i] || out.bytes[i] != m.bytes[i]))
				ck_abort_msg("byte %u in round %u", i, round);
		stream_done(&st);
	}
}
END_TEST

UNIT_MAIN(stream, order_is_restored_across_the_wrap, of_two_copies_the_first_counts, a_hole_waits_for_a_while,
	  what_waits_is_bounded, a_large_packet_comes_in_pieces, what_was_not_copied_does_not_hold_up,
	  the_rest_of_a_cut_packet_is_told_in_time, what_was_not_asked_for_does_not_hold_up,
	  what_the_receiver_has_is_not_waited_for, the_end_comes_behind_everything, a_leap_is_not_waited_for,
	  any_order_gives_the_same_stream, nothing_invented)
