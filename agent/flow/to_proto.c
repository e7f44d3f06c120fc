// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/to_proto.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent/flow/extensions.h"
#include "agent/flow/l7_proto.h"
#include "agent/flow/summary.h"
#include "lib/addr.h"
#include "lib/drop.h"

/* Every part that a message can have, linked together as a flow needs them. */
struct flow_msg {
	Observer__GetFlowsResponse response;
	Flow__Flow flow;
	Google__Protobuf__Timestamp time, lost_first, lost_last;
	Flow__IP ip;
	Flow__Layer4 l4;
	union {
		Flow__TCP tcp;
		Flow__UDP udp;
		Flow__SCTP sctp;
		Flow__ICMPv4 icmp4;
		Flow__ICMPv6 icmp6;
	} l4_of;
	Flow__TCPFlags tcp_flags;
	struct end {
		Flow__Endpoint endpoint;
		Flow__Workload workload, *workloads[1];
		Flow__Service service;
	} src, dst;
	Flow__CiliumEventType event_type;
	Google__Protobuf__BoolValue is_reply;
	Flow__LostEvent lost;
	Google__Protobuf__Int32Value cpu;
	struct flow_ext extensions;
	struct flow_l7_msg l7;
	struct policies {
		size_t cap;
		Flow__Policy *policy, **list;
	} policies[2]; /* by enum weir_dir */
	char uuid[FLOW_UUID_STRLEN], saddr[ADDR_STRLEN], daddr[ADDR_STRLEN], summary[FLOW_SUMMARY_MAX];
};

struct flow_msg *flow_msg_new(void)
{
	return calloc(1, sizeof(struct flow_msg));
}

void flow_msg_free(struct flow_msg *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(m->policies); i++) {
		free(m->policies[i].policy);
		free(m->policies[i].list);
	}
	flow_ext_clear(&m->extensions);
	free(m);
}

static Google__Protobuf__Timestamp *timestamp(Google__Protobuf__Timestamp *t, uint64_t ns)
{
	google__protobuf__timestamp__init(t);
	t->seconds = ns / 1000000000;
	t->nanos = ns % 1000000000;
	return t;
}

/* protobuf-c has char * where we have const char *, and wants "" where we have NULL. */
static char *text(const char *s)
{
	return s ? (char *)s : (char *)protobuf_c_empty_string;
}

static Flow__Endpoint *endpoint(struct end *e, const struct flow_peer *p)
{
	flow__endpoint__init(&e->endpoint);
	e->endpoint.id = p->ep_id;
	e->endpoint.identity = p->identity;
	e->endpoint.cluster_name = text(p->namespace ? "default" : NULL);
	e->endpoint.namespace_ = text(p->namespace);
	e->endpoint.pod_name = text(p->pod_name);
	e->endpoint.n_labels = p->n_labels;
	e->endpoint.labels = p->labels;
	if (p->workload_name) {
		flow__workload__init(&e->workload);
		e->workload.name = text(p->workload_name);
		e->workload.kind = text(p->workload_kind);
		e->workloads[0] = &e->workload;
		e->endpoint.n_workloads = 1;
		e->endpoint.workloads = e->workloads;
	}
	return &e->endpoint;
}

static Flow__Service *service(struct end *e, const struct flow_peer *p)
{
	if (!p->service_name)
		return NULL;
	flow__service__init(&e->service);
	e->service.name = text(p->service_name);
	e->service.namespace_ = text(p->service_namespace);
	return &e->service;
}

static Flow__IP *ip(struct flow_msg *m, const struct weir_event *ev)
{
	flow__ip__init(&m->ip);
	m->ip.source = (char *)addr_to_str(&ev->saddr, m->saddr);
	m->ip.destination = (char *)addr_to_str(&ev->daddr, m->daddr);
	m->ip.ipversion = addr_is_v4(&ev->saddr) ? FLOW__IPVERSION__IPv4 : FLOW__IPVERSION__IPv6;
	return &m->ip;
}

/* An exchange of layer 7 is no packet: it has no flags. */
static Flow__TCPFlags *tcp_flags(struct flow_msg *m, const struct weir_event *ev)
{
	Flow__TCPFlags *flags = &m->tcp_flags;

	if (ev->type == WEIR_EV_L7)
		return NULL;
	flow__tcpflags__init(flags);
	flags->fin = !!(ev->tcp_flags & 1);
	flags->syn = !!(ev->tcp_flags & 2);
	flags->rst = !!(ev->tcp_flags & 4);
	flags->psh = !!(ev->tcp_flags & 8);
	flags->ack = !!(ev->tcp_flags & 16);
	flags->urg = !!(ev->tcp_flags & 32);
	flags->ece = !!(ev->tcp_flags & 64);
	flags->cwr = !!(ev->tcp_flags & 128);
	return flags;
}

static Flow__TCP *tcp(struct flow_msg *m, const struct weir_event *ev)
{
	flow__tcp__init(&m->l4_of.tcp);
	m->l4_of.tcp.source_port = ntohs(ev->sport);
	m->l4_of.tcp.destination_port = ntohs(ev->dport);
	m->l4_of.tcp.flags = tcp_flags(m, ev);
	return &m->l4_of.tcp;
}

static Flow__Layer4 *l4(struct flow_msg *m, const struct weir_event *ev)
{
	uint16_t sport = ntohs(ev->sport), dport = ntohs(ev->dport);

	flow__layer4__init(&m->l4);
	switch (ev->proto) {
	case IPPROTO_TCP:
		m->l4.protocol_case = FLOW__LAYER4__PROTOCOL_TCP;
		m->l4.tcp = tcp(m, ev);
		return &m->l4;
	case IPPROTO_UDP:
		flow__udp__init(m->l4.udp = &m->l4_of.udp);
		m->l4.protocol_case = FLOW__LAYER4__PROTOCOL_UDP;
		m->l4.udp->source_port = sport;
		m->l4.udp->destination_port = dport;
		return &m->l4;
	case IPPROTO_SCTP:
		flow__sctp__init(m->l4.sctp = &m->l4_of.sctp);
		m->l4.protocol_case = FLOW__LAYER4__PROTOCOL_SCTP;
		m->l4.sctp->source_port = sport;
		m->l4.sctp->destination_port = dport;
		return &m->l4;
	case IPPROTO_ICMP:
		flow__icmpv4__init(m->l4.icmpv4 = &m->l4_of.icmp4);
		m->l4.protocol_case = FLOW__LAYER4__PROTOCOL_ICMPV4;
		m->l4.icmpv4->type = sport;
		m->l4.icmpv4->code = dport;
		return &m->l4;
	case IPPROTO_ICMPV6:
		flow__icmpv6__init(m->l4.icmpv6 = &m->l4_of.icmp6);
		m->l4.protocol_case = FLOW__LAYER4__PROTOCOL_ICMPV6;
		m->l4.icmpv6->type = sport;
		m->l4.icmpv6->code = dport;
		return &m->l4;
	}
	return NULL;
}

static bool policies_reserve(struct policies *p, size_t n)
{
	Flow__Policy *policy, **list;

	if (n <= p->cap)
		return true;
	policy = realloc(p->policy, n * sizeof(*policy));
	if (!policy)
		return false;
	p->policy = policy;
	list = realloc(p->list, n * sizeof(*list));
	if (!list)
		return false;
	p->list = list;
	p->cap = n;
	return true;
}

static bool policies(struct policies *p, const struct flow_rule *rule, size_t *ret_n, Flow__Policy ***ret_list)
{
	if (!policies_reserve(p, rule->n_policies))
		return false;
	for (size_t i = 0; i < rule->n_policies; i++) {
		flow__policy__init(&p->policy[i]);
		p->policy[i].kind = text(rule->policies[i].kind);
		p->policy[i].namespace_ = text(rule->policies[i].namespace);
		p->policy[i].name = text(rule->policies[i].name);
		p->list[i] = &p->policy[i];
	}
	*ret_n = rule->n_policies;
	*ret_list = p->list;
	return true;
}

static bool decided_by(struct flow_msg *m, const struct flow *f, const struct flow_face *face)
{
	const struct flow_rule *egress = f->rule[WEIR_EGRESS], *ingress = f->rule[WEIR_INGRESS];
	const struct flow_rule *shown =
	    f->rule[face->direction == FLOW__TRAFFIC_DIRECTION__INGRESS ? WEIR_INGRESS : WEIR_EGRESS];
	Flow__Flow *p = &m->flow;
	bool ok = true;

	if (egress && egress->default_deny)
		ok = policies(&m->policies[WEIR_EGRESS], egress, &p->n_egress_denied_by, &p->egress_denied_by);
	else if (egress)
		ok = policies(&m->policies[WEIR_EGRESS], egress, &p->n_egress_allowed_by, &p->egress_allowed_by);
	if (ingress && ingress->default_deny)
		ok &= policies(&m->policies[WEIR_INGRESS], ingress, &p->n_ingress_denied_by, &p->ingress_denied_by);
	else if (ingress)
		ok &= policies(&m->policies[WEIR_INGRESS], ingress, &p->n_ingress_allowed_by, &p->ingress_allowed_by);
	if (face->type == FLOW_FACE_VERDICT && shown && !shown->default_deny)
		p->policy_match_type = shown->match_type;
	return ok;
}

static void put_trace(Flow__Flow *p, const struct flow *f, const struct flow_face *face)
{
	p->trace_observation_point = face->sub_type ? (Flow__TraceObservationPoint)face->sub_type
						    : FLOW__TRACE_OBSERVATION_POINT__TO_ENDPOINT;
	if (f->ev.flags & WEIR_EVF_RELATED)
		p->trace_reason = FLOW__TRACE_REASON__RELATED;
	else if (f->ev.type == WEIR_EV_NEW)
		p->trace_reason = FLOW__TRACE_REASON__NEW;
	else
		p->trace_reason = flow_is_reply(f) == 1 ? FLOW__TRACE_REASON__REPLY : FLOW__TRACE_REASON__ESTABLISHED;
}

/* Totals of the connection. */
static Google__Protobuf__Any *totals(struct flow_ext *e, const struct weir_event *ev)
{
	flow_ext_begin(e);
	flow_ext_number(e, "duration_ms", ev->duration_ms);
	flow_ext_number(e, "initiator_packets", ev->packets[0]);
	flow_ext_number(e, "initiator_bytes", (double)ev->bytes[0]);
	flow_ext_number(e, "responder_packets", ev->packets[1]);
	flow_ext_number(e, "responder_bytes", (double)ev->bytes[1]);
	if (ev->rtt_us)
		flow_ext_number(e, "tcp_rtt_ms", ev->rtt_us / 1000.0);
	return flow_ext_end(e);
}

static bool put_event(struct flow_msg *m, const struct flow *f, const struct flow_face *face)
{
	Flow__Flow *p = &m->flow;

	flow__cilium_event_type__init(&m->event_type);
	m->event_type.type = face->type;
	m->event_type.sub_type = face->sub_type;
	p->event_type = &m->event_type;
	p->traffic_direction = (Flow__TrafficDirection)face->direction;
	p->verdict = (Flow__Verdict)f->ev.verdict;
	if (f->ev.verdict == WEIR_DROPPED) {
		p->drop_reason = drop_hubble(f->ev.reason);
		p->drop_reason_desc = (Flow__DropReason)p->drop_reason;
	}
	if (face->type == FLOW_FACE_TRACE)
		put_trace(p, f, face);
	if (flow_is_reply(f) >= 0) {
		google__protobuf__bool_value__init(&m->is_reply);
		m->is_reply.value = p->reply = flow_is_reply(f);
		p->is_reply = &m->is_reply;
	}
	if (f->ev.type != WEIR_EV_ACTIVE && f->ev.type != WEIR_EV_END)
		return true;
	p->extensions = totals(&m->extensions, &f->ev);
	return p->extensions;
}

static void open_response(struct flow_msg *m, const struct flow_node *node, uint64_t time_ns)
{
	observer__get_flows_response__init(&m->response);
	m->response.node_name = text(node->name);
	m->response.time = timestamp(&m->time, time_ns);
}

const Observer__GetFlowsResponse *flow_msg_fill(struct flow_msg *m, const struct flow_node *node, const struct flow *f,
						const struct flow_face *face)
{
	Flow__Flow *p = &m->flow;

	open_response(m, node, f->time_ns);
	m->response.response_types_case = OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_FLOW;
	m->response.flow = p;
	flow__flow__init(p);
	p->time = &m->time;
	flow_uuid(node, f->seq, m->uuid);
	p->uuid = m->uuid;
	p->ip = ip(m, &f->ev);
	p->l4 = l4(m, &f->ev);
	p->source = endpoint(&m->src, f->src);
	p->destination = endpoint(&m->dst, f->dst);
	p->source_service = service(&m->src, f->src);
	p->destination_service = service(&m->dst, f->dst);
	if (f->names[0]) {
		p->n_source_names = f->names[0]->n;
		p->source_names = f->names[0]->name;
	}
	if (f->names[1]) {
		p->n_destination_names = f->names[1]->n;
		p->destination_names = f->names[1]->name;
	}
	p->type = FLOW__FLOW_TYPE__L3_L4;
	p->node_name = text(node->name);
	flow_summary(f, m->summary);
	p->summary = m->summary;
	if (!put_event(m, f, face) || (f->l7 && !flow_l7_fill(&m->l7, &m->extensions, f->l7, p)))
		return NULL;
	return decided_by(m, f, face) ? &m->response : NULL;
}

const Observer__GetFlowsResponse *flow_msg_fill_lost(struct flow_msg *m, const struct flow_node *node,
						     const struct flow_lost *lost)
{
	open_response(m, node, lost->last_ns);
	m->response.response_types_case = OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_LOST_EVENTS;
	m->response.lost_events = &m->lost;
	flow__lost_event__init(&m->lost);
	m->lost.source = (Flow__LostEventSource)lost->kind;
	m->lost.num_events_lost = lost->count;
	m->lost.first = timestamp(&m->lost_first, lost->first_ns);
	m->lost.last = timestamp(&m->lost_last, lost->last_ns);
	if (lost->cpu >= 0) {
		google__protobuf__int32_value__init(&m->cpu);
		m->cpu.value = lost->cpu;
		m->lost.cpu = &m->cpu;
	}
	return &m->response;
}
