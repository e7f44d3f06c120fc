/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoints: attachments of this node with their slots in the datapath. On disk they are weir-cni's records; this
 * table is what the agent makes of them. Slots are adopted from the map after a restart, because connections name them.
 */
#ifndef WEIR_AGENT_ENDPOINT_H
#define WEIR_AGENT_ENDPOINT_H

#include "lib/attachment.h"
#include "lib/hash.h"

struct endpoint {
	char *key; /* attachment_key() */
	struct attachment *attachment;
	uint32_t slot;
	uint32_t l7;  /* WEIR_EP_L7_…: what the Pod object says about reading its payload */
	bool ready;   /* its policy is in force; false: no Pod object yet, or its rule set could not be written */
	bool outside; /* Kubernetes: the runtime gave no namespace; without a Pod object no policy selects it */
	char *pod;    /* "namespace/name"; NULL: it has no name */
	int link;     /* agent/busy.h: a TCX link that goes with this, or -1 */
	uint64_t sent, looked_ns; /* likewise: packets, at the last look */
	UT_hash_handle hh, hh_pod;
};

struct endpoints {
	struct endpoint *by_key;
	struct endpoint *by_pod; /* of several under one name the one that was added last */
	struct endpoint *slots[WEIR_EP_MAX];
};

void endpoints_done(struct endpoints *eps);
/* Every attachment on disk whose host interface still exists, in the slots that map_ep (fd, or -1) has for them. */
int endpoints_load(struct endpoints *eps, const char *state_dir, int map_ep, struct err *reterr);
/* Takes *a over (NULL afterwards, also on failure). The same key again replaces. -ENOSPC: no slot left. */
int endpoints_add(struct endpoints *eps, struct attachment **a, struct endpoint **ret_ep, struct err *reterr);
/* True when there was one. */
bool endpoints_remove(struct endpoints *eps, const char *key);
struct endpoint *endpoints_find(const struct endpoints *eps, const char *key);
/* The one that was added last under this name: a pod may be made anew before its old sandbox is gone. */
struct endpoint *endpoints_find_pod(const struct endpoints *eps, const char *ns, const char *name);
/* By one of its addresses. */
struct endpoint *endpoints_find_addr(const struct endpoints *eps, const struct weir_addr *addr);

#endif
