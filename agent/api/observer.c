// SPDX-License-Identifier: Apache-2.0
/* The service observer.Observer, as Hubble's clients know it. */
#include "agent/api/server.h"
#include "agent/flow/filter.h"
#include "lib/pb.h"

#define SCAN_MAX 4096 /* flows looked at before others have their turn */
#define SECOND 1000000000ull
#define DISORDER (SECOND / 10) /* by so much a flow may be older than one in front of it */

struct get_flows {
	struct flow_filter *filter;
	struct flow_cursor cursor;
	uint64_t end;           /* no flow from this number on; UINT64_MAX: follow */
	uint64_t left;          /* flows that may still be sent */
	uint64_t since_ns;      /* 0: any */
	uint64_t until_ns;      /* UINT64_MAX: any */
	sd_event_source *until; /* wakes a follower whose time is over */
};

static int on_until(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	api_server_wake(userdata);
	return 0;
}

static struct flow_store *store_of(const struct api_call *call)
{
	return call->conn->server->config.store;
}

static const struct flow_node *node_of(const struct api_call *call)
{
	return &call->conn->server->config.node;
}

static uint64_t to_ns(const Google__Protobuf__Timestamp *t, uint64_t absent)
{
	if (!t)
		return absent;
	return t->seconds < 0 ? 0 : (uint64_t)t->seconds * SECOND + (uint64_t)MAX(t->nanos, 0);
}

/*
 * Where to begin. Times decide before numbers; a number without `first` counts matching flows back from the newest.
 * Flows are in the order in which CPUs reported them, and the clock of drops is a coarse one: times go back by a
 * little now and then. So the search goes on for a while behind the first flow that is older; those are not sent.
 */
static uint64_t start_of(const struct get_flows *g, const struct flow_store *store,
			 const Observer__GetFlowsRequest *req)
{
	uint64_t first = flow_store_first(store), seq = flow_store_next(store), left = req->number;
	struct flow_face face;

	if (req->first && !req->since)
		return first;
	if (!req->since && !req->number)
		return req->follow ? seq : first;
	for (; seq > first; seq--) {
		const struct flow *f = flow_store_get(store, seq - 1);

		if (req->since && f->time_ns + DISORDER < g->since_ns)
			break;
		if (!req->since && f->time_ns <= g->until_ns && flow_filter_match(g->filter, f, &face) && --left == 0)
			return seq - 1;
	}
	return seq;
}

static void get_flows(struct api_call *call, const ProtobufCMessage *request)
{
	const Observer__GetFlowsRequest *req = (const Observer__GetFlowsRequest *)request;
	struct flow_store *store = store_of(call);
	struct get_flows *g;
	struct err e = { 0 };
	int r;

	if (req->first && req->follow) {
		api_call_error(call, GRPC_INVALID_ARGUMENT, "first cannot be specified with follow");
		return;
	}
	g = call->data = calloc(1, sizeof(*g));
	if (!g) {
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	r = flow_filter_new(req->whitelist, req->n_whitelist, req->blacklist, req->n_blacklist, node_of(call),
			    &g->filter, &e);
	if (r < 0) {
		api_call_error(call, r == -EINVAL ? GRPC_INVALID_ARGUMENT : GRPC_RESOURCE_EXHAUSTED, "%s", e.msg);
		return;
	}
	g->since_ns = to_ns(req->since, 0);
	g->until_ns = to_ns(req->until, UINT64_MAX);
	g->left = req->number && !req->follow ? req->number : UINT64_MAX;
	g->end = req->follow ? UINT64_MAX : flow_store_next(store);
	if (req->follow && req->until)
		sd_event_add_time(call->conn->server->event, &g->until, CLOCK_REALTIME, g->until_ns / 1000 + 1, 1000,
				  on_until, call->conn->server);
	g->cursor = flow_cursor_at(store, start_of(g, store, req), api_now(CLOCK_REALTIME));
}

/* False: the call has ended. */
static bool send_flow(struct api_call *call, struct get_flows *g, const struct flow *f)
{
	const Observer__GetFlowsResponse *msg;
	struct flow_face face;

	if (f->time_ns > g->until_ns && f->time_ns - g->until_ns > DISORDER) {
		api_call_finish(call);
		return false;
	}
	if (f->time_ns > g->until_ns || f->time_ns < g->since_ns || !flow_filter_match(g->filter, f, &face))
		return true;
	msg = flow_msg_fill(call->conn->server->msg, node_of(call), f, &face);
	if (!msg) {
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return false;
	}
	if (api_call_send(call, &msg->base) < 0)
		return false;
	if (--g->left)
		return true;
	api_call_finish(call);
	return false;
}

static bool send_lost(struct api_call *call, const struct flow_lost *lost)
{
	return api_call_send(call, &flow_msg_fill_lost(call->conn->server->msg, node_of(call), lost)->base) == 0;
}

/* Nothing more for now: a follower waits, unless its time is over. */
static void idle(struct api_call *call, struct get_flows *g, uint64_t now)
{
	if (g->end != UINT64_MAX || now > g->until_ns)
		api_call_finish(call);
}

static void pull_flows(struct api_call *call)
{
	struct get_flows *g = call->data;
	uint64_t now = api_now(CLOCK_REALTIME);

	for (int scanned = 0; call->out_len < API_BATCH; scanned++) {
		struct flow_item item;

		if (scanned == SCAN_MAX) {
			if (!call->out_len)
				api_server_wake(call->conn->server);
			return;
		}
		item = flow_cursor_read(store_of(call), &g->cursor, now, g->end != UINT64_MAX);
		if (item.kind == FLOW_ITEM_NONE || (item.kind == FLOW_ITEM_FLOW && item.flow->seq >= g->end)) {
			idle(call, g, now);
			return;
		}
		if (item.kind == FLOW_ITEM_FLOW ? !send_flow(call, g, item.flow) : !send_lost(call, &item.lost))
			return;
	}
}

static void stop_flows(struct api_call *call)
{
	struct get_flows *g = call->data;

	if (!g)
		return;
	sd_event_source_disable_unref(g->until);
	flow_filter_free(g->filter);
	free(g);
}

static uint64_t num_flows(const struct flow_store *s)
{
	return flow_store_next(s) - flow_store_first(s);
}

/* Of the last minute, or of the time since the start when that is shorter. */
static double flows_rate(const struct api_server *s, uint64_t uptime_ns)
{
	const struct flow_store *store = s->config.store;
	uint64_t window = MIN(60 * SECOND, uptime_ns), since = api_now(CLOCK_REALTIME) - window;
	uint64_t seq = flow_store_next(store), n = 0;

	while (seq > flow_store_first(store) && flow_store_get(store, --seq)->time_ns >= since)
		n++;
	return window ? (double)n * SECOND / (double)window : 0;
}

static void server_status(struct api_call *call, _unused_ const ProtobufCMessage *request)
{
	const struct api_server *s = call->conn->server;
	Observer__ServerStatusResponse msg = OBSERVER__SERVER_STATUS_RESPONSE__INIT;

	msg.num_flows = num_flows(s->config.store);
	msg.max_flows = flow_store_capacity(s->config.store);
	msg.seen_flows = flow_store_next(s->config.store) - 1;
	msg.uptime_ns = api_now(CLOCK_MONOTONIC) - s->started_ns;
	msg.flows_rate = flows_rate(s, msg.uptime_ns);
	msg.version = (char *)"weir " WEIR_VERSION;
	if (api_call_send(call, &msg.base) == 0)
		api_call_finish(call);
}

static void get_nodes(struct api_call *call, _unused_ const ProtobufCMessage *request)
{
	const struct api_server *s = call->conn->server;
	Observer__GetNodesResponse msg = OBSERVER__GET_NODES_RESPONSE__INIT;
	Observer__Node node = OBSERVER__NODE__INIT, *nodes[] = { &node };
	Observer__TLS tls = OBSERVER__TLS__INIT;

	node.name = (char *)s->config.node.name;
	node.version = (char *)"weir " WEIR_VERSION;
	node.address = (char *)(s->config.listen ? s->config.listen : s->path);
	node.state = RELAY__NODE_STATE__NODE_CONNECTED;
	node.tls = &tls;
	node.uptime_ns = api_now(CLOCK_MONOTONIC) - s->started_ns;
	node.num_flows = num_flows(s->config.store);
	node.max_flows = flow_store_capacity(s->config.store);
	node.seen_flows = flow_store_next(s->config.store) - 1;
	msg.n_nodes = 1;
	msg.nodes = nodes;
	if (api_call_send(call, &msg.base) == 0)
		api_call_finish(call);
}

/* Keeps the list sorted and free of doubles. */
static int add_namespace(Observer__GetNamespacesResponse *msg, const char *name)
{
	Observer__Namespace *ns;
	size_t at = 0;
	int diff = 1;

	while (at < msg->n_namespaces && (diff = strcmp(msg->namespaces[at]->namespace_, name)) < 0)
		at++;
	if (at < msg->n_namespaces && diff == 0)
		return 0;
	ns = pb_append(&msg->n_namespaces, &msg->namespaces, &observer__namespace__descriptor);
	if (!ns || pb_set_str(&ns->namespace_, name) < 0 || pb_set_str(&ns->cluster, "default") < 0)
		return -ENOMEM;
	memmove(&msg->namespaces[at + 1], &msg->namespaces[at], (msg->n_namespaces - 1 - at) * sizeof(ns));
	msg->namespaces[at] = ns;
	return 0;
}

/* Those of the flows in the store, as Cilium's agent answers. */
static int fill_namespaces(const struct flow_store *store, Observer__GetNamespacesResponse *msg)
{
	const struct flow_peer *last[2] = { NULL, NULL };
	int r = 0;

	for (uint64_t seq = flow_store_first(store); seq < flow_store_next(store) && r == 0; seq++) {
		const struct flow *f = flow_store_get(store, seq);

		if (f->src != last[0] && f->src->namespace)
			r = add_namespace(msg, f->src->namespace);
		if (r == 0 && f->dst != last[1] && f->dst->namespace)
			r = add_namespace(msg, f->dst->namespace);
		last[0] = f->src;
		last[1] = f->dst;
	}
	return r;
}

static void get_namespaces(struct api_call *call, _unused_ const ProtobufCMessage *request)
{
	Observer__GetNamespacesResponse *msg = pb_new(&observer__get_namespaces_response__descriptor);

	if (!msg || fill_namespaces(store_of(call), msg) < 0)
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	else if (api_call_send(call, &msg->base) == 0)
		api_call_finish(call);
	if (msg)
		protobuf_c_message_free_unpacked(&msg->base, NULL);
}

const struct api_method api_observer_methods[] = {
	{ "/observer.Observer/GetFlows", &observer__get_flows_request__descriptor, get_flows, pull_flows, stop_flows },
	{ "/observer.Observer/ServerStatus", &observer__server_status_request__descriptor, server_status, NULL, NULL },
	{ "/observer.Observer/GetNodes", &observer__get_nodes_request__descriptor, get_nodes, NULL, NULL },
	{ "/observer.Observer/GetNamespaces", &observer__get_namespaces_request__descriptor, get_namespaces, NULL,
	  NULL },
	{ 0 },
};
