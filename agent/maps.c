// SPDX-License-Identifier: Apache-2.0
#include "agent/maps.h"

#include <bpf/bpf.h>

#include "agent/shadow.h"

/* An address range with its identity in force, for what a new or vanishing entry must say on the other side. */
struct range {
	struct prefix prefix;
	uint32_t identity;
};
struct ranges {
	struct range *v;
	size_t n;
};

struct maps {
	struct maps_fds fd;
	struct weir_node node;
	size_t marked;  /* entries of the ipcache that this pass wants */
	size_t n_unfit; /* entries that it wants and that found no room */
	size_t ipcache_max;
	uint32_t max_slot;      /* highest slot in use */
	uint32_t pass, applied; /* the latest pass; the latest that came into force, 0 = none of this agent */
	struct shadow ipcache, policy;
	struct weir_ep ep[WEIR_EP_MAX];
	struct ranges ranges; /* of the side in force */
	size_t n_rulesets, n_endpoints;
	uint32_t first_ruleset;
	uint32_t *cut; /* rule sets of this pass that do not fit */
	size_t n_cut;
	char problem[512];
};

static struct weir_lpm_key lpm_key(const struct prefix *p)
{
	return (struct weir_lpm_key){ .prefixlen = p->len, .addr = p->addr };
}

/* ---- reading what is there ---- */

static int read_map(int fd, struct shadow *s, struct err *reterr)
{
	uint8_t key[64], next[64], val[64];
	void *prev = NULL;

	while (bpf_map_get_next_key(fd, prev, next) == 0) {
		if (bpf_map_lookup_elem(fd, next, val) == 0 && shadow_set(s, next, val, 0) < 0)
			return err_oom(reterr);
		memcpy(key, next, sizeof(key));
		prev = key;
	}
	return errno == ENOENT ? 0 : err_set(reterr, -errno, "cannot read a map: %m");
}

static int read_size(int fd, size_t *ret)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	*ret = info.max_entries;
	return 0;
}

static int read_ranges(struct maps *m)
{
	uint32_t side = m->node.gen & 1;
	const void *key;
	void *val;

	m->ranges.v = calloc(m->ipcache.n + 1, sizeof(*m->ranges.v));
	if (!m->ranges.v)
		return -ENOMEM;
	for (size_t i = 0; shadow_next(&m->ipcache, &i, &key, &val);) {
		const struct weir_lpm_key *k = key;

		if (k->prefixlen < 128)
			m->ranges.v[m->ranges.n++] = (struct range){
				.prefix = { k->addr, k->prefixlen },
				.identity = ((struct weir_ipcache *)val)->identity[side],
			};
	}
	return 0;
}

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
	shadow_init(&m->ipcache, sizeof(struct weir_lpm_key), sizeof(struct weir_ipcache));
	shadow_init(&m->policy, sizeof(struct weir_policy_key), sizeof(struct weir_policy_val));
	if (bpf_map_lookup_elem(fds->node, &zero, &m->node) < 0)
		return err_set(reterr, -errno, "cannot read the node map: %m");
	r = read_size(fds->ipcache, &m->ipcache_max);
	if (r < 0)
		return err_set(reterr, r, "cannot read the size of a map: %m");
	r = read_map(fds->ipcache, &m->ipcache, reterr);
	if (r >= 0)
		r = read_map(fds->policy, &m->policy, reterr);
	if (r < 0)
		return r;
	if (read_ranges(m) < 0)
		return err_oom(reterr);
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
	shadow_done(&m->ipcache);
	shadow_done(&m->policy);
	free(m->ranges.v);
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

/* ---- ipcache ---- */

static uint32_t covering(const struct ranges *r, const struct prefix *p)
{
	uint32_t identity = WEIR_ID_WORLD;
	int best = -1;

	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].prefix.len > best && prefix_contains(&r->v[i].prefix, p)) {
			best = r->v[i].prefix.len;
			identity = r->v[i].identity;
		}
	return identity;
}

static int wanted_ranges(const struct policy_result *result, struct ranges *ret)
{
	ret->v = calloc(result->n_ipcache + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < result->n_ipcache; i++)
		if (result->ipcache[i].prefix.len < 128)
			ret->v[ret->n++] = (struct range){ result->ipcache[i].prefix, result->ipcache[i].identity };
	return 0;
}

/* All but one: before Linux 6.13 a full trie takes no new value for a key that it has, either. */
static bool has_room(const struct maps *m, size_t more)
{
	return m->ipcache.n + more < m->ipcache_max;
}

/*
 * Sets the side that is not in force, keeps the other. A new key says there what the range around it says. One that
 * finds no room is counted.
 */
static int write_address(struct maps *m, const struct prefix *p, uint32_t identity, uint16_t slot, uint16_t flags,
			 bool *changed)
{
	struct weir_lpm_key key = lpm_key(p);
	struct weir_ipcache *old = shadow_get(&m->ipcache, &key), val = { .slot = slot, .flags = flags };
	uint32_t next = (m->node.gen + 1) & 1;

	if (!old && !has_room(m, 1)) {
		m->n_unfit++;
		return 0;
	}
	val.identity[next] = identity;
	val.identity[!next] = old ? old->identity[!next] : covering(&m->ranges, p);
	if (!old || old->slot != slot || old->flags != flags || val.identity[!next] != identity)
		*changed = true;
	m->marked++;
	if (old && !memcmp(old, &val, sizeof(val))) {
		shadow_mark(&m->ipcache, old, m->pass);
		return 0;
	}
	if (bpf_map_update_elem(m->fd.ipcache, &key, &val, BPF_ANY) < 0)
		return -errno;
	return shadow_set(&m->ipcache, &key, &val, m->pass);
}

static int by_prefix(const void *key, const void *elem)
{
	return prefix_cmp(key, &((const struct policy_ipcache_entry *)elem)->prefix);
}

/* Those that no Pod object has. */
static int write_endpoint_addresses(struct maps *m, const struct policy_result *result, const struct ranges *ranges,
				    const struct endpoints *eps, bool *changed)
{
	int r = 0;

	for (struct endpoint *ep = eps->by_key; ep && r >= 0; ep = ep->hh.next)
		for (int f = 0; f < 2 && r >= 0; f++) {
			struct prefix p = prefix_of_addr(&ep->attachment->addr[f]);

			if (!addr_is_zero(&p.addr) &&
			    !bsearch(&p, result->ipcache, result->n_ipcache, sizeof(*result->ipcache), by_prefix))
				r = write_address(m, &p, covering(ranges, &p), ep->slot, 0, changed);
		}
	return r;
}

/* Keys that nobody wants any more say on the coming side what the range around them says, until they are swept. */
static int write_vanishing(struct maps *m, const struct ranges *ranges, bool *changed)
{
	uint32_t next = (m->node.gen + 1) & 1;
	const void *key;
	void *val;

	if (m->marked == m->ipcache.n) /* none */
		return 0;
	for (size_t i = 0; shadow_next(&m->ipcache, &i, &key, &val);) {
		const struct weir_lpm_key *k = key;
		struct prefix p = { k->addr, k->prefixlen };
		struct weir_ipcache v = *(struct weir_ipcache *)val;

		if (shadow_mark_of(&m->ipcache, val) == m->pass)
			continue;
		v.identity[next] = covering(ranges, &p);
		v.slot = v.flags = 0;
		if (!memcmp(&v, val, sizeof(v)))
			continue;
		if (bpf_map_update_elem(m->fd.ipcache, key, &v, BPF_ANY) < 0)
			return -errno;
		*(struct weir_ipcache *)val = v;
		*changed = true;
	}
	return 0;
}

/* Slots by address, for the endpoints of this node: what a pass over thousands of addresses asks each of. */
struct local_addr {
	struct weir_addr addr;
	uint32_t slot;
};

static int local_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct weir_addr));
}

struct local_addrs {
	size_t n;
	struct local_addr *v;
};

static int local_addrs(const struct endpoints *eps, struct local_addrs *ret)
{
	ret->n = 0;
	ret->v = calloc(HASH_COUNT(eps->by_key) * 2 + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (struct endpoint *ep = eps->by_key; ep; ep = ep->hh.next)
		for (int f = 0; f < 2; f++)
			if (!addr_is_zero(&ep->attachment->addr[f]))
				ret->v[ret->n++] = (struct local_addr){ ep->attachment->addr[f], ep->slot };
	qsort(ret->v, ret->n, sizeof(*ret->v), local_cmp);
	return 0;
}

/* Who gets room first when there is not enough. */
enum rank { RANK_POLICY, RANK_LOCAL, RANK_PEER, RANK_ANY };

static enum rank rank_of(const struct policy_ipcache_entry *e)
{
	return e->named || e->flags ? RANK_POLICY : e->pod && e->pod->ruleset ? RANK_LOCAL : RANK_PEER;
}

/* Neither the prefix, if it is a range, nor the range around it is any that policies mean. */
static void close_around(struct ranges *ranges, const struct prefix *p)
{
	struct range *around = NULL;

	for (size_t i = 0; i < ranges->n; i++) { /* sorted: the longest comes last */
		struct range *r = &ranges->v[i];

		if (!prefix_cmp(&r->prefix, p))
			r->identity = WEIR_ID_WORLD;
		else if (prefix_contains(&r->prefix, p))
			around = r;
	}
	if (around)
		around->identity = WEIR_ID_WORLD;
}

/*
 * The addresses of a prefix that finds no room would pass for others of the range around it, which a policy may allow
 * but for this prefix. So that range is closed, too.
 */
static void close_unfit(struct maps *m, const struct policy_result *result, struct ranges *ranges)
{
	size_t more = 0;

	for (size_t i = 0; i < result->n_ipcache; i++) {
		const struct policy_ipcache_entry *e = &result->ipcache[i];
		struct weir_lpm_key key = lpm_key(&e->prefix);

		if (rank_of(e) != RANK_POLICY || shadow_get(&m->ipcache, &key))
			continue;
		if (has_room(m, more + 1))
			more++;
		else if (e->named)
			close_around(ranges, &e->prefix);
	}
}

static int write_listed(struct maps *m, const struct policy_result *result, const struct ranges *ranges,
			const struct local_addrs *local, enum rank rank, bool *changed)
{
	size_t n_ranges = 0;
	int r = 0;

	for (size_t i = 0; i < result->n_ipcache && r >= 0; i++) {
		const struct policy_ipcache_entry *e = &result->ipcache[i];
		uint32_t identity = e->prefix.len < 128 ? ranges->v[n_ranges++].identity : e->identity;
		const struct local_addr *l = NULL;

		if (rank != RANK_ANY && rank_of(e) != rank)
			continue;
		if (e->pod && e->pod->ruleset) /* local */
			l = bsearch(&e->prefix.addr, local->v, local->n, sizeof(*local->v), local_cmp);
		r = write_address(m, &e->prefix, identity, l ? l->slot : 0, e->flags, changed);
	}
	return r;
}

static int write_ipcache(struct maps *m, const struct policy_result *result, struct ranges *ranges,
			 const struct endpoints *eps, bool *changed)
{
	struct local_addrs local;
	int r = local_addrs(eps, &local);

	m->n_unfit = 0;
	if (has_room(m, result->n_ipcache)) { /* whatever of it is new */
		r = r ?: write_listed(m, result, ranges, &local, RANK_ANY, changed);
	} else {
		close_unfit(m, result, ranges);
		for (enum rank rank = 0; rank < RANK_ANY && r >= 0; rank++)
			r = write_listed(m, result, ranges, &local, rank, changed);
	}
	free(local.v);
	if (r >= 0)
		r = write_endpoint_addresses(m, result, ranges, eps, changed);
	if (r >= 0)
		r = write_vanishing(m, ranges, changed);
	return r;
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
	for (int f = 0; f < 2; f++) {
		struct prefix p = prefix_of_addr(&a->addr[f]);
		struct weir_lpm_key key = lpm_key(&p);

		if (!addr_is_zero(&a->addr[f]) && !shadow_get(&m->ipcache, &key))
			return false;
	}
	return true;
}

static struct weir_ep_side wanted_side(struct maps *m, const struct policy_result *result, const struct ranges *ranges,
				       const struct endpoint *ep)
{
	const struct attachment *a = ep->attachment;
	const struct policy_pod *pod = find_pod(result, a);
	struct weir_ep_side side = {};

	for (int f = 0; f < 2; f++) {
		struct prefix p = prefix_of_addr(&a->addr[f]);

		if (addr_is_zero(&a->addr[f]))
			continue;
		side.identity[f] = pod && !addr_cmp(&pod->addr[f], &a->addr[f]) ? pod->identity[f]
										: covering(ranges, &p);
	}
	if (m->n_unfit && !has_addresses(m, a)) {
		side.flags = 0; /* not ready */
	} else if (!a->pod_name) {
		side.flags = WEIR_EP_READY; /* outside Kubernetes: no policy can select it */
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

static int write_endpoints(struct maps *m, const struct policy_result *result, const struct ranges *ranges,
			   struct endpoints *eps, bool *changed)
{
	int r = free_slots(m, eps, changed);

	for (struct endpoint *ep = eps->by_key; ep && r >= 0; ep = ep->hh.next) {
		struct weir_ep_side side = wanted_side(m, result, ranges, ep);

		r = write_endpoint(m, ep, &side, changed);
		ep->ready = (side.flags & WEIR_EP_READY) && (side.ruleset || !ep->attachment->pod_name);
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

	if (m->n_unfit)
		snprintf(m->problem + n, sizeof(m->problem) - n,
			 "%s%zu address(es) do not fit into the ipcache: pods of this node among them are cut off, "
			 "others are unknown to policy; raise ipcacheMax",
			 n ? ". " : "", m->n_unfit);
}

int maps_apply(struct maps *m, const struct policy_result *result, struct endpoints *eps, struct err *reterr)
{
	struct ranges ranges = {};
	bool changed = !m->applied;
	int r;

	m->pass++;
	m->marked = 0;
	m->problem[0] = 0;
	r = wanted_ranges(result, &ranges);
	if (r >= 0)
		r = write_rulesets(m, result, &changed);
	if (r >= 0)
		r = write_ipcache(m, result, &ranges, eps, &changed);
	if (r >= 0)
		r = write_endpoints(m, result, &ranges, eps, &changed);
	if (r >= 0 && changed)
		r = switch_over(m, result);
	if (r < 0) {
		free(ranges.v);
		return err_set(reterr, r, "cannot write the datapath's maps, the former policy stays in force: %s",
			       strerror(-r));
	}
	free(m->ranges.v);
	m->ranges = ranges;
	m->applied = m->pass;
	tell_unfit(m);
	return m->n_cut + m->n_unfit;
}

static void sweep(int fd, struct shadow *s, uint32_t pass)
{
	const void *key;
	void *val;

	for (size_t i = 0; shadow_next(s, &i, &key, &val);)
		if (shadow_mark_of(s, val) != pass && (bpf_map_delete_elem(fd, key) == 0 || errno == ENOENT))
			shadow_del(s, key);
}

void maps_sweep(struct maps *m)
{
	if (m->applied != m->pass)
		return; /* the latest pass broke off: its marks do not tell what is in force */
	sweep(m->fd.ipcache, &m->ipcache, m->pass);
	sweep(m->fd.policy, &m->policy, m->pass);
}

struct maps_counts maps_counts(const struct maps *m)
{
	return (struct maps_counts){ m->ipcache.n, m->policy.n, m->n_rulesets, m->n_endpoints };
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
		key = lpm_key(&v[i]);
		if (bpf_map_update_elem(m->fd.deny, &key, &zero, BPF_NOEXIST) < 0 && errno != EEXIST)
			return err_set(reterr, -errno, "cannot write the deny list: %m");
	}
	return 0;
}
