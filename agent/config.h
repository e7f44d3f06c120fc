/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of weir-agent: defaults, then the configuration file, then the command line. */
#ifndef WEIR_AGENT_CONFIG_H
#define WEIR_AGENT_CONFIG_H

#include <jansson.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/log.h"

struct prefix_list {
	struct prefix *v;
	size_t n;
};

/* "l7": what of payload is read, and how much of it is kept. */
struct config_l7 {
	uint32_t by_default; /* of pods that do not say: WEIR_EP_L7_… */
	int enabled, headers_only, record_query, record_session, record_tools; /* truth values */
	char **redact;          /* patterns of keys whose values are not recorded; NULL ends them */
	json_int_t budget;      /* bytes that a side's turn to speak is copied for */
	json_int_t ring_bytes;  /* a power of two */
	json_int_t memory_max;  /* bytes for all connections that are read */
	json_int_t connections; /* read at once; the least recently used goes first */
};

struct config {
	char *config_file; /* NULL: the default, which may be missing */
	char *objects;     /* folder of manifests */
	char *run_dir, *state_dir, *bpf_dir;
	char *node_name;
	char *listen;                             /* ADDR:PORT for the flow API besides the Unix socket, or NULL */
	char *tls_cert, *tls_key, *tls_client_ca; /* for listen */
	char *log_level, *log_format;
	bool cleanup; /* --cleanup: remove everything from the kernel and exit */

	/* configuration file only */
	char **uplinks; /* NULL-terminated; NULL: the devices of the default routes */
	bool xdp;
	bool masquerade;
	bool listen_plaintext;                 /* on any address, without TLS */
	struct prefix_list masquerade_exclude; /* destinations that see the pod's own address */
	struct prefix_list deny;               /* dropped on uplinks before anything else */
	struct config_l7 l7;
	json_t *otlp;         /* for agent/export/otlp.h; NULL: no collector */
	char *metrics_listen; /* ADDR:PORT, over what metrics says; NULL: as there */
	json_t *metrics;      /* for agent/export/metrics.h; NULL: none, but for metrics_listen */
	json_t *flow_logs;    /* for agent/export/flow_log.h; NULL: none */
	uint32_t flows_max;   /* flows kept in memory */
	uint32_t ct_tcp_max, ct_any_max, policy_max, ipcache_max, events_bytes;
	uint32_t busy_packets; /* a second; 0: no pod sends so much that it gets a link */
};

enum config_action { CONFIG_RUN, CONFIG_EXIT };

/*
 * Fills *c from argv and the file. CONFIG_EXIT in *ret_action: --help or --version was printed. -EINVAL for a wrong
 * option or file, with the story in reterr.
 */
int config_parse(struct config *c, int argc, char **argv, enum config_action *ret_action, struct err *reterr);
void config_done(struct config *c);

#endif
