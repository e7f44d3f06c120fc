/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes objects, as far as Weir reads them. Decoded once from JSON or YAML (decode.h), immutable from then on,
 * counted by reference. Everything in an object is freed with it.
 */
#ifndef WEIR_K8S_OBJECT_H
#define WEIR_K8S_OBJECT_H

#include "lib/addr.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/k8s/selector.h"

enum k8s_kind { K8S_NAMESPACE, K8S_NODE, K8S_POD, K8S_SERVICE, K8S_NETWORK_POLICY, K8S_KIND_COUNT };

struct k8s_object {
	unsigned refs;
	enum k8s_kind kind;
	const char *ns; /* "" where the kind has none */
	const char *name;
	struct k8s_labels labels;
	int64_t created;    /* metadata.creationTimestamp, seconds since 1970; 0 unknown */
	uint64_t digest[2]; /* of its text, to tell whether a new version is one; 0, 0 unknown */
	struct arena arena;
};

struct k8s_namespace {
	struct k8s_object o; /* labels always hold kubernetes.io/metadata.name, as on the API server */
};

struct k8s_node {
	struct k8s_object o;
	size_t n_addrs;
	struct weir_addr *addrs; /* InternalIP and ExternalIP */
};

struct k8s_port {
	const char *name; /* NULL: has none */
	uint16_t port;
	uint8_t proto; /* IPPROTO_TCP, _UDP, _SCTP */
};

struct k8s_pod {
	struct k8s_object o;
	const char *node; /* spec.nodeName, NULL */
	bool host_network;
	bool finished;                 /* phase Succeeded or Failed: has given its address back */
	bool terminating;              /* has a deletionTimestamp, but may still run */
	struct weir_addr addr[2];      /* of status: [0] IPv4, [1] IPv6; all zero = none */
	struct weir_addr host_addr[2]; /* of its node, by status */
	uint32_t l7;                   /* annotation weir.io/l7: WEIR_EP_L7_…; 0: none */
	size_t n_ports;
	struct k8s_port *ports;                    /* of containers and sidecars */
	const char *workload_kind, *workload_name; /* the owner as Hubble names it, NULL */
};

struct k8s_service {
	struct k8s_object o;
	size_t n_addrs;
	struct weir_addr *addrs; /* cluster IPs and external IPs; none of a headless one */
};

struct k8s_policy_port {
	uint8_t proto;        /* IPPROTO_... */
	const char *name;     /* a named port, or NULL */
	uint16_t first, last; /* 0, 65535: every port */
};

struct k8s_peer {
	bool is_block;
	struct prefix cidr;
	size_t n_except;
	struct prefix *except;
	const struct k8s_selector *ns_selector;  /* NULL: absent, the policy's own namespace */
	const struct k8s_selector *pod_selector; /* NULL: absent, every pod */
};

struct k8s_policy_rule {
	size_t n_peers; /* 0: everyone */
	struct k8s_peer *peers;
	size_t n_ports; /* 0: every protocol and port */
	struct k8s_policy_port *ports;
};

struct k8s_network_policy {
	struct k8s_object o;
	struct k8s_selector *pod_selector;
	bool isolates[2]; /* by enum weir_dir: policyTypes after defaulting */
	size_t n_rules[2];
	struct k8s_policy_rule *rules[2]; /* none in a direction that it does not isolate */
	bool audit;                       /* weir.io/audit: "true" */
	bool broken;                      /* stands for a policy with errors in it: isolates, allows nothing */
};

struct k8s_object *k8s_object_ref(struct k8s_object *o);
void k8s_object_unref(struct k8s_object *o);
DEFINE_CLEANUP(struct k8s_object *, k8s_object_unref);

const char *k8s_kind_name(enum k8s_kind kind);
bool k8s_kind_namespaced(enum k8s_kind kind);
/* TCP, UDP, SCTP; NULL for others. */
const char *k8s_proto_name(uint8_t proto);
int k8s_proto_parse(const char *name, uint8_t *ret_proto);

#endif
