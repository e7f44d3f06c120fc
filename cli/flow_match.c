// SPDX-License-Identifier: Apache-2.0
#include "cli/flow_match.h"

#include <ctype.h>
#include <netinet/in.h>
#include <strings.h>

#include "cli/l7_view.h"

/* view.fields NULL: not an exchange of which a Weir agent tells. */
struct filter_subject {
	const Flow__Flow *flow;
	struct l7_view view;
	bool destination;
};

static const Flow__Endpoint *end_of(const struct filter_subject *s)
{
	return s->destination ? s->flow->destination : s->flow->source;
}

static bool is_dropped(const Flow__Flow *f)
{
	return f->verdict == FLOW__VERDICT__DROPPED;
}

/* ---- ends */

static bool match_addr(const union filter_value *v, const char *text)
{
	struct weir_addr a;

	return addr_parse(text, &a) == 0 && prefix_has_addr(&v->prefix, &a);
}

static bool match_ip(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__IP *ip = s->flow->ip;

	return ip && match_addr(v, s->destination ? ip->destination : ip->source);
}

static bool match_snat(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->ip && match_addr(v, s->flow->ip->source_xlated);
}

/* NULL for what the message leaves empty. */
static const char *text_or_null(const char *s)
{
	return *s ? s : NULL;
}

static bool match_pod(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Endpoint *ep = end_of(s);

	return ep ? filter_match_pod(v, text_or_null(ep->namespace_), text_or_null(ep->pod_name))
		  : filter_match_pod(v, NULL, NULL);
}

static bool match_service(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Service *svc = s->destination ? s->flow->destination_service : s->flow->source_service;

	return svc && *svc->name && filter_match_pod(v, svc->namespace_, svc->name);
}

static bool match_labels(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Endpoint *ep = end_of(s);

	return selector_match(v->selector, ep ? ep->labels : NULL, ep ? ep->n_labels : 0);
}

static bool match_workload(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Endpoint *ep = end_of(s);

	for (size_t i = 0; ep && i < ep->n_workloads; i++)
		if (filter_match_workload(v, ep->workloads[i]->kind, ep->workloads[i]->name))
			return true;
	return false;
}

static bool match_cluster(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Endpoint *ep = end_of(s);

	return ep && streq(ep->cluster_name, v->text);
}

static bool match_identity(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Endpoint *ep = end_of(s);

	return (ep ? ep->identity : 0) == v->number;
}

static bool match_fqdn(const union filter_value *v, const struct filter_subject *s)
{
	char *const *names = s->destination ? s->flow->destination_names : s->flow->source_names;
	size_t n = s->destination ? s->flow->n_destination_names : s->flow->n_source_names;

	return filter_match_fqdn(v, names, n);
}

/* ---- layer 4 */

static bool match_port(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Layer4 *l4 = s->flow->l4;

	switch (l4 ? l4->protocol_case : FLOW__LAYER4__PROTOCOL__NOT_SET) {
	case FLOW__LAYER4__PROTOCOL_TCP:
		return v->number == (s->destination ? l4->tcp->destination_port : l4->tcp->source_port);
	case FLOW__LAYER4__PROTOCOL_UDP:
		return v->number == (s->destination ? l4->udp->destination_port : l4->udp->source_port);
	case FLOW__LAYER4__PROTOCOL_SCTP:
		return v->number == (s->destination ? l4->sctp->destination_port : l4->sctp->source_port);
	default:
		return false;
	}
}

static bool match_protocol(const union filter_value *v, const struct filter_subject *s)
{
	static const uint8_t numbers[] = {
		[FLOW__LAYER4__PROTOCOL_TCP] = IPPROTO_TCP,     [FLOW__LAYER4__PROTOCOL_UDP] = IPPROTO_UDP,
		[FLOW__LAYER4__PROTOCOL_ICMPV4] = IPPROTO_ICMP, [FLOW__LAYER4__PROTOCOL_ICMPV6] = IPPROTO_ICMPV6,
		[FLOW__LAYER4__PROTOCOL_SCTP] = IPPROTO_SCTP,   [FLOW__LAYER4__PROTOCOL_VRRP] = 112,
		[FLOW__LAYER4__PROTOCOL_IGMP] = IPPROTO_IGMP,
	};
	const char *name = filter_l7_protocol(v);
	const Flow__Layer7 *l7 = s->flow->l7;
	const Flow__Layer4 *l4 = s->flow->l4;

	if (!name)
		return l4 && l4->protocol_case != FLOW__LAYER4__PROTOCOL__NOT_SET &&
		       filter_match_protocol(v, numbers[l4->protocol_case]);
	switch (l7 ? l7->record_case : FLOW__LAYER7__RECORD__NOT_SET) {
	case FLOW__LAYER7__RECORD_DNS:
		return streq(name, "dns");
	case FLOW__LAYER7__RECORD_HTTP:
		return streq(name, "http");
	case FLOW__LAYER7__RECORD_KAFKA:
		return streq(name, "kafka");
	default:
		return false;
	}
}

static bool match_tcp_flags(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Layer4 *l4 = s->flow->l4;
	const Flow__TCPFlags *want = v->flags,
			     *has = l4 && l4->protocol_case == FLOW__LAYER4__PROTOCOL_TCP ? l4->tcp->flags : NULL;

	return has && (!want->fin || has->fin) && (!want->syn || has->syn) && (!want->rst || has->rst) &&
	       (!want->psh || has->psh) && (!want->ack || has->ack) && (!want->urg || has->urg) &&
	       (!want->ece || has->ece) && (!want->cwr || has->cwr) && (!want->ns || has->ns);
}

/* ---- the event */

static bool match_direction(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->traffic_direction == v->number;
}

static bool match_verdict(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->verdict == v->number;
}

static bool match_drop_reason(const union filter_value *v, const struct filter_subject *s)
{
	return is_dropped(s->flow) && s->flow->drop_reason_desc == v->number;
}

static bool match_interface(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__NetworkInterface *want = v->interface, *has = s->flow->interface;

	return has && (!*want->name || streq(want->name, has->name)) && (!want->index || want->index == has->index);
}

static bool match_event(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__CiliumEventType *e = s->flow->event_type;

	return (!v->event->type || v->event->type == (e ? e->type : 0)) &&
	       (!v->event->match_sub_type || v->event->sub_type == (e ? e->sub_type : 0));
}

static bool match_reply(const union filter_value *v, const struct filter_subject *s)
{
	return filter_match_reply(v, s->flow->is_reply ? s->flow->is_reply->value : -1, is_dropped(s->flow));
}

static bool match_node(const union filter_value *v, const struct filter_subject *s)
{
	const char *node = s->flow->node_name, *slash = strchr(node, '/');
	char cluster[256] = "default";

	if (slash)
		snprintf(cluster, sizeof(cluster), "%.*s", (int)MIN(slash - node, 255), node);
	return filter_match_node(v, cluster, slash ? slash + 1 : node);
}

static bool match_node_labels(const union filter_value *v, const struct filter_subject *s)
{
	return selector_match(v->selector, s->flow->node_labels, s->flow->n_node_labels);
}

static bool match_ip_version(const union filter_value *v, const struct filter_subject *s)
{
	return (s->flow->ip ? s->flow->ip->ipversion : FLOW__IPVERSION__IP_NOT_USED) == v->number;
}

static bool match_encrypted(const union filter_value *v, const struct filter_subject *s)
{
	return (s->flow->ip && s->flow->ip->encrypted) == (v->number != 0);
}

static bool match_uuid(const union filter_value *v, const struct filter_subject *s)
{
	return !strcasecmp(s->flow->uuid, v->text);
}

static bool match_ip_trace_id(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->ip_trace_id && s->flow->ip_trace_id->trace_id == v->number;
}

static bool match_trace_id(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__TraceContext *t = s->flow->trace_context;

	return t && t->parent && streq(t->parent->trace_id, v->text);
}

/* ---- layer 7: Hubble's record, or what a Weir agent says of exchanges that Hubble has no record for */

static const Flow__HTTP *http_of(const struct filter_subject *s)
{
	const Flow__Layer7 *l7 = s->flow->l7;

	return l7 && l7->record_case == FLOW__LAYER7__RECORD_HTTP ? l7->http : NULL;
}

static const char *get(const struct filter_subject *s, const char *key)
{
	return s->view.fields ? text_or_null(l7_view_str(&s->view, key)) : NULL;
}

static bool match_http_status(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__HTTP *http = http_of(s);

	if (s->view.fields)
		return filter_match_status(v, (uint64_t)l7_view_number(&s->view, "http.response.status_code", 0));
	return http && filter_match_status(v, http->code);
}

static bool match_http_method(const union filter_value *v, const struct filter_subject *s)
{
	const char *method = get(s, "http.request.method");

	if (!method && http_of(s))
		method = http_of(s)->method;
	return method && !strcasecmp(method, v->text);
}

/* Of a URL: what is between host and query. */
static void path_of(const char *url, char *buf, size_t size)
{
	const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : url;

	snprintf(buf, size, "%.*s", path ? (int)MIN(strcspn(path, "?#"), size) : 0, path ? path : "");
}

static bool match_http_path(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__HTTP *http = http_of(s);
	char path[4096];

	if (s->view.fields)
		return filter_match_regex(v, get(s, "url.path"));
	if (!http)
		return false;
	path_of(http->url, path, sizeof(path));
	return filter_match_regex(v, path);
}

static bool match_http_url(const union filter_value *v, const struct filter_subject *s)
{
	return http_of(s) && *http_of(s)->method && filter_match_regex(v, http_of(s)->url);
}

static bool match_http_header(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__HTTP *http = http_of(s);

	for (size_t i = 0; http && i < http->n_headers; i++)
		if (!strcasecmp(http->headers[i]->key, v->header->key) &&
		    streq(http->headers[i]->value, v->header->value))
			return true;
	return false;
}

static bool match_dns_query(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Layer7 *l7 = s->flow->l7;

	return l7 && l7->record_case == FLOW__LAYER7__RECORD_DNS && filter_match_regex(v, l7->dns->query);
}

static bool match_l7_kind(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__Layer7 *l7 = s->flow->l7;

	if (s->view.fields)
		return streq(l7_view_str(&s->view, "weir.kind"), v->text);
	if (!l7)
		return false;
	return streq(v->text, "http")  ? l7->record_case == FLOW__LAYER7__RECORD_HTTP
	       : streq(v->text, "dns") ? l7->record_case == FLOW__LAYER7__RECORD_DNS
				       : false;
}

static bool match_l7_tool(const union filter_value *v, const struct filter_subject *s)
{
	return filter_glob(v->text, get(s, "gen_ai.tool.name"));
}

static bool match_l7_mcp_method(const union filter_value *v, const struct filter_subject *s)
{
	return filter_glob(v->text, get(s, "mcp.method.name"));
}

static bool is_agent(const union filter_value *v, const Flow__Endpoint *ep)
{
	return ep && filter_match_agent(v, ep->n_workloads ? text_or_null(ep->workloads[0]->name) : NULL,
					text_or_null(ep->pod_name));
}

static bool match_l7_agent(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->l7 && (filter_glob(v->text, get(s, "gen_ai.agent.name")) || is_agent(v, s->flow->source) ||
			       is_agent(v, s->flow->destination));
}

static bool match_l7_outcome(const union filter_value *v, const struct filter_subject *s)
{
	const char *outcome = get(s, "weir.outcome");

	return outcome && streq(outcome, v->text);
}

static void set_end(struct filter_subject *s, bool destination)
{
	s->destination = destination;
}

static const struct filter_match matches[] = {
	{ 1, match_ip },
	{ 3, match_ip },
	{ 34, match_snat },
	{ 2, match_pod },
	{ 4, match_pod },
	{ 7, match_fqdn },
	{ 8, match_fqdn },
	{ 10, match_labels },
	{ 11, match_labels },
	{ 16, match_service },
	{ 17, match_service },
	{ 26, match_workload },
	{ 27, match_workload },
	{ 37, match_cluster },
	{ 38, match_cluster },
	{ 30, match_direction },
	{ 5, match_verdict },
	{ 33, match_drop_reason },
	{ 35, match_interface },
	{ 6, match_event },
	{ 9, match_http_status },
	{ 12, match_protocol },
	{ 13, match_port },
	{ 14, match_port },
	{ 15, match_reply },
	{ 18, match_dns_query },
	{ 19, match_identity },
	{ 20, match_identity },
	{ 21, match_http_method },
	{ 22, match_http_path },
	{ 31, match_http_url },
	{ 32, match_http_header },
	{ 23, match_tcp_flags },
	{ 24, match_node },
	{ 36, match_node_labels },
	{ 25, match_ip_version },
	{ 28, match_trace_id },
	{ 29, match_uuid },
	{ 39, match_ip_trace_id },
	{ 40, match_encrypted },
	{ 1001, match_l7_kind },
	{ 1002, match_l7_tool },
	{ 1003, match_l7_mcp_method },
	{ 1004, match_l7_agent },
	{ 1005, match_l7_outcome },
};

const struct filter_evaluator message_evaluator = { set_end, ARRAY_SIZE(matches), matches };

bool flow_match(const struct filter_set *set, const Flow__Flow *f)
{
	struct filter_subject s = { .flow = f };
	bool r;

	if (!l7_view_open(f, &s.view))
		return filter_set_match(set, &s);
	r = filter_set_match(set, &s);
	l7_view_close(&s.view);
	return r;
}
