/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy compiler: a view of the cluster in, sorted map contents out. No I/O, no kernel, no clock; weir-agent
 * writes its result into the maps, `weir policy` answers questions from the same result.
 *
 * Numbers (identities, rule sets, rules) are interned in the compiler object and stay the same from run to run for
 * as long as what they stand for exists, so that the difference between two results is small. A run that only
 * has pods added, removed or relabelled costs in proportion to those pods (see policy_compiler_run).
 */
#ifndef WEIR_POLICY_H
#define WEIR_POLICY_H

#include "lib/addr.h"
#include "lib/err.h"
#include "weir/abi.h"

struct k8s_store; /* lib/k8s/store.h: the objects */

struct policy_name {
	const char *kind; /* "NetworkPolicy" */
	const char *ns, *name;
};

/* What a rule number stands for. */
struct policy_rule {
	uint32_t number;
	bool default_deny; /* number is the rule set's | WEIR_RULE_DEFAULT_DENY, the policies isolate it in dir */
	enum weir_dir dir; /* of a default deny */
	size_t n_policies;
	const struct policy_name *policies; /* sorted */
};

/* One entry of the policy map without its rule set: the key as in struct weir_policy_key. */
struct policy_entry {
	uint32_t identity; /* WEIR_ID_ANY: any peer */
	uint8_t dir;       /* enum weir_dir */
	uint8_t proto;     /* meaningless when prefixlen is WEIR_POLICY_PREFIX_ANY */
	uint8_t prefixlen; /* of struct weir_policy_key */
	uint8_t pad;
	uint16_t port; /* host order, low bits beyond prefixlen zero */
	uint16_t pad2;
	uint32_t rule;
};

struct policy_ruleset {
	uint32_t number; /* never 0 */
	uint32_t flags;  /* WEIR_EP_READY | WEIR_EP_ISOLATED_... | WEIR_EP_AUDIT_... */
	uint32_t
	    deny_rule[2]; /* by enum weir_dir: rule number (number | WEIR_RULE_DEFAULT_DENY), 0 when not isolated */
	bool too_large;   /* would need more entries than any map has: it has none, and so its pods are cut off */
	size_t n_entries;
	const struct policy_entry *entries; /* sorted, without duplicates of (dir, identity, proto, prefixlen, port) */
};

enum policy_id_kind { POLICY_ID_RESERVED, POLICY_ID_POD, POLICY_ID_CIDR, POLICY_ID_NODE };

struct policy_identity {
	uint32_t number;
	enum policy_id_kind kind;
	const char *ns;            /* of pods */
	const char *const *labels; /* as Hubble shows them: "k8s:app=a", "k8s:io.kubernetes.pod.namespace=x",
				      "reserved:world", "cidr:10.0.0.0/8"; sorted, NULL at the end */
	size_t n_refs;             /* addresses that have it */
};

struct policy_ipcache_entry {
	struct prefix prefix;
	uint32_t identity;
	uint16_t flags; /* enum weir_ipcache_flags */
	bool named;     /* policies name this prefix: without it, they would mean others by its addresses */
	const struct policy_pod *pod; /* NULL: not a pod's address */
};

/* A pod of the view, with what the compiler decided for it. Hostnetwork and finished pods are not among them. */
struct policy_pod {
	const char *ns, *name;
	struct weir_addr addr[2]; /* [0] IPv4, [1] IPv6 */
	uint32_t identity[2];
	const struct policy_ruleset *ruleset; /* NULL unless the pod is local (is_local of policy_compiler_run) */
};

/* Valid until the next run of the same compiler. Everything sorted: ipcache by prefix_cmp, the rest by number or name.
 */
struct policy_result {
	size_t n_identities, n_rulesets, n_rules, n_ipcache, n_pods;
	const struct policy_identity *identities;
	const struct policy_ruleset *const *rulesets;
	const struct policy_rule *rules;
	const struct policy_ipcache_entry *ipcache; /* ::/0 and 0.0.0.0/0 always among them */
	const struct policy_pod *const *pods;
};

struct policy_compiler;
struct policy_compiler *policy_compiler_new(void);
void policy_compiler_free(struct policy_compiler *c);
DEFINE_CLEANUP(struct policy_compiler *, policy_compiler_free);

/* Rule and rule-set numbers below these are not given out: a restarted agent must not reuse what connections carry. */
void policy_compiler_reserve(struct policy_compiler *c, uint32_t first_rule, uint32_t first_ruleset);

/* Addresses of this node beside those of its Node object (as the kernel has them). -ENOMEM leaves the former ones. */
int policy_compiler_set_host_addrs(struct policy_compiler *c, const struct weir_addr *addrs, size_t n);

/*
 * Compile. node: name of this node: its addresses get WEIR_ID_HOST and WEIR_IPC_HOST; NULL in offline use. is_local
 * says for which pods a rule set is wanted (NULL: for all). -ENOMEM: the former result stays valid, and in force.
 */
typedef bool (*policy_is_local_t)(void *userdata, const char *ns, const char *name);
int policy_compiler_run(struct policy_compiler *c, const struct k8s_store *store, const char *node,
			policy_is_local_t is_local, void *userdata, const struct policy_result **ret_result,
			struct err *reterr);

/* What the datapath would do with an entry-by-entry look-up of one direction: the same two look-ups, longest prefix
 * first. Returns true when allowed; *ret_rule as in struct weir_event.rule. */
bool policy_ruleset_lookup(const struct policy_ruleset *rs, enum weir_dir dir, uint32_t peer_identity, uint8_t proto,
			   uint16_t port, uint32_t *ret_rule);
const struct policy_ipcache_entry *policy_result_ipcache(const struct policy_result *r, const struct weir_addr *a);
/* number and dir as in struct weir_event.rule[dir]: a default deny has one number for both directions. NULL: unknown.
 */
const struct policy_rule *policy_result_rule(const struct policy_result *r, uint32_t number, enum weir_dir dir);

#endif
