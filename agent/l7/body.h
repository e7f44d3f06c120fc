/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message body as the protocols of agents have it: JSON, JSON lines, or server-sent events with JSON in them; plain,
 * gzip or deflate. Whatever its size, only the fields that are named here are kept of each JSON message in it.
 */
#ifndef WEIR_L7_BODY_H
#define WEIR_L7_BODY_H

#include "agent/l7/json_scan.h"

/* Field, path. Several paths may lead to one field; the last value in the message counts, but FINISH has the first
 * ones, joined by commas. */
#define BODY_PATHS(X)                                                                   \
	/* JSON-RPC */                                                                  \
	X(JSONRPC, ".jsonrpc")                                                          \
	X(METHOD, ".method")                                                            \
	X(ID, ".id")                                                                    \
	X(RESULT, ".result")                                                            \
	X(ERROR, ".error")                                                              \
	X(ERROR_CODE, ".error.code")                                                    \
	/* MCP */                                                                       \
	X(NAME, ".params.name")                                                         \
	X(ARGUMENTS, ".params.arguments")                                               \
	X(URI, ".params.uri")                                                           \
	X(URI, ".params.ref.uri")                                                       \
	X(REF_NAME, ".params.ref.name")                                                 \
	X(VERSION, ".params.protocolVersion")                                           \
	X(VERSION, ".params._meta.io\\.modelcontextprotocol/protocolVersion")           \
	X(VERSION, ".result.protocolVersion")                                           \
	X(CLIENT, ".params.clientInfo.name")                                            \
	X(CLIENT, ".params._meta.io\\.modelcontextprotocol/clientInfo.name")            \
	X(CLIENT_VERSION, ".params.clientInfo.version")                                 \
	X(CLIENT_VERSION, ".params._meta.io\\.modelcontextprotocol/clientInfo.version") \
	X(SERVER, ".result.serverInfo.name")                                            \
	X(SERVER, ".result._meta.io\\.modelcontextprotocol/serverInfo.name")            \
	X(SERVER_VERSION, ".result.serverInfo.version")                                 \
	X(SERVER_VERSION, ".result._meta.io\\.modelcontextprotocol/serverInfo.version") \
	X(CANCELLED, ".params.requestId")                                               \
	X(TRACEPARENT, ".params._meta.traceparent")                                     \
	X(RESULT_TYPE, ".result.resultType")                                            \
	X(TASK_BEGUN, ".result.task.taskId")                                            \
	X(IS_ERROR, ".result.isError")                                                  \
	/* A2A: requests */                                                             \
	X(TASK_PARAM, ".params.id")                                                     \
	X(MCP_TASK, ".params.taskId")                                                   \
	X(MESSAGE, ".params.message.messageId")                                         \
	X(MESSAGE, ".message.messageId")                                                \
	X(MESSAGE_TASK, ".params.message.taskId")                                       \
	X(MESSAGE_CONTEXT, ".params.message.contextId")                                 \
	/* A2A: answers, with and without the envelope of JSON-RPC */                   \
	X(TASK, ".result.taskId")                                                       \
	X(TASK, ".result.statusUpdate.taskId")                                          \
	X(TASK, ".result.artifactUpdate.taskId")                                        \
	X(TASK, ".result.message.taskId")                                               \
	X(TASK, ".taskId")                                                              \
	X(TASK, ".statusUpdate.taskId")                                                 \
	X(TASK, ".artifactUpdate.taskId")                                               \
	X(TASK, ".message.taskId")                                                      \
	X(TASK_ID, ".result.id")                                                        \
	X(TASK_ID, ".result.task.id")                                                   \
	X(TASK_ID, ".task.id")                                                          \
	X(CONTEXT, ".result.contextId")                                                 \
	X(CONTEXT, ".result.task.contextId")                                            \
	X(CONTEXT, ".result.statusUpdate.contextId")                                    \
	X(CONTEXT, ".result.artifactUpdate.contextId")                                  \
	X(CONTEXT, ".result.message.contextId")                                         \
	X(CONTEXT, ".contextId")                                                        \
	X(CONTEXT, ".task.contextId")                                                   \
	X(CONTEXT, ".statusUpdate.contextId")                                           \
	X(CONTEXT, ".artifactUpdate.contextId")                                         \
	X(CONTEXT, ".message.contextId")                                                \
	X(STATE, ".result.status.state")                                                \
	X(STATE, ".result.task.status.state")                                           \
	X(STATE, ".result.statusUpdate.status.state")                                   \
	X(STATE, ".status.state")                                                       \
	X(STATE, ".task.status.state")                                                  \
	X(STATE, ".statusUpdate.status.state")                                          \
	/* agent cards */                                                               \
	X(CARD_NAME, ".name")                                                           \
	X(CARD_VERSION, ".version")                                                     \
	X(CARD_SKILLS, ".skills")                                                       \
	/* model calls */                                                               \
	X(MODEL, ".model")                                                              \
	X(MODEL, ".message.model")                                                      \
	X(MODEL, ".response.model")                                                     \
	X(MODEL, ".interaction.model")                                                  \
	X(MODEL, ".modelVersion")                                                       \
	X(STREAM, ".stream")                                                            \
	X(RESPONSE_ID, ".response.id")                                                  \
	X(RESPONSE_ID, ".message.id")                                                   \
	X(RESPONSE_ID, ".responseId")                                                   \
	X(TYPE, ".type")                                                                \
	X(CODE, ".code")                                                                \
	X(ERROR_TYPE, ".error.type")                                                    \
	X(ERROR_TYPE, ".error.status")                                                  \
	X(ERROR_TYPE, ".response.error.code")                                           \
	X(FINISH, ".choices[].finish_reason")                                           \
	X(FINISH, ".stop_reason")                                                       \
	X(FINISH, ".delta.stop_reason")                                                 \
	X(FINISH, ".candidates[].finishReason")                                         \
	X(FINISH, ".incomplete_details.reason")                                         \
	X(FINISH, ".response.incomplete_details.reason")                                \
	X(FINISH, ".done_reason")                                                       \
	X(FINISH, ".stopReason")                                                        \
	X(TOKENS_IN, ".usage.prompt_tokens")                                            \
	X(TOKENS_IN, ".usage.input_tokens")                                             \
	X(TOKENS_IN, ".message.usage.input_tokens")                                     \
	X(TOKENS_IN, ".response.usage.input_tokens")                                    \
	X(TOKENS_IN, ".usageMetadata.promptTokenCount")                                 \
	X(TOKENS_TOOLS, ".usageMetadata.toolUsePromptTokenCount")                       \
	X(TOKENS_TOOLS, ".usage.total_tool_use_tokens")                                 \
	X(TOKENS_TOOLS, ".interaction.usage.total_tool_use_tokens")                     \
	X(TOKENS_IN, ".usage.total_input_tokens")                                       \
	X(TOKENS_IN, ".interaction.usage.total_input_tokens")                           \
	X(TOKENS_IN, ".usage.inputTokens")                                              \
	X(TOKENS_IN, ".prompt_eval_count")                                              \
	X(TOKENS_OUT, ".usage.completion_tokens")                                       \
	X(TOKENS_OUT, ".usage.output_tokens")                                           \
	X(TOKENS_OUT, ".message.usage.output_tokens")                                   \
	X(TOKENS_OUT, ".response.usage.output_tokens")                                  \
	X(TOKENS_OUT, ".usageMetadata.candidatesTokenCount")                            \
	X(TOKENS_OUT, ".usage.total_output_tokens")                                     \
	X(TOKENS_OUT, ".interaction.usage.total_output_tokens")                         \
	X(TOKENS_OUT, ".usage.outputTokens")                                            \
	X(TOKENS_OUT, ".eval_count")                                                    \
	X(TOKENS_READ, ".usage.prompt_tokens_details.cached_tokens")                    \
	X(TOKENS_READ, ".usage.input_tokens_details.cached_tokens")                     \
	X(TOKENS_READ, ".response.usage.input_tokens_details.cached_tokens")            \
	X(TOKENS_READ, ".usageMetadata.cachedContentTokenCount")                        \
	X(TOKENS_READ, ".usage.cache_read_input_tokens")                                \
	X(TOKENS_READ, ".message.usage.cache_read_input_tokens")                        \
	X(TOKENS_READ, ".usage.total_cached_tokens")                                    \
	X(TOKENS_READ, ".interaction.usage.total_cached_tokens")                        \
	X(TOKENS_WRITE, ".usage.prompt_tokens_details.cache_write_tokens")              \
	X(TOKENS_WRITE, ".usage.input_tokens_details.cache_write_tokens")               \
	X(TOKENS_WRITE, ".response.usage.input_tokens_details.cache_write_tokens")      \
	X(TOKENS_WRITE, ".usage.cache_creation_input_tokens")                           \
	X(TOKENS_WRITE, ".message.usage.cache_creation_input_tokens")                   \
	X(TOKENS_THOUGHT, ".usage.completion_tokens_details.reasoning_tokens")          \
	X(TOKENS_THOUGHT, ".usage.output_tokens_details.reasoning_tokens")              \
	X(TOKENS_THOUGHT, ".response.usage.output_tokens_details.reasoning_tokens")     \
	X(TOKENS_THOUGHT, ".usage.output_tokens_details.thinking_tokens")               \
	X(TOKENS_THOUGHT, ".message.usage.output_tokens_details.thinking_tokens")       \
	X(TOKENS_THOUGHT, ".usage.total_thought_tokens")                                \
	X(TOKENS_THOUGHT, ".interaction.usage.total_thought_tokens")                    \
	X(TOKENS_THOUGHT, ".usageMetadata.thoughtsTokenCount")

/* The formatter makes something else of this list each time. */
/* clang-format off */
#define BODY_FIELDS(X) \
	X(JSONRPC) X(METHOD) X(ID) X(RESULT) X(ERROR) X(ERROR_CODE) X(ERROR_TYPE) X(NAME) X(ARGUMENTS) \
	X(URI) X(REF_NAME) X(VERSION) X(CLIENT) X(CLIENT_VERSION) X(SERVER) X(SERVER_VERSION) X(TRACEPARENT) \
	X(CANCELLED) X(RESULT_TYPE) X(TASK_BEGUN) X(IS_ERROR) X(TASK_PARAM) X(MCP_TASK) X(MESSAGE) X(MESSAGE_TASK) X(MESSAGE_CONTEXT) \
	X(TASK) X(TASK_ID) X(CONTEXT) X(STATE) X(CARD_NAME) X(CARD_VERSION) X(CARD_SKILLS) X(MODEL) X(STREAM) X(TYPE) X(CODE) \
	X(RESPONSE_ID) X(FINISH) X(TOKENS_IN) X(TOKENS_OUT) X(TOKENS_READ) X(TOKENS_WRITE) \
	X(TOKENS_TOOLS) X(TOKENS_THOUGHT)
/* clang-format on */

enum body_field {
#define X(name) BODY_##name,
	BODY_FIELDS(X)
#undef X
	    BODY_FIELD_COUNT
};

/* One JSON message. */
struct body_message {
	char *v[BODY_FIELD_COUNT];      /* NULL: not there; "" for objects and lists */
	uint8_t type[BODY_FIELD_COUNT]; /* enum json_type */
	bool whole;                     /* false: cut off, what is there is right */
	const char *data;               /* of ARGUMENTS or RESULT, as far as it is kept; NULL: it was not asked for */
	size_t data_len;
	enum body_field data_field; /* which of the two; of a message that has both, ARGUMENTS */
};

struct body;
typedef void (*body_message_fn)(void *userdata, const struct body_message *m);

/*
 * NULL: out of memory, or a content type or coding that is not read: *ret_reason says which then (NULL for a type).
 * coding: the value of Content-Encoding, or NULL.
 */
struct body *body_new(const char *type, const char *coding, body_message_fn fn, void *userdata,
		      const char **ret_reason);
void body_free(struct body *b); /* takes NULL */
/* Messages are to have their data: what is passed to tools, and what comes from them. */
void body_keep_data(struct body *b);
/* False: nothing more of it can be read. */
bool body_feed(struct body *b, const uint8_t *data, size_t len);
void body_gap(struct body *b);
/* Hands over a message that is not ended. */
void body_end(struct body *b);
/* Why it is not read to its end, or NULL. */
const char *body_reason(const struct body *b);
uint64_t body_events(const struct body *b); /* of a stream */
bool body_is_stream(const struct body *b);
/* What an event of the legacy MCP transport names as the session, or "". */
const char *body_session(const struct body *b);
size_t body_memory(const struct body *b); /* takes NULL */

#endif
