// SPDX-License-Identifier: Apache-2.0
/* The map writer with an ipcache that is too small: who is cut off, who is not, and that nobody is allowed more for it.
 */
#include "test/bpf/world.h"

#include <bpf/bpf.h>

#include "agent/maps.h"
#include "lib/k8s/store.h"

#define OWN "192.0.2.1" /* the node's address */

static struct {
	struct maps_fds fd;
	struct maps *maps;
	struct k8s_store *store;
	struct policy_compiler *compiler;
	const struct policy_result *result;
	struct endpoints eps;
} t;

static int make_map(enum bpf_map_type type, uint32_t key, uint32_t val, uint32_t max)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = type == BPF_MAP_TYPE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0);
	int fd = bpf_map_create(type, "weir_test", key, val, max, &o);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* room: entries of the ipcache, 0.0.0.0/0, ::/0 and the node's own address among them. */
static void start(uint32_t room)
{
	struct weir_addr own;

	t.fd = (struct maps_fds){
		.node = make_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct weir_node), 1),
		.ep = make_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(struct weir_ep), WEIR_EP_MAX),
		.ep_if = make_map(BPF_MAP_TYPE_HASH, 4, 4, WEIR_EP_MAX),
		.ipcache =
		    make_map(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct weir_lpm_key), sizeof(struct weir_ipcache), room + 1),
		.policy = make_map(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct weir_policy_key),
				   sizeof(struct weir_policy_val), 100),
		.deny = make_map(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct weir_lpm_key), sizeof(struct weir_deny), 1),
	};
	ck_assert_int_eq(maps_new(&t.fd, &t.maps, NULL), 0);
	t.store = k8s_store_new();
	t.compiler = policy_compiler_new();
	ck_assert(t.store && t.compiler);
	ck_assert_int_eq(addr_parse(OWN, &own), 0);
	ck_assert_int_eq(policy_compiler_set_host_addrs(t.compiler, &own, 1), 0);
}

static void stop(void)
{
	const int fds[] = { t.fd.node, t.fd.ep, t.fd.ep_if, t.fd.ipcache, t.fd.policy, t.fd.deny };

	policy_compiler_free(t.compiler);
	k8s_store_free(t.store);
	maps_free(t.maps);
	endpoints_done(&t.eps);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void _printf_(2, 3) put(const char *source, const char *fmt, ...)
{
	struct k8s_problems p = {};
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	ck_assert_int_ge(vasprintf(&text, fmt, ap), 0);
	va_end(ap);
	ck_assert_int_eq(k8s_store_load_file(t.store, source, text, strlen(text), &p), 0);
	ck_assert_msg(p.n_errors == 0, "%s", p.n ? p.v[0].text : "");
	k8s_problems_done(&p);
}

static void put_pod(const char *name, const char *ip)
{
	put(name,
	    "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: a}, spec: {containers: [{name: c}]}, "
	    "status: {phase: Running, podIP: %s}}",
	    name, ip);
}

static void put_peers(int n)
{
	char name[16], ip[16];

	for (int i = 1; i <= n; i++) {
		snprintf(name, sizeof(name), "peer%d", i);
		snprintf(ip, sizeof(ip), "10.9.0.%d", i);
		put_pod(name, ip);
	}
}

static void put_policy(const char *cidr, const char *except)
{
	put("policy",
	    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: a}, spec: "
	    "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: %s, except: [%s]}}]}]}}",
	    cidr, except);
}

/* A pod of this node; name NULL: one outside Kubernetes. */
static struct endpoint *add_local(const char *name, const char *ip)
{
	struct attachment *a = calloc(1, sizeof(*a));
	struct endpoint *ep;

	ck_assert(a);
	a->container_id = strdup(ip);
	a->ifname = strdup("eth0");
	a->pod_namespace = name ? strdup("a") : NULL;
	a->pod_name = name ? strdup(name) : NULL;
	a->ifindex = HASH_COUNT(t.eps.by_key) + 1;
	ck_assert_int_eq(addr_parse(ip, &a->addr[0]), 0);
	ck_assert_int_eq(endpoints_add(&t.eps, &a, &ep, NULL), 0);
	if (name)
		put_pod(name, ip);
	return ep;
}

static bool is_local(_unused_ void *userdata, const char *ns, const char *name)
{
	return endpoints_find_pod(&t.eps, ns, name);
}

/* How much did not fit. What the pass replaced is still there. */
static int pass(void)
{
	struct err e = {};
	int r;

	ck_assert_msg(policy_compiler_run(t.compiler, t.store, "n", is_local, NULL, &t.result, &e) == 0, "%s", e.msg);
	r = maps_apply(t.maps, t.result, &t.eps, &e);
	ck_assert_msg(r >= 0, "%s", e.msg);
	ck_assert_int_eq(!maps_problem(t.maps), !r);
	return r;
}

static int apply(void)
{
	int r = pass();

	maps_sweep(t.maps);
	return r;
}

/* The identity in force of an address: what the map says, not what the writer believes. */
static uint32_t identity_of(const char *ip)
{
	struct weir_lpm_key k = { .prefixlen = 128 };
	struct weir_ipcache v;

	ck_assert_int_eq(addr_parse(ip, &k.addr), 0);
	if (bpf_map_lookup_elem(t.fd.ipcache, &k, &v) < 0)
		return WEIR_ID_ANY;
	return v.identity[maps_generation(t.maps) & 1];
}

static bool is_allowed(const char *ip)
{
	uint32_t rule;

	ck_assert_uint_eq(t.result->n_rulesets, 1);
	return policy_ruleset_lookup(t.result->rulesets[0], WEIR_INGRESS, identity_of(ip), IPPROTO_TCP, 80, &rule);
}

static bool is_ready(const struct endpoint *ep)
{
	struct weir_ep v;

	ck_assert_int_eq(bpf_map_lookup_elem(t.fd.ep, &ep->slot, &v), 0);
	ck_assert_uint_eq(v.ifindex, ep->attachment->ifindex);
	return v.side[maps_generation(t.maps) & 1].flags & WEIR_EP_READY;
}

/* With the switch, not with the sweep after it; also when some endpoints have one address. */
START_TEST(who_is_gone_has_no_identity_any_more)
{
	start(7);
	put_pod("peer", "10.9.0.9");
	add_local(NULL, "10.9.0.5");
	add_local(NULL, "::ffff:10.9.0.5");
	for (int i = 0; i < 2; i++) /* so that both sides know the peer */
		ck_assert_int_eq(apply(), 0);
	ck_assert_uint_eq(maps_counts(t.maps).ipcache, 5);
	ck_assert_uint_ge(identity_of("10.9.0.9"), WEIR_ID_FIRST);
	k8s_store_remove_source(t.store, "peer");
	ck_assert_int_eq(pass(), 0);
	ck_assert_uint_eq(identity_of("10.9.0.9"), WEIR_ID_WORLD);
	stop();
}
END_TEST

START_TEST(a_full_ipcache_costs_peers_before_pods_of_the_node)
{
	struct endpoint *local[2];
	uint32_t generation;

	start(7);
	put_peers(9);
	local[0] = add_local("local", "10.9.0.200"); /* behind the peers in every order */
	local[1] = add_local("local2", "10.9.0.201");
	ck_assert_int_eq(apply(), 7);
	ck_assert_ptr_nonnull(strstr(maps_problem(t.maps), "7 address(es) do not fit"));
	ck_assert_uint_eq(maps_counts(t.maps).ipcache, 7);
	for (int i = 0; i < 2; i++)
		ck_assert(is_ready(local[i]) && local[i]->ready);
	ck_assert_uint_eq(identity_of(OWN), WEIR_ID_HOST);
	ck_assert_uint_ge(identity_of("10.9.0.2"), WEIR_ID_FIRST);
	ck_assert_uint_eq(identity_of("10.9.0.3"), WEIR_ID_WORLD);
	generation = maps_generation(t.maps);
	ck_assert_int_eq(apply(), 7);
	ck_assert_uint_eq(maps_generation(t.maps), generation); /* nothing new: connections are not judged anew */
	k8s_store_remove_source(t.store, "peer1");
	ck_assert_int_eq(apply(), 7); /* it goes after the pass */
	ck_assert_int_eq(apply(), 6);
	ck_assert_uint_ge(identity_of("10.9.0.3"), WEIR_ID_FIRST);
	stop();
}
END_TEST

START_TEST(a_pod_of_the_node_that_does_not_fit_is_not_ready)
{
	struct endpoint *first, *late, *foreign;

	start(6);
	put_peers(2);
	first = add_local("first", "10.9.0.200");
	ck_assert_int_eq(apply(), 0);
	late = add_local("late", "10.9.0.201");
	foreign = add_local(NULL, "10.9.0.202");
	ck_assert_int_eq(apply(), 2);
	ck_assert(is_ready(first) && first->ready);
	ck_assert(!is_ready(late) && !late->ready);
	ck_assert(!is_ready(foreign) && !foreign->ready);
	put_policy("10.9.0.0/16", ""); /* the others live on, and by new policies */
	ck_assert_int_eq(apply(), 3);
	ck_assert(is_ready(first) && is_allowed("10.9.0.1"));
	ck_assert(!is_allowed("10.9.0.77"));
	for (int i = 1; i <= 2; i++)
		k8s_store_remove_source(t.store, i == 1 ? "peer1" : "peer2");
	k8s_store_remove_source(t.store, "policy");
	apply();
	ck_assert_int_eq(apply(), 0);
	ck_assert(is_ready(late) && late->ready);
	ck_assert(is_ready(foreign) && foreign->ready);
	stop();
}
END_TEST

START_TEST(an_exception_that_does_not_fit_allows_nobody)
{
	static const char *const excepts[] = { "10.1.0.0/16", "10.1.2.3/32" };

	for (size_t i = 0; i < ARRAY_SIZE(excepts); i++) {
		uint32_t generation;

		start(6);
		add_local("local", "10.9.0.200");
		put_peers(1);
		ck_assert_int_eq(apply(), 0);
		put_policy("10.0.0.0/8", excepts[i]);
		ck_assert_int_eq(apply(), 1);
		ck_assert(!is_allowed("10.1.2.3"));
		ck_assert(!is_allowed("10.2.2.2")); /* the price */
		ck_assert(is_allowed("10.9.0.1"));  /* whose entry is exact */
		generation = maps_generation(t.maps);
		ck_assert_int_eq(apply(), 1);
		ck_assert_uint_eq(maps_generation(t.maps), generation);
		k8s_store_remove_source(t.store, "peer1");
		apply();
		ck_assert_int_eq(apply(), 0);
		ck_assert(!is_allowed("10.1.2.3"));
		ck_assert(is_allowed("10.2.2.2"));
		stop();
	}
}
END_TEST

/* A peer's own address is the exception, and the peer finds no room. */
START_TEST(an_excepted_peer_that_does_not_fit_is_not_allowed_by_the_range_around_it)
{
	start(5);
	add_local("local", "10.9.0.200");
	ck_assert_int_eq(apply(), 0);
	put_pod("peer", "10.1.2.3");
	put_policy("10.0.0.0/8", "10.1.2.3/32");
	ck_assert_int_eq(apply(), 1);
	ck_assert(!is_allowed("10.1.2.3"));
	stop();
}
END_TEST

TCase *tests_maps(void)
{
	const TTest *const tests[] = {
		who_is_gone_has_no_identity_any_more,
		a_full_ipcache_costs_peers_before_pods_of_the_node,
		a_pod_of_the_node_that_does_not_fit_is_not_ready,
		an_exception_that_does_not_fit_allows_nobody,
		an_excepted_peer_that_does_not_fit_is_not_allowed_by_the_range_around_it,
	};
	TCase *tc = tcase_create("maps");

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	return tc;
}
