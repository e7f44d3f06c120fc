// SPDX-License-Identifier: Apache-2.0
/*
 * Every allocation of the objects and of the compiler fails once. Each time: -ENOMEM or a full success, the former
 * result still in force, nothing leaked (the sanitizer looks), and the next attempt, with memory, gives what it should.
 * The Makefile has the linker wrap the allocators for this program; those inside libyaml and libc are not reached.
 */
#include <jansson.h>
#include <netinet/in.h>

#include "lib/k8s/store.h"
#include "lib/policy/policy.h"
#include "test/unit.h"

static long countdown = -1; /* allocations until one fails; negative: none does */

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

#define POD(name, ns, app, ip)                                                                                      \
	"{apiVersion: v1, kind: Pod, metadata: {name: " name ", namespace: " ns ", labels: {app: " app              \
	"}}, spec: {nodeName: node, containers: [{ports: [{containerPort: 80, name: http}]}]}, status: {podIP: " ip \
	"}}\n---\n"
#define POLICY(rules)                                                                                       \
	"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: x}, spec: " \
	"{podSelector: "                                                                                    \
	"{matchLabels: {app: web}}, ingress: " rules ", egress: [{ports: [{port: http}]}]}}\n---\n"

static const char before[] = POD("a", "x", "web", "10.0.0.1") POD("b", "w", "cli", "10.0.0.2")
    POD("c", "x", "db", "10.0.0.3") POLICY(
	"[{from: [{podSelector: {matchLabels: {app: db}}}, {ipBlock: {cidr: 10.0.0.0/24, except: [10.0.0.2/32]}}]}]");
static const char after[] = POD("a", "x", "web", "10.0.0.1") POD("b", "w", "db", "10.0.0.2")
    POD("d", "x", "db", "10.0.0.4") POLICY(
	"[{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [w, "
	"z]}]}}], ports: [{port: 80, endPort: 90}]}]");

static int load(struct k8s_store *s, const char *text, struct k8s_problems *problems)
{
	k8s_problems_done(problems);
	return k8s_store_load_file(s, "f", text, strlen(text), problems);
}

/* May b reach a on this port? */
static bool asks(const struct policy_result *r, uint16_t port)
{
	struct weir_addr a, b;
	uint32_t rule;

	ck_assert(!addr_parse("10.0.0.1", &a) && !addr_parse("10.0.0.2", &b));
	return policy_ruleset_lookup(policy_result_ipcache(r, &a)->pod->ruleset, WEIR_INGRESS,
				     policy_result_ipcache(r, &b)->identity, IPPROTO_TCP, port, &rule);
}

static int run(struct policy_compiler *c, struct k8s_store *s, const struct policy_result **ret)
{
	struct err e;

	return policy_compiler_run(c, s, "node", NULL, NULL, ret, &e);
}

/* Loads and compiles a change with the n-th allocation failing. False when there were not so many. */
static bool fail_change(long n)
{
	_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
	_cleanup_(policy_compiler_freep) struct policy_compiler *c = policy_compiler_new();
	const struct policy_result *old, *new = NULL;
	struct k8s_problems problems = {};
	bool over;
	int r;

	ck_assert_int_eq(load(s, before, &problems), 0);
	ck_assert_int_eq(run(c, s, &old), 0);
	ck_assert(!asks(old, 80));
	countdown = n;
	r = load(s, after, &problems);
	if (!r)
		r = run(c, s, &new);
	over = countdown >= 0;
	countdown = -1;
	ck_assert_msg(r == 0 || r == -ENOMEM, "%d", r);
	if (r) {
		ck_assert(!asks(old, 80)); /* still in force, all of it */
		ck_assert_int_eq(load(s, after, &problems), 0);
		ck_assert_int_eq(run(c, s, &new), 0);
	}
	ck_assert_uint_eq(problems.n_errors, 0);
	ck_assert(asks(new, 80) && asks(new, 90) && !asks(new, 91));
	ck_assert_uint_eq(new->n_pods, 3);
	k8s_problems_done(&problems);
	return !over;
}

START_TEST(a_change_without_memory)
{
	long n = 0;

	json_set_alloc_funcs(__wrap_malloc, free);
	while (fail_change(n))
		n++;
	ck_assert_int_gt(n, 300);
}
END_TEST

static bool fail_start(long n)
{
	_cleanup_(k8s_store_freep) struct k8s_store *s = NULL;
	_cleanup_(policy_compiler_freep) struct policy_compiler *c = NULL;
	struct k8s_problems problems = {};
	const struct policy_result *r;
	bool over;

	countdown = n;
	s = k8s_store_new();
	c = policy_compiler_new();
	if (s && c && !load(s, before, &problems))
		run(c, s, &r);
	over = countdown >= 0;
	countdown = -1;
	k8s_problems_done(&problems);
	return !over;
}

/* And freed half way, instead of tried again. */
START_TEST(a_start_without_memory)
{
	long n = 0;

	json_set_alloc_funcs(__wrap_malloc, free);
	while (fail_start(n))
		n++;
	ck_assert_int_gt(n, 300);
}
END_TEST

/* Who defines the policy in force. */
static const char *source_of_policy(const struct k8s_store *s)
{
	const struct k8s_entry *e = k8s_store_find(s, K8S_NETWORK_POLICY, "x", "p");

	ck_assert(e && e->object);
	return e->source;
}

static bool fail_second_definition(long n)
{
	_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
	struct k8s_problems problems = {};
	bool over;
	int r;

	ck_assert_int_eq(load(s, before, &problems), 0);
	countdown = n;
	r = k8s_store_load_file(s, "e", after, strlen(after), &problems);
	if (!r)
		k8s_store_duplicates(s, &problems);
	over = countdown >= 0;
	countdown = -1;
	ck_assert(r == 0 || r == -ENOMEM);
	if (r) {
		ck_assert(strchr("ef", *source_of_policy(s)));
		ck_assert_int_eq(k8s_store_load_file(s, "e", after, strlen(after), &problems), 0);
		k8s_store_duplicates(s, &problems);
	}
	ck_assert_uint_eq(problems.n_errors, 3); /* p, a, b */
	ck_assert_str_eq(source_of_policy(s), "e");
	k8s_store_remove_source(s, "e");
	ck_assert_str_eq(source_of_policy(s), "f");
	ck_assert_ptr_null(k8s_store_find(s, K8S_POD, "x", "d"));
	k8s_problems_done(&problems);
	return !over;
}

START_TEST(a_second_definition_without_memory)
{
	long n = 0;

	json_set_alloc_funcs(__wrap_malloc, free);
	while (fail_second_definition(n))
		n++;
	ck_assert_int_gt(n, 200);
}
END_TEST

/* Without memory for the message of an error, the error still counts. */
START_TEST(errors_without_memory)
{
	for (long n = 0; n < 400; n++) {
		_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
		struct k8s_problems problems = {};
		int r;

		countdown = n;
		r = load(s, POLICY("[{form: []}]") "a: {\n", &problems);
		countdown = -1;
		ck_assert(r == -ENOMEM || (r == 0 && problems.n_errors >= 1));
		k8s_problems_done(&problems);
	}
}
END_TEST

UNIT_MAIN(policy_oom, a_change_without_memory, a_start_without_memory, a_second_definition_without_memory,
	  errors_without_memory)
