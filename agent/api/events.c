// SPDX-License-Identifier: Apache-2.0
/* The agent's own events: kept here, and served as observer.Observer/GetAgentEvents. */
#include "agent/api/events.h"

#include "agent/api/server.h"
#include "lib/clock.h"

void agent_events_add(struct agent_events *e, const struct agent_event *event)
{
	struct agent_event *slot;

	if (!e->ring)
		e->ring = calloc(AGENT_EVENTS, sizeof(*e->ring));
	if (!e->ring)
		return;
	slot = &e->ring[e->next++ % AGENT_EVENTS];
	*slot = *event;
	if (!slot->time_ns)
		slot->time_ns = clock_ns(CLOCK_REALTIME);
	if (e->wake)
		e->wake(e->userdata);
}

uint64_t agent_events_first(const struct agent_events *e)
{
	return e->next > AGENT_EVENTS ? e->next - AGENT_EVENTS : 0;
}

const struct agent_event *agent_events_get(const struct agent_events *e, uint64_t seq)
{
	return seq >= agent_events_first(e) && seq < e->next ? &e->ring[seq % AGENT_EVENTS] : NULL;
}

void agent_events_done(struct agent_events *e)
{
	free(e->ring);
	*e = (struct agent_events){};
}

/* ---- the call */

struct reading {
	uint64_t next, end; /* numbers: to send next; where a reader that does not follow ends */
	uint64_t left;      /* how many more it wants */
	uint64_t since_ns, until_ns;
	bool follow;
};

static uint64_t ns_of(const Google__Protobuf__Timestamp *t, uint64_t otherwise)
{
	return t ? (uint64_t)t->seconds * 1000000000 + (uint64_t)t->nanos : otherwise;
}

static bool within(const struct reading *r, const struct agent_event *ev)
{
	return ev->time_ns >= r->since_ns && ev->time_ns <= r->until_ns;
}

/* Where the last `number` events within the times begin. */
static uint64_t seek_back(const struct agent_events *e, const struct reading *r, uint64_t number)
{
	uint64_t seq = e->next;

	while (number && seq > agent_events_first(e))
		if (within(r, agent_events_get(e, --seq)))
			number--;
	return seq;
}

void api_get_agent_events(struct api_call *call, const ProtobufCMessage *request)
{
	const Observer__GetAgentEventsRequest *req = (const Observer__GetAgentEventsRequest *)request;
	const struct agent_events *e = call->conn->server->config.events;
	struct reading *r;

	if (req->first && req->follow) {
		api_call_error(call, GRPC_INVALID_ARGUMENT, "first cannot be specified with follow");
		return;
	}
	r = call->data = calloc(1, sizeof(*r));
	if (!r) {
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	r->since_ns = ns_of(req->since, 0);
	r->until_ns = ns_of(req->until, UINT64_MAX);
	r->follow = req->follow;
	r->end = e->next;
	r->left = UINT64_MAX;
	if (req->first || (req->since && !req->number)) {
		r->next = agent_events_first(e);
		r->left = req->number ? req->number : UINT64_MAX;
	} else {
		r->next = req->number ? seek_back(e, r, req->number) : req->follow ? e->next : agent_events_first(e);
	}
}

static Google__Protobuf__Timestamp stamp(uint64_t ns)
{
	Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	t.seconds = (int64_t)(ns / 1000000000);
	t.nanos = (int32_t)(ns % 1000000000);
	return t;
}

static int send_event(struct api_call *call, const struct agent_event *ev)
{
	Observer__GetAgentEventsResponse msg = OBSERVER__GET_AGENT_EVENTS_RESPONSE__INIT;
	Flow__AgentEvent event = FLOW__AGENT_EVENT__INIT;
	Flow__TimeNotification start = FLOW__TIME_NOTIFICATION__INIT;
	Flow__PolicyUpdateNotification policy = FLOW__POLICY_UPDATE_NOTIFICATION__INIT;
	Flow__EndpointRegenNotification regen = FLOW__ENDPOINT_REGEN_NOTIFICATION__INIT;
	Flow__EndpointUpdateNotification update = FLOW__ENDPOINT_UPDATE_NOTIFICATION__INIT;
	Google__Protobuf__Timestamp time = stamp(ev->time_ns);

	event.type = ev->type;
	switch (ev->type) {
	case FLOW__AGENT_EVENT_TYPE__AGENT_STARTED:
		start.time = &time;
		event.agent_start = &start;
		event.notification_case = FLOW__AGENT_EVENT__NOTIFICATION_AGENT_START;
		break;
	case FLOW__AGENT_EVENT_TYPE__POLICY_UPDATED:
		policy.revision = ev->number;
		policy.rule_count = ev->rules;
		event.policy_update = &policy;
		event.notification_case = FLOW__AGENT_EVENT__NOTIFICATION_POLICY_UPDATE;
		break;
	case FLOW__AGENT_EVENT_TYPE__ENDPOINT_REGENERATE_SUCCESS:
	case FLOW__AGENT_EVENT_TYPE__ENDPOINT_REGENERATE_FAILURE:
		regen.id = ev->number;
		regen.error = (char *)ev->error;
		event.endpoint_regenerate = &regen;
		event.notification_case = FLOW__AGENT_EVENT__NOTIFICATION_ENDPOINT_REGENERATE;
		break;
	default:
		update.id = ev->number;
		update.namespace_ = (char *)ev->namespace;
		update.pod_name = (char *)ev->pod;
		event.endpoint_update = &update;
		event.notification_case = FLOW__AGENT_EVENT__NOTIFICATION_ENDPOINT_UPDATE;
		break;
	}
	msg.agent_event = &event;
	msg.node_name = (char *)call->conn->server->config.node.name;
	msg.time = &time;
	return api_call_send(call, &msg.base);
}

void api_get_agent_events_pull(struct api_call *call)
{
	const struct agent_events *e = call->conn->server->config.events;
	struct reading *r = call->data;

	r->next = MAX(r->next, agent_events_first(e));
	while (call->out_len < API_BATCH && r->left && (r->follow ? r->next < e->next : r->next < r->end)) {
		const struct agent_event *ev = agent_events_get(e, r->next++);

		if (!within(r, ev))
			continue;
		if (send_event(call, ev) < 0)
			return;
		r->left--;
	}
	if (!r->left || (!r->follow && r->next >= r->end) || (r->follow && clock_ns(CLOCK_REALTIME) > r->until_ns))
		api_call_finish(call);
}

void api_get_agent_events_stop(struct api_call *call)
{
	free(call->data);
}
