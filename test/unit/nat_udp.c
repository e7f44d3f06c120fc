// SPDX-License-Identifier: Apache-2.0
#include "agent/nat_udp.h"

#include "test/unit.h"

static struct weir_addr addr(const char *text)
{
	struct weir_addr a;

	ck_assert_int_eq(addr_parse(text, &a), 0);
	return a;
}

/* The pod is 10.0.0.2 and fd00::2, its port 53 is the node's 8053; the node has 192.0.2.1 and 2001:db8::1. */
static const struct {
	const char *dst;
	uint16_t port;
	const char *server;
	uint16_t server_port;
	bool begins, ends; /* stale when the port begins or ends to lead to the pod */
	const char *why;
} flows[] = {
	{ "192.0.2.1", 8053, "192.0.2.1", 8053, true, false, "asked before the pod came" },
	{ "127.0.0.1", 8053, "127.0.0.1", 8053, true, false, "by loopback" },
	{ "2001:db8::1", 8053, "2001:db8::1", 8053, true, false, "by IPv6" },
	{ "192.0.2.1", 8053, "10.0.0.9", 53, true, false, "a former pod's" },
	{ "192.0.2.1", 8053, "10.0.0.2", 5353, true, true, "another port of this pod" },
	{ "192.0.2.1", 8053, "10.0.0.2", 53, false, true, "led where it should" },
	{ "2001:db8::1", 8053, "fd00::2", 53, false, true, "by IPv6" },
	{ "192.0.2.1", 8054, "192.0.2.1", 8054, false, false, "another port of the node" },
	{ "192.0.2.1", 8054, "10.0.0.2", 53, false, false, "another port that leads to the pod" },
	{ "203.0.113.1", 8053, "203.0.113.1", 8053, false, false, "somebody else's port" },
	{ "10.0.0.2", 53, "10.0.0.2", 53, false, false, "without NAT" },
};

static bool stale(size_t i, bool gone, const char *host_ip)
{
	struct weir_addr own[] = { addr("192.0.2.1"), addr("2001:db8::1") };
	const struct node node = { .addrs = own, .n_addrs = ARRAY_SIZE(own) };
	const struct conntrack_flow f = { addr(flows[i].dst), addr(flows[i].server), flows[i].port,
					  flows[i].server_port };
	bool any = false;

	ck_assert_int_lt(addr_cmp(&own[0], &own[1]), 0); /* node.addrs is sorted */
	for (int v6 = 0; v6 < 2; v6++) {
		const struct nat_udp u = { *host_ip ? addr(host_ip) : (struct weir_addr){},
					   addr(v6 ? "fd00::2" : "10.0.0.2"), 8053, 53 };

		any |= nat_udp_is_stale(&u, gone, &node, &f);
	}
	return any;
}

START_TEST(flows_that_go_elsewhere_are_stale)
{
	for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
		ck_assert_msg(stale(i, false, "") == flows[i].begins, "%zu: %s, begins", i, flows[i].why);
		ck_assert_msg(stale(i, true, "") == flows[i].ends, "%zu: %s, ends", i, flows[i].why);
	}
}
END_TEST

START_TEST(a_host_ip_takes_over_its_own_flows_only)
{
	ck_assert(stale(0, false, "0.0.0.0"));
	ck_assert(!stale(2, false, "0.0.0.0"));
	ck_assert(stale(0, false, "192.0.2.1"));
	ck_assert(!stale(1, false, "192.0.2.1"));
	ck_assert(stale(1, false, "127.0.0.1"));
}
END_TEST

/* As nft 1.0.6 lists them. */
START_TEST(rules_tell_of_their_ports)
{
	static const char rules[] =
	    "table inet weir {\n"
	    "	chain hostports {\n"
	    "		fib daddr type local meta nfproto ipv4 udp dport 8053 dnat ip to 10.0.0.2:53\n"
	    "		fib daddr type local meta nfproto ipv6 udp dport 8053 dnat ip6 to [fd00::2]:53\n"
	    "		fib daddr type local meta nfproto ipv4 tcp dport 8080 dnat ip to 10.0.0.2:80\n"
	    "		fib daddr type local ip daddr 127.0.0.1 udp dport 8054 dnat ip to 10.0.0.2:54\n"
	    "		fib daddr type local ip6 daddr 2001:db8::1 udp dport 8054 dnat ip6 to [fd00::2]:54\n"
	    "		udp dport 1 dnat ip to nowhere\n"
	    "	}\n"
	    "}\n";
	static const struct {
		const char *host_ip, *pod;
		uint16_t host_port, container_port;
	} want[] = {
		{ "", "10.0.0.2", 8053, 53 },
		{ "", "fd00::2", 8053, 53 },
		{ "127.0.0.1", "10.0.0.2", 8054, 54 },
		{ "2001:db8::1", "fd00::2", 8054, 54 },
	};
	struct nat_udp_list l = {};

	ck_assert_int_eq(nat_udp_parse(&l, rules), 0);
	ck_assert_uint_eq(l.n, ARRAY_SIZE(want));
	for (size_t i = 0; i < l.n; i++) {
		const struct weir_addr host_ip = *want[i].host_ip ? addr(want[i].host_ip) : (struct weir_addr){};
		const struct weir_addr pod = addr(want[i].pod);

		ck_assert_int_eq(addr_cmp(&l.v[i].host_ip, &host_ip), 0);
		ck_assert_int_eq(addr_cmp(&l.v[i].pod, &pod), 0);
		ck_assert_uint_eq(l.v[i].host_port, want[i].host_port);
		ck_assert_uint_eq(l.v[i].container_port, want[i].container_port);
	}
	nat_udp_done(&l);
}
END_TEST

UNIT_MAIN(nat_udp, rules_tell_of_their_ports, flows_that_go_elsewhere_are_stale,
	  a_host_ip_takes_over_its_own_flows_only)
