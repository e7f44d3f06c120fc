// SPDX-License-Identifier: Apache-2.0
#include "lib/policy/policy.h"

#include "lib/policy/internal.h"

struct policy_compiler *policy_compiler_new(void)
{
	struct policy_compiler *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->next_identity = WEIR_ID_FIRST;
	c->next_rule = WEIR_RULE_FIRST;
	c->next_ruleset = 1;
	c->class_gen = c->policy_gen = 1; /* 0: never looked at */
	return c;
}

static void free_retired(struct policy_compiler *c)
{
	struct retired *next;

	for (struct retired *r = TAKE_PTR(c->retired); r; r = next) {
		next = r->next;
		r->free(r);
	}
}

void policy_compiler_free(struct policy_compiler *c)
{
	if (!c)
		return;
	hosts_clear(c);
	pods_clear(c);
	for (uint32_t n = 0; n < ARRAY_SIZE(c->reserved); n++)
		identity_unref(c->reserved[n]);
	rulesets_clear(c);
	policies_clear(c);
	identities_sweep(c);
	free_retired(c);
	result_free(c->result);
	free(c->by_prefix[0].v);
	free(c->by_prefix[1].v);
	free(c->dead.v);
	free(c->host_addrs);
	free(c);
}

void policy_compiler_reserve(struct policy_compiler *c, uint32_t first_rule, uint32_t first_ruleset)
{
	c->next_rule = MAX(c->next_rule, first_rule);
	c->next_ruleset = MAX(c->next_ruleset, first_ruleset);
}

int policy_compiler_set_host_addrs(struct policy_compiler *c, const struct weir_addr *addrs, size_t n)
{
	struct weir_addr *copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, addrs, n * sizeof(*copy));
	free(c->host_addrs);
	c->host_addrs = copy;
	c->n_host_addrs = n;
	return 0;
}

static int to_addresses(struct policy_compiler *c)
{
	return classes_sync(c) < 0 || pods_identify(c) < 0 || hosts_sync(c) < 0 ? -ENOMEM : 0;
}

/* Each step brings a part of the state up to date or leaves it as it was; see internal.h. */
static int run(struct policy_compiler *c, struct policy_result **ret, struct err *reterr)
{
	if (identities_reserved(c) < 0 || policies_sync(c) < 0 || pods_sync(c) < 0 || to_addresses(c) < 0 ||
	    rulesets_assign(c) < 0)
		return err_oom(reterr);
	/* A rule set that went may have been the last to keep a policy, and so its prefixes. */
	if (c->classes_stale && to_addresses(c) < 0)
		return err_oom(reterr);
	identities_sweep(c);
	return rulesets_update(c) < 0 || result_build(c, ret) < 0 ? err_oom(reterr) : 0;
}

int policy_compiler_run(struct policy_compiler *c, const struct k8s_store *store, const char *node,
			policy_is_local_t is_local, void *userdata, const struct policy_result **ret_result,
			struct err *reterr)
{
	struct policy_result *result = NULL;
	int r;

	c->store = store;
	c->node = node;
	c->is_local = is_local;
	c->userdata = userdata;
	c->run++;
	c->wanted.n = 0;
	r = run(c, &result, reterr);
	if (r < 0)
		return r;
	result_free(c->result);
	c->result = result;
	free_retired(c);
	*ret_result = result;
	return 0;
}
