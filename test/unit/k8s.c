// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>

#include "lib/k8s/store.h"
#include "test/unit.h"

#define POLICY(spec) \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\nspec: " spec "\n"
#define POD "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x, labels: {app: web}}\n"

static struct k8s_store *store;
static struct k8s_problems problems;

static void begin(void)
{
	store = k8s_store_new();
	ck_assert_ptr_nonnull(store);
}

static void end(void)
{
	k8s_store_free(store);
	k8s_problems_done(&problems);
}

/* Loads and returns the number of errors. */
static size_t load_as(const char *source, const char *text)
{
	k8s_problems_done(&problems);
	ck_assert_int_eq(k8s_store_load_file(store, source, text, strlen(text), &problems), 0);
	return problems.n_errors;
}

static size_t load(const char *text)
{
	return load_as("f.yaml", text);
}

static const void *find(enum k8s_kind kind, const char *name)
{
	const struct k8s_entry *e = k8s_store_find(store, kind, k8s_kind_namespaced(kind) ? "x" : "", name);

	return e ? e->object : NULL;
}

static const struct k8s_network_policy *policy(void)
{
	return find(K8S_NETWORK_POLICY, "p");
}

/* One error, with this text. */
static void refused(const char *spec, const char *want)
{
	_cleanup_free_ char *text = NULL;

	begin();
	ck_assert_int_gt(asprintf(&text,
				  "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
				  "metadata: {name: p, namespace: x}\nspec: %s\n",
				  spec),
			 0);
	ck_assert_msg(load(text) == 1, "%zu errors in %s: %s", problems.n_errors, spec,
		      problems.n ? problems.v[0].text : "");
	ck_assert_msg(strstr(problems.v[0].text, want), "\"%s\" has no \"%s\"", problems.v[0].text, want);
	ck_assert(!policy() || policy()->broken);
	end();
}

START_TEST(what_the_api_server_refuses)
{
	refused("{podSelector: {}, ingress: [{from: [{}]}]}",
		"f.yaml:4: NetworkPolicy x/p: spec.ingress[0].from[0]: must have");
	refused("{ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}", "ipBlock stands alone");
	refused("{ingress: [{from: [{ipBlock: {}}]}]}", "spec.ingress[0].from[0].ipBlock.cidr: is missing");
	refused("{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0}}]}]}", "\"10.0.0.0\" is not a CIDR");
	refused("{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]}]}", "except[0]");
	refused("{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [0.0.0.0/0]}}]}]}", "except[0]");
	refused("{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}]}]}", "except[0]");
	refused("{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: ['fd00::/64']}}]}]}", "except[0]");
	refused("{egress: [{to: [{ipBlock: {cidr: '::ffff:10.0.0.0/104', except: [10.1.0.0/16]}}]}]}", "except[0]");
	refused("{ingress: [{ports: [{endPort: 80}]}]}", "spec.ingress[0].ports[0].endPort: must not be given");
	refused("{ingress: [{ports: [{port: http, endPort: 80}]}]}", "endPort: must not be given");
	refused("{ingress: [{ports: [{port: 80, endPort: 79}]}]}", "79 is not a port from 80");
	refused("{ingress: [{ports: [{port: 0}]}]}", "0 is not a port");
	refused("{ingress: [{ports: [{port: 65536}]}]}", "65536 is not a port");
	refused("{ingress: [{ports: [{port: '80'}]}]}", "\"80\" is neither a number nor the name");
	refused("{ingress: [{ports: [{port: HTTP}]}]}", "\"HTTP\" is neither");
	refused("{ingress: [{ports: [{port: yes}]}]}", "must be a number or the name of a port");
	refused("{ingress: [{ports: [{protocol: tcp}]}]}", "\"tcp\" is none of");
	refused("{ingress: [{ports: [{protocol: ''}]}]}", "is none of");
	refused("{policyTypes: [Ingress, Egress, Ingress]}", "more than two");
	refused("{policyTypes: [ingress]}", "policyTypes[0]: \"ingress\" is neither");
	refused("{podSelector: {matchExpressions: [{key: a, operator: Gt, values: ['1']}]}}", "\"Gt\" is none of");
	refused("{podSelector: {matchExpressions: [{key: a, operator: in, values: ['1']}]}}", "\"in\" is none of");
	refused("{podSelector: {matchExpressions: [{key: a, operator: In}]}}", "values: must be given");
	refused("{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
		"must not be given with Exists");
	refused("{podSelector: {matchExpressions: [{operator: Exists}]}}", "key: is missing");
	refused("{podSelector: {matchLabels: {a: 1}}}", "matchLabels.a: is an integer and must be a string (quote it)");
	refused("{podSelector: {matchLabels: {a/b/c: x}}}", "not a valid label key");
	refused("{podSelector: {matchLabels: {a: 'b c'}}}", "\"b c\" is not a valid label value");
	refused("{ingress: [{form: []}]}", "spec.ingress[0].form: unknown field");
	refused("{ingress: {}}", "spec.ingress: is an object and must be a list");
	refused("{ingress: [x]}", "spec.ingress[0]: is a string and must be an object");
}
END_TEST

static void accepted(const char *spec)
{
	_cleanup_free_ char *text = NULL;

	begin();
	ck_assert_int_gt(asprintf(&text,
				  "{\"apiVersion\": \"networking.k8s.io/v1\", \"kind\": \"NetworkPolicy\", "
				  "\"metadata\": {\"name\": \"p\", \"namespace\": \"x\"}%s%s}",
				  *spec ? ", \"spec\": " : "", spec),
			 0);
	ck_assert_msg(load(text) == 0, "%s: %s", spec, problems.n ? problems.v[0].text : "");
	ck_assert(policy() && !policy()->broken);
	end();
}

START_TEST(what_the_api_server_takes)
{
	accepted("");
	accepted("null");
	accepted("{}");
	accepted("{\"podSelector\": null, \"ingress\": null, \"policyTypes\": null}");
	accepted("{\"policyTypes\": [\"Ingress\", \"Ingress\"]}");
	accepted("{\"ingress\": [null]}");
	accepted("{\"ingress\": [{\"from\": null, \"ports\": null}]}");
	accepted("{\"ingress\": [{\"from\": [{\"podSelector\": null, \"namespaceSelector\": {}}]}]}");
	accepted("{\"ingress\": [{\"ports\": [{}, null, {\"port\": null, \"protocol\": null}]}]}");
	accepted("{\"ingress\": [{\"from\": [{\"ipBlock\": {\"cidr\": \"10.0.0.7/8\", \"except\": "
		 "[\"010.1.0.0/016\"]}}]}]}");
	accepted("{\"ingress\": [{\"from\": [{\"ipBlock\": {\"cidr\": \"1.2.3.4/0\"}}]}]}");
	accepted("{\"ingress\": [{\"from\": [{\"ipBlock\": {\"cidr\": \"::ffff:10.0.0.0/104\"}}]}]}");
	accepted("{\"podSelector\": {\"matchLabels\": {\"a\": \"\"}, \"matchExpressions\": ["
		 "{\"key\": \"a\", \"operator\": \"In\", \"values\": [\"\"]}, {\"key\": \"a\", \"operator\": "
		 "\"DoesNotExist\"}]}}");
}
END_TEST

START_TEST(policy_types_default)
{
	begin();
	ck_assert_uint_eq(load(POLICY("{egress: [{}]}")), 0);
	ck_assert(policy()->isolates[WEIR_INGRESS] && policy()->isolates[WEIR_EGRESS]);
	ck_assert_uint_eq(load(POLICY("{egress: []}")), 0);
	ck_assert(policy()->isolates[WEIR_INGRESS] && !policy()->isolates[WEIR_EGRESS]);
	ck_assert_uint_eq(load(POLICY("{policyTypes: [Egress], ingress: [{}]}")), 0);
	ck_assert(!policy()->isolates[WEIR_INGRESS] && policy()->isolates[WEIR_EGRESS]);
	ck_assert_uint_eq(policy()->n_rules[WEIR_INGRESS], 0);
	ck_assert_uint_eq(problems.n, 1);
	ck_assert_int_eq(problems.v[0].severity, K8S_WARNING);
	end();
}
END_TEST

START_TEST(yaml_scalars_as_kubectl_reads_them)
{
	begin();
	ck_assert_uint_eq(load(POLICY("{ingress: [{ports: [{port: 0x50}, {port: 0100}, {port: 1e3}, {port: 8_0}, "
				      "{port: 0b11}, {port: 443.0}]}]}")),
			  0);
	ck_assert_uint_eq(policy()->rules[WEIR_INGRESS][0].ports[0].first, 80);
	ck_assert_uint_eq(policy()->rules[WEIR_INGRESS][0].ports[1].first, 64);
	ck_assert_uint_eq(policy()->rules[WEIR_INGRESS][0].ports[2].first, 1000);
	ck_assert_uint_eq(policy()->rules[WEIR_INGRESS][0].ports[3].first, 80);
	ck_assert_uint_eq(policy()->rules[WEIR_INGRESS][0].ports[4].first, 3);
	ck_assert_uint_eq(policy()->rules[WEIR_INGRESS][0].ports[5].first, 443);
	ck_assert_uint_eq(load(POD "spec: {hostNetwork: on, nodeName: ~}\n"), 0);
	ck_assert(((const struct k8s_pod *)find(K8S_POD, "a"))->host_network);
	ck_assert_uint_eq(load(POD "spec: {hostNetwork: 'true'}\n"), 1);
	ck_assert_uint_eq(load("apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {a: no}}\n"), 1);
	ck_assert_uint_eq(
	    load("apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {a: 'no', b: !!str 1, c: 1.2.3}}\n"), 0);
	end();
}
END_TEST

static void syntax(const char *text, unsigned line, const char *what)
{
	begin();
	ck_assert_uint_eq(load(text), 1);
	ck_assert_msg(strstr(problems.v[0].text, what), "%s", problems.v[0].text);
	ck_assert_uint_eq(problems.v[0].line, line);
	end();
}

START_TEST(hostile_texts)
{
	_cleanup_free_ char *deep = calloc(1, 4001);

	syntax("a: 1\na: 2\n", 2, "duplicate key \"a\"");
	syntax("{\"a\": 1,\n\"a\": 2}", 2, "duplicate");
	syntax("{\"kind\": \"X\", \"apiVersion\": \"v1\"}\n{\"b\": 1,\n", 3, "JSON");
	syntax("a: *b\n", 1, "unknown anchor");
	syntax("a: &a [*a]\n", 1, "contains itself");
	syntax("a: {b: c: d}\n", 1, "YAML");
	syntax("? [a]\n: b\n", 1, "not a scalar");
	syntax("a: !foo b\n", 1, "unknown tag");
	syntax("a: \"\\0\"\n", 1, "zero byte");
	memset(deep, '[', 2000);
	memset(deep + 2000, ']', 2000);
	begin();
	ck_assert_uint_eq(load(deep), 1);
	end();
	syntax("a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c "
	       "[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
	       "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
	       5, "beyond reason");
}
END_TEST

START_TEST(anchors_and_merge_keys)
{
	begin();
	ck_assert_uint_eq(
	    load(
		"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: x\n  labels: &l {app: web, t: '1'}\n"
		"---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: b, namespace: "
		"x, labels: &m {k: v}}}\n- apiVersion: v1\n  kind: Pod\n  metadata: {namespace: x, name: c, labels: "
		"{<<: "
		"*m, z: '2'}}\n"),
	    0);
	ck_assert_str_eq(k8s_labels_get(&((const struct k8s_object *)find(K8S_POD, "a"))->labels, "app"), "web");
	ck_assert_str_eq(k8s_labels_get(&((const struct k8s_object *)find(K8S_POD, "c"))->labels, "k"), "v");
	ck_assert_str_eq(k8s_labels_get(&((const struct k8s_object *)find(K8S_POD, "c"))->labels, "z"), "2");
	end();
}
END_TEST

START_TEST(services)
{
	const struct k8s_service *s;
	struct weir_addr a;

	begin();
	ck_assert_uint_eq(
	    load("apiVersion: v1\nkind: Service\nmetadata: {name: dual, namespace: x}\nspec: {clusterIP: 10.96.0.10, "
		 "clusterIPs: [10.96.0.10, 'fd00::a'], externalIPs: [192.0.2.7], ports: [{port: 80}], selector: {a: "
		 "b}}\n---\n"
		 "apiVersion: v1\nkind: Service\nmetadata: {name: old}\nspec: {clusterIP: 10.96.0.11}\n---\n"
		 "apiVersion: v1\nkind: Service\nmetadata: {name: headless}\nspec: {clusterIP: None, clusterIPs: "
		 "[None]}\n---\n"
		 "apiVersion: v1\nkind: Service\nmetadata: {name: bare}\n"),
	    0);
	s = find(K8S_SERVICE, "dual");
	ck_assert_uint_eq(s->n_addrs, 3);
	ck_assert_int_eq(addr_parse("fd00::a", &a), 0);
	ck_assert_int_eq(addr_cmp(&s->addrs[1], &a), 0);
	ck_assert_uint_eq(
	    ((const struct k8s_service *)k8s_store_find(store, K8S_SERVICE, "default", "old")->object)->n_addrs, 1);
	ck_assert_uint_eq(
	    ((const struct k8s_service *)k8s_store_find(store, K8S_SERVICE, "default", "headless")->object)->n_addrs,
	    0);
	ck_assert_uint_eq(
	    ((const struct k8s_service *)k8s_store_find(store, K8S_SERVICE, "default", "bare")->object)->n_addrs, 0);
	ck_assert_uint_eq(
	    load("apiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {clusterIPs: [10.96.0.300, 7]}\n"), 2);
	ck_assert(
	    strstr(problems.v[0].text, "Service default/bad: spec.clusterIPs[0]: \"10.96.0.300\" is not an address"));
	end();
}
END_TEST

START_TEST(lists_and_other_kinds)
{
	begin();
	ck_assert_uint_eq(
	    load("apiVersion: v1\nkind: PodList\nitems:\n- metadata: {name: a, namespace: x}\n- metadata: {name: B, "
		 "namespace: x}\n---\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"),
	    1);
	ck_assert(strstr(problems.v[0].text, "f.yaml:5: items[1].metadata.name: \"B\" is not a valid name"));
	ck_assert_int_eq(problems.v[1].severity, K8S_NOTICE);
	ck_assert_ptr_nonnull(find(K8S_POD, "a"));
	ck_assert_uint_eq(load("apiVersion: extensions/v1beta1\nkind: NetworkPolicy\nmetadata: {name: p}\n"), 1);
	ck_assert_uint_eq(load("apiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"), 0);
	ck_assert_uint_eq(load("kind: Pod\nmetadata: {name: p}\n"), 1);
	ck_assert_uint_eq(load("just text\n"), 1);
	end();
}
END_TEST

START_TEST(a_file_replaces_what_came_from_it)
{
	uint64_t before;

	begin();
	ck_assert_uint_eq(load(POD "---\n" POLICY("{}")), 0);
	before = k8s_store_changes(store, K8S_POD);
	ck_assert_uint_eq(load(POD "---\n" POLICY("{policyTypes: [Egress]}")), 0);
	ck_assert_uint_eq(k8s_store_changes(store, K8S_POD), before); /* the same text is no change */
	ck_assert(policy()->isolates[WEIR_EGRESS]);
	ck_assert_uint_eq(load(POLICY("{}")), 0);
	ck_assert_ptr_null(find(K8S_POD, "a"));
	ck_assert_uint_gt(k8s_store_changes(store, K8S_POD), before);
	k8s_store_remove_source(store, "f.yaml");
	ck_assert_ptr_null(policy());
	end();
}
END_TEST

START_TEST(broken_now_good_before)
{
	begin();
	ck_assert_uint_eq(load(POD "---\n" POLICY("{ingress: [{}]}")), 0);
	ck_assert_uint_eq(load(POD "---\n" POLICY("{ingress: [{form: []}]}")), 1);
	ck_assert(policy() && !policy()->broken && policy()->n_rules[WEIR_INGRESS] == 1);
	ck_assert_uint_eq(load(POLICY("{ingress: [{}]}") "---\nbroken: [\n"), 1);
	ck_assert_ptr_nonnull(find(K8S_POD, "a")); /* it may be what could not be read */
	ck_assert_uint_eq(load(POLICY("{ingress: [{}]}") "---\napiVersion: v1\nkind: Pod\nmetadata: {}\n"), 1);
	ck_assert_ptr_nonnull(find(K8S_POD, "a"));
	ck_assert_uint_eq(load(""), 0);
	ck_assert(!policy() && !find(K8S_POD, "a"));
	end();
}
END_TEST

/* No selector may meet a namespace for what it lacks as long as nobody can read what it has. */
START_TEST(broken_namespaces_have_unknown_labels)
{
	static const char good[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: red}}\n";
	static const char bad[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: 7}}\n";
	const char *red[] = { "red" }, *name[] = { "shop" };
	struct k8s_requirement r[] = { { "team", K8S_DOES_NOT_EXIST, 0, NULL },
				       { "team", K8S_NOT_IN, 1, red },
				       { "kubernetes.io/metadata.name", K8S_IN, 1, name } };
	const struct k8s_namespace *n;

	begin();
	ck_assert_uint_gt(load(bad), 0);
	n = find(K8S_NAMESPACE, "shop");
	ck_assert_ptr_nonnull(n);
	for (size_t i = 0; i < ARRAY_SIZE(r); i++)
		ck_assert_int_eq(k8s_selector_matches(&(struct k8s_selector){ 1, &r[i] }, &n->o.labels), i == 2);
	ck_assert_uint_eq(load(good), 0);
	ck_assert_uint_gt(load(bad), 0);
	n = find(K8S_NAMESPACE, "shop"); /* the last good one */
	ck_assert(!n->o.labels.unreadable && streq(k8s_labels_get(&n->o.labels, "team"), "red"));
	end();
}
END_TEST

START_TEST(broken_policies_isolate)
{
	begin();
	ck_assert_uint_eq(load(POLICY("{ingress: [{form: []}]}")), 1);
	ck_assert(policy()->broken && policy()->isolates[WEIR_INGRESS] && !policy()->isolates[WEIR_EGRESS]);
	ck_assert_uint_eq(policy()->n_rules[WEIR_INGRESS], 0);
	ck_assert_uint_eq(load(POLICY("{ingress: [{}]}")), 0);
	ck_assert(!policy()->broken);
	k8s_store_remove_source(store, "f.yaml");
	ck_assert_uint_eq(load(POLICY("{egress: 1}")), 1);
	ck_assert(policy()->broken && policy()->isolates[WEIR_INGRESS] && policy()->isolates[WEIR_EGRESS]);
	k8s_store_remove_source(store, "f.yaml");
	ck_assert_uint_eq(load(POLICY("{podSelector: {matchLabels: 1}}")), 1);
	ck_assert_ptr_null(policy());
	ck_assert_uint_eq(load(POLICY("7")), 1);
	ck_assert_ptr_null(policy());
	end();
}
END_TEST

static size_t count_duplicates(void)
{
	k8s_problems_done(&problems);
	k8s_store_duplicates(store, &problems);
	return problems.n_errors;
}

/* How many ingress rules the policy in force has, with the one of "a" having none and that of "b" one. */
#define IN_A POLICY("{}")
#define IN_B POLICY("{ingress: [{}]}")
static size_t rules(void)
{
	ck_assert_ptr_nonnull(policy());
	return policy()->n_rules[WEIR_INGRESS];
}

START_TEST(of_two_sources_the_first_by_name_counts_in_whatever_order_they_come)
{
	static const char *const texts[] = { IN_A, IN_B }, *const names[] = { "a", "b" };

	for (size_t first = 0; first < 2; first++) {
		begin();
		ck_assert_uint_eq(load_as(names[first], texts[first]), 0);
		ck_assert_uint_eq(count_duplicates(), 0);
		ck_assert_uint_eq(load_as(names[!first], texts[!first]), 0);
		ck_assert_uint_eq(rules(), 0);
		ck_assert_uint_eq(count_duplicates(), 1);
		ck_assert_str_eq(problems.v[0].text,
				 "b: NetworkPolicy x/p: is defined in a already; that definition counts");
		end();
	}
}
END_TEST

START_TEST(the_next_definition_takes_over)
{
	uint64_t before;

	begin();
	load_as("a", IN_A "---\n" POD);
	load_as("b", IN_B);
	before = k8s_store_changes(store, K8S_NETWORK_POLICY);
	ck_assert_uint_eq(load_as("a", POD), 0); /* by an edit */
	ck_assert_uint_eq(rules(), 1);
	ck_assert_uint_eq(count_duplicates(), 0);
	ck_assert_uint_eq(k8s_store_changes(store, K8S_NETWORK_POLICY), before + 1);
	load_as("a", IN_A);
	ck_assert_uint_eq(rules(), 0);
	k8s_store_remove_source(store, "b"); /* of what is not in force */
	ck_assert_uint_eq(rules(), 0);
	load_as("b", IN_B);
	k8s_store_remove_source(store, "a");
	ck_assert_uint_eq(rules(), 1);
	k8s_store_remove_source(store, "b");
	ck_assert_ptr_null(policy());
	end();
}
END_TEST

/* As after a restart: what one source had before is nothing that another one falls back to. */
START_TEST(a_broken_definition_counts_as_far_as_it_can_be_read)
{
	begin();
	load_as("b", IN_B "---\n" POD);
	ck_assert_uint_eq(load_as("a", POLICY("{ingress: 7}") "---\n" POD "spec: 7\n"), 2);
	ck_assert(policy()->broken);
	ck_assert_ptr_nonnull(find(K8S_POD, "a")); /* nothing can be kept of a broken pod: that of b counts */
	ck_assert_uint_eq(count_duplicates(), 1);
	ck_assert_uint_eq(load_as("a", IN_A), 0);
	ck_assert_uint_eq(load_as("a", POLICY("{ingress: 7}")), 1);
	ck_assert(!policy()->broken); /* the last good one of a */
	ck_assert_uint_eq(rules(), 0);
	end();
}
END_TEST

START_TEST(of_two_in_one_file_the_first_stays)
{
	begin();
	ck_assert_uint_eq(load(IN_A "---\n" IN_B), 1);
	ck_assert(strstr(problems.v[0].text, "f.yaml: NetworkPolicy x/p: is defined twice in this file"));
	ck_assert_uint_eq(rules(), 0);
	end();
}
END_TEST

START_TEST(registered_addresses_go_before)
{
	struct weir_addr addr[2] = { addr_from_v4(htonl(0x0a000005)), {} }, none[2] = {};
	const struct k8s_entry *e;
	char buf[ADDR_STRLEN];

	begin();
	ck_assert_int_eq(k8s_store_set_pod_address(store, "x", "a", addr), 0);
	ck_assert_ptr_null(k8s_store_find(store, K8S_POD, "x", "a"));
	ck_assert_uint_eq(load(POD "status: {podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}, {ip: 'fd00::9'}]}\n"), 0);
	e = k8s_store_find(store, K8S_POD, "x", "a");
	ck_assert_str_eq(addr_to_str(k8s_entry_pod_addr(e), buf), "10.0.0.5");
	ck_assert_int_eq(k8s_store_set_pod_address(store, "x", "a", none), 0);
	e = k8s_store_find(store, K8S_POD, "x", "a");
	ck_assert_str_eq(addr_to_str(&k8s_entry_pod_addr(e)[1], buf), "fd00::9");
	k8s_store_remove_source(store, "f.yaml");
	ck_assert_int_eq(k8s_store_set_pod_address(store, "x", "a", none), 0);
	ck_assert_ptr_null(k8s_store_find(store, K8S_POD, "x", "a"));
	end();
}
END_TEST

static void workload(const char *owner, const char *kind, const char *name)
{
	_cleanup_free_ char *text = NULL;
	const struct k8s_pod *p;

	begin();
	ck_assert_int_gt(
	    asprintf(&text,
		     "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x, labels: {pod-template-hash: "
		     "7d4b}, ownerReferences: [{controller: true, %s}]}\n",
		     owner),
	    0);
	ck_assert_uint_eq(load(text), 0);
	p = find(K8S_POD, "a");
	ck_assert_str_eq(p->workload_kind, kind);
	ck_assert_str_eq(p->workload_name, name);
	end();
}

START_TEST(workloads_as_hubble_names_them)
{
	workload("kind: ReplicaSet, name: web-7d4b", "Deployment", "web");
	workload("kind: ReplicaSet, name: web-aaaa", "ReplicaSet", "web-aaaa");
	workload("kind: Job, name: nightly-28000000", "CronJob", "nightly");
	workload("kind: Job, name: once", "Job", "once");
	workload("kind: StatefulSet, name: db", "StatefulSet", "db");
}
END_TEST

START_TEST(what_a_pod_wishes_of_layer_7)
{
	static const struct {
		const char *word;
		uint32_t wish;
		bool odd;
	} cases[] = { { "full", WEIR_EP_L7_FULL, false },
		      { "headers", WEIR_EP_L7_HEADERS, false },
		      { "\"off\"", WEIR_EP_L7_OFF, false },
		      { "\"Off\"", WEIR_EP_L7_OFF, true } };

	begin();
	ck_assert_uint_eq(load(POD), 0);
	ck_assert_uint_eq(((const struct k8s_pod *)find(K8S_POD, "a"))->l7, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[300];

		snprintf(text, sizeof(text),
			 "apiVersion: v1\nkind: Pod\n"
			 "metadata: {name: a, namespace: x, annotations: {weir.io/l7: %s}}\n",
			 cases[i].word);
		ck_assert_uint_eq(load(text), 0);
		ck_assert_uint_eq(((const struct k8s_pod *)find(K8S_POD, "a"))->l7, cases[i].wish);
		ck_assert_uint_eq(problems.n, cases[i].odd);
	}
	end();
}
END_TEST

START_TEST(nodes_and_namespaces)
{
	const struct k8s_node *n;
	const struct k8s_object *ns;

	begin();
	ck_assert_uint_eq(
	    load(
		"apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{type: Hostname, address: n1}, "
		"{type: InternalIP, address: 192.168.0.1}, {type: ExternalIP, address: '2001:db8::1'}]}\n---\n"
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: x, labels: {team: red, kubernetes.io/metadata.name: "
		"other}}\n"),
	    0);
	n = find(K8S_NODE, "n1");
	ck_assert_uint_eq(n->n_addrs, 2);
	ns = find(K8S_NAMESPACE, "x");
	ck_assert_uint_eq(ns->labels.n, 2);
	ck_assert_str_eq(k8s_labels_get(&ns->labels, "kubernetes.io/metadata.name"), "x");
	end();
}
END_TEST

UNIT_MAIN(k8s, what_the_api_server_refuses, what_the_api_server_takes, policy_types_default,
	  yaml_scalars_as_kubectl_reads_them, hostile_texts, anchors_and_merge_keys, services, lists_and_other_kinds,
	  a_file_replaces_what_came_from_it, broken_now_good_before, broken_namespaces_have_unknown_labels,
	  broken_policies_isolate, of_two_sources_the_first_by_name_counts_in_whatever_order_they_come,
	  the_next_definition_takes_over, a_broken_definition_counts_as_far_as_it_can_be_read,
	  of_two_in_one_file_the_first_stays, registered_addresses_go_before, workloads_as_hubble_names_them,
	  nodes_and_namespaces, what_a_pod_wishes_of_layer_7)
