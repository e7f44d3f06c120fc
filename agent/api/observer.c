// SPDX-License-Identifier: Apache-2.0
/* The service observer.Observer, as Hubble's clients know it; GetFlows is in get_flows.c. */
#include "agent/api/server.h"
#include "lib/clock.h"
#include "lib/pb.h"

#define SECOND 1000000000ull

static uint64_t num_flows(const struct flow_store *s)
{
	return flow_store_next(s) - flow_store_first(s);
}

/* Of the last minute, or of the time since the start when that is shorter. */
static double flows_rate(const struct api_server *s, uint64_t uptime_ns)
{
	const struct flow_store *store = s->config.store;
	uint64_t window = MIN(60 * SECOND, uptime_ns), since = clock_ns(CLOCK_REALTIME) - window;
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
	msg.uptime_ns = clock_ns(CLOCK_MONOTONIC) - s->started_ns;
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
	node.uptime_ns = clock_ns(CLOCK_MONOTONIC) - s->started_ns;
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

	if (!msg || fill_namespaces(call->conn->server->config.store, msg) < 0)
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
	else if (api_call_send(call, &msg->base) == 0)
		api_call_finish(call);
	if (msg)
		protobuf_c_message_free_unpacked(&msg->base, NULL);
}

static void get_debug_events(struct api_call *call, _unused_ const ProtobufCMessage *request)
{
	api_call_error(call, GRPC_UNIMPLEMENTED,
		       "Weir's datapath has no debug events; see GetFlows and GetAgentEvents");
}

const struct api_method api_observer_methods[] = {
	{ .path = "/observer.Observer/GetFlows",
	  .request = &observer__get_flows_request__descriptor,
	  .start = api_get_flows,
	  .pull = api_get_flows_pull,
	  .stop = api_get_flows_stop },
	{ .path = "/observer.Observer/GetAgentEvents",
	  .request = &observer__get_agent_events_request__descriptor,
	  .start = api_get_agent_events,
	  .pull = api_get_agent_events_pull,
	  .stop = api_get_agent_events_stop },
	{ .path = "/observer.Observer/GetDebugEvents",
	  .request = &observer__get_debug_events_request__descriptor,
	  .start = get_debug_events },
	{ .path = "/observer.Observer/ServerStatus",
	  .request = &observer__server_status_request__descriptor,
	  .start = server_status },
	{ .path = "/observer.Observer/GetNodes",
	  .request = &observer__get_nodes_request__descriptor,
	  .start = get_nodes },
	{ .path = "/observer.Observer/GetNamespaces",
	  .request = &observer__get_namespaces_request__descriptor,
	  .start = get_namespaces },
	{ 0 },
};
