// SPDX-License-Identifier: Apache-2.0
#include "agent/export/metrics.h"

#include "agent/export/expose.h"
#include "test/unit.h"
#include "test/unit/l7_flows.h"

static const double bounds[] = { 0.5, 1 };
static const struct metric_desc calls = { .name = "calls", .help = "a \\ \"b\"\nc", .labels = { "namespace", "pod" } };
static const struct metric_desc waits = { .name = "wait_seconds",
					  .help = "h",
					  .unit = "seconds",
					  .type = METRIC_HISTOGRAM,
					  .bounds = bounds,
					  .n_bounds = ARRAY_SIZE(bounds) };

static char *text(struct registry *r, enum expose_format format)
{
	char *s = NULL;
	size_t len;
	FILE *f = open_memstream(&s, &len);

	expose(r, format, f);
	ck_assert_int_eq(fclose(f), 0);
	return s;
}

static void has(struct registry *r, enum expose_format format, const char *what, bool want)
{
	_cleanup_free_ char *s = text(r, format);

	ck_assert_msg(!!strstr(s, what) == want, "%s %s in\n%s", what, want ? "is not" : "is", s);
}

START_TEST(names_and_values_are_escaped)
{
	_cleanup_(registry_freep) struct registry *r = registry_new(10);

	metric_add(registry_add(r, &calls), (const char *[]){ "a\\b", "c\"d\ne" }, 2);
	has(r, EXPOSE_TEXT, "# TYPE calls_total counter\n# HELP calls_total a \\\\ \"b\"\\nc\n", true);
	has(r, EXPOSE_TEXT, "\ncalls_total{namespace=\"a\\\\b\",pod=\"c\\\"d\\ne\"} 2\n", true);
	has(r, EXPOSE_OPENMETRICS, "# TYPE calls counter\n# HELP calls a \\\\ \\\"b\\\"\\nc\ncalls_total{", true);
	has(r, EXPOSE_TEXT, "# EOF", false);
	has(r, EXPOSE_OPENMETRICS, "\n# EOF\n", true);
}
END_TEST

START_TEST(long_values_are_cut_between_characters)
{
	_cleanup_(registry_freep) struct registry *r = registry_new(10);
	char value[REGISTRY_VALUE_MAX + 3], want[REGISTRY_VALUE_MAX + 16];

	memset(value, 'x', sizeof(value));
	memcpy(value + REGISTRY_VALUE_MAX - 1, "\xc3\xa4", 3);
	metric_add(registry_add(r, &calls), (const char *[]){ NULL, value }, 1);
	snprintf(want, sizeof(want), "pod=\"%.*s\"} 1\n", REGISTRY_VALUE_MAX - 1, value);
	has(r, EXPOSE_TEXT, want, true);
}
END_TEST

START_TEST(too_many_series_overflow_and_are_counted)
{
	_cleanup_(registry_freep) struct registry *r = registry_new(3);
	struct metric *m = registry_add(r, &calls);

	for (int i = 0; i < 10; i++) {
		char pod[16];

		snprintf(pod, sizeof(pod), "p%d", i);
		metric_add(m, (const char *[]){ "a", pod }, 1);
	}
	metric_add(m, (const char *[]){ "a", "p0" }, 1);
	has(r, EXPOSE_TEXT, "{namespace=\"a\",pod=\"p0\"} 2\n", true);
	has(r, EXPOSE_TEXT, "pod=\"p3\"", false);
	has(r, EXPOSE_TEXT, "{namespace=\"_overflow\",pod=\"_overflow\"} 7\n", true);
	has(r, EXPOSE_TEXT, "weir_metrics_overflow_total{metric=\"calls\"} 7\n", true);
}
END_TEST

static bool only_p0(_unused_ void *userdata, const char *ns, const char *pod)
{
	return streq(ns, "a") && streq(pod, "p0");
}

START_TEST(series_of_pods_that_are_gone_expire)
{
	_cleanup_(registry_freep) struct registry *r = registry_new(10);
	struct metric *m = registry_add(r, &calls);

	metric_add(m, (const char *[]){ "a", "p0" }, 1);
	metric_add(m, (const char *[]){ "a", "p1" }, 1);
	metric_add(m, (const char *[]){ NULL, NULL }, 1);
	registry_expire(r, 100, 60, only_p0, NULL);
	registry_expire(r, 159, 60, only_p0, NULL);
	has(r, EXPOSE_TEXT, "pod=\"p1\"", true);
	registry_expire(r, 160, 60, only_p0, NULL);
	has(r, EXPOSE_TEXT, "pod=\"p1\"", false);
	has(r, EXPOSE_TEXT, "pod=\"p0\"", true);
	has(r, EXPOSE_TEXT, "pod=\"\"", true);
}
END_TEST

START_TEST(buckets_hold_their_bound)
{
	_cleanup_(registry_freep) struct registry *r = registry_new(10);
	struct metric *m = registry_add(r, &waits);

	metric_observe(m, NULL, 0.5);
	metric_observe(m, NULL, 0.75);
	metric_observe(m, NULL, 7);
	has(r, EXPOSE_TEXT,
	    "wait_seconds_bucket{le=\"0.5\"} 1\nwait_seconds_bucket{le=\"1\"} 2\nwait_seconds_bucket{le=\"+Inf\"} 3\n"
	    "wait_seconds_sum 8.25\nwait_seconds_count 3\n",
	    true);
	has(r, EXPOSE_OPENMETRICS, "le=\"1.0\"} 2\n", true);
	has(r, EXPOSE_OPENMETRICS, "# UNIT wait_seconds seconds\n", true);
}
END_TEST

START_TEST(accept_chooses_the_format)
{
	ck_assert_int_eq(expose_choose(NULL), EXPOSE_TEXT);
	ck_assert_int_eq(expose_choose("*/*"), EXPOSE_TEXT);
	ck_assert_int_eq(expose_choose("application/openmetrics-text;version=1.0.0;q=0.5, text/plain;q=0.4"),
			 EXPOSE_OPENMETRICS);
	ck_assert_int_eq(expose_choose("application/openmetrics-text;version=1.0.0;q=0.1,text/plain;q=0.4"),
			 EXPOSE_TEXT);
	ck_assert_int_eq(expose_choose("application/openmetrics-text; version=9"), EXPOSE_TEXT);
	ck_assert_int_eq(expose_choose("application/openmetrics-text;q=0"), EXPOSE_TEXT);
}
END_TEST

static const char *ready(_unused_ void *userdata)
{
	return NULL;
}

START_TEST(flows_are_counted)
{
	const struct metrics_host host = { NULL, ready, only_p0 };
	_cleanup_(metrics_freep) struct metrics *m = NULL;
	struct flow_store *store;
	sd_event *event = NULL;
	struct registry *r;
	struct flow f;
	json_t *config = json_loads("{\"listen\":\"127.0.0.1:0\",\"labels\":[\"source_pod\"]}", 0, NULL);
	struct err e = {};

	ck_assert_int_ge(sd_event_new(&event), 0);
	ck_assert_int_eq(flow_store_new(100, &store), 0);
	ck_assert_msg(metrics_new(event, config, NULL, store, &host, &m, &e) == 0, "%s", e.msg);
	json_decref(config);
	r = metrics_registry(m);
	f = new_flow(new_peer(300, "a", "x", NULL), new_peer(301, "a", "y", NULL));
	f.ev.type = WEIR_EV_DROP;
	f.ev.verdict = WEIR_DROPPED;
	f.ev.reason = WEIR_DROP_POLICY;
	flow_store_add(store, &f);
	f = flow_of(tool_call(L7_TOOL_ERROR));
	flow_store_add(store, &f);
	f = flow_of(chat());
	flow_store_add(store, &f);
	f = flow_of(http(200));
	flow_store_add(store, &f);
	f = flow_of(dns(0));
	flow_store_add(store, &f);
	metrics_catch_up(m);
	has(r, EXPOSE_TEXT, "hubble_drop_total{reason=\"POLICY_DENIED\",protocol=\"TCP\",source_pod=\"x\"} 1\n", true);
	has(r, EXPOSE_TEXT,
	    "weir_mcp_tool_calls_total{tool=\"execute_sql\",outcome=\"tool_error\",source_pod=\"planner-7d5\"} 1\n",
	    true);
	has(r, EXPOSE_TEXT, "weir_model_tokens_total{model=\"gpt-5\",kind=\"input\",source_pod=\"planner-7d5\"} 1200\n",
	    true);
	has(r, EXPOSE_TEXT,
	    "hubble_http_requests_total{method=\"GET\",protocol=\"HTTP/"
	    "1.1\",status=\"200\",reporter=\"server\",source_pod=\"planner-7d5\"} 1\n",
	    true);
	has(r, EXPOSE_TEXT, "hubble_dns_responses_total{rcode=\"No Error\",qtypes=\"A\",ips_returned=\"2\",", true);
	has(r, EXPOSE_TEXT, "hubble_dns_response_types_total{type=\"A\",qtypes=\"A\",", true);
	has(r, EXPOSE_TEXT, "hubble_dns_response_types_total{type=\"AAAA\",", false);
	metrics_free(TAKE_PTR(m));
	flow_store_free(store);
	sd_event_unref(event);
}
END_TEST

UNIT_MAIN(metrics, names_and_values_are_escaped, long_values_are_cut_between_characters,
	  too_many_series_overflow_and_are_counted, series_of_pods_that_are_gone_expire, buckets_hold_their_bound,
	  accept_chooses_the_format, flows_are_counted)
