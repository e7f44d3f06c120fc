/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attachment: a pod's interface. weir-cni owns the record, <state-dir>/attachments/<key>.json: written (temp +
 * rename) before anything is made in the kernel, removed last, so that whatever a kill -9 leaves can be found and
 * removed. weir-agent reads the records at start, and gets each new one over <run-dir>/cni.sock.
 */
#ifndef WEIR_ATTACHMENT_H
#define WEIR_ATTACHMENT_H

#include <jansson.h>
#include <net/if.h>

#include "lib/addr.h"
#include "lib/err.h"

struct port_mapping {
	struct weir_addr host_ip; /* all zero: every address of the host */
	uint16_t host_port, container_port;
	uint8_t proto; /* IPPROTO_TCP, _UDP, _SCTP */
};

struct attachment {
	char *network;         /* CNI network name */
	char *container_id;    /* CNI_CONTAINERID */
	char *ifname;          /* inside the pod, usually eth0 */
	char *netns;           /* CNI_NETNS, verbatim */
	char hostif[IFNAMSIZ]; /* host end: derived from container id and ifname */
	uint32_t ifindex;      /* of the host end; when a record is read, by its name now: 0 when there is none */
	uint8_t mac[6], host_mac[6];
	struct weir_addr addr[2]; /* [0] IPv4, [1] IPv6; zero = none */
	uint32_t mtu;
	char *pod_namespace, *pod_name, *pod_uid; /* from CNI_ARGS; NULL: not given */
	struct port_mapping *port_mappings;
	size_t n_port_mappings;
};

void attachment_free(struct attachment *a);
DEFINE_CLEANUP(struct attachment *, attachment_free);

/* The record's file name without folder, and its identity everywhere: "<container id>:<ifname>", hashed where it is
 * too long for a file name. Caller frees. NULL: out of memory. */
char *attachment_key(const char *container_id, const char *ifname);

int attachment_to_json(const struct attachment *a, json_t **ret_json, struct err *reterr);
/* -EBADMSG with the path of the wrong member. */
int attachment_from_json(json_t *json, struct attachment **ret_a, struct err *reterr);

/* Name of the host end of a pair that weir-cni makes: "weir" and a hash of the key. */
void attachment_hostif(const char *key, char ret_name[IFNAMSIZ]);

/* Atomic write; makes the folder when it is missing. _create: -EEXIST when there is one already. */
int attachment_create(const char *state_dir, const struct attachment *a, struct err *reterr);
int attachment_save(const char *state_dir, const struct attachment *a, struct err *reterr);
/* -ENOENT: no such record. */
int attachment_load(const char *state_dir, const char *key, struct attachment **ret_a, struct err *reterr);
/* Also true for one that is being written, or whose writer was killed. */
bool attachment_exists(const char *state_dir, const char *key);
/* 0 also when there was none. */
int attachment_remove(const char *state_dir, const char *key, struct err *reterr);
/* Removes what writers that were killed left behind: half-written records older than a minute. */
int attachment_sweep(const char *state_dir, struct err *reterr);
/* Every readable record, in no order; the caller frees each and the array. Unreadable ones are skipped and counted. */
int attachment_list(const char *state_dir, struct attachment ***ret_list, size_t *ret_n, size_t *ret_bad,
		    struct err *reterr);

/*
 * The exchange on cni.sock: SOCK_SEQPACKET, one JSON object a packet each way, at most CNI_SOCK_MAX bytes.
 *   {"op":"add","attachment":{…}}      the agent answers when the pod's policy is in force:
 *        {"ok":true,"state":"ready"}   or "waiting" (no Pod object yet: reachable from its host only)
 *   {"op":"del","key":"…"}             {"ok":true}, also when it never knew it
 *   {"op":"check","key":"…"}           {"ok":true,"state":…} or an error
 *   {"op":"status"}                    {"ok":true,"ready":true|false,"reason":"…"}
 * An error: {"ok":false,"code":N,"error":"…"}; code = CNI error code for the result.
 */
#define CNI_SOCK_NAME "cni.sock"
#define CNI_SOCK_MAX 65536

#endif
