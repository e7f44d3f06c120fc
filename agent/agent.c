// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "agent/busy.h"
#include "lib/clock.h"
#include "lib/fs.h"

#define SWEEP_US 200000  /* after a pass; no program runs that long */
#define RETRY_US 1000000 /* a pass that could not be brought into force, or not wholly */
#define COLLECT_EVERY 10 /* seconds between two looks for connections that are over, for busy pods, at what failed */
#define DRAIN_BATCH 512  /* events between two looks at everything else */

static uint64_t now_us(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000;
}

void agent_mark_dirty(struct agent *a)
{
	sd_event_source_set_enabled(a->pass, SD_EVENT_ONESHOT);
}

/* ---- events of its own ---- */

static void tell_endpoint(struct agent *a, Flow__AgentEventType type, const struct endpoint *ep)
{
	struct agent_event ev = { .type = type, .number = ep->slot };

	if (ep->pod) {
		snprintf(ev.namespace, sizeof(ev.namespace), "%s", ep->attachment->pod_namespace);
		snprintf(ev.pod, sizeof(ev.pod), "%s", ep->attachment->pod_name);
	}
	agent_events_add(&a->events, &ev);
}

/* What a pass could not do ("": nothing). It is tried again and again, but told once: false when it was known. */
static bool tell_problem(struct agent *a, const char *problem)
{
	struct agent_event ev = { .type = FLOW__AGENT_EVENT_TYPE__ENDPOINT_REGENERATE_FAILURE };

	if (streq(problem, a->problem))
		return false;
	snprintf(a->problem, sizeof(a->problem), "%s", problem);
	if (*problem) {
		log_error("%s", problem);
		snprintf(ev.error, sizeof(ev.error), "%.*s", (int)sizeof(ev.error) - 1, problem);
		agent_events_add(&a->events, &ev);
	}
	return true;
}

/* After a pass that brought something into force. */
static void tell_pass(struct agent *a)
{
	uint32_t generation = maps_generation(a->maps);

	if (generation == a->told_generation)
		return;
	a->told_generation = generation;
	agent_events_add(&a->events, &(struct agent_event){ .type = FLOW__AGENT_EVENT_TYPE__POLICY_UPDATED,
							    .number = generation,
							    .rules = (int64_t)a->result->n_rules });
}

/* ---- the pass ---- */

static bool is_local(void *userdata, const char *ns, const char *name)
{
	const struct agent *a = userdata;

	return endpoints_find_pod(&a->endpoints, ns, name) != NULL;
}

/* What the pods of this node wish about their payload. One that is not known yet says nothing. */
static void read_l7_wishes(struct agent *a)
{
	for (struct endpoint *ep = a->endpoints.by_pod; ep; ep = ep->hh_pod.next) {
		const struct attachment *at = ep->attachment;
		const struct k8s_entry *e = k8s_store_find(a->store, K8S_POD, at->pod_namespace, at->pod_name);

		ep->l7 = e && e->object ? ((const struct k8s_pod *)e->object)->l7 : 0;
	}
}

static int compile_and_apply(struct agent *a, struct err *reterr)
{
	uint64_t t0 = now_us(), t1;
	int r = policy_compiler_run(a->compiler, a->store, a->config.node_name, is_local, a, &a->result, reterr);

	if (r < 0)
		return r;
	a->compile_us = now_us() - t0;
	read_l7_wishes(a);
	/* The former result is gone, whether or not this one comes into force. */
	if (enrich_update(a->enrich, a->result, reterr) < 0)
		return -ENOMEM;
	t1 = now_us();
	r = maps_apply(a->maps, a->result, &a->endpoints, reterr);
	a->apply_us = now_us() - t1;
	return r < 0 ? r : nat_apply(&a->nat, &a->config, &a->endpoints, &a->node, reterr);
}

static void arm(sd_event_source *timer, uint64_t usec)
{
	sd_event_source_set_time_relative(timer, usec);
	sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void tell_nodes(struct agent *a)
{
	uint64_t changes = k8s_store_changes(a->store, K8S_NODE);

	if (a->api && changes != a->nodes_told)
		api_server_nodes_changed(a->api);
	a->nodes_told = changes;
}

static int on_pass(_unused_ sd_event_source *source, void *userdata)
{
	struct agent *a = userdata;
	struct err e = {};
	int r = compile_and_apply(a, &e);
	bool told = tell_problem(a, r < 0 ? e.msg : maps_problem(a->maps) ?: "");

	tell_pass(a);
	tell_nodes(a);
	agent_count_pass(a, r < 0);
	arm(a->sweep, r < 0 || (a->problem[0] && !told) ? RETRY_US : SWEEP_US);
	if (a->cni)
		cni_server_settle(a->cni, r < 0 ? e.msg : NULL);
	log_debug("pass: compiled in %lu us, applied in %lu us, generation %u", a->compile_us, a->apply_us,
		  maps_generation(a->maps));
	return 0;
}

/* What the pass replaced goes. What did not fit gets another try, now that there may be room. */
static int on_sweep(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct agent *a = userdata;

	maps_sweep(a->maps);
	if (a->problem[0])
		agent_mark_dirty(a);
	return 0;
}

/* ---- flows ---- */

static void on_event(const void *elem, void *userdata)
{
	struct agent *a = userdata;
	struct flow f;

	if (enrich_event(a->enrich, elem, &f) < 0)
		flow_store_note_loss(a->flows, FLOW_LOSS_QUEUE, 1, -1, clock_ns(CLOCK_REALTIME));
	else
		flow_store_add(a->flows, &f);
}

static int on_events(_unused_ sd_event_source *source, _unused_ int fd, _unused_ uint32_t revents, void *userdata)
{
	struct agent *a = userdata;

	feed_take(a->reader, DRAIN_BATCH, on_event, a);
	return 0;
}

/* A record of layer 7 as an event of the connection's client. */
static struct weir_event event_of(const struct l7_record *r)
{
	return (struct weir_event){ .ts = r->start_ns,
				    .saddr = r->ends.addr[0],
				    .daddr = r->ends.addr[1],
				    .sport = r->ends.port[0],
				    .dport = r->ends.port[1],
				    .proto = r->ends.proto,
				    .type = WEIR_EV_L7,
				    .verdict = WEIR_FORWARDED,
				    .src_identity = r->ends.identity[0],
				    .dst_identity = r->ends.identity[1],
				    .flags = WEIR_EVF_KNOWN_DIR };
}

static void on_record(const void *elem, void *userdata)
{
	struct agent *a = userdata;
	struct l7_record *r = l7_record_copy(elem);
	struct weir_event ev;
	struct flow f;

	if (r) {
		ev = event_of(r);
		enrich_learn(a->enrich, r);
	}
	if (!r || enrich_event(a->enrich, &ev, &f) < 0) {
		flow_store_note_loss(a->flows, FLOW_LOSS_QUEUE, 1, -1, clock_ns(CLOCK_REALTIME));
		l7_record_free(r);
		return;
	}
	f.l7 = r;
	flow_store_add(a->flows, &f);
}

static int on_records(_unused_ sd_event_source *source, _unused_ int fd, _unused_ uint32_t revents, void *userdata)
{
	struct agent *a = userdata;

	l7_worker_take(a->l7, DRAIN_BATCH, on_record, a);
	return 0;
}

/* What a counter of losses in the kernel has more than was told. */
static void tell_losses(struct agent *a, uint64_t now, uint64_t *told, const char *what)
{
	if (now <= *told)
		return;
	log_warn("%lu %s were lost: the ring was full", now - *told, what);
	flow_store_note_loss(a->flows, FLOW_LOSS_RING, now - *told, -1, clock_ns(CLOCK_REALTIME));
	*told = now;
}

static void on_node_changed(void *userdata);

static void look_for_busy_pods(struct agent *a)
{
	int r = 0;

	if (a->config.busy_packets)
		r = busy_look(&a->endpoints, a->config.busy_packets, datapath_prog_fd(a->datapath, "from_pod"));
	if (r == -EOPNOTSUPP)
		a->config.busy_packets = 0;
}

static int on_second(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct agent *a = userdata;
	uint64_t stats[WEIR_STAT_COUNT];
	struct err e = {};

	if (datapath_stats(a->datapath, stats, NULL) >= 0) {
		tell_losses(a, stats[WEIR_STAT_EVENTS_LOST], &a->lost_reported, "flow events");
		tell_losses(a, stats[WEIR_STAT_L7_LOST], &a->l7_lost_reported, "excerpts of payload");
	}
	enrich_set_clock(a->enrich);
	if (nat_was_removed(&a->nat)) {
		log_warn("somebody has removed the nftables table %s: it is made again", a->nat.table);
		agent_mark_dirty(a);
	}
	if (a->seconds++ % COLLECT_EVERY == 0) {
		if (datapath_collect(a->datapath, &a->conns, &e) < 0)
			log_warn("%s", e.msg);
		look_for_busy_pods(a);
		if (a->node_incomplete)
			on_node_changed(a);
	}
	arm(source, 1000000);
	return 0;
}

/* ---- pods ---- */

static int on_cni_add(void *userdata, struct attachment **at, int *ret_code, struct err *reterr)
{
	struct agent *a = userdata;
	struct endpoint *ep;
	int r = nat_check(&a->endpoints, *at, reterr);

	if (r >= 0)
		r = endpoints_add(&a->endpoints, at, &ep, reterr);
	if (r < 0) {
		*ret_code = 100;
		return r;
	}
	if (ep->pod)
		k8s_store_set_pod_address(a->store, ep->attachment->pod_namespace, ep->attachment->pod_name,
					  ep->attachment->addr);
	tell_endpoint(a, FLOW__AGENT_EVENT_TYPE__ENDPOINT_CREATED, ep);
	agent_mark_dirty(a);
	return 1;
}

static void on_cni_del(void *userdata, const char *key)
{
	struct agent *a = userdata;
	struct endpoint *ep = endpoints_find(&a->endpoints, key), *other;
	_cleanup_free_ char *ns = NULL, *name = NULL;
	static const struct weir_addr none[2];

	if (!ep)
		return;
	if (ep->pod) {
		ns = strdup(ep->attachment->pod_namespace);
		name = strdup(ep->attachment->pod_name);
	}
	tell_endpoint(a, FLOW__AGENT_EVENT_TYPE__ENDPOINT_DELETED, ep);
	endpoints_remove(&a->endpoints, key);
	if (ns && name) { /* a newer sandbox of the same pod keeps its address */
		other = endpoints_find_pod(&a->endpoints, ns, name);
		k8s_store_set_pod_address(a->store, ns, name, other ? other->attachment->addr : none);
	}
	agent_mark_dirty(a);
}

static const char *on_cni_state(void *userdata, const char *key)
{
	const struct agent *a = userdata;
	const struct endpoint *ep = endpoints_find(&a->endpoints, key);

	return !ep ? NULL : ep->ready ? "ready" : "waiting";
}

static const char *on_cni_not_ready(void *userdata)
{
	const struct agent *a = userdata;

	return a->problem[0] ? a->problem : NULL;
}

/* ---- the node ---- */

/* NODE_UPLINKS_MAX: it is none. */
static size_t find_uplink(const struct node *n, uint32_t ifindex)
{
	for (size_t i = 0; i < n->n_uplinks; i++)
		if (n->uplinks[i] == ifindex)
			return i;
	return NODE_UPLINKS_MAX;
}

/* What was there before is told once. */
static void attach_uplink(struct agent *a, uint32_t ifindex, char *problem, size_t size)
{
	enum datapath_xdp xdp = a->config.xdp ? DATAPATH_XDP_GENERIC : DATAPATH_XDP_OFF;
	size_t i = find_uplink(&a->node, ifindex);
	const char *before = i < NODE_UPLINKS_MAX ? a->uplink_problem[i] : NULL;
	struct err e = {};

	*problem = '\0';
	if (before && !*before)
		return;
	if (datapath_attach_uplink(a->datapath, ifindex, xdp, &e) < 0)
		snprintf(problem, size, "%.*s", (int)size - 1, e.msg);
	if (*problem && !before)
		log_error("%s; it is tried again every %d seconds", e.msg, COLLECT_EVERY);
	else if (!*problem && before)
		log_info("interface %u: attached now", ifindex);
}

/* False: not all are attached. */
static bool change_uplinks(struct agent *a, const struct node *next)
{
	char problems[NODE_UPLINKS_MAX][sizeof(a->uplink_problem[0])] = {};
	bool complete = true;

	for (size_t i = 0; i < next->n_uplinks; i++) {
		attach_uplink(a, next->uplinks[i], problems[i], sizeof(problems[i]));
		complete &= !problems[i][0];
	}
	for (size_t i = 0; i < a->node.n_uplinks; i++)
		if (find_uplink(next, a->node.uplinks[i]) == NODE_UPLINKS_MAX)
			datapath_detach_uplink(a->datapath, a->node.uplinks[i], NULL);
	memcpy(a->uplink_problem, problems, sizeof(problems));
	return complete;
}

static void on_node_changed(void *userdata)
{
	struct agent *a = userdata;
	struct node next = {};
	struct err e = {};
	bool same;

	a->node_incomplete = true;
	if (node_scan(&next, a->config.uplinks, &e) < 0) {
		log_warn("%s", e.msg);
		return;
	}
	same = next.n_addrs == a->node.n_addrs && a->node.addrs &&
	       !memcmp(next.addrs, a->node.addrs, next.n_addrs * sizeof(*next.addrs));
	a->node_incomplete = !change_uplinks(a, &next);
	node_done(&a->node);
	a->node = next;
	if (same)
		return;
	if (policy_compiler_set_host_addrs(a->compiler, a->node.addrs, a->node.n_addrs) < 0)
		log_error("out of memory: this node's new addresses are not taken over");
	agent_mark_dirty(a);
}

static void on_objects_changed(void *userdata)
{
	agent_mark_dirty(userdata);
}

/* ---- start and end ---- */

static int lock_run_dir(struct agent *a, struct err *reterr)
{
	_cleanup_free_ char *path = NULL;
	int r = fs_mkdir_p(a->config.run_dir, 0755);

	if (r >= 0)
		r = fs_mkdir_p(a->config.state_dir, 0700);
	if (r < 0)
		return err_set(reterr, r, "cannot make %s or %s: %s", a->config.run_dir, a->config.state_dir,
			       strerror(-r));
	if (asprintf(&path, "%s/agent.lock", a->config.run_dir) < 0)
		return err_oom(reterr);
	a->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (a->lock < 0)
		return err_set(reterr, -errno, "cannot open %s: %m", path);
	if (flock(a->lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(reterr, -errno, "another weir-agent runs with --run-dir %s", a->config.run_dir);
	return 0;
}

/* The pods that are there get this agent's programs, in place of an earlier one's. */
static int adopt_pods(struct agent *a, struct err *reterr)
{
	for (struct endpoint *ep = a->endpoints.by_key; ep; ep = ep->hh.next) {
		int r = datapath_attach_pod(a->datapath, ep->attachment->ifindex, reterr);

		if (r < 0 && r != -ENODEV)
			return err_prefix(reterr, r, "%s", ep->attachment->hostif);
	}
	return 0;
}

static int start_datapath(struct agent *a, struct err *reterr)
{
	const struct config *c = &a->config;
	const struct datapath_options options = {
		.bpf_dir = c->bpf_dir,
		.ct_tcp = c->ct_tcp_max,
		.ct_any = c->ct_any_max,
		.policy = c->policy_max,
		.ipcache = c->ipcache_max,
		.ring_bytes = c->events_bytes,
		.l7_off = !c->l7.enabled,
		.l7_default = c->l7.by_default,
		.l7_budget = c->l7.budget,
		.l7_ring_bytes = c->l7.ring_bytes,
		.l7_connections = c->l7.connections,
	};
	struct maps_fds fds;
	int r = datapath_load(&options, &a->datapath, reterr);

	if (r < 0)
		return r;
	fds = (struct maps_fds){
		.node = datapath_map_fd(a->datapath, WEIR_MAP_NODE),
		.ep = datapath_map_fd(a->datapath, WEIR_MAP_EP),
		.ep_if = datapath_map_fd(a->datapath, WEIR_MAP_EP_IF),
		.ipcache = datapath_map_fd(a->datapath, WEIR_MAP_IPCACHE),
		.policy = datapath_map_fd(a->datapath, WEIR_MAP_POLICY),
		.deny = datapath_map_fd(a->datapath, WEIR_MAP_DENY),
	};
	r = maps_new(&fds, &a->maps, reterr);
	if (r >= 0)
		r = maps_set_deny(a->maps, c->deny.v, c->deny.n, reterr);
	if (r < 0)
		return r;
	policy_compiler_reserve(a->compiler, maps_first_rule(a->maps), maps_first_ruleset(a->maps));
	r = endpoints_load(&a->endpoints, c->state_dir, fds.ep, reterr);
	if (r > 0)
		log_warn("%d attachment record(s) below %s cannot be read", r, c->state_dir);
	return r < 0 ? r : adopt_pods(a, reterr);
}

static int make_parts(struct agent *a, struct err *reterr)
{
	a->store = k8s_store_new();
	a->compiler = policy_compiler_new();
	a->enrich = a->store ? enrich_new(a->store, &a->endpoints) : NULL;
	if (!a->store || !a->compiler || !a->enrich || flow_store_new(a->config.flows_max, &a->flows) < 0)
		return err_oom(reterr);
	a->flow_node.name = a->config.node_name;
	if (getrandom(&a->flow_node.instance, sizeof(a->flow_node.instance), 0) < 0)
		return err_set(reterr, -errno, "cannot get a random number: %m");
	if (sd_event_add_defer(a->event, &a->pass, on_pass, a) < 0 ||
	    sd_event_add_time_relative(a->event, &a->sweep, CLOCK_MONOTONIC, 0, 0, on_sweep, a) < 0 ||
	    sd_event_add_time_relative(a->event, &a->second, CLOCK_MONOTONIC, 1000000, 0, on_second, a) < 0)
		return err_oom(reterr);
	sd_event_source_set_enabled(a->sweep, SD_EVENT_OFF);
	sd_event_source_set_enabled(a->pass, SD_EVENT_OFF);
	/* First all pods that ask, then one pass for them, then flows and clients. */
	sd_event_source_set_priority(a->pass, SD_EVENT_PRIORITY_IMPORTANT + 1);
	return 0;
}

static int read_everything(struct agent *a, struct err *reterr)
{
	_cleanup_free_ char *keep_dir = NULL;
	int r;

	if (asprintf(&keep_dir, "%s/objects", a->config.state_dir) < 0)
		return err_oom(reterr);
	r = objects_new(a->event, a->config.objects, keep_dir, a->store, on_objects_changed, a, &a->objects, reterr);
	if (r < 0)
		return r;
	for (struct endpoint *ep = a->endpoints.by_pod; ep; ep = ep->hh_pod.next)
		k8s_store_set_pod_address(a->store, ep->attachment->pod_namespace, ep->attachment->pod_name,
					  ep->attachment->addr);
	r = node_watch_new(a->event, on_node_changed, a, &a->node_watch, reterr);
	if (r >= 0)
		on_node_changed(a);
	return r;
}

/* Before the records are read: who is added in between waits in the socket, and is not missed. */
static int listen_for_pods(struct agent *a, struct err *reterr)
{
	const struct cni_handler handler = { a, on_cni_add, on_cni_del, on_cni_state, on_cni_not_ready };

	return cni_server_new(a->event, a->config.run_dir, &handler, &a->cni, reterr);
}

static int start_l7(struct agent *a, struct err *reterr)
{
	const struct config_l7 *c = &a->config.l7;
	const struct l7_rings *rings = datapath_l7_rings(a->datapath);
	const struct l7_worker_params p = {
		.ring_fds = rings->fd,
		.n_rings = rings->n,
		.want_fd = datapath_map_fd(a->datapath, WEIR_MAP_L7_WANT),
		.settings = { .headers_only = c->headers_only,
			      .record_query = c->record_query,
			      .record_session = c->record_session,
			      .record_tools = c->record_tools,
			      .redact = c->redact },
		.memory_max = (size_t)c->memory_max,
		.connections_max = (size_t)c->connections,
	};
	int r = c->enabled ? l7_worker_start(&p, &a->l7, reterr) : 0;

	if (r < 0 || !a->l7)
		return r;
	if (sd_event_add_io(a->event, &a->drain_l7, l7_worker_fd(a->l7), EPOLLIN, on_records, a) < 0)
		return err_oom(reterr);
	return 0;
}

static int start_serving(struct agent *a, struct err *reterr)
{
	const struct api_config ac = {
		.run_dir = a->config.run_dir,
		.listen = a->config.listen,
		.tls = { a->config.tls_cert, a->config.tls_key, a->config.tls_client_ca },
		.plaintext = a->config.listen_plaintext,
		.node = a->flow_node,
		.store = a->flows,
		.events = &a->events,
		.backend = agent_backend(a),
	};
	int r = flow_reader_start(datapath_map_fd(a->datapath, WEIR_MAP_EVENTS), &a->reader, reterr);

	if (r < 0)
		return r;
	if (sd_event_add_io(a->event, &a->drain, feed_fd(a->reader), EPOLLIN, on_events, a) < 0)
		return err_oom(reterr);
	if (a->config.flow_logs &&
	    flow_logs_new(a->event, a->config.flow_logs, a->flows, &a->flow_node, &a->flow_logs, reterr) < 0)
		return err_prefix(reterr, -EINVAL, "flowLogs");
	r = start_l7(a, reterr);
	if (r >= 0 && (a->config.metrics || a->config.metrics_listen || otlp_wants_metrics(a->config.otlp)))
		r = agent_start_metrics(a, reterr);
	if (r >= 0 && a->config.otlp &&
	    otlp_new(a->event, a->config.otlp, a->flows, &a->flow_node,
		     a->metrics ? metrics_registry(a->metrics) : NULL, &a->otlp, reterr) < 0)
		return err_prefix(reterr, -EINVAL, "otlp");
	return r < 0 ? r : api_server_new(a->event, &ac, &a->api, reterr);
}

int agent_start(struct agent *a, struct err *reterr)
{
	uint64_t stats[WEIR_STAT_COUNT];
	int r;

	a->started_ns = clock_ns(CLOCK_MONOTONIC);
	r = lock_run_dir(a, reterr);
	if (r >= 0)
		r = make_parts(a, reterr);
	if (r >= 0)
		r = nat_init(&a->nat, &a->config, reterr);
	if (r >= 0)
		r = listen_for_pods(a, reterr);
	if (r >= 0)
		r = start_datapath(a, reterr);
	if (r >= 0)
		r = read_everything(a, reterr);
	if (r >= 0)
		r = compile_and_apply(a, reterr);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(a->pass, SD_EVENT_OFF); /* that was it */
	arm(a->sweep, SWEEP_US);
	agent_events_add(&a->events, &(struct agent_event){ .type = FLOW__AGENT_EVENT_TYPE__AGENT_STARTED });
	tell_problem(a, maps_problem(a->maps) ?: "");
	tell_pass(a);
	if (datapath_stats(a->datapath, stats, NULL) >= 0) { /* an earlier agent told of those */
		a->lost_reported = stats[WEIR_STAT_EVENTS_LOST];
		a->l7_lost_reported = stats[WEIR_STAT_L7_LOST];
	}
	return start_serving(a, reterr);
}

void agent_done(struct agent *a)
{
	if (a->cni)
		cni_server_free(a->cni);
	if (a->api)
		api_server_free(a->api);
	agent_stop_metrics(a);
	sd_event_source_disable_unref(a->drain_l7);
	if (a->l7)
		l7_worker_stop(a->l7);
	sd_event_source_disable_unref(a->drain);
	if (a->reader)
		feed_free(a->reader);
	if (a->node_watch)
		node_watch_free(a->node_watch);
	if (a->objects)
		objects_free(a->objects);
	flow_logs_free(a->flow_logs);
	otlp_free(a->otlp);
	sd_event_source_disable_unref(a->pass);
	sd_event_source_disable_unref(a->sweep);
	sd_event_source_disable_unref(a->second);
	if (a->flows)
		flow_store_free(a->flows);
	if (a->enrich)
		enrich_free(a->enrich);
	if (a->maps)
		maps_free(a->maps);
	if (a->datapath)
		datapath_free(a->datapath);
	if (a->compiler)
		policy_compiler_free(a->compiler);
	if (a->store)
		k8s_store_free(a->store);
	agent_events_done(&a->events);
	endpoints_done(&a->endpoints);
	node_done(&a->node);
	nat_done(&a->nat);
	config_done(&a->config);
	sd_event_unref(a->event);
	close_fd(a->lock);
}
