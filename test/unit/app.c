// SPDX-License-Identifier: Apache-2.0
/* Conversations as the SDKs hold them, told to the consumer head by head and body by body, whole and byte by byte. */
#include "agent/l7/grpc.h"
#include "agent/l7/http.h"
#include "test/unit.h"

struct world {
	struct l7_host host;
	struct l7_settings settings;
	struct http_app *app;
	struct l7_record *got[80];
	size_t n, split; /* split: bytes of a body at a time; 0: all */
	uint64_t now;
};

static void emit(struct l7_host *h, struct l7_record *r)
{
	struct world *w = h->userdata;

	ck_assert_uint_lt(w->n, ARRAY_SIZE(w->got));
	w->got[w->n++] = r;
}

static void begin(struct world *w, size_t split)
{
	*w = (struct world){ .split = split, .now = 1000 };
	w->host = (struct l7_host){ .settings = &w->settings, .userdata = w, .emit = emit };
	w->app = http_app_new(&w->host);
	ck_assert_ptr_nonnull(w->app);
}

static void forget(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		l7_record_free(w->got[i]);
	w->n = 0;
}

static void end(struct world *w)
{
	http_app_free(w->app);
	ck_assert_uint_eq(w->n, 0); /* everything was looked at, nothing came late */
}

/* "name: value\nname: value" */
static size_t headers(char *text, struct http_header *h)
{
	size_t n = 0;

	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strstr(line, ": ");

		*colon = '\0';
		h[n++] = (struct http_header){ line, colon + 2, strlen(line), strlen(colon + 2) };
	}
	return n;
}

static void body(struct world *w, struct http_exchange *x, int dir, const char *text)
{
	size_t len = text ? strlen(text) : 0, step = w->split ?: len;

	for (size_t i = 0; i < len; i += step)
		if (!http_app_body(x, dir, (const uint8_t *)text + i, MIN(step, len - i), ++w->now))
			break;
}

static struct http_exchange *ask(struct world *w, const char *method, const char *target, const char *head,
				 const char *text)
{
	char copy[1024];
	struct http_header list[32];
	struct http_head h = {
		.method = method, .target = target, .authority = "tools:8080", .major = 1, .minor = 1, .headers = list
	};
	struct http_exchange *x;

	snprintf(copy, sizeof(copy), "%s", head);
	h.n_headers = headers(copy, list);
	x = http_app_request(w->app, &h, ++w->now);
	ck_assert_ptr_nonnull(x);
	body(w, x, 0, text);
	http_app_done(x, 0, true, ++w->now);
	return x;
}

static void answer(struct world *w, struct http_exchange *x, int status, const char *head, const char *text,
		   bool complete)
{
	char copy[1024];
	struct http_header list[32];
	struct http_head h = { .status = status, .major = 1, .minor = 1, .headers = list };

	snprintf(copy, sizeof(copy), "%s", head);
	h.n_headers = headers(copy, list);
	http_app_answer(x, &h, ++w->now);
	body(w, x, 1, text);
	http_app_done(x, 1, complete, ++w->now);
	http_app_close(x, 0, NULL, ++w->now);
}

#define JSON "content-type: application/json"
#define SSE "content-type: text/event-stream"

static void exchange(struct world *w, const char *target, const char *head, const char *sent, int status,
		     const char *answer_head, const char *received)
{
	answer(w, ask(w, "POST", target, head, sent), status, answer_head, received, true);
}

/* "mcp ok mcp.method.name=tools/call …": kind, outcome and the attributes that are named, in one line. */
static void check(const struct world *w, size_t i, enum l7_kind kind, enum l7_outcome outcome, const char *want)
{
	char line[2048] = "", copy[2048];
	const struct l7_record *r;
	size_t n = 0;

	ck_assert_uint_lt(i, w->n);
	r = w->got[i];
	snprintf(copy, sizeof(copy), "%s", want);
	for (char *save = NULL, *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t len = strcspn(word, "=");
		bool found = false;

		for (unsigned a = 0; a < r->n_attrs; a++) {
			const char *name = l7_key_name(r->attrs[a].key);

			if (strlen(name) != len || memcmp(name, word, len))
				continue;
			found = true;
			n += (size_t)(r->attrs[a].is_int ? snprintf(line + n, sizeof(line) - n, "%s%s=%ld",
								    n ? " " : "", name, (long)r->attrs[a].i)
							 : snprintf(line + n, sizeof(line) - n, "%s%s=%s", n ? " " : "",
								    name, r->attrs[a].s));
		}
		if (!found)
			n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%.*s=", n ? " " : "", (int)len, word);
	}
	ck_assert_str_eq(line, want);
	ck_assert_str_eq(l7_kind_name(r->kind), l7_kind_name(kind));
	ck_assert_str_eq(l7_outcome_name(r->outcome), l7_outcome_name(outcome));
	if (outcome == L7_OK) {
		ck_assert_uint_gt(r->first_ns, 0);
		ck_assert_uint_ge(r->last_ns, r->first_ns);
	}
}

#define for_each_split(w) for (size_t split_ = 0; split_ < 3 && (begin(w, split_), true); split_++)

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

START_TEST(a2a_of_all_versions)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/", JSON "\na2a-version: 1.0",
			 "{\"jsonrpc\":\"2.0\",\"method\":\"SendStreamingMessage\",\"params\":{\"message\":{"
			 "\"messageId\":\"m\",\"parts\":[]}},\"id\":2}",
			 200, SSE,
			 "data: "
			 "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"task\":{\"jsonrpc\":\"2.0\",\"id\":\"t\","
			 "\"contextId\":\"x\",\"status\":{\"state\":"
			 "\"TASK_STATE_SUBMITTED\"}}}}\n\n"
			 "data: "
			 "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"statusUpdate\":{\"taskId\":\"t\",\"status\":{"
			 "\"state\":\"TASK_STATE_"
			 "COMPLETED\"}}}}\n\n");
		exchange(&w, "/", JSON,
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"message/"
			 "send\",\"params\":{\"message\":{\"kind\":\"message\",\"messageId\":\"n\"}}}",
			 200, JSON,
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"kind\":\"task\",\"id\":\"u\",\"contextId\":\"y\","
			 "\"status\":{"
			 "\"state\":\"failed\"}}}");
		exchange(&w, "/", JSON,
			 "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tasks/"
			 "get\",\"params\":{\"jsonrpc\":\"2.0\",\"id\":\"v\"}}",
			 200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32001}}");
		exchange(&w, "/rest/message:send", JSON "\na2a-version: 1.0", "{\"message\":{\"messageId\":\"o\"}}",
			 200, "content-type: application/a2a+json",
			 "{\"task\":{\"jsonrpc\":\"2.0\",\"id\":\"w\",\"status\":{\"state\":\"TASK_STATE_WORKING\"}}}");
		answer(&w, ask(&w, "GET", "/rest/tasks/w", "a2a-version: 1.0", NULL), 200, JSON,
		       "{\"jsonrpc\":\"2.0\",\"id\":\"w\",\"status\":{\"state\":\"TASK_STATE_COMPLETED\"}}", true);
		check(&w, 0, L7_A2A, L7_OK,
		      "a2a.method.name=SendStreamingMessage a2a.protocol.version=1.0 a2a.task.id=t a2a.message.id=m "
		      "gen_ai.conversation.id=x a2a.task.state=TASK_STATE_COMPLETED weir.stream.events=2 "
		      "a2a.method.original=");
		check(&w, 1, L7_A2A, L7_ERROR,
		      "a2a.method.name=SendMessage a2a.method.original=message/send a2a.protocol.version=0.3 "
		      "a2a.task.id=u "
		      "a2a.task.state=TASK_STATE_FAILED error.type=TASK_STATE_FAILED");
		check(&w, 2, L7_A2A, L7_ERROR, "a2a.method.name=GetTask a2a.task.id=v error.type=-32001");
		check(&w, 3, L7_A2A, L7_OK,
		      "a2a.method.name=SendMessage a2a.message.id=o a2a.task.id=w a2a.task.state=TASK_STATE_WORKING");
		check(&w, 4, L7_A2A, L7_OK,
		      "a2a.method.name=GetTask a2a.task.id=w a2a.task.state=TASK_STATE_COMPLETED");
		ck_assert_uint_eq(w.n, 5);
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(model_calls)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(&w, "/v1/chat/completions", JSON,
			 "{\"messages\":[{\"role\":\"user\",\"model\":\"no\"}],\"model\":\"gpt-5\",\"stream\":true}",
			 200, SSE,
			 "data: "
			 "{\"jsonrpc\":\"2.0\",\"id\":\"r\",\"model\":\"gpt-5-1\",\"choices\":[{\"delta\":{\"content\":"
			 "\"x\"}}],\"usage\":"
			 "null}\n\n"
			 "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n"
			 "data: "
			 "{\"choices\":[],\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":340,\"prompt_tokens_"
			 "details\":{\"cached_tokens\":7}}}\n\n"
			 "data: [DONE]\n\n");
		exchange(&w, "/v1/messages", JSON, "{\"model\":\"claude\"}", 200, JSON,
			 "{\"model\":\"claude\",\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":3,\"output_"
			 "tokens\":5,"
			 "\"cache_read_input_tokens\":10,\"cache_creation_input_tokens\":20}}");
		exchange(&w, "/v1beta/models/gemini-3:streamGenerateContent?alt=sse", JSON, "{}", 200, SSE,
			 "data: "
			 "{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":4,"
			 "\"candidatesTokenCount\":6}}\n\n");
		exchange(&w, "/api/chat", JSON, "{\"model\":\"llama\"}", 200, "content-type: application/x-ndjson",
			 "{\"model\":\"llama\",\"done\":false}\n{\"model\":\"llama\",\"done_reason\":\"stop\",\"prompt_"
			 "eval_count\":8,\"eval_count\":9}\n");
		exchange(&w, "/v1/chat/completions", JSON, "{\"model\":\"gpt-5\"}", 429, JSON,
			 "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":\"rate\"}}");
		check(&w, 0, L7_LLM, L7_OK,
		      "gen_ai.provider.name=openai gen_ai.operation.name=chat gen_ai.request.model=gpt-5 "
		      "gen_ai.response.model=gpt-5-1 "
		      "gen_ai.request.stream=1 gen_ai.response.finish_reasons=stop gen_ai.usage.input_tokens=1200 "
		      "gen_ai.usage.output_tokens=340 gen_ai.usage.cache_read.input_tokens=7");
		check(&w, 1, L7_LLM, L7_OK,
		      "gen_ai.provider.name=anthropic gen_ai.usage.input_tokens=33 gen_ai.usage.output_tokens=5");
		check(&w, 2, L7_LLM, L7_OK,
		      "gen_ai.provider.name=gcp.gemini gen_ai.request.model=gemini-3 gen_ai.usage.input_tokens=4 "
		      "gen_ai.usage.output_tokens=6 "
		      "gen_ai.request.stream=1");
		check(&w, 3, L7_LLM, L7_OK,
		      "gen_ai.provider.name=ollama gen_ai.usage.input_tokens=8 gen_ai.usage.output_tokens=9 "
		      "gen_ai.response.finish_reasons=stop gen_ai.request.stream=1");
		check(&w, 4, L7_LLM, L7_ERROR, "error.type=429 gen_ai.request.stream=0");
		ck_assert_uint_eq(w.n, 5);
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

START_TEST(grpc_calls)
{
	struct http_header type = { "content-type", "application/grpc", 12, 16 },
			   trailer[] = { { "grpc-status", "5", 11, 1 },
					 { "grpc-message", "Task%20not%20found", 12, 18 } };
	struct http_head req = { .method = "POST",
				 .target = "/lf.a2a.v1.A2AService/GetTask",
				 .authority = "a",
				 .major = 2,
				 .headers = &type,
				 .n_headers = 1 };
	struct http_head ok = { .status = 200, .headers = &type, .n_headers = 1 },
			 end_ = { .headers = trailer, .n_headers = 2 };
	static const uint8_t messages[] = { 0, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'c' };
	struct http_exchange *x;
	struct world w;

	for_each_split(&w)
	{
		x = http_app_request(w.app, &req, ++w.now);
		http_app_done(x, 0, true, ++w.now);
		http_app_answer(x, &ok, ++w.now);
		for (size_t i = 0; i < sizeof(messages); i += split_ + 1)
			http_app_body(x, 1, messages + i, MIN(split_ + 1, sizeof(messages) - i), ++w.now);
		http_app_trailers(x, 1, &end_, ++w.now);
		http_app_done(x, 1, true, ++w.now);
		http_app_close(x, 0, NULL, ++w.now);
		check(&w, 0, L7_A2A, L7_ERROR,
		      "rpc.system.name=grpc rpc.method=lf.a2a.v1.A2AService/GetTask rpc.status_code=NOT_FOUND "
		      "error.type=NOT_FOUND a2a.method.name=GetTask a2a.protocol.version=1.0 weir.stream.events=3");
		ck_assert_str_eq(l7_record_get(w.got[0], L7_KEY_RPC_MESSAGE), "Task not found");
		forget(&w);
		end(&w);
	}
}
END_TEST

struct grpc_case {
	const char *path;
	uint8_t request[64], answer[96];
	size_t request_len, answer_len;
	enum l7_outcome outcome;
	const char *want;
};

static void check_grpc(const struct grpc_case *g)
{
	struct http_header type = { "content-type", "application/grpc", 12, 16 },
			   trailer = { "grpc-status", "0", 11, 1 };
	struct http_head req = {
		.method = "POST", .target = g->path, .authority = "a", .major = 2, .headers = &type, .n_headers = 1
	};
	struct http_head ok = { .status = 200, .headers = &type, .n_headers = 1 },
			 end_ = { .headers = &trailer, .n_headers = 1 };
	struct http_exchange *x;
	struct world w;

	for_each_split(&w)
	{
		x = http_app_request(w.app, &req, ++w.now);
		for (size_t i = 0; i < g->request_len; i += split_ + 1)
			http_app_body(x, 0, g->request + i, MIN(split_ + 1, g->request_len - i), ++w.now);
		http_app_done(x, 0, true, ++w.now);
		http_app_answer(x, &ok, ++w.now);
		for (size_t i = 0; i < g->answer_len; i += split_ + 1)
			http_app_body(x, 1, g->answer + i, MIN(split_ + 1, g->answer_len - i), ++w.now);
		http_app_trailers(x, 1, &end_, ++w.now);
		http_app_done(x, 1, true, ++w.now);
		http_app_close(x, 0, NULL, ++w.now);
		check(&w, 0, L7_A2A, g->outcome, g->want);
		forget(&w);
		end(&w);
	}
}

/* Built by hand from a2a.proto of 1.0 and 0.3: field number << 3 | wire type, length, bytes. */
START_TEST(a2a_over_grpc)
{
	static const struct grpc_case cases[] = {
		{ "/lf.a2a.v1.A2AService/SendMessage",
		  "\0\0\0\0\x0b\x0a\x01t\x12\x06\x0a\x01m\x12\x01"
		  "c",
		  "\0\0\0\0\x0c\x0a\x0a\x0a\x01T\x12\x01"
		  "C\x1a\x02\x08\x04",
		  16, 17, L7_ERROR,
		  "rpc.system.name=grpc rpc.method=lf.a2a.v1.A2AService/SendMessage rpc.status_code=OK "
		  "error.type=TASK_STATE_FAILED "
		  "gen_ai.conversation.id=C a2a.method.name=SendMessage a2a.protocol.version=1.0 a2a.task.id=T "
		  "a2a.task.state=TASK_STATE_FAILED a2a.message.id=m weir.stream.events=1" },
		{ "/lf.a2a.v1.A2AService/SendStreamingMessage",
		  "\0\0\0\0\x08\x12\x06\x0a\x01m\x12\x01"
		  "c",
		  "\0\0\0\0\x05\x22\x03\x0a\x01T"
		  "\0\0\0\0\x09\x1a\x07\x0a\x01T\x1a\x02\x08\x03",
		  13, 24, L7_OK,
		  "rpc.system.name=grpc rpc.method=lf.a2a.v1.A2AService/SendStreamingMessage rpc.status_code=OK "
		  "gen_ai.conversation.id=c a2a.method.name=SendStreamingMessage a2a.protocol.version=1.0 "
		  "a2a.task.id=T "
		  "a2a.task.state=TASK_STATE_COMPLETED a2a.message.id=m weir.stream.events=2" },
		{ "/a2a.v1.A2AService/TaskSubscription", "\0\0\0\0\x09\x0a\x07tasks/9", "\0\0\0\0\x03\x0a\x01\xff", 14,
		  8, L7_OK,
		  "rpc.system.name=grpc rpc.method=a2a.v1.A2AService/TaskSubscription rpc.status_code=OK "
		  "a2a.method.name=SubscribeToTask "
		  "a2a.method.original=TaskSubscription a2a.protocol.version=0.3 a2a.task.id=9 weir.stream.events=1" },
		/* compressed: not looked into; what claims more than it has: neither */
		{ "/lf.a2a.v1.A2AService/GetTask", "\1\0\0\0\x03\x12\x01t", "\0\0\0\0\x04\x0a\x09Ta", 8, 9, L7_OK,
		  "rpc.system.name=grpc rpc.method=lf.a2a.v1.A2AService/GetTask rpc.status_code=OK "
		  "a2a.method.name=GetTask "
		  "a2a.protocol.version=1.0 weir.stream.events=1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_grpc(&cases[i]);
}
END_TEST

START_TEST(a_hole_in_a_grpc_body)
{
	static const uint8_t head[] = { 0, 0, 0, 1, 0 }, next[] = { 0, 0, 0, 0, 1, 'x' };
	struct grpc_stream s = {};

	grpc_stream_feed(&s, head, sizeof(head));
	grpc_stream_gap(&s, 256); /* just the message */
	grpc_stream_feed(&s, next, sizeof(next));
	ck_assert_uint_eq(s.messages, 2);
	grpc_stream_gap(&s, 1);
	grpc_stream_feed(&s, next, sizeof(next));
	ck_assert_uint_eq(s.messages, 2);
	ck_assert(s.lost);
	grpc_stream_done(&s);
}
END_TEST

START_TEST(a_stream_may_fail_after_its_head)
{
	static const struct {
		const char *path, *stream, *type;
	} cases[] = {
		{ "/v1/messages",
		  "data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\"}}\n\n"
		  "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
		  "overloaded_error" },
		{ "/v1/chat/completions", "data: {\"error\":{\"message\":\"x\",\"code\":500}}\n\ndata: [DONE]\n\n",
		  "500" },
		{ "/v1/responses",
		  "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"}}}\n\n",
		  "server_error" },
		{ "/v1/responses",
		  "data: {\"type\":\"response.completed\",\"error\":null,\"response\":{\"error\":null}}\n\n", NULL },
	};
	struct world w;

	for_each_split(&w)
	{
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			const char *type;

			exchange(&w, cases[i].path, JSON, "{\"model\":\"m\",\"stream\":true}", 200, SSE,
				 cases[i].stream);
			ck_assert_uint_eq(w.n, 1);
			type = l7_record_get(w.got[0], L7_KEY_ERROR_TYPE);
			ck_assert_int_eq(w.got[0]->outcome, cases[i].type ? L7_ERROR : L7_OK);
			ck_assert_msg(!cases[i].type ? !type : type && streq(type, cases[i].type), "%zu: %s", i,
				      type ?: "none");
			forget(&w);
		}
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

START_TEST(the_first_token_is_an_event_not_a_head)
{
	struct http_header type = { "content-type", "text/event-stream", 12, 17 };
	struct http_head ok = { .status = 200, .major = 1, .minor = 1, .headers = &type, .n_headers = 1 };
	struct http_exchange *x;
	struct world w;
	uint64_t asked;

	begin(&w, 0);
	x = ask(&w, "POST", "/v1/chat/completions", JSON, "{\"model\":\"m\",\"stream\":true}");
	asked = w.now;
	http_app_answer(x, &ok, w.now += 10);
	body(&w, x, 1, ": wait\n\n");
	w.now += 500;
	body(&w, x, 1, "data: {\"model\":\"m\",\"choices\":[]}\n\n");
	w.now += 500;
	body(&w, x, 1, "data: [DONE]\n\n");
	http_app_done(x, 1, true, ++w.now);
	http_app_close(x, 0, NULL, ++w.now);
	ck_assert_uint_eq(w.n, 1);
	ck_assert_uint_ge(w.got[0]->first_ns, 510);
	ck_assert_uint_lt(w.got[0]->first_ns, w.got[0]->last_ns - 400);
	ck_assert_uint_ge(w.got[0]->last_ns, w.now - asked - 5);
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

#define CALL(id, name) \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"}}"

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

#define TASK(state) "{\"id\":\"T\",\"status\":{\"state\":\"TASK_STATE_" state "\"}}"
#define RPC_EVENT(state) "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"task\":" TASK(state) "}}\n\n"
#define REST_EVENT(state) "data: {\"task\":" TASK(state) "}\n\n"

/* A client that leaves when all is said has not left its task. */
START_TEST(streams_of_tasks_that_are_left)
{
	static const char sent[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"SendStreamingMessage\",\"params\":{\"message\":"
	    "{\"messageId\":\"m\"}}}";
	static const struct {
		const char *path, *sent, *received;
		enum l7_outcome outcome;
	} cases[] = {
		{ "/", sent, RPC_EVENT("WORKING"), L7_CANCELLED },
		{ "/", sent, RPC_EVENT("COMPLETED"), L7_OK },
		{ "/", sent, RPC_EVENT("FAILED"), L7_ERROR },
		{ "/message:stream", "{}", REST_EVENT("WORKING"), L7_CANCELLED },
		{ "/message:stream", "{}", REST_EVENT("COMPLETED"), L7_OK },
		{ "/message:stream", "{}", REST_EVENT("INPUT_REQUIRED"), L7_OK },
	};
	struct world w;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_exchange *x;

		begin(&w, 0);
		x = ask(&w, "POST", cases[i].path, JSON "\na2a-version: 1.0", cases[i].sent);
		answer(&w, x, 200, SSE, cases[i].received, false);
		check(&w, 0, L7_A2A, cases[i].outcome, "a2a.method.name=SendStreamingMessage weir.stream.events=1");
		forget(&w);
		end(&w);
	}
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

static void grpc_call(struct world *w, const char *head, int status, const char *answer_head, const char *data,
		      size_t len, bool complete)
{
	struct http_exchange *x = ask(w, "POST", "/p.S/M", head, NULL);
	struct http_header list[8];
	struct http_head h = { .status = status, .major = 2, .headers = list };
	char copy[256];

	snprintf(copy, sizeof(copy), "%s", answer_head);
	h.n_headers = headers(copy, list);
	if (!complete)
		http_app_left(x);
	w->now += 5000000;
	if (status)
		http_app_answer(x, &h, ++w->now);
	for (size_t i = 0; i < len; i += w->split ?: len)
		http_app_body(x, 1, (const uint8_t *)data + i, MIN(w->split ?: len, len - i), ++w->now);
	http_app_done(x, 1, complete, ++w->now);
	http_app_close(x, 0, NULL, ++w->now);
}

START_TEST(grpc_calls_without_a_status)
{
#define GRPC "content-type: application/grpc"
#define WEB "content-type: application/grpc-web+proto"
	static const char trailers[] = "\0\0\0\0\1x\x80\0\0\0\x27grpc-status: 5\r\nGrpc-Message:not%20here";
	struct world w;

	for_each_split(&w)
	{
		grpc_call(&w, GRPC, 503, "content-type: text/html", NULL, 0, true);
		grpc_call(&w, GRPC, 404, "content-type: text/html", NULL, 0, true);
		grpc_call(&w, GRPC, 200, GRPC, NULL, 0, true);
		grpc_call(&w, GRPC, 200, GRPC, NULL, 0, false);
		grpc_call(&w, GRPC "\ngrpc-timeout: 5m", 0, "", NULL, 0, false);
		grpc_call(&w, GRPC "\ngrpc-timeout: 10S", 0, "", NULL, 0, false);
		grpc_call(&w, GRPC, 200, GRPC "\ngrpc-status: 99", NULL, 0, true);
		grpc_call(&w, WEB, 200, WEB, trailers, sizeof(trailers) - 1, true);
		check(&w, 0, L7_GRPC, L7_ERROR,
		      "rpc.status_code=UNAVAILABLE error.type=UNAVAILABLE http.response.status_code=503");
		check(&w, 1, L7_GRPC, L7_ERROR, "rpc.status_code=UNIMPLEMENTED");
		check(&w, 2, L7_GRPC, L7_ERROR, "rpc.status_code=UNKNOWN");
		check(&w, 3, L7_GRPC, L7_CANCELLED, "rpc.status_code=");
		check(&w, 4, L7_GRPC, L7_ERROR, "rpc.status_code=DEADLINE_EXCEEDED weir.rpc.timeout_ms=5");
		check(&w, 5, L7_GRPC, L7_CANCELLED, "rpc.status_code= weir.rpc.timeout_ms=10000");
		check(&w, 6, L7_GRPC, L7_ERROR, "rpc.status_code=99 error.type=99");
		check(&w, 7, L7_GRPC, L7_ERROR, "rpc.status_code=NOT_FOUND weir.stream.events=1");
		ck_assert_str_eq(l7_record_get(w.got[7], L7_KEY_RPC_MESSAGE), "not here");
		ck_assert_uint_eq(w.n, 8);
		forget(&w);
		end(&w);
	}
}
END_TEST

START_TEST(compressed_messages_of_grpc_are_not_read)
{
	static const char message[] = "\1\0\0\0\3abc";
	struct http_exchange *x;
	struct world w;

	for (int a2a = 0; a2a < 2; a2a++) {
		begin(&w, 0);
		x = ask(&w, "POST", a2a ? "/lf.a2a.v1.A2AService/GetTask" : "/p.S/M", GRPC, NULL);
		http_app_body(x, 0, (const uint8_t *)message, sizeof(message) - 1, ++w.now);
		answer(&w, x, 200, GRPC "\ngrpc-status: 0", NULL, true);
		ck_assert_uint_eq(w.n, 1);
		ck_assert_int_eq(w.got[0]->outcome, L7_OK);
		ck_assert(!!(w.got[0]->flags & L7_PARTIAL) == a2a); /* nothing in others would be looked at */
		ck_assert(!!l7_record_get(w.got[0], L7_KEY_REASON) == a2a);
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

START_TEST(grpc_web_as_text)
{
#define TEXT "content-type: application/grpc-web-text+proto"
	/* a message and the trailers of the test above, each padded by itself */
	static const char trailers[] = "AAAAAAF4gAAAACdncnBjLXN0YXR1czogNQ0KR3JwYy1NZXNzYWdlOm5vdCUyMGhlcmU=",
			  apart[] = "AAAAAAF4\r\nAAAAAAA=gAAAABBncnBjLXN0YXR1czogMTMNCg==";
	struct http_exchange *x;
	struct world w;

	for_each_split(&w)
	{
		grpc_call(&w, TEXT, 200, TEXT, trailers, sizeof(trailers) - 1, true);
		grpc_call(&w, TEXT, 200, TEXT, apart, sizeof(apart) - 1, true);
		check(&w, 0, L7_GRPC, L7_ERROR, "rpc.status_code=NOT_FOUND weir.stream.events=1");
		check(&w, 1, L7_GRPC, L7_ERROR, "rpc.status_code=INTERNAL weir.stream.events=2");
		forget(&w);
		x = ask(&w, "POST", "/p.S/M", TEXT, "AAAAAAF4");
		http_app_body_gap(x, 0, 4, ++w.now);
		answer(&w, x, 200, TEXT, NULL, true);
		check(&w, 0, L7_GRPC, L7_UNKNOWN, "rpc.status_code=");
		forget(&w);
		end(&w);
	}
}
END_TEST

/* 1 is the beginning of 13. */
START_TEST(trailers_of_grpc_web_say_nothing_by_halves)
{
	static const char begin_[] = "\x80\0\0\0\x11grpc-status: 1", end_[] = "\x80\0\0\x20\0grpc-status: 5\r\nx: ";
	struct http_header type = { "content-type", "application/grpc-web", 12, 20 };
	struct http_head ok = { .status = 200, .major = 2, .headers = &type, .n_headers = 1 };
	struct http_exchange *x;
	char filler[8192];
	struct world w;

	begin(&w, 0);
	x = ask(&w, "POST", "/p.S/M", WEB, NULL);
	http_app_answer(x, &ok, ++w.now);
	http_app_body(x, 1, (const uint8_t *)begin_, sizeof(begin_) - 1, ++w.now);
	http_app_body_gap(x, 1, 3, ++w.now);
	http_app_done(x, 1, true, ++w.now);
	http_app_close(x, 0, NULL, ++w.now);
	check(&w, 0, L7_GRPC, L7_UNKNOWN, "rpc.status_code=");
	forget(&w);
	x = ask(&w, "POST", "/p.S/M", WEB, NULL);
	http_app_answer(x, &ok, ++w.now);
	http_app_body(x, 1, (const uint8_t *)end_, sizeof(end_) - 1, ++w.now);
	memset(filler, 'y', sizeof(filler));
	memcpy(filler + GRPC_MESSAGE_KEPT - (sizeof(end_) - 1 - 5) - 15, "\r\ngrpc-status:13\r\n", 18);
	http_app_body(x, 1, (const uint8_t *)filler, sizeof(filler) - 19, ++w.now);
	http_app_done(x, 1, true, ++w.now);
	http_app_close(x, 0, NULL, ++w.now);
	check(&w, 0, L7_GRPC, L7_ERROR, "rpc.status_code=NOT_FOUND");
	forget(&w);
	end(&w);
}
END_TEST

START_TEST(a2a_over_rest)
{
	static const struct {
		const char *verb, *path, *name, *task;
	} cases[] = {
		{ "POST", "/tasks/t/pushNotificationConfigs", "CreateTaskPushNotificationConfig", "t" },
		{ "GET", "/tasks/t/pushNotificationConfigs", "ListTaskPushNotificationConfigs", "t" },
		{ "GET", "/x/tasks/t/pushNotificationConfigs/c?a=b", "GetTaskPushNotificationConfig", "t" },
		{ "DELETE", "/v1/tasks/t/pushNotificationConfigs/c", "DeleteTaskPushNotificationConfig", "t" },
		{ "GET", "/extendedAgentCard", "GetExtendedAgentCard", "" },
		{ "GET", "/v1/card", "GetExtendedAgentCard", "" },
		{ "POST", "/tasks/t:cancel", "CancelTask", "t" },
	};
	struct world w;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[200];

		begin(&w, 0);
		snprintf(want, sizeof(want), "a2a.method.name=%s a2a.task.id=%s", cases[i].name, cases[i].task);
		answer(&w, ask(&w, cases[i].verb, cases[i].path, "a2a-version: 1.0", NULL), 200, JSON, "{}", true);
		check(&w, 0, L7_A2A, L7_OK, want);
		forget(&w);
		end(&w);
	}
	begin(&w, 0);
	answer(&w, ask(&w, "GET", "/tasks/t/other", "a2a-version: 1.0", NULL), 200, JSON, "{}", true);
	check(&w, 0, L7_HTTP, L7_OK, "a2a.method.name=");
	forget(&w);
	exchange(&w, "/", JSON,
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tasks/resubscribe\",\"params\":{\"id\":\"t\"}}", 200, SSE,
		 "data: "
		 "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"kind\":\"status-update\",\"taskId\":\"t\",\"status\":{"
		 "\"state\":\"failed\"}}}\n\n");
	check(&w, 0, L7_A2A, L7_ERROR, "a2a.method.name=SubscribeToTask error.type=TASK_STATE_FAILED");
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

START_TEST(models_of_all_houses)
{
	struct world w;

	for_each_split(&w)
	{
		exchange(
		    &w, "/v1beta/interactions", JSON, "{\"model\":\"gemini-3\"}", 200, SSE,
		    "data: "
		    "{\"event_type\":\"interaction.completed\",\"interaction\":{\"model\":\"gemini-3-1\",\"usage\":{"
		    "\"total_input_tokens\":4,\"total_output_tokens\":6,\"total_thought_tokens\":10}}}\n\n");
		exchange(&w, "/model/amazon.nova-lite-v1%3A0/converse", JSON, "{}", 200, JSON,
			 "{\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":30,\"outputTokens\":50,"
			 "\"totalTokens\":80}}");
		exchange(&w, "/v1/chat/completions", JSON, "{\"model\":\"m\"}", 200, JSON,
			 "{\"choices\":[{\"finish_reason\":\"stop\"},{\"finish_reason\":\"length\"}],\"usage\":{"
			 "\"prompt_tokens\":9,"
			 "\"prompt_tokens_details\":{\"cache_write_tokens\":5}}}");
		exchange(&w, "/v1/chat/completions", JSON, "{\"stream\":true}", 200, SSE,
			 "data: {\"choices\":[{\"index\":0,\"finish_reason\":null}]}\n\ndata: "
			 "{\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n"
			 "data: {\"choices\":[{\"index\":1,\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n");
		exchange(&w, "/v1beta/models/g:generateContent", JSON, "{}", 200, JSON,
			 "{\"usageMetadata\":{\"candidatesTokenCount\":6,\"thoughtsTokenCount\":7}}");
		exchange(&w, "/orders/converse", JSON, "{}", 200, JSON, "{}");
		check(&w, 0, L7_LLM, L7_OK,
		      "gen_ai.provider.name=gcp.gemini gen_ai.operation.name=chat gen_ai.request.model=gemini-3 "
		      "gen_ai.response.model=gemini-3-1 gen_ai.usage.input_tokens=4 gen_ai.usage.output_tokens=16 "
		      "gen_ai.usage.reasoning.output_tokens=10");
		check(&w, 1, L7_LLM, L7_OK,
		      "gen_ai.provider.name=aws.bedrock gen_ai.request.model=amazon.nova-lite-v1%3A0 "
		      "gen_ai.usage.input_tokens=30 "
		      "gen_ai.usage.output_tokens=50 gen_ai.response.finish_reasons=end_turn");
		check(&w, 2, L7_LLM, L7_OK,
		      "gen_ai.response.finish_reasons=stop,length gen_ai.usage.cache_creation.input_tokens=5");
		check(&w, 3, L7_LLM, L7_OK, "gen_ai.response.finish_reasons=stop,tool_calls");
		check(&w, 4, L7_LLM, L7_OK, "gen_ai.usage.output_tokens=13 gen_ai.usage.reasoning.output_tokens=7");
		check(&w, 5, L7_HTTP, L7_OK, "gen_ai.provider.name=");
		ck_assert_uint_eq(w.n, 6);
		forget(&w);
		end(&w);
	}
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

/* Numbers are what a pod says. */
START_TEST(more_tokens_than_there_are)
{
#define MANY "9223372036854775807"
	struct world w;

	begin(&w, 0);
	exchange(&w, "/v1/messages", JSON, "{\"model\":\"m\"}", 200, JSON,
		 "{\"usage\":{\"input_tokens\":" MANY ",\"cache_read_input_tokens\":" MANY
		 ",\"cache_creation_input_tokens\":-5}}");
	check(&w, 0, L7_LLM, L7_OK, "gen_ai.usage.input_tokens=" MANY " gen_ai.usage.cache_creation.input_tokens=0");
	exchange(&w, "/v1/models/g:generateContent", JSON, "{}", 200, JSON,
		 "{\"usageMetadata\":{\"candidatesTokenCount\":" MANY "0,\"thoughtsTokenCount\":1}}");
	check(&w, 1, L7_LLM, L7_OK, "gen_ai.usage.output_tokens=" MANY);
	forget(&w);
	end(&w);
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

UNIT_MAIN(app, streams_of_tasks_that_are_left, what_cannot_be_read_on_is_not_cancelled, grpc_web_as_text,
	  trailers_of_grpc_web_say_nothing_by_halves, what_waits_has_a_limit, more_tokens_than_there_are,
	  text_that_moves, a_path_is_no_proof, compressed_messages_of_grpc_are_not_read,
	  an_unfinished_call_is_told_as_what_it_is, a_body_that_is_not_read_makes_a_partial_record,
	  calls_may_be_cancelled, what_is_cut_is_named_by_its_headers, a_session_begins_with_the_answer_to_initialize,
	  grpc_calls_without_a_status, a2a_over_rest, models_of_all_houses, data_of_tools_is_recorded_when_asked_for,
	  data_of_tools_is_bounded, data_of_tools_has_its_own_name, a_stream_may_fail_after_its_head,
	  only_jsonrpc_is_jsonrpc, a_number_is_no_string, one_body_makes_a_bounded_number_of_records,
	  an_answer_that_nobody_asked_for_is_not_hidden, the_first_token_is_an_event_not_a_head, plain_http,
	  mcp_over_streamable_http, mcp_answers_on_another_connection, mcp_without_sessions, a2a_of_all_versions,
	  model_calls, batches_gaps_and_depth, grpc_calls, a2a_over_grpc, a_hole_in_a_grpc_body)
