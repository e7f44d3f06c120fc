/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was read of one exchange on layer 7: a request and its answer, as far as both were seen. One record per HTTP
 * exchange that carries nothing better known, per gRPC call, DNS query, TLS connection, JSON-RPC message (MCP, A2A),
 * model call.
 *
 *   excerpts (ring) → track + stream (reassembly) → protocol (http1, http2, dns, tls) → app (mcp, a2a, llm …) → record
 *   → queue → main loop: enrich → flow store
 *
 * A record is made on the L7 thread, packed into the queue, and copied out of it on the main loop.
 */
#ifndef WEIR_L7_RECORD_H
#define WEIR_L7_RECORD_H

#include "lib/arena.h"
#include "lib/macro.h"
#include "weir/abi.h"

enum l7_kind {
	L7_HTTP = 1,
	L7_GRPC,
	L7_DNS,
	L7_TLS,
	L7_MCP,
	L7_A2A,
	L7_LLM,
	L7_JSONRPC, /* JSON-RPC that is neither MCP nor A2A */
	L7_KIND_COUNT,
};
/* "http" … "llm": the words of --l7. NULL: no such kind. */
const char *l7_kind_name(enum l7_kind kind);

/*
 * Everything that a record can say: enum name, OpenTelemetry name, type (S string, I integer), where it comes from.
 * docs/flows.md has this table for people; a unit test compares the two.
 */
#define L7_KEYS(X)                                                                                             \
	X(HTTP_METHOD, "http.request.method", S, "request line, :method")                                      \
	X(HTTP_STATUS, "http.response.status_code", I, "status line, :status")                                 \
	X(URL_PATH, "url.path", S, "request target without query")                                             \
	X(URL_QUERY, "url.query", S, "request target; only when configured")                                   \
	X(HTTP_HOST, "server.address", S, "Host, :authority, without port")                                    \
	X(USER_AGENT, "user_agent.original", S, "User-Agent")                                                  \
	X(NETWORK_PROTOCOL, "network.protocol.name", S, "http, dns, tls")                                      \
	X(NETWORK_VERSION, "network.protocol.version", S, "1.0, 1.1, 2")                                       \
	X(REQUEST_SIZE, "http.request.body.size", I, "bytes of the body on the wire")                          \
	X(RESPONSE_SIZE, "http.response.body.size", I, "bytes of the body on the wire")                        \
	X(CONTENT_TYPE, "http.response.header.content-type", S, "Content-Type of the answer")                  \
	X(UPGRADE, "http.request.header.upgrade", S, "Upgrade answered by 101, :protocol: websocket")          \
	X(TRACEPARENT, "traceparent", S, "header, or MCP params._meta; W3C trace context")                     \
	X(ERROR_TYPE, "error.type", S,                                                                         \
	  "HTTP status, JSON-RPC code, tool_error, task state, gRPC status name, type of a model's error")     \
	X(RPC_SYSTEM, "rpc.system.name", S, "grpc, jsonrpc")                                                   \
	X(RPC_METHOD, "rpc.method", S, "package.Service/Method; JSON-RPC method when not MCP or A2A")          \
	X(RPC_STATUS, "rpc.status_code", S, "OK, NOT_FOUND …; JSON-RPC code as text")                          \
	X(RPC_MESSAGE, "rpc.status_message", S, "grpc-message, decoded")                                       \
	X(RPC_TIMEOUT, "weir.rpc.timeout_ms", I, "grpc-timeout, milliseconds")                                 \
	X(JSONRPC_ID, "jsonrpc.request.id", S, "id of the request")                                            \
	X(MCP_METHOD, "mcp.method.name", S, "method or Mcp-Method")                                            \
	X(MCP_VERSION, "mcp.protocol.version", S, "MCP-Protocol-Version, initialize, _meta")                   \
	X(MCP_SESSION, "mcp.session.id", S, "Mcp-Session-Id or sessionId; hashed unless configured")           \
	X(MCP_RESOURCE, "mcp.resource.uri", S, "params.uri, params.ref.uri")                                   \
	X(MCP_RESULT_TYPE, "mcp.result.type", S, "result.resultType, unless complete: input_required, task")   \
	X(MCP_CLIENT, "mcp.client.name", S, "clientInfo.name")                                                 \
	X(MCP_CLIENT_VERSION, "mcp.client.version", S, "clientInfo.version")                                   \
	X(MCP_SERVER, "mcp.server.name", S, "serverInfo.name")                                                 \
	X(MCP_SERVER_VERSION, "mcp.server.version", S, "serverInfo.version")                                   \
	X(GEN_AI_OPERATION, "gen_ai.operation.name", S, "execute_tool, chat, embeddings …")                    \
	X(GEN_AI_TOOL, "gen_ai.tool.name", S, "params.name of tools/call")                                     \
	X(GEN_AI_ARGUMENTS, "gen_ai.tool.call.arguments", S,                                                   \
	  "params.arguments of tools/call, redacted; only when configured")                                    \
	X(GEN_AI_RESULT, "gen_ai.tool.call.result", S, "result of tools/call, redacted; only when configured") \
	X(GEN_AI_PROMPT, "gen_ai.prompt.name", S, "params.name of prompts/get, params.ref.name")               \
	X(GEN_AI_PROVIDER, "gen_ai.provider.name", S, "openai, anthropic, gcp.gemini …, by path and headers")  \
	X(GEN_AI_MODEL, "gen_ai.request.model", S, "body or path")                                             \
	X(GEN_AI_RESPONSE_MODEL, "gen_ai.response.model", S, "body")                                           \
	X(GEN_AI_RESPONSE_ID, "gen_ai.response.id", S, "body")                                                 \
	X(GEN_AI_FINISH, "gen_ai.response.finish_reasons", S, "body; several joined by a comma")               \
	X(GEN_AI_INPUT, "gen_ai.usage.input_tokens", I, "usage; cached ones included")                         \
	X(GEN_AI_OUTPUT, "gen_ai.usage.output_tokens", I, "usage")                                             \
	X(GEN_AI_CACHE_READ, "gen_ai.usage.cache_read.input_tokens", I, "usage")                               \
	X(GEN_AI_CACHE_WRITE, "gen_ai.usage.cache_creation.input_tokens", I, "usage")                          \
	X(GEN_AI_REASONING, "gen_ai.usage.reasoning.output_tokens", I, "usage")                                \
	X(GEN_AI_STREAM, "gen_ai.request.stream", I, "stream: true; 0 or 1")                                   \
	X(GEN_AI_AGENT, "gen_ai.agent.name", S, "A2A agent card of the callee")                                \
	X(GEN_AI_AGENT_VERSION, "gen_ai.agent.version", S, "A2A agent card of the callee")                     \
	X(GEN_AI_CONVERSATION, "gen_ai.conversation.id", S, "A2A contextId")                                   \
	X(A2A_METHOD, "a2a.method.name", S, "normalised to the names of A2A 1.0")                              \
	X(A2A_METHOD_ORIGINAL, "a2a.method.original", S, "as sent, when it differs")                           \
	X(A2A_VERSION, "a2a.protocol.version", S, "A2A-Version; none means 0.3")                               \
	X(A2A_TASK, "a2a.task.id", S, "task id")                                                               \
	X(A2A_STATE, "a2a.task.state", S, "TASK_STATE_…, the last one seen")                                   \
	X(A2A_MESSAGE, "a2a.message.id", S, "messageId of the request")                                        \
	X(DNS_QUERY, "dns.question.name", S, "question, lower case, final dot")                                \
	X(DNS_QTYPE, "dns.question.type", S, "A, AAAA …")                                                      \
	X(DNS_RCODE, "dns.response_code", I, "header")                                                         \
	X(DNS_ADDRS, "dns.answers", S, "addresses, joined by a comma")                                         \
	X(DNS_CNAMES, "dns.cnames", S, "joined by a comma")                                                    \
	X(DNS_TTL, "dns.ttl", I, "least TTL of the answers, seconds")                                          \
	X(TLS_SNI, "tls.client.server_name", S, "ClientHello")                                                 \
	X(TLS_ALPN, "tls.client.alpn", S, "ClientHello; joined by a comma")                                    \
	X(EVENTS, "weir.stream.events", I, "SSE events, gRPC messages of the answer")                          \
	X(REASON, "weir.reason", S, "why the record is partial or unparseable, in words")

enum l7_key {
#define X(name, otel, type, source) L7_KEY_##name,
	L7_KEYS(X)
#undef X
	    L7_KEY_COUNT
};

enum l7_outcome {
	L7_OK = 1,
	L7_ERROR, /* HTTP status >= 400, JSON-RPC error, gRPC status other than OK, rcode other than 0, failed task */
	L7_TOOL_ERROR, /* MCP result with isError */
	L7_NO_ANSWER,  /* the connection ended before one, or a minute went by */
	L7_CANCELLED,  /* the client went away before the answer was over, or said that it wants none */
	L7_UNKNOWN,    /* the answer was not seen: lost, or cut off by the budget */
	L7_ONEWAY,     /* a notification: nobody answers */
};
const char *l7_outcome_name(enum l7_outcome o); /* "ok", "error", "tool_error", "no_answer" … */

enum l7_record_flags {
	L7_PARTIAL = 1 << 0,     /* bytes were missing: what is there is right, what is not there may have been sent */
	L7_MIDSTREAM = 1 << 1,   /* the connection's beginning was not seen */
	L7_UNPARSEABLE = 1 << 2, /* ambiguous or against the standard; L7_KEY_REASON says what */
	L7_LONG_LIVED = 1 << 3,  /* subscriptions and the like: latency means nothing */
	L7_FROM_SERVER = 1 << 4, /* MCP server→client request: the caller is the connection's server */
};

struct l7_attr {
	uint16_t key; /* enum l7_key */
	bool is_int;
	uint16_t len; /* of s */
	union {
		int64_t i;
		const char *s; /* UTF-8, without control characters; never NULL; in the record's own memory */
	};
};

/* Both ends of the connection, [0] client: who opened it, [1] server. */
struct l7_ends {
	struct weir_addr addr[2];
	__be16 port[2];
	uint32_t identity[2];
	uint8_t proto; /* IPPROTO_… */
	uint8_t v6;
};

#define L7_ATTRS_MAX 32
#define L7_STR_MAX 512   /* bytes that one attribute keeps; longer ones are cut between characters */
#define L7_TEXT_MAX 2048 /* the same of arguments and results of tools */

struct l7_record {
	uint8_t kind;    /* enum l7_kind */
	uint8_t outcome; /* enum l7_outcome */
	uint16_t flags;  /* enum l7_record_flags */
	struct l7_ends ends;
	uint64_t start_ns; /* CLOCK_MONOTONIC: first byte of the request */
	uint64_t first_ns; /* nanoseconds from start to the first byte (streams: first event) of the answer; 0: none */
	uint64_t last_ns;  /* nanoseconds from start to the last byte of the answer; 0: none */
	uint16_t n_attrs, room; /* of attrs: there are, and fit */
	uint32_t text_len, text_room;
	struct l7_attr *attrs; /* in the order of enum l7_key */
	char *text;            /* where their strings are */
	size_t size;           /* of all this, when it was packed; else 0 */
};

/*
 * ---- building, on the L7 thread. A record that is being built has room to grow; packed it is as small as can be, in
 * one piece of memory.
 */
struct l7_record *l7_record_new(enum l7_kind kind, const struct l7_ends *ends); /* NULL: out of memory */
/* Copies at most L7_STR_MAX or L7_TEXT_MAX bytes; what is no UTF-8 and control characters become U+FFFD. A second value
 * replaces the first. Out of memory: the record says L7_PARTIAL and lacks it. s NULL or len 0: nothing happens. */
void l7_record_str(struct l7_record *r, enum l7_key key, const char *s, size_t len);
void l7_record_int(struct l7_record *r, enum l7_key key, int64_t v);
void l7_record_drop(struct l7_record *r, enum l7_key first, enum l7_key last); /* all keys from first to last */

/* Frees what was built, on its thread, or a copy, on any. Takes NULL. */
void l7_record_free(struct l7_record *r);
DEFINE_CLEANUP(struct l7_record *, l7_record_free);

size_t l7_record_packed_size(const struct l7_record *r);
/* At `to`, aligned to 8, there is room for it. What is packed cannot be added to, nor moved, nor freed. */
const struct l7_record *l7_record_pack(const struct l7_record *r, void *to);
/* Of a packed one, in memory of its own; NULL: there is none. */
struct l7_record *l7_record_copy(const struct l7_record *packed);
/* One to be built on, with what a packed one has. NULL: out of memory, or it is larger than records begin. */
struct l7_record *l7_record_resume(const struct l7_record *packed);

/* NULL, or `none`: it has none. The text is valid until the record gets more of it. */
const char *l7_record_get(const struct l7_record *r, enum l7_key key);
int64_t l7_record_get_int(const struct l7_record *r, enum l7_key key, int64_t none);
const char *l7_key_name(enum l7_key key);           /* the OpenTelemetry name */
size_t l7_record_memory(const struct l7_record *r); /* bytes that it holds */

#endif
