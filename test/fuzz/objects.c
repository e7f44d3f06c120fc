// SPDX-License-Identifier: Apache-2.0
/*
 * Manifests, whatever they hold: read, read again, compiled, asked, and forgotten.
 * sources: lib/k8s/decode.c lib/k8s/decode_pod.c lib/k8s/decode_service.c lib/k8s/decode_policy.c lib/k8s/object.c
 *lib/k8s/problem.c lib/k8s/read.c lib/k8s/selector.c lib/k8s/store.c lib/k8s/text.c lib/k8s/valid.c lib/k8s/yaml.c
 *	 lib/k8s/yaml_scalar.c lib/policy/class.c lib/policy/compile.c lib/policy/entries.c lib/policy/hosts.c
 *	 lib/policy/identity.c lib/policy/labelset.c lib/policy/lookup.c lib/policy/pods.c lib/policy/policies.c
 *	 lib/policy/policy.c lib/policy/publish.c lib/policy/result.c lib/policy/rule.c lib/policy/ruleset.c
 *	 lib/policy/select.c lib/arena.c
 *	 lib/addr.c lib/err.c
 */
#include <netinet/in.h>

#include "lib/k8s/store.h"
#include "lib/policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good)
{
	if (!good)
		abort();
}

static void ask(const struct policy_result *r)
{
	uint32_t rule;

	for (size_t p = 0; p < r->n_pods; p++)
		for (size_t i = 0; i < r->n_ipcache; i++)
			for (enum weir_dir dir = WEIR_EGRESS; dir <= WEIR_INGRESS; dir++) {
				policy_ruleset_lookup(r->pods[p]->ruleset, dir, r->ipcache[i].identity, IPPROTO_TCP, 80,
						      &rule);
				need(rule < WEIR_RULE_FIRST || policy_result_rule(r, rule, dir));
			}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(k8s_store_freep) struct k8s_store *s = k8s_store_new();
	_cleanup_(policy_compiler_freep) struct policy_compiler *c = policy_compiler_new();
	struct k8s_problems problems = {};
	const struct policy_result *r;
	struct err e;

	need(s && c);
	need(!k8s_store_load_file(s, "a", (const char *)data, size, &problems));
	for (size_t i = 0; i < problems.n; i++)
		need(strlen(problems.v[i].text) > 3);
	need(policy_compiler_run(c, s, "n1", NULL, NULL, &r, &e) != -ENOMEM);
	if (size > 1) {
		need(!k8s_store_load_file(s, "a", (const char *)data, size / 2, &problems));
		need(!k8s_store_load_file(s, "b", (const char *)data + size / 2, size - size / 2, &problems));
	}
	if (!policy_compiler_run(c, s, "n1", NULL, NULL, &r, &e))
		ask(r);
	k8s_store_remove_source(s, "a");
	need(!policy_compiler_run(c, s, NULL, NULL, NULL, &r, &e));
	k8s_problems_done(&problems);
	return 0;
}
