// SPDX-License-Identifier: Apache-2.0
#include "agent/export/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent/export/expose.h"
#include "agent/export/http_server.h"
#include "agent/flow/face.h"
#include "agent/flow/l7_text.h"
#include "agent/flow/summary.h"
#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/drop.h"
#include "lib/proto/flow.pb-c.h"

#define PERIOD_US 200000
#define TURN_MAX 8192 /* flows counted in a turn of the loop */
#define EXPIRE_NS 5000000000ull
#define GRACE_NS 60000000000ull
#define OWN_LABELS 4 /* the most that a family has before the context's */

enum family {
	FLOWS,
	DROPS,
	TCP_FLAGS,
	ICMP,
	PORTS,
	WORLD,
	VERDICTS,
	DNS_QUERIES,
	DNS_RESPONSES,
	DNS_TYPES,
	HTTP,
	HTTP_SECONDS,
	RECORDS,
	TOOLS,
	TOOL_SECONDS,
	A2A,
	TOKENS,
	FAMILIES
};

static const double seconds[] = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 };
static const double tool_seconds[] = { 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300 };

static const struct metric_desc families[] = {
	[FLOWS] = { "hubble_flows_processed",
		    "Flows, once for each event that Hubble tells of them.",
		    NULL,
		    METRIC_COUNTER,
		    { "protocol", "type", "subtype", "verdict" },
		    NULL,
		    0 },
	[DROPS] = { "hubble_drop",
		    "Flows that were dropped.",
		    NULL,
		    METRIC_COUNTER,
		    { "reason", "protocol" },
		    NULL,
		    0 },
	[TCP_FLAGS] = { "hubble_tcp_flags",
			"TCP flags in flows.",
			NULL,
			METRIC_COUNTER,
			{ "flag", "family" },
			NULL,
			0 },
	[ICMP] = { "hubble_icmp", "ICMP messages in flows.", NULL, METRIC_COUNTER, { "family", "type" }, NULL, 0 },
	[PORTS] = { "hubble_port_distribution",
		    "Flows by destination port.",
		    NULL,
		    METRIC_COUNTER,
		    { "protocol", "port" },
		    NULL,
		    0 },
	[WORLD] = { "hubble_flows_to_world",
		    "Flows that leave the cluster.",
		    NULL,
		    METRIC_COUNTER,
		    { "protocol", "verdict" },
		    NULL,
		    0 },
	[VERDICTS] = { "hubble_policy_verdicts",
		       "Verdicts of policies on new connections.",
		       NULL,
		       METRIC_COUNTER,
		       { "direction", "match", "action" },
		       NULL,
		       0 },
	[DNS_QUERIES] = { "hubble_dns_queries",
			  "DNS queries.",
			  NULL,
			  METRIC_COUNTER,
			  { "rcode", "qtypes", "ips_returned" },
			  NULL,
			  0 },
	[DNS_RESPONSES] = { "hubble_dns_responses",
			    "DNS responses.",
			    NULL,
			    METRIC_COUNTER,
			    { "rcode", "qtypes", "ips_returned" },
			    NULL,
			    0 },
	[DNS_TYPES] = { "hubble_dns_response_types",
			"Records in DNS responses.",
			NULL,
			METRIC_COUNTER,
			{ "type", "qtypes" },
			NULL,
			0 },
	[HTTP] = { "hubble_http_requests",
		   "HTTP requests that were answered.",
		   NULL,
		   METRIC_COUNTER,
		   { "method", "protocol", "status", "reporter" },
		   NULL,
		   0 },
	[HTTP_SECONDS] = { "hubble_http_request_duration_seconds",
			   "Time from request to the end of the answer.",
			   "seconds",
			   METRIC_HISTOGRAM,
			   { "method", "reporter" },
			   seconds,
			   ARRAY_SIZE(seconds) },
	[RECORDS] = { "weir_l7_exchanges",
		      "Exchanges that were read on layer 7.",
		      NULL,
		      METRIC_COUNTER,
		      { "kind", "outcome" },
		      NULL,
		      0 },
	[TOOLS] = { "weir_mcp_tool_calls",
		    "Calls of MCP tools.",
		    NULL,
		    METRIC_COUNTER,
		    { "tool", "outcome" },
		    NULL,
		    0 },
	[TOOL_SECONDS] = { "weir_mcp_tool_call_duration_seconds",
			   "Time that calls of MCP tools took.",
			   "seconds",
			   METRIC_HISTOGRAM,
			   { "tool" },
			   tool_seconds,
			   ARRAY_SIZE(tool_seconds) },
	[A2A] = { "weir_a2a_calls",
		  "Calls between agents by A2A.",
		  NULL,
		  METRIC_COUNTER,
		  { "method", "outcome" },
		  NULL,
		  0 },
	[TOKENS] = { "weir_model_tokens",
		     "Tokens, as models report them.",
		     NULL,
		     METRIC_COUNTER,
		     { "model", "kind" },
		     NULL,
		     0 },
};
_Static_assert(ARRAY_SIZE(families) == FAMILIES, "a description for each family");

/* What "labels" may name: which end's what. */
static const struct context {
	const char *name;
	int end;       /* 0 source, 1 destination */
	size_t offset; /* of a text in struct flow_peer */
} contexts[] = {
#define BOTH(label, field)                                                 \
	{ "source_" label, 0, offsetof(struct flow_peer, field) },         \
	{                                                                  \
		"destination_" label, 1, offsetof(struct flow_peer, field) \
	}
	BOTH("namespace", namespace),
	BOTH("pod", pod_name),
	BOTH("workload", workload_name),
	BOTH("workload_kind", workload_kind),
#undef BOTH
};
static const char *const default_labels[] = { "source_namespace", "source_workload", "destination_namespace",
					      "destination_workload" };

struct metrics {
	struct registry *registry;
	struct http_server *http;
	struct metrics_host host;
	struct flow_store *store;
	struct flow_cursor cursor;
	sd_event_source *timer;
	uint64_t expired_ns;
	struct metric *family[FAMILIES], *lost;
	const struct context *context[ARRAY_SIZE(contexts)];
	size_t n_context;
};

/* ---- flows */

/* A family's own labels, then the context's. */
struct values {
	const char *v[REGISTRY_LABELS_MAX];
};

static struct values values_of(const struct metrics *m, enum family family, const struct flow *f,
			       const char *const *own)
{
	struct values values = {};
	size_t n = 0;

	for (; n < OWN_LABELS && families[family].labels[n]; n++)
		values.v[n] = own[n];
	for (size_t i = 0; i < m->n_context; i++) {
		const struct flow_peer *p = m->context[i]->end ? f->dst : f->src;

		values.v[n++] = *(char *const *)((const char *)p + m->context[i]->offset);
	}
	return values;
}

static void count(const struct metrics *m, enum family family, const struct flow *f, double more,
		  const char *const *own)
{
	struct values values = values_of(m, family, f, own);

	metric_add(m->family[family], values.v, more);
}
#define COUNT(m, family, f, ...) count(m, family, f, 1, (const char *const[OWN_LABELS]){ __VA_ARGS__ })

static void observe(const struct metrics *m, enum family family, const struct flow *f, const char *const *own)
{
	struct values values = values_of(m, family, f, own);

	if (f->l7->last_ns && !(f->l7->flags & L7_LONG_LIVED))
		metric_observe(m->family[family], values.v, (double)f->l7->last_ns / 1e9);
}
#define OBSERVE(m, family, f, ...) observe(m, family, f, (const char *const[OWN_LABELS]){ __VA_ARGS__ })

static const char *protocol(const struct flow *f)
{
	if (f->l7)
		return f->l7->kind == L7_DNS ? "DNS" : l7_is_http(f->l7) ? "HTTP" : "Unknown L7";
	switch (f->ev.proto) {
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_SCTP:
		return "SCTP";
	case IPPROTO_ICMP:
		return "ICMPv4";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	default:
		return "Unknown L4";
	}
}

static const char *verdict(const struct flow *f)
{
	return f->ev.verdict == WEIR_DROPPED ? "DROPPED" : f->ev.verdict == WEIR_AUDIT ? "AUDIT" : "FORWARDED";
}

static void count_verdict(const struct metrics *m, const struct flow *f, const struct flow_face *face)
{
	static const char *const matches[] = { "none", "l3-only", "l3-l4", "l4-only", "all", "l3-proto", "proto-only" };
	const struct flow_rule *rule = f->rule[face->direction == 1 ? WEIR_INGRESS : WEIR_EGRESS];
	unsigned match = rule && !rule->default_deny ? rule->match_type : 0;

	COUNT(m, VERDICTS, f, face->direction == 1 ? "ingress" : "egress",
	      matches[match < ARRAY_SIZE(matches) ? match : 0],
	      f->ev.verdict == WEIR_DROPPED ? "dropped"
	      : f->ev.verdict == WEIR_AUDIT ? "audit"
					    : "forwarded");
}

static void count_faces(const struct metrics *m, const struct flow *f)
{
	struct flow_face faces[FLOW_FACES_MAX];
	size_t n = flow_faces(f, faces);

	for (size_t i = 0; i < n; i++) {
		const char *type = "Trace", *subtype = faces[i].sub_type ? "to-stack" : "to-endpoint";

		if (faces[i].type == FLOW_FACE_L7) {
			type = "L7";
			subtype = f->l7 && f->l7->kind == L7_DNS ? "DNS" : f->l7 && l7_is_http(f->l7) ? "HTTP" : "";
		} else if (faces[i].type != FLOW_FACE_TRACE) {
			type = faces[i].type == FLOW_FACE_DROP ? "Drop" : "PolicyVerdict";
			subtype = "";
		}
		COUNT(m, FLOWS, f, protocol(f), type, subtype, verdict(f));
		if (faces[i].type == FLOW_FACE_VERDICT)
			count_verdict(m, f, &faces[i]);
	}
}

static void count_icmp(const struct metrics *m, const struct flow *f)
{
	char summary[FLOW_SUMMARY_MAX], *type;

	flow_summary(f, summary); /* "ICMPv4 EchoRequest", "ICMPv4 Redirect(Net)" */
	type = strchrnul(summary, ' ');
	if (*type)
		*type++ = '\0';
	type[strcspn(type, "(")] = '\0';
	COUNT(m, ICMP, f, f->ev.proto == IPPROTO_ICMP ? "IPv4" : "IPv6", type);
}

static void count_packet(const struct metrics *m, const struct flow *f)
{
	const char *family = addr_is_v4(&f->ev.saddr) ? "IPv4" : "IPv6";
	bool icmp = f->ev.proto == IPPROTO_ICMP || f->ev.proto == IPPROTO_ICMPV6;
	char port[8];

	if (f->ev.verdict == WEIR_DROPPED)
		return;
	if (f->ev.proto == IPPROTO_TCP && f->ev.tcp_flags & 1)
		COUNT(m, TCP_FLAGS, f, "FIN", family);
	if (f->ev.proto == IPPROTO_TCP && f->ev.tcp_flags & 2)
		COUNT(m, TCP_FLAGS, f, f->ev.tcp_flags & 16 ? "SYN-ACK" : "SYN", family);
	if (f->ev.proto == IPPROTO_TCP && f->ev.tcp_flags & 4)
		COUNT(m, TCP_FLAGS, f, "RST", family);
	if (icmp)
		count_icmp(m, f);
	snprintf(port, sizeof(port), "%u", icmp ? 0 : ntohs(f->ev.dport));
	if (flow_is_reply(f) == 0)
		COUNT(m, PORTS, f, protocol(f), port);
}

static void count_drop(const struct metrics *m, const struct flow *f)
{
	const ProtobufCEnumValue *reason =
	    protobuf_c_enum_descriptor_get_value(&flow__drop_reason__descriptor, (int)drop_hubble(f->ev.reason));

	COUNT(m, DROPS, f, reason ? reason->name : "DROP_REASON_UNKNOWN", protocol(f));
}

/* ---- layer 7 */

/* Of a list that is joined by commas, as a record has it: how many of the kind, which a colon tells, or of all (NULL).
 */
static unsigned count_items(const char *list, const bool *with_colon)
{
	unsigned n = 0;

	for (const char *end; list && *list; list = *end ? end + 1 : end) {
		end = strchrnul(list, ',');
		n += !with_colon || *with_colon == (memchr(list, ':', (size_t)(end - list)) != NULL);
	}
	return n;
}

static void count_dns_types(const struct metrics *m, const struct flow *f, const char *qtype)
{
	const char *addrs = l7_record_get(f->l7, L7_KEY_DNS_ADDRS);
	unsigned v4 = count_items(addrs, &(bool){ false }), v6 = count_items(addrs, &(bool){ true });
	unsigned cnames = count_items(l7_record_get(f->l7, L7_KEY_DNS_CNAMES), NULL);

	while (v4--)
		COUNT(m, DNS_TYPES, f, "A", qtype);
	while (v6--)
		COUNT(m, DNS_TYPES, f, "AAAA", qtype);
	while (cnames--)
		COUNT(m, DNS_TYPES, f, "CNAME", qtype);
}

static void count_dns(const struct metrics *m, const struct flow *f)
{
	static const char *const rcodes[] = { "No Error",        "Format Error",
					      "Server Failure",  "Non-Existent Domain",
					      "Not Implemented", "Query Refused" };
	int64_t rcode = l7_record_get_int(f->l7, L7_KEY_DNS_RCODE, -1);
	const char *qtype = l7_record_get(f->l7, L7_KEY_DNS_QTYPE), *addrs = l7_record_get(f->l7, L7_KEY_DNS_ADDRS);
	unsigned n = count_items(addrs, NULL);
	char ips[8], number[24];

	snprintf(ips, sizeof(ips), "%u", MIN(n, 999u));
	snprintf(number, sizeof(number), "%lld", (long long)rcode);
	COUNT(m, DNS_QUERIES, f, "", qtype, "0");
	if (rcode < 0)
		return;
	COUNT(m, DNS_RESPONSES, f, rcode < (int64_t)ARRAY_SIZE(rcodes) ? rcodes[rcode] : number, qtype, ips);
	count_dns_types(m, f, qtype);
}

static void count_http(const struct metrics *m, const struct flow *f)
{
	const char *reporter = f->dst->ep_id ? "server" : "client", *method = l7_record_get(f->l7, L7_KEY_HTTP_METHOD);
	int64_t status = l7_record_get_int(f->l7, L7_KEY_HTTP_STATUS, 0);
	char version[32], code[24];

	if (!status)
		return;
	snprintf(version, sizeof(version), "HTTP/%.20s", l7_record_get(f->l7, L7_KEY_NETWORK_VERSION) ?: "");
	snprintf(code, sizeof(code), "%lld", (long long)status);
	COUNT(m, HTTP, f, method, version, code, reporter);
	OBSERVE(m, HTTP_SECONDS, f, method, reporter);
}

static void count_tokens(const struct metrics *m, const struct flow *f)
{
	static const struct {
		enum l7_key key;
		const char *kind;
	} kinds[] = { { L7_KEY_GEN_AI_INPUT, "input" },
		      { L7_KEY_GEN_AI_OUTPUT, "output" },
		      { L7_KEY_GEN_AI_CACHE_READ, "cache_read" },
		      { L7_KEY_GEN_AI_CACHE_WRITE, "cache_write" },
		      { L7_KEY_GEN_AI_REASONING, "reasoning" } };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int64_t n = l7_record_get_int(f->l7, kinds[i].key, 0);
		const char *model = l7_record_get(f->l7, L7_KEY_GEN_AI_MODEL);

		if (n > 0)
			count(m, TOKENS, f, (double)n, (const char *const[OWN_LABELS]){ model, kinds[i].kind });
	}
}

static void count_l7(const struct metrics *m, const struct flow *f)
{
	const char *outcome = l7_outcome_name(f->l7->outcome), *tool = l7_record_get(f->l7, L7_KEY_GEN_AI_TOOL);

	COUNT(m, RECORDS, f, l7_kind_name(f->l7->kind), outcome);
	if (f->l7->kind == L7_DNS)
		count_dns(m, f);
	else if (l7_is_http(f->l7))
		count_http(m, f);
	if (f->l7->kind == L7_MCP && tool) {
		COUNT(m, TOOLS, f, tool, outcome);
		OBSERVE(m, TOOL_SECONDS, f, tool);
	}
	if (f->l7->kind == L7_A2A)
		COUNT(m, A2A, f, l7_record_get(f->l7, L7_KEY_A2A_METHOD), outcome);
	if (f->l7->kind == L7_LLM)
		count_tokens(m, f);
}

static void count_flow(const struct metrics *m, const struct flow *f)
{
	count_faces(m, f);
	if (f->l7)
		count_l7(m, f);
	else
		count_packet(m, f);
	if (f->ev.verdict == WEIR_DROPPED)
		count_drop(m, f);
	if (f->dst->identity == WEIR_ID_WORLD && flow_is_reply(f) == 0)
		COUNT(m, WORLD, f, protocol(f), verdict(f));
}

/* True: there is more. */
static bool advance(struct metrics *m)
{
	uint64_t now = clock_ns(CLOCK_REALTIME);

	for (unsigned n = 0; n < TURN_MAX; n++) {
		struct flow_item item = flow_cursor_read(m->store, &m->cursor, now, false);

		if (item.kind == FLOW_ITEM_NONE)
			return false;
		if (item.kind == FLOW_ITEM_FLOW)
			count_flow(m, item.flow);
		else if (item.lost.kind == FLOW_LOSS_STORE)
			metric_add(m->lost, NULL, (double)item.lost.count);
	}
	return true;
}

void metrics_catch_up(struct metrics *m)
{
	while (advance(m))
		;
}

static int on_time(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct metrics *m = userdata;
	bool more = advance(m);
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now - m->expired_ns >= EXPIRE_NS) {
		m->expired_ns = now;
		registry_expire(m->registry, now, GRACE_NS, m->host.alive, m->host.userdata);
	}
	sd_event_source_set_time_relative(source, more ? 0 : PERIOD_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- serving */

static void serve_metrics(struct metrics *m, const char *accept, struct http_reply *ret)
{
	enum expose_format format = expose_choose(accept);
	FILE *f;

	*ret = (struct http_reply){ .status = 503, .type = expose_content_type(format) };
	f = open_memstream(&ret->body, &ret->len);
	if (!f)
		return;
	metrics_catch_up(m);
	expose(m->registry, format, f);
	if (fclose(f) == 0)
		ret->status = 200;
	else
		ret->len = 0;
}

static void serve_text(struct http_reply *ret, unsigned status, const char *text)
{
	int n = asprintf(&ret->body, "%s\n", text);

	ret->status = status;
	ret->type = "text/plain; charset=utf-8";
	if (n < 0)
		ret->body = NULL;
	ret->len = (size_t)MAX(n, 0);
}

static void on_request(void *userdata, const char *path, const char *accept, struct http_reply *ret)
{
	struct metrics *m = userdata;
	const char *problem = m->host.not_ready(m->host.userdata);

	if (streq(path, "/metrics"))
		serve_metrics(m, accept, ret);
	else if (streq(path, "/healthz")) /* that the loop came here is the answer */
		serve_text(ret, 200, "ok");
	else if (streq(path, "/readyz"))
		serve_text(ret, problem ? 503 : 200, problem ?: "ok");
}

/* ---- start and end */

static int add_context(struct metrics *m, const char *label, struct err *reterr)
{
	for (size_t i = 0; i < m->n_context; i++)
		if (streq(m->context[i]->name, label))
			return err_set(reterr, -EINVAL, "labels: \"%s\" is there twice", label);
	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
		if (streq(contexts[i].name, label)) {
			m->context[m->n_context++] = &contexts[i];
			return 0;
		}
	return err_set(reterr, -EINVAL,
		       "labels: \"%s\" is none of source_ or destination_ namespace, pod, workload, workload_kind",
		       label);
}

static int read_labels(struct metrics *m, const json_t *labels, struct err *reterr)
{
	int r = 0;

	if (labels && !json_is_array(labels))
		return err_set(reterr, -EINVAL, "labels: a list is expected");
	for (size_t i = 0; !labels && i < ARRAY_SIZE(default_labels); i++)
		r = add_context(m, default_labels[i], reterr);
	for (size_t i = 0; r == 0 && i < json_array_size(labels); i++)
		r = add_context(m, json_string_value(json_array_get(labels, i)) ?: "", reterr);
	return r;
}

static int add_families(struct metrics *m)
{
	static const struct metric_desc lost = { .name = "weir_metrics_flows_lost",
						 .help = "Flows that were overwritten before they were counted here.",
						 .type = METRIC_COUNTER };

	for (size_t i = 0; i < FAMILIES; i++) {
		struct metric_desc d = families[i];
		size_t n = 0;

		while (d.labels[n])
			n++;
		for (size_t c = 0; c < m->n_context; c++)
			d.labels[n++] = m->context[c]->name;
		m->family[i] = registry_add(m->registry, &d);
		if (!m->family[i])
			return -ENOMEM;
	}
	m->lost = registry_add(m->registry, &lost);
	return m->lost ? 0 : -ENOMEM;
}

int metrics_new(sd_event *event, const json_t *config, const char *listen, struct flow_store *store,
		const struct metrics_host *host, struct metrics **ret_m, struct err *reterr)
{
	_cleanup_(metrics_freep) struct metrics *m = calloc(1, sizeof(*m));
	const char *from_config = "127.0.0.1:9965";
	json_t *labels = NULL;
	json_error_t je;
	int max = 1000, r;

	if (!m)
		return err_oom(reterr);
	if (config && json_unpack_ex((json_t *)config, &je, JSON_STRICT, "{s?s, s?o, s?i}", "listen", &from_config,
				     "labels", &labels, "maxSeries", &max) < 0)
		return err_set(reterr, -EINVAL, "%s", je.text);
	if (max < 1 || max > 1000000)
		return err_set(reterr, -EINVAL, "maxSeries: 1 to 1000000");
	m->host = *host;
	m->store = store;
	m->cursor = flow_cursor_at(store, flow_store_next(store), clock_ns(CLOCK_REALTIME));
	r = read_labels(m, labels, reterr);
	if (r < 0)
		return r;
	m->registry = registry_new((size_t)max);
	if (!m->registry || add_families(m) < 0 ||
	    sd_event_add_time_relative(event, &m->timer, CLOCK_MONOTONIC, PERIOD_US, 0, on_time, m) < 0)
		return err_oom(reterr);
	if (config || listen) /* else it is for others alone */
		r = http_server_new(event, listen ?: from_config, on_request, m, &m->http, reterr);
	if (r < 0)
		return r;
	*ret_m = TAKE_PTR(m);
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	if (m->http)
		http_server_free(m->http);
	sd_event_source_disable_unref(m->timer);
	registry_free(m->registry);
	free(m);
}

struct registry *metrics_registry(struct metrics *m)
{
	return m->registry;
}

unsigned metrics_port(const struct metrics *m)
{
	return http_server_port(m->http);
}
