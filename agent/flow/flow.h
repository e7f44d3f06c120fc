/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow: one event of the datapath with the names that user space knows. The pipeline is
 *   ring → reader (worker thread) → queue → enrich (main loop) → store → { API, metrics, exporters }
 * Names are shared and counted by reference: a flow in the store costs one struct flow and no strings of its own.
 */
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "agent/l7/record.h"
#include "lib/macro.h"
#include "weir/abi.h"

/* One end of a flow, as it was when the event happened. Immutable once shared. */
struct flow_peer {
	unsigned refs;
	uint32_t identity;
	uint32_t ep_id;  /* Endpoint.ID: the slot of a pod of this node, else 0 */
	char *namespace; /* NULL: not a pod */
	char *pod_name;
	char **labels; /* "k8s:app=planner", "reserved:world"; sorted, n_labels */
	size_t n_labels;
	char *workload_name, *workload_kind;    /* owner, NULL when unknown */
	char *service_namespace, *service_name; /* whose address this is; NULL: no Service's, or a pod's */
};

struct flow_policy {
	char *kind; /* "NetworkPolicy" */
	char *namespace, *name;
};

/* Who decided: the policies behind a rule number. Immutable once shared. */
struct flow_rule {
	unsigned refs;
	bool default_deny;  /* these isolate the pod and none allows */
	uint8_t match_type; /* Hubble's policy_match_type when all entries of the rule agree (1 L3-Only, 2 L3-L4, 3
			       L4-Only, 4 all, 5 L3-Proto, 6 Proto-Only), else 0 */
	size_t n_policies;
	struct flow_policy *policies;
};

#define FLOW_NAMES_MAX 4
/* DNS names that the other end resolved to an address, the latest first. Immutable once shared. */
struct flow_names {
	unsigned refs;
	size_t n; /* at least 1 */
	char *name[FLOW_NAMES_MAX];
};

/* All are made by calloc with refs = 1 and everything in them by malloc; the last unref frees it all. Not atomic:
 * flows live on the main loop. unref takes NULL. */
struct flow_peer *flow_peer_ref(struct flow_peer *p);
void flow_peer_unref(struct flow_peer *p);
struct flow_rule *flow_rule_ref(struct flow_rule *r);
void flow_rule_unref(struct flow_rule *r);
struct flow_names *flow_names_ref(struct flow_names *n);
void flow_names_unref(struct flow_names *n);

struct flow {
	struct weir_event ev;
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint64_t seq;     /* number in the store, from 1; set by it. With the node's boot it makes the uuid */
	struct flow_peer *src, *dst; /* never NULL in the store */
	struct flow_rule *rule[2];   /* by enum weir_dir; NULL: not judged here or unknown */
	struct l7_record *l7;        /* of WEIR_EV_L7; else NULL */
	struct flow_names *names[2]; /* of source and destination; NULL: none known */
};

/* Drops the flow's references. */
void flow_clear(struct flow *f);

/* What is the same for every flow of this agent. instance: a random number, new with each start, which makes sequence
 * numbers into unique ids. */
struct flow_node {
	const char *name;
	uint64_t instance;
};
#define FLOW_UUID_STRLEN 37
void flow_uuid(const struct flow_node *n, uint64_t seq, char *ret_uuid);

/* Records that were lost before they could be stored, as Hubble reports them. */
enum flow_loss {
	FLOW_LOSS_RING = 1,  /* kernel ring full (Hubble: PERF_EVENT_RING_BUFFER) */
	FLOW_LOSS_QUEUE = 2, /* between reader and main loop (OBSERVER_EVENTS_QUEUE) */
	FLOW_LOSS_STORE = 3, /* overwritten before a client read it (HUBBLE_RING_BUFFER) */
};

#endif
