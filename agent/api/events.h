/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent itself did, as Hubble's agent events: the last few hundred, for GetAgentEvents. The texts are copied
 * and cut where they are too long.
 */
#ifndef WEIR_API_EVENTS_H
#define WEIR_API_EVENTS_H

#include "lib/macro.h"
#include "lib/proto/observer.pb-c.h"

#define AGENT_EVENTS 512
#define AGENT_EVENT_TEXT 256

struct agent_event {
	uint64_t time_ns; /* CLOCK_REALTIME; set by agent_events_add when 0 */
	Flow__AgentEventType type;
	uint64_t number;                           /* POLICY_…: generation; ENDPOINT_…: the endpoint's ID */
	int64_t rules;                             /* POLICY_…: rules in force */
	char namespace[64], pod[AGENT_EVENT_TEXT]; /* ENDPOINT_… */
	char error[AGENT_EVENT_TEXT];              /* ENDPOINT_REGENERATE_FAILURE */
};

struct agent_events {
	uint64_t next;                /* number of the next event, from 0; the ring holds the latest AGENT_EVENTS */
	struct agent_event *ring;     /* made by the first event */
	void (*wake)(void *userdata); /* called at each event; NULL: nobody listens */
	void *userdata;
};

/* Out of memory at the first event: it is not kept. */
void agent_events_add(struct agent_events *e, const struct agent_event *event);
uint64_t agent_events_first(const struct agent_events *e); /* == next: there is none */
const struct agent_event *agent_events_get(const struct agent_events *e, uint64_t seq);
void agent_events_done(struct agent_events *e);

#endif
