// SPDX-License-Identifier: Apache-2.0
/* How connections begin, go on and end; what is told about them. */
#include "test/bpf/world.h"

#include <bpf/bpf.h>

static struct run sends(const struct packet *p, uint8_t flags)
{
	struct packet q = *p;

	q.flags = flags;
	for (int pod = 1; pod < N_PODS; pod++)
		if (addr_cmp(&p->src, &(struct weir_addr[]){ addr_of(pod, !addr_is_v4(&p->src)) }[0]) == 0)
			return from_pod(pod, &q);
	ck_abort_msg("nobody has this address");
}

START_TEST(fins_of_both_end_a_connection)
{
	struct packet to = packet_between(OPEN, SERVER, false, IPPROTO_TCP, 40000, 80);
	struct packet back = packet_between(SERVER, OPEN, false, IPPROTO_TCP, 80, 40000);
	struct weir_ct ct;
	struct run r;

	sends(&to, SYN);
	sends(&back, SYN | ACK);
	sends(&to, ACK);
	r = sends(&to, FIN | ACK);
	ck_passed(r, SERVER, WEIR_EV_FLAGS);
	world_wait(2);
	r = sends(&back, FIN | ACK);
	ck_passed(r, OPEN, WEIR_EV_END);
	ck_assert_uint_eq(r.ev[0].packets[0], 3);
	ck_assert_uint_eq(r.ev[0].packets[1], 2);
	ck_assert_uint_eq(r.ev[0].bytes[0], 3 * 54);
	ck_assert_uint_eq(r.ev[0].duration_ms, 2000);
	ck_assert_uint_gt(r.ev[0].rtt_us, 0);
	ck_assert_uint_lt(r.ev[0].rtt_us, 1000000);
	r = sends(&to, ACK); /* late, but part of it */
	ck_passed(r, SERVER, 0);
	ck_assert(world_connection(&to, &ct) && ct.state & WEIR_CT_CLOSED);
	world_wait(11);
	r = sends(&back, ACK); /* too late: SERVER may send to OPEN, as a connection of its own */
	ck_passed(r, OPEN, WEIR_EV_NEW);
	r = sends(&to, SYN); /* the port is used again */
	ck_passed(r, SERVER, WEIR_EV_NEW);
	ck_assert(world_connection(&to, &ct) && !(ct.state & WEIR_CT_CLOSED));
	ck_assert_uint_eq(ct.packets[0] + ct.packets[1], 1);
}
END_TEST

START_TEST(a_reset_ends_a_connection)
{
	struct packet to = packet_between(OPEN, SERVER, true, IPPROTO_TCP, 40000, 80);
	struct packet back = packet_between(SERVER, OPEN, true, IPPROTO_TCP, 80, 40000);
	struct run r;

	sends(&to, SYN);
	r = sends(&back, RST | ACK);
	ck_passed(r, OPEN, WEIR_EV_END);
	ck_assert(r.ev[0].tcp_flags == (RST | ACK));
	r = sends(&to, SYN);
	ck_passed(r, SERVER, WEIR_EV_NEW);
}
END_TEST

START_TEST(a_lone_reset_opens_nothing)
{
	struct packet to = packet_between(OPEN, OPEN2, false, IPPROTO_TCP, 40000, 80);
	struct run r = sends(&to, RST);

	ck_passed(r, OPEN2, 0);
	ck_assert_uint_eq(world_connections(), 0);
}
END_TEST

START_TEST(a_repeated_syn_is_no_second_connection)
{
	struct packet to = packet_between(OPEN, SERVER, false, IPPROTO_TCP, 40000, 80);
	struct weir_ct ct;
	struct run r;

	sends(&to, SYN);
	r = sends(&to, SYN);
	ck_passed(r, SERVER, 0);
	ck_assert(world_connection(&to, &ct));
	ck_assert_uint_eq(ct.packets[0] + ct.packets[1], 2);
}
END_TEST

START_TEST(a_syn_is_judged_in_its_own_direction)
{
	struct packet to = packet_between(LOCKED, OPEN, false, IPPROTO_TCP, 40000, 80);
	struct packet back = packet_between(OPEN, LOCKED, false, IPPROTO_TCP, 80, 40000);
	struct weir_ct before, after;
	struct run r;

	world_allow(RULESET(LOCKED), WEIR_EGRESS, 1000 + OPEN, IPPROTO_TCP, 80, 200);
	r = sends(&to, SYN);
	ck_passed(r, OPEN, WEIR_EV_NEW);
	ck_assert(world_connection(&to, &before));
	r = sends(&back, SYN); /* nobody may open a connection to LOCKED */
	ck_dropped(r, WEIR_DROP_POLICY);
	ck_assert(world_connection(&to, &after) && memcmp(&before, &after, sizeof(after)) == 0);
	r = sends(&back, SYN | ACK);
	ck_passed(r, LOCKED, WEIR_EV_FLAGS);
	world_allow(RULESET(LOCKED), WEIR_INGRESS, 1000 + OPEN, IPPROTO_TCP, 40000, 201);
	r = sends(&back, SYN); /* allowed: it starts the entry anew */
	ck_passed(r, LOCKED, WEIR_EV_NEW);
	ck_assert_uint_eq(r.ev[0].rule[WEIR_INGRESS], 201);
	ck_assert(world_connection(&to, &after));
	ck_assert_uint_ne(before.state & WEIR_CT_INITIATOR, after.state & WEIR_CT_INITIATOR);
}
END_TEST

START_TEST(data_without_a_connection_is_judged_as_a_new_one)
{
	struct packet bad = packet_between(OPEN, LOCKED, false, IPPROTO_TCP, 80, 40000);
	struct packet good = packet_between(OPEN, SERVER, false, IPPROTO_TCP, 40000, 80);
	static const uint8_t flags[] = { 0, ACK, SYN | ACK, FIN, RST, FIN | SYN | RST | PSH | ACK };
	struct run r;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		r = sends(&bad, flags[i]);
		ck_dropped(r, WEIR_DROP_POLICY);
	}
	r = sends(&good, ACK);
	ck_passed(r, SERVER, WEIR_EV_NEW);
}
END_TEST

START_TEST(silent_datagram_connections_expire)
{
	for_each_family(v6)
	{
		struct packet to = packet_between(OPEN, LOCKED, v6, IPPROTO_UDP, 5000, 53);
		struct packet back = packet_between(LOCKED, OPEN, v6, IPPROTO_UDP, 53, 5000);
		struct run r;

		world_allow(RULESET(LOCKED), WEIR_INGRESS, WEIR_ID_ANY, IPPROTO_UDP, 53, 200);
		r = from_pod(OPEN, &to);
		ck_passed(r, LOCKED, WEIR_EV_NEW);
		world_wait(119);
		r = from_pod(LOCKED, &back);
		ck_passed(r, OPEN, WEIR_EV_ACTIVE);
		world_wait(121);
		r = from_pod(LOCKED, &back); /* no answer any more: LOCKED may not send by itself */
		ck_dropped(r, WEIR_DROP_POLICY);
		r = from_pod(OPEN, &to);
		ck_passed(r, LOCKED, WEIR_EV_NEW);
	}
}
END_TEST

START_TEST(echoes_are_tied_by_their_identifier)
{
	for_each_family(v6)
	{
		struct packet ping = packet_between(LOCKED, OPEN, v6, IPPROTO_ICMP, 77, 0);
		struct packet pong = packet_between(OPEN, LOCKED, v6, IPPROTO_ICMP, 77, 0);
		struct run r;

		world_allow(RULESET(LOCKED), WEIR_EGRESS, WEIR_ID_ANY, 0, 0, 200);
		pong.icmp_type = v6 ? 129 : 0;
		r = from_pod(LOCKED, &ping);
		ck_passed(r, OPEN, WEIR_EV_NEW);
		r = from_pod(OPEN, &pong);
		ck_passed(r, LOCKED, 0);
		pong.sport = pong.dport = 78;
		r = from_pod(OPEN, &pong);
		ck_dropped(r, WEIR_DROP_POLICY);
	}
}
END_TEST

/* Who answers an echo may not ask one by the same identifier. */
START_TEST(an_echo_request_is_no_answer)
{
	for_each_family(v6)
	{
		struct packet ping = packet_between(SERVER, OPEN, v6, IPPROTO_ICMP, 77, 0);
		struct packet back = packet_between(OPEN, SERVER, v6, IPPROTO_ICMP, 77, 0);
		struct run r = from_pod(SERVER, &ping);

		ck_passed(r, OPEN, WEIR_EV_NEW);
		r = from_pod(OPEN, &back);
		ck_dropped(r, WEIR_DROP_POLICY);
		back.icmp_type = v6 ? 129 : 0;
		r = from_pod(OPEN, &back);
		ck_passed(r, SERVER, 0);
	}
}
END_TEST

/* With the totals, and as what it was opened by: of an echo its request. */
START_TEST(what_fell_silent_is_told_by_its_first_packet)
{
	for_each_family(v6)
	{
		struct packet udp = packet_between(OPEN, SERVER, v6, IPPROTO_UDP, 5000, 53);
		struct packet ping = packet_between(OPEN, OPEN2, v6, IPPROTO_ICMP, 77, 0);
		struct packet pong = packet_between(OPEN2, OPEN, v6, IPPROTO_ICMP, 77, 0);
		struct weir_gc gc;
		struct run r;

		pong.icmp_type = v6 ? 129 : 0;
		from_pod(OPEN, &ping);
		from_pod(OPEN2, &pong);
		world_wait(100);
		r = from_pod(OPEN, &udp);
		ck_passed(r, SERVER, WEIR_EV_NEW);
		world_wait(21);
		r = world_collect(&gc);
		ck_assert_uint_eq(gc.ended, 1);
		ck_assert_uint_eq(gc.any, 1);
		ck_assert_uint_eq(r.n, 1);
		ck_assert_uint_eq(r.ev[0].type, WEIR_EV_END);
		ck_assert_uint_eq(ntohs(r.ev[0].sport), v6 ? 128 : 8);
		ck_assert_uint_eq(r.ev[0].dport, 0);
		ck_assert_int_eq(addr_cmp(&r.ev[0].saddr, &ping.src), 0);
		ck_assert_uint_eq(r.ev[0].packets[0], 1);
		ck_assert_uint_eq(r.ev[0].packets[1], 1);
		world_wait(121);
		r = world_collect(&gc);
		ck_assert_uint_eq(r.n, 1);
		ck_assert_uint_eq(r.ev[0].proto, IPPROTO_UDP);
		ck_assert_uint_eq(r.ev[0].dport, htons(53));
		ck_assert_uint_eq(world_connections(), 0);
	}
}
END_TEST

START_TEST(activity_is_told_every_five_seconds)
{
	struct packet p = packet_between(OPEN, SERVER, false, IPPROTO_UDP, 5000, 53);
	struct run r = from_pod(OPEN, &p);

	ck_passed(r, SERVER, WEIR_EV_NEW);
	world_wait(4);
	r = from_pod(OPEN, &p);
	ck_passed(r, SERVER, 0);
	world_wait(1);
	r = from_pod(OPEN, &p);
	ck_passed(r, SERVER, WEIR_EV_ACTIVE);
	ck_assert_uint_eq(r.ev[0].packets[0], 3);
	ck_assert_uint_eq(r.ev[0].duration_ms, 5000);
	r = from_pod(OPEN, &p);
	ck_passed(r, SERVER, 0);
}
END_TEST

START_TEST(a_slot_that_changed_hands_gets_nothing)
{
	struct packet p = packet_between(OPEN, OPEN2, false, IPPROTO_UDP, 5000, 53);
	struct run r = from_pod(OPEN, &p);
	struct weir_ep ep;

	ck_passed(r, OPEN2, WEIR_EV_NEW);
	ck_assert_int_eq(bpf_map_lookup_elem(world_map(WEIR_MAP_EP), &(uint32_t){ OPEN2 }, &ep), 0);
	ep.addr[0] = addr_of(9, false);
	ck_assert_int_eq(bpf_map_update_elem(world_map(WEIR_MAP_EP), &(uint32_t){ OPEN2 }, &ep, BPF_ANY), 0);
	r = from_pod(OPEN, &p);
	ck_dropped(r, WEIR_DROP_NOT_READY);
}
END_TEST

/* ---- ICMP errors */

/* An error about `about`, from one to another. */
static struct packet error_about(int from, int to, const struct packet *about, uint8_t buf[FRAME_MAX])
{
	bool v6 = !addr_is_v4(&about->src);
	struct packet p = packet_between(from, to, v6, IPPROTO_ICMP, 0, 0);

	p.icmp_type = v6 ? 1 : 3;
	p.payload_len = packet_build(about, buf) - 14;
	p.payload = buf + 14;
	return p;
}

START_TEST(errors_belong_to_the_connection_they_quote)
{
	for_each_family(v6)
	{
		struct packet to = packet_between(OPEN, SERVER, v6, IPPROTO_UDP, 5000, 53), other = to, error;
		uint8_t buf[FRAME_MAX];
		size_t n;
		struct run r = from_pod(OPEN, &to);

		ck_passed(r, SERVER, WEIR_EV_NEW);
		n = world_connections();
		error = error_about(SERVER, OPEN, &to, buf);
		r = from_pod(SERVER, &error);
		ck_passed(r, OPEN, 0);
		other.sport = 5001;
		error = error_about(SERVER, OPEN, &other, buf);
		r = from_pod(SERVER, &error);
		ck_dropped(r, WEIR_DROP_ICMP_UNRELATED);
		error = error_about(OPEN2, OPEN, &to, buf); /* about a connection of others */
		r = from_pod(OPEN2, &error);
		ck_dropped(r, WEIR_DROP_ICMP_UNRELATED);
		error = error_about(SERVER, OPEN2, &to, buf); /* to one who did not send it */
		r = from_pod(SERVER, &error);
		ck_dropped(r, WEIR_DROP_ICMP_UNRELATED);
		error = error_about(WORLD, OPEN, &to, buf); /* a router's, out of the stack */
		r = to_pod(OPEN, 1, &error);
		ck_passed(r, 0, 0);
		ck_assert_uint_eq(world_connections(), n);
	}
}
END_TEST

START_TEST(errors_with_a_cut_quotation_are_unrelated)
{
	for_each_family(v6)
	{
		struct packet to = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 5000, 80), error;
		uint8_t buf[FRAME_MAX];
		struct run r = from_pod(OPEN, &to);
		size_t whole = (v6 ? 40 : 20) + 8;

		ck_passed(r, SERVER, WEIR_EV_NEW);
		error = error_about(SERVER, OPEN, &to, buf);
		for (error.payload_len = 0; error.payload_len < whole; error.payload_len++) {
			r = from_pod(SERVER, &error);
			ck_dropped(r, WEIR_DROP_ICMP_UNRELATED);
		}
		r = from_pod(SERVER, &error); /* 8 bytes of TCP are what there must be */
		ck_passed(r, OPEN, 0);
	}
}
END_TEST

TCase *tests_life(void)
{
	const TTest *const tests[] = {
		fins_of_both_end_a_connection,
		a_reset_ends_a_connection,
		a_lone_reset_opens_nothing,
		a_repeated_syn_is_no_second_connection,
		a_syn_is_judged_in_its_own_direction,
		data_without_a_connection_is_judged_as_a_new_one,
		silent_datagram_connections_expire,
		echoes_are_tied_by_their_identifier,
		an_echo_request_is_no_answer,
		what_fell_silent_is_told_by_its_first_packet,
		activity_is_told_every_five_seconds,
		a_slot_that_changed_hands_gets_nothing,
		errors_belong_to_the_connection_they_quote,
		errors_with_a_cut_quotation_are_unrelated,
	};
	TCase *tc = tcase_create("life");

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	return tc;
}
