/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows as metrics: Hubble's names and labels where a flow has what they need, and weir_… for the rest of layer 7. Like
 * any reader it has a position of its own in the flow store; what was overwritten before it was counted is counted as
 * lost.
 */
#ifndef WEIR_EXPORT_METRICS_H
#define WEIR_EXPORT_METRICS_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "agent/export/registry.h"
#include "agent/flow/store.h"

struct metrics;

struct metrics_host {
	void *userdata;
	const char *(*not_ready)(void *userdata); /* NULL: ready */
	registry_alive_t alive;
};

/*
 * config: the value of "metrics", or NULL,
 *	{"listen":"127.0.0.1:9965", "labels":["source_namespace", …], "maxSeries":1000}
 * listen wins over config's; serves /metrics, /healthz, /readyz; with neither, nothing is served. -EINVAL: reterr names
 *what is wrong. Borrows the store.
 */
int metrics_new(sd_event *event, const json_t *config, const char *listen, struct flow_store *store,
		const struct metrics_host *host, struct metrics **ret_m, struct err *reterr);
void metrics_free(struct metrics *m);
DEFINE_CLEANUP(struct metrics *, metrics_free);

struct registry *metrics_registry(struct metrics *m);
unsigned metrics_port(const struct metrics *m);
/* Count what the store has. */
void metrics_catch_up(struct metrics *m);

#endif
