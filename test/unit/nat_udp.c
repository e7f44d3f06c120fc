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

UNIT_MAIN(nat_udp, flows_that_go_elsewhere_are_stale, a_host_ip_takes_over_its_own_flows_only)
