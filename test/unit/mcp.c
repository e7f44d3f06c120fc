// SPDX-License-Identifier: Apache-2.0
/* Conversations of MCP, as the SDKs hold them. */
#include "test/unit/app_world.h"

START_TEST(mcp_over_streamable_http)
{
	static const char head[] = JSON "\nmcp-session-id: 9ce87c8e\nmcp-protocol-version: 2025-11-25";
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/mcp", JSON,
			 "{\"jsonrpc\":\"2.0\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-"
			 "25\",\"clientInfo\":{"
			 "\"name\":\"c\",\"version\":\"1\"}}"
			 ",\"jsonrpc\":\"2.0\",\"id\":0}",
			 200, SSE "\nmcp-session-id: 9ce87c8e",
			 "event: message\ndata: "
			 "{\"jsonrpc\":\"2.0\",\"result\":{\"protocolVersion\":\"2025-06-18\",\"serverInfo\":{\"name\":"
			 "\"s\",\"version\":"
			 "\"2\"}},"
			 "\"jsonrpc\":\"2.0\",\"id\":0}\n\n");
		exchange(&w, "/mcp", head,
			 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\",\"jsonrpc\":\"2.0\"}", 202,
			 "x: y", NULL);
		exchange(
		    &w, "/mcp", head,
		    "{\"jsonrpc\":\"2.0\",\"method\":\"tools\\/"
		    "call\",\"params\":{\"arguments\":{\"name\":\"wrong\",\"method\":\"x\"},\"name\":\"execute_sql\"},"
		    "\"jsonrpc\":\"2.0\",\"id\":2}",
		    200, SSE,
		    ": ping\r\n\r\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\"result\":{\"content\":[],\r\ndata: "
		    "\"isError\":true},\"id\":2}\r\n\r\n");
		exchange(&w, "/mcp", head,
			 "{\"jsonrpc\":\"2.0\",\"method\":\"tools/"
			 "call\",\"params\":{\"name\":\"nosuch\"},\"jsonrpc\":\"2.0\",\"id\":\"a\\u0041\"}",
			 200, JSON,
			 "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32602,\"message\":\"m\"},\"id\":\"aA\"}");
		ck_assert_uint_eq(w.n, 4);
		check(&w, 0, L7_MCP, L7_OK,
		      "mcp.method.name=initialize mcp.protocol.version=2025-06-18 mcp.client.name=c mcp.server.name=s "
		      "jsonrpc.request.id=0 http.response.status_code=200");
		check(&w, 1, L7_MCP, L7_ONEWAY,
		      "mcp.method.name=notifications/initialized mcp.protocol.version=2025-11-25");
		check(&w, 2, L7_MCP, L7_TOOL_ERROR,
		      "mcp.method.name=tools/call gen_ai.tool.name=execute_sql error.type=tool_error "
		      "gen_ai.operation.name=execute_tool");
		check(&w, 3, L7_MCP, L7_ERROR, "jsonrpc.request.id=aA error.type=-32602 gen_ai.tool.name=nosuch");
		ck_assert_str_ne(l7_record_get(w.got[2], L7_KEY_MCP_SESSION), "9ce87c8e"); /* hashed */
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(mcp_answers_on_another_connection)
{
	struct world w;
	struct http_exchange *stream;
	struct http_header type = { "content-type", "text/event-stream", 12, 17 };
	struct http_head ok = { .status = 200, .headers = &type, .n_headers = 1 };

	for_each_split(&w)
	{
		stream = ask(&w, "GET", "/sse", "accept: text/event-stream", NULL);
		http_app_answer(stream, &ok, ++w.now);
		body(&w, stream, 1, "event: endpoint\ndata: /messages?sessionId=abc\n\n");
		exchange(&w, "/messages?sessionId=abc", JSON,
			 "{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"id\":1}", 202, "x: y", "Accepted");
		ck_assert_uint_eq(w.n, 0);
		body(&w, stream, 1,
		     "event: message\ndata: {\"jsonrpc\":\"2.0\",\"result\":{\"tools\":[]},\"id\":1}\n\n");
		check(&w, 0, L7_MCP, L7_OK, "mcp.method.name=tools/list jsonrpc.request.id=1");
		/* the server asks, the client answers in a request of its own */
		body(&w, stream, 1,
		     "data: {\"jsonrpc\":\"2.0\",\"method\":\"elicitation/create\",\"params\":{},\"id\":0}\n\n");
		exchange(&w, "/messages?sessionId=abc", JSON,
			 "{\"jsonrpc\":\"2.0\",\"result\":{\"action\":\"accept\"},\"id\":0}", 202, "x: y", "Accepted");
		check(&w, 1, L7_MCP, L7_OK, "mcp.method.name=elicitation/create jsonrpc.request.id=0");
		ck_assert_uint_eq(w.got[1]->flags, L7_FROM_SERVER);
		http_app_done(stream, 1, false, ++w.now);
		http_app_close(stream, 0, NULL, ++w.now);
		check(&w, 2, L7_HTTP, L7_CANCELLED, "http.request.method=GET weir.stream.events=3");
		ck_assert_uint_eq(w.got[2]->flags, L7_LONG_LIVED);
		ck_assert_uint_eq(w.n, 3);
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(mcp_without_sessions)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/mcp", JSON "\nmcp-protocol-version: 2026-07-28\nmcp-method: tools/call\nmcp-name: add",
			 "{\"jsonrpc\":\"2.0\",\"method\":\"tools/"
			 "call\",\"params\":{\"name\":\"add\",\"_meta\":{\"io.modelcontextprotocol/"
			 "protocolVersion\":\"2026-07-28\","
			 "\"io.modelcontextprotocol/"
			 "clientInfo\":{\"name\":\"c\",\"version\":\"1\"},\"traceparent\":\"00-1-2-3\"}},\"id\":6}",
			 200, JSON,
			 "{\"jsonrpc\":\"2.0\",\"result\":{\"content\":[],\"_meta\":{\"io.modelcontextprotocol/"
			 "serverInfo\":{\"name\":\"s\",\"version\":\"2\"}}},\"id\":6}");
		check(&w, 0, L7_MCP, L7_OK,
		      "mcp.protocol.version=2026-07-28 mcp.client.name=c mcp.server.name=s traceparent=00-1-2-3 "
		      "gen_ai.tool.name=add");
		ck_assert_uint_eq(w.n, 1);
		forget(&w);
		/* the body is not looked into: the headers still tell */
		w.host.headers_only = true;
		exchange(
		    &w, "/mcp",
		    JSON
		    "\nmcp-protocol-version: 2026-07-28\nmcp-method: tools/call\nmcp-name: =?base64?Z3LDtsOfZQ==?=",
		    "{}", 200, JSON, "{}");
		check(&w, 0, L7_MCP, L7_UNKNOWN, "mcp.method.name=tools/call gen_ai.tool.name=größe");
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(a_session_begins_with_the_answer_to_initialize)
{
	struct world w;

	begin(&w, 0);
	w.settings.record_session = true;
	exchange(&w, "/mcp", JSON, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{}}", 200,
		 JSON "\nmcp-session-id: s-1", "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}");
	check(&w, 0, L7_MCP, L7_OK, "mcp.session.id=s-1");
	forget(&w);
	end(&w);
}
END_TEST

START_TEST(what_is_cut_is_named_by_its_headers)
{
	struct http_exchange *x;
	struct world w;

	begin(&w, 0);
	x = ask(&w, "POST", "/mcp", JSON "\nmcp-protocol-version: 2026-07-28\nmcp-method: tools/call\nmcp-name: add",
		"{\"params\":{");
	http_app_body_gap(x, 0, 100000, ++w.now);
	answer(&w, x, 200, JSON, "{}", true);
	check(&w, 0, L7_MCP, L7_UNKNOWN, "mcp.method.name=tools/call gen_ai.tool.name=add");
	ck_assert(w.got[0]->flags & L7_PARTIAL);
	exchange(&w, "/mcp", JSON "\nmcp-protocol-version: 2026-07-28\nmcp-method: tasks/get\nmcp-name: t1", "{}", 202,
		 JSON, "{}");
	check(&w, 1, L7_MCP, L7_ONEWAY, "mcp.method.name=tasks/get mcp.resource.uri=");
	forget(&w);
	/* NUL does not end a name */
	exchange(&w, "/mcp", JSON, CALL("1", "safe\\u0000evil"), 200, JSON,
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	check(&w, 0, L7_MCP, L7_OK,
	      "gen_ai.tool.name=safe\xef\xbf\xbd"
	      "evil");
	forget(&w);
	end(&w);
}
END_TEST

#define MCP_HEAD JSON "\nmcp-session-id: s\nmcp-protocol-version: 2025-11-25"
#define RPC(method, params) "{\"method\":\"" method "\",\"params\":" params ",\"jsonrpc\":\"2.0\",\"id\":7}"
#define OK_RPC "{\"result\":{},\"jsonrpc\":\"2.0\",\"id\":7}"

START_TEST(what_methods_are_about)
{
	static const struct {
		const char *sent, *want;
	} cases[] = {
		{ RPC("completion/complete", "{\"ref\":{\"type\":\"ref/prompt\",\"name\":\"review\"},\"argument\":{"
					     "\"name\":\"lang\",\"value\":\"p\"}}"),
		  "gen_ai.prompt.name=review mcp.resource.uri= gen_ai.tool.name=" },
		{ RPC("completion/complete", "{\"ref\":{\"type\":\"ref/resource\",\"uri\":\"file:///{path}?k=1\"}}"),
		  "mcp.resource.uri=file:///{path} gen_ai.prompt.name=" },
		{ RPC("resources/subscribe", "{\"uri\":\"file:///a\"}"), "mcp.resource.uri=file:///a" },
		{ RPC("resources/templates/list", "{}"), "mcp.method.name=resources/templates/list mcp.resource.uri=" },
		{ RPC("prompts/get", "{\"arguments\":{\"name\":\"x\"},\"name\":\"review\"}"),
		  "gen_ai.prompt.name=review gen_ai.operation.name=" },
		{ RPC("logging/setLevel", "{\"level\":\"debug\"}"), "mcp.method.name=logging/setLevel" },
		{ RPC("tasks/get", "{\"taskId\":\"t\"}"), "mcp.method.name=tasks/get" },
		{ RPC("tasks/list", "{}"), "mcp.method.name=tasks/list" },
	};
	struct http_exchange *x;
	struct world w;

	for_each_split(&w)
	{
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			exchange(&w, "/mcp", MCP_HEAD, cases[i].sent, 200, JSON, OK_RPC);
			check(&w, 0, L7_MCP, L7_OK, cases[i].want);
			forget(&w);
		}
		/* of before there were headers for it */
		exchange(&w, "/mcp", JSON, RPC("tasks/result", "{\"taskId\":\"t\"}"), 200, JSON,
			 "{\"result\":{\"content\":[],\"isError\":true},\"jsonrpc\":\"2.0\",\"id\":7}");
		check(&w, 0, L7_MCP, L7_TOOL_ERROR, "mcp.method.name=tasks/result");
		forget(&w);
		/* a task instead of a result */
		exchange(
		    &w, "/mcp", MCP_HEAD, RPC("tools/call", "{\"name\":\"long\",\"task\":{\"ttl\":60000}}"), 200, JSON,
		    "{\"result\":{\"task\":{\"taskId\":\"t\",\"status\":\"working\"}},\"jsonrpc\":\"2.0\",\"id\":7}");
		check(&w, 0, L7_MCP, L7_OK, "gen_ai.tool.name=long mcp.result.type=task");
		forget(&w);
		x = ask(&w, "GET", "/mcp", "accept: text/event-stream\nmcp-session-id: s", NULL);
		answer(
		    &w, x, 200, SSE,
		    "event: message\nid: 1\ndata: {\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":"
		    "\"file:///a\"},\"jsonrpc\":\"2.0\"}\n\n"
		    "data: {\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1},"
		    "\"jsonrpc\":\"2.0\"}\n\n",
		    true);
		check(&w, 0, L7_MCP, L7_ONEWAY, "mcp.resource.uri=file:///a");
		check(&w, 1, L7_MCP, L7_ONEWAY, "mcp.method.name=notifications/progress");
		ck_assert_uint_eq(w.n, 3);
		forget(&w);
		end(&w);
	}
}
END_TEST

/* The legacy transport promises an answer on the stream, with whatever status of success; some say 200. */
START_TEST(a_legacy_server_may_accept_with_any_success)
{
	struct http_header type = { "content-type", "text/event-stream", 12, 17 };
	struct http_head ok = { .status = 200, .headers = &type, .n_headers = 1 };
	struct http_exchange *stream;
	struct world w;

	for_each_split(&w)
	{
		stream = ask(&w, "GET", "/sse", "accept: text/event-stream", NULL);
		http_app_answer(stream, &ok, ++w.now);
		body(&w, stream, 1, "event: endpoint\ndata: /message?sessionId=abc\n\n");
		exchange(&w, "/message?sessionId=abc", JSON, CALL("1", "t"), 200, "content-length: 0", NULL);
		ck_assert_uint_eq(w.n, 0);
		body(&w, stream, 1, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"result\":{},\"id\":1}\n\n");
		check(&w, 0, L7_MCP, L7_OK, "gen_ai.tool.name=t");
		/* but a refusal is one */
		answer(&w, ask(&w, "POST", "/message?sessionId=abc", JSON, CALL("2", "u")), 404, JSON, NULL, true);
		check(&w, 1, L7_MCP, L7_ERROR, "gen_ai.tool.name=u error.type=404");
		http_app_done(stream, 1, true, ++w.now);
		http_app_close(stream, 0, NULL, ++w.now);
		ck_assert_uint_eq(w.n, 3);
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(calls_may_be_cancelled)
{
	struct http_exchange *x;
	struct world w;

	for_each_split(&w)
	{
		/* by a notification: the answer's stream is still open, and says no more about it */
		x = ask(&w, "POST", "/mcp", JSON "\nmcp-session-id: s", CALL("\"7\"", "slow"));
		exchange(&w, "/mcp", JSON "\nmcp-session-id: s",
			 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}",
			 202, JSON, NULL);
		check(&w, 0, L7_MCP, L7_ONEWAY, "mcp.method.name=notifications/cancelled"); /* 7 is not "7" */
		exchange(
		    &w, "/mcp", JSON "\nmcp-session-id: s",
		    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"7\"}}",
		    202, JSON, NULL);
		check(&w, 1, L7_MCP, L7_CANCELLED, "gen_ai.tool.name=slow http.request.method=POST");
		check(&w, 2, L7_MCP, L7_ONEWAY, "mcp.method.name=notifications/cancelled");
		answer(&w, x, 200, SSE, "data: {\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":{}}\n\n", true);
		ck_assert_uint_eq(w.n, 3);
		forget(&w);
		/* nor is no id "" */
		x = ask(&w, "POST", "/mcp", JSON "\nmcp-session-id: s", CALL("\"\"", "slow"));
		exchange(&w, "/mcp", JSON "\nmcp-session-id: s",
			 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{}}", 202, JSON, NULL);
		answer(&w, x, 200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":\"\",\"result\":{}}", true);
		check(&w, 0, L7_MCP, L7_ONEWAY, "mcp.method.name=notifications/cancelled");
		check(&w, 1, L7_MCP, L7_OK, "gen_ai.tool.name=slow");
		ck_assert_uint_eq(w.n, 2);
		forget(&w);
		/* by closing the stream, since 2026-07-28 */
		x = ask(&w, "POST", "/mcp", JSON "\nmcp-protocol-version: 2026-07-28", CALL("8", "slow"));
		http_app_left(x);
		answer(&w, x, 200, SSE, ": wait\n\n", false);
		check(&w, 0, L7_MCP, L7_CANCELLED, "gen_ai.tool.name=slow");
		ck_assert_uint_eq(w.n, 1);
		forget(&w);
		/* before there was an answer */
		x = ask(&w, "POST", "/mcp", JSON, CALL("9", "slow"));
		http_app_left(x);
		http_app_close(x, 0, NULL, ++w.now);
		x = ask(&w, "GET", "/slow", "accept: */*", NULL);
		http_app_left(x);
		http_app_close(x, 0, NULL, ++w.now);
		check(&w, 0, L7_MCP, L7_CANCELLED, "gen_ai.tool.name=slow");
		check(&w, 1, L7_HTTP, L7_CANCELLED, "url.path=/slow");
		ck_assert_uint_eq(w.n, 2);
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(an_unfinished_call_is_told_as_what_it_is)
{
	struct http_exchange *x;
	struct world w;

	begin(&w, 0);
	exchange(&w, "/mcp", JSON "\nmcp-protocol-version: 2026-07-28", CALL("1", "ask"), 200, JSON,
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{}}}");
	check(&w, 0, L7_MCP, L7_OK, "mcp.result.type=input_required");
	exchange(&w, "/mcp", JSON, CALL("2", "ask"), 200, JSON,
		 "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"resultType\":\"complete\"}}");
	check(&w, 1, L7_MCP, L7_OK, "mcp.result.type=");
	forget(&w);
	/* A stream of before 2026-07-28 may be taken up again; nobody did. */
	x = ask(&w, "POST", "/mcp", JSON, CALL("3", "slow"));
	http_app_left(x);
	answer(&w, x, 200, SSE, ": wait\n\n", false);
	exchange(&w, "/mcp", JSON, CALL("4", "polled"), 200, SSE, ": later\n\n");
	ck_assert_uint_eq(w.n, 0);
	http_app_tick(w.app, w.now + 301 * 1000000000ull);
	check(&w, 0, L7_MCP, L7_CANCELLED, "gen_ai.tool.name=slow");
	check(&w, 1, L7_MCP, L7_NO_ANSWER, "gen_ai.tool.name=polled");
	ck_assert_uint_eq(w.n, 2);
	forget(&w);
	end(&w);
}
END_TEST

static const char tool_call[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"login\",\"arguments\": "
    "{ \"user\" : \"a}\\\"\", \"API_Key\":[1,{\"x\":2}],\"opt\":{\"list\":[ ] } } ,\"_meta\":{\"x\":1}}}";
static const char tool_result[] = "{\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"password\\\":\\\"p\\\"}"
				  "\"}],\"isError\":false},\"id\":1,"
				  "\"jsonrpc\":\"2.0\"}";

START_TEST(data_of_tools_is_recorded_when_asked_for)
{
	static char *patterns[] = { "*password*", "api?key", NULL };
	struct world w;

	for (size_t split = 0; split < sizeof(tool_call); split++) {
		begin(&w, split);
		exchange(&w, "/mcp", JSON, tool_call, 200, JSON, tool_result);
		ck_assert_ptr_null(l7_record_get(w.got[0], L7_KEY_GEN_AI_ARGUMENTS));
		ck_assert_ptr_null(l7_record_get(w.got[0], L7_KEY_GEN_AI_RESULT));
		forget(&w);
		w.settings.record_tools = true;
		w.settings.redact = patterns;
		exchange(&w, "/mcp", JSON, tool_call, 200, JSON, tool_result);
		ck_assert_uint_eq(w.n, 1);
		ck_assert_str_eq(l7_record_get(w.got[0], L7_KEY_GEN_AI_ARGUMENTS),
				 "{\"user\":\"a}\\\"\",\"API_Key\":\"[redacted]\",\"opt\":{\"list\":[]}}");
		ck_assert_str_eq(l7_record_get(w.got[0], L7_KEY_GEN_AI_RESULT),
				 "{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"password\\\":\\\"[redacted]\\\"}\"}]"
				 ",\"isError\":false}");
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(data_of_tools_has_its_own_name)
{
	static char *patterns[] = { NULL };
	struct world w;

	begin(&w, 0);
	w.settings.record_tools = true;
	w.settings.redact = patterns;
	exchange(&w, "/mcp", JSON,
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
		 "call\",\"params\":{\"name\":\"n\",\"arguments\":{\"a\":1}},"
		 "\"result\":{\"b\":2}}",
		 200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"c\":3},\"params\":{\"arguments\":{\"d\":4}}}");
	ck_assert_str_eq(l7_record_get(w.got[0], L7_KEY_GEN_AI_ARGUMENTS), "{\"a\":1}");
	ck_assert_ptr_null(l7_record_get(w.got[0], L7_KEY_GEN_AI_RESULT));
	forget(&w);
	end(&w);
}
END_TEST

START_TEST(data_of_tools_is_bounded)
{
	static char text[40000], *patterns[] = { "pass", NULL };
	const char *kept;
	struct world w;
	size_t n;

	begin(&w, 1000);
	w.settings.record_tools = true;
	w.settings.redact = patterns;
	n = snprintf(text, sizeof(text),
		     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
		     "call\",\"params\":{\"name\":\"n\",\"arguments\":{\"pass\":\"");
	memset(text + n, 'a', 30000);
	snprintf(text + n + 30000, 100, "\",\"x\":1}}}");
	exchange(&w, "/mcp", JSON, text, 200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"text\":\"cut off");
	ck_assert_str_eq(l7_record_get(w.got[0], L7_KEY_GEN_AI_ARGUMENTS), "{\"pass\":\"[redacted]\"}…");
	ck_assert_str_eq(l7_record_get(w.got[0], L7_KEY_GEN_AI_RESULT), "{\"text\":\"cut off\"}…");
	forget(&w);
	memcpy(strstr(text, "pass"), "text", 4);
	exchange(&w, "/mcp", JSON, text, 200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	kept = l7_record_get(w.got[0], L7_KEY_GEN_AI_ARGUMENTS);
	ck_assert_uint_eq(strlen(kept), L7_TEXT_MAX);
	ck_assert_str_eq(kept + L7_TEXT_MAX - 3, "…");
	ck_assert_str_eq(l7_record_get(w.got[0], L7_KEY_GEN_AI_TOOL), "n");
	forget(&w);
	end(&w);
}
END_TEST

/* Client and server come back: nobody else need have kept a connection in the meantime. */
START_TEST(calls_outlive_the_last_connection)
{
	struct world w, later;

	begin(&w, 0);
	exchange(&w, "/messages?sessionId=abc", JSON, CALL("1", "slow"), 202, "x: y", "Accepted");
	exchange(&w, "/messages?sessionId=abc", JSON, CALL("2", "lost"), 202, "x: y", "Accepted");
	end(&w);
	begin(&later, 0);
	later.now = w.now + 10 * 1000000000ull;
	answer(&later, ask(&later, "GET", "/sse?sessionId=abc", "accept: text/event-stream", NULL), 200, SSE,
	       "data: {\"jsonrpc\":\"2.0\",\"result\":{},\"id\":1}\n\n", true);
	check(&later, 0, L7_MCP, L7_OK, "gen_ai.tool.name=slow");
	ck_assert_uint_eq(later.n, 2);
	forget(&later);
	http_app_tick(later.app, w.now + 301 * 1000000000ull);
	check(&later, 0, L7_MCP, L7_NO_ANSWER, "gen_ai.tool.name=lost");
	forget(&later);
	end(&later);
}
END_TEST

UNIT_MAIN(mcp, mcp_over_streamable_http, mcp_answers_on_another_connection, mcp_without_sessions,
	  a_session_begins_with_the_answer_to_initialize, what_is_cut_is_named_by_its_headers, calls_may_be_cancelled,
	  an_unfinished_call_is_told_as_what_it_is, data_of_tools_is_recorded_when_asked_for,
	  data_of_tools_has_its_own_name, data_of_tools_is_bounded, what_methods_are_about,
	  a_legacy_server_may_accept_with_any_success, calls_outlive_the_last_connection)
