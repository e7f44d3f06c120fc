/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map writer: the only one that writes the datapath's maps. It holds what they contain, takes what the policy
 * compiler and the endpoint table want, and writes the difference so that it comes into force in one store (see
 * docs/architecture.md, "A policy change is one store"). What is no longer wanted is swept a moment later, when no
 * program can be running that still looks at it.
 */
#ifndef WEIR_AGENT_MAPS_H
#define WEIR_AGENT_MAPS_H

#include "agent/endpoint.h"
#include "lib/policy/policy.h"

struct maps_fds {
	int node, ep, ep_if, ipcache, policy, deny;
};

struct maps;
/* Reads what the maps hold: a restart writes the difference. Borrows the fds. */
int maps_new(const struct maps_fds *fds, struct maps **ret_m, struct err *reterr);
void maps_free(struct maps *m);
DEFINE_CLEANUP(struct maps *, maps_free);

/* Above all numbers that connections and maps carry: where a new compiler must start. */
uint32_t maps_first_rule(const struct maps *m);
uint32_t maps_first_ruleset(const struct maps *m);
uint32_t maps_generation(const struct maps *m);

/*
 * Bring a result into force; marks each endpoint ready or not. Nothing to change = nothing written. On an error
 * everything stays as it was. What does not fit is no error: how much that is is returned, and the story is in
 * maps_problem(). Pods whose rule set does not fit, or their address, are cut off; an address of others that does not
 * fit is what the range around it is, and a range that policies name takes the one around it along (fail closed).
 */
int maps_apply(struct maps *m, const struct policy_result *result, struct endpoints *eps, struct err *reterr);
/* Delete what the last pass did not want. */
void maps_sweep(struct maps *m);
/* What does not fit, or NULL. */
const char *maps_problem(const struct maps *m);

/* What the deny list has dropped. Ends with fn's first result below 0. */
typedef int (*maps_deny_t)(void *userdata, const struct prefix *p, const struct weir_deny *d);
int maps_each_deny(const struct maps *m, maps_deny_t fn, void *userdata);
/* The node's deny list, wholly replaced. */
int maps_set_deny(struct maps *m, const struct prefix *v, size_t n, struct err *reterr);

struct maps_counts {
	size_t ipcache, policy, rulesets, endpoints;
};
struct maps_counts maps_counts(const struct maps *m);

#endif
