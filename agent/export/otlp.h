/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP over HTTP, in binary protobuf or JSON: a span for each exchange on layer 7, a log record for each verdict that
 * was no, or was audited, and all metrics at an interval. Like any reader the exporter has a position of its own in the
 * flow store and one batch in hand: a collector that hangs costs that batch's memory, and what the store overwrites
 * meanwhile is counted.
 */
#ifndef WEIR_EXPORT_OTLP_H
#define WEIR_EXPORT_OTLP_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "agent/export/registry.h"
#include "agent/flow/store.h"
#include "lib/err.h"

struct otlp;

/*
 * config: the value of "otlp",
 *	{"endpoint":"http://collector:4318", "encoding":"protobuf", "headers":{"x-team":"net"}, "gzip":true,
 *	 "timeoutSec":10, "caFile":…, "certFile":…, "keyFile":…, "traces":true, "logs":true,
 *	 "metrics":false, "metricsIntervalSec":60}
 * of which only endpoint is needed; /v1/traces, /v1/logs, /v1/metrics are added to it. metrics: what "metrics" sends;
 *NULL when it is off. -EINVAL: reterr names what is wrong.
 */
int otlp_new(sd_event *event, const json_t *config, struct flow_store *store, const struct flow_node *node,
	     struct registry *metrics, struct otlp **ret_otlp, struct err *reterr);
bool otlp_wants_metrics(const json_t *config); /* takes NULL */
/* What is on its way may not arrive. */
void otlp_free(struct otlp *o);
DEFINE_CLEANUP(struct otlp *, otlp_free);

enum otlp_signal { OTLP_TRACES, OTLP_LOGS, OTLP_METRICS, OTLP_SIGNALS };

struct otlp_stats {
	uint64_t sent, dropped; /* spans, log records, data points; dropped: refused, given up, or overwritten in the
				   store before their turn (flows) */
	uint64_t retries;
	const char *problem; /* NULL: the latest batch arrived */
};
/* False: that signal is off. */
bool otlp_stats(const struct otlp *o, enum otlp_signal signal, struct otlp_stats *ret);

#endif
