// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/filter_field.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <strings.h>

#include "agent/flow/filter_l7.h"
#include "lib/drop.h"

static int parse_ip(const char *s, union filter_value *ret, struct err *reterr)
{
	struct weir_addr a;

	if (addr_parse(s, &a) == 0)
		ret->prefix = prefix_of_addr(&a);
	else if (prefix_parse(s, &ret->prefix) < 0)
		return err_set(reterr, -EINVAL, "\"%s\" is neither an address nor a prefix", s);
	return 0;
}

static bool match_ip(const union filter_value *v, const struct filter_subject *s)
{
	return prefix_has_addr(&v->prefix, s->destination ? &s->flow->ev.daddr : &s->flow->ev.saddr);
}

/* ns/prefix, ns/, /prefix, prefix (of namespace default); "/", which `hubble -A` sends, means any end, pod or not. */
static int parse_pod(const char *s, union filter_value *ret, struct err *reterr)
{
	const char *slash = strchr(s, '/');

	if (!*s)
		return err_set(reterr, -EINVAL, "\"%s\" names no pod", s);
	if (slash) {
		ret->pod.ns = slash == s ? NULL : s;
		ret->pod.ns_len = slash - s;
		ret->pod.name = slash + 1;
	} else {
		ret->pod.ns = "default";
		ret->pod.ns_len = strlen("default");
		ret->pod.name = s;
	}
	return 0;
}

static bool match_pod(const union filter_value *v, const struct filter_subject *s)
{
	const struct flow_peer *p = s->peer;

	if (!v->pod.ns && !*v->pod.name)
		return true;
	if (!p->namespace)
		return false;
	if (v->pod.ns && (strlen(p->namespace) != v->pod.ns_len || memcmp(p->namespace, v->pod.ns, v->pod.ns_len) != 0))
		return false;
	return !*v->pod.name || (p->pod_name && str_prefix(p->pod_name, v->pod.name));
}

static int parse_selector(const char *s, union filter_value *ret, struct err *reterr)
{
	return selector_parse(s, &ret->selector, reterr);
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
	const struct flow_peer *p = s->peer;
	const char *name = v->workload->name, *kind = v->workload->kind;

	return p->workload_name && (!*name || streq(name, p->workload_name)) &&
	       (!*kind || (p->workload_kind && streq(kind, p->workload_kind)));
}

static bool match_cluster(const union filter_value *v, const struct filter_subject *s)
{
	return s->peer->namespace && streq(v->text, "default");
}

static int parse_port(const char *s, union filter_value *ret, struct err *reterr)
{
	char *end;

	ret->number = strtoul(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end || ret->number > 65535)
		return err_set(reterr, -EINVAL, "\"%s\" is not a port", s);
	return 0;
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

#define NO_NUMBER UINT16_MAX /* a protocol of layer 7 */
static const struct protocol {
	const char *name;
	uint16_t number, also;
} protocols[] = {
	{ "tcp", IPPROTO_TCP, IPPROTO_TCP },      { "udp", IPPROTO_UDP, IPPROTO_UDP },
	{ "sctp", IPPROTO_SCTP, IPPROTO_SCTP },   { "icmp", IPPROTO_ICMP, IPPROTO_ICMPV6 },
	{ "icmpv4", IPPROTO_ICMP, IPPROTO_ICMP }, { "icmpv6", IPPROTO_ICMPV6, IPPROTO_ICMPV6 },
	{ "igmp", IPPROTO_IGMP, IPPROTO_IGMP },   { "vrrp", 112, 112 },
	{ "dns", NO_NUMBER, NO_NUMBER },          { "http", NO_NUMBER, NO_NUMBER },
	{ "kafka", NO_NUMBER, NO_NUMBER },
};

static int parse_protocol(const char *s, union filter_value *ret, struct err *reterr)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (!strcasecmp(protocols[i].name, s)) {
			ret->number = i;
			return 0;
		}
	return err_set(reterr, -EINVAL, "\"%s\" is not a protocol", s);
}

static bool match_protocol(const union filter_value *v, const struct filter_subject *s)
{
	const struct protocol *p = &protocols[v->number];

	if (p->number == NO_NUMBER)
		return match_l7_protocol(p->name, s);
	return s->flow->ev.proto == p->number || s->flow->ev.proto == p->also;
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

/* A flow whose direction is not known counts as no reply when it was dropped, and as neither when it was not. */
static bool match_reply(const union filter_value *v, const struct filter_subject *s)
{
	int reply = flow_is_reply(s->flow);

	if (reply < 0)
		return s->flow->ev.verdict == WEIR_DROPPED && !v->number;
	return reply == (v->number != 0);
}

static bool match_tcp_flags(const union filter_value *v, const struct filter_subject *s)
{
	const Flow__TCPFlags *f = v->flags;
	uint8_t want = (f->fin ? 1 : 0) | (f->syn ? 2 : 0) | (f->rst ? 4 : 0) | (f->psh ? 8 : 0) | (f->ack ? 16 : 0) |
		       (f->urg ? 32 : 0) | (f->ece ? 64 : 0) | (f->cwr ? 128 : 0);

	return s->flow->ev.proto == IPPROTO_TCP && !s->flow->l7 && !f->ns && (s->flow->ev.tcp_flags & want) == want;
}

/* A glob over "node" or "cluster/node"; the cluster is called default. */
static bool match_node(const union filter_value *v, const struct filter_subject *s)
{
	const char *slash = strchr(v->text, '/'), *node = slash ? slash + 1 : v->text;
	char cluster[256] = "default";

	if (slash)
		snprintf(cluster, sizeof(cluster), "%.*s", (int)(slash - v->text), v->text);
	return fnmatch(cluster, "default", 0) == 0 && (!*node || fnmatch(node, s->node->name, 0) == 0);
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

static const struct filter_field fields[] = {
	{ 1, false, parse_ip, match_ip },
	{ 3, true, parse_ip, match_ip },
	{ 34, false, parse_ip, NULL }, /* source_ip_xlated */
	{ 2, false, parse_pod, match_pod },
	{ 4, true, parse_pod, match_pod },
	{ 7, false, NULL, NULL }, /* fqdn */
	{ 8, true, NULL, NULL },
	{ 10, false, parse_selector, match_labels },
	{ 11, true, parse_selector, match_labels },
	{ 16, false, parse_pod, NULL }, /* service */
	{ 17, true, parse_pod, NULL },
	{ 26, false, NULL, match_workload },
	{ 27, true, NULL, match_workload },
	{ 37, false, NULL, match_cluster },
	{ 38, true, NULL, match_cluster },
	{ 30, false, NULL, match_direction },
	{ 5, false, NULL, match_verdict },
	{ 33, false, NULL, match_drop_reason },
	{ 35, false, NULL, NULL }, /* interface */
	{ 6, false, NULL, match_event },
	{ 9, false, parse_http_status, match_http_status },
	{ 12, false, parse_protocol, match_protocol },
	{ 13, false, parse_port, match_port },
	{ 14, true, parse_port, match_port },
	{ 15, false, NULL, match_reply },
	{ 18, false, parse_regex, match_dns_query },
	{ 19, false, NULL, match_identity },
	{ 20, true, NULL, match_identity },
	{ 21, false, NULL, match_http_method },
	{ 22, false, parse_regex, match_http_path },
	{ 31, false, parse_regex, match_http_url },
	{ 32, false, NULL, match_http_header },
	{ 23, false, NULL, match_tcp_flags },
	{ 24, false, NULL, match_node },
	{ 36, false, parse_selector, match_node_labels },
	{ 25, false, NULL, match_ip_version },
	{ 28, false, NULL, match_trace_id },
	{ 29, false, NULL, match_uuid },
	{ 39, false, NULL, NULL }, /* ip_trace_id */
	{ 40, false, NULL, match_encrypted },
	{ 1001, false, parse_l7_kind, match_l7_kind },
	{ 1002, false, NULL, match_l7_tool },
	{ 1003, false, NULL, match_l7_mcp_method },
	{ 1004, false, NULL, match_l7_agent },
	{ 1005, false, parse_l7_outcome, match_l7_outcome },
};

const struct filter_field *filter_field(unsigned number)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].number == number)
			return &fields[i];
	return NULL;
}

void filter_field_clear(const struct filter_field *f, union filter_value *v)
{
	if (f->parse == parse_selector)
		selector_free(v->selector);
	else if (f->parse == parse_regex)
		clear_regex(v);
}
