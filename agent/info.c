// SPDX-License-Identifier: Apache-2.0
/* What the agent tells about itself: weir status, weir endpoint list, weir identity list. */
#include <net/if.h>

#include "agent/agent.h"
#include "lib/clock.h"
#include "lib/drop.h"
#include "lib/pb.h"

static int add_map(const struct agent *a, Weir__V1__StatusResponse *msg, const char *name, uint64_t max,
		   uint64_t entries)
{
	Weir__V1__MapInfo *m = pb_append(&msg->n_maps, &msg->maps, &weir__v1__map_info__descriptor);

	if (!m || pb_set_str(&m->name, name) < 0)
		return -ENOMEM;
	m->max_entries = max;
	m->entries = entries;
	datapath_memory(a->datapath, name, &m->memory_bytes, NULL);
	return 0;
}

static int add_maps(const struct agent *a, Weir__V1__StatusResponse *msg)
{
	struct maps_counts n = maps_counts(a->maps);
	const struct {
		const char *name;
		uint64_t entries;
	} maps[] = {
		{ WEIR_MAP_EP, n.endpoints },      { WEIR_MAP_IPCACHE, n.ipcache },   { WEIR_MAP_POLICY, n.policy },
		{ WEIR_MAP_CT_TCP, a->conns.tcp }, { WEIR_MAP_CT_ANY, a->conns.any }, { WEIR_MAP_EVENTS, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (add_map(a, msg, maps[i].name, datapath_max_entries(a->datapath, maps[i].name), maps[i].entries) < 0)
			return -ENOMEM;
	return 0;
}

static int add_drops(Weir__V1__StatusResponse *msg, const uint64_t *stats)
{
	for (int reason = 1; reason < WEIR_DROP_COUNT; reason++) {
		Weir__V1__Drop *d;

		if (!stats[WEIR_STAT_DROP + reason])
			continue;
		d = pb_append(&msg->n_drops, &msg->drops, &weir__v1__drop__descriptor);
		if (!d || pb_set_str(&d->reason, drop_text(reason)) < 0)
			return -ENOMEM;
		d->packets = stats[WEIR_STAT_DROP + reason];
	}
	return 0;
}

static int add_uplinks(const struct agent *a, Weir__V1__StatusResponse *msg)
{
	for (size_t i = 0; i < a->node.n_uplinks; i++) {
		Weir__V1__Uplink *u = pb_append(&msg->n_uplinks, &msg->uplinks, &weir__v1__uplink__descriptor);
		char name[IF_NAMESIZE] = "";

		if (!u || pb_set_str(&u->interface, if_indextoname(a->node.uplinks[i], name) ?: "?") < 0)
			return -ENOMEM;
		u->ifindex = a->node.uplinks[i];
		u->attached = !a->uplink_problem[i][0];
		if (pb_set_str(&u->error, a->uplink_problem[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int tell_deny(void *userdata, const struct prefix *p, const struct weir_deny *d)
{
	Weir__V1__StatusResponse *msg = userdata;
	Weir__V1__DenyPrefix *to = pb_append(&msg->n_deny, &msg->deny, &weir__v1__deny_prefix__descriptor);
	char text[PREFIX_STRLEN];

	if (!to || pb_set_str(&to->prefix, prefix_to_str(p, text)) < 0)
		return -ENOMEM;
	to->packets = d->packets;
	to->bytes = d->bytes;
	return 0;
}

struct telling {
	Weir__V1__StatusResponse *msg;
	int r;
};

static void tell_problem(void *userdata, const struct k8s_problem *p)
{
	struct telling *t = userdata;

	if (p->severity == K8S_NOTICE || t->r < 0)
		return;
	t->r = p->severity == K8S_ERROR
		   ? pb_append_str(&t->msg->n_errors, &t->msg->errors, p->text ?: "out of memory")
		   : pb_append_str(&t->msg->n_warnings, &t->msg->warnings, p->text ?: "out of memory");
}

static int add_problems(const struct agent *a, Weir__V1__StatusResponse *msg)
{
	struct telling t = { .msg = msg };

	if (a->problem[0])
		t.r = pb_append_str(&msg->n_errors, &msg->errors, a->problem);
	objects_each_problem(a->objects, tell_problem, &t);
	return t.r;
}

static int add_l7(const struct agent *a, Weir__V1__StatusResponse *msg, const uint64_t *stats)
{
	struct l7_worker_stats w;
	Weir__V1__Layer7 *m;

	if (!a->l7)
		return 0;
	m = msg->l7 = pb_new(&weir__v1__layer7__descriptor);
	if (!m)
		return -ENOMEM;
	l7_worker_stats(a->l7, &w);
	m->excerpts = stats[WEIR_STAT_L7];
	m->bytes = stats[WEIR_STAT_L7_BYTES];
	m->excerpts_lost = stats[WEIR_STAT_L7_LOST];
	m->records_lost = w.records_lost;
	m->gaps = w.gaps;
	m->gap_bytes = w.gap_bytes;
	m->connections = w.connections;
	m->evicted = w.evicted;
	m->memory_bytes = w.memory;
	for (int kind = 0; kind < L7_KIND_COUNT; kind++) {
		Weir__V1__Layer7Records *r;

		if (!w.records[kind])
			continue;
		r = pb_append(&m->n_records, &m->records, &weir__v1__layer7_records__descriptor);
		if (!r || pb_set_str(&r->kind, l7_kind_name(kind)) < 0)
			return -ENOMEM;
		r->records = w.records[kind];
	}
	return 0;
}

static uint64_t resident_bytes(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	return f && fscanf(f, "%*u %lu", &pages) == 1 ? pages * sysconf(_SC_PAGESIZE) : 0;
}

static void set_counts(const struct agent *a, Weir__V1__StatusResponse *msg)
{
	const struct k8s_entry *const *entries;

	for (struct endpoint *ep = a->endpoints.by_key; ep; ep = ep->hh.next) {
		msg->endpoints++;
		msg->endpoints_ready += ep->ready;
		msg->endpoints_busy += ep->link >= 0;
	}
	msg->endpoints_waiting = msg->endpoints - msg->endpoints_ready;
	msg->identities = a->result->n_identities;
	msg->rulesets = a->result->n_rulesets;
	msg->rules = a->result->n_rules;
	msg->policies = k8s_store_list(a->store, K8S_NETWORK_POLICY, &entries);
	msg->pods = a->result->n_pods;
	msg->namespaces = k8s_store_list(a->store, K8S_NAMESPACE, &entries);
	msg->store_max = flow_store_capacity(a->flows);
	msg->store_seen = flow_store_next(a->flows) - 1;
	msg->store_num = flow_store_next(a->flows) - flow_store_first(a->flows);
	msg->queue_lost = flow_store_lost(a->flows, FLOW_LOSS_QUEUE);
}

static int on_status(void *userdata, Weir__V1__StatusResponse *msg, struct err *reterr)
{
	const struct agent *a = userdata;
	uint64_t stats[WEIR_STAT_COUNT];
	int r = datapath_stats(a->datapath, stats, reterr);

	if (r < 0)
		return r;
	msg->uptime_ns = clock_ns(CLOCK_MONOTONIC) - a->started_ns;
	msg->pid = getpid();
	msg->generation = maps_generation(a->maps);
	msg->events_generated = stats[WEIR_STAT_EVENTS];
	msg->events_lost = stats[WEIR_STAT_EVENTS_LOST];
	msg->policy_compile_us = a->compile_us;
	msg->policy_apply_us = a->apply_us;
	msg->memory_rss = resident_bytes();
	msg->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	set_counts(a, msg);
	if (pb_set_str(&msg->node_name, a->config.node_name) < 0 || pb_set_str(&msg->version, WEIR_VERSION) < 0 ||
	    add_maps(a, msg) < 0 || add_l7(a, msg, stats) < 0 || add_drops(msg, stats) < 0 || add_uplinks(a, msg) < 0 ||
	    maps_each_deny(a->maps, tell_deny, msg) < 0 || add_problems(a, msg) < 0)
		return err_oom(reterr);
	return 0;
}

/* ---- endpoints ---- */

static Weir__V1__Enforcement enforcement(uint32_t flags, uint32_t isolated, uint32_t audit)
{
	return !(flags & isolated) ? WEIR__V1__ENFORCEMENT__NONE
	       : flags & audit     ? WEIR__V1__ENFORCEMENT__AUDIT
				   : WEIR__V1__ENFORCEMENT__ENFORCED;
}

static const struct policy_pod *result_pod(const struct policy_result *result, const struct attachment *at)
{
	for (size_t i = 0; i < result->n_pods && at->pod_name; i++)
		if (streq(result->pods[i]->name, at->pod_name) && streq(result->pods[i]->ns, at->pod_namespace))
			return result->pods[i];
	return NULL;
}

/* Of both directions, each once. */
static int add_policies(const struct agent *a, const struct policy_ruleset *rs, Weir__V1__Endpoint *e)
{
	for (int dir = 0; dir < 2; dir++) {
		const struct policy_rule *rule = policy_result_rule(a->result, rs->deny_rule[dir], dir);

		for (size_t i = 0; rule && i < rule->n_policies; i++) {
			_cleanup_free_ char *name = NULL;
			bool known = false;

			if (asprintf(&name, "%s/%s", rule->policies[i].ns, rule->policies[i].name) < 0)
				return -ENOMEM;
			for (size_t j = 0; j < e->n_policies; j++)
				known |= streq(e->policies[j], name);
			if (!known && pb_append_str(&e->n_policies, &e->policies, name) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int set_pod(const struct agent *a, const struct policy_pod *pod, Weir__V1__Endpoint *e)
{
	const struct k8s_entry *entry = k8s_store_find(a->store, K8S_POD, pod->ns, pod->name);

	e->identity_v4 = pod->identity[0];
	e->identity_v6 = pod->identity[1];
	for (size_t i = 0; entry && entry->object && i < entry->object->labels.n; i++) {
		const struct k8s_label *l = &entry->object->labels.v[i];
		_cleanup_free_ char *text = NULL;

		if (asprintf(&text, "%s=%s", l->key, l->value) < 0 || pb_append_str(&e->n_labels, &e->labels, text) < 0)
			return -ENOMEM;
	}
	if (!pod->ruleset)
		return 0;
	e->ruleset = pod->ruleset->number;
	e->ingress = enforcement(pod->ruleset->flags, WEIR_EP_ISOLATED_INGRESS, WEIR_EP_AUDIT_INGRESS);
	e->egress = enforcement(pod->ruleset->flags, WEIR_EP_ISOLATED_EGRESS, WEIR_EP_AUDIT_EGRESS);
	return add_policies(a, pod->ruleset, e);
}

static int set_endpoint(const struct agent *a, const struct endpoint *ep, Weir__V1__Endpoint *e)
{
	const struct attachment *at = ep->attachment;
	const struct policy_pod *pod = result_pod(a->result, at);
	char v4[ADDR_STRLEN] = "", v6[ADDR_STRLEN] = "", mac[MAC_STRLEN];

	mac_to_str(at->mac, mac);
	if (!addr_is_zero(&at->addr[0]))
		addr_to_str(&at->addr[0], v4);
	if (!addr_is_zero(&at->addr[1]))
		addr_to_str(&at->addr[1], v6);
	e->id = ep->slot;
	e->ifindex = at->ifindex;
	e->state = ep->ready ? WEIR__V1__ENDPOINT_STATE__READY : WEIR__V1__ENDPOINT_STATE__WAITING;
	if (pb_set_str(&e->namespace_, at->pod_namespace) < 0 || pb_set_str(&e->pod, at->pod_name) < 0 ||
	    pb_set_str(&e->container_id, at->container_id) < 0 || pb_set_str(&e->interface, at->ifname) < 0 ||
	    pb_set_str(&e->host_interface, at->hostif) < 0 || pb_set_str(&e->ipv4, v4) < 0 ||
	    pb_set_str(&e->ipv6, v6) < 0 || pb_set_str(&e->mac, mac) < 0)
		return -ENOMEM;
	return pod ? set_pod(a, pod, e) : 0;
}

static int on_endpoints(void *userdata, Weir__V1__ListEndpointsResponse *msg, struct err *reterr)
{
	const struct agent *a = userdata;

	for (uint32_t slot = 1; slot < WEIR_EP_MAX; slot++) {
		const struct endpoint *ep = a->endpoints.slots[slot];
		Weir__V1__Endpoint *e;

		if (!ep)
			continue;
		e = pb_append(&msg->n_endpoints, &msg->endpoints, &weir__v1__endpoint__descriptor);
		if (!e || set_endpoint(a, ep, e) < 0)
			return err_oom(reterr);
	}
	return 0;
}

/* ---- identities ---- */

static int on_identities(void *userdata, Weir__V1__ListIdentitiesResponse *msg, struct err *reterr)
{
	static const char *const kinds[] = {
		[POLICY_ID_RESERVED] = "reserved",
		[POLICY_ID_POD] = "pod",
		[POLICY_ID_CIDR] = "cidr",
		[POLICY_ID_NODE] = "node",
	};
	const struct agent *a = userdata;

	for (size_t i = 0; i < a->result->n_identities; i++) {
		const struct policy_identity *id = &a->result->identities[i];
		Weir__V1__Identity *m =
		    pb_append(&msg->n_identities, &msg->identities, &weir__v1__identity__descriptor);

		if (!m || pb_set_str(&m->kind, kinds[id->kind]) < 0 || pb_set_str(&m->namespace_, id->ns) < 0)
			return err_oom(reterr);
		m->number = id->number;
		m->references = id->n_refs;
		for (const char *const *l = id->labels; l && *l; l++)
			if (pb_append_str(&m->n_labels, &m->labels, *l) < 0)
				return err_oom(reterr);
	}
	return 0;
}

static bool on_node(void *userdata, size_t i, struct api_node *ret)
{
	const struct agent *a = userdata;
	const struct k8s_entry *const *entries;
	const struct k8s_node *node;

	if (i >= k8s_store_list(a->store, K8S_NODE, &entries))
		return false;
	node = (const struct k8s_node *)entries[i]->object;
	*ret = (struct api_node){ .name = entries[i]->name };
	if (node->n_addrs)
		ret->addr = node->addrs[0];
	return true;
}

struct api_backend agent_backend(struct agent *a)
{
	return (struct api_backend){ a, on_status, on_endpoints, on_identities, on_node };
}
