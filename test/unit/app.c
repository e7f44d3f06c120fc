// SPDX-License-Identifier: Apache-2.0
/* What HTTP carries, and how it is told from what looks like it: head by head and body by body, whole and byte by byte.
 */
#include "test/unit/app_world.h"

START_TEST(plain_http)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/a?b=c", "user-agent: curl", NULL, 200, "content-type: text/html", "<html>");
		exchange(&w, "/a", JSON, "{\"x\":1}", 404, JSON, "{\"jsonrpc\":\"2.0\",\"error\":\"no\"}");
		answer(&w, ask(&w, "GET", "/big", "accept: *", NULL), 200, "content-type: video/mp4", "abc", false);
		exchange(&w, "http://bob:s3cret@host/a", "user-agent: curl", NULL, 200, "content-type: text/html", "");
		ck_assert_uint_eq(w.n, 4);
		check(&w, 3, L7_HTTP, L7_OK, "url.path=/a");
		check(&w, 0, L7_HTTP, L7_OK,
		      "http.request.method=POST url.path=/a http.response.status_code=200 url.query= "
		      "server.address=tools "
		      "http.response.header.content-type=text/html user_agent.original=curl");
		check(&w, 1, L7_HTTP, L7_ERROR, "error.type=404 http.request.body.size=7");
		check(&w, 2, L7_HTTP, L7_CANCELLED, "http.request.method=GET");
		forget(&w);
		end(&w);
	}
}
END_TEST

static void check_same(const struct l7_record *a, const struct l7_record *b)
{
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_int_eq(a->outcome, b->outcome);
	ck_assert_int_eq(a->flags, b->flags);
	ck_assert_uint_eq(a->first_ns, b->first_ns);
	ck_assert_uint_eq(a->n_attrs, b->n_attrs);
	for (unsigned i = 0; i < a->n_attrs; i++) {
		ck_assert_int_eq(a->attrs[i].key, b->attrs[i].key);
		ck_assert_int_eq(a->attrs[i].is_int, b->attrs[i].is_int);
		if (a->attrs[i].is_int)
			ck_assert_int_eq(a->attrs[i].i, b->attrs[i].i);
		else
			ck_assert_str_eq(a->attrs[i].s, b->attrs[i].s);
	}
}

/* What was learned of a request's head makes the same records as the head itself, whatever came in between. */
START_TEST(heads_that_come_again)
{
	static const struct {
		const char *method, *target, *head, *body, *answer_head, *answer;
	} cases[] = {
		{ "GET", "/a?b", "user-agent: curl\ntraceparent: 00-a-b-01", NULL, "content-type: text/html",
		  "<html>" },
		{ "POST", "/mcp", JSON "\nmcp-session-id: s1\nmcp-protocol-version: 2025-06-18", CALL("1", "t"), JSON,
		  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"isError\":true}}" },
		{ "POST", "/v1/chat/completions", JSON, "{\"model\":\"m\"}", JSON,
		  "{\"model\":\"m2\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}" },
		{ "POST", "/v1/message:send", JSON "\na2a-version: 1.0", "{\"message\":{\"messageId\":\"m\"}}", JSON,
		  "{\"task\":{\"id\":\"t\",\"contextId\":\"c\",\"status\":{\"state\":\"TASK_STATE_COMPLETED\"}}}" },
		{ "POST", "/p.S/M", GRPC "\ngrpc-timeout: 1S", "\0\0\0\0\2ab", GRPC "\ngrpc-status: 5", "" },
	};
	struct world w;

	begin(&w, 0);
	w.settings.record_query = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (unsigned n = 0; n < 5; n++) {
			w.again = n ? i + 1 : 0;
			answer(&w, ask(&w, cases[i].method, cases[i].target, cases[i].head, cases[i].body), 200,
			       cases[i].answer_head, cases[i].answer, true);
			if (n == 3)
				http_app_tick(w.app, w.now); /* it is used, and stays */
		}
		ck_assert_uint_eq(w.n, 5);
		for (unsigned n = 1; n < w.n; n++)
			check_same(w.got[0], w.got[n]);
		forget(&w);
	}
	http_app_tick(w.app, w.now);
	http_app_tick(w.app, w.now);
	ck_assert_uint_lt(http_app_memory(w.app), 100);
	end(&w);
}
END_TEST

START_TEST(websockets)
{
	struct http_head req = { .method = "CONNECT",
				 .target = "/chat",
				 .authority = "a",
				 .protocol = "websocket",
				 .major = 2 },
			 ok = { .status = 200, .major = 2 };
	struct http_exchange *x;
	struct world w;

	begin(&w, 0);
	answer(&w, ask(&w, "GET", "/chat", "upgrade: websocket", NULL), 101, "upgrade: websocket", NULL, true);
	x = http_app_request(w.app, &req, ++w.now);
	http_app_done(x, 0, true, ++w.now);
	http_app_answer(x, &ok, ++w.now);
	http_app_done(x, 1, true, ++w.now);
	http_app_close(x, 0, NULL, ++w.now);
	check(&w, 0, L7_HTTP, L7_OK, "http.response.status_code=101 http.request.header.upgrade=websocket");
	check(&w, 1, L7_HTTP, L7_OK,
	      "http.response.status_code=200 http.request.header.upgrade=websocket url.path=/chat");
	forget(&w);
	end(&w);
}
END_TEST

START_TEST(a_path_is_no_proof)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/api/chat", JSON, "{\"messages\":[{\"role\":\"user\"}],\"id\":\"c\"}", 200, SSE,
			 "data: {\"type\":\"start\"}\n\n");
		exchange(&w, "/api/generate", "content-type: application/x-www-form-urlencoded",
			 "{\"model\":\"llama\"}", 200, JSON, "{\"model\":\"llama\",\"done_reason\":\"stop\"}");
		exchange(&w, "/api/generate", "content-type: application/x-www-form-urlencoded", "a=b", 200, JSON,
			 "{}");
		exchange(&w, "/v1/messages?sessionId=s", JSON, CALL("5", "t"), 202, "content-type: text/plain",
			 "Accepted");
		exchange(&w, "/v1/messages?sessionId=s", JSON, CALL("6", "u"), 200, JSON,
			 "{\"jsonrpc\":\"2.0\",\"id\":6,\"result\":{}}");
		answer(&w, ask(&w, "GET", "/v1/tasks/7", "accept: */*", NULL), 200, JSON,
		       "{\"id\":7,\"title\":\"shop\"}", true);
		answer(&w, ask(&w, "GET", "/v1/tasks/t", "accept: */*", NULL), 200, JSON,
		       "{\"id\":\"t\",\"status\":{\"state\":\"working\"}}", true);
		answer(&w, ask(&w, "GET", "/v1/tasks/t", "accept: */*", NULL), 404, JSON, "{}", true);
		check(&w, 0, L7_HTTP, L7_OK,
		      "url.path=/api/chat gen_ai.provider.name= gen_ai.operation.name= gen_ai.request.stream=");
		check(&w, 1, L7_LLM, L7_OK, "gen_ai.provider.name=ollama gen_ai.request.model=llama");
		check(&w, 2, L7_HTTP, L7_OK, "gen_ai.provider.name=");
		check(&w, 3, L7_MCP, L7_OK, "gen_ai.tool.name=u gen_ai.provider.name=");
		check(&w, 4, L7_HTTP, L7_OK, "a2a.method.name= a2a.task.id=");
		check(&w, 5, L7_A2A, L7_OK, "a2a.method.name=GetTask a2a.task.id=t");
		check(&w, 6, L7_A2A, L7_ERROR, "a2a.method.name=GetTask");
		ck_assert_uint_eq(w.n, 7);
		forget(&w);
		http_app_tick(w.app, w.now + 301 * 1000000000ull);
		check(&w, 0, L7_MCP, L7_NO_ANSWER, "gen_ai.tool.name=t");
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(only_jsonrpc_is_jsonrpc)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/payments", JSON, "{\"method\":\"card\",\"id\":1}", 500, JSON,
			 "{\"result\":\"no\",\"id\":1}");
		check(&w, 0, L7_HTTP, L7_ERROR, "url.path=/payments http.response.status_code=500");
		ck_assert_uint_eq(w.n, 1);
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(a_number_is_no_string)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/mcp", JSON,
			 "[{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"n\"},\"id\":1},"
			 "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"s\"},\"id\":\"1\"}]",
			 200, JSON,
			 "[{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":1},"
			 "{\"jsonrpc\":\"2.0\",\"result\":{\"isError\":true},\"id\":\"1\"}]");
		check(&w, 0, L7_MCP, L7_OK, "gen_ai.tool.name=n");
		check(&w, 1, L7_MCP, L7_TOOL_ERROR, "gen_ai.tool.name=s");
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(batches_gaps_and_depth)
{
	static char deep[50000];
	struct http_exchange *x;
	struct http_header type = { "content-type", "application/json", 12, 16 };
	struct http_head ok = { .status = 200, .headers = &type, .n_headers = 1 };
	struct world w;
	size_t n = 0;

	for_each_split(&w)
	{
		exchange(&w, "/mcp", JSON,
			 "[{\"jsonrpc\":\"2.0\",\"method\":\"tools/"
			 "list\",\"id\":1},{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":2},{\"jsonrpc\":\"2.0\","
			 "\"method\":\"notifications/cancelled\"}]",
			 200, JSON,
			 "[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{"
			 "\"isError\":false}}]");
		ck_assert_uint_eq(w.n, 3);
		check(&w, 0, L7_MCP, L7_ONEWAY, "mcp.method.name=notifications/cancelled");
		check(&w, 1, L7_MCP, L7_OK, "mcp.method.name=ping");
		check(&w, 2, L7_MCP, L7_OK, "mcp.method.name=tools/list");
		forget(&w);
		/* what comes after a hole is not guessed */
		x = ask(&w, "POST", "/mcp", JSON,
			"{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},\"id\":3}");
		http_app_answer(x, &ok, ++w.now);
		body(&w, x, 1, "{\"jsonrpc\":\"2.0\",\"result\":{\"content\":[");
		http_app_body_gap(x, 1, 100000, ++w.now);
		body(&w, x, 1, "],\"isError\":true},\"id\":3}");
		http_app_done(x, 1, true, ++w.now);
		http_app_close(x, 0, NULL, ++w.now);
		ck_assert_uint_eq(w.n, 1);
		check(&w, 0, L7_MCP, L7_UNKNOWN, "gen_ai.tool.name=a");
		ck_assert_uint_eq(w.got[0]->flags, L7_PARTIAL);
		forget(&w);
		n = (size_t)snprintf(deep, sizeof(deep),
				     "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"arguments\":");
		memset(deep + n, '[', 20000);
		memset(deep + n + 20000, ']', 20000);
		strcpy(deep + n + 40000, ",\"name\":\"deep\"},\"id\":4}");
		exchange(&w, "/mcp", JSON, deep, 200, JSON, "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":4}");
		check(&w, 0, L7_MCP, L7_OK, "gen_ai.tool.name=deep jsonrpc.request.id=4");
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(one_body_makes_a_bounded_number_of_records)
{
	static char many[64 * 1000] = "[";
	struct world w;
	size_t len = 1;

	for (int i = 0; i < 1000; i++)
		len += snprintf(many + len, sizeof(many) - len, "%s{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":%d}",
				i ? "," : "", i);
	snprintf(many + len, sizeof(many) - len, "]");
	begin(&w, 0);
	exchange(&w, "/mcp", JSON, many, 202, JSON, NULL);
	http_app_tick(w.app, w.now + 301 * 1000000000ull);
	http_app_free(w.app);
	/* and that there were more is not hidden: the exchange itself says so, before those that wait */
	check(&w, 0, L7_HTTP, L7_OK, "url.path=/mcp");
	ck_assert_str_eq(l7_record_get(w.got[0], L7_KEY_REASON), "too many messages in one body");
	ck_assert(w.got[0]->flags & L7_PARTIAL);
	check(&w, 1, L7_MCP, L7_NO_ANSWER, "mcp.method.name=ping");
	ck_assert_uint_eq(w.n, 65);
	forget(&w);
}
END_TEST

START_TEST(an_answer_that_nobody_asked_for_is_not_hidden)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/take", JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"all\":\"data\"}}", 200, JSON,
			 "{}");
		check(&w, 0, L7_HTTP, L7_OK, "url.path=/take");
		ck_assert_uint_eq(w.n, 1);
		forget(&w);
		end(&w);
	}
}
END_TEST

/* A reason comes with a flag: what the record lacks may have been sent. */
START_TEST(a_body_that_is_not_read_makes_a_partial_record)
{
	static const char asked[] = "{\"model\":\"m\"}",
			  called[] = "{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":1}";
	struct world w;

	begin(&w, 0);
	exchange(&w, "/v1/chat/completions", JSON, asked, 200, JSON "\ncontent-encoding: br", "?");
	exchange(&w, "/v1/chat/completions", JSON, asked, 200, JSON "\ncontent-encoding: gzip", "no gzip");
	exchange(&w, "/mcp", JSON, called, 200, JSON "\ncontent-encoding: br", "?");
	check(&w, 0, L7_LLM, L7_OK, "gen_ai.request.model=m");
	check(&w, 1, L7_LLM, L7_OK, "gen_ai.request.model=m");
	check(&w, 2, L7_MCP, L7_UNKNOWN, "mcp.method.name=ping");
	for (size_t i = 0; i < w.n; i++) {
		ck_assert(w.got[i]->flags & L7_PARTIAL);
		ck_assert_ptr_nonnull(l7_record_get(w.got[i], L7_KEY_REASON));
	}
	forget(&w);
	end(&w);
}
END_TEST

START_TEST(what_cannot_be_read_on_is_not_cancelled)
{
	static const struct {
		bool left;
		uint16_t flags;
		const char *reason;
		int status;
		enum l7_outcome outcome;
	} cases[] = {
		{ false, 0, NULL, 200, L7_CANCELLED },         { false, L7_PARTIAL, NULL, 200, L7_UNKNOWN },
		{ true, L7_PARTIAL, NULL, 200, L7_CANCELLED }, { false, 0, "ambiguous", 200, L7_UNKNOWN },
		{ false, 0, "ambiguous", 500, L7_ERROR },      { false, L7_PARTIAL, NULL, 500, L7_ERROR },
		{ false, 0, NULL, 0, L7_NO_ANSWER },
	};
	struct world w;

	begin(&w, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_exchange *x = ask(&w, "GET", "/a", "accept: */*", NULL);
		struct http_head h = { .status = cases[i].status, .major = 1, .minor = 1 };

		if (h.status)
			http_app_answer(x, &h, ++w.now);
		if (cases[i].left)
			http_app_left(x);
		http_app_close(x, cases[i].flags, cases[i].reason, ++w.now);
		check(&w, 0, L7_HTTP, cases[i].outcome, "url.path=/a");
		forget(&w);
	}
	w.host.given_up = true;
	http_app_close(ask(&w, "GET", "/a", "accept: */*", NULL), 0, NULL, ++w.now);
	http_app_close(ask(&w, "POST", "/mcp", JSON, CALL("1", "t")), 0, NULL, ++w.now);
	http_app_close(ask(&w, "POST", "/p.S/M", "content-type: application/grpc", NULL), 0, NULL, ++w.now);
	check(&w, 0, L7_HTTP, L7_UNKNOWN, "url.path=/a");
	check(&w, 1, L7_MCP, L7_UNKNOWN, "gen_ai.tool.name=t");
	check(&w, 2, L7_GRPC, L7_UNKNOWN, "rpc.status_code=");
	forget(&w);
	end(&w);
}
END_TEST

/* Text of a record moves when it grows: at every length of what comes before. */
START_TEST(text_that_moves)
{
	char head[700], more[700], agent[512];
	struct world w;

	memset(agent, 'u', sizeof(agent));
	for (int len = 1; len < (int)sizeof(agent); len++) {
		char path[500];

		begin(&w, 0);
		snprintf(path, sizeof(path), "/v1beta/%0400d/models/gemini-3:generateContent", 0);
		snprintf(head, sizeof(head), JSON "\nuser-agent: %.*s", len, agent);
		exchange(&w, path, head, "{}", 200, JSON, "{}");
		check(&w, 0, L7_LLM, L7_OK, "gen_ai.provider.name=gcp.gemini gen_ai.request.model=gemini-3");
		forget(&w);
		snprintf(path, sizeof(path), "/%0100d/M", 0);
		snprintf(head, sizeof(head), GRPC "\nuser-agent: %.300s", agent);
		snprintf(more, sizeof(more), GRPC "\ngrpc-status: 5\ngrpc-message: %.*s", len, agent);
		exchange(&w, path, head, NULL, 200, more, NULL);
		check(&w, 0, L7_GRPC, L7_ERROR, "rpc.status_code=NOT_FOUND error.type=NOT_FOUND");
		forget(&w);
		end(&w);
	}
}
END_TEST

static void emit_and_forget(struct l7_host *h, struct l7_record *r)
{
	((struct world *)h->userdata)->n += r->outcome == L7_UNKNOWN;
	l7_record_free(r);
}

/* What a pod makes the agent remember is counted, with all that its requests say of themselves, and bounded. */

START_TEST(what_waits_has_a_limit)
{
	static char many[64 * 100] = "[";
	char head[1200], agent[512] = "";
	struct http_exchange *x;
	size_t len = 1, memory;
	struct world w;

	memset(agent, 'u', sizeof(agent) - 1);
	snprintf(head, sizeof(head), JSON "\nuser-agent: %s\ntraceparent: %.300s", agent, agent);
	for (int i = 0; i < 64; i++)
		len += (size_t)snprintf(many + len, sizeof(many) - len,
					"%s{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":%d}", i ? "," : "", i);
	snprintf(many + len, sizeof(many) - len, "]");
	begin(&w, 0);
	w.host.emit = emit_and_forget;
	memory = http_app_memory(w.app);
	x = ask(&w, "POST", agent, head, many);
	memory = http_app_memory(w.app) - memory;
	ck_assert_uint_ge(memory, 65 * (2 * 511 + 300));
	answer(&w, x, 202, JSON, NULL, true);
	x = ask(&w, "POST", "/mcp", JSON, CALL("1", "t"));
	for (size_t i = 0; i < 100 && w.n < 100; i++) {
		exchange(&w, agent, head, many, 202, JSON, NULL);
		ck_assert_uint_lt(i * memory, 32 << 20);
	}
	ck_assert_uint_gt(w.n, 0);
	w.n = 0;
	w.host.emit = emit;
	answer(&w, x, 200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", true);
	check(&w, 0, L7_MCP, L7_OK, "gen_ai.tool.name=t"); /* under way all the time */
	forget(&w);
	w.host.emit = emit_and_forget;
	http_app_free(w.app);
}
END_TEST

/* An answer that there was is none that did not come. */
START_TEST(answers_that_do_not_say_what_they_are)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/mcp", JSON, CALL("1", "t"), 200, "server: x",
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"isError\":true}}");
		exchange(&w, "/v1/chat/completions", JSON, "{\"model\":\"m\"}", 200, "server: x",
			 "{\"model\":\"m-1\"}");
		exchange(&w, "/mcp", JSON, CALL("1", "t"), 200, "content-type: text/html", "<html>");
		exchange(&w, "/mcp", JSON, CALL("1", "t"), 200, "content-length: 0", NULL);
		check(&w, 0, L7_MCP, L7_TOOL_ERROR, "gen_ai.tool.name=t");
		check(&w, 1, L7_LLM, L7_OK, "gen_ai.response.model=m-1");
		check(&w, 2, L7_MCP, L7_UNKNOWN, "gen_ai.tool.name=t");
		check(&w, 3, L7_MCP, L7_NO_ANSWER, "gen_ai.tool.name=t");
		forget(&w);
		end(&w);
	}
}
END_TEST

UNIT_MAIN(app, plain_http, heads_that_come_again, a_path_is_no_proof, only_jsonrpc_is_jsonrpc, a_number_is_no_string,
	  batches_gaps_and_depth, one_body_makes_a_bounded_number_of_records,
	  an_answer_that_nobody_asked_for_is_not_hidden, a_body_that_is_not_read_makes_a_partial_record,
	  what_cannot_be_read_on_is_not_cancelled, text_that_moves, what_waits_has_a_limit, websockets,
	  answers_that_do_not_say_what_they_are)
