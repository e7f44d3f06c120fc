// SPDX-License-Identifier: Apache-2.0
/* Exchanges of HTTP become records: of what they carry where that is known (JSON-RPC, model calls, gRPC), else of
 * themselves. */
#include "agent/l7/app.h"
#include "lib/pool.h"

/* What the head of the last request that came again says: the exchange before anything else is known of it. */
struct http_known {
	uint32_t number;
	bool used; /* since the last tick */
	struct http_exchange x;
	struct l7_record *record; /* a copy: packed */
};

/* All connections are read on one thread. */
static struct pool exchanges = POOL(sizeof(struct http_exchange), 256);

void app_set(struct l7_record *r, enum l7_key key, const char *s)
{
	if (s)
		l7_record_str(r, key, s, strlen(s));
}

static void set_header(struct l7_record *r, enum l7_key key, const struct http_head *h, const char *name)
{
	const struct http_header *x = http_head_get(h, name);

	if (x)
		l7_record_str(r, key, x->value, x->value_len);
}

void app_emit(struct http_exchange *x, struct l7_record *r, enum l7_outcome outcome)
{
	struct l7_host *h = x->app->host;

	if (x->partial || x->reason)
		r->flags |= L7_PARTIAL;
	r->outcome = outcome;
	h->emit(h, r);
}

struct l7_record *app_record(struct http_exchange *x, enum l7_kind kind)
{
	static const enum l7_key common[] = { L7_KEY_HTTP_METHOD, L7_KEY_URL_PATH,         L7_KEY_HTTP_HOST,
					      L7_KEY_USER_AGENT,  L7_KEY_NETWORK_PROTOCOL, L7_KEY_NETWORK_VERSION,
					      L7_KEY_TRACEPARENT };
	struct l7_record *r = l7_record_new(kind, &x->app->host->ends);

	if (!r)
		return NULL;
	r->flags = x->record->flags & L7_MIDSTREAM;
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		app_set(r, common[i], l7_record_get(x->record, common[i]));
	return r;
}

/* ---- connections */

struct http_app *http_app_new(struct l7_host *host)
{
	struct http_app *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->host = host;
	return a;
}

static void forget(struct http_app *a)
{
	if (!a->known)
		return;
	l7_record_free(a->known->record);
	free(TAKE_PTR(a->known));
}

void http_app_free(struct http_app *a)
{
	while (a->exchanges)
		http_app_close(a->exchanges, L7_PARTIAL, NULL, a->exchanges->last_ns);
	forget(a);
	free(a);
}

void http_app_tick(struct http_app *a, uint64_t ns)
{
	if (a->known && !TAKE(a->known->used, false))
		forget(a);
	rpc_tick(a, ns);
}

size_t http_app_memory(const struct http_app *a)
{
	size_t n = sizeof(*a);

	for (const struct http_exchange *x = a->exchanges; x; x = x->next)
		n += sizeof(*x) + body_memory(x->body[0]) + body_memory(x->body[1]) + x->calls_memory +
		     l7_record_memory(x->record) + (x->grpc[0].kept ? GRPC_MESSAGE_KEPT : 0) +
		     (x->grpc[1].kept ? GRPC_MESSAGE_KEPT : 0);
	return a->known ? n + sizeof(*a->known) + a->known->record->size : n;
}

/* ---- requests */

static const char *header(const struct http_head *h, const char *name)
{
	const struct http_header *x = http_head_get(h, name);

	return x ? x->value : NULL;
}

static void copy(char *to, size_t size, const char *from)
{
	if (from)
		snprintf(to, size, "%s", from);
}

/* The value of a parameter of the query, as it stands there. */
static void copy_query(char *to, size_t size, const char *target, const char *name)
{
	const char *p = strchr(target, '?');
	size_t len = strlen(name);

	while (p) {
		p++;
		if (!strncmp(p, name, len) && p[len] == '=') {
			snprintf(to, size, "%.*s", (int)strcspn(p + len + 1, "&#"), p + len + 1);
			return;
		}
		p = strchr(p, '&');
	}
}

/* Mcp-Name may be =?base64?…?= */
static void copy_name(char *to, size_t size, const char *from)
{
	static const char begin[] = "=?base64?";
	struct base64 b = {};
	size_t n = 0;

	if (!from || !str_prefix(from, begin)) {
		copy(to, size, from);
		return;
	}
	for (from += strlen(begin); base64_digit(*from) >= 0 && n < size - 1; from++) {
		int byte = base64_next(&b, *from);

		if (byte >= 0)
			to[n++] = (char)byte;
	}
	to[n] = '\0';
}

static void read_protocol_headers(struct http_exchange *x, const struct http_head *h)
{
	const char *mcp = header(h, "mcp-protocol-version"), *a2a = header(h, "a2a-version");

	copy(x->session, sizeof(x->session), header(h, "mcp-session-id"));
	if (!*x->session)
		copy_query(x->session, sizeof(x->session), h->target, "sessionId");
	if (!*x->session)
		copy_query(x->session, sizeof(x->session), h->target, "session_id");
	x->is_legacy = *x->session && !header(h, "mcp-session-id");
	copy(x->mcp_method, sizeof(x->mcp_method), header(h, "mcp-method"));
	copy_name(x->mcp_name, sizeof(x->mcp_name), header(h, "mcp-name"));
	x->is_mcp = mcp || *x->mcp_method || header(h, "mcp-session-id");
	copy(x->version, sizeof(x->version), mcp ?: a2a);
	if (!mcp && !a2a) {
		copy_query(x->version, sizeof(x->version), h->target, "A2A-Version");
		a2a = *x->version ? x->version : NULL;
	}
	x->is_a2a = !x->is_mcp && (a2a || header(h, "a2a-extensions") || header(h, "x-a2a-extensions"));
}

/* An authority without user and password. */
static const char *behind_user(const char *authority, size_t len)
{
	const char *at = memrchr(authority, '@', len);

	return at ? at + 1 : authority;
}

/* Of a target in absolute form, as proxies get it: the server's name is recorded elsewhere, and no password. */
static const char *path_of(const char *target)
{
	const char *scheme;

	if (target[0] == '/')
		return target;
	scheme = strstr(target, "://");
	return scheme ? scheme + 3 + strcspn(scheme + 3, "/?#") : behind_user(target, strcspn(target, "/?#"));
}

void app_set_uri(struct l7_record *r, enum l7_key key, const char *uri)
{
	const char *authority = uri ? strstr(uri, "://") : NULL, *rest;
	char text[L7_STR_MAX];

	if (!uri)
		return;
	authority = authority ? authority + 3 : uri;
	rest = authority == uri ? uri : behind_user(authority, strcspn(authority, "/?#"));
	snprintf(text, sizeof(text), "%.*s%.*s", (int)(authority - uri), uri, (int)strcspn(rest, "?#"), rest);
	app_set(r, key, text);
}

static void describe_request(struct http_exchange *x, const struct http_head *h)
{
	const struct l7_settings *s = x->app->host->settings;
	struct l7_record *r = x->record;
	const char *target = path_of(h->target), *authority = behind_user(h->authority, strlen(h->authority));
	size_t path = strcspn(target, "?#"), host = strlen(authority);
	const char *colon = strrchr(authority, ':');
	char version[4] = { (char)('0' + h->major), '.', (char)('0' + h->minor) };

	if (colon && !strchr(colon, ']'))
		host = (size_t)(colon - authority);
	app_set(r, L7_KEY_HTTP_METHOD, h->method);
	l7_record_str(r, L7_KEY_URL_PATH, target, path);
	if (s->record_query && target[path] == '?')
		app_set(r, L7_KEY_URL_QUERY, target + path + 1);
	l7_record_str(r, L7_KEY_HTTP_HOST, authority, host);
	set_header(r, L7_KEY_USER_AGENT, h, "user-agent");
	app_set(r, L7_KEY_UPGRADE, h->protocol);
	set_header(r, L7_KEY_TRACEPARENT, h, "traceparent");
	app_set(r, L7_KEY_NETWORK_PROTOCOL, "http");
	app_set(r, L7_KEY_NETWORK_VERSION, h->major >= 2 ? "2" : version);
}

static bool is_card(const struct http_exchange *x, const char *path)
{
	static const char folder[] = "/.well-known/";
	const char *name = x->is_get ? strstr(path, folder) : NULL;

	name = name ? name + strlen(folder) : "";
	return str_prefix(name, "agent-card.json") || str_prefix(name, "agent.json");
}

static void route(struct http_exchange *x, const struct http_head *h)
{
	const char *path = l7_record_get(x->record, L7_KEY_URL_PATH) ?: "";

	if (grpc_call_route(x, h))
		return;
	if (!x->is_mcp && llm_route(x, h, path))
		x->kind = APP_LLM;
	else if (!x->is_mcp && a2a_rest_route(x, h))
		x->kind = APP_A2A_REST;
	else if (is_card(x, path))
		x->kind = APP_CARD;
}

/* Without a look into the body, the headers of 2026-07-28 still name method and target. */
static void use_mcp_headers(struct http_exchange *x)
{
	struct l7_record *r = x->record;

	r->kind = L7_MCP;
	app_set(r, L7_KEY_MCP_METHOD, x->mcp_method);
	app_set(r, L7_KEY_MCP_VERSION, x->version);
	if (!*x->mcp_name)
		return;
	if (streq(x->mcp_method, "tools/call"))
		app_set(r, L7_KEY_GEN_AI_TOOL, x->mcp_name);
	else if (streq(x->mcp_method, "prompts/get"))
		app_set(r, L7_KEY_GEN_AI_PROMPT, x->mcp_name);
	else if (str_prefix(x->mcp_method, "resources/"))
		app_set_uri(r, L7_KEY_MCP_RESOURCE, x->mcp_name);
}

void app_demote(struct http_exchange *x)
{
	x->kind = APP_HTTP;
	x->record->kind = L7_HTTP;
	l7_record_drop(x->record, L7_KEY_GEN_AI_OPERATION, L7_KEY_A2A_MESSAGE);
}

static void on_body_message(struct http_exchange *x, int dir, const struct body_message *m)
{
	switch (x->kind) {
	case APP_LLM:
		if (dir || !rpc_is(m) || m->v[BODY_MODEL]) {
			llm_message(x, dir, m);
			break;
		}
		app_demote(x); /* MCP's messages may go to /v1/messages */
		rpc_message(x, dir, m, x->last_ns);
		break;
	case APP_A2A_REST:
		a2a_rest_message(x, dir, m);
		break;
	case APP_CARD:
		app_set(x->record, L7_KEY_GEN_AI_AGENT, m->v[BODY_CARD_NAME]);
		app_set(x->record, L7_KEY_GEN_AI_AGENT_VERSION, m->v[BODY_CARD_VERSION]);
		break;
	default:
		rpc_message(x, dir, m, x->last_ns);
	}
}

static void on_request_message(void *userdata, const struct body_message *m)
{
	on_body_message(userdata, 0, m);
}

static void on_answer_message(void *userdata, const struct body_message *m)
{
	on_body_message(userdata, 1, m);
}

static void want_body(struct http_exchange *x, int dir, const struct http_head *h)
{
	const char *type = header(h, "content-type"), *reason = NULL;

	if (x->kind == APP_LLM && !dir)
		type = "application/json"; /* what curl -d sends calls itself a form */
	if (!type && dir && (x->had_rpc || x->kind != APP_HTTP))
		type = "application/json"; /* nothing else is waited for */
	if (!type || x->app->host->headers_only || x->kind == APP_GRPC)
		return;
	x->body[dir] =
	    body_new(type, header(h, "content-encoding"), dir ? on_answer_message : on_request_message, x, &reason);
	if (reason)
		x->reason = reason;
	if (x->body[dir] && x->kind == APP_HTTP && x->app->host->settings->record_tools)
		body_keep_data(x->body[dir]);
}

/* False: out of memory. */
static bool read_request(struct http_app *a, struct http_exchange *x, const struct http_head *head)
{
	*x = (struct http_exchange){ .app = a, .record = l7_record_new(L7_HTTP, &a->host->ends) };
	if (!x->record)
		return false;
	x->is_get = streq(head->method, "GET");
	describe_request(x, head);
	read_protocol_headers(x, head);
	route(x, head);
	return true;
}

static bool recall_request(struct http_exchange *x, struct http_known *k)
{
	*x = k->x;
	x->record = l7_record_resume(k->record);
	k->used = true;
	return x->record;
}

static void learn_request(struct http_app *a, const struct http_exchange *x, uint32_t number)
{
	struct http_known *k = malloc(sizeof(*k));
	void *record = malloc(l7_record_packed_size(x->record));

	forget(a);
	if (!k || !record) {
		free(k);
		free(record);
		return;
	}
	*k = (struct http_known){ .number = number, .used = true, .x = *x, .record = record };
	l7_record_pack(x->record, record);
	a->known = k;
}

struct http_exchange *http_app_request(struct http_app *a, const struct http_head *head, uint64_t ns)
{
	struct http_exchange *x = pool_take(&exchanges);
	bool known = head->again && a->known && a->known->number == head->again;

	if (!x)
		return NULL;
	if (!(known && recall_request(x, a->known)) && !read_request(a, x, head)) {
		pool_give(&exchanges, x);
		return NULL;
	}
	if (head->again && !known)
		learn_request(a, x, head->again);
	x->start_ns = x->last_ns = x->record->start_ns = ns;
	if (a->host->midstream)
		x->record->flags |= L7_MIDSTREAM;
	if (streq(head->method, "POST"))
		want_body(x, 0, head);
	x->next = a->exchanges;
	if (x->next)
		x->next->prev = x;
	a->exchanges = x;
	return x;
}

/* ---- answers */

void http_app_answer(struct http_exchange *x, const struct http_head *head, uint64_t ns)
{
	const char *type = header(head, "content-type");

	x->status = head->status;
	x->answer_ns = x->last_ns = ns;
	l7_record_int(x->record, L7_KEY_HTTP_STATUS, head->status);
	app_set(x->record, L7_KEY_CONTENT_TYPE, type);
	if (head->status == 101)
		app_set(x->record, L7_KEY_UPGRADE, header(head, "upgrade"));
	else if (head->status / 100 != 2)
		l7_record_drop(x->record, L7_KEY_UPGRADE, L7_KEY_UPGRADE);
	if (!*x->session)
		copy(x->session, sizeof(x->session), header(head, "mcp-session-id"));
	if (x->kind == APP_GRPC)
		grpc_call_answer(x, head);
	else if (x->kind != APP_HTTP || x->body[0] || x->had_rpc ||
		 (x->is_get && type && str_prefix(type, "text/event-stream")))
		want_body(x, 1, head);
	x->answer_is_stream = x->body[1] && body_is_stream(x->body[1]);
}

bool http_app_body(struct http_exchange *x, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct body *b = x->body[dir];

	x->bytes[dir] += len;
	x->last_ns = ns;
	if (x->kind == APP_GRPC) {
		grpc_call_body(x, dir, data, len);
		return true;
	}
	if (!b)
		return false;
	if (!body_feed(b, data, len)) {
		if (body_reason(b))
			x->reason = body_reason(b);
		return false;
	}
	if (dir == 1 && x->answer_is_stream && !x->event_ns && body_events(b))
		x->event_ns = ns;
	return true;
}

void http_app_body_gap(struct http_exchange *x, int dir, uint64_t len, uint64_t ns)
{
	x->bytes[dir] += len;
	x->last_ns = ns;
	if (x->kind == APP_GRPC)
		grpc_call_gap(x, dir, len);
	if (!x->body[dir] || body_reason(x->body[dir]))
		return;
	x->partial = true;
	body_gap(x->body[dir]);
}

void http_app_trailers(struct http_exchange *x, int dir, const struct http_head *trailers, uint64_t ns)
{
	x->last_ns = ns;
	if (dir && x->kind == APP_GRPC)
		grpc_call_trailers(x, trailers);
}

void http_app_left(struct http_exchange *x)
{
	x->client_left |= !x->done[1];
}

void http_app_done(struct http_exchange *x, int dir, bool complete, uint64_t ns)
{
	if (x->done[dir])
		return;
	x->done[dir] = true;
	x->complete[dir] = complete;
	x->last_ns = ns;
	if (x->body[dir])
		body_end(x->body[dir]);
	if (x->kind == APP_LLM && dir == 0)
		llm_asked(x);
}

/* ---- the record of the exchange itself */

static enum l7_outcome failed(struct http_exchange *x, const char *type)
{
	app_set(x->record, L7_KEY_ERROR_TYPE, type);
	return L7_ERROR;
}

static enum l7_outcome outcome(struct http_exchange *x)
{
	char status[12];

	if (x->kind == APP_GRPC)
		return grpc_call_outcome(x);
	if (!x->status)
		return x->partial ? L7_UNKNOWN : x->client_left ? L7_CANCELLED : L7_NO_ANSWER;
	if (x->status >= 400) {
		snprintf(status, sizeof(status), "%d", x->status);
		return failed(x, status);
	}
	if (x->kind == APP_A2A_REST && l7_record_get(x->record, L7_KEY_A2A_STATE) &&
	    (x->complete[1] || !a2a_is_under_way(x->record)))
		return a2a_outcome(x->record);
	if (x->kind == APP_LLM && l7_record_get(x->record, L7_KEY_ERROR_TYPE))
		return L7_ERROR;
	if (x->kind == APP_LLM && x->has_finished)
		return L7_OK;                    /* some clients do not wait for the last chunk */
	if (!x->complete[1] && x->status != 101) /* not that it ended early, but that it could not be read on */
		return x->partial && !x->client_left ? L7_UNKNOWN : L7_CANCELLED;
	if (x->record->kind == L7_MCP) /* the answer says more than the status, and was not read */
		return x->status == 202 ? L7_ONEWAY : L7_UNKNOWN;
	return L7_OK;
}

static void emit_own(struct http_exchange *x, uint16_t flags, const char *reason)
{
	struct l7_record *r = TAKE_PTR(x->record);
	uint64_t events = x->kind == APP_GRPC ? x->grpc[1].messages : x->answer_is_stream ? body_events(x->body[1]) : 0;

	r->flags |= flags;
	if (reason)
		r->flags |= L7_UNPARSEABLE;
	app_set(r, L7_KEY_REASON, reason ?: x->reason);
	if (x->bytes[0])
		l7_record_int(r, L7_KEY_REQUEST_SIZE, (int64_t)x->bytes[0]);
	if (x->status)
		l7_record_int(r, L7_KEY_RESPONSE_SIZE, (int64_t)x->bytes[1]);
	if (events)
		l7_record_int(r, L7_KEY_EVENTS, (int64_t)events);
	if (x->answer_is_stream && x->is_get)
		r->flags |= L7_LONG_LIVED;
	if (x->answer_ns) {
		r->first_ns = MAX(x->event_ns ?: x->answer_ns, x->start_ns + 1) - x->start_ns;
		r->last_ns = MAX(x->last_ns, x->start_ns + 1) - x->start_ns;
	}
	app_emit(x, r, r->outcome);
}

void http_app_close(struct http_exchange *x, uint16_t flags, const char *reason, uint64_t ns)
{
	x->partial |= flags & L7_PARTIAL || x->app->host->given_up;
	http_app_done(x, 0, false, ns);
	http_app_done(x, 1, false, ns);
	rpc_close(x, ns);
	if (!x->had_rpc && *x->mcp_method)
		use_mcp_headers(x);
	if (x->kind == APP_A2A_REST)
		a2a_rest_end(x);
	if (!x->had_rpc || (x->is_get && x->answer_is_stream) || x->n_sent > APP_CALLS_MAX) {
		x->record->outcome = reason && !x->complete[1] && x->status < 400 ? L7_UNKNOWN : outcome(x);
		emit_own(x, flags, reason);
	}
	l7_record_free(x->record);
	for (int dir = 0; dir < 2; dir++) {
		body_free(x->body[dir]);
		grpc_stream_done(&x->grpc[dir]);
	}
	if (x->prev)
		x->prev->next = x->next;
	else
		x->app->exchanges = x->next;
	if (x->next)
		x->next->prev = x->prev;
	pool_give(&exchanges, x);
}
