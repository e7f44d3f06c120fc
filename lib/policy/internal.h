/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler's own state. It is brought up to date step by step from the store; every step either happens or does
 * not, and a later run goes on where a failed one stopped. What the last result points to is not freed but retired,
 * until the next result is complete.
 *
 *	policies.c   policy ── the selectors and prefixes that policies name
 *	select.c     selector ── which label sets it matches
 *	labelset.c   namespace, label set ── what selectors can tell apart
 *	class.c      class ── addresses whose longest named prefix is the same
 *	identity.c   identity ── label set (or world, node) × class
 *	pods.c       pod, node address ── who has which identity
 *	ruleset.c    rule set ── the policies of a label set, compiled; entries.c: its ports
 *	result.c     what the user sees
 */
#ifndef WEIR_POLICY_INTERNAL_H
#define WEIR_POLICY_INTERNAL_H

#include "lib/hash.h"
#include "lib/k8s/store.h"
#include "lib/policy/policy.h"
#include "lib/vec.h"

/* First member of what a result points to. */
struct retired {
	struct retired *next;
	void (*free)(struct retired *r);
};

struct labelset;
struct identity;
struct policy;

/* A namespace with its labels as they were: with other labels it is another one, and so are its pods' identities. */
struct space {
	UT_hash_handle hh; /* by key: name and labels */
	unsigned refs;     /* label sets */
	uint32_t id;
	const char *name;
	struct k8s_labels labels;
	VEC(struct labelset *) labelsets;
	char *key;
	struct arena arena;
};

/* A pair of namespace and pod selector, shared by all policies that say the same. */
struct selector {
	UT_hash_handle hh; /* by key: scope and text */
	unsigned refs;
	const char *ns;                                        /* the one namespace that it can match in, NULL: any */
	const struct k8s_selector *ns_selector, *pod_selector; /* NULL: everything */
	struct k8s_object *owner;                              /* keeps the texts */
	struct selector_bucket *bucket;
	VEC(struct labelset *) labelsets; /* matched */
	VEC(struct policy *) subjects;    /* policies of which this is spec.podSelector */
	uint64_t stamp;                   /* scratch: == compiler's stamp when it matches the identity at hand */
	char key[];
};

/* Selectors that need a certain label (or none), so that a new label set meets few that cannot match. */
struct selector_bucket {
	UT_hash_handle hh;
	VEC(struct selector *) selectors;
	char key[];
};

struct labelset {
	UT_hash_handle hh; /* by key: space, labels, named ports */
	unsigned refs;     /* pods and identities */
	struct space *space;
	const struct k8s_pod *pod;        /* the first that had it: owner of labels and ports */
	VEC(struct selector *) selectors; /* that match it */
	VEC(struct identity *) identities;
	struct ruleset *ruleset; /* NULL: not known, or not wanted */
	uint64_t policy_gen;     /* of the compiler, when ruleset was found */
	uint64_t wanted;         /* run in which it came among the wanted ones: a local pod has it */
	bool has_named_ports;
	size_t key_len;
	char *key;
};

struct addr_class {
	UT_hash_handle hh; /* by key: the prefix without padding */
	unsigned refs;     /* policies' peers and identities */
	unsigned named;    /* policies' peers alone: without any, no address belongs to it any more */
	struct weir_lpm_key key;
	struct prefix prefix;
	struct addr_class *parent; /* the next wider one */
	VEC(struct identity *) identities;
	struct identity *own; /* of outside addresses */
};

struct identity_key {
	const struct labelset *labelset; /* pods */
	const struct addr_class *class;  /* NULL: no prefix covers it */
	uint64_t reserved;               /* else: WEIR_ID_WORLD, _HOST, _REMOTE_NODE */
};

struct identity {
	struct retired retired;
	UT_hash_handle hh; /* by key */
	struct identity_key key;
	struct labelset *labelset;
	struct addr_class *class;
	struct policy_identity pub; /* n_refs counts references */
	struct arena arena;
	struct identity **unused; /* the compiler's list of those whose last reference went */
	struct identity *next_unused;
	bool listed; /* there */
};

struct policy_peer {
	struct selector *selector; /* NULL: a block */
	struct addr_class *cidr;
	size_t n_except;
	struct addr_class **except;
};

struct policy_rules {
	size_t n_peers;
	struct policy_peer *peers;
	const struct k8s_policy_rule *rule;
};

/* One version of one NetworkPolicy. */
struct policy {
	unsigned refs; /* the compiler's list, and rule sets */
	uint64_t version;
	uint64_t listed; /* change counter of the store at which it was in the list */
	struct k8s_network_policy *np;
	struct selector *subject;
	struct policy_rules *rules[2];
	struct arena arena;
};

struct pod {
	struct retired retired;
	uint64_t version;
	struct k8s_pod *pod;
	struct labelset *labelset; /* NULL: finished or on the host's network */
	struct weir_addr addr[2];
	bool registered; /* addr was registered by the CNI */
	struct identity *identity[2];
	uint64_t class_gen;     /* of the compiler, when identity was found */
	bool local, asked;      /* what is_local says; whether it was asked */
	struct policy_pod *pub; /* in the result under construction */
};

struct addr_entry { /* an address of a pod, in the list that is sorted by address */
	struct weir_addr addr;
	struct pod *pod;
};

struct host {
	struct weir_addr addr;
	struct identity *identity;
	bool local;
};

/* An interned list of policies. */
struct rule {
	struct retired retired;
	UT_hash_handle hh; /* by key: names */
	unsigned refs;
	struct policy_rule pub;
	struct arena arena;
	size_t key_len;
	char *key;
};

/* The published form, replaced as a whole. */
struct ruleset_pub {
	struct retired retired;
	struct policy_ruleset rs;
	struct policy_entry entries[];
};

struct ruleset_rule {
	const struct policy_rules *rules;
	unsigned policy;      /* index */
	size_t spec, n_specs; /* ports that do not depend on the peer */
	bool named;           /* ports that do (egress) */
};

struct port_spec { /* proto, port, prefixlen as in struct policy_entry */
	uint8_t proto, prefixlen;
	uint16_t port;
};

struct ruleset {
	UT_hash_handle hh; /* by key: policies and resolved ports */
	unsigned refs;     /* label sets */
	size_t n_policies;
	struct policy **policies;
	VEC(struct ruleset_rule) rules[2];
	VEC(struct port_spec) specs;
	VEC(struct rule *) used; /* rules that entries carry */
	struct rule *deny[2];    /* names only, not interned */
	struct ruleset_pub *pub; /* NULL until compiled */
	uint32_t number;
	uint32_t upto; /* identities with numbers below are in it */
	size_t key_len;
	char *key;
};

struct policy_compiler {
	struct space *spaces;
	struct selector *selectors;
	struct selector_bucket *buckets;
	struct labelset *labelsets;
	struct addr_class *classes;
	struct identity *identities;
	struct rule *rules;
	struct ruleset *rulesets;

	VEC(struct policy *) policies; /* sorted by name */
	VEC(struct pod *) pods;        /* sorted by name */
	VEC(struct addr_entry) by_addr;
	VEC(struct addr_class *) by_prefix[2]; /* sorted: IPv4, IPv6 */
	VEC(struct host) hosts;                /* sorted by address, each once */
	VEC(uint32_t) dead;                    /* identities that rule sets may still have entries for */
	struct weir_addr *host_addrs;
	size_t n_host_addrs;

	struct identity *reserved[WEIR_ID_REMOTE_NODE + 1];
	uint32_t next_space, next_identity, next_rule, next_ruleset;
	uint64_t run, stamp;
	uint64_t class_gen, policy_gen; /* move when classes, policies changed */
	bool classes_stale;             /* classes were named or unnamed since they were sorted */
	uint64_t seen[K8S_KIND_COUNT];  /* + 1: the store's change counters that have been worked in */
	const struct k8s_store *store;  /* of the run at hand */
	const char *node;
	struct identity *unused;        /* had their last reference taken: the sweep looks whether they got another */
	VEC(struct labelset *) wanted;  /* label sets of local pods, in the run at hand */
	VEC(struct labelset *) holders; /* label sets that have a rule set, each with a reference */
	policy_is_local_t is_local;
	void *userdata;

	struct retired *retired;
	struct policy_result *result;
};

static inline void retire(struct policy_compiler *c, struct retired *r)
{
	r->next = c->retired;
	c->retired = r;
}

/* policies.c: from the store to c->policies. */
int policies_sync(struct policy_compiler *c);
void policies_clear(struct policy_compiler *c);
void policy_unref(struct policy_compiler *c, struct policy *p);

/* select.c. peer selectors: ns_selector NULL means the policy's own namespace. */
int selector_get(struct policy_compiler *c, struct k8s_object *owner, const struct k8s_selector *ns_selector,
		 const struct k8s_selector *pod_selector, struct selector **ret);
void selector_unref(struct policy_compiler *c, struct selector *s);
int selectors_match_labelset(struct policy_compiler *c, struct labelset *l);
void selectors_forget_labelset(struct labelset *l);

/* labelset.c */
int space_current(struct policy_compiler *c, const char *ns, struct space **ret); /* with a reference */
void space_unref(struct policy_compiler *c, struct space *s);
int labelset_get(struct policy_compiler *c, struct space *s, const struct k8s_pod *pod, struct labelset **ret);
void labelset_unref(struct policy_compiler *c, struct labelset *l);

/* class.c */
int class_name(struct policy_compiler *c, const struct prefix *p, struct addr_class **ret); /* by a policy */
void class_unname(struct policy_compiler *c, struct addr_class *k);
void class_unref(struct policy_compiler *c, struct addr_class *k);
int classes_sync(struct policy_compiler *c); /* after policies: sort them, and give each its own identity */
struct addr_class *class_of(const struct policy_compiler *c, const struct weir_addr *a); /* NULL: none */
/* The classes inside a prefix are neighbours in by_prefix[family]: from *ret_first, as many as returned. */
size_t classes_inside(const struct policy_compiler *c, const struct addr_class *k, size_t *ret_first);

/* identity.c: identity_get returns a reference. */
int identity_get(struct policy_compiler *c, struct labelset *l, uint32_t reserved, struct addr_class *k,
		 struct identity **ret);
void identity_unref(struct identity *i);
int identities_reserved(struct policy_compiler *c);
void identities_sweep(struct policy_compiler *c); /* those without references */
void identity_free(struct retired *r);

/* pods.c */
int pods_sync(struct policy_compiler *c);
int pods_identify(struct policy_compiler *c);
int hosts_sync(struct policy_compiler *c);
void pods_clear(struct policy_compiler *c);
void hosts_clear(struct policy_compiler *c);
void pod_free(struct retired *r);

/* entries.c: the entries of one direction for peers that meet the same rules. */
struct port_claim { /* this policy allows these ports */
	struct port_spec spec;
	unsigned policy;
};
struct port_entry {
	struct port_spec spec;
	bool kept;     /* the look-up would not give the same without it */
	uint64_t *set; /* policies, a bit each */
};
struct port_entries {
	size_t n;
	struct port_entry *v;
	struct arena arena;
};
/* any: what every peer is allowed, which the second look-up finds; NULL for that one itself. Sorts the claims. */
int port_entries_compile(struct port_claim *claims, size_t n, size_t n_policies, const struct port_entries *any,
			 struct port_entries *ret);
/* A range of ports as exact prefixes: at most 30, the number is returned. */
#define PORT_PREFIXES_MAX 30
size_t port_range_split(uint16_t first, uint16_t last, uint8_t proto, struct port_spec *ret);
static inline bool port_spec_covers(const struct port_spec *a, const struct port_spec *b)
{
	if (a->prefixlen > b->prefixlen)
		return false;
	if (a->prefixlen < WEIR_POLICY_PREFIX_PROTO)
		return true;
	return a->proto == b->proto && (((uint32_t)a->port ^ b->port) >> (WEIR_POLICY_PREFIX_FULL - a->prefixlen)) == 0;
}

/* rule.c */
int rule_get(struct policy_compiler *c, struct policy *const *policies, const uint64_t *set, size_t n_policies,
	     struct rule **ret);
int rule_new(struct policy *const *policies, const uint64_t *set, size_t n_policies, struct rule **ret);
void rule_unref(struct policy_compiler *c, struct rule *r);
void rule_free(struct retired *r);

/* ruleset.c */
int rulesets_assign(struct policy_compiler *c);
void rulesets_clear(struct policy_compiler *c);
int rulesets_update(struct policy_compiler *c);
void rulesets_sweep(struct policy_compiler *c);
void ruleset_unref(struct policy_compiler *c, struct ruleset *rs);
/* compile.c: entries for identities with numbers from rs->upto on, and without those of c->dead. */
int ruleset_compile(struct policy_compiler *c, struct ruleset *rs);
/* publish.c. full: out replaces all entries; else they are added, and those of the dead left out. */
struct entry_list {
	size_t n, size;
	struct policy_entry *v;
};
int ruleset_publish(struct policy_compiler *c, struct ruleset *rs, bool full, const struct entry_list out[2]);
bool ruleset_has_dead(const struct policy_compiler *c, const struct policy_ruleset *rs);
int policy_cmp_number(const void *a, const void *b);
/* lookup.c: the first entry of (dir, identity), or the one behind. */
size_t ruleset_entry_pos(const struct policy_ruleset *rs, unsigned dir, uint32_t identity);

/* result.c */
int result_build(struct policy_compiler *c, struct policy_result **ret);
void result_free(struct policy_result *r);

#endif
