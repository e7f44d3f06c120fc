/* SPDX-License-Identifier: Apache-2.0 */
/* Flows for the tests of store, filter and to_proto. */
#ifndef WEIR_TEST_FLOWS_H
#define WEIR_TEST_FLOWS_H

#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent/flow/flow.h"
#include "lib/addr.h"

/* labels: separated by blanks, NULL: none */
static _unused_ struct flow_peer *new_peer(uint32_t identity, const char *ns, const char *pod, const char *labels)
{
	struct flow_peer *p = calloc(1, sizeof(*p));
	char *copy = strdup(labels ? labels : ""), *save = NULL;

	p->refs = 1;
	p->identity = identity;
	p->namespace = ns ? strdup(ns) : NULL;
	p->pod_name = pod ? strdup(pod) : NULL;
	p->labels = calloc(8, sizeof(*p->labels));
	for (char *l = strtok_r(copy, " ", &save); l; l = strtok_r(NULL, " ", &save))
		p->labels[p->n_labels++] = strdup(l);
	free(copy);
	return p;
}

static _unused_ struct flow_rule *new_rule(bool deny, const char *name)
{
	struct flow_rule *r = calloc(1, sizeof(*r));

	r->refs = 1;
	r->default_deny = deny;
	r->n_policies = 1;
	r->policies = calloc(1, sizeof(*r->policies));
	r->policies[0] = (struct flow_policy){ strdup("NetworkPolicy"), strdup("default"), strdup(name) };
	return r;
}

/* A new TCP connection 10.0.0.1:1000 -> 10.0.0.2:80, SYN, delivered to a pod. */
static _unused_ struct flow new_flow(struct flow_peer *src, struct flow_peer *dst)
{
	struct flow f = { .time_ns = 1700000000123456789, .src = src, .dst = dst };

	f.ev = (struct weir_event){ .sport = htons(1000),
				    .dport = htons(80),
				    .proto = IPPROTO_TCP,
				    .type = WEIR_EV_NEW,
				    .verdict = WEIR_FORWARDED,
				    .tcp_flags = 2,
				    .flags = WEIR_EVF_KNOWN_DIR | WEIR_EVF_TO_POD };
	addr_parse("10.0.0.1", &f.ev.saddr);
	addr_parse("10.0.0.2", &f.ev.daddr);
	return f;
}

#endif
