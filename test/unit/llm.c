// SPDX-License-Identifier: Apache-2.0
/* Calls of models, plain and streamed. */
#include "test/unit/app_world.h"

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

/* As the SDKs' servers stream them. */
START_TEST(streams_of_all_houses)
{
	struct http_exchange *x;
	struct world w;

	for_each_split(&w)
	{
		/* what message_delta says of tokens is not all that there is */
		exchange(
		    &w, "/v1/messages?beta=true", JSON, "{\"model\":\"claude\",\"stream\":true,\"thinking\":{}}", 200,
		    SSE,
		    "event: message_start\ndata: "
		    "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\","
		    "\"model\":\"claude-1\",\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"cache_creation_input_"
		    "tokens\":"
		    "20,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\n"
		    "event: ping\ndata: {\"type\": \"ping\"}\n\n"
		    "event: content_block_delta\ndata: "
		    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
		    "\"thinking_delta\",\"thinking\":\"x\"}}\n\n"
		    "event: message_delta\ndata: "
		    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{"
		    "\"input_tokens\":4,\"output_tokens\":50,\"output_tokens_details\":{\"thinking_tokens\":9}}}\n\n"
		    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
		check(&w, 0, L7_LLM, L7_OK,
		      "gen_ai.response.id=msg_1 gen_ai.response.model=claude-1 gen_ai.response.finish_reasons=tool_use "
		      "gen_ai.usage.input_tokens=124 gen_ai.usage.output_tokens=50 "
		      "gen_ai.usage.cache_read.input_tokens=100 "
		      "gen_ai.usage.cache_creation.input_tokens=20 gen_ai.usage.reasoning.output_tokens=9");
		forget(&w);
		/* a client that leaves when it has heard all */
		x = ask(&w, "POST", "/v1/responses", JSON, "{\"model\":\"gpt\",\"stream\":true}");
		http_app_left(x);
		answer(
		    &w, x, 200, SSE,
		    "event: response.created\ndata: "
		    "{\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"status\":"
		    "\"in_progress\",\"error\":null,\"model\":\"gpt-1\",\"usage\":null}}\n\n"
		    "event: response.output_text.delta\ndata: "
		    "{\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n"
		    "event: response.completed\ndata: "
		    "{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":"
		    "\"completed\",\"incomplete_details\":null,\"usage\":{\"input_tokens\":7,\"input_tokens_details\":{"
		    "\"cached_tokens\":2},\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":4}}}}"
		    "\n\n",
		    false);
		check(&w, 0, L7_LLM, L7_OK,
		      "gen_ai.response.id=resp_1 gen_ai.response.model=gpt-1 gen_ai.usage.input_tokens=7 "
		      "gen_ai.usage.output_tokens=5 gen_ai.usage.cache_read.input_tokens=2 "
		      "gen_ai.usage.reasoning.output_tokens=4");
		forget(&w);
		x = ask(&w, "POST", "/v1/responses", JSON, "{\"model\":\"gpt\",\"stream\":true}");
		http_app_left(x);
		answer(&w, x, 200, SSE, "data: {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\n", false);
		check(&w, 0, L7_LLM, L7_CANCELLED, "gen_ai.request.model=gpt");
		forget(&w);
		exchange(
		    &w, "/v1/responses", JSON, "{\"model\":\"gpt\"}", 200, JSON,
		    "{\"id\":\"r\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
		    "\"error\":null}");
		check(&w, 0, L7_LLM, L7_OK, "gen_ai.response.id=r gen_ai.response.finish_reasons=max_output_tokens");
		forget(&w);
		/* Gemini without alt=sse: a list that grows; what it counts apart is input, and output, all the same */
		exchange(&w, "/v1beta/models/g:streamGenerateContent", JSON, "{\"contents\":[]}", 200, JSON,
			 "[{\"candidates\":[{\"content\":{}}],\"usageMetadata\":{\"promptTokenCount\":4}},\n{"
			 "\"candidates\":[{"
			 "\"finishReason\":\"MAX_TOKENS\"}],\"usageMetadata\":{\"promptTokenCount\":4,"
			 "\"toolUsePromptTokenCount\":3,"
			 "\"thoughtsTokenCount\":8,\"cachedContentTokenCount\":2},\"modelVersion\":\"g-1\","
			 "\"responseId\":\"q\"}]");
		check(&w, 0, L7_LLM, L7_OK,
		      "gen_ai.response.model=g-1 gen_ai.response.id=q gen_ai.response.finish_reasons=MAX_TOKENS "
		      "gen_ai.usage.input_tokens=7 gen_ai.usage.output_tokens=8 gen_ai.usage.cache_read.input_tokens=2 "
		      "gen_ai.usage.reasoning.output_tokens=8 gen_ai.request.stream=1");
		forget(&w);
		exchange(&w, "/v1beta/models/e:batchEmbedContents", JSON, "{\"requests\":[]}", 200, JSON,
			 "{\"embeddings\":[]}");
		exchange(&w, "/v1/responses/compact", JSON, "{\"model\":\"gpt\"}", 200, JSON,
			 "{\"id\":\"r\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}");
		exchange(&w, "/v1/messages/count_tokens", JSON, "{\"model\":\"c\"}", 200, JSON, "{\"input_tokens\":9}");
		check(&w, 0, L7_LLM, L7_OK, "gen_ai.operation.name=embeddings gen_ai.request.model=e");
		check(&w, 1, L7_LLM, L7_OK, "gen_ai.usage.input_tokens=9");
		check(&w, 2, L7_HTTP, L7_OK, "url.path=/v1/messages/count_tokens");
		forget(&w);
		end(&w);
	}
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
		  "event: error\ndata: "
		  "{\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"m\",\"param\":null}\n\n",
		  "rate_limit_exceeded" },
		{ "/v1/responses", "event: error\ndata: {\"type\":\"error\",\"code\":null,\"message\":\"m\"}\n\n",
		  "_OTHER" },
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

UNIT_MAIN(llm, model_calls, models_of_all_houses, a_stream_may_fail_after_its_head,
	  the_first_token_is_an_event_not_a_head, more_tokens_than_there_are, streams_of_all_houses)
