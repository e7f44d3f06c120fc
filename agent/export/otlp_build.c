// SPDX-License-Identifier: Apache-2.0
#include "agent/export/otlp_build.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent/flow/summary.h"
#include "agent/l7/record.h"
#include "lib/addr.h"
#include "lib/drop.h"
#include "lib/pb.h"

#define SCHEMA_URL "https://opentelemetry.io/schemas/1.45.0"
#define SCOPE "weir"

struct attrs {
	size_t n;
	Otlp__KeyValue **v;
	bool oom; /* sticky: checked once at the end */
};

static Otlp__AnyValue *put(struct attrs *a, const char *key)
{
	Otlp__KeyValue *kv = pb_append(&a->n, &a->v, &otlp__key_value__descriptor);

	if (kv && pb_set_str(&kv->key, key) == 0)
		kv->value = pb_new(&otlp__any_value__descriptor);
	if (kv && kv->value)
		return kv->value;
	a->oom = true;
	return NULL;
}

static void set_str(struct attrs *a, Otlp__AnyValue *v, const char *s)
{
	if (!v)
		return;
	v->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	v->string_value = strdup(s);
	if (!v->string_value) {
		v->value_case = OTLP__ANY_VALUE__VALUE__NOT_SET;
		a->oom = true;
	}
}

static void put_str(struct attrs *a, const char *key, const char *s)
{
	if (s && *s)
		set_str(a, put(a, key), s);
}

static void put_int(struct attrs *a, const char *key, int64_t i)
{
	Otlp__AnyValue *v = put(a, key);

	if (!v)
		return;
	v->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
	v->int_value = i;
}

static void put_addr(struct attrs *a, const char *key, const struct weir_addr *addr)
{
	char buf[ADDR_STRLEN];

	put_str(a, key, addr_to_str(addr, buf));
}

/* ---- resources: who spoke, else who was spoken to, else the node */

static const struct flow_peer *subject(const struct flow *f, bool *ret_caller)
{
	*ret_caller = f->src->pod_name;
	return f->src->pod_name ? f->src : f->dst;
}

static void put_resource(struct attrs *a, const struct flow_node *node, const struct flow_peer *p)
{
	char kind[64] = "k8s.";

	put_str(a, "service.name", p->workload_name ?: p->pod_name ?: "unknown_service");
	put_str(a, "service.namespace", p->namespace);
	put_str(a, "k8s.namespace.name", p->namespace);
	put_str(a, "k8s.pod.name", p->pod_name);
	put_str(a, "k8s.node.name", node->name);
	if (!p->workload_name || !p->workload_kind)
		return;
	for (size_t i = 0; i < sizeof(kind) - 12 && p->workload_kind[i]; i++) /* "ReplicaSet" → k8s.replicaset.name */
		kind[4 + i] = (char)(p->workload_kind[i] | 0x20);
	strcat(kind, ".name");
	put_str(a, kind, p->workload_name);
}

static Otlp__Resource *make_resource(const struct flow_node *node, const struct flow_peer *p)
{
	Otlp__Resource *r = pb_new(&otlp__resource__descriptor);
	struct attrs a = {};

	if (!r)
		return NULL;
	put_resource(&a, node, p);
	r->n_attributes = a.n;
	r->attributes = a.v;
	if (!a.oom)
		return r;
	otlp__resource__free_unpacked(r, NULL);
	return NULL;
}

static bool has_attr(const Otlp__Resource *r, const char *key, const char *want)
{
	for (size_t i = 0; i < r->n_attributes; i++)
		if (streq(r->attributes[i]->key, key))
			return want && streq(r->attributes[i]->value->string_value, want);
	return !want;
}

static bool is_resource_of(const Otlp__Resource *r, const struct flow_peer *p)
{
	return has_attr(r, "k8s.pod.name", p->pod_name) && has_attr(r, "k8s.namespace.name", p->namespace);
}

static Otlp__InstrumentationScope *make_scope(void)
{
	Otlp__InstrumentationScope *s = pb_new(&otlp__instrumentation_scope__descriptor);

	if (s && pb_set_str(&s->name, SCOPE) == 0 && pb_set_str(&s->version, WEIR_VERSION) == 0)
		return s;
	if (s)
		otlp__instrumentation_scope__free_unpacked(s, NULL);
	return NULL;
}

/* The one ScopeSpans of the peer's resource; made when it is not there. NULL: out of memory. */
static Otlp__ScopeSpans *spans_of(Otlp__TracesRequest *req, const struct flow_node *node, const struct flow_peer *p)
{
	Otlp__ResourceSpans *rs;
	Otlp__ScopeSpans *ss;

	for (size_t i = 0; i < req->n_resource_spans; i++)
		if (is_resource_of(req->resource_spans[i]->resource, p))
			return req->resource_spans[i]->scope_spans[0];
	rs = pb_append(&req->n_resource_spans, &req->resource_spans, &otlp__resource_spans__descriptor);
	ss = rs ? pb_append(&rs->n_scope_spans, &rs->scope_spans, &otlp__scope_spans__descriptor) : NULL;
	if (!ss)
		return NULL;
	rs->resource = make_resource(node, p);
	ss->scope = make_scope();
	return rs->resource && ss->scope && pb_set_str(&ss->schema_url, SCHEMA_URL) == 0 ? ss : NULL;
}

static Otlp__ScopeLogs *logs_of(Otlp__LogsRequest *req, const struct flow_node *node, const struct flow_peer *p)
{
	Otlp__ResourceLogs *rl;
	Otlp__ScopeLogs *sl;

	for (size_t i = 0; i < req->n_resource_logs; i++)
		if (is_resource_of(req->resource_logs[i]->resource, p))
			return req->resource_logs[i]->scope_logs[0];
	rl = pb_append(&req->n_resource_logs, &req->resource_logs, &otlp__resource_logs__descriptor);
	sl = rl ? pb_append(&rl->n_scope_logs, &rl->scope_logs, &otlp__scope_logs__descriptor) : NULL;
	if (!sl)
		return NULL;
	rl->resource = make_resource(node, p);
	sl->scope = make_scope();
	return rl->resource && sl->scope && pb_set_str(&sl->schema_url, SCHEMA_URL) == 0 ? sl : NULL;
}

/* ---- spans */

/* A stable 64-bit mixture, for ids that a retry must not change. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

static int put_id(ProtobufCBinaryData *id, const uint64_t *words, size_t n)
{
	id->data = calloc(n, 8);
	if (!id->data)
		return -ENOMEM;
	id->len = n * sizeof(*words);
	memcpy(id->data, words, id->len);
	return 0;
}

static bool hex(const char *s, size_t n, uint8_t *ret)
{
	bool zero = true;

	for (size_t i = 0; i < n; i++) {
		unsigned v;

		if (sscanf(s + 2 * i, "%2x", &v) != 1 || !strchr("0123456789abcdef", s[2 * i]) ||
		    !strchr("0123456789abcdef", s[2 * i + 1]))
			return false;
		ret[i] = (uint8_t)v;
		zero &= !v;
	}
	return !zero;
}

/* W3C: 00-<trace id>-<parent id>-<flags>. */
static bool parse_traceparent(const char *s, uint64_t *ret_trace, uint64_t *ret_parent)
{
	return s && strlen(s) >= 55 && s[2] == '-' && s[35] == '-' && s[52] == '-' &&
	       hex(s + 3, 16, (uint8_t *)ret_trace) && hex(s + 36, 8, (uint8_t *)ret_parent);
}

static int put_ids(Otlp__Span *span, const struct flow_node *node, const struct flow *f)
{
	uint64_t own = mix(node->instance ^ f->seq) ?: 1, made[2] = { mix(own), mix(own + 1) }, given[2], parent;
	bool child = parse_traceparent(l7_record_get(f->l7, L7_KEY_TRACEPARENT), given, &parent);

	if (child && put_id(&span->parent_span_id, &parent, 1) < 0)
		return -ENOMEM;
	return put_id(&span->trace_id, child ? given : made, 2) < 0 || put_id(&span->span_id, &own, 1) < 0 ? -ENOMEM
													   : 0;
}

/* "{method} {target}" as the conventions of each kind have it: few different ones. */
static void span_name(const struct l7_record *r, char *buf, size_t size)
{
	static const struct {
		uint8_t kind;
		enum l7_key first, second;
	} names[] = {
		{ L7_MCP, L7_KEY_MCP_METHOD, L7_KEY_GEN_AI_TOOL },
		{ L7_A2A, L7_KEY_A2A_METHOD, L7_KEY_COUNT },
		{ L7_LLM, L7_KEY_GEN_AI_OPERATION, L7_KEY_GEN_AI_MODEL },
		{ L7_GRPC, L7_KEY_RPC_METHOD, L7_KEY_COUNT },
		{ L7_JSONRPC, L7_KEY_RPC_METHOD, L7_KEY_COUNT },
		{ L7_DNS, L7_KEY_DNS_QTYPE, L7_KEY_COUNT },
		{ L7_HTTP, L7_KEY_HTTP_METHOD, L7_KEY_COUNT },
	};
	const char *first = NULL, *second = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].kind == r->kind) {
			first = l7_record_get(r, names[i].first);
			second = names[i].second < L7_KEY_COUNT ? l7_record_get(r, names[i].second) : NULL;
		}
	if (r->kind == L7_MCP && !second)
		second = l7_record_get(r, L7_KEY_GEN_AI_PROMPT);
	snprintf(buf, size, "%s%s%s", first ?: l7_kind_name(r->kind), second ? " " : "", second ?: "");
}

static bool is_failure(const struct l7_record *r)
{
	return r->outcome == L7_ERROR || r->outcome == L7_TOOL_ERROR || r->outcome == L7_NO_ANSWER;
}

static void put_record(struct attrs *a, const struct l7_record *r)
{
	for (unsigned i = 0; i < r->n_attrs; i++) {
		const struct l7_attr *at = &r->attrs[i];

		if (at->key == L7_KEY_TRACEPARENT)
			continue;
		if (at->is_int)
			put_int(a, l7_key_name(at->key), at->i);
		else
			put_str(a, l7_key_name(at->key), at->s);
	}
	if (is_failure(r) && !l7_record_get(r, L7_KEY_ERROR_TYPE))
		put_str(a, "error.type", r->outcome == L7_NO_ANSWER ? "no_answer" : "_OTHER");
	put_str(a, "weir.kind", l7_kind_name(r->kind));
	put_str(a, "weir.outcome", l7_outcome_name(r->outcome));
}

static void put_ends(struct attrs *a, const struct flow *f, bool caller)
{
	const struct l7_record *r = f->l7;

	if (!l7_record_get(r, L7_KEY_HTTP_HOST))
		put_addr(a, "server.address", &f->ev.daddr);
	put_int(a, "server.port", ntohs(f->ev.dport));
	if (!caller) {
		put_addr(a, "client.address", &f->ev.saddr);
		put_int(a, "client.port", ntohs(f->ev.sport));
	}
	put_addr(a, "network.peer.address", caller ? &f->ev.daddr : &f->ev.saddr);
	put_str(a, "network.transport", f->ev.proto == IPPROTO_UDP ? "udp" : "tcp");
	put_str(a, "weir.peer.namespace", f->dst->namespace);
	put_str(a, "weir.peer.pod", f->dst->pod_name);
}

int otlp_add_span(Otlp__TracesRequest *req, const struct flow_node *node, const struct flow *f)
{
	const struct flow_peer *who;
	Otlp__ScopeSpans *ss;
	Otlp__Span *span;
	struct attrs a = {};
	char name[256];
	bool caller;

	if (!f->l7 || f->l7->kind == L7_TLS)
		return 0;
	who = subject(f, &caller);
	ss = spans_of(req, node, who);
	span = ss ? pb_append(&ss->n_spans, &ss->spans, &otlp__span__descriptor) : NULL;
	if (!span)
		return -ENOMEM;
	span_name(f->l7, name, sizeof(name));
	span->kind = caller ? OTLP__SPAN_KIND__SPAN_KIND_CLIENT : OTLP__SPAN_KIND__SPAN_KIND_SERVER;
	span->start_time_unix_nano = f->time_ns;
	span->end_time_unix_nano = f->time_ns + MAX(f->l7->last_ns, f->l7->first_ns);
	put_record(&a, f->l7);
	put_ends(&a, f, caller);
	span->n_attributes = a.n;
	span->attributes = a.v;
	if (is_failure(f->l7)) {
		span->status = pb_new(&otlp__status__descriptor);
		if (!span->status)
			return -ENOMEM;
		span->status->code = OTLP__STATUS_CODE__STATUS_CODE_ERROR;
	}
	return a.oom || pb_set_str(&span->name, name) < 0 || put_ids(span, node, f) < 0 ? -ENOMEM : 1;
}

/* ---- log records */

static void put_policies(struct attrs *a, const char *key, const struct flow_rule *rule)
{
	char buf[512] = "";
	size_t len = 0;

	for (size_t i = 0; rule && i < rule->n_policies && len < sizeof(buf); i++)
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, "%s%s/%s", i ? "," : "",
					rule->policies[i].namespace ?: "", rule->policies[i].name);
	put_str(a, key, buf);
}

static void put_verdict(struct attrs *a, const struct flow *f)
{
	const struct weir_event *ev = &f->ev;

	put_str(a, "weir.verdict", ev->verdict == WEIR_AUDIT ? "audit" : "dropped");
	put_str(a, "weir.drop.reason", ev->verdict == WEIR_DROPPED ? drop_text(ev->reason) : NULL);
	put_addr(a, "source.address", &ev->saddr);
	put_addr(a, "destination.address", &ev->daddr);
	if (ev->proto == IPPROTO_TCP || ev->proto == IPPROTO_UDP || ev->proto == IPPROTO_SCTP) {
		put_int(a, "source.port", ntohs(ev->sport));
		put_int(a, "destination.port", ntohs(ev->dport));
	}
	put_str(a, "network.transport", ev->proto == IPPROTO_TCP ? "tcp" : ev->proto == IPPROTO_UDP ? "udp" : NULL);
	put_str(a, "weir.source.namespace", f->src->namespace);
	put_str(a, "weir.source.pod", f->src->pod_name);
	put_str(a, "weir.destination.namespace", f->dst->namespace);
	put_str(a, "weir.destination.pod", f->dst->pod_name);
	put_policies(a, "weir.policy.egress", f->rule[WEIR_EGRESS]);
	put_policies(a, "weir.policy.ingress", f->rule[WEIR_INGRESS]);
}

static void describe(const struct flow_peer *p, const struct weir_addr *addr, char *buf, size_t size)
{
	char text[ADDR_STRLEN];

	if (p->pod_name)
		snprintf(buf, size, "%s/%s", p->namespace, p->pod_name);
	else
		snprintf(buf, size, "%s", addr_to_str(addr, text));
}

int otlp_add_log(Otlp__LogsRequest *req, const struct flow_node *node, const struct flow *f)
{
	char text[1024], from[160], to[160], what[FLOW_SUMMARY_MAX];
	bool audit = f->ev.verdict == WEIR_AUDIT, caller;
	Otlp__ScopeLogs *sl;
	Otlp__LogRecord *log;
	struct attrs a = {};

	if (f->l7 || (f->ev.verdict != WEIR_DROPPED && !(audit && f->ev.type == WEIR_EV_NEW)))
		return 0;
	sl = logs_of(req, node, subject(f, &caller));
	log = sl ? pb_append(&sl->n_log_records, &sl->log_records, &otlp__log_record__descriptor) : NULL;
	if (!log)
		return -ENOMEM;
	log->time_unix_nano = log->observed_time_unix_nano = f->time_ns;
	log->severity_number = audit ? OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_INFO
				     : OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_WARN;
	describe(f->src, &f->ev.saddr, from, sizeof(from));
	describe(f->dst, &f->ev.daddr, to, sizeof(to));
	flow_summary(f, what);
	snprintf(text, sizeof(text), "%s: %s -> %s:%u (%s)", audit ? "audited" : drop_text(f->ev.reason), from, to,
		 ntohs(f->ev.dport), what);
	log->body = pb_new(&otlp__any_value__descriptor);
	set_str(&a, log->body, text);
	put_verdict(&a, f);
	log->n_attributes = a.n;
	log->attributes = a.v;
	return a.oom || !log->body || pb_set_str(&log->severity_text, audit ? "INFO" : "WARN") < 0 ||
		       pb_set_str(&log->event_name, "weir.verdict") < 0
		   ? -ENOMEM
		   : 1;
}
