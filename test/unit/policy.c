// SPDX-License-Identifier: Apache-2.0
/*
 * The compiler over time: after each of many random edits its result must say what a new compiler says, and what the
 * map writer relies on must hold: a number keeps its meaning, and a rule set changes only by identities that come and
 * go.
 */
#include <netinet/in.h>
#include <stdarg.h>

#include "lib/k8s/store.h"
#include "lib/policy/policy.h"
#include "test/unit.h"

#define STEPS 80
#define PODS 9
#define SPACES 3
#define POLICIES 6

static unsigned seed = 1;

static unsigned pick(unsigned n)
{
	return rand_r(&seed) / 7 % n;
}

static const char *one_of(unsigned n, const char *const *v)
{
	return v[pick(n)];
}
#define ONE_OF(...) one_of(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *), (const char *[]){ __VA_ARGS__ })

static void load(struct k8s_store *s, const char *source, char *text)
{
	struct k8s_problems p = {};

	ck_assert_int_eq(k8s_store_load_file(s, source, text, strlen(text), &p), 0);
	ck_assert_msg(p.n_errors == 0, "%s", p.n ? p.v[0].text : "");
	k8s_problems_done(&p);
	free(text);
}

static void _printf_(3, 4) put(struct k8s_store *s, const char *source, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	ck_assert_int_ge(vasprintf(&text, fmt, ap), 0);
	va_end(ap);
	load(s, source, text);
}

static void edit_pod(struct k8s_store *s)
{
	unsigned i = pick(PODS);
	char source[16];

	snprintf(source, sizeof(source), "pod%u", i);
	if (!pick(5)) {
		k8s_store_remove_source(s, source);
		return;
	}
	put(s, source,
	    "{apiVersion: v1, kind: Pod, metadata: {name: p%u, namespace: s%u, labels: {app: %s, tier: %s}}, spec: "
	    "{nodeName: %s, "
	    "hostNetwork: %s, containers: [{ports: [{containerPort: %s, name: %s}]}]}, status: {phase: %s, podIP: "
	    "10.0.%u.%u, "
	    "podIPs: [{ip: 10.0.%u.%u}, {ip: 'fd00::%u'}]}}",
	    i, i % SPACES, ONE_OF("a", "b", "c"), ONE_OF("'1'", "''"), ONE_OF("node1", "node2"),
	    ONE_OF("false", "false", "false", "true"), ONE_OF("80", "81"), ONE_OF("http", "dns"),
	    ONE_OF("Running", "Running", "Running", "Failed"), pick(2), i, pick(2), i, i);
}

static void edit_space(struct k8s_store *s)
{
	unsigned i = pick(SPACES);
	char source[16];

	snprintf(source, sizeof(source), "space%u", i);
	if (!pick(4))
		k8s_store_remove_source(s, source);
	else
		put(s, source, "{apiVersion: v1, kind: Namespace, metadata: {name: s%u, labels: {team: %s}}}", i,
		    ONE_OF("red", "blue"));
}

static void edit_node(struct k8s_store *s)
{
	put(s, "node",
	    "{apiVersion: v1, kind: Node, metadata: {name: node1}, status: {addresses: [{type: InternalIP, address: "
	    "192.168.0.%u}]}}",
	    pick(3));
}

static const char *peer(void)
{
	return ONE_OF(
	    "[]", "[{podSelector: {matchLabels: {app: a}}}]", "[{namespaceSelector: {matchLabels: {team: red}}}]",
	    "[{namespaceSelector: {}, podSelector: {matchLabels: {tier: ''}}}]", "[{ipBlock: {cidr: 10.0.0.0/24}}]",
	    "[{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.1.0/24, 10.0.0.3/32]}}]", "[{ipBlock: {cidr: 'fd00::/16'}}]",
	    "[{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [red]}]}}]",
	    "[{podSelector: {}}, {ipBlock: {cidr: 192.168.0.0/31}}]");
}

static const char *ports(void)
{
	return ONE_OF("[]", "[{port: 80}]", "[{port: http}]", "[{port: dns}, {port: 80, endPort: 82}]",
		      "[{protocol: UDP}]");
}

static void edit_policy(struct k8s_store *s)
{
	unsigned i = pick(POLICIES);
	char source[16];

	snprintf(source, sizeof(source), "policy%u", i);
	if (!pick(5)) {
		k8s_store_remove_source(s, source);
		return;
	}
	put(s, source,
	    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: n%u, namespace: s%u, "
	    "annotations: "
	    "{weir.io/audit: '%s'}}, spec: {podSelector: %s, policyTypes: %s, ingress: [{from: %s, ports: %s}, {from: "
	    "%s, ports: "
	    "%s}], egress: [{to: %s, ports: %s}]}}",
	    i, pick(SPACES), ONE_OF("false", "false", "true"),
	    ONE_OF("{}", "{matchLabels: {app: a}}", "{matchLabels: {app: b}}"),
	    ONE_OF("[Ingress]", "[Egress]", "[Ingress, Egress]"), peer(), ports(), peer(), ports(), peer(), ports());
}

static void edit(struct k8s_store *s)
{
	static void (*const edits[])(struct k8s_store *) = { edit_pod,    edit_pod,    edit_pod,   edit_pod,
							     edit_policy, edit_policy, edit_space, edit_node };

	for (unsigned n = 1 + pick(3); n; n--)
		edits[pick(ARRAY_SIZE(edits))](s);
}

static bool half(void *userdata, const char *ns _unused_, const char *name)
{
	return (name[1] - '0') % 2 == *(const int *)userdata;
}

/* "s0/n1,s2/n3", with ! for a default deny. */
static char *names(const struct policy_result *r, uint32_t number, enum weir_dir dir)
{
	const struct policy_rule *rule = policy_result_rule(r, number, dir);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert(rule || number < WEIR_RULE_FIRST);
	fprintf(f, "%s", !rule ? "open" : rule->default_deny ? "!" : "");
	for (size_t i = 0; rule && i < rule->n_policies; i++)
		fprintf(f, "%s/%s,", rule->policies[i].ns, rule->policies[i].name);
	fclose(f);
	return text;
}

static uint32_t identity_of(const struct policy_result *r, const struct weir_addr *a)
{
	return policy_result_ipcache(r, a)->identity;
}

static void same_verdict(const struct policy_result *a, const struct policy_result *b, size_t pod,
			 const struct weir_addr *peer_addr, uint8_t proto, uint16_t port)
{
	for (enum weir_dir dir = WEIR_EGRESS; dir <= WEIR_INGRESS; dir++) {
		uint32_t rule_a, rule_b;
		bool x =
		    policy_ruleset_lookup(a->pods[pod]->ruleset, dir, identity_of(a, peer_addr), proto, port, &rule_a);
		bool y =
		    policy_ruleset_lookup(b->pods[pod]->ruleset, dir, identity_of(b, peer_addr), proto, port, &rule_b);
		_cleanup_free_ char *p = names(a, rule_a, dir), *q = names(b, rule_b, dir);

		ck_assert_msg(x == y, "%s/%s dir %d proto %u port %u: %d, from scratch %d", a->pods[pod]->ns,
			      a->pods[pod]->name, dir, proto, port, x, y);
		ck_assert_str_eq(p, q);
	}
}

static void same_pod(const struct policy_result *a, const struct policy_result *b, size_t pod)
{
	static const uint16_t port_list[] = { 53, 80, 81, 82, 9999 };

	ck_assert_str_eq(a->pods[pod]->name, b->pods[pod]->name);
	ck_assert(!a->pods[pod]->ruleset == !b->pods[pod]->ruleset);
	if (!a->pods[pod]->ruleset)
		return;
	ck_assert_uint_eq(a->pods[pod]->ruleset->flags, b->pods[pod]->ruleset->flags);
	ck_assert_uint_eq(a->pods[pod]->ruleset->n_entries, b->pods[pod]->ruleset->n_entries);
	for (size_t i = 0; i < b->n_ipcache; i++)
		for (size_t k = 0; k < ARRAY_SIZE(port_list); k++) {
			same_verdict(a, b, pod, &b->ipcache[i].prefix.addr, IPPROTO_TCP, port_list[k]);
			same_verdict(a, b, pod, &b->ipcache[i].prefix.addr, IPPROTO_UDP, port_list[k]);
		}
}

/* All that a result promises about itself. */
static void well_formed(const struct policy_result *r)
{
	for (size_t i = 1; i < r->n_identities; i++)
		ck_assert_uint_lt(r->identities[i - 1].number, r->identities[i].number);
	for (size_t i = 1; i < r->n_ipcache; i++)
		ck_assert_int_lt(prefix_cmp(&r->ipcache[i - 1].prefix, &r->ipcache[i].prefix), 0);
	for (size_t i = 1; i < r->n_rulesets; i++)
		ck_assert_uint_lt(r->rulesets[i - 1]->number, r->rulesets[i]->number);
	for (size_t i = 0; i < r->n_rulesets; i++) {
		const struct policy_ruleset *rs = r->rulesets[i];

		for (size_t k = 0; k < rs->n_entries; k++) {
			const struct policy_entry *e = &rs->entries[k];

			ck_assert_ptr_nonnull(policy_result_rule(r, e->rule, e->dir));
			if (k)
				ck_assert(e[-1].dir < e->dir || (e[-1].dir == e->dir && e[-1].identity <= e->identity));
		}
		for (int dir = 0; dir < 2; dir++)
			if (rs->deny_rule[dir])
				ck_assert(policy_result_rule(r, rs->deny_rule[dir], dir)->default_deny);
	}
}

static void same_result(const struct policy_result *a, const struct policy_result *b)
{
	well_formed(a);
	ck_assert_uint_eq(a->n_pods, b->n_pods);
	ck_assert_uint_eq(a->n_ipcache, b->n_ipcache);
	ck_assert_uint_eq(a->n_identities, b->n_identities);
	ck_assert_uint_eq(a->n_rulesets, b->n_rulesets);
	ck_assert_uint_ge(a->n_rules, b->n_rules); /* a rule stays as long as the rule set that once used it */
	for (size_t i = 0; i < a->n_ipcache; i++) {
		ck_assert_int_eq(prefix_cmp(&a->ipcache[i].prefix, &b->ipcache[i].prefix), 0);
		ck_assert_uint_eq(a->ipcache[i].flags, b->ipcache[i].flags);
		ck_assert_int_eq(!a->ipcache[i].pod, !b->ipcache[i].pod);
		if (a->ipcache[i].pod)
			ck_assert_str_eq(a->ipcache[i].pod->name, b->ipcache[i].pod->name);
	}
	for (size_t i = 0; i < a->n_pods; i++)
		same_pod(a, b, i);
}

/* What the map writer has in the maps: rule sets and identities by number. */
struct memory {
	size_t n_rulesets, n_ids;
	struct policy_ruleset *rulesets;
	struct {
		uint32_t number;
		char *labels;
	} * ids;
};

static char *label_text(const struct policy_identity *i)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (const char *const *l = i->labels; *l; l++)
		fprintf(f, "%s;", *l);
	fclose(f);
	return text;
}

static void forget(struct memory *m)
{
	for (size_t i = 0; i < m->n_rulesets; i++)
		free((void *)m->rulesets[i].entries);
	for (size_t i = 0; i < m->n_ids; i++)
		free(m->ids[i].labels);
	free(m->rulesets);
	free(m->ids);
	*m = (struct memory){};
}

static void remember(struct memory *m, const struct policy_result *r)
{
	forget(m);
	m->rulesets = calloc(r->n_rulesets + 1, sizeof(*m->rulesets));
	m->ids = calloc(r->n_identities + 1, sizeof(*m->ids));
	for (size_t i = 0; i < r->n_rulesets; i++) {
		size_t size = r->rulesets[i]->n_entries * sizeof(struct policy_entry);

		m->rulesets[i] = *r->rulesets[i];
		m->rulesets[i].entries = memcpy(malloc(size + 1), r->rulesets[i]->entries ?: (void *)"", size);
	}
	for (size_t i = 0; i < r->n_identities; i++) {
		m->ids[i].number = r->identities[i].number;
		m->ids[i].labels = label_text(&r->identities[i]);
	}
	m->n_rulesets = r->n_rulesets;
	m->n_ids = r->n_identities;
}

static bool knows(const struct memory *m, uint32_t identity)
{
	for (size_t i = 0; i < m->n_ids; i++)
		if (m->ids[i].number == identity)
			return true;
	return identity == WEIR_ID_ANY;
}

static bool alive(const struct policy_result *r, uint32_t identity)
{
	for (size_t i = 0; i < r->n_identities; i++)
		if (r->identities[i].number == identity)
			return true;
	return identity == WEIR_ID_ANY;
}

/* Entries of identities that are in both must be the same. */
static void only_identities_changed(const struct memory *m, const struct policy_ruleset *old,
				    const struct policy_result *r, const struct policy_ruleset *new)
{
	size_t i = 0, k = 0;

	ck_assert_uint_eq(old->flags, new->flags);
	for (;;) {
		while (i < old->n_entries && !alive(r, old->entries[i].identity))
			i++;
		while (k < new->n_entries && !knows(m, new->entries[k].identity))
			k++;
		if (i == old->n_entries || k == new->n_entries)
			break;
		ck_assert_mem_eq(&old->entries[i++], &new->entries[k++], sizeof(struct policy_entry));
	}
	ck_assert(i == old->n_entries && k == new->n_entries);
}

static void numbers_keep_their_meaning(const struct memory *m, const struct policy_result *r)
{
	for (size_t i = 0; i < m->n_ids; i++)
		for (size_t k = 0; k < r->n_identities; k++) {
			_cleanup_free_ char *text = label_text(&r->identities[k]);

			if (m->ids[i].number == r->identities[k].number)
				ck_assert_str_eq(m->ids[i].labels, text);
		}
	for (size_t i = 0; i < m->n_rulesets; i++)
		for (size_t k = 0; k < r->n_rulesets; k++)
			if (m->rulesets[i].number == r->rulesets[k]->number)
				only_identities_changed(m, &m->rulesets[i], r, r->rulesets[k]);
}

static const struct policy_result *run(struct policy_compiler *c, const struct k8s_store *s, int *parity)
{
	const struct policy_result *r;
	struct err e;

	ck_assert_int_eq(policy_compiler_run(c, s, "node1", parity ? half : NULL, parity, &r, &e), 0);
	return r;
}

static void history(unsigned from)
{
	_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
	_cleanup_(policy_compiler_freep) struct policy_compiler *c = policy_compiler_new();
	int parity = from % 2, *local = from > 2 ? NULL : &parity; /* the answer for a pod stays the same */
	struct memory m = {};

	seed = from;
	for (unsigned i = 0; i < STEPS; i++) {
		_cleanup_(policy_compiler_freep) struct policy_compiler *fresh = policy_compiler_new();
		const struct policy_result *r;

		edit(s);
		r = run(c, s, local);
		same_result(r, run(fresh, s, local));
		numbers_keep_their_meaning(&m, r);
		remember(&m, r);
	}
	forget(&m);
}

START_TEST(edits_give_what_a_new_compiler_gives)
{
	for (unsigned i = 1; i <= 4; i++)
		history(i);
}
END_TEST

static bool as_told(void *userdata, const char *ns, const char *name)
{
	(void)ns, (void)name;
	return *(const bool *)userdata;
}

/* Who is local is asked once for each version of a pod, so that a registration must make one. */
START_TEST(a_registration_asks_again_who_is_local)
{
	static const char text[] =
	    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"a\",\"name\":\"p\"},"
	    "\"spec\":{\"containers\":[]}}";
	_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
	_cleanup_(policy_compiler_freep) struct policy_compiler *c = policy_compiler_new();
	struct weir_addr addr[2] = { addr_from_v4(0x0100000a) };
	struct k8s_problems problems = {};
	const struct policy_result *r;
	bool local = false;

	ck_assert_int_eq(k8s_store_load_file(s, "f", text, sizeof(text) - 1, &problems), 0);
	k8s_problems_done(&problems);
	for (int turn = 0; turn < 4; turn++, local = !local) {
		static const struct weir_addr none[2];

		ck_assert_int_eq(k8s_store_set_pod_address(s, "a", "p", local ? addr : none), 0);
		ck_assert_int_eq(policy_compiler_run(c, s, "node1", as_told, &local, &r, NULL), 0);
		ck_assert_uint_eq(r->n_pods, 1);
		ck_assert(!r->pods[0]->ruleset == !local);
	}
}
END_TEST

/* 1,100 peers by 1,000 ports are more than a map has. That pod is cut off, and nobody else is. */
START_TEST(too_many_entries_cut_off_one_pod)
{
	_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
	_cleanup_(policy_compiler_freep) struct policy_compiler *c = policy_compiler_new();
	static const char pod[] =
	    "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: a, labels: {app: %s, x: %s}}\n"
	    "spec: {containers: []}\nstatus: {podIP: 10.0.%u.%u}\n---\n";
	static const char policy[] =
	    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s, namespace: a}\n"
	    "spec:\n  podSelector: {matchLabels: {app: %s}}\n  ingress:\n  - from: [{podSelector: "
	    "{matchExpressions: [{key: x, operator: NotIn, values: [none]}]}}]\n    ports:\n";
	const struct policy_result *r;
	size_t len;

	for (unsigned round = 0; round < 2; round++) {
		char *text = NULL;
		FILE *f = open_memstream(&text, &len);

		for (unsigned i = 0; i < 1100; i++) {
			char name[8];

			snprintf(name, sizeof(name), "p%u", i);
			fprintf(f, pod, name, i == 0 ? "much" : i == 1 ? "little" : "none", name, i >> 8, i & 255);
		}
		fprintf(f, policy, "little", "little");
		fprintf(f, "    - port: 80\n---\n");
		fprintf(f, policy, "much", "much");
		for (unsigned i = 0; i < (round ? 1 : 1000); i++)
			fprintf(f, "    - port: %u\n", 2 * i + 1);
		fclose(f);
		load(s, "f", text);
		r = run(c, s, NULL);
		for (size_t i = 0; i < r->n_pods; i++) {
			const struct policy_ruleset *rs = r->pods[i]->ruleset;
			bool much = streq(r->pods[i]->name, "p0");

			ck_assert_int_eq(rs->too_large, much && round == 0);
			if (much || streq(r->pods[i]->name, "p1")) {
				ck_assert(rs->flags & WEIR_EP_ISOLATED_INGRESS);
				ck_assert_int_eq(rs->n_entries > 0, !rs->too_large);
			}
		}
	}
}
END_TEST

START_TEST(nothing_changes_without_a_change)
{
	_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
	_cleanup_(policy_compiler_freep) struct policy_compiler *c = policy_compiler_new();
	struct memory m = {};

	seed = 5;
	for (unsigned i = 0; i < 40; i++)
		edit(s);
	remember(&m, run(c, s, NULL));
	for (unsigned i = 0; i < 3; i++) {
		const struct policy_result *r = run(c, s, NULL);

		ck_assert_uint_eq(r->n_rulesets, m.n_rulesets);
		ck_assert_uint_eq(r->n_identities, m.n_ids);
		numbers_keep_their_meaning(&m, r);
	}
	forget(&m);
}
END_TEST

START_TEST(reserved_numbers_are_not_given_out)
{
	_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
	_cleanup_(policy_compiler_freep) struct policy_compiler *c = policy_compiler_new();
	const struct policy_result *r;

	put(s, "f", "%s", "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: x}, status: {podIP: 10.0.0.1}}");
	put(s, "g", "%s",
	    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: x}, spec: "
	    "{ingress: "
	    "[{}]}}");
	policy_compiler_reserve(c, 1000, 77);
	r = run(c, s, NULL);
	ck_assert_uint_eq(r->n_rulesets, 1);
	ck_assert_uint_eq(r->rulesets[0]->number, 77);
	ck_assert_uint_eq(r->rulesets[0]->entries[0].rule, 1000);
	ck_assert_uint_eq(r->rulesets[0]->entries[0].prefixlen, WEIR_POLICY_PREFIX_ANY);
	ck_assert_uint_eq(r->rulesets[0]->deny_rule[WEIR_INGRESS], 77 | WEIR_RULE_DEFAULT_DENY);
	ck_assert_uint_eq(r->rulesets[0]->deny_rule[WEIR_EGRESS], 0);
}
END_TEST

START_TEST(addresses_of_this_node)
{
	_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
	_cleanup_(policy_compiler_freep) struct policy_compiler *c = policy_compiler_new();
	struct weir_addr own, pod, other;
	const struct policy_result *r;

	ck_assert(!addr_parse("192.168.7.7", &own) && !addr_parse("10.0.0.1", &pod) &&
		  !addr_parse("192.168.0.1", &other));
	put(s, "f", "%s", "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: x}, status: {podIP: 10.0.0.1}}");
	put(s, "g", "%s",
	    "{apiVersion: v1, kind: Node, metadata: {name: node2}, status: {addresses: [{type: InternalIP, address: "
	    "192.168.0.1}, {type: InternalIP, address: 10.0.0.1}]}}");
	ck_assert_int_eq(policy_compiler_set_host_addrs(c, &own, 1), 0);
	r = run(c, s, NULL);
	ck_assert_uint_eq(identity_of(r, &own), WEIR_ID_HOST);
	ck_assert_uint_eq(policy_result_ipcache(r, &own)->flags, WEIR_IPC_HOST);
	ck_assert_uint_eq(identity_of(r, &other), WEIR_ID_REMOTE_NODE);
	ck_assert_uint_eq(policy_result_ipcache(r, &other)->flags, 0);
	ck_assert_uint_ge(identity_of(r, &pod), WEIR_ID_FIRST); /* a node cannot take a pod's address */
	ck_assert_ptr_nonnull(policy_result_ipcache(r, &pod)->pod);
	/* With a prefix that a policy names around it, it is still the host, under another number. */
	put(s, "h", "%s",
	    "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: np, namespace: x}, spec: "
	    "{ingress: "
	    "[{from: [{ipBlock: {cidr: 192.168.0.0/16}}]}]}}");
	r = run(c, s, NULL);
	ck_assert_uint_ge(identity_of(r, &own), WEIR_ID_FIRST);
	ck_assert_uint_eq(policy_result_ipcache(r, &own)->flags, WEIR_IPC_HOST);
	ck_assert_uint_eq(r->identities[r->n_identities - 1].kind, POLICY_ID_NODE);
}
END_TEST

UNIT_MAIN(policy, a_registration_asks_again_who_is_local, edits_give_what_a_new_compiler_gives,
	  too_many_entries_cut_off_one_pod, nothing_changes_without_a_change, reserved_numbers_are_not_given_out,
	  addresses_of_this_node)
