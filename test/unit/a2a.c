// SPDX-License-Identifier: Apache-2.0
/* Conversations of A2A, in its three bindings. */
#include "test/unit/app_world.h"

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

#define TASK(state) "{\"id\":\"T\",\"status\":{\"state\":\"TASK_STATE_" state "\"}}"
#define RPC_EVENT(state) "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"task\":" TASK(state) "}}\n\n"
#define REST_EVENT(state) "data: {\"task\":" TASK(state) "}\n\n"

/* A client that leaves when all is said has not left its task. */

START_TEST(paths_of_others)
{
	static const char message[] = "{\"message\":{\"messageId\":\"m\"}}",
			  card[] = "{\"name\":\"Travel\",\"version\":\"2\",\"skills\":[]}";
	static const struct {
		const char *verb, *path, *sent, *received;
		int status;
		const char *name; /* NULL: plain HTTP */
	} cases[] = {
		{ "POST", "/acme/message:send", message, "{}", 200, "SendMessage" },
		{ "POST", "/a/v1/message:stream?x=1", message, "{}", 201, "SendStreamingMessage" },
		{ "POST", "/message:sendmail", message, "{}", 200, NULL },
		{ "POST", "/message:send/7", message, "{}", 200, NULL },
		{ "POST", "/message:send", "{\"text\":\"hello\"}", "{}", 200, NULL },
		{ "GET", "/v1/card", NULL, card, 200, "GetExtendedAgentCard" },
		{ "GET", "/v1/card", NULL, "{\"name\":\"Visa\",\"version\":1}", 200, NULL },
		{ "GET", "/v1/card", NULL, "{}", 401, NULL },
		{ "GET", "/extendedAgentCard", NULL, card, 401, "GetExtendedAgentCard" },
		{ "GET", "/v1/tasks/tasks-1", NULL, "{\"id\":\"tasks-1\",\"status\":{\"state\":\"working\"}}", 200,
		  "GetTask" },
		{ "GET", "/v1/tasks-old/tasks/1", NULL, "{\"id\":\"1\",\"status\":{\"state\":\"working\"}}", 200,
		  NULL },
	};
	struct world w;

	for_each_split(&w)
	{
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			const char *name = cases[i].name;
			char want[100];

			answer(&w, ask(&w, cases[i].verb, cases[i].path, JSON, cases[i].sent), cases[i].status, JSON,
			       cases[i].received, true);
			snprintf(want, sizeof(want), "a2a.method.name=%s", name ?: "");
			check(&w, 0, name ? L7_A2A : L7_HTTP, cases[i].status < 400 ? L7_OK : L7_ERROR, want);
			forget(&w);
		}
		/* a card names its agent */
		answer(&w, ask(&w, "GET", "/extendedAgentCard", "a2a-version: 1.0", NULL), 200, JSON, card, true);
		check(&w, 0, L7_A2A, L7_OK, "gen_ai.agent.name=Travel gen_ai.agent.version=2");
		forget(&w);
		end(&w);
	}
}
END_TEST

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

UNIT_MAIN(a2a, a2a_of_all_versions, a2a_over_rest, a2a_over_grpc, streams_of_tasks_that_are_left, paths_of_others)
