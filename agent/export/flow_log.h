/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows as lines of JSON in files, in the format of Hubble's exporter: one ExportEvent a line, which `hubble observe
 * --input-file` and every log collector reads. A log has a reader's position of its own in the flow store: what it
 * could not write in time, or at all, is a lost_events line and is counted.
 */
#ifndef WEIR_EXPORT_FLOW_LOG_H
#define WEIR_EXPORT_FLOW_LOG_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "agent/flow/store.h"
#include "lib/err.h"

struct flow_logs;

/*
 * config: the value of "flowLogs", a list of
 *	{"path":"/var/log/weir/flows.json", "maxSizeMb":10, "maxAgeHours":0, "maxBackups":5, "compress":false,
 *	 "include":[FlowFilter…], "exclude":[FlowFilter…]}
 * of which only path is needed. A file grows to maxSizeMb, or to maxAgeHours (0: any age), then becomes path-TIME.json
 *(.gz when compressed), of which maxBackups are kept (0: all). -EINVAL: reterr names what is wrong. Borrows store and
 *node.
 */
int flow_logs_new(sd_event *event, const json_t *config, struct flow_store *store, const struct flow_node *node,
		  struct flow_logs **ret_logs, struct err *reterr);
/* Writes what there is, then closes the files. */
void flow_logs_free(struct flow_logs *l);
DEFINE_CLEANUP(struct flow_logs *, flow_logs_free);

struct flow_log_stats {
	const char *path;
	uint64_t written, lost; /* flows */
	const char *problem;    /* NULL: none; why the latest line could not be written */
};
/* False: there is no log with that index. */
bool flow_logs_stats(const struct flow_logs *l, size_t index, struct flow_log_stats *ret);

#endif
