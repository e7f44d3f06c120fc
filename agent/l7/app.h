/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the consumer of exchanges: app.c has their life, rpc.c JSON-RPC (MCP, A2A), a2a.c A2A's other bindings, llm.c
 * model calls, grpc_call.c gRPC. */
#ifndef WEIR_L7_APP_H
#define WEIR_L7_APP_H

#include "agent/l7/body.h"
#include "agent/l7/grpc.h"
#include "agent/l7/http.h"
#include "lib/base64.h"

#define APP_CALLS_MAX                                                                                  \
	64 /* JSON-RPC messages of one exchange that wait for their answer; of one request body at all \
	    */
#define APP_SESSION_MAX 80

struct http_app {
	struct l7_host *host;
	struct http_exchange *exchanges; /* list */
	struct http_known *known;        /* or NULL */
};

enum app_kind { APP_HTTP, APP_GRPC, APP_LLM, APP_A2A_REST, APP_CARD };

struct http_exchange {
	struct http_app *app;
	struct http_exchange *prev, *next;
	enum app_kind kind;
	struct l7_record *record;                        /* of the exchange as such; NULL: handed over */
	uint64_t start_ns, answer_ns, event_ns, last_ns; /* event: the first of a stream */
	uint64_t bytes[2];                               /* of bodies on the wire */
	struct body *body[2];                            /* NULL: of no interest */
	const char *reason;                              /* why a body could not be read */
	int status;
	bool done[2], complete[2], partial;
	bool client_left; /* before its answer was over */
	bool is_get, answer_is_stream;
	bool has_finished; /* the model */
	/* of heads, for records of messages in bodies */
	char session[APP_SESSION_MAX], version[16], mcp_method[64], mcp_name[256];
	bool is_mcp, is_a2a;
	bool is_legacy; /* MCP's transport of 2024-11-05: its session is in the query */
	/* JSON-RPC */
	bool had_rpc; /* there was a message: the exchange itself is no record */
	struct call *calls;
	unsigned n_calls, n_sent;
	size_t calls_memory;
	struct grpc_stream grpc[2];
	struct base64 base64[2];
	bool is_base64[2];   /* gRPC-Web as text */
	uint64_t timeout_ns; /* grpc-timeout; 0: none */
};

/* A record with what the exchange's heads say. NULL: out of memory. */
struct l7_record *app_record(struct http_exchange *x, enum l7_kind kind);
void app_set(struct l7_record *r, enum l7_key key, const char *s);       /* s NULL: nothing happens */
void app_set_uri(struct l7_record *r, enum l7_key key, const char *uri); /* without user, password, query */
void app_emit(struct http_exchange *x, struct l7_record *r, enum l7_outcome outcome);
void app_demote(struct http_exchange *x); /* what its path promised it is not: plain HTTP, or JSON-RPC */

/* rpc.c */
void rpc_message(struct http_exchange *x, int dir, const struct body_message *m, uint64_t ns);
bool rpc_is(const struct body_message *m); /* a request or an answer */
/* The answer is over: what of the exchange's calls has no answer may get it elsewhere, or not at all. */
void rpc_close(struct http_exchange *x, uint64_t ns);
void rpc_tick(struct http_app *a, uint64_t ns); /* of any connection: tells whose time is up */

/* a2a.c */
bool a2a_rest_route(struct http_exchange *x, const struct http_head *h); /* true: it is a call of A2A's REST binding */
void a2a_rest_message(struct http_exchange *x, int dir, const struct body_message *m);
void a2a_rest_end(struct http_exchange *x); /* takes back what its path promised, when bodies say so */
const char *a2a_method(const char *method); /* the name of A2A 1.0; NULL: none of A2A's */
void a2a_request(struct l7_record *r, const struct body_message *m);
void a2a_follow(struct l7_record *r, const struct body_message *m);
enum l7_outcome a2a_outcome(struct l7_record *r);     /* by the task's state */
bool a2a_is_under_way(const struct l7_record *r);     /* the task, as far as was seen */
bool a2a_grpc(struct l7_record *r, const char *path); /* true: it is a call of A2A's gRPC binding */
void a2a_grpc_message(struct l7_record *r, int dir, const uint8_t *msg, size_t len);

/* grpc_call.c */
bool grpc_call_route(struct http_exchange *x, const struct http_head *h); /* true: it is a call of gRPC */
void grpc_call_answer(struct http_exchange *x, const struct http_head *h);
void grpc_call_trailers(struct http_exchange *x, const struct http_head *h);
void grpc_call_body(struct http_exchange *x, int dir, const uint8_t *data, size_t len);
void grpc_call_gap(struct http_exchange *x, int dir, uint64_t len);
enum l7_outcome grpc_call_outcome(struct http_exchange *x);

/* llm.c */
bool llm_route(struct http_exchange *x, const struct http_head *h, const char *path);
void llm_asked(struct http_exchange *x); /* the request is over */
void llm_message(struct http_exchange *x, int dir, const struct body_message *m);

#endif
