/* SPDX-License-Identifier: Apache-2.0 */
/* This node as the kernel knows it: its own addresses, and the devices that lead out of it. */
#ifndef WEIR_AGENT_NODE_H
#define WEIR_AGENT_NODE_H

#include <systemd/sd-event.h>

#include "lib/addr.h"
#include "lib/err.h"

#define NODE_UPLINKS_MAX 16

struct node {
	struct weir_addr *addrs; /* sorted; without loopback and link-local ones */
	size_t n_addrs;
	uint32_t uplinks[NODE_UPLINKS_MAX]; /* ifindexes, sorted */
	size_t n_uplinks;
};

void node_done(struct node *n);
/* names: the uplinks by name, NULL-terminated; NULL: the devices of the default routes. */
int node_scan(struct node *ret_n, char **names, struct err *reterr);

/* By loopback addresses, too; not by link-local ones. */
bool node_has_addr(const struct node *n, const struct weir_addr *a);

struct node_watch;
/* Calls back, at most a few times a second, after addresses, default routes or links have changed; not after what
 * weir-cni makes for pods. */
int node_watch_new(sd_event *event, void (*changed)(void *userdata), void *userdata, struct node_watch **ret_w,
		   struct err *reterr);
void node_watch_free(struct node_watch *w);
DEFINE_CLEANUP(struct node_watch *, node_watch_free);

#endif
