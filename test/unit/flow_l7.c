// SPDX-License-Identifier: Apache-2.0
/* Exchanges of layer 7 as flows: their words, their message, the filters over them, their table in the documentation.
 */
#include "agent/flow/l7_text.h"
#include "agent/flow/summary.h"
#include "agent/flow/to_proto.h"
#include "lib/pbjson.h"
#include "test/unit/both.h"
#include "test/unit/l7_flows.h"

static const struct flow_node node = { "node-1", 0x1122334455667788 };

/* ---- words */

static void check_summary(struct l7_record *r, const char *want)
{
	struct flow f = flow_of(r);
	char buf[FLOW_SUMMARY_MAX];

	flow_summary(&f, buf);
	ck_assert_str_eq(buf, want);
	flow_clear(&f);
}

START_TEST(summaries)
{
	struct l7_record *r;

	check_summary(http(200), "HTTP/1.1 200 12ms (GET http://shop.example/v1/items)");
	check_summary(http(0), "HTTP/1.1 GET http://shop.example/v1/items no_answer");
	check_summary(dns(0),
		      "DNS Answer \"10.0.0.1,10.0.0.2\" CNAMEs: \"edge.example.\" TTL: 30 (Query example.com. A)");
	check_summary(dns(3), "DNS Answer RCode: Non-Existent Domain TTL: 0 (Query example.com. A)");
	r = record(L7_DNS, L7_NO_ANSWER, 0);
	set(r, L7_KEY_DNS_QUERY, "example.com.");
	set(r, L7_KEY_DNS_QTYPE, "AAAA");
	check_summary(r, "DNS Query example.com. AAAA no_answer");
	check_summary(tool_call(L7_TOOL_ERROR), "mcp tools/call execute_sql tool_error 41ms");
	check_summary(tool_call(L7_ERROR), "mcp tools/call execute_sql error(-32602) 41ms");
	check_summary(chat(), "llm chat gpt-5 ok 812ms in=1200 out=340 first=80ms");
	r = record(L7_A2A, L7_OK, 120);
	set(r, L7_KEY_A2A_METHOD, "SendMessage");
	set(r, L7_KEY_GEN_AI_AGENT, "Researcher");
	set(r, L7_KEY_A2A_STATE, "TASK_STATE_COMPLETED");
	check_summary(r, "a2a SendMessage Researcher ok 120ms TASK_STATE_COMPLETED");
	r = record(L7_GRPC, L7_ERROR, 3);
	set(r, L7_KEY_RPC_METHOD, "shop.Cart/Get");
	set(r, L7_KEY_RPC_STATUS, "NOT_FOUND");
	check_summary(r, "grpc shop.Cart/Get NOT_FOUND 3ms");
	r = record(L7_TLS, L7_UNKNOWN, 0);
	set(r, L7_KEY_TLS_SNI, "api.openai.com");
	set(r, L7_KEY_TLS_ALPN, "h2,http/1.1");
	check_summary(r, "tls api.openai.com h2,http/1.1");
	r = record(L7_MCP, L7_OK, 90000);
	r->flags = L7_LONG_LIVED | L7_FROM_SERVER;
	set(r, L7_KEY_MCP_METHOD, "subscriptions/listen");
	check_summary(r, "mcp subscriptions/listen ok server-asks long-lived");
	r = record(L7_HTTP, L7_UNKNOWN, 0);
	r->flags = L7_UNPARSEABLE | L7_PARTIAL;
	set(r, L7_KEY_REASON, "two lengths");
	check_summary(r, "http unknown unparseable: two lengths");
}
END_TEST

/* Whatever is cut, what is left is UTF-8. */
START_TEST(summaries_are_cut_between_characters)
{
	static const char *const chars[] = { "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

	for (size_t shift = 0; shift < 4; shift++)
		for (size_t c = 0; c < ARRAY_SIZE(chars); c++) {
			struct l7_record *r = record(L7_MCP, L7_OK, 1);
			char name[L7_STR_MAX + 8] = "", buf[FLOW_SUMMARY_MAX];
			struct flow f = flow_of(r);
			size_t len, width = strlen(chars[c]), head;

			memset(name, '-', shift);
			while (strlen(name) + width <= L7_STR_MAX)
				strcat(name, chars[c]);
			set(r, L7_KEY_MCP_METHOD, name);
			flow_summary(&f, buf);
			len = strlen(buf);
			head = strlen("mcp ") + shift;
			ck_assert(len < sizeof(buf) && len + width >= sizeof(buf));
			ck_assert_uint_eq((len - head) % width, 0);
			ck_assert(memcmp(buf + len - width, chars[c], width) == 0);
			flow_clear(&f);
		}
}
END_TEST

/* ---- the message */

static const char *json_of(struct flow *f, struct flow_msg *m)
{
	static char buf[16384];
	struct flow_face faces[FLOW_FACES_MAX];
	const Observer__GetFlowsResponse *msg;
	FILE *out;

	ck_assert_uint_eq(flow_faces(f, faces), 1);
	msg = flow_msg_fill(m, &node, f, &faces[0]);
	ck_assert_ptr_nonnull(msg);
	out = fmemopen(buf, sizeof(buf), "w");
	pbjson_write(out, &msg->base);
	fclose(out);
	return buf;
}

static void check_has(const char *json, const char *part)
{
	ck_assert_msg(strstr(json, part) != NULL, "no %s in %s", part, json);
}

START_TEST(an_http_exchange_as_a_message)
{
	_cleanup_(flow_msg_freep) struct flow_msg *m = flow_msg_new();
	struct flow f = flow_of(http(200));
	const char *json = json_of(&f, m);

	check_has(json, "\"Type\":\"L7\"");
	check_has(json, "\"event_type\":{\"type\":129}");
	check_has(json, "\"l4\":{\"TCP\":{\"source_port\":1000,\"destination_port\":80}}");
	check_has(json,
		  "\"l7\":{\"type\":\"RESPONSE\",\"latency_ns\":\"12000000\",\"http\":{\"code\":200,\"method\":\"GET\","
		  "\"url\":\"http://shop.example/v1/items\",\"protocol\":\"HTTP/1.1\",\"headers\":["
		  "{\"key\":\"content-length\",\"value\":\"321\"},{\"key\":\"traceparent\",\"value\":"
		  "\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"},"
		  "{\"key\":\"user-agent\",\"value\":\"curl/8\"}]}}");
	check_has(json, "\"traffic_direction\":\"INGRESS\"");
	check_has(json, "\"is_reply\":false");
	check_has(json, "\"trace_context\":{\"parent\":{\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\"}}");
	check_has(
	    json,
	    "\"extensions\":{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":{"
	    "\"weir.kind\":\"http\",\"weir.subject\":\"GET http://shop.example/v1/items\",\"weir.result\":\"200\","
	    "\"weir.outcome\":\"ok\",\"weir.latency_ms\":12,\"weir.first_ms\":12,"
	    "\"http.request.method\":\"GET\",\"http.response.status_code\":200,");
	flow_clear(&f);
}
END_TEST

START_TEST(other_exchanges_as_messages)
{
	_cleanup_(flow_msg_freep) struct flow_msg *m = flow_msg_new();
	struct flow f = flow_of(dns(0));
	const char *json;

	f.ev.proto = IPPROTO_UDP;
	json = json_of(&f, m);
	check_has(json, "\"dns\":{\"query\":\"example.com.\",\"ips\":[\"10.0.0.1\",\"10.0.0.2\"],\"ttl\":30,"
			"\"cnames\":[\"edge.example.\"],\"observation_source\":\"capture\",\"qtypes\":[\"A\"]}");
	check_has(json, "\"UDP\":{\"source_port\":1000,\"destination_port\":80}");
	ck_assert_ptr_null(strstr(json, "trace_context"));
	flow_clear(&f);

	f = flow_of(tool_call(L7_NO_ANSWER));
	f.l7->first_ns = f.l7->last_ns = 0;
	f.l7->flags = L7_PARTIAL | L7_MIDSTREAM | L7_UNPARSEABLE | L7_LONG_LIVED | L7_FROM_SERVER;
	f.dst->ep_id = 0;
	json = json_of(&f, m);
	check_has(json, "\"l7\":{\"type\":\"REQUEST\"}");
	check_has(json, "\"traffic_direction\":\"EGRESS\"");
	check_has(json, "\"weir.outcome\":\"no_answer\",\"weir.partial\":true,\"weir.midstream\":true,"
			"\"weir.unparseable\":true,\"weir.long_lived\":true,\"weir.from_server\":true,"
			"\"mcp.method.name\":\"tools/call\",\"gen_ai.tool.name\":\"execute_sql\"}");
	ck_assert_ptr_null(strstr(json, "latency"));
	flow_clear(&f);
}
END_TEST

START_TEST(the_fullest_record_fits)
{
	_cleanup_(flow_msg_freep) struct flow_msg *m = flow_msg_new();
	struct l7_record *r = record(L7_LLM, L7_OK, 1);
	char text[L7_STR_MAX + 1] = { 0 };
	struct flow_face faces[FLOW_FACES_MAX];
	const Observer__GetFlowsResponse *msg;
	struct flow f = flow_of(r);

	r->flags = 0x1f;
	memset(text, 'x', L7_STR_MAX);
	for (unsigned key = 0; key < L7_ATTRS_MAX; key++)
		set(r, key, text);
	flow_faces(&f, faces);
	msg = flow_msg_fill(m, &node, &f, &faces[0]);
	ck_assert_ptr_nonnull(msg);
	ck_assert_uint_gt(msg->flow->extensions->value.len, L7_ATTRS_MAX * L7_STR_MAX);
	flow_clear(&f);
}
END_TEST

START_TEST(trace_ids_that_are_none)
{
	static const char *const bad[] = { "",
					   "00-",
					   "00-0af7651916cd43dd8448eb211c80319c",
					   "00-00000000000000000000000000000000-1-1",
					   "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
					   "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
	_cleanup_(flow_msg_freep) struct flow_msg *m = flow_msg_new();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct flow f = flow_of(tool_call(L7_OK));

		set(f.l7, L7_KEY_TRACEPARENT, bad[i]);
		ck_assert_ptr_null(strstr(json_of(&f, m), "trace_context"));
		flow_clear(&f);
	}
}
END_TEST

/* ---- filters */

struct row {
	unsigned field;
	const char *value;
	char want; /* of http(404), dns(0), tool_call: which pass, 'h' 1, 'd' 2, 't' 4; -1: refused */
};

enum { H = 1, D = 2, T = 4 };

static const struct row rows[] = {
	{ 9, "404", H },
	{ 9, "4+", H },
	{ 9, "40+", H },
	{ 9, "5+", 0 },
	{ 9, "200", 0 },
	{ 12, "http", H },
	{ 12, "HTTP", H },
	{ 12, "dns", D },
	{ 12, "kafka", 0 },
	{ 12, "tcp", H | D | T },
	{ 18, "^example\\.com\\.$", D },
	{ 18, "exa.*", D },
	{ 18, "^com", 0 },
	{ 18, "(", -1 },
	{ 18, "a{9}", -1 },
	{ 18, "(?i)a", -1 },
	{ 18, "(a)\\1", -1 },
	{ 18, "a++++++++", -1 }, /* twice the memory for each: not so many that a machine would die of this test */
	{ 18, "((((((a+)+)+)+)+)+)+", -1 },
	{ 18, "([)]+([[:alpha:])]+([])]+(x+)+)+)+)+", -1 },
	{ 18, "(a+b+c+)+|[+*]+[^]]+[+]|exa", D },
	{ 18, "[{]|example", D },
	{ 21, "get", H },
	{ 21, "POST", 0 },
	{ 22, "^/v\\d/", H },
	{ 22, "^/v\\D/", 0 },
	{ 22, "/items$", H },
	{ 22, "/nope", 0 },
	{ 31, "shop.example/v1", H },
	{ 31, "^https:", 0 },
	{ 28, "0af7651916cd43dd8448eb211c80319c", H },
	{ 28, "0af7651916cd43dd8448eb211c80319d", 0 },
	{ 23, NULL, 0 },
	{ 1001, "http", H },
	{ 1001, "MCP", T },
	{ 1001, "dns", D },
	{ 1001, "smtp", -1 },
	{ 1002, "execute_sql", T },
	{ 1002, "execute_*", T },
	{ 1002, "*_sql", T },
	{ 1002, "*", T },
	{ 1002, "*e*e*q*", T },
	{ 1002, "execute", 0 },
	{ 1002, "", 0 },
	{ 1003, "tools/call", T },
	{ 1003, "tools/*", T },
	{ 1003, "tools/list", 0 },
	{ 1004, "planner", H | D | T },
	{ 1004, "tools", H | D | T },
	{ 1004, "planner-deploy", H | D | T },
	{ 1004, "Sql*", T },
	{ 1004, "nobody", 0 },
	{ 1004, "", 0 },
	{ 1005, "ok", H | D },
	{ 1005, "tool_error", T },
	{ 1005, "fine", -1 },
};

static int passes(const Flow__FlowFilter *filter, const struct flow *f, struct err *e)
{
	struct flow_face face;

	return passes_both(filter, false, &node, f, &face, e);
}

START_TEST(filters)
{
	struct flow flows[] = { flow_of(http(404)), flow_of(dns(0)), flow_of(tool_call(L7_TOOL_ERROR)) };

	set(flows[2].l7, L7_KEY_GEN_AI_AGENT, "SqlAgent");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const ProtobufCFieldDescriptor *d =
		    protobuf_c_message_descriptor_get_field(&flow__flow_filter__descriptor, rows[i].field);
		Flow__FlowFilter filter = FLOW__FLOW_FILTER__INIT;
		Flow__TCPFlags flags = FLOW__TCPFLAGS__INIT;
		char *value[] = { rows[i].value ? (char *)rows[i].value : (char *)&flags };

		*(size_t *)((char *)&filter + d->quantifier_offset) = 1;
		*(char ***)((char *)&filter + d->offset) = value;
		for (size_t k = 0; k < ARRAY_SIZE(flows); k++) {
			struct err e = { 0 };
			int r = passes(&filter, &flows[k], &e);
			int want = rows[i].want < 0 ? -EINVAL : !!(rows[i].want & 1 << k);

			ck_assert_msg(r == want, "%s \"%s\" over flow %zu: %d %s", d->name, rows[i].value ?: "", k, r,
				      e.msg);
		}
	}
	for (size_t k = 0; k < ARRAY_SIZE(flows); k++)
		flow_clear(&flows[k]);
}
END_TEST

START_TEST(flows_of_packets_meet_no_filter_of_layer_7)
{
	struct flow f = flow_of(NULL);

	f.ev.type = WEIR_EV_NEW;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const ProtobufCFieldDescriptor *d =
		    protobuf_c_message_descriptor_get_field(&flow__flow_filter__descriptor, rows[i].field);
		Flow__FlowFilter filter = FLOW__FLOW_FILTER__INIT;
		char *value[] = { (char *)rows[i].value };

		if (rows[i].want < 0 || !value[0] || streq(value[0], "tcp"))
			continue;
		*(size_t *)((char *)&filter + d->quantifier_offset) = 1;
		*(char ***)((char *)&filter + d->offset) = value;
		ck_assert_int_eq(passes(&filter, &f, NULL), 0);
	}
	flow_clear(&f);
}
END_TEST

START_TEST(filters_of_messages)
{
	struct flow f = flow_of(http(200)), packet = flow_of(NULL);
	Flow__FlowFilter filter = FLOW__FLOW_FILTER__INIT;
	Flow__HTTPHeader header = FLOW__HTTPHEADER__INIT, *headers[] = { &header };
	Flow__EventTypeFilter type = FLOW__EVENT_TYPE_FILTER__INIT, *types[] = { &type };
	protobuf_c_boolean reply = false;

	header.key = (char *)"User-Agent";
	header.value = (char *)"curl/8";
	filter.n_http_header = 1;
	filter.http_header = headers;
	ck_assert_int_eq(passes(&filter, &f, NULL), 1);
	header.key = (char *)"content-length";
	ck_assert_int_eq(passes(&filter, &f, NULL), 0);
	header.value = (char *)"321";
	ck_assert_int_eq(passes(&filter, &f, NULL), 1);
	filter = (Flow__FlowFilter)FLOW__FLOW_FILTER__INIT;
	type.type = FLOW_FACE_L7;
	filter.n_event_type = 1;
	filter.event_type = types;
	filter.n_reply = 1; /* as Hubble's UI asks */
	filter.reply = &reply;
	ck_assert_int_eq(passes(&filter, &f, NULL), 1);
	packet.ev.type = WEIR_EV_NEW;
	ck_assert_int_eq(passes(&filter, &packet, NULL), 0);
	flow_clear(&f);
	flow_clear(&packet);
}
END_TEST

/* ---- the documentation */

static const struct {
	const char *name, *type, *source;
} keys[] = {
#define X(name, otel, type, source) { otel, #type, source },
	L7_KEYS(X)
#undef X
};

START_TEST(every_key_is_in_the_table_of_the_documentation)
{
	_cleanup_fclose_ FILE *f = fopen("docs/flows.md", "re");
	bool in_table = false;
	size_t n = 0;
	char line[512], want[512];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, "compared with agent/l7/record.h"))
			in_table = true;
		if (!in_table || !str_prefix(line, "| `"))
			continue;
		ck_assert_uint_lt(n, ARRAY_SIZE(keys));
		snprintf(want, sizeof(want), "| `%s` | %s | %s | ", keys[n].name,
			 streq(keys[n].type, "S") ? "text" : "number", keys[n].source);
		ck_assert_msg(str_prefix(line, want), "docs/flows.md has %s, not %s", line, want);
		if (++n == ARRAY_SIZE(keys))
			break;
	}
	ck_assert_uint_eq(n, ARRAY_SIZE(keys));
}
END_TEST

UNIT_MAIN(flow_l7, summaries, summaries_are_cut_between_characters, an_http_exchange_as_a_message,
	  other_exchanges_as_messages, the_fullest_record_fits, trace_ids_that_are_none, filters,
	  flows_of_packets_meet_no_filter_of_layer_7, filters_of_messages,
	  every_key_is_in_the_table_of_the_documentation)
