// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/filter_field.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

#include "agent/flow/filter_l7.h"
#include "lib/drop.h"

static bool match_ip(const union filter_value *v, const struct filter_subject *s)
{
	return prefix_has_addr(&v->prefix, s->destination ? &s->flow->ev.daddr : &s->flow->ev.saddr);
}

static bool match_pod(const union filter_value *v, const struct filter_subject *s)
{
	return filter_match_pod(v, s->peer->namespace, s->peer->pod_name);
}

static bool match_service(const union filter_value *v, const struct filter_subject *s)
{
	return s->peer->service_name && filter_match_pod(v, s->peer->service_namespace, s->peer->service_name);
}

static bool match_fqdn(const union filter_value *v, const struct filter_subject *s)
{
	const struct flow_names *names = s->flow->names[s->destination];

	return names && filter_match_fqdn(v, names->name, names->n);
}

static bool match_labels(const union filter_value *v, const struct filter_subject *s)
{
	return selector_match(v->selector, s->peer->labels, s->peer->n_labels);
}

static bool match_node_labels(const union filter_value *v, _unused_ const struct filter_subject *s)
{
	return selector_match(v->selector, NULL, 0); /* nodes have no labels here */
}

static bool match_workload(const union filter_value *v, const struct filter_subject *s)
{
	return filter_match_workload(v, s->peer->workload_kind, s->peer->workload_name);
}

static bool match_cluster(const union filter_value *v, const struct filter_subject *s)
{
	return s->peer->namespace && streq(v->text, "default");
}

static bool has_ports(const struct flow *f)
{
	return f->ev.proto == IPPROTO_TCP || f->ev.proto == IPPROTO_UDP || f->ev.proto == IPPROTO_SCTP;
}

static bool match_port(const union filter_value *v, const struct filter_subject *s)
{
	const struct weir_event *ev = &s->flow->ev;

	return has_ports(s->flow) && ntohs(s->destination ? ev->dport : ev->sport) == v->number;
}

static bool match_protocol(const union filter_value *v, const struct filter_subject *s)
{
	const char *l7 = filter_l7_protocol(v);

	return l7 ? match_l7_protocol(l7, s) : filter_match_protocol(v, s->flow->ev.proto);
}

static bool match_identity(const union filter_value *v, const struct filter_subject *s)
{
	return s->peer->identity == v->number;
}

static bool match_direction(const union filter_value *v, const struct filter_subject *s)
{
	return s->face->direction == v->number;
}

static bool match_verdict(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->ev.verdict == v->number;
}

static bool match_drop_reason(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->ev.verdict == WEIR_DROPPED && drop_hubble(s->flow->ev.reason) == v->number;
}

static bool match_event(const union filter_value *v, const struct filter_subject *s)
{
	return (!v->event->type || v->event->type == s->face->type) &&
	       (!v->event->match_sub_type || v->event->sub_type == s->face->sub_type);
}

static bool match_reply(const union filter_value *v, const struct filter_subject *s)
{
	return filter_match_reply(v, flow_is_reply(s->flow), s->flow->ev.verdict == WEIR_DROPPED);
}

static bool match_tcp_flags(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__TCPFlags *f = v->flags;
	uint8_t want = (f->fin ? 1 : 0) | (f->syn ? 2 : 0) | (f->rst ? 4 : 0) | (f->psh ? 8 : 0) | (f->ack ? 16 : 0) |
		       (f->urg ? 32 : 0) | (f->ece ? 64 : 0) | (f->cwr ? 128 : 0);

	return s->flow->ev.proto == IPPROTO_TCP && !s->flow->l7 && !f->ns && (s->flow->ev.tcp_flags & want) == want;
}

static bool match_node(const union filter_value *v, const struct filter_subject *s)
{
	return filter_match_node(v, "default", s->node->name);
}

static bool match_ip_version(const union filter_value *v, const struct filter_subject *s)
{
	return v->number == (addr_is_v4(&s->flow->ev.saddr) ? FLOW__IPVERSION__IPv4 : FLOW__IPVERSION__IPv6);
}

static bool match_uuid(const union filter_value *v, const struct filter_subject *s)
{
	char uuid[FLOW_UUID_STRLEN];

	flow_uuid(s->node, s->flow->seq, uuid);
	return strcasecmp(uuid, v->text) == 0;
}

static bool match_encrypted(const union filter_value *v, _unused_ const struct filter_subject *s)
{
	return !v->number;
}

static void set_end(struct filter_subject *s, bool destination)
{
	s->destination = destination;
	s->peer = destination ? s->flow->dst : s->flow->src;
}

/* Flows of the store have no translated address, interface or trace id of IP. */
static const struct filter_match matches[] = {
	{ 1, match_ip },           { 3, match_ip },
	{ 2, match_pod },          { 4, match_pod },
	{ 16, match_service },     { 17, match_service },
	{ 7, match_fqdn },         { 8, match_fqdn },
	{ 10, match_labels },      { 11, match_labels },
	{ 26, match_workload },    { 27, match_workload },
	{ 37, match_cluster },     { 38, match_cluster },
	{ 30, match_direction },   { 5, match_verdict },
	{ 33, match_drop_reason }, { 6, match_event },
	{ 9, match_http_status },  { 12, match_protocol },
	{ 13, match_port },        { 14, match_port },
	{ 15, match_reply },       { 18, match_dns_query },
	{ 19, match_identity },    { 20, match_identity },
	{ 21, match_http_method }, { 22, match_http_path },
	{ 31, match_http_url },    { 32, match_http_header },
	{ 23, match_tcp_flags },   { 24, match_node },
	{ 36, match_node_labels }, { 25, match_ip_version },
	{ 28, match_trace_id },    { 29, match_uuid },
	{ 40, match_encrypted },   { 1001, match_l7_kind },
	{ 1002, match_l7_tool },   { 1003, match_l7_mcp_method },
	{ 1004, match_l7_agent },  { 1005, match_l7_outcome },
};

const struct filter_evaluator flow_evaluator = { set_end, ARRAY_SIZE(matches), matches };
