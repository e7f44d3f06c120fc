// SPDX-License-Identifier: Apache-2.0
#include "agent/export/otlp.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <zlib.h>

#include "agent/export/otlp_build.h"
#include "agent/l7/record.h"
#include "test/unit.h"
#include "test/unit/flows.h"

static const struct flow_node node = { "node-1", 42 };

static struct flow tool_call(enum l7_outcome outcome, const char *traceparent)
{
	struct flow f = new_flow(new_peer(300, "ai", "planner", NULL), new_peer(301, "ai", "tools", NULL));
	struct l7_ends ends = { .addr = { f.ev.saddr, f.ev.daddr },
				.port = { f.ev.sport, f.ev.dport },
				.proto = IPPROTO_TCP };

	f.ev.type = WEIR_EV_L7;
	f.seq = 7;
	f.src->workload_name = strdup("plan");
	f.src->workload_kind = strdup("ReplicaSet");
	f.l7 = l7_record_new(L7_MCP, &ends);
	f.l7->outcome = outcome;
	f.l7->first_ns = 1000;
	f.l7->last_ns = 41000000;
	l7_record_str(f.l7, L7_KEY_MCP_METHOD, "tools/call", 10);
	l7_record_str(f.l7, L7_KEY_GEN_AI_TOOL, "execute_sql", 11);
	l7_record_int(f.l7, L7_KEY_HTTP_STATUS, 200);
	if (traceparent)
		l7_record_str(f.l7, L7_KEY_TRACEPARENT, traceparent, strlen(traceparent));
	return f;
}

static const Otlp__AnyValue *attr(Otlp__KeyValue *const *v, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (streq(v[i]->key, key))
			return v[i]->value;
	return NULL;
}

static void check_attr(Otlp__KeyValue *const *v, size_t n, const char *key, const char *want)
{
	const Otlp__AnyValue *a = attr(v, n, key);

	ck_assert_msg(a != NULL, "%s is missing", key);
	ck_assert_str_eq(a->string_value, want);
}

START_TEST(a_tool_call_is_a_span)
{
	static const uint8_t trace[] = { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
					 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c };
	static const uint8_t parent[] = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 };
	struct flow f = tool_call(L7_TOOL_ERROR, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	Otlp__TracesRequest req = OTLP__TRACES_REQUEST__INIT;
	const Otlp__Resource *r;
	const Otlp__Span *s;

	ck_assert_int_eq(otlp_add_span(&req, &node, &f), 1);
	ck_assert_int_eq(otlp_add_span(&req, &node, &f), 1);
	ck_assert_uint_eq(req.n_resource_spans, 1);
	ck_assert_uint_eq(req.resource_spans[0]->scope_spans[0]->n_spans, 2);
	r = req.resource_spans[0]->resource;
	check_attr(r->attributes, r->n_attributes, "service.name", "plan");
	check_attr(r->attributes, r->n_attributes, "k8s.pod.name", "planner");
	check_attr(r->attributes, r->n_attributes, "k8s.replicaset.name", "plan");
	s = req.resource_spans[0]->scope_spans[0]->spans[0];
	ck_assert_str_eq(s->name, "tools/call execute_sql");
	ck_assert_int_eq(s->kind, OTLP__SPAN_KIND__SPAN_KIND_CLIENT);
	ck_assert_uint_eq(s->trace_id.len, 16);
	ck_assert_mem_eq(s->trace_id.data, trace, 16);
	ck_assert_mem_eq(s->parent_span_id.data, parent, 8);
	ck_assert_uint_eq(s->span_id.len, 8);
	ck_assert_uint_eq(s->end_time_unix_nano - s->start_time_unix_nano, 41000000);
	ck_assert_int_eq(s->status->code, OTLP__STATUS_CODE__STATUS_CODE_ERROR);
	check_attr(s->attributes, s->n_attributes, "mcp.method.name", "tools/call");
	check_attr(s->attributes, s->n_attributes, "weir.outcome", "tool_error");
	check_attr(s->attributes, s->n_attributes, "weir.peer.pod", "tools");
	ck_assert_int_eq(attr(s->attributes, s->n_attributes, "http.response.status_code")->int_value, 200);
	ck_assert_int_eq(attr(s->attributes, s->n_attributes, "server.port")->int_value, 80);
	ck_assert_ptr_null(attr(s->attributes, s->n_attributes, "traceparent"));
	for (size_t i = 0; i < req.n_resource_spans; i++)
		otlp__resource_spans__free_unpacked(req.resource_spans[i], NULL);
	free(req.resource_spans);
	flow_clear(&f);
}
END_TEST

START_TEST(trace_contexts_that_are_wrong_are_not_taken)
{
	static const char *const wrong[] = { "",
					     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
					     "00-00000000000000000000000000000000-b7ad6b7169203331-01",
					     "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
					     "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
					     "00-0af7651916cd43dd8448eb211c80319c b7ad6b7169203331-01" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct flow f = tool_call(L7_OK, wrong[i]);
		Otlp__TracesRequest *req = otlp__traces_request__unpack(NULL, 0, NULL);
		const Otlp__Span *s;

		ck_assert_int_eq(otlp_add_span(req, &node, &f), 1);
		s = req->resource_spans[0]->scope_spans[0]->spans[0];
		ck_assert_uint_eq(s->parent_span_id.len, 0);
		ck_assert_uint_eq(s->trace_id.len, 16);
		ck_assert_ptr_null(s->status);
		otlp__traces_request__free_unpacked(req, NULL);
		flow_clear(&f);
	}
}
END_TEST

START_TEST(a_denial_is_a_log_record)
{
	struct flow f = new_flow(new_peer(300, "ai", "intruder", NULL), new_peer(301, "ai", "tools", NULL));
	Otlp__LogsRequest *req = otlp__logs_request__unpack(NULL, 0, NULL);
	const Otlp__LogRecord *l;

	ck_assert_int_eq(otlp_add_log(req, &node, &f), 0); /* forwarded */
	f.ev.type = WEIR_EV_DROP;
	f.ev.verdict = WEIR_DROPPED;
	f.ev.reason = WEIR_DROP_POLICY;
	f.rule[WEIR_INGRESS] = new_rule(true, "deny-all");
	ck_assert_int_eq(otlp_add_log(req, &node, &f), 1);
	l = req->resource_logs[0]->scope_logs[0]->log_records[0];
	ck_assert_str_eq(l->body->string_value, "Policy denied: ai/intruder -> ai/tools:80 (TCP Flags: SYN)");
	ck_assert_int_eq(l->severity_number, OTLP__SEVERITY_NUMBER__SEVERITY_NUMBER_WARN);
	check_attr(l->attributes, l->n_attributes, "weir.policy.ingress", "default/deny-all");
	check_attr(l->attributes, l->n_attributes, "weir.drop.reason", "Policy denied");
	otlp__logs_request__free_unpacked(req, NULL);
	flow_clear(&f);
}
END_TEST

/* ---- a collector: one thread that answers with the given statuses, one connection after the other */

struct collector {
	pthread_t thread;
	int listen, stop[2];
	uint16_t port;
	const int *status; /* of the first requests; 200 for all that follow, 0: no answer ever */
	size_t n_status, requests;
	size_t spans, logs;
	bool compressed, with_header;
	json_t *json;
	Otlp__MetricsRequest *metrics; /* the latest */ /* the latest request in JSON */
};

/* v[a][0][b][0][c] */
static json_t *at(json_t *v, const char *a, size_t i, const char *b, size_t j, const char *c)
{
	v = json_array_get(json_object_get(v, a), i);
	v = json_array_get(json_object_get(v, b), j);
	return json_object_get(v, c);
}

static size_t inflate_body(const uint8_t *in, size_t len, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (uint8_t *)in, .avail_in = len, .next_out = out, .avail_out = room };

	if (inflateInit2(&z, 15 + 16) != Z_OK || inflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	inflateEnd(&z);
	return z.total_out;
}

static void take(struct collector *c, const char *head, const uint8_t *body, size_t len)
{
	static uint8_t plain[1 << 20];

	c->compressed = strcasestr(head, "Content-Encoding: gzip");
	c->with_header |= strcasestr(head, "x-team: net") != NULL;
	if (c->compressed) {
		len = inflate_body(body, len, plain, sizeof(plain));
		body = plain;
	}
	if (strcasestr(head, "Content-Type: application/json")) {
		json_decref(c->json);
		c->json = json_loadb((const char *)body, len, JSON_REJECT_DUPLICATES, NULL);
		c->spans += json_array_size(at(c->json, "resourceSpans", 0, "scopeSpans", 0, "spans"));
		c->logs += json_array_size(at(c->json, "resourceLogs", 0, "scopeLogs", 0, "logRecords"));
	} else if (str_prefix(head, "POST /v1/traces ")) {
		Otlp__TracesRequest *req = otlp__traces_request__unpack(NULL, len, body);

		for (size_t i = 0; req && i < req->n_resource_spans; i++)
			c->spans += req->resource_spans[i]->scope_spans[0]->n_spans;
		otlp__traces_request__free_unpacked(req, NULL);
	} else if (str_prefix(head, "POST /v1/metrics ")) {
		if (c->metrics)
			otlp__metrics_request__free_unpacked(c->metrics, NULL);
		c->metrics = otlp__metrics_request__unpack(NULL, len, body);
	} else {
		Otlp__LogsRequest *req = otlp__logs_request__unpack(NULL, len, body);

		for (size_t i = 0; req && i < req->n_resource_logs; i++)
			c->logs += req->resource_logs[i]->scope_logs[0]->n_log_records;
		otlp__logs_request__free_unpacked(req, NULL);
	}
}

/* One request of a connection. False: it is over. */
static bool serve(struct collector *c, int fd)
{
	static char buf[1 << 20];
	char answer[128];
	size_t len = 0, want = SIZE_MAX;
	char *body = NULL;
	int status;

	while (len < want) {
		ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);

		if (n <= 0)
			return false;
		buf[len += (size_t)n] = '\0';
		body = body ?: memmem(buf, len, "\r\n\r\n", 4);
		if (body && want == SIZE_MAX)
			want = (size_t)(body + 4 - buf) + (size_t)atoi(strcasestr(buf, "Content-Length:") + 15);
	}
	status = c->requests < c->n_status ? c->status[c->requests] : 200;
	c->requests++;
	if (status == 0) {
		struct pollfd p = { .fd = c->stop[0], .events = POLLIN };

		poll(&p, 1, 3000);
		return false;
	}
	if (status == 200)
		take(c, buf, (uint8_t *)body + 4, want - (size_t)(body + 4 - buf));
	snprintf(answer, sizeof(answer), "HTTP/1.1 %d X\r\n%sContent-Length: 0\r\n\r\n", status,
		 status == 503 ? "Retry-After: 1\r\n" : "");
	return write(fd, answer, strlen(answer)) > 0;
}

static void *collect(void *userdata)
{
	struct collector *c = userdata;
	struct pollfd p[2] = { { .fd = c->listen, .events = POLLIN }, { .fd = c->stop[0], .events = POLLIN } };

	while (poll(p, 2, -1) > 0 && !p[1].revents) {
		int fd = accept(c->listen, NULL, NULL);

		while (serve(c, fd))
			;
		close(fd);
	}
	return NULL;
}

static void collector_start(struct collector *c)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	c->listen = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(c->listen, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(listen(c->listen, 10), 0);
	getsockname(c->listen, (struct sockaddr *)&sin, &len);
	c->port = ntohs(sin.sin_port);
	ck_assert_int_eq(pipe(c->stop), 0);
	ck_assert_int_eq(pthread_create(&c->thread, NULL, collect, c), 0);
}

static void collector_stop(struct collector *c)
{
	ck_assert_int_eq(write(c->stop[1], "x", 1), 1);
	pthread_join(c->thread, NULL);
	close(c->listen);
	close(c->stop[0]);
	close(c->stop[1]);
}

struct world {
	sd_event *event;
	struct flow_store *store;
	struct otlp *otlp;
};

static struct registry *registry; /* NULL: there are no metrics */

static int begin(struct world *w, const char *endpoint, uint16_t port, const char *settings, struct err *e)
{
	char text[512];
	json_t *config;
	int r;

	snprintf(text, sizeof(text), "{\"endpoint\":\"%s:%u\"%s}", endpoint, port, settings);
	config = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(config);
	*w = (struct world){ 0 };
	ck_assert_int_ge(sd_event_new(&w->event), 0);
	ck_assert_int_eq(flow_store_new(65535, &w->store), 0);
	r = otlp_new(w->event, config, w->store, &node, registry, &w->otlp, e);
	json_decref(config);
	return r;
}

static void end(struct world *w)
{
	otlp_free(w->otlp);
	flow_store_free(w->store);
	sd_event_unref(w->event);
}

static void add(struct world *w, int spans, int logs)
{
	for (int i = 0; i < spans + logs; i++) {
		struct flow f = tool_call(L7_OK, NULL);

		if (i >= spans) {
			l7_record_free(TAKE_PTR(f.l7));
			f.ev.type = WEIR_EV_DROP;
			f.ev.verdict = WEIR_DROPPED;
			f.ev.reason = WEIR_DROP_POLICY;
		}
		flow_store_add(w->store, &f);
	}
}

/* Until so many have come to their end, one way or the other. */
static struct otlp_stats run(struct world *w, enum otlp_signal signal, uint64_t n)
{
	struct otlp_stats s = { 0 };

	for (int i = 0; i < 2000 && s.sent + s.dropped < n; i++) {
		sd_event_run(w->event, 10000);
		ck_assert(otlp_stats(w->otlp, signal, &s));
	}
	ck_assert_uint_eq(s.sent + s.dropped, n);
	return s;
}

START_TEST(batches_arrive_after_a_collector_was_busy)
{
	static const int status[] = { 503, 200, 429 };
	struct collector c = { .status = status, .n_status = ARRAY_SIZE(status) };
	struct err e = {};
	struct world w;

	collector_start(&c);
	ck_assert_int_eq(begin(&w, "http://127.0.0.1", c.port, ",\"logs\":false,\"headers\":{\"x-team\":\"net\"}", &e),
			 0);
	add(&w, 1200, 50);
	ck_assert_uint_eq(run(&w, OTLP_TRACES, 1200).dropped, 0);
	ck_assert(!otlp_stats(w.otlp, OTLP_LOGS, &(struct otlp_stats){ 0 }));
	end(&w);
	collector_stop(&c);
	ck_assert_uint_eq(c.spans, 1200);
	ck_assert_uint_eq(c.requests, 5);
	ck_assert(c.compressed && c.with_header);
}
END_TEST

START_TEST(logs_go_their_own_way)
{
	static const int status[] = { 200 };
	struct collector c = { .status = status };
	struct err e = {};
	struct world w;

	collector_start(&c);
	ck_assert_int_eq(begin(&w, "http://127.0.0.1", c.port, ",\"traces\":false,\"gzip\":false", &e), 0);
	add(&w, 5, 30);
	ck_assert_uint_eq(run(&w, OTLP_LOGS, 30).sent, 30);
	end(&w);
	collector_stop(&c);
	ck_assert_uint_eq(c.logs, 30);
	ck_assert(!c.compressed);
}
END_TEST

START_TEST(what_a_collector_refuses_is_counted)
{
	static const int status[] = { 400 };
	struct collector c = { .status = status, .n_status = 1 };
	struct err e = {};
	struct otlp_stats s;
	struct world w;

	collector_start(&c);
	ck_assert_int_eq(begin(&w, "http://127.0.0.1", c.port, ",\"logs\":false", &e), 0);
	add(&w, 10, 0);
	s = run(&w, OTLP_TRACES, 10);
	ck_assert_uint_eq(s.dropped, 10);
	ck_assert_str_eq(s.problem, "HTTP status 400");
	add(&w, 3, 0); /* and the next batch is welcome */
	s = run(&w, OTLP_TRACES, 13);
	ck_assert_uint_eq(s.sent, 3);
	ck_assert_ptr_null(s.problem);
	end(&w);
	collector_stop(&c);
}
END_TEST

START_TEST(a_collector_that_hangs_holds_up_nothing)
{
	static const int status[] = { 0 };
	struct collector c = { .status = status, .n_status = 1 };
	struct err e = {};
	struct otlp_stats s;
	struct world w;

	collector_start(&c);
	ck_assert_int_eq(begin(&w, "http://127.0.0.1", c.port, ",\"logs\":false,\"timeoutSec\":1", &e), 0);
	add(&w, 10, 0);
	s = run(&w, OTLP_TRACES, 10); /* the second try arrives */
	ck_assert_uint_eq(s.sent, 10);
	ck_assert_uint_ge(s.retries, 1);
	end(&w);
	collector_stop(&c);
}
END_TEST

static void check_hex(json_t *v, size_t len)
{
	ck_assert_uint_eq(json_string_length(v), len);
	ck_assert_uint_eq(strspn(json_string_value(v), "0123456789abcdef"), len);
}

static const char *json_attr(json_t *span, const char *key, const char *type)
{
	size_t i;
	json_t *a;

	json_array_foreach (json_object_get(span, "attributes"), i, a)
		if (streq(json_string_value(json_object_get(a, "key")), key))
			return json_string_value(json_object_get(json_object_get(a, "value"), type));
	return NULL;
}

/* The mapping of OTLP/JSON: ids in hex, 64 bits as strings, enums as numbers. */
START_TEST(json_is_what_otlp_wants)
{
	struct collector c = {};
	struct err e = {};
	struct world w;
	json_t *span;

	collector_start(&c);
	ck_assert_int_eq(begin(&w, "http://127.0.0.1", c.port, ",\"encoding\":\"json\",\"gzip\":false", &e), 0);
	add(&w, 1, 0);
	ck_assert_uint_eq(run(&w, OTLP_TRACES, 1).sent, 1);
	end(&w);
	collector_stop(&c);
	ck_assert_uint_eq(c.spans, 1);
	ck_assert(!c.compressed);
	span = json_array_get(at(c.json, "resourceSpans", 0, "scopeSpans", 0, "spans"), 0);
	check_hex(json_object_get(span, "traceId"), 32);
	check_hex(json_object_get(span, "spanId"), 16);
	ck_assert(json_is_string(json_object_get(span, "startTimeUnixNano")));
	ck_assert_int_eq(json_integer_value(json_object_get(span, "kind")), OTLP__SPAN_KIND__SPAN_KIND_CLIENT);
	ck_assert_str_eq(json_string_value(json_object_get(span, "name")), "tools/call execute_sql");
	ck_assert_str_eq(json_attr(span, "mcp.method.name", "stringValue"), "tools/call");
	ck_assert_str_eq(json_attr(span, "http.response.status_code", "intValue"), "200");
	json_decref(c.json);
}
END_TEST

static const Otlp__Metric *metric_named(const Otlp__MetricsRequest *req, const char *name)
{
	const Otlp__ScopeMetrics *s = req->resource_metrics[0]->scope_metrics[0];

	for (size_t i = 0; i < s->n_metrics; i++)
		if (streq(s->metrics[i]->name, name))
			return s->metrics[i];
	ck_abort_msg("%s is missing", name);
}

static void fill_registry(void)
{
	static const double bounds[] = { 0.1, 1 };
	struct metric *m;

	registry = registry_new(10);
	m = registry_add(registry,
			 &(struct metric_desc){
			     .name = "weir_calls", .help = "Calls.", .type = METRIC_COUNTER, .labels = { "tool" } });
	metric_add(m, (const char *[]){ "a" }, 2);
	metric_add(m, (const char *[]){ "b" }, 5);
	m = registry_add(registry,
			 &(struct metric_desc){
			     .name = "weir_memory_bytes", .help = "Memory.", .unit = "bytes", .type = METRIC_GAUGE });
	metric_set(m, NULL, 1.5);
	m = registry_add(registry, &(struct metric_desc){ .name = "weir_time_seconds",
							  .help = "Time.",
							  .unit = "seconds",
							  .type = METRIC_HISTOGRAM,
							  .bounds = bounds,
							  .n_bounds = ARRAY_SIZE(bounds) });
	metric_observe(m, NULL, 0.05);
	metric_observe(m, NULL, 0.5);
	metric_observe(m, NULL, 7);
}

START_TEST(metrics_go_at_their_interval)
{
	struct collector c = {};
	struct err e = {};
	const Otlp__HistogramDataPoint *h;
	const Otlp__Metric *m;
	struct otlp_stats s;
	struct world w;

	fill_registry();
	collector_start(&c);
	ck_assert_int_eq(begin(&w, "http://127.0.0.1", c.port,
			       ",\"traces\":false,\"logs\":false,\"metrics\":true,\"metricsIntervalSec\":1", &e),
			 0);
	for (int i = 0; i < 2000 && c.requests < 2; i++)
		sd_event_run(w.event, 10000);
	ck_assert(otlp_stats(w.otlp, OTLP_METRICS, &s));
	ck_assert_uint_ge(s.sent, 4); /* data points, each time */
	ck_assert_uint_eq(s.dropped, 0);
	end(&w);
	collector_stop(&c);
	ck_assert_ptr_nonnull(c.metrics);
	check_attr(c.metrics->resource_metrics[0]->resource->attributes,
		   c.metrics->resource_metrics[0]->resource->n_attributes, "service.name", "weir-agent");
	m = metric_named(c.metrics, "weir_calls");
	ck_assert_int_eq(m->data_case, OTLP__METRIC__DATA_SUM);
	ck_assert(m->sum->is_monotonic);
	ck_assert_int_eq(m->sum->aggregation_temporality,
			 OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE);
	ck_assert_uint_eq(m->sum->n_data_points, 2);
	check_attr(m->sum->data_points[1]->attributes, m->sum->data_points[1]->n_attributes, "tool", "b");
	ck_assert_double_eq(m->sum->data_points[1]->as_double, 5);
	ck_assert_uint_gt(m->sum->data_points[1]->start_time_unix_nano, 0);
	ck_assert_uint_gt(m->sum->data_points[1]->time_unix_nano, m->sum->data_points[1]->start_time_unix_nano);
	m = metric_named(c.metrics, "weir_memory_bytes");
	ck_assert_str_eq(m->unit, "By");
	ck_assert_double_eq(m->gauge->data_points[0]->as_double, 1.5);
	m = metric_named(c.metrics, "weir_time_seconds");
	ck_assert_str_eq(m->unit, "s");
	h = m->histogram->data_points[0];
	ck_assert_uint_eq(h->count, 3);
	ck_assert_double_eq_tol(h->sum, 7.55, 1e-9);
	ck_assert_uint_eq(h->n_bucket_counts, 3);
	ck_assert_uint_eq(h->n_explicit_bounds, 2);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(h->bucket_counts[i], 1);
	otlp__metrics_request__free_unpacked(c.metrics, NULL);
	registry_free(TAKE_PTR(registry));
}
END_TEST

START_TEST(wrong_settings_are_named)
{
	struct err e = {};
	struct world w;

	ck_assert_int_eq(begin(&w, "ftp://127.0.0.1", 1, "", &e), -EINVAL);
	ck_assert_str_eq(e.msg, "endpoint: \"ftp://127.0.0.1:1\" is no http:// or https:// address");
	end(&w);
	ck_assert_int_eq(begin(&w, "http://127.0.0.1", 1, ",\"headers\":{\"a\":\"b\\r\\nc\"}", &e), -EINVAL);
	ck_assert_str_eq(e.msg, "headers: a: must be a string on one line");
	end(&w);
	ck_assert_int_eq(begin(&w, "http://127.0.0.1", 1, ",\"encoding\":\"xml\"", &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.msg, "xml"));
	end(&w);
}
END_TEST

UNIT_MAIN(otlp, a_tool_call_is_a_span, trace_contexts_that_are_wrong_are_not_taken, a_denial_is_a_log_record,
	  batches_arrive_after_a_collector_was_busy, logs_go_their_own_way, what_a_collector_refuses_is_counted,
	  a_collector_that_hangs_holds_up_nothing, json_is_what_otlp_wants, metrics_go_at_their_interval,
	  wrong_settings_are_named)
