/* SPDX-License-Identifier: Apache-2.0 */
/* The request: environment, CNI_ARGS and the network configuration on stdin, checked. */
#ifndef WEIR_CNI_CONF_H
#define WEIR_CNI_CONF_H

#include "cni/ipam.h"
#include "cni/result.h"

enum cni_need {
	NEED_CONTAINER_ID = 1 << 0,
	NEED_NETNS = 1 << 1,
	NEED_IFNAME = 1 << 2,
	NEED_PATH = 1 << 3,
	NEED_SETTINGS = 1 << 4, /* without an error, see conf_read_settings() */
};

/* Strings belong to the environment, to args or to json. */
struct conf {
	const char *command, *container_id, *netns, *ifname, *path;
	char *args; /* copy of CNI_ARGS, cut into pieces */
	const char *pod_namespace, *pod_name, *pod_uid, *args_ip, *args_mac;

	char *text; /* stdin, verbatim: what a delegated plugin gets */
	size_t text_len;
	json_t *json;
	enum cni_version version;
	const char *name;
	const char *run_dir, *state_dir, *bpf_dir;
	uint32_t mtu;        /* 0: the uplink's */
	json_t *prev_result; /* in the newest version; NULL: none */
	struct ipam ipam;

	bool has_mac;
	uint8_t mac[6];
	struct weir_addr wanted[2]; /* addresses asked for */
	struct port_mapping *port_mappings;
	size_t n_port_mappings;
};

/* The variables without which no command works; `needs` of enum cni_need. */
int conf_read_env(struct conf *c, unsigned needs, struct err *reterr);
/* stdin: version and name, without which no command works either. */
int conf_read_stdin(struct conf *c, struct err *reterr);
/* CNI_ARGS and the configuration's other members. What is wrong has its default, and what is behind it is read, too:
 * good enough for removing. Returns the last error. */
int conf_read_settings(struct conf *c, struct err *reterr);
/* addr: what another plugin gave the pod. An error when that is not what `ips` asks for. */
int conf_check_wanted(const struct conf *c, const struct weir_addr addr[2], struct err *reterr);
/* What only ADD asks for: mac, ips, portMappings, bandwidth. */
int conf_read_capabilities(struct conf *c, struct err *reterr);
void conf_done(struct conf *c);

/* Is an attachment in the list that GC was given? key: as attachment_key makes it. */
bool conf_gc_keeps(const struct conf *c, const char *key);

#endif
