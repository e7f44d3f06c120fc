// SPDX-License-Identifier: Apache-2.0
/* What `weir observe` and `weir agents` print of exchanges of layer 7. */
#include "agent/flow/to_proto.h"
#include "cli/agents.h"
#include "cli/l7_view.h"
#include "cli/observe_print.h"
#include "test/unit.h"
#include "test/unit/l7_flows.h"

static const struct flow_node node = { "node-1", 1 };

static char *text;
static size_t text_len;

static FILE *begin(void)
{
	return open_memstream(&text, &text_len);
}

static void check(FILE *f, const char *want)
{
	fclose(f);
	ck_assert_str_eq(text, want);
	free(TAKE_PTR(text));
}

/* The message of a flow with this record; both are cleared with the next one. */
static const Observer__GetFlowsResponse *message(struct flow *f, struct flow_msg *m)
{
	struct flow_face faces[FLOW_FACES_MAX];

	flow_faces(f, faces);
	return flow_msg_fill(m, &node, f, &faces[0]);
}

static void check_print(enum observe_output output, bool color, struct l7_record *r, const char *want)
{
	_cleanup_(flow_msg_freep) struct flow_msg *m = flow_msg_new();
	struct flow f = flow_of(r);
	struct printer p = { .out = begin(), .output = output };

	p.style = (struct flow_style){
		.color = color, .policy_names = true, .ip_translation = true, .time_layout = time_layout("StampMilli")
	};
	ck_assert_int_eq(printer_flow(&p, message(&f, m)), 0);
	printer_end(&p);
	check(p.out, want);
	flow_clear(&f);
}

#define HEAD "Nov 14 22:13:20.123: prod/planner-7d5 -> prod/tools  "

START_TEST(compact)
{
	struct l7_record *r;

	check_print(OUTPUT_COMPACT, false, tool_call(L7_TOOL_ERROR),
		    HEAD "mcp tools/call execute_sql  tool_error  41ms\n");
	check_print(OUTPUT_COMPACT, false, chat(), HEAD "llm chat gpt-5  ok  812ms  in=1200 out=340 first=80ms\n");
	check_print(OUTPUT_COMPACT, false, http(200), HEAD "http GET http://shop.example/v1/items  200  12ms\n");
	check_print(OUTPUT_COMPACT, false, dns(3), HEAD "dns example.com. A  NXDOMAIN  3.0ms\n");
	check_print(OUTPUT_COMPACT, false, http(0), HEAD "http GET http://shop.example/v1/items  no_answer\n");
	r = tool_call(L7_OK);
	r->flags = L7_LONG_LIVED | L7_FROM_SERVER; /* the caller is who was connected to */
	check_print(OUTPUT_COMPACT, false, r,
		    "Nov 14 22:13:20.123: prod/tools -> prod/planner-7d5  mcp tools/call execute_sql  ok  server-asks "
		    "long-lived\n");
	check_print(OUTPUT_COMPACT, true, tool_call(L7_TOOL_ERROR),
		    "Nov 14 22:13:20.123: \033[36mprod/planner-7d5\033[0m -> \033[36mprod/tools\033[0m  "
		    "mcp tools/call execute_sql  \033[31mtool_error\033[0m  41ms\n");
}
END_TEST

START_TEST(other_formats)
{
	check_print(
	    OUTPUT_DICT, false, tool_call(L7_OK),
	    "  TIMESTAMP: Nov 14 22:13:20.123\n     SOURCE: prod/planner-7d5:1000\nDESTINATION: prod/tools:80\n"
	    "       TYPE: mcp-response\n    VERDICT: FORWARDED\n    SUMMARY: mcp tools/call execute_sql ok 41ms\n");
	check_print(OUTPUT_TABLE, false, dns(0),
		    "TIMESTAMP             SOURCE                  DESTINATION     TYPE                   VERDICT     "
		    "SUMMARY\n"
		    "Nov 14 22:13:20.123   prod/planner-7d5:1000   prod/tools:80   dns-response capture   FORWARDED   "
		    "DNS Answer \"10.0.0.1,10.0.0.2\" CNAMEs: \"edge.example.\" TTL: 30 (Query example.com. A)\n");
}
END_TEST

START_TEST(nothing_on_the_wire_moves_the_terminal)
{
	struct l7_record *r = tool_call(L7_OK);

	/* a record has no control characters; a server that is not ours may send what it likes */
	r->attrs[0].s = "\033]0;x\007\r\n";
	check_print(OUTPUT_COMPACT, false, r, HEAD "mcp ^[]0;x\\x07\\r\\n execute_sql  ok  41ms\n");
}
END_TEST

static void add(struct graph *g, struct l7_record *r, bool turned)
{
	_cleanup_(flow_msg_freep) struct flow_msg *m = flow_msg_new();
	struct flow f = flow_of(r);

	if (r && turned)
		r->flags |= L7_FROM_SERVER;
	if (!r)
		f.ev.type = WEIR_EV_NEW;
	ck_assert_int_eq(graph_add(g, message(&f, m)->flow), 0);
	flow_clear(&f);
}

static struct graph *some_graph(void)
{
	struct graph *g = graph_new();

	for (unsigned i = 1; i <= 20; i++) {
		struct l7_record *r = tool_call(i == 20 ? L7_TOOL_ERROR : L7_OK);

		r->last_ns = i * MS;
		add(g, r, false);
	}
	add(g, chat(), false);
	add(g, chat(), false);
	add(g, http(200), false);
	add(g, http(0), false);
	add(g, dns(0), false); /* is not counted, nor are packets */
	add(g, NULL, false);
	add(g, tool_call(L7_ONEWAY), true);
	return g;
}

START_TEST(graph_as_table)
{
	static const char want[] =
	    "CALLER                CALLEE                PROTOCOL   WHAT                     CALLS   ERRORS   "
	    "P50     P95     TOKENS IN   TOKENS OUT\n"
	    "prod/planner-deploy   prod/tools            http       GET                      2       1        "
	    "12ms    12ms    -           -\n"
	    "prod/planner-deploy   prod/tools            llm        chat gpt-5               2       0        "
	    "812ms   812ms   2400        680\n"
	    "prod/planner-deploy   prod/tools            mcp        tools/call execute_sql   20      1        "
	    "10ms    19ms    -           -\n"
	    "prod/tools            prod/planner-deploy   mcp        tools/call execute_sql   1       0        "
	    "41ms    41ms    -           -\n";
	_cleanup_(graph_freep) struct graph *g = some_graph();
	FILE *f = begin();

	ck_assert_int_eq(graph_print_table(g, f), 0);
	check(f, want);
}
END_TEST

START_TEST(graph_as_json)
{
	_cleanup_(graph_freep) struct graph *g = graph_new();
	FILE *f = begin();

	graph_print_json(g, f);
	check(f, "[]\n");
	add(g, chat(), false);
	add(g, tool_call(L7_NO_ANSWER), false);
	f = begin();
	graph_print_json(g, f);
	check(
	    f,
	    "[{\"caller\":\"prod/planner-deploy\",\"callee\":\"prod/tools\",\"protocol\":\"llm\",\"what\":\"chat "
	    "gpt-5\","
	    "\"calls\":1,\"errors\":0,\"p50_ms\":812.000,\"p95_ms\":812.000,\"input_tokens\":1200,\"output_tokens\":"
	    "340},\n"
	    "{\"caller\":\"prod/planner-deploy\",\"callee\":\"prod/tools\",\"protocol\":\"mcp\",\"what\":\"tools/call "
	    "execute_sql\",\"calls\":1,\"errors\":1,\"p50_ms\":41.000,\"p95_ms\":41.000}]\n");
}
END_TEST

START_TEST(graph_as_dot)
{
	_cleanup_(graph_freep) struct graph *g = graph_new();
	struct l7_record *r = tool_call(L7_OK);
	FILE *f = begin();

	set(r, L7_KEY_GEN_AI_TOOL, "a\"];evil\\[\"");
	add(g, r, false);
	add(g, chat(), false);
	graph_print_dot(g, f);
	check(f, "digraph agents {\n\trankdir=LR;\n\tnode [shape=box];\n"
		 "\t\"prod/planner-deploy\" -> \"prod/tools\" [label=\"llm chat gpt-5\\n1 calls, 0 errors, p95 812ms\\n"
		 "1200 tokens in, 340 out\"];\n"
		 "\t\"prod/planner-deploy\" -> \"prod/tools\" [label=\"mcp tools/call a\\\"];evil\\\\[\\\"\\n"
		 "1 calls, 0 errors, p95 41ms\"];\n}\n");
}
END_TEST

START_TEST(durations)
{
	static const struct {
		double ms;
		const char *want;
	} expected[] = { { 0, "0.0ms" },   { 0.44, "0.4ms" },    { 9.94, "9.9ms" },   { 9.96, "10ms" },
			 { 41.4, "41ms" }, { 9999.4, "9999ms" }, { 9999.6, "10.0s" }, { 123456, "123.5s" } };
	char buf[L7_DURATION_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		ck_assert_str_eq(l7_duration(expected[i].ms, buf), expected[i].want);
}
END_TEST

UNIT_MAIN(cli_l7, compact, other_formats, nothing_on_the_wire_moves_the_terminal, graph_as_table, graph_as_json,
	  graph_as_dot, durations)
