// SPDX-License-Identifier: Apache-2.0
/* Packets that are cut, lie, or come in strange clothes: never past the policy of an isolated pod, always with a
 * reason. */
#include "test/bpf/world.h"

#include <linux/bpf.h>

static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_SCTP };

/* Everything is allowed to LOCKED, so that only the cut can be the reason. */
static void unlock(void)
{
	world_allow(RULESET(LOCKED), WEIR_INGRESS, WEIR_ID_ANY, 0, 0, 200);
}

static void check_cut(const struct run *r, const struct packet *p, size_t len)
{
	ck_assert_msg(r->act == TC_ACT_SHOT && r->n == 1 && r->ev[0].type == WEIR_EV_DROP &&
			  (r->ev[0].reason == WEIR_DROP_TRUNCATED || r->ev[0].reason == WEIR_DROP_MALFORMED),
		      "protocol %u with %zu bytes: action %d, reason %d", p->proto, len, r->act,
		      r->n ? r->ev[0].reason : -1);
}

/* The frame ends early, and the headers say so or not. */
static void cut_everywhere(const struct packet *p, bool tell)
{
	bool v6 = !addr_is_v4(&p->src);
	uint8_t frame[FRAME_MAX];
	size_t whole = packet_build(p, frame), l3 = v6 ? 40 : 20;
	struct weir_addr world = addr_of(WORLD, v6);

	for (size_t len = 14 + l3; len < whole; len++) {
		struct run r;

		if (tell) {
			uint16_t says = htons(len - 14 - (v6 ? 40 : 0));

			memcpy(frame + (v6 ? 18 : 16), &says, 2);
		}
		r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);
		check_cut(&r, p, len);
		r = run_frame("to_pod", world_ifindex(LOCKED), 1, frame, len);
		check_cut(&r, p, len);
		memcpy(frame + (v6 ? 22 : 26), v6 ? world.b : world.b + 12, v6 ? 16 : 4);
		r = run_frame("from_net", 1, 1, frame, len);
		check_cut(&r, p, len);
		packet_build(p, frame);
	}
	ck_assert_int_eq(run_frame("from_pod", world_ifindex(OPEN), 0, frame, whole).act, TC_ACT_REDIRECT);
}

START_TEST(a_packet_cut_at_any_byte_goes_nowhere)
{
	unlock();
	for_each_family(v6) for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) for (int tell = 0; tell < 2; tell++)
	{
		struct packet p = packet_between(OPEN, LOCKED, v6, protocols[i], 40000, 80);

		cut_everywhere(&p, tell);
	}
}
END_TEST

START_TEST(a_cut_ip_header_goes_nowhere)
{
	unlock();
	for_each_family(v6)
	{
		struct packet p = packet_between(OPEN, LOCKED, v6, IPPROTO_UDP, 40000, 80);
		uint8_t frame[FRAME_MAX];

		packet_build(&p, frame);
		for (size_t len = 15; len < 14 + (v6 ? 40 : 20); len++) {
			struct run r = run_wire(OPEN, frame, len);

			check_cut(&r, &p, len);
		}
	}
}
END_TEST

START_TEST(headers_that_lie_go_nowhere)
{
	struct packet p = packet_between(OPEN, LOCKED, false, IPPROTO_TCP, 40000, 80);
	struct {
		size_t at;
		uint8_t value;
	} lies[] = {
		{ 14, 0x40 }, { 14, 0x44 }, { 14, 0x4f }, { 14, 0x65 }, { 17, 19 },
		{ 17, 0 },    { 16, 0xff }, { 46, 0x40 }, { 46, 0xf0 }, { 46, 0 },
	};
	uint8_t frame[FRAME_MAX];

	unlock();
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		size_t len = packet_build(&p, frame);
		struct run r;

		frame[lies[i].at] = lies[i].value;
		r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);
		check_cut(&r, &p, i);
	}
	p = packet_between(OPEN, LOCKED, true, IPPROTO_TCP, 40000, 80);
	packet_build(&p, frame);
	frame[14] = 0x50;
	check_cut(&(struct run[]){ run_frame("from_pod", world_ifindex(OPEN), 0, frame, 74) }[0], &p, 0);
}
END_TEST

START_TEST(options_do_not_shift_the_ports)
{
	for (int words = 1; words <= 10; words++) {
		struct packet good = packet_between(OPEN, SERVER, false, IPPROTO_TCP, 40000, 80);
		struct packet bad = packet_between(OPEN, SERVER, false, IPPROTO_TCP, 40000, 81);
		struct run r;

		good.sport += words;
		good.options = bad.options = words;
		r = from_pod(OPEN, &good);
		ck_passed(r, SERVER, WEIR_EV_NEW);
		r = from_pod(OPEN, &bad);
		ck_dropped(r, WEIR_DROP_POLICY);
		ck_assert_uint_eq(r.ev[0].dport, htons(81));
	}
}
END_TEST

START_TEST(extension_headers_are_walked)
{
	static const uint8_t chains[][MAX_EXT] = {
		{ IPPROTO_HOPOPTS },
		{ IPPROTO_DSTOPTS },
		{ IPPROTO_ROUTING },
		{ IPPROTO_AH },
		{ IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_AH },
		{ IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS, IPPROTO_DSTOPTS,
		  IPPROTO_DSTOPTS, IPPROTO_DSTOPTS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		struct packet good = packet_between(OPEN, SERVER, true, IPPROTO_TCP, 40000 + i, 80), bad;
		struct run r;

		while (good.n_ext < MAX_EXT && (chains[i][good.n_ext] || !good.n_ext)) {
			good.ext[good.n_ext] = chains[i][good.n_ext];
			good.n_ext++;
		}
		bad = good;
		bad.dport = 81;
		r = from_pod(OPEN, &good);
		ck_passed(r, SERVER, WEIR_EV_NEW);
		r = from_pod(OPEN, &bad);
		ck_dropped(r, WEIR_DROP_POLICY);
	}
}
END_TEST

START_TEST(bad_extension_headers_are_not)
{
	struct packet many = packet_between(OPEN, OPEN2, true, IPPROTO_TCP, 40000, 80), late = many, routed = many,
		      cut = many;
	uint8_t frame[FRAME_MAX];
	size_t len;
	struct run r;

	many.n_ext = 9;
	memset(many.ext, IPPROTO_DSTOPTS, 9);
	r = from_pod(OPEN, &many);
	ck_dropped(r, WEIR_DROP_EXTHDR);
	late.n_ext = 2;
	late.ext[0] = IPPROTO_DSTOPTS;
	late.ext[1] = IPPROTO_HOPOPTS; /* only right behind the IP header */
	r = from_pod(OPEN, &late);
	ck_dropped(r, WEIR_DROP_EXTHDR);
	routed.n_ext = 1;
	routed.ext[0] = IPPROTO_ROUTING;
	routed.segments_left = 1; /* the destination is another one */
	r = from_pod(OPEN, &routed);
	ck_dropped(r, WEIR_DROP_EXTHDR);
	cut.n_ext = 1;
	cut.ext[0] = IPPROTO_DSTOPTS;
	len = packet_build(&cut, frame);
	frame[14 + 41] = 255; /* longer than the packet */
	r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);
	ck_dropped(r, WEIR_DROP_TRUNCATED);
	ck_assert_uint_eq(world_connections(), 0);
}
END_TEST

/* ---- fragments */

static struct packet piece(const struct packet *whole, uint16_t offset, bool more)
{
	struct packet p = *whole;

	p.fragment = true;
	p.offset = offset;
	p.more = more;
	p.id = 4711;
	p.payload_len = 64;
	return p;
}

START_TEST(later_fragments_follow_their_first)
{
	for_each_family(v6)
	{
		struct packet udp = packet_between(OPEN, SERVER, v6, IPPROTO_UDP, 5000, 53);
		struct packet first = piece(&udp, 0, true), later = piece(&udp, 72, true),
			      last = piece(&udp, 136, false);
		struct packet other = later;
		struct weir_ct ct;
		struct run r = from_pod(OPEN, &later);

		ck_dropped(r, WEIR_DROP_FRAG_NO_FIRST);
		r = from_pod(OPEN, &first);
		ck_passed(r, SERVER, WEIR_EV_NEW);
		ck_assert(r.ev[0].flags & WEIR_EVF_FRAGMENT);
		r = from_pod(OPEN, &later);
		ck_passed(r, SERVER, 0);
		r = from_pod(OPEN, &last);
		ck_passed(r, SERVER, 0);
		ck_assert(world_connection(&udp, &ct));
		ck_assert_uint_eq(ct.packets[0] + ct.packets[1], 3);
		other.id++;
		r = from_pod(OPEN, &other);
		ck_dropped(r, WEIR_DROP_FRAG_NO_FIRST);
	}
}
END_TEST

START_TEST(a_denied_first_fragment_lends_nothing)
{
	for_each_family(v6)
	{
		struct packet udp = packet_between(OPEN, SERVER, v6, IPPROTO_UDP, 5000, 54);
		struct packet first = piece(&udp, 0, true), later = piece(&udp, 72, false);
		struct run r = from_pod(OPEN, &first);

		ck_dropped(r, WEIR_DROP_POLICY);
		r = from_pod(OPEN, &later);
		ck_dropped(r, WEIR_DROP_FRAG_NO_FIRST);
		later.src = addr_of(OPEN2, v6); /* forged */
		r = from_pod(OPEN, &later);
		ck_assert_int_eq(r.act, TC_ACT_SHOT);
	}
}
END_TEST

START_TEST(tiny_fragments_hide_nothing)
{
	for_each_family(v6)
	{
		struct packet tcp = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 5000, 80);
		struct packet whole = piece(&tcp, 0, true), overlap = piece(&tcp, 8, false), first;
		struct run r = from_pod(OPEN, &whole);

		ck_passed(r, SERVER, WEIR_EV_NEW);
		r = from_pod(OPEN, &overlap); /* would write the flags anew */
		ck_dropped(r, WEIR_DROP_FRAG_BAD);
		for (int bytes = 0; bytes < 20; bytes++) {
			uint8_t frame[FRAME_MAX];
			size_t l4 = v6 ? 62 : 34;
			uint16_t says = htons(bytes + (v6 ? 8 : 20));

			first = piece(&tcp, 0, true);
			packet_build(&first, frame);
			memcpy(frame + (v6 ? 18 : 16), &says, 2);
			r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, l4 + bytes);
			ck_dropped(r, WEIR_DROP_FRAG_BAD);
		}
	}
}
END_TEST

START_TEST(an_atomic_fragment_is_a_packet)
{
	struct packet good = packet_between(OPEN, SERVER, true, IPPROTO_TCP, 5000, 80), bad = good;
	struct run r;

	good.fragment = bad.fragment = true;
	bad.dport = 81;
	r = from_pod(OPEN, &good);
	ck_passed(r, SERVER, WEIR_EV_NEW);
	ck_assert(!(r.ev[0].flags & WEIR_EVF_FRAGMENT));
	r = from_pod(OPEN, &bad);
	ck_dropped(r, WEIR_DROP_POLICY);
}
END_TEST

/* ---- others */

START_TEST(tagged_frames)
{
	for_each_family(v6) for (int ad = 0; ad < 2; ad++)
	{
		struct packet p = packet_between(OPEN, OPEN2, v6, IPPROTO_UDP, 1, 2);
		struct run r;

		p.vlan = ad ? 0x88a8 : 0x8100;
		p.tci = 7;
		r = from_pod(OPEN, &p);
		ck_dropped(r, WEIR_DROP_VLAN);
		r = from_net(&p);
		ck_passed(r, 0, 0);
	}
}
END_TEST

START_TEST(other_protocols)
{
	struct packet crossed = packet_between(OPEN, OPEN2, false, IPPROTO_ICMPV6, 1, 1);
	struct packet redirect = packet_between(OPEN, OPEN2, false, IPPROTO_ICMP, 0, 0);
	struct packet ipip = packet_between(OPEN, LOCKED, false, IPPROTO_IPIP, 0, 0);
	uint8_t frame[FRAME_MAX];
	size_t len = packet_build(&ipip, frame);
	struct run r = from_pod(OPEN, &crossed);

	ck_dropped(r, WEIR_DROP_L4_PROTO);
	redirect.icmp_type = 5;
	r = from_pod(OPEN, &redirect);
	ck_dropped(r, WEIR_DROP_ICMP_FORBIDDEN);
	r = from_pod(OPEN, &ipip);
	ck_dropped(r, WEIR_DROP_POLICY);
	memcpy(frame + 12, (uint8_t[]){ 0x88, 0x47 }, 2); /* MPLS */
	r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);
	ck_dropped(r, WEIR_DROP_L3_PROTO);
}
END_TEST

static void check_xdp(const char *src, const char *dst, int act, int reason)
{
	struct packet p = { .proto = IPPROTO_UDP, .sport = 1, .dport = 2 };
	uint8_t frame[FRAME_MAX];
	struct run r;
	size_t len;

	addr_parse(src, &p.src);
	addr_parse(dst, &p.dst);
	len = packet_build(&p, frame);
	r = run_frame("xdp_net", 0, 0, frame, len);
	ck_assert_msg(r.act == act && (act == XDP_PASS ? !r.n : r.n == 1 && r.ev[0].reason == reason), "%s to %s: %d",
		      src, dst, r.act);
}

START_TEST(martians_end_in_xdp)
{
	static const char *const bad[][2] = {
		{ "127.0.0.1", "10.0.0.1" }, { "224.0.0.1", "10.0.0.1" },    { "255.255.255.255", "10.0.0.1" },
		{ "0.1.2.3", "10.0.0.1" },   { "203.0.113.1", "127.0.0.1" }, { "203.0.113.1", "0.0.0.0" },
		{ "::1", "fd00::1" },        { "ff02::1", "fd00::1" },       { "2001:db8::1", "::1" },
		{ "2001:db8::1", "::" },
	};
	static const char *const good[][2] = {
		{ "203.0.113.1", "10.0.0.1" },
		{ "0.0.0.0", "255.255.255.255" },
		{ "203.0.113.1", "224.0.0.5" },
		{ "2001:db8::1", "fd00::1" },
		{ "::", "ff02::1" },
		{ "fe80::1", "ff02::1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_xdp(bad[i][0], bad[i][1], XDP_DROP, WEIR_DROP_MARTIAN);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		check_xdp(good[i][0], good[i][1], XDP_PASS, 0);
}
END_TEST

START_TEST(cut_packets_end_in_xdp)
{
	for_each_family(v6)
	{
		struct packet p = packet_between(WORLD, OPEN, v6, IPPROTO_UDP, 1, 2);
		uint8_t frame[FRAME_MAX];
		size_t whole = packet_build(&p, frame);

		for (size_t len = 15; len < whole; len++) {
			struct run r = run_frame("xdp_net", 0, 0, frame, len);

			ck_assert_int_eq(r.act, XDP_DROP);
			ck_assert(r.n == 1 && r.ev[0].reason == WEIR_DROP_TRUNCATED && r.ev[0].point == WEIR_XDP);
		}
		ck_assert_int_eq(run_frame("xdp_net", 0, 0, frame, whole).act, XDP_PASS);
		frame[14] = v6 ? 0x40 : 0x44;
		ck_assert_int_eq(run_frame("xdp_net", 0, 0, frame, whole).ev[0].reason, WEIR_DROP_MALFORMED);
	}
}
END_TEST

TCase *tests_malformed(void)
{
	const TTest *const tests[] = {
		a_packet_cut_at_any_byte_goes_nowhere,
		a_cut_ip_header_goes_nowhere,
		headers_that_lie_go_nowhere,
		options_do_not_shift_the_ports,
		extension_headers_are_walked,
		bad_extension_headers_are_not,
		later_fragments_follow_their_first,
		a_denied_first_fragment_lends_nothing,
		tiny_fragments_hide_nothing,
		an_atomic_fragment_is_a_packet,
		tagged_frames,
		other_protocols,
		martians_end_in_xdp,
		cut_packets_end_in_xdp,
	};
	TCase *tc = tcase_create("malformed");

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	return tc;
}
