// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/filter.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <strings.h>

#include "agent/flow/selector.h"
#include "lib/addr.h"
#include "lib/drop.h"

/* A face of a flow, held against one value of a filter; peer: the end that the filter's field is about. */
struct subject {
	const struct flow *flow;
	const struct flow_face *face;
	const struct flow_node *node;
	const struct flow_peer *peer;
	bool destination;
};

union value {
	uint64_t number;
	struct prefix prefix;
	struct selector *selector;
	struct {
		const char *ns, *name; /* name: a prefix. NULL: any */
		size_t ns_len;
	} pod;
	const char *text;
	const Flow__Workload *workload;
	const Flow__EventTypeFilter *event;
	const Flow__TCPFlags *flags;
};

/*
 * One field of FlowFilter: how a value is read from the message and how it is matched. Without match the field is valid
 * and meets nothing: the flows do not have what it asks for. Without parse the value is taken as it is.
 */
struct field {
	unsigned number;
	bool destination;
	int (*parse)(const char *s, union value *ret_value, struct err *reterr);
	bool (*match)(const union value *v, const struct subject *s);
};

struct term {
	const struct field *field;
	size_t n;
	union value *values;
};

struct filter {
	size_t n;
	struct term *terms;
};

struct flow_filter {
	const struct flow_node *node;
	size_t n_white, n_black;
	struct filter *white, *black;
};

static int parse_ip(const char *s, union value *ret, struct err *reterr)
{
	struct weir_addr a;

	if (addr_parse(s, &a) == 0)
		ret->prefix = prefix_of_addr(&a);
	else if (prefix_parse(s, &ret->prefix) < 0)
		return err_set(reterr, -EINVAL, "\"%s\" is neither an address nor a prefix", s);
	return 0;
}

static bool match_ip(const union value *v, const struct subject *s)
{
	return prefix_has_addr(&v->prefix, s->destination ? &s->flow->ev.daddr : &s->flow->ev.saddr);
}

/* ns/prefix, ns/, /prefix, prefix (of namespace default) */
static int parse_pod(const char *s, union value *ret, struct err *reterr)
{
	const char *slash = strchr(s, '/');

	if (!*s || streq(s, "/"))
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

static bool match_pod(const union value *v, const struct subject *s)
{
	const struct flow_peer *p = s->peer;

	if (!p->namespace)
		return false;
	if (v->pod.ns && (strlen(p->namespace) != v->pod.ns_len || memcmp(p->namespace, v->pod.ns, v->pod.ns_len)))
		return false;
	return !*v->pod.name || (p->pod_name && str_prefix(p->pod_name, v->pod.name));
}

static int parse_selector(const char *s, union value *ret, struct err *reterr)
{
	return selector_parse(s, &ret->selector, reterr);
}

static bool match_labels(const union value *v, const struct subject *s)
{
	return selector_match(v->selector, s->peer->labels, s->peer->n_labels);
}

static bool match_node_labels(const union value *v, _unused_ const struct subject *s)
{
	return selector_match(v->selector, NULL, 0); /* nodes have no labels here */
}

static bool match_workload(const union value *v, const struct subject *s)
{
	const struct flow_peer *p = s->peer;
	const char *name = v->workload->name, *kind = v->workload->kind;

	return p->workload_name && (!*name || streq(name, p->workload_name)) &&
	       (!*kind || (p->workload_kind && streq(kind, p->workload_kind)));
}

static bool match_cluster(const union value *v, const struct subject *s)
{
	return s->peer->namespace && streq(v->text, "default");
}

static int parse_port(const char *s, union value *ret, struct err *reterr)
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

static bool match_port(const union value *v, const struct subject *s)
{
	const struct weir_event *ev = &s->flow->ev;

	return has_ports(s->flow) && ntohs(s->destination ? ev->dport : ev->sport) == v->number;
}

static const struct protocol {
	const char *name;
	uint16_t number, also;
} protocols[] = {
	{ "tcp", IPPROTO_TCP, IPPROTO_TCP },	   { "udp", IPPROTO_UDP, IPPROTO_UDP },
	{ "sctp", IPPROTO_SCTP, IPPROTO_SCTP },	   { "icmp", IPPROTO_ICMP, IPPROTO_ICMPV6 },
	{ "icmpv4", IPPROTO_ICMP, IPPROTO_ICMP },  { "icmpv6", IPPROTO_ICMPV6, IPPROTO_ICMPV6 },
	{ "igmp", IPPROTO_IGMP, IPPROTO_IGMP },	   { "vrrp", 112, 112 },
	{ "dns", UINT16_MAX, UINT16_MAX },	   { "http", UINT16_MAX, UINT16_MAX },
	{ "kafka", UINT16_MAX, UINT16_MAX },
};

static int parse_protocol(const char *s, union value *ret, struct err *reterr)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (!strcasecmp(protocols[i].name, s)) {
			ret->number = i;
			return 0;
		}
	return err_set(reterr, -EINVAL, "\"%s\" is not a protocol", s);
}

static bool match_protocol(const union value *v, const struct subject *s)
{
	const struct protocol *p = &protocols[v->number];

	return s->flow->ev.proto == p->number || s->flow->ev.proto == p->also;
}

static bool match_identity(const union value *v, const struct subject *s)
{
	return s->peer->identity == v->number;
}

static bool match_direction(const union value *v, const struct subject *s)
{
	return s->face->direction == v->number;
}

static bool match_verdict(const union value *v, const struct subject *s)
{
	return s->flow->ev.verdict == v->number;
}

static bool match_drop_reason(const union value *v, const struct subject *s)
{
	return s->flow->ev.verdict == WEIR_DROPPED && drop_hubble(s->flow->ev.reason) == v->number;
}

static bool match_event(const union value *v, const struct subject *s)
{
	return (!v->event->type || v->event->type == s->face->type) &&
	       (!v->event->match_sub_type || v->event->sub_type == s->face->sub_type);
}

/* A flow whose direction is not known counts as no reply when it was dropped, and as neither when it was not. */
static bool match_reply(const union value *v, const struct subject *s)
{
	int reply = flow_is_reply(s->flow);

	if (reply < 0)
		return s->flow->ev.verdict == WEIR_DROPPED && !v->number;
	return reply == (v->number != 0);
}

static bool match_tcp_flags(const union value *v, const struct subject *s)
{
	const Flow__TCPFlags *f = v->flags;
	uint8_t want = (f->fin ? 1 : 0) | (f->syn ? 2 : 0) | (f->rst ? 4 : 0) | (f->psh ? 8 : 0) | (f->ack ? 16 : 0) |
		       (f->urg ? 32 : 0) | (f->ece ? 64 : 0) | (f->cwr ? 128 : 0);

	return s->flow->ev.proto == IPPROTO_TCP && !f->ns && (s->flow->ev.tcp_flags & want) == want;
}

/* A glob over "node" or "cluster/node"; the cluster is called default. */
static bool match_node(const union value *v, const struct subject *s)
{
	const char *slash = strchr(v->text, '/'), *node = slash ? slash + 1 : v->text;
	char cluster[256] = "default";

	if (slash)
		snprintf(cluster, sizeof(cluster), "%.*s", (int)(slash - v->text), v->text);
	return fnmatch(cluster, "default", 0) == 0 && (!*node || fnmatch(node, s->node->name, 0) == 0);
}

static bool match_ip_version(const union value *v, const struct subject *s)
{
	return v->number == (addr_is_v4(&s->flow->ev.saddr) ? FLOW__IPVERSION__IPv4 : FLOW__IPVERSION__IPv6);
}

static bool match_uuid(const union value *v, const struct subject *s)
{
	char uuid[FLOW_UUID_STRLEN];

	flow_uuid(s->node, s->flow->seq, uuid);
	return strcasecmp(uuid, v->text) == 0;
}

static bool match_encrypted(const union value *v, _unused_ const struct subject *s)
{
	return !v->number;
}

static int parse_http_status(const char *s, _unused_ union value *ret, struct err *reterr)
{
	size_t digits = strspn(s, "0123456789");

	if ((digits == 3 && !s[3]) || (digits >= 1 && digits <= 2 && streq(s + digits, "+")))
		return 0;
	return err_set(reterr, -EINVAL, "\"%s\" is not an HTTP status code or its first digits and \"+\"", s);
}

static int refuse(const char *s, _unused_ union value *ret, struct err *reterr)
{
	return err_set(reterr, -EINVAL, "\"%s\": this kind of filter is not supported", s);
}

static const struct field fields[] = {
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
	{ 9, false, parse_http_status, NULL },
	{ 12, false, parse_protocol, match_protocol },
	{ 13, false, parse_port, match_port },
	{ 14, true, parse_port, match_port },
	{ 15, false, NULL, match_reply },
	{ 18, false, NULL, NULL }, /* dns_query */
	{ 19, false, NULL, match_identity },
	{ 20, true, NULL, match_identity },
	{ 21, false, NULL, NULL }, /* http_method, _path, _url, _header */
	{ 22, false, NULL, NULL },
	{ 31, false, NULL, NULL },
	{ 32, false, NULL, NULL },
	{ 23, false, NULL, match_tcp_flags },
	{ 24, false, NULL, match_node },
	{ 36, false, parse_selector, match_node_labels },
	{ 25, false, NULL, match_ip_version },
	{ 28, false, NULL, NULL }, /* trace_id */
	{ 29, false, NULL, match_uuid },
	{ 39, false, NULL, NULL }, /* ip_trace_id */
	{ 40, false, NULL, match_encrypted },
};

static const struct field *find_field(unsigned number)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].number == number)
			return &fields[i];
	return NULL;
}

/* Element i of a repeated field; messages and strings are pointers, the others numbers. */
static union value element(const ProtobufCFieldDescriptor *d, const void *array, size_t i)
{
	switch (d->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return (union value){ .text = ((char *const *)array)[i] };
	case PROTOBUF_C_TYPE_UINT64:
		return (union value){ .number = ((const uint64_t *)array)[i] };
	default:
		return (union value){ .number = ((const uint32_t *)array)[i] };
	}
}

static int compile_term(const ProtobufCFieldDescriptor *d, const Flow__FlowFilter *msg, struct term *t, struct err *reterr)
{
	size_t n = *(const size_t *)((const char *)msg + d->quantifier_offset);
	const void *array = *(void *const *)((const char *)msg + d->offset);
	int r;

	t->values = calloc(n, sizeof(*t->values));
	if (!t->values)
		return err_oom(reterr);
	for (size_t i = 0; i < n; i++) {
		union value v = element(d, array, i);

		t->values[i] = v;
		if (!t->field->parse)
			t->n++;
		else if ((r = t->field->parse(v.text, &t->values[i], reterr)) < 0)
			return err_prefix(reterr, r, "%s", d->name);
		else
			t->n++;
	}
	return 0;
}

static void filters_free(struct filter *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < f[i].n; k++) {
			struct term *t = &f[i].terms[k];

			for (size_t v = 0; t->field->parse == parse_selector && v < t->n; v++)
				selector_free(t->values[v].selector);
			free(t->values);
		}
		free(f[i].terms);
	}
	free(f);
}

/* http_* with an event_type filter that leaves out L7 (129) can never match: the client made a mistake. */
static int check_http(const Flow__FlowFilter *msg, struct err *reterr)
{
	bool http = msg->n_http_status_code || msg->n_http_method || msg->n_http_path || msg->n_http_url || msg->n_http_header;

	for (size_t i = 0; http && i < msg->n_event_type; i++)
		if (msg->event_type[i]->type != 129)
			return err_set(reterr, -EINVAL, "event_type: %d goes not with an HTTP filter, which needs type 129 (l7)",
				       msg->event_type[i]->type);
	return 0;
}

static int compile_filter(const Flow__FlowFilter *msg, struct filter *f, struct err *reterr)
{
	const ProtobufCMessageDescriptor *d = msg->base.descriptor;
	int r = check_http(msg, reterr);

	if (r < 0)
		return r;
	if (msg->experimental && msg->experimental->n_cel_expression)
		return err_prefix(reterr, refuse(msg->experimental->cel_expression[0], NULL, reterr), "cel_expression");
	f->terms = calloc(d->n_fields, sizeof(*f->terms));
	if (!f->terms)
		return err_oom(reterr);
	for (unsigned i = 0; i < d->n_fields; i++) {
		const struct field *field = find_field(d->fields[i].id);

		if (!field || *(const size_t *)((const char *)msg + d->fields[i].quantifier_offset) == 0)
			continue;
		f->terms[f->n].field = field;
		r = compile_term(&d->fields[i], msg, &f->terms[f->n++], reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int compile_list(const char *name, Flow__FlowFilter *const *msgs, size_t n, struct filter **ret, size_t *ret_n,
			struct err *reterr)
{
	int r;

	*ret = calloc(n ? n : 1, sizeof(**ret));
	if (!*ret)
		return err_oom(reterr);
	for (; *ret_n < n; ) {
		size_t i = (*ret_n)++;

		r = compile_filter(msgs[i], &(*ret)[i], reterr);
		if (r < 0)
			return err_prefix(reterr, r, "%s[%zu]", name, i);
	}
	return 0;
}

int flow_filter_new(Flow__FlowFilter *const *whitelist, size_t n_whitelist, Flow__FlowFilter *const *blacklist,
		    size_t n_blacklist, const struct flow_node *node, struct flow_filter **ret_filter, struct err *reterr)
{
	_cleanup_(flow_filter_freep) struct flow_filter *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_oom(reterr);
	f->node = node;
	r = compile_list("whitelist", whitelist, n_whitelist, &f->white, &f->n_white, reterr);
	if (r == 0)
		r = compile_list("blacklist", blacklist, n_blacklist, &f->black, &f->n_black, reterr);
	if (r < 0)
		return r;
	*ret_filter = TAKE_PTR(f);
	return 0;
}

void flow_filter_free(struct flow_filter *f)
{
	if (!f)
		return;
	filters_free(f->white, f->n_white);
	filters_free(f->black, f->n_black);
	free(f);
}

static bool term_match(const struct term *t, struct subject *s)
{
	s->destination = t->field->destination;
	s->peer = s->destination ? s->flow->dst : s->flow->src;
	for (size_t i = 0; t->field->match && i < t->n; i++)
		if (t->field->match(&t->values[i], s))
			return true;
	return false;
}

static bool any_match(const struct filter *filters, size_t n, struct subject *s)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < filters[i].n && term_match(&filters[i].terms[k], s))
			k++;
		if (k == filters[i].n)
			return true;
	}
	return false;
}

bool flow_filter_match(const struct flow_filter *f, const struct flow *flow, struct flow_face *ret_face)
{
	struct flow_face faces[FLOW_FACES_MAX];
	struct subject s = { .flow = flow, .node = f->node };
	size_t n = flow_faces(flow, faces);

	for (size_t i = 0; i < n; i++) {
		s.face = &faces[i];
		if ((!f->n_white || any_match(f->white, f->n_white, &s)) && !any_match(f->black, f->n_black, &s)) {
			*ret_face = faces[i];
			return true;
		}
	}
	return false;
}
