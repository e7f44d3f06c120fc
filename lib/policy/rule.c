// SPDX-License-Identifier: Apache-2.0
/* Lists of policies behind a number: who allowed, or who isolates. */
#include "lib/policy/internal.h"

void rule_free(struct retired *r)
{
	struct rule *rule = (struct rule *)r;

	arena_done(&rule->arena);
	free(rule->key);
	free(rule);
}

void rule_unref(struct policy_compiler *c, struct rule *r)
{
	if (!r || --r->refs)
		return;
	if (r->hh.tbl)
		HASH_DEL(c->rules, r);
	retire(c, &r->retired);
}

static bool in_set(const uint64_t *set, size_t i)
{
	return set[i / 64] >> i % 64 & 1;
}

int rule_new(struct policy *const *policies, const uint64_t *set, size_t n_policies, struct rule **ret)
{
	struct rule *r = calloc(1, sizeof(*r));
	struct policy_name *names;

	if (!r)
		return -ENOMEM;
	r->retired.free = rule_free;
	r->refs = 1;
	names = arena_alloc(&r->arena, n_policies, sizeof(*names));
	r->pub.policies = names;
	for (size_t i = 0; names && i < n_policies; i++) {
		struct policy_name *name = &names[r->pub.n_policies];

		if (!in_set(set, i))
			continue;
		name->kind = k8s_kind_name(K8S_NETWORK_POLICY);
		name->ns = arena_strdup(&r->arena, policies[i]->np->o.ns);
		name->name = arena_strdup(&r->arena, policies[i]->np->o.name);
		if (!name->ns || !name->name)
			names = NULL;
		r->pub.n_policies++;
	}
	if (!names) {
		rule_free(&r->retired);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

static char *rule_key(struct policy *const *policies, const uint64_t *set, size_t n_policies, size_t *ret_len)
{
	size_t len = 1;
	char *key, *p;

	for (size_t i = 0; i < n_policies; i++)
		if (in_set(set, i))
			len += strlen(policies[i]->np->o.ns) + strlen(policies[i]->np->o.name) + 2;
	key = p = malloc(len);
	for (size_t i = 0; key && i < n_policies; i++)
		if (in_set(set, i))
			p = stpcpy(stpcpy(p, policies[i]->np->o.ns) + 1, policies[i]->np->o.name) + 1;
	*ret_len = key ? p - key : 0;
	return key;
}

int rule_get(struct policy_compiler *c, struct policy *const *policies, const uint64_t *set, size_t n_policies,
	     struct rule **ret)
{
	size_t len;
	_cleanup_free_ char *key = rule_key(policies, set, n_policies, &len);
	struct rule *r;

	if (!key)
		return -ENOMEM;
	HASH_FIND(hh, c->rules, key, len, r);
	if (r) {
		r->refs++;
		*ret = r;
		return 0;
	}
	if (rule_new(policies, set, n_policies, &r) < 0)
		return -ENOMEM;
	r->key = TAKE_PTR(key);
	HASH_ADD_KEYPTR(hh, c->rules, r->key, len, r);
	if (!hash_added(r)) {
		rule_free(&r->retired);
		return -ENOMEM;
	}
	r->pub.number = c->next_rule++;
	*ret = r;
	return 0;
}
