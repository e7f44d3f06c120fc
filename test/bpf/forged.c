// SPDX-License-Identifier: Apache-2.0
/* Who says that it is another is dropped, and leaves no connection behind. */
#include "test/bpf/world.h"

START_TEST(a_pod_has_its_own_addresses_only)
{
	for_each_family(v6)
	{
		struct packet mac = packet_between(OPEN, OPEN2, v6, IPPROTO_TCP, 1, 2), ip = mac, family = mac;
		struct run r;

		mac.smac[5]++;
		r = from_pod(OPEN, &mac);
		ck_dropped(r, WEIR_DROP_SRC_MAC);
		ip.src = addr_of(SERVER, v6);
		r = from_pod(OPEN, &ip);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		ip.src = addr_of(HOST, v6);
		r = from_pod(OPEN, &ip);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		memset(&family.src.w[3], 0, 4);
		r = from_pod(OPEN, &family);
		ck_dropped(r, WEIR_DROP_SRC_IP);
	}
	ck_assert_uint_eq(world_connections(), 0);
}
END_TEST

START_TEST(a_forged_packet_meets_no_connection_of_others)
{
	for_each_family(v6)
	{
		struct packet real = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 40000, 80), forged;
		struct weir_ct before, after;
		struct run r = from_pod(OPEN, &real);

		ck_passed(r, SERVER, WEIR_EV_NEW);
		ck_assert(world_connection(&real, &before));
		forged = packet_between(OPEN2, SERVER, v6, IPPROTO_TCP, 40000, 80);
		forged.src = real.src;
		forged.flags = RST;
		r = from_pod(OPEN2, &forged); /* own MAC, other's address */
		ck_dropped(r, WEIR_DROP_SRC_IP);
		memcpy(forged.smac, real.smac, 6);
		r = from_pod(OPEN2, &forged); /* everything but the interface */
		ck_dropped(r, WEIR_DROP_SRC_MAC);
		r = from_net(&forged);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		ck_assert(world_connection(&real, &after) && memcmp(&before, &after, sizeof(after)) == 0);
	}
}
END_TEST

START_TEST(the_network_speaks_for_nobody_inside)
{
	for_each_family(v6)
	{
		struct packet pod = packet_between(OPEN2, OPEN, v6, IPPROTO_TCP, 1, 2);
		struct packet host = packet_between(HOST, OPEN, v6, IPPROTO_TCP, 1, 2);
		struct packet answer = packet_between(HOST, OPEN, v6, IPPROTO_TCP, 22, 40000);
		struct packet call = packet_between(OPEN, HOST, v6, IPPROTO_TCP, 40000, 22);
		struct run r = from_net(&pod);

		ck_dropped(r, WEIR_DROP_SRC_IP);
		r = from_net(&host);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		ck_assert_uint_eq(world_connections(), v6);
		r = from_pod(OPEN, &call);
		ck_passed(r, 0, WEIR_EV_NEW);
		answer.flags = SYN | ACK; /* there is a connection, but the node's answers do not come by the wire */
		r = from_net(&answer);
		ck_dropped(r, WEIR_DROP_SRC_IP);
	}
}
END_TEST

/* The stack's NAT may make it one for a pod, and then who is called the node reaches all of them. */
START_TEST(the_network_does_not_speak_for_them_to_the_stack_either)
{
	static const int inside[] = { OPEN2, HOST };

	for_each_family(v6) for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
	{
		struct packet p = packet_between(inside[i], HOST, v6, IPPROTO_TCP, 1, 8080);
		struct run r = from_net(&p);

		ck_dropped(r, WEIR_DROP_SRC_IP);
	}
}
END_TEST

/* The stack takes the tag off and goes on as if it had not been there. */
START_TEST(a_priority_tag_hides_nobody)
{
	for_each_family(v6)
	{
		struct packet good = packet_between(WORLD, OPEN, v6, IPPROTO_TCP, 1, 2);
		struct packet pod = packet_between(OPEN2, OPEN, v6, IPPROTO_TCP, 1, 2);
		struct packet host = packet_between(HOST, OPEN, v6, IPPROTO_UDP, 1, 2);
		uint8_t frame[FRAME_MAX];
		size_t len;
		struct run r;

		good.vlan = pod.vlan = host.vlan = 0x8100;
		r = from_net(&good);
		ck_passed(r, 0, 0); /* to_pod judges it */
		r = from_net(&pod);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		host.vlan = 0x88a8;
		r = from_net(&host);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		len = packet_build(&pod, frame);
		frame[15] = 5; /* the interface of VLAN 5 gets it, if there is one */
		r = run_frame("from_net", UPLINK, UPLINK, frame, len);
		ck_passed(r, 0, 0);
		memmove(frame + 22, frame + 18, len - 18);
		memcpy(frame + 14, (uint8_t[]){ 0xe0, 0, 0x81, 0, 0, 0 }, 6); /* a second one */
		r = run_frame("from_net", UPLINK, UPLINK, frame, len + 4);
		ck_dropped(r, WEIR_DROP_VLAN);
		r = run_frame("from_net", UPLINK, UPLINK, frame, 17);
		ck_dropped(r, WEIR_DROP_TRUNCATED);
	}
}
END_TEST

START_TEST(what_is_forwarded_comes_from_where_its_sender_is)
{
	for_each_family(v6)
	{
		struct packet pod = packet_between(OPEN2, OPEN, v6, IPPROTO_TCP, 1, 2);
		struct packet host = packet_between(HOST, LOCKED, v6, IPPROTO_TCP, 1, 2);
		struct packet world = packet_between(WORLD, OPEN, v6, IPPROTO_TCP, 1, 2);
		static const uint32_t doors[] = { UPLINK, SIDE_DOOR };
		struct run r;

		for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
			r = to_pod(OPEN, doors[i], &pod);
			ck_dropped(r, WEIR_DROP_SRC_IP);
		}
		r = to_pod(OPEN, world_ifindex(SERVER), &pod);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		r = to_pod(OPEN, world_ifindex(OPEN2), &pod);
		ck_passed(r, 0, WEIR_EV_NEW);
		r = to_pod(LOCKED, SIDE_DOOR, &host);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		r = to_pod(OPEN, SIDE_DOOR, &world);
		ck_passed(r, 0, WEIR_EV_NEW);
	}
}
END_TEST

/* Masquerading gives the node's address to what came in where sources are looked at; its undoing, to any answer. */
START_TEST(nat_speaks_for_the_node)
{
	for_each_family(v6)
	{
		struct packet syn = packet_between(HOST, LOCKED, v6, IPPROTO_TCP, 1, 2);
		struct packet call = packet_between(OPEN, HOST, v6, IPPROTO_TCP, 40000, 8080);
		struct packet answer = packet_reply(&call, SYN | ACK);
		struct run r = to_pod(LOCKED, UPLINK, &syn);

		ck_passed(r, 0, WEIR_EV_NEW);
		syn.sport++;
		r = to_pod(LOCKED, world_ifindex(SERVER), &syn);
		ck_passed(r, 0, WEIR_EV_NEW);
		r = to_pod(OPEN, SIDE_DOOR, &answer);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		r = from_pod(OPEN, &call);
		ck_passed(r, 0, WEIR_EV_NEW);
		r = to_pod(OPEN, SIDE_DOOR, &answer);
		ck_passed(r, 0, WEIR_EV_FLAGS);
		answer.flags = SYN;
		r = to_pod(OPEN, SIDE_DOOR, &answer);
		ck_dropped(r, WEIR_DROP_SRC_IP);
	}
}
END_TEST

/* An IPv6 header with IPv4-mapped addresses would meet IPv4's entries. */
START_TEST(mapped_addresses_are_no_ipv6)
{
	struct packet v4 = packet_between(OPEN, SERVER, false, IPPROTO_TCP, 40000, 80);
	struct packet mapped = packet_between(OPEN, SERVER, true, IPPROTO_TCP, 40000, 80);
	uint8_t frame[FRAME_MAX];
	size_t len = packet_build(&mapped, frame);
	struct run r = from_pod(OPEN, &v4);

	ck_passed(r, SERVER, WEIR_EV_NEW);
	memcpy(frame + 14 + 8, &v4.src, 16);
	memcpy(frame + 14 + 24, &v4.dst, 16);
	r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);
	ck_assert_int_eq(r.act, TC_ACT_SHOT);
	r = run_frame("from_net", 1, 1, frame, len);
	ck_assert_int_eq(r.act, TC_ACT_SHOT);
	memcpy(frame + 14 + 8, &mapped.src, 16);
	r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);
	ck_dropped(r, WEIR_DROP_MARTIAN);
}
END_TEST

START_TEST(loopback_is_nobody)
{
	static const char *const nobody[2][2] = { { "127.0.0.1", "0.0.0.0" }, { "::1", "::" } };

	for_each_family(v6) for (int i = 0; i < 2; i++)
	{
		struct packet p = packet_between(OPEN, OPEN2, v6, IPPROTO_UDP, 1, 2);
		struct run r;

		addr_parse(nobody[v6][i], &p.dst);
		r = from_pod(OPEN, &p);
		ck_dropped(r, WEIR_DROP_MARTIAN);
	}
}
END_TEST

/* Where host ports are, the node's stack would route both ways: no socket of the node on 127.0.0.1 is to meet a pod. */
START_TEST(loopback_speaks_to_no_pod)
{
	static const char *const loopback[2] = { "127.9.0.1", "::1" };

	for_each_family(v6)
	{
		struct packet p = packet_between(HOST, OPEN, v6, IPPROTO_UDP, 1, 2);
		struct packet answer = packet_between(OPEN, HOST, v6, IPPROTO_UDP, 2, 1), forged = answer;
		struct run r;

		addr_parse(loopback[v6], &p.src);
		for (int forwarded = 0; forwarded < 2; forwarded++) {
			r = to_pod(OPEN, forwarded ? SIDE_DOOR : 0, &p);
			ck_dropped(r, WEIR_DROP_MARTIAN);
		}
		ck_assert_uint_eq(world_connections(), 0);
		answer.dst = forged.src = p.src;
		r = from_pod(OPEN, &answer);
		ck_dropped(r, WEIR_DROP_MARTIAN);
		r = from_pod(OPEN, &forged);
		ck_dropped(r, WEIR_DROP_SRC_IP);
	}
}
END_TEST

static size_t arp(uint8_t frame[FRAME_MAX], int pod, int says)
{
	struct packet p = packet_between(pod, HOST, false, IPPROTO_UDP, 1, 2);
	struct weir_addr a = addr_of(says, false);

	packet_build(&p, frame);
	memcpy(frame + 12, (uint8_t[]){ 8, 6, 0, 1, 8, 0, 6, 4, 0, 2 }, 10);
	memcpy(frame + 22, p.smac, 6);
	memcpy(frame + 28, &a.w[3], 4);
	memset(frame + 32, 0, 10);
	return 42;
}

START_TEST(arp_speaks_of_its_sender)
{
	uint8_t frame[FRAME_MAX];
	size_t len = arp(frame, OPEN, OPEN);
	struct run r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);

	ck_passed(r, 0, 0);
	frame[22 + 5]++;
	r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);
	ck_dropped(r, WEIR_DROP_SRC_MAC);
	len = arp(frame, OPEN, SERVER);
	r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);
	ck_dropped(r, WEIR_DROP_SRC_IP);
	r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, 41);
	ck_dropped(r, WEIR_DROP_TRUNCATED);
	len = arp(frame, ORPHAN, ORPHAN);
	r = run_frame("from_pod", world_ifindex(ORPHAN), 0, frame, len); /* its host must find it */
	ck_passed(r, 0, 0);
	frame[13] = 0x42;
	r = run_frame("from_pod", world_ifindex(OPEN), 0, frame, len);
	ck_assert_int_eq(r.act, TC_ACT_SHOT);
}
END_TEST

START_TEST(neighbour_discovery_stays_on_the_link)
{
	struct packet p = packet_between(LOCKED, HOST, true, IPPROTO_ICMP, 0, 0);
	static const uint8_t talk[] = { 133, 135, 136, 143 }, forbidden[] = { 134, 137 };
	struct run r;

	for (size_t i = 0; i < ARRAY_SIZE(talk); i++) {
		p.icmp_type = talk[i];
		p.src = addr_of(LOCKED, true);
		addr_parse("ff02::1:ff00:1", &p.dst);
		r = from_pod(LOCKED, &p);
		ck_passed(r, 0, 0);
		addr_parse("fe80::1", &p.dst);
		r = from_pod(LOCKED, &p);
		ck_passed(r, 0, 0);
		addr_parse("fe80::1234", &p.src);
		r = from_pod(LOCKED, &p);
		ck_passed(r, 0, 0);
		addr_parse("::", &p.src);
		r = from_pod(LOCKED, &p);
		ck_passed(r, 0, 0);
		p.src = addr_of(OPEN, true);
		r = from_pod(LOCKED, &p);
		ck_dropped(r, WEIR_DROP_SRC_IP);
		p.src = addr_of(LOCKED, true);
		p.dst = addr_of(OPEN, true); /* not into another pod's neighbour table */
		r = from_pod(LOCKED, &p);
		ck_dropped(r, WEIR_DROP_ICMP_FORBIDDEN);
	}
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		p.icmp_type = forbidden[i];
		addr_parse("ff02::1", &p.dst);
		r = from_pod(LOCKED, &p);
		ck_dropped(r, WEIR_DROP_ICMP_FORBIDDEN);
	}
	p.icmp_type = 128;
	addr_parse("fe80::1234", &p.src);
	r = from_pod(LOCKED, &p);
	ck_dropped(r, WEIR_DROP_SRC_IP);
}
END_TEST

TCase *tests_forged(void)
{
	const TTest *const tests[] = {
		a_pod_has_its_own_addresses_only,
		a_forged_packet_meets_no_connection_of_others,
		the_network_speaks_for_nobody_inside,
		the_network_does_not_speak_for_them_to_the_stack_either,
		a_priority_tag_hides_nobody,
		what_is_forwarded_comes_from_where_its_sender_is,
		nat_speaks_for_the_node,
		mapped_addresses_are_no_ipv6,
		loopback_is_nobody,
		loopback_speaks_to_no_pod,
		arp_speaks_of_its_sender,
		neighbour_discovery_stays_on_the_link,
	};
	TCase *tc = tcase_create("forged");

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	return tc;
}
