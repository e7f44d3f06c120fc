/* SPDX-License-Identifier: Apache-2.0 */
/* Flows, and metrics, → OTLP messages: no I/O. */
#ifndef WEIR_EXPORT_OTLP_BUILD_H
#define WEIR_EXPORT_OTLP_BUILD_H

#include "agent/export/registry.h"
#include "agent/flow/flow.h"
#include "lib/proto/otlp.pb-c.h"

/*
 * One request that is filled flow by flow; resources are the pods that spoke (or, when that was none, were spoken to).
 * 1: it gave a span or record, 0: it is none, -ENOMEM.
 */
int otlp_add_span(Otlp__TracesRequest *req, const struct flow_node *node, const struct flow *f);
int otlp_add_log(Otlp__LogsRequest *req, const struct flow_node *node, const struct flow *f);
/* All that the registry has, as of now (CLOCK_REALTIME); the resource is the node's agent. Data points, or -ENOMEM. */
int otlp_add_metrics(Otlp__MetricsRequest *req, const struct flow_node *node, struct registry *r, uint64_t now_ns);

#endif
