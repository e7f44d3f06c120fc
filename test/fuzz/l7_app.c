// SPDX-License-Identifier: Apache-2.0
/*
 * What HTTP carries, up to the words that the CLI prints: MCP, A2A, model calls, gRPC, plain requests. Five bytes say
 * what kind of exchange it is and in which pieces bodies come; behind them are the request's body, a line of "---", the
 * answer's body. Two exchanges are told, the second on the same connection with what the first left behind. sources:
 * agent/l7/app.c agent/l7/a2a.c agent/l7/body.c agent/l7/cards.c agent/l7/grpc.c agent/l7/json_scan.c agent/l7/llm.c
 * agent/l7/record.c agent/l7/rpc.c agent/l7/grpc_call.c agent/l7/redact.c agent/l7/sse.c agent/l7/http_head.c
 * agent/flow/l7_text.c lib/arena.c lib/addr.c lib/grpc.c
 */
#include "agent/flow/l7_text.h"
#include "agent/l7/cards.h"
#include "agent/l7/http.h"

#define MEMORY_MAX (1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const targets[] = {
	"/mcp",
	"/sse",
	"/messages/?session_id=1",
	"/a2a",
	"/message:send",
	"/v1/message:stream",
	"/tasks/t-1:cancel",
	"/v1/tasks/t-1",
	"/.well-known/agent-card.json",
	"/a2a.v1.A2AService/SendMessage",
	"/lf.a2a.v1.A2AService/SendStreamingMessage",
	"/a.B/C",
	"/v1/chat/completions",
	"/v1/responses",
	"/v1/messages",
	"/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
	"/openai/deployments/d/chat/completions?api-version=1",
	"/api/chat",
	"/v1/embeddings",
	"/index.html?q=1",
};
static const char *const types[] = { "application/json",
				     "text/event-stream",
				     "application/grpc",
				     "application/x-ndjson",
				     "text/html",
				     "application/json; charset=utf-8",
				     "application/a2a+json",
				     "",
				     "application/grpc-web",
				     "application/grpc-web-text+proto" };
static const char *const methods[] = { "POST", "GET", "DELETE", "OPTIONS" };

static void must(bool good)
{
	if (!good)
		abort();
}

static struct cards *cards;

/* As the worker and the CLI treat it. */
static void on_emit(_unused_ struct l7_host *h, struct l7_record *r)
{
	static _Alignas(8) uint8_t queue[32768];
	char buf[4096];
	size_t packed;

	must(r->kind && r->kind < L7_KIND_COUNT && l7_outcome_name(r->outcome));
	must(!(r->flags & L7_UNPARSEABLE) || l7_record_get(r, L7_KEY_REASON));
	cards_apply(cards, r);
	packed = l7_record_packed_size(r);
	must(packed <= sizeof(queue));
	l7_record_pack(r, queue);
	l7_record_free(r);
	r = l7_record_copy((const struct l7_record *)queue);
	if (!r)
		return;
	must(l7_record_memory(r) == packed);
	for (unsigned i = 0; i < r->n_attrs; i++) {
		const struct l7_attr *a = &r->attrs[i];
		bool data = a->key == L7_KEY_GEN_AI_ARGUMENTS || a->key == L7_KEY_GEN_AI_RESULT;

		must(a->key < L7_KEY_COUNT && (a->is_int || strlen(a->s) <= (data ? L7_TEXT_MAX : L7_STR_MAX)));
	}
	l7_url(r, buf, sizeof(buf));
	l7_subject(r, buf, 20);
	l7_subject(r, buf, sizeof(buf));
	l7_result(r, buf, sizeof(buf));
	l7_notes(r, buf, sizeof(buf));
	l7_summary(r, buf, sizeof(buf));
	must(strlen(buf) < sizeof(buf));
	l7_record_free(r);
}

static void on_bytes(_unused_ struct l7_host *h, _unused_ int dir, _unused_ uint64_t bytes)
{
}

static void on_ignore(_unused_ struct l7_host *h)
{
}

struct shape {
	uint8_t target, types, method, status, pieces;
};

static struct http_head head_of(const struct shape *s, int dir, struct http_header *h)
{
	const char *type = types[(dir ? s->types >> 4 : s->types) % ARRAY_SIZE(types)];
	struct http_head head = { .major = s->status & 64 ? 2 : 1, .minor = 1, .headers = h };
	const char *const all[][2] = {
		{ "content-type", type },
		{ "content-encoding", s->status & 128 ? "gzip" : "" },
		{ "mcp-protocol-version", "2026-07-28" },
		{ s->method & 4 ? "mcp-method" : "x-a", "tools/call" },
		{ s->method & 8 ? "mcp-name" : "x-b", "name\x1b" },
		{ "mcp-session-id", "s-1" },
		{ "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
		{ dir ? "grpc-status" : "grpc-timeout", dir ? "5" : "1S" },
	};

	if (dir == 0) {
		head.method = methods[s->method % ARRAY_SIZE(methods)];
		head.target = targets[s->target % ARRAY_SIZE(targets)];
		head.authority = "server:80";
	} else {
		static const int status[] = { 200, 202, 400, 404, 500, 204, 101, 302 };

		head.status = status[s->status % 8];
	}
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (*all[i][1])
			h[head.n_headers++] = (struct http_header){ all[i][0], all[i][1], (uint32_t)strlen(all[i][0]),
								    (uint32_t)strlen(all[i][1]) };
	}
	return head;
}

static void body(struct http_exchange *x, int dir, const struct shape *s, const uint8_t *data, size_t len, uint64_t *ns)
{
	size_t piece = s->pieces % 32 ? s->pieces % 32 : len;
	bool wants = true;

	for (size_t i = 0; i < len; i += piece) {
		*ns += 1000000;
		if ((s->pieces & 64) && i == 2 * piece)
			http_app_body_gap(x, dir, 7, *ns);
		else if (wants)
			wants = http_app_body(x, dir, data + i, MIN(piece, len - i), *ns);
	}
}

static void exchange(struct http_app *app, const struct shape *s, const uint8_t *ask, size_t n_ask,
		     const uint8_t *answer, size_t n_answer, uint64_t *ns)
{
	struct http_header headers[16];
	struct http_head head = head_of(s, 0, headers);
	struct http_exchange *x = http_app_request(app, &head, *ns += 1000);

	if (!x)
		return;
	body(x, 0, s, ask, n_ask, ns);
	http_app_done(x, 0, !(s->pieces & 32), *ns);
	head = head_of(s, 1, headers);
	http_app_answer(x, &head, *ns += 1000);
	body(x, 1, s, answer, n_answer, ns);
	if (s->method & 16)
		http_app_trailers(x, 1, &head, *ns);
	must(http_app_memory(app) <= MEMORY_MAX);
	if (s->method & 32)
		http_app_tick(app, *ns += 70000000000ull);
	http_app_done(x, 1, !(s->pieces & 128), *ns);
	http_app_close(x, s->method & 64 ? L7_PARTIAL : 0, s->method & 128 ? "reason" : NULL, *ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *patterns[] = { "*token*", NULL };
	static const struct l7_settings settings = { .record_tools = true, .redact = patterns };
	struct l7_host host = {
		.settings = &settings, .emit = on_emit, .skip = on_bytes, .want = on_bytes, .ignore = on_ignore
	};
	const uint8_t *bodies = data + sizeof(struct shape), *rule;
	struct http_app *app;
	uint64_t ns = 1000000000;
	struct shape s;
	size_t len;

	if (size < sizeof(s))
		return 0;
	memcpy(&s, data, sizeof(s));
	len = size - sizeof(s);
	rule = memmem(bodies, len, "\n---\n", 5);
	cards = cards ?: cards_new();
	app = http_app_new(&host);
	must(app && cards);
	for (int i = 0; i < 2; i++) {
		if (rule)
			exchange(app, &s, bodies, (size_t)(rule - bodies), rule + 5, (size_t)(bodies + len - rule - 5),
				 &ns);
		else
			exchange(app, &s, bodies, len, bodies, len, &ns);
	}
	http_app_tick(app, ns + 1000000000000); /* no run is to find what another left */
	http_app_free(app);
	return 0;
}
