// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow.h"

#include <inttypes.h>

struct flow_peer *flow_peer_ref(struct flow_peer *p)
{
	p->refs++;
	return p;
}

void flow_peer_unref(struct flow_peer *p)
{
	if (!p || --p->refs)
		return;
	for (size_t i = 0; i < p->n_labels; i++)
		free(p->labels[i]);
	free(p->labels);
	free(p->namespace);
	free(p->pod_name);
	free(p->workload_name);
	free(p->workload_kind);
	free(p->service_namespace);
	free(p->service_name);
	free(p);
}

struct flow_rule *flow_rule_ref(struct flow_rule *r)
{
	r->refs++;
	return r;
}

void flow_rule_unref(struct flow_rule *r)
{
	if (!r || --r->refs)
		return;
	for (size_t i = 0; i < r->n_policies; i++) {
		free(r->policies[i].kind);
		free(r->policies[i].namespace);
		free(r->policies[i].name);
	}
	free(r->policies);
	free(r);
}

struct flow_names *flow_names_ref(struct flow_names *n)
{
	n->refs++;
	return n;
}

void flow_names_unref(struct flow_names *n)
{
	if (!n || --n->refs)
		return;
	for (size_t i = 0; i < n->n; i++)
		free(n->name[i]);
	free(n);
}

void flow_clear(struct flow *f)
{
	flow_peer_unref(TAKE_PTR(f->src));
	flow_peer_unref(TAKE_PTR(f->dst));
	flow_rule_unref(TAKE_PTR(f->rule[WEIR_EGRESS]));
	flow_rule_unref(TAKE_PTR(f->rule[WEIR_INGRESS]));
	l7_record_free(TAKE_PTR(f->l7));
	flow_names_unref(TAKE_PTR(f->names[0]));
	flow_names_unref(TAKE_PTR(f->names[1]));
}

/* A version 8 UUID (RFC 9562: "custom"): 60 bits of the instance, 62 of the sequence number. */
void flow_uuid(const struct flow_node *n, uint64_t seq, char *ret_uuid)
{
	snprintf(ret_uuid, FLOW_UUID_STRLEN, "%08" PRIx32 "-%04" PRIx32 "-8%03" PRIx32 "-%04" PRIx32 "-%012" PRIx64,
		 (uint32_t)(n->instance >> 32), (uint32_t)(n->instance >> 16) & 0xffff, (uint32_t)n->instance & 0xfff,
		 (uint32_t)(seq >> 48 & 0x3fff) | 0x8000, seq & 0xffffffffffff);
}
