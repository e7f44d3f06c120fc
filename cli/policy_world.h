/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of manifests, compiled as the agent would, and the verdict between two ends in it. */
#ifndef WEIR_CLI_POLICY_WORLD_H
#define WEIR_CLI_POLICY_WORLD_H

#include "lib/k8s/store.h"
#include "lib/policy/policy.h"

struct world {
	struct k8s_store *store;
	struct k8s_problems problems;
	struct policy_compiler *compiler;
	const struct policy_result *result;
	size_t n_files;
	size_t n_unaddressed; /* pods without an address, which were given one */
};

void world_done(struct world *w);
/* A file, or all manifests (.json, .yaml, .yml) of a folder. Broken objects are in w->problems. */
int world_read(struct world *w, const char *path, struct err *reterr);
/*
 * Compile what was read. Pods without an address get one of 198.18.0.0/15 and one of 2001:2::/48 (which no policy but
 * one for everyone names), so that a policy can be tried before there are pods.
 */
int world_compile(struct world *w, struct err *reterr);

/* One end of a connection. */
struct world_end {
	char name[400];               /* for people: "ns/pod", "node/NAME" or the address */
	const struct policy_pod *pod; /* NULL: not a pod that policies apply to */
	const char *pod_node;         /* where that pod runs, NULL: unknown */
	const char *node;             /* it is this node itself, or a pod on its network; NULL */
	struct weir_addr addr[2];     /* [0] IPv4, [1] IPv6; zero = none. Of a node's several: the first of each */
};

/*
 * "ns/pod", "node/NAME" or an address, which stands for the pod or node that has it. The name of a finished pod stands
 * for its address. -ENOENT: nothing has that name.
 */
int world_find(const struct world *w, const char *text, struct world_end *ret_end, struct err *reterr);
/* Keep one address: the one given (NULL: any). -EINVAL: the end does not have it. */
int world_choose(const struct world *w, struct world_end *e, const char *ip, struct err *reterr);

enum world_why {
	WHY_NOT_A_POD, /* no policy is asked on this side */
	WHY_SELF,      /* a pod to its own address */
	WHY_NODE,      /* traffic of the pod's own node */
	WHY_OPEN,      /* no policy isolates the pod in this direction */
	WHY_RULE,      /* policies allow it */
	WHY_AUDIT,     /* policies in audit mode do not, so it passes and is reported */
	WHY_DENIED,    /* policies isolate, none allows */
};

struct world_side {
	enum world_why why;
	const struct policy_rule *rule; /* of RULE, AUDIT, DENIED */
};

struct world_verdict {
	bool allowed;
	bool no_family; /* the ends have no address family in common */
	struct weir_addr from, to;
	struct world_side side[2]; /* by enum weir_dir */
};

struct world_verdict world_judge(const struct world *w, const struct world_end *from, const struct world_end *to,
				 uint8_t proto, uint16_t port);

/* TCP, UDP, SCTP, ICMP in any case; ICMP has no ports. */
int world_proto(const char *name, uint8_t *ret_proto);
const char *world_proto_name(uint8_t proto);

#endif
