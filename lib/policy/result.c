// SPDX-License-Identifier: Apache-2.0
/* The result: arrays made anew each time by walking what is sorted already. */
#include "lib/policy/internal.h"

struct result {
	struct policy_result pub;
	struct policy_identity *identities;
	const struct policy_ruleset **rulesets;
	struct policy_rule *rules;
	struct policy_ipcache_entry *ipcache;
	struct policy_pod *pods;
	const struct policy_pod **pod_list;
};

void result_free(struct policy_result *pub)
{
	struct result *r = (struct result *)pub;

	if (!r)
		return;
	free(r->identities);
	free(r->rulesets);
	free(r->rules);
	free(r->ipcache);
	free(r->pods);
	free(r->pod_list);
	free(r);
}

static int allocate(const struct policy_compiler *c, struct result *r)
{
	size_t prefixes = c->by_prefix[0].n + c->by_prefix[1].n + 2;

	r->identities = calloc(HASH_COUNT(c->identities) + 1, sizeof(*r->identities));
	r->rulesets = calloc(HASH_COUNT(c->rulesets) + 1, sizeof(*r->rulesets));
	r->rules = calloc(HASH_COUNT(c->rules) + 2 * HASH_COUNT(c->rulesets) + 1, sizeof(*r->rules));
	r->ipcache = calloc(c->by_addr.n + c->hosts.n + prefixes, sizeof(*r->ipcache));
	r->pods = calloc(c->pods.n + 1, sizeof(*r->pods));
	r->pod_list = calloc(c->pods.n + 1, sizeof(*r->pod_list));
	return r->identities && r->rulesets && r->rules && r->ipcache && r->pods && r->pod_list ? 0 : -ENOMEM;
}

/* The compiler itself holds the reserved ones, and a class its own: that is no address. */
static void list_identities(const struct policy_compiler *c, struct result *r)
{
	for (const struct identity *i = c->identities; i; i = i->hh.next) {
		struct policy_identity *to = &r->identities[r->pub.n_identities++];

		*to = i->pub;
		to->n_refs -= i->pub.kind == POLICY_ID_RESERVED;
	}
	r->pub.identities = r->identities;
}

/* Tables are in the order of their numbers: what was made later stands behind. */
static void list_rules(const struct policy_compiler *c, struct result *r)
{
	for (const struct rule *rule = c->rules; rule; rule = rule->hh.next)
		r->rules[r->pub.n_rules++] = rule->pub;
	for (const struct ruleset *rs = c->rulesets; rs; rs = rs->hh.next) {
		r->rulesets[r->pub.n_rulesets++] = &rs->pub->rs;
		for (size_t dir = 0; dir < 2; dir++)
			if (rs->deny[dir])
				r->rules[r->pub.n_rules++] = rs->deny[dir]->pub;
	}
	r->pub.rules = r->rules;
	r->pub.rulesets = r->rulesets;
}

static void list_pods(const struct policy_compiler *c, struct result *r)
{
	for (size_t i = 0; i < c->pods.n; i++) {
		struct pod *p = c->pods.v[i];
		struct policy_pod *to = &r->pods[r->pub.n_pods];

		if (!p->labelset)
			continue;
		to->ns = p->pod->o.ns;
		to->name = p->pod->o.name;
		memcpy(to->addr, p->addr, sizeof(to->addr));
		for (size_t v = 0; v < 2; v++)
			to->identity[v] = p->identity[v] ? p->identity[v]->pub.number : 0;
		to->ruleset = p->local && p->labelset->ruleset ? &p->labelset->ruleset->pub->rs : NULL;
		p->pub = to;
		r->pod_list[r->pub.n_pods++] = to;
	}
	r->pub.pods = r->pod_list;
}

static void put(struct result *r, const struct prefix *p, const struct identity *i, uint16_t flags,
		const struct policy_pod *pod)
{
	struct policy_ipcache_entry *last = r->pub.n_ipcache ? &r->ipcache[r->pub.n_ipcache - 1] : NULL;

	if (last && !prefix_cmp(&last->prefix, p)) /* the first claim on an address stands */
		return;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): allocate() failed else */
	r->ipcache[r->pub.n_ipcache++] = (struct policy_ipcache_entry){ *p, i->pub.number, flags, false, pod };
}

static void put_addr(struct result *r, const struct addr_entry *e)
{
	struct prefix p = prefix_of_addr(&e->addr);

	put(r, &p, e->pod->identity[!addr_is_v4(&e->addr)], 0, e->pod->pub);
}

/*
 * Three sorted lists into one: pods' addresses first, then nodes', then prefixes, where they name the same address.
 * Pods win: who claims a pod's address for a node would lend it what nodes may do.
 */
static void list_ipcache(const struct policy_compiler *c, struct result *r, const struct prefix *prefixes,
			 const struct identity *const *owners, size_t n_prefixes)
{
	size_t a = 0, h = 0, k = 0;

	while (a < c->by_addr.n || h < c->hosts.n || k < n_prefixes) {
		struct prefix pa = a < c->by_addr.n ? prefix_of_addr(&c->by_addr.v[a].addr) : (struct prefix){};
		struct prefix ph = h < c->hosts.n ? prefix_of_addr(&c->hosts.v[h].addr) : (struct prefix){};
		bool host_first = h < c->hosts.n && (a == c->by_addr.n || prefix_cmp(&ph, &pa) < 0);
		const struct prefix *addr = host_first ? &ph : a < c->by_addr.n ? &pa : NULL;

		if (k < n_prefixes && (!addr || prefix_cmp(&prefixes[k], addr) < 0)) {
			put(r, &prefixes[k], owners[k], 0, NULL);
			r->ipcache[r->pub.n_ipcache - 1].named = true; /* whoever has it */
			k++;
		} else if (host_first) {
			put(r, &ph, c->hosts.v[h].identity, c->hosts.v[h].local ? WEIR_IPC_HOST : 0, NULL);
			h++;
		} else {
			put_addr(r, &c->by_addr.v[a++]);
		}
	}
	r->pub.ipcache = r->ipcache;
}

struct named {
	struct prefix prefix;
	const struct identity *owner;
};

static int named_cmp(const void *a, const void *b)
{
	return prefix_cmp(&((const struct named *)a)->prefix, &((const struct named *)b)->prefix);
}

/* The prefixes of policies, and the two that hold everything else. */
static int list_prefixes(const struct policy_compiler *c, struct result *r)
{
	size_t n = 0, max = c->by_prefix[0].n + c->by_prefix[1].n + 2;
	_cleanup_free_ struct named *v = calloc(max, sizeof(*v));
	_cleanup_free_ struct prefix *prefixes = calloc(max, sizeof(*prefixes));
	_cleanup_free_ const struct identity **owners = calloc(max, sizeof(*owners));
	struct prefix all[2] = { { addr_from_v4(0), 96 }, { .len = 0 } };

	if (!v || !prefixes || !owners)
		return -ENOMEM;
	for (size_t f = 0; f < 2; f++) {
		for (size_t i = 0; i < c->by_prefix[f].n; i++)
			v[n++] = (struct named){ c->by_prefix[f].v[i]->prefix, c->by_prefix[f].v[i]->own };
		if (!c->by_prefix[f].n || prefix_cmp(&c->by_prefix[f].v[0]->prefix, &all[f]))
			v[n++] = (struct named){ all[f], c->reserved[WEIR_ID_WORLD] };
	}
	qsort(v, n, sizeof(*v), named_cmp);
	for (size_t i = 0; i < n; i++) {
		prefixes[i] = v[i].prefix;
		owners[i] = v[i].owner;
	}
	list_ipcache(c, r, prefixes, owners, n);
	return 0;
}

int result_build(struct policy_compiler *c, struct policy_result **ret)
{
	struct result *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	if (allocate(c, r) < 0)
		goto oom;
	list_identities(c, r);
	list_rules(c, r);
	list_pods(c, r);
	if (list_prefixes(c, r) < 0)
		goto oom;
	*ret = &r->pub;
	return 0;
oom:
	result_free(&r->pub);
	return -ENOMEM;
}
