// SPDX-License-Identifier: Apache-2.0
#include "agent/nat.h"

#include <netinet/in.h>

#include "test/unit.h"

static struct endpoints eps;

static struct weir_addr addr(const char *text)
{
	struct weir_addr a = {};

	ck_assert(!*text || addr_parse(text, &a) == 0);
	return a;
}

static struct port_mapping port(const char *host_ip, uint16_t host_port, uint8_t proto)
{
	return (struct port_mapping){ addr(host_ip), host_port, 80, proto };
}

/* "": no address of that family. The endpoint table, or who asks nat_check(), owns it. */
static struct attachment *attachment(const char *id, const char *v4, const char *v6, struct port_mapping pm)
{
	struct attachment *a = calloc(1, sizeof(*a));

	ck_assert(a);
	*a = (struct attachment){ .container_id = strdup(id),
				  .ifname = strdup("eth0"),
				  .ifindex = 7,
				  .addr = { addr(v4), addr(v6) },
				  .port_mappings = calloc(1, sizeof(pm)),
				  .n_port_mappings = pm.host_port ? 1 : 0 };
	ck_assert(a->container_id && a->ifname && a->port_mappings);
	*a->port_mappings = pm;
	return a;
}

static void add(const char *id, const char *v4, const char *v6, struct port_mapping pm)
{
	struct attachment *a = attachment(id, v4, v6, pm);

	ck_assert_int_eq(endpoints_add(&eps, &a, NULL, NULL), 0);
}

/* Of the pods that were added, who are gone then. The caller frees. */
static char *rules(bool masquerade)
{
	struct prefix exclude[2];
	const struct config c = { .run_dir = "/run/weir",
				  .masquerade = masquerade,
				  .masquerade_exclude = { exclude, ARRAY_SIZE(exclude) } };
	struct nat n;
	char *text;

	ck_assert_int_eq(prefix_parse("10.0.0.0/8", &exclude[0]), 0);
	ck_assert_int_eq(prefix_parse("fc00::/7", &exclude[1]), 0);
	ck_assert_int_eq(nat_init(&n, &c, NULL), 0);
	text = nat_rules(&n, &c, &eps);
	ck_assert(text);
	nat_done(&n);
	endpoints_done(&eps);
	return text;
}

static bool has_line(const char *text, const char *line)
{
	_cleanup_free_ char *whole = NULL;

	ck_assert_int_gt(asprintf(&whole, "\n%s\n", line), 0);
	return strstr(text, whole);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	while ((text = strstr(text, word))) {
		text += strlen(word);
		n++;
	}
	return n;
}

static const char whole_table[] =
    "add table inet weir\n"
    "delete table inet weir\n"
    "table inet weir {\n"
    " set keep4 { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/8 }; }\n"
    " set keep6 { type ipv6_addr; flags interval; auto-merge; elements = { fc00::/7 }; }\n"
    " chain hostports {\n"
    "  fib daddr type local meta nfproto ipv4 tcp dport 8080 dnat ip to 10.0.0.2:80\n"
    "  fib daddr type local meta nfproto ipv6 tcp dport 8080 dnat ip6 to [fd00::2]:80\n"
    " }\n"
    " chain prerouting { type nat hook prerouting priority dstnat;\n"
    "  ip daddr 127.0.0.0/8 return\n"
    "  jump hostports\n"
    " }\n"
    " chain output { type nat hook output priority -100;\n"
    "  ip6 daddr ::1 return\n"
    "  jump hostports\n"
    " }\n"
    " chain postrouting { type nat hook postrouting priority srcnat;\n"
    "  # interface 7\n"
    "  ip saddr { 10.0.0.2, 127.0.0.0/8 } ip daddr 10.0.0.2 masquerade\n"
    "  ip6 saddr fd00::2 ip6 daddr fd00::2 masquerade\n"
    "  iifname \"weir*\" oifname != \"weir*\" ip daddr != @keep4 masquerade fully-random\n"
    "  iifname \"weir*\" oifname != \"weir*\" ip6 daddr != @keep6 masquerade fully-random\n"
    " }\n"
    "}\n";

START_TEST(the_whole_table)
{
	_cleanup_free_ char *text = NULL;

	add("c1", "10.0.0.2", "fd00::2", port("", 8080, IPPROTO_TCP));
	add("c2", "10.0.0.3", "fd00::3", port("", 0, IPPROTO_TCP)); /* a pod without host ports needs nothing */
	text = rules(true);
	ck_assert_msg(streq(text, whole_table), "%s", text);
}
END_TEST

START_TEST(masquerading_can_be_off)
{
	_cleanup_free_ char *text = rules(false);

	ck_assert_uint_eq(count(text, "masquerade"), 0);
	ck_assert_uint_eq(count(text, "dnat ip"), 0);
}
END_TEST

START_TEST(a_host_ip_is_what_it_stands_for)
{
	static const struct {
		const char *host_ip;
		const char *line[2]; /* by family; NULL: none */
	} cases[] = {
#define ANY4 "  fib daddr type local meta nfproto ipv4 udp dport 53 dnat ip to 10.0.0.2:80"
#define ANY6 "  fib daddr type local meta nfproto ipv6 udp dport 53 dnat ip6 to [fd00::2]:80"
		{ "", { ANY4, ANY6 } },
		{ "::", { ANY4, ANY6 } },
		{ "0.0.0.0", { ANY4, NULL } },
		{ "192.0.2.1",
		  { "  fib daddr type local ip daddr 192.0.2.1 meta nfproto ipv4 udp dport 53 dnat ip to 10.0.0.2:80",
		    NULL } },
		{ "2001:db8::1",
		  { NULL, "  fib daddr type local ip6 daddr 2001:db8::1 meta nfproto ipv6 udp dport 53 dnat ip6 to "
			  "[fd00::2]:80" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;
		size_t lines = 0;

		add("c1", "10.0.0.2", "fd00::2", port(cases[i].host_ip, 53, IPPROTO_UDP));
		text = rules(true);
		for (int f = 0; f < 2; f++) {
			lines += cases[i].line[f] ? 1 : 0;
			ck_assert_msg(!cases[i].line[f] || has_line(text, cases[i].line[f]), "hostIP \"%s\": %s",
				      cases[i].host_ip, text);
		}
		ck_assert_uint_eq(count(text, "dport"), lines);
	}
}
END_TEST

START_TEST(a_pod_of_one_family_is_reached_by_that_one)
{
	_cleanup_free_ char *v4 = NULL, *v6 = NULL;

	add("c1", "10.0.0.2", "", port("", 9, IPPROTO_SCTP));
	v4 = rules(false);
	ck_assert(has_line(v4, "  fib daddr type local meta nfproto ipv4 sctp dport 9 dnat ip to 10.0.0.2:80"));
	ck_assert_uint_eq(count(v4, "dport") + count(v4, "masquerade"), 2);
	add("c1", "", "fd00::2", port("", 9, IPPROTO_SCTP));
	v6 = rules(false);
	ck_assert(has_line(v6, "  fib daddr type local meta nfproto ipv6 sctp dport 9 dnat ip6 to [fd00::2]:80"));
	ck_assert_uint_eq(count(v6, "dport") + count(v6, "masquerade"), 2);
}
END_TEST

/* Its interface must be told again to route loopback addresses. */
START_TEST(a_pod_made_anew_is_a_change)
{
	struct attachment *a = attachment("c2", "10.0.0.2", "", port("", 80, IPPROTO_TCP));
	_cleanup_free_ char *before = NULL, *after = NULL;

	add("c1", "10.0.0.2", "", port("", 80, IPPROTO_TCP));
	before = rules(true);
	a->ifindex = 8;
	ck_assert_int_eq(endpoints_add(&eps, &a, NULL, NULL), 0);
	after = rules(true);
	ck_assert_str_ne(before, after);
}
END_TEST

START_TEST(agents_side_by_side_have_tables_of_their_own)
{
	static const char *const dirs[] = { "/run/weir", "/run/weir2", "/tmp/a/run", "/tmp/b/run" };
	struct nat n[ARRAY_SIZE(dirs)];

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		ck_assert_int_eq(nat_init(&n[i], &(struct config){ .run_dir = (char *)dirs[i] }, NULL), 0);
		ck_assert(i ? str_prefix(n[i].table, "weir_") : streq(n[i].table, "weir"));
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(n[k].table, n[i].table);
	}
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		nat_done(&n[i]);
}
END_TEST

static int check(const char *id, struct port_mapping pm, struct err *reterr)
{
	_cleanup_(attachment_freep) struct attachment *a = attachment(id, "10.0.0.3", "", pm);

	return nat_check(&eps, a, reterr);
}

START_TEST(one_host_port_leads_to_one_pod)
{
	static const struct {
		const char *has, *wants;
		bool taken;
	} cases[] = {
		{ "", "", true },
		{ "", "192.0.2.1", true },
		{ "192.0.2.1", "", true },
		{ "", "2001:db8::1", true },
		{ "::", "0.0.0.0", true },
		{ "0.0.0.0", "192.0.2.1", true },
		{ "192.0.2.1", "0.0.0.0", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "2001:db8::1", "2001:db8::1", true },
		{ "127.0.0.1", "192.0.2.1", false },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "2001:db8::1", "2001:db8::2", false },
		{ "0.0.0.0", "2001:db8::1", false },
		{ "2001:db8::1", "0.0.0.0", false },
		{ "192.0.2.1", "2001:db8::1", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct port_mapping wants = port(cases[i].wants, 80, IPPROTO_TCP);

		add("c1", "10.0.0.2", "", port(cases[i].has, 80, IPPROTO_TCP));
		ck_assert_msg(check("c2", wants, NULL) == (cases[i].taken ? -EADDRINUSE : 0), "\"%s\" after \"%s\"",
			      cases[i].wants, cases[i].has);
		ck_assert_int_eq(check("c1", wants, NULL), 0); /* its own */
		wants.host_port++;
		ck_assert_int_eq(check("c2", wants, NULL), 0);
		wants = port(cases[i].wants, 80, IPPROTO_UDP);
		ck_assert_int_eq(check("c2", wants, NULL), 0);
		endpoints_done(&eps);
	}
}
END_TEST

START_TEST(a_conflict_says_with_whom)
{
	struct attachment *pod = attachment("c1", "10.0.0.2", "", port("", 80, IPPROTO_TCP));
	struct err e = {};

	pod->pod_namespace = strdup("a");
	pod->pod_name = strdup("server");
	ck_assert_int_eq(endpoints_add(&eps, &pod, NULL, NULL), 0);
	add("c2", "10.0.0.3", "", port("", 81, IPPROTO_UDP));
	ck_assert_int_eq(check("c3", port("", 80, IPPROTO_TCP), &e), -EADDRINUSE);
	ck_assert_str_eq(e.msg, "host port 80/tcp is taken by a/server");
	ck_assert_int_eq(check("c3", port("", 81, IPPROTO_UDP), &e), -EADDRINUSE);
	ck_assert_str_eq(e.msg, "host port 81/udp is taken by /c2");
	endpoints_done(&eps);
}
END_TEST

UNIT_MAIN(nat, the_whole_table, masquerading_can_be_off, a_host_ip_is_what_it_stands_for,
	  a_pod_of_one_family_is_reached_by_that_one, a_pod_made_anew_is_a_change,
	  agents_side_by_side_have_tables_of_their_own, one_host_port_leads_to_one_pod, a_conflict_says_with_whom)
