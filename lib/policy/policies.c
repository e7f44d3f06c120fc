// SPDX-License-Identifier: Apache-2.0
/* NetworkPolicies with their selectors and prefixes interned. */
#include "lib/policy/internal.h"

static void rules_clear(struct policy_compiler *c, struct policy *p)
{
	for (size_t dir = 0; dir < 2; dir++) {
		for (size_t i = 0; p->rules[dir] && i < p->np->n_rules[dir]; i++) {
			struct policy_rules *r = &p->rules[dir][i];

			for (size_t k = 0; k < r->n_peers; k++) {
				selector_unref(c, r->peers[k].selector);
				class_unname(c, r->peers[k].cidr);
				for (size_t e = 0; e < r->peers[k].n_except; e++)
					class_unname(c, r->peers[k].except[e]);
			}
		}
	}
}

static void forget_subject(struct policy *p)
{
	struct selector *s = p->subject;

	for (size_t i = 0; s && i < s->subjects.n; i++) {
		if (s->subjects.v[i] == p) {
			s->subjects.v[i] = s->subjects.v[--s->subjects.n];
			return;
		}
	}
}

/*
 * It selects and names nothing any more. Rule sets that were made of it keep the rest until their label sets have been
 * given others, which happens before any rule set is compiled again.
 */
static void policy_unlist(struct policy_compiler *c, struct policy *p)
{
	rules_clear(c, p);
	forget_subject(p);
	selector_unref(c, p->subject);
	p->rules[0] = p->rules[1] = NULL;
	p->subject = NULL;
}

void policy_unref(struct policy_compiler *c, struct policy *p)
{
	if (!p || --p->refs)
		return;
	policy_unlist(c, p);
	k8s_object_unref(&p->np->o);
	arena_done(&p->arena);
	free(p);
}

static int intern_block(struct policy_compiler *c, struct policy *p, const struct k8s_peer *from,
			struct policy_peer *to)
{
	if (class_name(c, &from->cidr, &to->cidr) < 0)
		return -ENOMEM;
	to->except = arena_alloc(&p->arena, from->n_except, sizeof(*to->except));
	if (!to->except)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_except; i++, to->n_except++)
		if (class_name(c, &from->except[i], &to->except[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int intern_rule(struct policy_compiler *c, struct policy *p, const struct k8s_policy_rule *from,
		       struct policy_rules *to)
{
	to->rule = from;
	to->peers = arena_alloc(&p->arena, from->n_peers, sizeof(*to->peers));
	if (!to->peers)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_peers; i++) {
		const struct k8s_peer *peer = &from->peers[i];
		int r;

		to->n_peers++; /* zeroed: what is not yet filled can be given back */
		if (peer->is_block)
			r = intern_block(c, p, peer, &to->peers[i]);
		else
			r = selector_get(c, &p->np->o, peer->ns_selector, peer->pod_selector, &to->peers[i].selector);
		if (r < 0)
			return r;
	}
	return 0;
}

static int intern_rules(struct policy_compiler *c, struct policy *p)
{
	for (size_t dir = 0; dir < 2; dir++) {
		p->rules[dir] = arena_alloc(&p->arena, p->np->n_rules[dir], sizeof(*p->rules[dir]));
		if (!p->rules[dir])
			return -ENOMEM;
		for (size_t i = 0; i < p->np->n_rules[dir]; i++)
			if (intern_rule(c, p, &p->np->rules[dir][i], &p->rules[dir][i]) < 0)
				return -ENOMEM;
	}
	return 0;
}

static int policy_new(struct policy_compiler *c, const struct k8s_entry *e, struct policy **ret)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->refs = 1;
	p->version = e->version;
	p->np = (struct k8s_network_policy *)k8s_object_ref(e->object);
	if (intern_rules(c, p) < 0 || selector_get(c, e->object, NULL, p->np->pod_selector, &p->subject) < 0 ||
	    vec_add(&p->subject->subjects, p) < 0) {
		policy_unref(c, p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

static int compare(const struct policy *p, const struct k8s_entry *e)
{
	return strcmp(p->np->o.ns, e->ns) ?: strcmp(p->np->o.name, e->name);
}

/* The new list: unchanged policies with one more reference, the others made anew. */
static int build_list(struct policy_compiler *c, const struct k8s_entry *const *entries, size_t n, struct policy **list)
{
	size_t old = 0;

	for (size_t i = 0; i < n; i++) {
		int cmp = 1;

		while (old < c->policies.n && (cmp = compare(c->policies.v[old], entries[i])) < 0)
			old++;
		if (old < c->policies.n && !cmp && c->policies.v[old]->version == entries[i]->version) {
			list[i] = c->policies.v[old];
			list[i]->refs++;
		} else if (policy_new(c, entries[i], &list[i]) < 0) {
			while (i--)
				policy_unref(c, list[i]);
			return -ENOMEM;
		}
	}
	return 0;
}

int policies_sync(struct policy_compiler *c)
{
	uint64_t changes = k8s_store_changes(c->store, K8S_NETWORK_POLICY) + 1;
	const struct k8s_entry *const *entries;
	size_t n = k8s_store_list(c->store, K8S_NETWORK_POLICY, &entries);
	struct policy **list;

	if (c->seen[K8S_NETWORK_POLICY] == changes)
		return 0;
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	if (build_list(c, entries, n, list) < 0) {
		free(list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		list[i]->listed = changes;
	for (size_t i = 0; i < c->policies.n; i++) {
		if (c->policies.v[i]->listed != changes)
			policy_unlist(c, c->policies.v[i]);
		policy_unref(c, c->policies.v[i]);
	}
	free(c->policies.v);
	c->policies.v = list;
	c->policies.n = c->policies.size = n;
	c->policy_gen++;
	c->seen[K8S_NETWORK_POLICY] = changes;
	return 0;
}

void policies_clear(struct policy_compiler *c)
{
	for (size_t i = 0; i < c->policies.n; i++)
		policy_unref(c, c->policies.v[i]);
	free(c->policies.v);
}
