/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map writer's part that is about addresses: the ipcache, which tells whose an address is. Each entry has two
 * sides, of which the node's generation says which is in force. A pass writes the other one (ipcache_write), and
 * becomes what is in force with the switch (ipcache_switched). Only agent/maps.c has business here.
 */
#ifndef WEIR_AGENT_IPCACHE_H
#define WEIR_AGENT_IPCACHE_H

#include "agent/endpoint.h"
#include "agent/shadow.h"
#include "lib/policy/policy.h"

/* Prefixes with their identities on one side, for what a new or vanishing entry must say there. */
struct ipcache_range {
	struct prefix prefix;
	uint32_t identity;
};
struct ipcache_ranges {
	struct ipcache_range *v;
	size_t n;
};

struct ipcache {
	int fd;     /* borrowed */
	size_t max; /* entries for which the map has room */
	struct shadow shadow;
	struct ipcache_ranges in_force, coming;
	uint32_t side;   /* which the pass at hand writes */
	uint32_t pass;   /* its mark */
	size_t n_marked; /* entries that it wants */
	size_t n_unfit;  /* entries that it wants and that found no room */
};

/* What the map holds; side: the one in force. To be undone by ipcache_done(), also on failure. */
int ipcache_read(struct ipcache *c, int fd, uint32_t side, struct err *reterr);
void ipcache_done(struct ipcache *c);

/*
 * Writes the side that is not in force; sets *changed if it says anything else than the other. What finds no room is
 * counted in n_unfit, and no error. On an error the side in force is as it was.
 */
int ipcache_write(struct ipcache *c, const struct policy_result *result, const struct endpoints *eps, uint32_t side,
		  uint32_t pass, bool *changed);
/* Of the pass at hand: did the address find room? What does the range around it say? */
bool ipcache_has(struct ipcache *c, const struct weir_addr *a);
uint32_t ipcache_around(const struct ipcache *c, const struct weir_addr *a);

/* The pass has come into force. */
void ipcache_switched(struct ipcache *c);
/* Deletes what the latest pass, which has come into force, did not want. */
void ipcache_sweep(struct ipcache *c);

#endif
