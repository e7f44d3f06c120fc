// SPDX-License-Identifier: Apache-2.0
/* Who may open a connection to whom, and what changes of policy do to it. */
#include "test/bpf/world.h"

START_TEST(allowed_connection_is_delivered_and_answered)
{
	for_each_family(v6)
	{
		struct packet syn = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 40000, 80);
		struct packet answer = packet_between(SERVER, OPEN, v6, IPPROTO_TCP, 80, 40000);
		struct run r = from_pod(OPEN, &syn);
		struct weir_ct ct;

		ck_passed(r, SERVER, WEIR_EV_NEW);
		ck_assert_uint_eq(r.ev[0].verdict, WEIR_FORWARDED);
		ck_assert_uint_eq(r.ev[0].src_identity, 1000 + OPEN);
		ck_assert_uint_eq(r.ev[0].dst_identity, 1000 + SERVER);
		ck_assert_uint_eq(r.ev[0].rule[WEIR_EGRESS], WEIR_RULE_NOT_ISOLATED);
		ck_assert_uint_eq(r.ev[0].rule[WEIR_INGRESS], 100);
		ck_assert_uint_eq(r.ev[0].dport, htons(80));
		ck_assert_uint_eq(r.ev[0].flags, WEIR_EVF_KNOWN_DIR | WEIR_EVF_TO_POD);
		ck_assert_int_eq(addr_cmp(&r.ev[0].saddr, &syn.src), 0);
		answer.flags = SYN | ACK;
		r = from_pod(SERVER, &answer);
		ck_passed(r, OPEN, WEIR_EV_FLAGS);
		ck_assert(r.ev[0].flags & WEIR_EVF_REPLY);
		ck_assert_uint_eq(r.ev[0].src_identity, 1000 + SERVER);
		syn.flags = ACK;
		syn.payload_len = 100;
		r = from_pod(OPEN, &syn);
		ck_passed(r, SERVER, 0);
		r = from_pod(OPEN, &syn);
		ck_passed(r, SERVER, 0);
		ck_assert(world_connection(&syn, &ct));
		ck_assert_uint_eq(ct.packets[0] + ct.packets[1], 4);
		ck_assert_uint_eq(ct.bytes[0] + ct.bytes[1], (v6 ? 74 : 54) * 4 + 200);
	}
}
END_TEST

START_TEST(ingress_is_denied_with_its_rule)
{
	for_each_family(v6)
	{
		struct packet other_port = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 40000, 81);
		struct packet other_peer = packet_between(OPEN2, SERVER, v6, IPPROTO_TCP, 40000, 80);
		struct packet other_proto = packet_between(OPEN, SERVER, v6, IPPROTO_SCTP, 40000, 80);
		struct packet ping = packet_between(OPEN, SERVER, v6, IPPROTO_ICMP, 7, 0);
		struct run r = from_pod(OPEN, &other_port);

		ck_dropped(r, WEIR_DROP_POLICY);
		ck_assert_uint_eq(r.ev[0].rule[WEIR_INGRESS], RULESET(SERVER) | WEIR_RULE_DEFAULT_DENY);
		ck_assert(r.ev[0].flags & WEIR_EVF_INGRESS);
		r = from_pod(OPEN2, &other_peer);
		ck_dropped(r, WEIR_DROP_POLICY);
		r = from_pod(OPEN, &other_proto);
		ck_dropped(r, WEIR_DROP_POLICY);
		r = from_pod(OPEN, &ping);
		ck_dropped(r, WEIR_DROP_POLICY);
		ck_assert_uint_eq(ntohs(r.ev[0].sport), v6 ? 128 : 8);
	}
	ck_assert_uint_eq(world_connections(), 0);
}
END_TEST

/* Within a tick a denial is remembered, which must not show; nor may it outlive a new generation. */
START_TEST(a_repeated_denial_says_the_same)
{
	for_each_family(v6)
	{
		struct packet p = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 40000, 81), other = p;
		struct run a = from_pod(OPEN, &p), b, c;

		other.sport++;
		b = from_pod(OPEN, &other);
		ck_dropped(a, WEIR_DROP_POLICY);
		ck_dropped(b, WEIR_DROP_POLICY);
		a.ev[0].ts = b.ev[0].ts;
		a.ev[0].sport = b.ev[0].sport;
		ck_assert_int_eq(memcmp(&a.ev[0], &b.ev[0], sizeof(a.ev[0])), 0);
		world_set_side(SERVER, 1, 0, WEIR_EP_READY);
		world_set_generation(11);
		c = from_pod(OPEN, &p);
		ck_passed(c, SERVER, WEIR_EV_NEW);
		world_set_generation(10);
	}
}
END_TEST

/* The same of what is allowed: events and entries are as before, and a new generation is asked anew. */
START_TEST(a_repeated_permission_says_the_same)
{
	for_each_family(v6)
	{
		struct packet p = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 40000, 80), other = p, third = p;
		struct run a = from_pod(OPEN, &p), b;
		struct weir_ct first, second;

		other.sport++;
		third.sport += 2;
		b = from_pod(OPEN, &other);
		ck_passed(a, SERVER, WEIR_EV_NEW);
		ck_passed(b, SERVER, WEIR_EV_NEW);
		a.ev[0].ts = b.ev[0].ts;
		a.ev[0].sport = b.ev[0].sport;
		ck_assert_int_eq(memcmp(&a.ev[0], &b.ev[0], sizeof(a.ev[0])), 0);
		ck_assert(world_connection(&p, &first) && world_connection(&other, &second));
		first.rtt_us = second.rtt_us; /* when it came */
		ck_assert_int_eq(memcmp(&first, &second, sizeof(first)), 0);
		world_set_side(SERVER, 1, 9999, WEIR_EP_READY | WEIR_EP_ISOLATED_INGRESS);
		world_set_generation(11);
		b = from_pod(OPEN, &third);
		ck_dropped(b, WEIR_DROP_POLICY);
		world_set_generation(10);
	}
}
END_TEST

START_TEST(egress_is_denied_with_its_rule)
{
	for_each_family(v6)
	{
		struct packet to_open = packet_between(LOCKED, OPEN, v6, IPPROTO_TCP, 40000, 80);
		struct packet to_world = packet_between(LOCKED, WORLD, v6, IPPROTO_UDP, 40000, 53);
		struct packet to_host = packet_between(LOCKED, HOST, v6, IPPROTO_TCP, 40000, 22);
		struct run r = from_pod(LOCKED, &to_open);

		ck_dropped(r, WEIR_DROP_POLICY);
		ck_assert_uint_eq(r.ev[0].rule[WEIR_EGRESS], RULESET(LOCKED) | WEIR_RULE_DEFAULT_DENY);
		ck_assert(!(r.ev[0].flags & WEIR_EVF_INGRESS));
		r = from_pod(LOCKED, &to_world);
		ck_dropped(r, WEIR_DROP_POLICY);
		r = from_pod(LOCKED, &to_host);
		ck_dropped(r, WEIR_DROP_POLICY);
		ck_assert_uint_eq(r.ev[0].dst_identity, WEIR_ID_HOST);
	}
}
END_TEST

START_TEST(rules_match_from_wide_to_narrow)
{
	struct packet udp = packet_between(LOCKED, OPEN, false, IPPROTO_UDP, 5, 6);
	struct packet ping = packet_between(LOCKED, OPEN, false, IPPROTO_ICMP, 5, 0);
	struct packet gre = packet_between(LOCKED, OPEN, false, IPPROTO_GRE, 0, 0);
	struct run r;

	world_allow(RULESET(LOCKED), WEIR_EGRESS, WEIR_ID_ANY, IPPROTO_UDP, 0, 200);
	r = from_pod(LOCKED, &udp);
	ck_passed(r, OPEN, WEIR_EV_NEW);
	ck_assert_uint_eq(r.ev[0].rule[WEIR_EGRESS], 200);
	r = from_pod(LOCKED, &ping);
	ck_dropped(r, WEIR_DROP_POLICY);
	r = from_pod(LOCKED, &gre);
	ck_dropped(r, WEIR_DROP_POLICY);
	world_allow(RULESET(LOCKED), WEIR_EGRESS, 1000 + OPEN, 0, 0, 201);
	r = from_pod(LOCKED, &ping);
	ck_passed(r, OPEN, WEIR_EV_NEW);
	r = from_pod(LOCKED, &gre);
	ck_passed(r, OPEN, WEIR_EV_NEW);
	ck_assert_uint_eq(r.ev[0].rule[WEIR_EGRESS], 201);
}
END_TEST

START_TEST(audit_passes_and_says_so)
{
	for_each_family(v6)
	{
		struct packet syn = packet_between(AUDITED, OPEN, v6, IPPROTO_TCP, 40000, 80);
		struct packet in = packet_between(OPEN, AUDITED, v6, IPPROTO_UDP, 40000, 80);
		struct run r = from_pod(AUDITED, &syn);

		ck_passed(r, OPEN, WEIR_EV_NEW);
		ck_assert_uint_eq(r.ev[0].verdict, WEIR_AUDIT);
		ck_assert_uint_eq(r.ev[0].rule[WEIR_EGRESS], RULESET(AUDITED) | WEIR_RULE_DEFAULT_DENY);
		syn.flags = FIN | ACK;
		r = from_pod(AUDITED, &syn);
		ck_passed(r, OPEN, WEIR_EV_FLAGS);
		ck_assert_uint_eq(r.ev[0].verdict, WEIR_AUDIT);
		r = from_pod(OPEN, &in);
		ck_passed(r, AUDITED, WEIR_EV_NEW);
		ck_assert_uint_eq(r.ev[0].rule[WEIR_INGRESS], RULESET(AUDITED) | WEIR_RULE_DEFAULT_DENY);
		syn = packet_between(AUDITED, LOCKED, v6, IPPROTO_TCP, 40000, 80);
		r = from_pod(AUDITED, &syn);
		ck_dropped(r, WEIR_DROP_POLICY);
	}
}
END_TEST

START_TEST(both_sides_of_the_maps_are_read_by_generation)
{
	struct packet a = packet_between(OPEN, SERVER, false, IPPROTO_TCP, 40000, 80);
	struct packet b = packet_between(OPEN, SERVER, false, IPPROTO_TCP, 40001, 80);
	struct run r;

	world_set_side(SERVER, 1, 99, WEIR_EP_READY | WEIR_EP_ISOLATED_INGRESS);
	r = from_pod(OPEN, &a);
	ck_passed(r, SERVER, WEIR_EV_NEW);
	world_set_generation(11);
	r = from_pod(OPEN, &b);
	ck_dropped(r, WEIR_DROP_POLICY);
	ck_assert_uint_eq(r.ev[0].rule[WEIR_INGRESS], 99 | WEIR_RULE_DEFAULT_DENY);
	world_set_generation(12);
	r = from_pod(OPEN, &b);
	ck_passed(r, SERVER, WEIR_EV_NEW);
}
END_TEST

/* A live connection, then a generation in which SERVER's rule set is another. */
static void establish(bool v6, struct packet *to, struct packet *back)
{
	struct run r;

	*to = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 40000, 80);
	*back = packet_between(SERVER, OPEN, v6, IPPROTO_TCP, 80, 40000);
	back->flags = SYN | ACK;
	r = from_pod(OPEN, to);
	ck_passed(r, SERVER, WEIR_EV_NEW);
	r = from_pod(SERVER, back);
	ck_passed(r, OPEN, WEIR_EV_FLAGS);
	to->flags = back->flags = ACK;
	r = from_pod(OPEN, to);
	ck_passed(r, SERVER, 0);
}

START_TEST(a_new_policy_keeps_what_it_allows)
{
	for_each_family(v6)
	{
		struct packet to, back;
		struct weir_ct ct;
		struct run r;

		world_reset();
		establish(v6, &to, &back);
		world_allow(99, WEIR_INGRESS, 1000 + OPEN, IPPROTO_TCP, 80, 300);
		world_set_side(SERVER, 1, 99, WEIR_EP_READY | WEIR_EP_ISOLATED_INGRESS);
		world_set_generation(11);
		r = from_pod(SERVER, &back); /* the reply is judged in the initiator's direction */
		ck_passed(r, OPEN, 0);
		r = from_pod(OPEN, &to);
		ck_passed(r, SERVER, 0);
		ck_assert(world_connection(&to, &ct));
		ck_assert_uint_eq(ct.gen, 11);
		ck_assert_uint_eq(ct.rule[WEIR_INGRESS], 300);
	}
}
END_TEST

START_TEST(a_new_policy_cuts_what_it_denies_both_ways)
{
	for (int reply_first = 0; reply_first < 2; reply_first++) {
		struct packet to, back;
		struct run r;

		world_reset();
		establish(reply_first, &to, &back);
		world_set_side(SERVER, 1, 99, WEIR_EP_READY | WEIR_EP_ISOLATED_INGRESS);
		world_set_generation(11);
		r = reply_first ? from_pod(SERVER, &back) : from_pod(OPEN, &to);
		ck_dropped(r, WEIR_DROP_POLICY);
		ck_assert_uint_eq(r.ev[0].rule[WEIR_INGRESS], 99 | WEIR_RULE_DEFAULT_DENY);
		/* SERVER may send to OPEN, but this is not its connection. */
		r = from_pod(SERVER, &back);
		ck_dropped(r, WEIR_DROP_POLICY);
		r = from_pod(OPEN, &to);
		ck_dropped(r, WEIR_DROP_POLICY);
		world_set_generation(12); /* the old policy again */
		r = from_pod(OPEN, &to);
		ck_passed(r, SERVER, 0);
		r = from_pod(SERVER, &back);
		ck_passed(r, OPEN, 0);
	}
}
END_TEST

START_TEST(a_new_policy_reaches_audited_connections)
{
	struct packet p = packet_between(AUDITED, OPEN, false, IPPROTO_UDP, 1, 2);
	struct run r = from_pod(AUDITED, &p);
	struct weir_ct ct;

	ck_passed(r, OPEN, WEIR_EV_NEW);
	world_set_side(AUDITED, 1, 0, WEIR_EP_READY);
	world_set_generation(11);
	r = from_pod(AUDITED, &p);
	ck_passed(r, OPEN, 0);
	ck_assert(world_connection(&p, &ct) && !(ct.state & WEIR_CT_AUDIT));
	world_set_side(AUDITED, 0, 98, WEIR_EP_READY | WEIR_EP_ISOLATED_EGRESS);
	world_set_generation(12);
	r = from_pod(AUDITED, &p);
	ck_dropped(r, WEIR_DROP_POLICY);
}
END_TEST

START_TEST(the_node_reaches_its_pods_and_is_answered)
{
	static const int pods[] = { LOCKED, ORPHAN };

	for (int i = 0; i < 2; i++)
		for_each_family(v6)
		{
			int pod = pods[i];
			struct packet syn = packet_between(HOST, pod, v6, IPPROTO_TCP, 50000, 80);
			struct packet answer = packet_between(pod, HOST, v6, IPPROTO_TCP, 80, 50000);
			struct packet call = packet_between(pod, HOST, v6, IPPROTO_TCP, 40000, 80);
			struct run r = to_pod(pod, 0, &syn);

			ck_passed(r, 0, WEIR_EV_NEW);
			ck_assert_uint_eq(r.ev[0].rule[WEIR_INGRESS], WEIR_RULE_HOST);
			ck_assert_uint_eq(r.ev[0].src_identity, WEIR_ID_HOST);
			answer.flags = SYN | ACK;
			r = from_pod(pod, &answer);
			ck_passed(r, 0, WEIR_EV_FLAGS);
			world_set_generation(11); /* no policy cuts it */
			r = from_pod(pod, &answer);
			ck_passed(r, 0, 0);
			world_set_generation(10);
			r = from_pod(pod, &call);
			ck_assert_int_eq(r.act, TC_ACT_SHOT);
			ck_assert_uint_eq(r.ev[0].reason, pod == ORPHAN ? WEIR_DROP_NOT_READY : WEIR_DROP_POLICY);
			answer.flags = SYN; /* a SYN is no answer */
			r = from_pod(pod, &answer);
			ck_assert_int_eq(r.act, TC_ACT_SHOT);
		}
}
END_TEST

START_TEST(a_pod_that_is_not_ready_talks_to_nobody)
{
	for_each_family(v6)
	{
		struct packet out = packet_between(ORPHAN, OPEN, v6, IPPROTO_UDP, 1, 2);
		struct packet in = packet_between(OPEN, OPEN2, v6, IPPROTO_UDP, 1, 2);
		struct packet forwarded = packet_between(WORLD, ORPHAN, v6, IPPROTO_UDP, 1, 2);
		struct run r = from_pod(ORPHAN, &out);

		ck_dropped(r, WEIR_DROP_NOT_READY);
		r = to_pod(ORPHAN, 1, &forwarded);
		ck_dropped(r, WEIR_DROP_NOT_READY);
		world_set_ready(OPEN2, false);
		r = from_pod(OPEN, &in);
		ck_dropped(r, WEIR_DROP_NOT_READY);
		ck_assert(r.ev[0].flags & WEIR_EVF_INGRESS);
		in = packet_between(OPEN2, OPEN, v6, IPPROTO_UDP, 1, 2);
		r = from_pod(OPEN2, &in);
		ck_dropped(r, WEIR_DROP_NOT_READY);
		world_set_ready(OPEN2, true);
		r = from_pod(OPEN2, &in);
		ck_passed(r, OPEN, WEIR_EV_NEW);
	}
}
END_TEST

START_TEST(what_the_stack_forwards_is_judged_and_answered_through_it)
{
	for_each_family(v6)
	{
		struct packet good = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 41000, 80);
		struct packet answer = packet_between(SERVER, OPEN, v6, IPPROTO_TCP, 80, 41000);
		struct packet bad = packet_between(WORLD, SERVER, v6, IPPROTO_TCP, 41000, 80);
		struct run r = to_pod(SERVER, world_ifindex(OPEN), &good);

		ck_passed(r, 0, WEIR_EV_NEW);
		answer.flags = SYN | ACK;
		r = from_pod(SERVER, &answer); /* not into OPEN's namespace: NAT has to be undone */
		ck_passed(r, 0, WEIR_EV_FLAGS);
		r = to_pod(SERVER, 1, &bad);
		ck_dropped(r, WEIR_DROP_POLICY);
		ck_assert_uint_eq(r.ev[0].point, WEIR_TO_POD);
		bad.dst = addr_of(OPEN, v6);
		r = to_pod(SERVER, 1, &bad);
		ck_dropped(r, WEIR_DROP_MARTIAN);
	}
}
END_TEST

START_TEST(the_network_reaches_pods_as_policy_says)
{
	for_each_family(v6)
	{
		struct packet syn = packet_between(WORLD, OPEN, v6, IPPROTO_TCP, 41000, 80);
		struct packet udp = packet_between(WORLD, OPEN, v6, IPPROTO_UDP, 41000, 80);
		struct packet bad = packet_between(WORLD, SERVER, v6, IPPROTO_TCP, 41000, 80);
		struct packet transit = packet_between(WORLD, HOST, v6, IPPROTO_TCP, 41000, 80);
		struct packet call = packet_between(OPEN, WORLD, v6, IPPROTO_UDP, 5000, 53);
		struct packet answer = packet_between(WORLD, OPEN, v6, IPPROTO_UDP, 53, 5000);
		struct run r = from_net(&syn);

		ck_passed(r, OPEN, WEIR_EV_NEW);
		syn.flags = ACK;
		r = from_net(&syn);
		ck_passed(r, OPEN, 0);
		r = from_net(&bad);
		ck_dropped(r, WEIR_DROP_POLICY);
		ck_assert_uint_eq(r.ev[0].point, WEIR_FROM_NET);
		r = from_net(&udp); /* it may be an answer that NAT turns back: to_pod judges */
		ck_passed(r, 0, 0);
		r = from_net(&transit);
		ck_passed(r, 0, 0);
		r = from_pod(OPEN, &call);
		ck_passed(r, 0, WEIR_EV_NEW);
		r = from_net(&answer);
		ck_passed(r, OPEN, 0);
	}
}
END_TEST

START_TEST(a_pod_always_reaches_itself)
{
	struct packet p = packet_between(LOCKED, LOCKED, false, IPPROTO_UDP, 5, 6);
	struct run r = from_pod(LOCKED, &p);

	ck_passed(r, LOCKED, WEIR_EV_NEW);
}
END_TEST

TCase *tests_policy(void)
{
	const TTest *const tests[] = {
		allowed_connection_is_delivered_and_answered,
		ingress_is_denied_with_its_rule,
		a_repeated_denial_says_the_same,
		a_repeated_permission_says_the_same,
		egress_is_denied_with_its_rule,
		rules_match_from_wide_to_narrow,
		audit_passes_and_says_so,
		both_sides_of_the_maps_are_read_by_generation,
		a_new_policy_keeps_what_it_allows,
		a_new_policy_cuts_what_it_denies_both_ways,
		a_new_policy_reaches_audited_connections,
		the_node_reaches_its_pods_and_is_answered,
		a_pod_that_is_not_ready_talks_to_nobody,
		what_the_stack_forwards_is_judged_and_answered_through_it,
		the_network_reaches_pods_as_policy_says,
		a_pod_always_reaches_itself,
	};
	TCase *tc = tcase_create("policy");

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	return tc;
}
