// SPDX-License-Identifier: Apache-2.0
#include "agent/maps.h"

#include <bpf/bpf.h>

#include "agent/ipcache.h"

struct maps {
	struct maps_fds fd;
	struct weir_node node;
	uint32_t max_slot;      /* highest slot in use */
	uint32_t pass, applied; /* the latest pass; the latest that came into force, 0 = none of this agent */
	struct ipcache ipcache;
	struct shadow policy;
	struct weir_ep ep[WEIR_EP_MAX];
	size_t n_rulesets, n_endpoints;
	uint32_t first_ruleset;
	uint32_t *cut; /* rule sets of this pass that do not fit */
	size_t n_cut;
	char problem[512];
};

int maps_new(const struct maps_fds *fds, struct maps **ret_m, struct err *reterr)
{
	_cleanup_(maps_freep) struct maps *m = calloc(1, sizeof(*m));
	uint32_t zero = 0;
	const void *key;
	void *val;
	int r;

	if (!m)
		return err_oom(reterr);
	m->fd = *fds;
	shadow_init(&m->policy, sizeof(struct weir_policy_key), sizeof(struct weir_policy_val));
	if (bpf_map_lookup_elem(fds->node, &zero, &m->node) < 0)
		return err_set(reterr, -errno, "cannot read the node map: %m");
	r = ipcache_read(&m->ipcache, fds->ipcache, m->node.gen & 1, reterr);
	if (r >= 0)
		r = shadow_read(&m->policy, fds->policy, reterr);
	if (r < 0)
		return r;
	for (uint32_t slot = 1; slot < WEIR_EP_MAX; slot++)
		if (bpf_map_lookup_elem(fds->ep, &slot, &m->ep[slot]) < 0)
			return err_set(reterr, -errno, "cannot read the endpoint map: %m");
	m->first_ruleset = 1;
	for (size_t i = 0; shadow_next(&m->policy, &i, &key, &val);)
		m->first_ruleset = MAX(m->first_ruleset, ((const struct weir_policy_key *)key)->ruleset + 1);
	m->max_slot = WEIR_EP_MAX - 1; /* until the first pass has looked */
	for (uint32_t slot = 1; slot < WEIR_EP_MAX; slot++)
		for (int side = 0; side < WEIR_SIDES; side++)
			m->first_ruleset = MAX(m->first_ruleset, m->ep[slot].side[side].ruleset + 1);
	*ret_m = TAKE_PTR(m);
	return 0;
}

void maps_free(struct maps *m)
{
	ipcache_done(&m->ipcache);
	shadow_done(&m->policy);
	free(m->cut);
	free(m);
}

uint32_t maps_first_rule(const struct maps *m)
{
	return MAX(m->node.next_rule, (uint32_t)WEIR_RULE_FIRST);
}

uint32_t maps_first_ruleset(const struct maps *m)
{
	return m->first_ruleset;
}

uint32_t maps_generation(const struct maps *m)
{
	return m->node.gen;
}

const char *maps_problem(const struct maps *m)
{
	return m->problem[0] ? m->problem : NULL;
}

/* ---- rule sets ---- */

static struct weir_policy_key policy_key(uint32_t ruleset, const struct policy_entry *e)
{
	struct weir_policy_key k = {
		.prefixlen = e->prefixlen,
		.ruleset = ruleset,
		.identity = e->identity,
		.dir = e->dir,
	};

	if (e->prefixlen >= WEIR_POLICY_PREFIX_PROTO) {
		k.proto = e->proto;
		k.port = __builtin_bswap16(e->port);
	}
	return k;
}

static void unmark_ruleset(struct maps *m, const struct policy_ruleset *rs)
{
	for (size_t i = 0; i < rs->n_entries; i++) {
		struct weir_policy_key key = policy_key(rs->number, &rs->entries[i]);
		struct weir_policy_val *val = shadow_get(&m->policy, &key);

		if (val)
			shadow_mark(&m->policy, val, m->pass - 1);
	}
}

static int write_ruleset(struct maps *m, const struct policy_ruleset *rs, bool *changed)
{
	for (size_t i = 0; i < rs->n_entries; i++) {
		struct weir_policy_key key = policy_key(rs->number, &rs->entries[i]);
		struct weir_policy_val val = { .rule = rs->entries[i].rule };
		struct weir_policy_val *old = shadow_get(&m->policy, &key);

		if (old && !memcmp(old, &val, sizeof(val))) {
			shadow_mark(&m->policy, old, m->pass);
			continue;
		}
		if (bpf_map_update_elem(m->fd.policy, &key, &val, BPF_ANY) < 0)
			return -errno;
		*changed = true;
		if (shadow_set(&m->policy, &key, &val, m->pass) < 0) {
			bpf_map_delete_elem(m->fd.policy, &key);
			return -ENOMEM;
		}
	}
	return 0;
}

static bool is_cut(const struct maps *m, uint32_t ruleset)
{
	for (size_t i = 0; i < m->n_cut; i++)
		if (m->cut[i] == ruleset)
			return true;
	return false;
}

static int by_number(const void *key, const void *elem)
{
	uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)elem;

	return a < b ? -1 : a > b;
}

static int ruleset_by_number(const void *key, const void *elem)
{
	return by_number(key, &(*(const struct policy_ruleset *const *)elem)->number);
}

static bool is_in_use(const struct policy_result *result, const struct weir_policy_key *k)
{
	return bsearch(&k->ruleset, result->rulesets, result->n_rulesets, sizeof(*result->rulesets),
		       ruleset_by_number) &&
	       (k->identity == WEIR_ID_ANY || bsearch(&k->identity, result->identities, result->n_identities,
						      sizeof(*result->identities), by_number));
}

/*
 * Entries that a rule set lost while it and the identity live on (a namespace was relabelled) go before the switch: a
 * connection that is judged anew after it must not find them. All others are out of use then, and are swept later.
 */
static int withdraw(struct maps *m, const struct policy_result *result, bool *changed)
{
	const void *key;
	void *val;

	for (size_t i = 0; shadow_next(&m->policy, &i, &key, &val);) {
		if (shadow_mark_of(&m->policy, val) == m->pass || !is_in_use(result, key))
			continue;
		if (bpf_map_delete_elem(m->fd.policy, key) < 0 && errno != ENOENT)
			return -errno;
		shadow_del(&m->policy, key);
		*changed = true;
	}
	return 0;
}

/* What does not fit is not half written: its pods get the empty rule set, which denies everything. */
static int write_rulesets(struct maps *m, const struct policy_result *result, bool *changed)
{
	free(m->cut);
	m->n_cut = 0;
	m->n_rulesets = result->n_rulesets;
	m->cut = calloc(result->n_rulesets + 1, sizeof(*m->cut));
	if (!m->cut)
		return -ENOMEM;
	for (size_t i = 0; i < result->n_rulesets; i++) {
		int r = result->rulesets[i]->too_large ? -E2BIG : write_ruleset(m, result->rulesets[i], changed);

		m->first_ruleset = MAX(m->first_ruleset, result->rulesets[i]->number + 1);
		if (r < 0) {
			unmark_ruleset(m, result->rulesets[i]); /* nobody will use it: its pods get the empty one */
			m->cut[m->n_cut++] = result->rulesets[i]->number;
			snprintf(m->problem, sizeof(m->problem),
				 "%zu rule set(s) do not fit into the policy map (%s): their pods are cut off; raise "
				 "policyMax",
				 m->n_cut, strerror(-r));
		}
	}
	return withdraw(m, result, changed);
}

/* ---- endpoints ---- */

static const struct policy_pod *find_pod(const struct policy_result *result, const struct attachment *a)
{
	size_t lo = 0, hi = result->n_pods;

	if (!a->pod_namespace || !a->pod_name)
		return NULL;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(result->pods[mid]->ns, a->pod_namespace);

		if (!c)
			c = strcmp(result->pods[mid]->name, a->pod_name);
		if (!c)
			return result->pods[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* An endpoint whose address others do not know could be spoken for by anybody. */
static bool has_addresses(struct maps *m, const struct attachment *a)
{
	for (int f = 0; f < 2; f++)
		if (!addr_is_zero(&a->addr[f]) && !ipcache_has(&m->ipcache, &a->addr[f]))
			return false;
	return true;
}

static struct weir_ep_side wanted_side(struct maps *m, const struct policy_result *result, const struct endpoint *ep)
{
	const struct attachment *a = ep->attachment;
	const struct policy_pod *pod = find_pod(result, a);
	struct weir_ep_side side = {};

	for (int f = 0; f < 2; f++) {
		if (addr_is_zero(&a->addr[f]))
			continue;
		side.identity[f] = pod && !addr_cmp(&pod->addr[f], &a->addr[f])
				       ? pod->identity[f]
				       : ipcache_around(&m->ipcache, &a->addr[f]);
	}
	if (m->ipcache.n_unfit && !has_addresses(m, a)) {
		side.flags = 0; /* not ready */
	} else if (!pod && ep->outside) {
		side.flags = WEIR_EP_READY; /* no policy can select it */
	} else if (pod && pod->ruleset && !is_cut(m, pod->ruleset->number)) {
		side.ruleset = pod->ruleset->number;
		side.flags = pod->ruleset->flags | WEIR_EP_READY;
	} else if (pod && pod->ruleset) {
		side.flags = WEIR_EP_READY | WEIR_EP_ISOLATED_INGRESS | WEIR_EP_ISOLATED_EGRESS;
	}
	side.flags |= ep->l7;
	return side;
}

static int write_endpoint(struct maps *m, const struct endpoint *ep, const struct weir_ep_side *want, bool *changed)
{
	const struct attachment *a = ep->attachment;
	struct weir_ep *old = &m->ep[ep->slot], v = { .ifindex = a->ifindex };
	uint32_t next = (m->node.gen + 1) & 1;
	bool same = old->ifindex == a->ifindex;

	memcpy(v.mac, a->mac, 6);
	memcpy(v.host_mac, a->host_mac, 6);
	memcpy(v.addr, a->addr, sizeof(v.addr));
	if (same)
		v.side[!next] = old->side[!next]; /* else: not ready until the switch */
	v.side[next] = *want;
	if (!same || memcmp(&v.side[!next], want, sizeof(*want)) != 0)
		*changed = true;
	if (!memcmp(old, &v, sizeof(v)))
		return 0;
	if (bpf_map_update_elem(m->fd.ep, &ep->slot, &v, BPF_ANY) < 0)
		return -errno;
	if (!same && bpf_map_update_elem(m->fd.ep_if, &a->ifindex, &ep->slot, BPF_ANY) < 0)
		return -errno;
	*old = v;
	m->max_slot = MAX(m->max_slot, ep->slot);
	return 0;
}

static int free_slots(struct maps *m, const struct endpoints *eps, bool *changed)
{
	static const struct weir_ep none;
	uint32_t top = 0;

	for (uint32_t slot = 1; slot <= m->max_slot; slot++) {
		struct weir_ep *old = &m->ep[slot];
		const struct endpoint *ep = eps->slots[slot];

		if (old->ifindex)
			top = slot;
		if (!old->ifindex || (ep && ep->attachment->ifindex == old->ifindex))
			continue;
		*changed = true;
		if (bpf_map_delete_elem(m->fd.ep_if, &old->ifindex) < 0 && errno != ENOENT)
			return -errno;
		if (bpf_map_update_elem(m->fd.ep, &slot, &none, BPF_ANY) < 0)
			return -errno;
		*old = none;
	}
	m->max_slot = top;
	return 0;
}

static int write_endpoints(struct maps *m, const struct policy_result *result, struct endpoints *eps, bool *changed)
{
	int r = free_slots(m, eps, changed);

	for (struct endpoint *ep = eps->by_key; ep && r >= 0; ep = ep->hh.next) {
		struct weir_ep_side side = wanted_side(m, result, ep);

		r = write_endpoint(m, ep, &side, changed);
		/* isolated without a rule set: cut off */
		ep->ready = (side.flags & WEIR_EP_READY) && (side.ruleset || !(side.flags & WEIR_EP_ISOLATED_INGRESS));
	}
	m->n_endpoints = HASH_COUNT(eps->by_key);
	return r;
}

/* ---- the switch ---- */

static int switch_over(struct maps *m, const struct policy_result *result)
{
	struct weir_node node = m->node;
	uint32_t zero = 0;

	node.gen++;
	node.abi = WEIR_ABI_VERSION;
	for (size_t i = 0; i < result->n_rules; i++)
		if (!(result->rules[i].number & WEIR_RULE_DEFAULT_DENY))
			node.next_rule = MAX(node.next_rule, result->rules[i].number + 1);
	if (bpf_map_update_elem(m->fd.node, &zero, &node, BPF_ANY) < 0)
		return -errno;
	m->node = node;
	return 0;
}

/* After what write_rulesets() has said. */
static void tell_unfit(struct maps *m)
{
	size_t n = strlen(m->problem);

	if (m->ipcache.n_unfit)
		snprintf(m->problem + n, sizeof(m->problem) - n,
			 "%s%zu address(es) do not fit into the ipcache: pods of this node among them are cut off, "
			 "others are unknown to policy; raise ipcacheMax",
			 n ? ". " : "", m->ipcache.n_unfit);
}

int maps_apply(struct maps *m, const struct policy_result *result, struct endpoints *eps, struct err *reterr)
{
	bool changed = !m->applied;
	int r;

	m->pass++;
	m->problem[0] = 0;
	r = write_rulesets(m, result, &changed);
	if (r >= 0)
		r = ipcache_write(&m->ipcache, result, eps, (m->node.gen + 1) & 1, m->pass, &changed);
	if (r >= 0)
		r = write_endpoints(m, result, eps, &changed);
	if (r >= 0 && changed)
		r = switch_over(m, result);
	if (r < 0)
		return err_set(reterr, r, "cannot write the datapath's maps, the former policy stays in force: %s",
			       strerror(-r));
	ipcache_switched(&m->ipcache);
	m->applied = m->pass;
	tell_unfit(m);
	return m->n_cut + m->ipcache.n_unfit;
}

void maps_sweep(struct maps *m)
{
	if (m->applied != m->pass)
		return; /* the latest pass broke off: its marks do not tell what is in force */
	ipcache_sweep(&m->ipcache);
	shadow_sweep(&m->policy, m->fd.policy, m->pass);
}

struct maps_counts maps_counts(const struct maps *m)
{
	return (struct maps_counts){ m->ipcache.shadow.n, m->policy.n, m->n_rulesets, m->n_endpoints };
}

int maps_each_deny(const struct maps *m, maps_deny_t fn, void *userdata)
{
	struct weir_lpm_key key;
	struct weir_deny d;
	int r = 0;

	for (void *prev = NULL; r >= 0 && bpf_map_get_next_key(m->fd.deny, prev, &key) == 0; prev = &key) {
		const struct prefix p = { .addr = key.addr, .len = key.prefixlen };

		if (bpf_map_lookup_elem(m->fd.deny, &key, &d) == 0)
			r = fn(userdata, &p, &d);
	}
	return r;
}

int maps_set_deny(struct maps *m, const struct prefix *v, size_t n, struct err *reterr)
{
	struct weir_lpm_key key;
	struct weir_deny zero = {};
	_cleanup_free_ struct weir_lpm_key *gone = NULL;
	size_t n_gone = 0;
	void *prev = NULL;

	for (; bpf_map_get_next_key(m->fd.deny, prev, &key) == 0; prev = &key) {
		struct weir_lpm_key *bigger = reallocarray(gone, n_gone + 1, sizeof(*gone));
		bool wanted = false;

		if (!bigger)
			return err_oom(reterr);
		gone = bigger;
		for (size_t i = 0; i < n; i++)
			wanted |= v[i].len == key.prefixlen && !addr_cmp(&v[i].addr, &key.addr);
		if (!wanted)
			gone[n_gone++] = key;
	}
	for (size_t i = 0; i < n_gone; i++)
		bpf_map_delete_elem(m->fd.deny, &gone[i]);
	for (size_t i = 0; i < n; i++) {
		key = prefix_to_lpm(&v[i]);
		if (bpf_map_update_elem(m->fd.deny, &key, &zero, BPF_NOEXIST) < 0 && errno != EEXIST)
			return err_set(reterr, -errno, "cannot write the deny list: %m");
	}
	return 0;
}
