/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Address translation, done by nftables in one table of ours: masquerading of what pods send out of the cluster, and
 * the port mappings of pods. Rules outlive the agent; each apply replaces the table in one transaction when anything
 * changed.
 */
#ifndef WEIR_AGENT_NAT_H
#define WEIR_AGENT_NAT_H

#include "agent/config.h"
#include "agent/endpoint.h"
#include "agent/nat_udp.h"

struct nat {
	char *table;
	char *applied;           /* the rules in force, as text; NULL before the first apply */
	struct nat_udp_list udp; /* those in force */
};

int nat_init(struct nat *n, const struct config *c, struct err *reterr);
void nat_done(struct nat *n);

/* The rules, as text for nft. The caller frees. NULL: out of memory. */
char *nat_rules(const struct nat *n, const struct config *c, const struct endpoints *eps);
int nat_apply(struct nat *n, const struct config *c, const struct endpoints *eps, const struct node *node,
	      struct err *reterr);
/* Has somebody else removed the table (`nft flush ruleset` does)? Then the next apply makes it again. */
bool nat_was_removed(struct nat *n);
/* -EADDRINUSE when another attachment has one of a's host ports. */
int nat_check(const struct endpoints *eps, const struct attachment *a, struct err *reterr);
/* Take the table away. */
int nat_remove(struct nat *n, struct err *reterr);

#endif
