/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent: everything that lives as long as the process, and the one deferred pass that carries changes from the
 * objects to the maps. Nothing calls upstream: what changes something marks it dirty (agent_mark_dirty), and the pass
 * runs once for a burst of changes.
 */
#ifndef WEIR_AGENT_H
#define WEIR_AGENT_H

#include <systemd/sd-event.h>

#include "agent/api/api.h"
#include "agent/cni_server.h"
#include "agent/config.h"
#include "agent/datapath.h"
#include "agent/endpoint.h"
#include "agent/export/flow_log.h"
#include "agent/export/metrics.h"
#include "agent/export/otlp.h"
#include "agent/flow/enrich.h"
#include "agent/flow/reader.h"
#include "agent/flow/store.h"
#include "agent/l7/worker.h"
#include "agent/maps.h"
#include "agent/nat.h"
#include "agent/node.h"
#include "agent/objects.h"

struct agent {
	struct config config;
	sd_event *event;
	int lock; /* held as long as the process lives: one agent per run folder */
	struct k8s_store *store;
	struct objects *objects;
	struct endpoints endpoints;
	struct policy_compiler *compiler;
	const struct policy_result *result; /* NULL before the first pass */
	struct datapath *datapath;
	struct maps *maps;
	struct nat nat;
	struct node node;
	struct node_watch *node_watch;
	struct cni_server *cni;
	struct enrich *enrich;
	struct feed *reader; /* of struct weir_event */
	struct flow_store *flows;
	struct l7_worker *l7; /* NULL: payload is not read */
	struct api_server *api;
	struct agent_events events;
	struct flow_node flow_node;  /* what is the same for every flow */
	struct otlp *otlp;           /* NULL: no collector */
	struct flow_logs *flow_logs; /* NULL: none */
	struct metrics *metrics;     /* NULL: nobody asks */
	struct figures *figures;     /* likewise */
	sd_event_source *pass, *sweep, *drain, *drain_l7, *second;
	uint64_t started_ns;                        /* CLOCK_MONOTONIC */
	uint64_t compile_us, apply_us;              /* of the latest pass */
	uint64_t nodes_told;                        /* the store's count of their changes that the API has heard of */
	char uplink_problem[NODE_UPLINKS_MAX][256]; /* as node.uplinks: why it is not attached; empty: it is */
	bool node_incomplete;                       /* something could not be read or attached: it is tried again */
	struct weir_gc conns;                       /* of the latest look at the connections */
	unsigned seconds;                           /* ticks of the one-second timer */
	uint32_t told_generation;                   /* of the latest POLICY_UPDATED event */
	uint64_t l7_lost_reported;                  /* likewise, of payload */
	uint64_t lost_reported;                     /* lost events that the flow store has been told of */
	char problem[1024]; /* why the latest pass could not be brought into force; empty: it was */
};

int agent_start(struct agent *a, struct err *reterr);
void agent_done(struct agent *a);
void agent_mark_dirty(struct agent *a);

/* agent/info.c: what `weir status`, `weir endpoint list` and `weir identity list` show. */
struct api_backend agent_backend(struct agent *a);

/* agent/figures.c: a->metrics, with what the agent tells of itself. */
int agent_start_metrics(struct agent *a, struct err *reterr);
void agent_stop_metrics(struct agent *a);
void agent_count_pass(const struct agent *a, bool failed);

#endif
