// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/enrich.h"

#include "agent/flow/names.h"
#include "agent/flow/services.h"
#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/hash.h"

#define GONE_KEPT_NS (30 * 1000000000ull)

/* Who had an address, by name. */
struct named {
	struct weir_addr addr;
	struct flow_peer *peer;
	uint64_t gone_ns; /* since when nobody has it; 0: somebody has */
	UT_hash_handle hh;
};

/* Everybody without a name of his own who has this identity. */
struct group {
	uint32_t identity;
	struct flow_peer *peer;
	UT_hash_handle hh;
};

/* A default deny has one number for both directions; for other rules dir is 0. */
struct rule_key {
	uint32_t number, dir;
};

struct rule {
	struct rule_key key;
	struct flow_rule *rule;
	bool fresh, typed; /* in this update: it came; its match type has been set */
	UT_hash_handle hh;
};

struct enrich {
	const struct k8s_store *store;
	const struct endpoints *eps;
	const struct policy_result *result;
	struct named *named;
	struct group *groups;
	struct rule *rules;
	struct names *names;
	struct services *services;
	int64_t mono_to_real_ns;
};

struct enrich *enrich_new(const struct k8s_store *store, const struct endpoints *eps)
{
	struct enrich *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->names = names_new();
	e->services = services_new();
	if (!e->names || !e->services) {
		enrich_free(e);
		return NULL;
	}
	e->store = store;
	e->eps = eps;
	return e;
}

static void drop_named(struct enrich *e, struct named *n)
{
	HASH_DEL(e->named, n);
	flow_peer_unref(n->peer);
	free(n);
}

static void drop_groups(struct enrich *e)
{
	struct group *g, *tmp;

	HASH_ITER (hh, e->groups, g, tmp) {
		HASH_DEL(e->groups, g);
		flow_peer_unref(g->peer);
		free(g);
	}
}

void enrich_free(struct enrich *e)
{
	struct named *n, *ntmp;
	struct rule *r, *rtmp;

	HASH_ITER (hh, e->named, n, ntmp)
		drop_named(e, n);
	drop_groups(e);
	HASH_ITER (hh, e->rules, r, rtmp) {
		HASH_DEL(e->rules, r);
		flow_rule_unref(r->rule);
		free(r);
	}
	if (e->names)
		names_free(e->names);
	if (e->services)
		services_free(e->services);
	free(e);
}

/* ---- peers ---- */

static const struct policy_identity *find_identity(const struct policy_result *r, uint32_t number)
{
	size_t lo = 0, hi = r->n_identities;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (r->identities[mid].number == number)
			return &r->identities[mid];
		if (r->identities[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int set_labels(struct flow_peer *p, const struct policy_identity *id)
{
	size_t n = 0;

	while (id && id->labels && id->labels[n])
		n++;
	p->labels = calloc(n + 1, sizeof(*p->labels));
	if (!p->labels)
		return -ENOMEM;
	for (; p->n_labels < n; p->n_labels++) {
		p->labels[p->n_labels] = strdup(id->labels[p->n_labels]);
		if (!p->labels[p->n_labels])
			return -ENOMEM;
	}
	return 0;
}

static int set_workload(struct flow_peer *p, const struct k8s_entry *e)
{
	const struct k8s_pod *pod = e && e->object ? (const struct k8s_pod *)e->object : NULL;

	if (!pod || !pod->workload_name || !pod->workload_kind)
		return 0;
	p->workload_name = strdup(pod->workload_name);
	p->workload_kind = strdup(pod->workload_kind);
	return p->workload_name && p->workload_kind ? 0 : -ENOMEM;
}

static struct flow_peer *peer_new(const struct enrich *e, uint32_t identity, uint32_t slot, const char *ns,
				  const char *name)
{
	struct flow_peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->refs = 1;
	p->identity = identity;
	p->ep_id = slot;
	if (set_labels(p, find_identity(e->result, identity)) < 0 || (ns && !(p->namespace = strdup(ns))) ||
	    (name && !(p->pod_name = strdup(name)))) {
		flow_peer_unref(p);
		return NULL;
	}
	if (ns && name && set_workload(p, k8s_store_find(e->store, K8S_POD, ns, name)) < 0) {
		flow_peer_unref(p);
		return NULL;
	}
	return p;
}

static struct flow_peer *service_peer_new(const struct enrich *e, uint32_t identity, const struct service *s)
{
	struct flow_peer *p = peer_new(e, identity, 0, NULL, NULL);

	if (!p)
		return NULL;
	p->service_namespace = strdup(s->ns);
	p->service_name = strdup(s->name);
	if (p->service_namespace && p->service_name)
		return p;
	flow_peer_unref(p);
	return NULL;
}

/* By the object that has the address, or by the attachment when its Pod object is not known yet. */
static struct flow_peer *named_peer_new(const struct enrich *e, const struct weir_addr *addr, uint32_t identity)
{
	const struct policy_ipcache_entry *entry = policy_result_ipcache(e->result, addr);
	const struct endpoint *ep = endpoints_find_addr(e->eps, addr);
	uint32_t slot = ep ? ep->slot : 0;
	struct service s;

	if (entry && entry->pod)
		return peer_new(e, entry->identity, slot, entry->pod->ns, entry->pod->name);
	if (ep)
		return peer_new(e, identity, slot, ep->attachment->pod_namespace, ep->attachment->pod_name);
	if (!(entry && entry->flags & WEIR_IPC_HOST) && services_find(e->services, addr, &s))
		return service_peer_new(e, identity ?: entry ? entry->identity : WEIR_ID_WORLD, &s);
	return NULL;
}

static struct flow_peer *group_peer(struct enrich *e, uint32_t identity)
{
	struct flow_peer *p;
	struct group *g;

	HASH_FIND(hh, e->groups, &identity, sizeof(identity), g);
	if (g)
		return flow_peer_ref(g->peer);
	g = calloc(1, sizeof(*g));
	if (g)
		g->peer = peer_new(e, identity, 0, NULL, NULL);
	if (!g || !g->peer) {
		free(g);
		return NULL;
	}
	g->identity = identity;
	HASH_ADD(hh, e->groups, identity, sizeof(g->identity), g);
	if (hash_added(g))
		return flow_peer_ref(g->peer);
	p = g->peer;
	free(g);
	return p;
}

static struct flow_peer *peer_of(struct enrich *e, const struct weir_addr *addr, uint32_t identity)
{
	const struct policy_ipcache_entry *entry;
	struct flow_peer *p;
	struct named *n;

	HASH_FIND(hh, e->named, addr, sizeof(*addr), n);
	if (n)
		return flow_peer_ref(n->peer);
	p = named_peer_new(e, addr, identity);
	if (p) {
		n = calloc(1, sizeof(*n));
		if (n) {
			n->addr = *addr;
			n->peer = flow_peer_ref(p);
			HASH_ADD(hh, e->named, addr, sizeof(n->addr), n);
		}
		if (n && !hash_added(n)) {
			flow_peer_unref(n->peer);
			free(n);
		}
		return p;
	}
	entry = policy_result_ipcache(e->result, addr);
	return group_peer(e, identity ?: entry ? entry->identity : WEIR_ID_WORLD);
}

static bool still_named(const struct policy_result *result, const struct named *n)
{
	const struct policy_ipcache_entry *entry = policy_result_ipcache(result, &n->addr);

	return entry && entry->pod && n->peer->pod_name && entry->identity == n->peer->identity &&
	       streq(entry->pod->name, n->peer->pod_name) && streq(entry->pod->ns, n->peer->namespace);
}

static void update_named(struct enrich *e)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct named *n, *tmp;

	HASH_ITER (hh, e->named, n, tmp) {
		const struct policy_ipcache_entry *entry = policy_result_ipcache(e->result, &n->addr);

		if (n->peer->service_name) { /* it may be another one's now */
			drop_named(e, n);
			continue;
		}
		if (still_named(e->result, n)) {
			n->gone_ns = 0;
			continue;
		}
		if (!n->gone_ns)
			n->gone_ns = now;
		if ((entry && entry->pod) || endpoints_find_addr(e->eps, &n->addr) || now - n->gone_ns > GONE_KEPT_NS)
			drop_named(e, n);
	}
}

/* ---- rules ---- */

static struct flow_rule *rule_new(const struct policy_rule *pr)
{
	struct flow_rule *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->refs = 1;
	r->default_deny = pr->default_deny;
	r->policies = calloc(pr->n_policies + 1, sizeof(*r->policies));
	for (size_t i = 0; r->policies && i < pr->n_policies; i++) {
		struct flow_policy *p = &r->policies[r->n_policies++];

		p->kind = strdup(pr->policies[i].kind);
		p->namespace = strdup(pr->policies[i].ns);
		p->name = strdup(pr->policies[i].name);
		if (!p->kind || !p->namespace || !p->name)
			break;
	}
	if (!r->policies || r->n_policies < pr->n_policies) {
		flow_rule_unref(r);
		return NULL;
	}
	return r;
}

static struct rule_key rule_key(uint32_t number, uint32_t dir)
{
	return (struct rule_key){ number, number & WEIR_RULE_DEFAULT_DENY ? dir : 0 };
}

static struct rule *find_rule(const struct enrich *e, struct rule_key key)
{
	struct rule *r;

	HASH_FIND(hh, e->rules, &key, sizeof(key), r);
	return r;
}

/* Hubble's policy_match_type, from what an entry leaves open. */
static uint8_t match_type(const struct policy_entry *e)
{
	enum { L3_ONLY = 1, L3_L4, L4_ONLY, ALL, L3_PROTO, PROTO_ONLY };
	bool any = e->identity == WEIR_ID_ANY;

	if (e->prefixlen == WEIR_POLICY_PREFIX_ANY)
		return any ? ALL : L3_ONLY;
	if (e->prefixlen == WEIR_POLICY_PREFIX_PROTO)
		return any ? PROTO_ONLY : L3_PROTO;
	return any ? L4_ONLY : L3_L4;
}

/* Of the rules that are new: one type when all their entries agree. */
static void set_match_types(struct enrich *e)
{
	for (size_t i = 0; i < e->result->n_rulesets; i++) {
		const struct policy_ruleset *rs = e->result->rulesets[i];

		for (size_t j = 0; j < rs->n_entries; j++) {
			uint8_t type = match_type(&rs->entries[j]);
			struct rule *r = find_rule(e, rule_key(rs->entries[j].rule, 0));

			if (!r || !r->fresh)
				continue;
			r->rule->match_type = r->typed && r->rule->match_type != type ? 0 : type;
			r->typed = true;
		}
	}
	for (struct rule *r = e->rules; r; r = r->hh.next)
		r->fresh = false;
}

static void forget_old_rules(struct enrich *e)
{
	struct rule *r, *tmp;

	if (HASH_COUNT(e->rules) <= e->result->n_rules * 4 + 1024)
		return;
	HASH_ITER (hh, e->rules, r, tmp)
		if (!policy_result_rule(e->result, r->key.number, r->key.dir)) {
			HASH_DEL(e->rules, r);
			flow_rule_unref(r->rule);
			free(r);
		}
}

static int update_rules(struct enrich *e)
{
	bool fresh = false;

	forget_old_rules(e);
	for (size_t i = 0; i < e->result->n_rules; i++) {
		const struct policy_rule *pr = &e->result->rules[i];
		struct rule_key key = rule_key(pr->number, pr->dir);
		struct rule *r;

		if (find_rule(e, key))
			continue;
		r = calloc(1, sizeof(*r));
		if (r)
			r->rule = rule_new(pr);
		if (!r || !r->rule) {
			free(r);
			return -ENOMEM;
		}
		r->key = key;
		r->fresh = fresh = true;
		HASH_ADD(hh, e->rules, key, sizeof(r->key), r);
		if (!hash_added(r)) {
			flow_rule_unref(r->rule);
			free(r);
			return -ENOMEM;
		}
	}
	if (fresh)
		set_match_types(e);
	return 0;
}

void enrich_set_clock(struct enrich *e)
{
	e->mono_to_real_ns = (int64_t)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC));
}

int enrich_update(struct enrich *e, const struct policy_result *result, struct err *reterr)
{
	e->result = result;
	enrich_set_clock(e);
	drop_groups(e);
	update_named(e);
	return services_update(e->services, e->store) < 0 || update_rules(e) < 0 ? err_oom(reterr) : 0;
}

/* A pod asks over one family and connects over the other: both of its addresses learn. */
static void learn(struct enrich *e, const struct l7_record *r, const struct weir_addr *addr, const char *name)
{
	const struct endpoint *ep = endpoints_find_addr(e->eps, &r->ends.addr[0]);
	int64_t ttl = l7_record_get_int(r, L7_KEY_DNS_TTL, 0);

	if (!ep)
		names_learn(e->names, &r->ends.addr[0], addr, name, (uint32_t)ttl, r->start_ns);
	for (int i = 0; ep && i < 2; i++)
		if (!addr_is_zero(&ep->attachment->addr[i]))
			names_learn(e->names, &ep->attachment->addr[i], addr, name, (uint32_t)ttl, r->start_ns);
}

void enrich_learn(struct enrich *e, const struct l7_record *r)
{
	const char *query = l7_record_get(r, L7_KEY_DNS_QUERY), *addrs = l7_record_get(r, L7_KEY_DNS_ADDRS);
	char name[256];
	size_t len;

	if (r->kind != L7_DNS || r->outcome != L7_OK || !query || !addrs)
		return;
	len = strlen(query);
	if (query[len - 1] == '.')
		len--;
	if (!len || len >= sizeof(name))
		return;
	memcpy(name, query, len);
	name[len] = '\0';
	while (*addrs) {
		size_t n = strcspn(addrs, ",");
		struct weir_addr addr;
		char text[ADDR_STRLEN];

		snprintf(text, sizeof(text), "%.*s", (int)MIN(n, sizeof(text) - 1), addrs);
		if (addr_parse(text, &addr) >= 0)
			learn(e, r, &addr, name);
		addrs += n + (addrs[n] == ',');
	}
}

int enrich_event(struct enrich *e, const struct weir_event *ev, struct flow *ret_flow)
{
	struct flow f = { .ev = *ev, .time_ns = ev->ts + e->mono_to_real_ns };

	f.src = peer_of(e, &ev->saddr, ev->src_identity);
	f.dst = peer_of(e, &ev->daddr, ev->dst_identity);
	if (!f.src || !f.dst) {
		flow_clear(&f);
		return -ENOMEM;
	}
	for (int dir = 0; dir < 2; dir++) {
		const struct rule *r = ev->rule[dir] ? find_rule(e, rule_key(ev->rule[dir], dir)) : NULL;

		f.rule[dir] = r ? flow_rule_ref(r->rule) : NULL;
	}
	f.names[0] = names_get(e->names, &ev->daddr, &ev->saddr, ev->ts);
	f.names[1] = names_get(e->names, &ev->saddr, &ev->daddr, ev->ts);
	*ret_flow = f;
	return 0;
}
