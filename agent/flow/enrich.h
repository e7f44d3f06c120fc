/* SPDX-License-Identifier: Apache-2.0 */
/* Events get names: who the addresses are, which policies the rule numbers stand for. */
#ifndef WEIR_FLOW_ENRICH_H
#define WEIR_FLOW_ENRICH_H

#include "agent/endpoint.h"
#include "agent/flow/flow.h"
#include "lib/k8s/store.h"
#include "lib/policy/policy.h"

struct enrich;
/* Borrows the store and the endpoints. */
struct enrich *enrich_new(const struct k8s_store *store, const struct endpoints *eps);
void enrich_free(struct enrich *e);
DEFINE_CLEANUP(struct enrich *, enrich_free);

/*
 * A new result is in force. Names of before are kept for addresses that have nobody now: events of a pod that just went
 * are still on their way.
 */
int enrich_update(struct enrich *e, const struct policy_result *result, struct err *reterr);

/* Call now and then: the clock that gives events their time of day may have been set, or the machine have slept. */
void enrich_set_clock(struct enrich *e);

/* What a DNS exchange told its client; anything else is no matter. */
void enrich_learn(struct enrich *e, const struct l7_record *r);

/* Fills *ret_flow, which owns its references (flow_clear). -ENOMEM. */
int enrich_event(struct enrich *e, const struct weir_event *ev, struct flow *ret_flow);

#endif
