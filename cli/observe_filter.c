// SPDX-License-Identifier: Apache-2.0
#include "cli/observe_filter.h"

#include <ctype.h>
#include <strings.h>

#include "cli/times.h"
#include "lib/clock.h"
#include "lib/pb.h"

enum filter_end { END_FLAT, END_SOURCE, END_DESTINATION, END_EITHER };

static const char *const identities[] = { "unknown", "host",       "world",       "unmanaged",
					  "health",  "init",       "remote-node", "kube-apiserver",
					  "ingress", "world-ipv4", "world-ipv6",  "encrypted-overlay" };
static const char *const trace_points[] = { "to-endpoint",   "to-proxy",   "to-host",     "to-stack",   "to-overlay",
					    "from-endpoint", "from-proxy", "from-host",   "from-stack", "from-overlay",
					    "from-network",  "to-network", "from-crypto", "to-crypto" };
static const struct {
	const char *name;
	int type;
} event_types[] = { { "drop", 1 },           { "debug", 2 },      { "capture", 3 }, { "trace", 4 },
		    { "policy-verdict", 5 }, { "trace-sock", 7 }, { "l7", 129 },    { "agent", 130 } };

const char *identity_name(uint32_t number)
{
	return number < ARRAY_SIZE(identities) ? identities[number] : NULL;
}

const char *trace_point_name(int sub_type)
{
	return sub_type >= 0 && (size_t)sub_type < ARRAY_SIZE(trace_points) ? trace_points[sub_type] : NULL;
}

/* ---- values into fields of FlowFilter, by the field's description */

/* A flag of this file: option, field of the message (without source_ or destination_), end, how its value is read. */
struct filter_flag {
	const char *name;
	char letter;
	const char *arg, *help;
	const char *field;
	enum filter_end end;
	int (*add)(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr);
};

static void *field_array(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d)
{
	return (char *)f + d->offset;
}

static size_t *field_n(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d)
{
	return (size_t *)((char *)f + d->quantifier_offset);
}

static int add_str(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	return pb_append_str(field_n(f, d), field_array(f, d), value) < 0 ? err_oom(reterr) : 0;
}

/* Enums, bools and 32-bit numbers are all four bytes. */
static int add_u32(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, uint32_t value, struct err *reterr)
{
	uint32_t **array = field_array(f, d), *a;
	size_t *n = field_n(f, d);

	a = realloc(*array, (*n + 1) * sizeof(*a));
	if (!a)
		return err_oom(reterr);
	*array = a;
	a[(*n)++] = value;
	return 0;
}

static int add_enum(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	const ProtobufCEnumDescriptor *e = d->descriptor;

	for (unsigned i = 0; i < e->n_values; i++)
		if (!strcasecmp(e->values[i].name, value))
			return add_u32(f, d, (uint32_t)e->values[i].value, reterr);
	return err_set(reterr, -EINVAL, "unknown value \"%s\"", value);
}

static int add_identity(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	unsigned long v;
	char *end;

	for (uint32_t i = 0; i < ARRAY_SIZE(identities); i++)
		if (streq(identities[i], value) || (str_prefix(value, "reserved:") && streq(identities[i], value + 9)))
			return add_u32(f, d, i, reterr);
	v = strtoul(value, &end, 10);
	if (!isdigit((unsigned char)*value) || *end || v > UINT32_MAX)
		return err_set(reterr, -EINVAL, "\"%s\" is neither a number nor the name of a reserved identity",
			       value);
	return add_u32(f, d, (uint32_t)v, reterr);
}

static int add_workload(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	const char *slash = strchr(value, '/');
	Flow__Workload *w = pb_append(field_n(f, d), field_array(f, d), d->descriptor);
	_cleanup_free_ char *kind = slash ? strndup(value, (size_t)(slash - value)) : NULL;

	if (!w || (slash && !kind) || pb_set_str(&w->kind, kind) < 0 ||
	    pb_set_str(&w->name, slash ? slash + 1 : value) < 0)
		return err_oom(reterr);
	return 0;
}

/* "SYN,ACK": one set of flags that must all be there. */
static int add_tcp_flags(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	Flow__TCPFlags *flags = pb_append(field_n(f, d), field_array(f, d), d->descriptor);
	const ProtobufCMessageDescriptor *m = d->descriptor;

	if (!flags)
		return err_oom(reterr);
	while (*value) {
		size_t len = strcspn(value, ","), i;

		for (i = 0; i < m->n_fields; i++)
			if (strlen(m->fields[i].name) == len && !strncasecmp(m->fields[i].name, value, len))
				break;
		if (i == m->n_fields)
			return err_set(reterr, -EINVAL, "\"%.*s\" is not a TCP flag", (int)len, value);
		*(protobuf_c_boolean *)((char *)flags + m->fields[i].offset) = true;
		value += len + (value[len] == ',');
	}
	return 0;
}

static int parse_sub_type(int type, const char *sub, int *ret)
{
	char *end;

	for (size_t i = 0; type == 4 && i < ARRAY_SIZE(trace_points); i++)
		if (streq(trace_points[i], sub)) {
			*ret = (int)i;
			return 0;
		}
	*ret = (int)strtoul(sub, &end, 10);
	return isdigit((unsigned char)*sub) && !*end ? 0 : -EINVAL;
}

/* "trace", "trace:to-endpoint", "4:0" */
static int add_type(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	Flow__EventTypeFilter *e = pb_append(field_n(f, d), field_array(f, d), d->descriptor);
	size_t len = strcspn(value, ":");
	char *end;

	if (!e)
		return err_oom(reterr);
	e->type = (int)strtoul(value, &end, 10);
	if (end != value + len || !len)
		e->type = -1;
	for (size_t i = 0; i < ARRAY_SIZE(event_types); i++)
		if (strlen(event_types[i].name) == len && !memcmp(event_types[i].name, value, len))
			e->type = event_types[i].type;
	if (e->type < 0)
		return err_set(reterr, -EINVAL, "\"%.*s\" is not a type of event", (int)len, value);
	if (!value[len])
		return 0;
	e->match_sub_type = true;
	if (parse_sub_type(e->type, value + len + 1, &e->sub_type) < 0)
		return err_set(reterr, -EINVAL, "\"%s\" has no such sub-type", value);
	return 0;
}

static int add_header(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	const char *colon = strchr(value, ':');
	Flow__HTTPHeader *h = pb_append(field_n(f, d), field_array(f, d), d->descriptor);
	_cleanup_free_ char *key = strndup(value, strcspn(value, ":"));

	if (!h || !key || pb_set_str(&h->key, key) < 0 ||
	    pb_set_str(&h->value, colon ? colon + 1 + strspn(colon + 1, " ") : NULL) < 0)
		return err_oom(reterr);
	return colon && *key ? 0 : err_set(reterr, -EINVAL, "\"%s\" is not KEY:VALUE", value);
}

static int add_ip4(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	return streq(value, "true") ? add_u32(f, d, FLOW__IPVERSION__IPv4, reterr) : 0;
}

static int add_ip6(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	return streq(value, "true") ? add_u32(f, d, FLOW__IPVERSION__IPv6, reterr) : 0;
}

static int add_ip_version(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	static const char *const names[] = { "none", "v4", "v6" };

	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(names[i], value))
			return add_u32(f, d, i, reterr);
	return err_set(reterr, -EINVAL, "\"%s\" is none of none, v4, v6", value);
}

static int add_encrypted(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	return add_u32(f, d, streq(value, "true"), reterr);
}

static int add_unencrypted(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value,
			   struct err *reterr)
{
	return add_u32(f, d, streq(value, "false"), reterr);
}

static int add_u64(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	uint64_t **array = field_array(f, d), *a;
	size_t *n = field_n(f, d);
	char *end;

	errno = 0;
	a = realloc(*array, (*n + 1) * sizeof(*a));
	if (!a)
		return err_oom(reterr);
	*array = a;
	a[(*n)++] = strtoull(value, &end, 10);
	return isdigit((unsigned char)*value) && !*end && !errno
		   ? 0
		   : err_set(reterr, -EINVAL, "\"%s\" is not a number", value);
}

static int add_interface(Flow__FlowFilter *f, const ProtobufCFieldDescriptor *d, const char *value, struct err *reterr)
{
	Flow__NetworkInterface *i = pb_append(field_n(f, d), field_array(f, d), d->descriptor);

	return i && pb_set_str(&i->name, value) == 0 ? 0 : err_oom(reterr);
}

static int add_cel(Flow__FlowFilter *f, _unused_ const ProtobufCFieldDescriptor *d, const char *value,
		   struct err *reterr)
{
	Flow__FlowFilter__Experimental *e = f->experimental;

	if (!e)
		e = f->experimental = pb_new(&flow__flow_filter__experimental__descriptor);
	return e && pb_append_str(&e->n_cel_expression, &e->cel_expression, value) == 0 ? 0 : err_oom(reterr);
}

#define ENDS(name, letter, arg, what, field, add)                                     \
	{ name, letter, arg, "either end: " what, field, END_EITHER, add },           \
	    { "from-" name, 0, arg, "source: " what, field, END_SOURCE, add },        \
	{                                                                             \
		"to-" name, 0, arg, "destination: " what, field, END_DESTINATION, add \
	}

/* Those with three forms come first: check_ends. */
static const struct filter_flag flags[] = {
	ENDS("pod", 0, "[NS/]PREFIX", "pod", "pod", NULL),
	ENDS("namespace", 'n', "NS", "namespace", NULL, NULL),
	ENDS("ip", 0, "IP|CIDR", "address", "ip", add_str),
	ENDS("port", 0, "PORT", "port", "port", add_str),
	ENDS("label", 'l', "SELECTOR", "labels", "label", add_str),
	ENDS("identity", 0, "ID|NAME", "security identity", "identity", add_identity),
	ENDS("workload", 0, "[KIND/]NAME", "workload", "workload", add_workload),
	ENDS("fqdn", 0, "GLOB", "DNS name", "fqdn", add_str),
	ENDS("service", 0, "[NS/]PREFIX", "service", "service", add_str),
	ENDS("cluster", 0, "NAME", "cluster", "cluster_name", add_str),
	{ "protocol", 0, "NAME", "tcp, udp, sctp, icmp, icmpv4, icmpv6, http, dns", "protocol", END_FLAT, add_str },
	{ "verdict", 0, "VERDICT", "FORWARDED, DROPPED, AUDIT, ...", "verdict", END_FLAT, add_enum },
	{ "type", 't', "TYPE[:SUB]", "drop, policy-verdict, trace[:to-endpoint|to-stack...], l7", "event_type",
	  END_FLAT, add_type },
	{ "drop-reason-desc", 0, "REASON", "POLICY_DENIED, INVALID_SOURCE_IP, ...", "drop_reason_desc", END_FLAT,
	  add_enum },
	{ "traffic-direction", 0, "DIR", "ingress, egress", "traffic_direction", END_FLAT, add_enum },
	{ "tcp-flags", 0, "FLAGS", "all of these, as SYN,ACK", "tcp_flags", END_FLAT, add_tcp_flags },
	{ "ipv4", '4', NULL, "IPv4 alone", "ip_version", END_FLAT, add_ip4 },
	{ "ipv6", '6', NULL, "IPv6 alone", "ip_version", END_FLAT, add_ip6 },
	{ "ip-version", 0, "VERSION", "none, v4, v6", "ip_version", END_FLAT, add_ip_version },
	{ "encrypted", 0, NULL, "encrypted on the way", "encrypted", END_FLAT, add_encrypted },
	{ "unencrypted", 0, NULL, "not encrypted on the way", "encrypted", END_FLAT, add_unencrypted },
	{ "interface", 0, "NAME", "network interface where it was seen", "interface", END_FLAT, add_interface },
	{ "uuid", 0, "UUID", "this flow", "uuid", END_FLAT, add_str },
	{ "node-name", 0, "GLOB", "[CLUSTER/]NODE", "node_name", END_FLAT, add_str },
	{ "node-label", 0, "SELECTOR", "labels of the node", "node_labels", END_FLAT, add_str },
	{ "snat-ip", 0, "IP|CIDR", "translated source address", "source_ip_xlated", END_FLAT, add_str },
	{ "trace-id", 0, "ID", "trace context", "trace_id", END_FLAT, add_str },
	{ "ip-trace-id", 0, "ID", "trace id in an option of IP", "ip_trace_id", END_FLAT, add_u64 },
	{ "http-status", 0, "CODE", "404, 5+", "http_status_code", END_FLAT, add_str },
	{ "http-method", 0, "METHOD", "HTTP method", "http_method", END_FLAT, add_str },
	{ "http-path", 0, "REGEX", "HTTP path", "http_path", END_FLAT, add_str },
	{ "http-url", 0, "REGEX", "HTTP URL", "http_url", END_FLAT, add_str },
	{ "http-header", 0, "KEY:VALUE", "HTTP header", "http_header", END_FLAT, add_header },
	{ "dns-query", 0, "REGEX", "name that was asked for", "dns_query", END_FLAT, add_str },
	{ "cel-expression", 0, "EXPR", "expression in CEL; not by Weir's agent", "experimental", END_FLAT, add_cel },
	{ "l7", 0, "KIND", "http, grpc, dns, tls, mcp, a2a, llm, jsonrpc", "l7_kind", END_FLAT, add_str },
	{ "tool", 0, "GLOB", "tool that was called (MCP)", "l7_tool", END_FLAT, add_str },
	{ "mcp-method", 0, "GLOB", "MCP method: tools/call, tools/*", "l7_mcp_method", END_FLAT, add_str },
	{ "agent", 0, "GLOB", "agent, workload or pod at either end of an exchange", "l7_agent", END_FLAT, add_str },
	{ "outcome", 0, "OUTCOME", "ok, error, tool_error, no_answer, cancelled, unknown, oneway", "l7_outcome",
	  END_FLAT, add_str },
};

/* Pods and namespaces are gathered, see join. */
static int add_name(struct pod_names *p, const struct filter_flag *flag, const char *value, struct err *reterr)
{
	int r = flag->field ? pb_append_str(&p->n_pods, &p->pods, value)
			    : pb_append_str(&p->n_namespaces, &p->namespaces, value);

	return r < 0 ? err_oom(reterr) : 0;
}

static int pair_use(struct filter_pair *p)
{
	if (!p->source)
		p->source = pb_new(&flow__flow_filter__descriptor);
	if (!p->destination)
		p->destination = pb_new(&flow__flow_filter__descriptor);
	p->used = true;
	return p->source && p->destination ? 0 : -ENOMEM;
}

/* The value into both filters of the pair, in the fields that the flag's end means. */
static int pair_add(struct filter_pair *p, const char *field, enum filter_end end, const char *value,
		    int (*add)(Flow__FlowFilter *, const ProtobufCFieldDescriptor *, const char *, struct err *),
		    struct err *reterr)
{
	Flow__FlowFilter *filters[2];

	if (pair_use(p) < 0)
		return err_oom(reterr);
	filters[0] = p->source;
	filters[1] = p->destination;
	p->two_sided |= end == END_EITHER;
	for (size_t i = 0; i < 2; i++) {
		bool destination = end == END_DESTINATION || (end == END_EITHER && i == 1);
		char name[40];
		int r;

		snprintf(name, sizeof(name), "%s%s",
			 end == END_FLAT ? ""
			 : destination   ? "destination_"
					 : "source_",
			 field);
		r = add(filters[i],
			protobuf_c_message_descriptor_get_field_by_name(&flow__flow_filter__descriptor, name), value,
			reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --ip and --from-ip: the one asks about either end, the other about one of them. */
static int check_ends(struct filter_args *a, const struct filter_flag *flag, bool deny, struct err *reterr)
{
	const struct filter_flag *first = &flags[(flag - flags) / 3 * 3]; /* of the three forms */
	uint8_t *ends = &a->ends[deny][(flag - flags) / 3];

	if (flag->end == END_FLAT)
		return 0;
	*ends |= (uint8_t)(1 << flag->end);
	if (*ends & 1 << END_EITHER && *ends & (1 << END_SOURCE | 1 << END_DESTINATION))
		return err_set(reterr, -EINVAL, "--%s cannot be combined with its --from- and --to- forms",
			       first->name);
	return 0;
}

static int set_filter(const struct cli_option *o, const char *value, void *args, struct err *reterr)
{
	const struct filter_flag *flag = &flags[o->data];
	struct filter_args *a = args;
	bool deny = TAKE(a->not_next, false);
	int r = check_ends(a, flag, deny, reterr);

	if (r < 0)
		return r;
	if (flag->add)
		return pair_add(deny ? &a->deny : &a->allow, flag->field, flag->end, value, flag->add, reterr);
	return add_name(&a->names[deny][flag->end - 1], flag, value, reterr);
}

static int set_not(_unused_ const struct cli_option *o, const char *value, void *args, _unused_ struct err *reterr)
{
	((struct filter_args *)args)->not_next = streq(value, "true");
	return 0;
}

/* data: of that end, 0: of all. */
static int set_all_namespaces(const struct cli_option *o, const char *value, void *args, _unused_ struct err *reterr)
{
	struct filter_args *a = args;

	for (size_t i = 0; i < 3; i++)
		if (!o->data || i == o->data - 1)
			a->names[false][i].all_namespaces = streq(value, "true");
	return 0;
}

static int set_raw(const struct cli_option *o, const char *value, void *args, struct err *reterr)
{
	struct filter_args *a = args;

	return filter_raw_parse(value, &a->raw[o->data], reterr);
}

size_t filter_options(struct cli_option *ret_options)
{
	static const struct cli_option others[] = {
		{ "all-namespaces", 'A', NULL, "pods named without namespace: of any", set_all_namespaces, 0 },
		{ "from-all-namespaces", 0, NULL, "source pods", set_all_namespaces, END_SOURCE },
		{ "to-all-namespaces", 0, NULL, "destination pods", set_all_namespaces, END_DESTINATION },
		{ "not", 0, NULL, "turn the next filter around", set_not, 0 },
		{ "allowlist", 0, "JSON", "filters as messages: what else is shown", set_raw, false },
		{ "denylist", 0, "JSON", "filters as messages: what is not shown", set_raw, true },
	};
	size_t n = 0;

	_Static_assert(ARRAY_SIZE(flags) + ARRAY_SIZE(others) <= FILTER_OPTIONS_MAX, "the table is too small");
	for (; n < ARRAY_SIZE(flags); n++)
		ret_options[n] =
		    (struct cli_option){ flags[n].name, flags[n].letter, flags[n].arg, flags[n].help, set_filter, n };
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		ret_options[n++] = others[i];
	return n;
}

static int add_pod(struct filter_pair *pair, enum filter_end end, const char *ns, const char *pod, struct err *reterr)
{
	_cleanup_free_ char *s = NULL;

	if (asprintf(&s, "%s%s%s", ns ? ns : "", ns ? "/" : "", pod) < 0) {
		s = NULL;
		return err_oom(reterr);
	}
	return pair_add(pair, "pod", end, s, add_str, reterr);
}

static bool has_namespace(const struct pod_names *p, const char *pod)
{
	size_t len = strcspn(pod, "/");

	for (size_t i = 0; i < p->n_namespaces; i++)
		if (strlen(p->namespaces[i]) == len && !memcmp(p->namespaces[i], pod, len))
			return true;
	return false;
}

/* --namespace a --pod p is the pod a/p; a pod that names its namespace itself stays as it is. */
static int join(struct filter_pair *pair, enum filter_end end, const struct pod_names *p, struct err *reterr)
{
	int r = 0;

	for (size_t n = 0; n < p->n_namespaces && !p->n_pods && r == 0; n++)
		r = add_pod(pair, end, p->namespaces[n], "", reterr);
	for (size_t i = 0; i < p->n_pods && r == 0; i++) {
		bool whole = strchr(p->pods[i], '/');

		if (whole && p->n_namespaces && !has_namespace(p, p->pods[i]))
			return err_set(reterr, -EINVAL, "the pod %s is not of the namespace that is asked for",
				       p->pods[i]);
		if (whole || !p->n_namespaces)
			r = add_pod(pair, end, !whole && p->all_namespaces ? "" : NULL, p->pods[i], reterr);
		for (size_t n = 0; n < p->n_namespaces && !whole && r == 0; n++)
			r = add_pod(pair, end, p->namespaces[n], p->pods[i], reterr);
	}
	return r;
}

static int move(struct filter_pair *p, struct raw_filters *raw, size_t *n, Flow__FlowFilter ***list)
{
	if (!p->used && !raw->n)
		return 0;
	*list = malloc((2 + raw->n) * sizeof(**list));
	if (!*list)
		return -ENOMEM;
	if (p->used)
		(*list)[(*n)++] = TAKE_PTR(p->source);
	if (p->used && p->two_sided)
		(*list)[(*n)++] = TAKE_PTR(p->destination);
	for (size_t i = 0; i < raw->n; i++)
		(*list)[(*n)++] = raw->v[i];
	raw->n = 0;
	return 0;
}

static bool names_used(const struct pod_names *p)
{
	return p->n_pods || p->n_namespaces;
}

int filter_finish(struct filter_args *a, Observer__GetFlowsRequest *request, struct err *reterr)
{
	if (a->not_next)
		return err_set(reterr, -EINVAL, "--not has no filter behind it");
	for (size_t deny = 0; deny < 2; deny++) {
		const struct pod_names *p = a->names[deny];

		if (names_used(&p[END_EITHER - 1]) &&
		    (names_used(&p[END_SOURCE - 1]) || names_used(&p[END_DESTINATION - 1])))
			return err_set(reterr, -EINVAL,
				       "--pod and --namespace cannot be combined with their --from- and --to- forms");
		for (enum filter_end end = END_SOURCE; end <= END_EITHER; end++) {
			int r = join(deny ? &a->deny : &a->allow, end, &p[end - 1], reterr);

			if (r < 0)
				return r;
		}
	}
	if (move(&a->allow, &a->raw[false], &request->n_whitelist, &request->whitelist) < 0 ||
	    move(&a->deny, &a->raw[true], &request->n_blacklist, &request->blacklist) < 0)
		return err_oom(reterr);
	return 0;
}

int filter_want(struct filter_args *a, const char *name, const char *value, struct err *reterr)
{
	const struct filter_flag *f = flags;

	while (!streq(f->name, name))
		f++;
	return pair_add(&a->allow, f->field, f->end, value, f->add, reterr);
}

int filter_set_time(const char *option, const char *text, Google__Protobuf__Timestamp **ret, struct err *reterr)
{
	uint64_t ns;

	if (!text)
		return 0;
	if (time_parse(text, clock_ns(CLOCK_REALTIME), &ns) < 0)
		return err_set(reterr, -EINVAL, "--%s: \"%s\" is neither a duration nor a time", option, text);
	*ret = pb_new(&google__protobuf__timestamp__descriptor);
	if (!*ret)
		return err_oom(reterr);
	(*ret)->seconds = (int64_t)(ns / 1000000000);
	(*ret)->nanos = (int32_t)(ns % 1000000000);
	return 0;
}

static void pair_clear(struct filter_pair *p)
{
	if (p->source)
		flow__flow_filter__free_unpacked(p->source, NULL);
	if (p->destination)
		flow__flow_filter__free_unpacked(p->destination, NULL);
}

static void strings_free(char **s, size_t n)
{
	while (n)
		free(s[--n]);
	free(s);
}

void filter_clear(struct filter_args *a)
{
	pair_clear(&a->allow);
	pair_clear(&a->deny);
	for (size_t i = 0; i < 2; i++)
		filter_raw_clear(&a->raw[i]);
	for (size_t i = 0; i < 6; i++) {
		struct pod_names *p = &a->names[i / 3][i % 3];

		strings_free(p->pods, p->n_pods);
		strings_free(p->namespaces, p->n_namespaces);
	}
}
