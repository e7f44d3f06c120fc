// SPDX-License-Identifier: Apache-2.0
#include "agent/node.h"

#include <net/if.h>
#include <sched.h>
#include <stdarg.h>

#include "lib/attachment.h"
#include "lib/log.h"
#include "test/unit.h"

#define IP_MANY 20 /* more devices than a node may have uplinks */

static struct node node;

static void sh(const char *fmt, ...)
{
	_cleanup_free_ char *cmd = NULL;
	va_list ap;

	va_start(ap, fmt);
	ck_assert(vasprintf(&cmd, fmt, ap) > 0 && system(cmd) == 0);
	va_end(ap);
}

/* A network namespace that ends with this test's process, with a0 and b0 in it. False: not root. */
static bool enter(void)
{
	log_setup(LOG_LEVEL_ERROR, false);
	if (unshare(CLONE_NEWNET) < 0)
		return false;
	sh("ip link set lo up && ip link add a0 type veth peer b0");
	/* a link-local address of the kernel's own would come whenever it is done with checking it */
	sh("ip link set a0 addrgenmode none up && ip link set b0 addrgenmode none up && ip addr add fe80::1/64 dev a0 "
	   "nodad");
	return true;
}

static void scan(char **names)
{
	struct err e;

	node_done(&node);
	ck_assert_msg(node_scan(&node, names, &e) == 0, "%s", e.msg);
}

static void uplinks_are(const char *want)
{
	char got[256] = "", name[IF_NAMESIZE];

	for (size_t i = 0; i < node.n_uplinks; i++)
		strcat(strcat(got, *got ? " " : ""), if_indextoname(node.uplinks[i], name));
	ck_assert_str_eq(got, want);
}

static void addrs_are(const char *want)
{
	char got[1024] = "", text[ADDR_STRLEN];

	for (size_t i = 0; i < node.n_addrs; i++)
		strcat(strcat(got, *got ? " " : ""), addr_to_str(&node.addrs[i], text));
	ck_assert_str_eq(got, want);
}

START_TEST(its_addresses_without_loopback_and_link_local_ones)
{
	if (!enter())
		return;
	scan(NULL);
	addrs_are("");
	sh("ip addr add 192.0.2.9/24 dev a0 && ip addr add 192.0.2.1/24 dev b0 && ip addr add 192.0.2.8/24 dev a0 &&"
	   "ip addr add 2001:db8::1/64 dev b0 nodad && ip addr add 127.1.2.3/8 dev lo && ip addr add 192.0.2.77/32 dev "
	   "lo");
	scan(NULL);
	addrs_are("192.0.2.1 192.0.2.8 192.0.2.9 192.0.2.77 2001:db8::1");
	sh("ip addr del 192.0.2.8/24 dev a0");
	scan(NULL);
	addrs_are("192.0.2.1 192.0.2.9 192.0.2.77 2001:db8::1");
	node_done(&node);
}
END_TEST

START_TEST(uplinks_are_the_devices_of_default_routes)
{
	if (!enter())
		return;
	scan(NULL);
	uplinks_are("");
	sh("ip addr add 192.0.2.1/24 dev a0 && ip addr add 198.51.100.1/24 dev b0");
	sh("ip route add 203.0.113.0/24 via 198.51.100.2 && ip route add default via 198.51.100.2 table 7 &&"
	   "ip route add unreachable default metric 9 && ip -6 route add unreachable default metric 9");
	scan(NULL);
	uplinks_are("");
	sh("ip route add default via 192.0.2.2 && ip route add default via 192.0.2.3 metric 5");
	scan(NULL);
	uplinks_are("a0");
	sh("ip -6 route add default dev b0");
	scan(NULL);
	uplinks_are(if_nametoindex("a0") < if_nametoindex("b0") ? "a0 b0" : "b0 a0");
	node_done(&node);
}
END_TEST

START_TEST(every_next_hop_is_an_uplink)
{
	if (!enter())
		return;
	sh("ip addr add 192.0.2.1/24 dev a0 && ip addr add 198.51.100.1/24 dev b0");
	sh("ip route add default nexthop via 192.0.2.2 weight 1 nexthop via 198.51.100.2 weight 9");
	scan(NULL);
	uplinks_are(if_nametoindex("a0") < if_nametoindex("b0") ? "a0 b0" : "b0 a0");
	node_done(&node);
}
END_TEST

START_TEST(names_go_before_routes)
{
	char *names[] = { "b0", "none", "b0", NULL }, *nobody[] = { NULL };

	if (!enter())
		return;
	sh("ip addr add 192.0.2.1/24 dev a0 && ip route add default via 192.0.2.2");
	scan(names);
	uplinks_are("b0");
	scan(nobody);
	uplinks_are("");
	node_done(&node);
}
END_TEST

START_TEST(there_are_no_more_uplinks_than_have_room)
{
	char names[IP_MANY][IF_NAMESIZE], *list[IP_MANY + 1] = {};

	if (!enter())
		return;
	for (int i = 0; i < IP_MANY; i += 2) {
		snprintf(names[i], IF_NAMESIZE, "v%d", i);
		snprintf(names[i + 1], IF_NAMESIZE, "v%d", i + 1);
		sh("ip link add %s type veth peer %s", names[i], names[i + 1]);
	}
	for (int i = 0; i < IP_MANY; i++)
		list[i] = names[i];
	scan(list);
	ck_assert_uint_eq(node.n_uplinks, NODE_UPLINKS_MAX);
	for (size_t i = 1; i < node.n_uplinks; i++)
		ck_assert_uint_lt(node.uplinks[i - 1], node.uplinks[i]);
	node_done(&node);
}
END_TEST

static void count(void *userdata)
{
	++*(unsigned *)userdata;
}

/* How often it calls: waits for the first, at most five seconds, then until it has been quiet for longer than it waits.
 */
static unsigned calls(sd_event *event, unsigned *n)
{
	*n = 0;
	for (int i = 0; i < 50 && !*n; i++)
		ck_assert_int_ge(sd_event_run(event, 100000), 0);
	while (sd_event_run(event, 500000) > 0)
		;
	return *n;
}

static unsigned n_calls;
static sd_event *event;

/* False: not root. */
static bool begin_watch(struct node_watch **ret_w)
{
	struct err e;

	if (!enter())
		return false;
	sh("sleep 0.3"); /* what the new devices have to say */
	n_calls = 0;
	ck_assert_int_eq(sd_event_new(&event), 0);
	ck_assert_msg(node_watch_new(event, count, &n_calls, ret_w, &e) == 0, "%s", e.msg);
	while (sd_event_run(event, 500000) > 0)
		;
	ck_assert_uint_eq(n_calls, 0);
	return true;
}

static void is_told(const char *cmd)
{
	sh("%s", cmd);
	ck_assert_msg(calls(event, &n_calls) >= 1, "%s", cmd);
}

START_TEST(changes_are_told_and_a_burst_once)
{
	_cleanup_(node_watch_freep) struct node_watch *w = NULL;
	unsigned n;

	if (!begin_watch(&w))
		return;
	for (int i = 1; i < 20; i++)
		sh("ip addr add 192.0.2.%d/24 dev a0", i);
	n = calls(event, &n_calls);
	ck_assert(n == 1 || n == 2);
	is_told("ip route add default via 192.0.2.99");
	is_told("ip -6 addr add 2001:db8::1/64 dev b0 nodad");
	is_told("ip link set b0 mtu 1400");
	sd_event_unref(event);
}
END_TEST

START_TEST(what_weir_cni_does_for_pods_is_not_told)
{
	_cleanup_(node_watch_freep) struct node_watch *w = NULL;
	char a[IFNAMSIZ], b[IFNAMSIZ];

	if (!begin_watch(&w))
		return;
	attachment_hostif("c1:eth0", a);
	attachment_hostif("c2:eth0", b);
	sh("ip link add %s type veth peer %s && ip link set %s up addrgenmode none", a, b, b);
	sh("ip link set %s up addrgenmode none mtu 1400 && ip route add 192.0.2.1 dev %s", a, a);
	sh("ip -6 route add 2001:db8::1 dev %s && ip route del 192.0.2.1 && ip link del %s", a, a);
	while (sd_event_run(event, 500000) > 0)
		;
	ck_assert_uint_eq(n_calls, 0);
	/* names that only look like those */
	is_told("ip link add weir01234567 type veth peer weir0123456789b");
	is_told("ip link del weir01234567");
	is_told("ip link add wei00123456789a type veth peer weir0123456789b");
	is_told("ip link del wei00123456789a");
	is_told("ip -6 route add default dev a0");
	is_told("ip -6 route del default");
	sd_event_unref(event);
}
END_TEST

UNIT_MAIN(node, its_addresses_without_loopback_and_link_local_ones, uplinks_are_the_devices_of_default_routes,
	  every_next_hop_is_an_uplink, names_go_before_routes, there_are_no_more_uplinks_than_have_room,
	  changes_are_told_and_a_burst_once, what_weir_cni_does_for_pods_is_not_told)
