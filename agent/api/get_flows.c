// SPDX-License-Identifier: Apache-2.0
/* GetFlows: from where, through which filters, how many, until when. */
#include "agent/api/server.h"
#include "agent/flow/filter.h"
#include "lib/clock.h"

#define SCAN_MAX 4096 /* flows looked at before others have their turn */
#define SECOND 1000000000ull
#define DISORDER (SECOND / 10) /* by so much a flow may be older than one in front of it */

struct get_flows {
	struct flow_filter *filter;
	struct flow_cursor cursor;
	bool seeking, reading;  /* looking for the place to begin; cursor is there */
	uint64_t seek;          /* how far back that has come */
	uint64_t seek_left;     /* matching flows to go back by; UINT64_MAX: as long as time allows */
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
	return t->seconds < 0 ? 0 : (uint64_t)MIN(t->seconds, INT32_MAX) * SECOND + (uint64_t)MAX(t->nanos, 0);
}

/*
 * Where to begin. Times decide before numbers; a number without `first` counts matching flows back from the newest.
 */
static void begin(struct get_flows *g, const struct flow_store *store, const Observer__GetFlowsRequest *req)
{
	bool from_oldest = req->since ? false : req->first || (!req->number && !req->follow);

	g->since_ns = to_ns(req->since, 0);
	g->until_ns = to_ns(req->until, UINT64_MAX);
	g->left = req->number && !req->follow ? req->number : UINT64_MAX;
	g->end = req->follow ? UINT64_MAX : flow_store_next(store);
	g->seek = from_oldest ? flow_store_first(store) : flow_store_next(store);
	g->seeking = req->since || (req->number && !req->first);
	g->seek_left = req->since ? UINT64_MAX : req->number;
}

/*
 * Go back from the newest flow to where reading begins, SCAN_MAX flows at most; true when it is found. Flows are in the
 * order in which CPUs reported them, and the clock of drops is a coarse one: times go back by a little now and then.
 * So the search goes on for a while behind the first flow that is older; those are not sent.
 */
static bool seek(struct get_flows *g, const struct flow_store *store)
{
	struct flow_face face;

	for (int scanned = 0; g->seeking && scanned < SCAN_MAX; scanned++) {
		const struct flow *f = flow_store_get(store, g->seek - 1);

		if (!f || f->time_ns + DISORDER < g->since_ns) {
			g->seeking = false;
			break;
		}
		g->seek--;
		if (g->seek_left != UINT64_MAX && f->time_ns <= g->until_ns && flow_filter_match(g->filter, f, &face))
			g->seeking = --g->seek_left > 0;
	}
	return !g->seeking;
}

void api_get_flows(struct api_call *call, const ProtobufCMessage *request)
{
	const Observer__GetFlowsRequest *req = (const Observer__GetFlowsRequest *)request;
	struct api_server *s = call->conn->server;
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
	r = flow_filter_new(req->whitelist, req->n_whitelist, req->blacklist, req->n_blacklist, &s->config.node,
			    &g->filter, &e);
	if (r < 0) {
		api_call_error(call, r == -EINVAL ? GRPC_INVALID_ARGUMENT : GRPC_RESOURCE_EXHAUSTED, "%s", e.msg);
		return;
	}
	begin(g, s->config.store, req);
	if (req->follow && req->until)
		sd_event_add_time(s->event, &g->until, CLOCK_REALTIME, g->until_ns / 1000 + 1, 1000, on_until, s);
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

/* A seek that had to wait may find that the ring has moved on: what it lost then is told as for any slow reader. */
static bool start_reading(struct api_call *call, struct get_flows *g, uint64_t now)
{
	if (g->reading)
		return true;
	if (!seek(g, store_of(call))) {
		api_server_wake(call->conn->server);
		return false;
	}
	g->cursor = flow_cursor_at(store_of(call), g->seek, now);
	g->reading = true;
	return true;
}

void api_get_flows_pull(struct api_call *call)
{
	struct get_flows *g = call->data;
	uint64_t now = clock_ns(CLOCK_REALTIME);

	if (!start_reading(call, g, now))
		return;
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

void api_get_flows_stop(struct api_call *call)
{
	struct get_flows *g = call->data;

	if (!g)
		return;
	sd_event_source_disable_unref(g->until);
	flow_filter_free(g->filter);
	free(g);
}
