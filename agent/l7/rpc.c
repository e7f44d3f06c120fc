// SPDX-License-Identifier: Apache-2.0
/*
 * JSON-RPC: one record for each request or notification, whoever sends it. An answer belongs to a request of the same
 * exchange; when there is none, it is looked for among all that wait (MCP's legacy transport answers on another
 * connection, a client answers a server's requests in exchanges of their own). What waits is kept for the whole thread,
 * and longer than any connection.
 */
#include "agent/l7/app.h"

#include <sys/random.h>
#include <utlist.h>

#include "agent/l7/redact.h"
#include "lib/hash.h"

#define PARKED_MAX 4096
#define PARKED_MEMORY_MAX (16u << 20)
#define WAIT_NS (300 * 1000000000ull) /* tools work for minutes; clients wait as long as there is progress */
#define ID_MAX 72

struct key {
	struct weir_addr client, server;
	__be16 port;
	uint8_t from_server;
	uint8_t seed[5];  /* ids and sessions are what pods choose */
	uint64_t session; /* hash; 0: none */
	char id[ID_MAX];
};

struct call {
	UT_hash_handle hh;
	struct key key;
	struct http_exchange *x;      /* NULL: it is over, the answer may come on another: the call is parked */
	struct call *next;            /* of the exchange */
	struct call *earlier, *later; /* among those that are parked */
	struct l7_record *record;
	size_t memory; /* about, with its record */
	uint64_t expires_ns;
	bool stream; /* its answer comes in several messages */
	bool left;   /* the client has left the exchange */
};

static struct call *waiting; /* all; how many there are of those with an exchange is bounded by their connections */
static struct call *parked;  /* the oldest first */
static size_t n_parked, parked_memory;
static uint8_t seed[5];
static bool seeded;

/* ---- names */

static uint64_t hash_text(const char *s)
{
	uint64_t h = 14695981039346656037ull; /* FNV-1a */

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211ull;
	return h;
}

static const char *session_of(const struct http_exchange *x)
{
	if (*x->session)
		return x->session;
	return x->body[1] ? body_session(x->body[1]) : "";
}

/* field: BODY_ID, or what names a request's; "": there is none. 1 and "1" are two ids. A long one counts by its
 * beginning, length and hash. */
static void id_text(char text[ID_MAX], const struct body_message *m, enum body_field field)
{
	const char *id = m->v[field] ?: "";
	size_t len = strlen(id);
	bool quote = m->v[field] && m->type[field] == JSON_TYPE_STRING;
	int n = snprintf(text, ID_MAX, "%s%s", quote ? "\"" : "", id);

	if (n >= ID_MAX)
		snprintf(text, ID_MAX, "\"%.24s %zu %016llx", id, len, (unsigned long long)hash_text(id));
}

/* id: as id_text() makes it; "": none that is known. */
static struct key make_key(const struct http_exchange *x, bool from_server, const char *id)
{
	const struct l7_ends *e = &x->app->host->ends;
	const char *session = session_of(x);
	struct key k = { .client = e->addr[0], .server = e->addr[1], .port = e->port[1], .from_server = from_server };

	if (!TAKE(seeded, true))
		(void)!getrandom(seed, sizeof(seed), GRND_NONBLOCK);
	memcpy(k.seed, seed, sizeof(k.seed));
	k.session = *session ? hash_text(session) : 0;
	snprintf(k.id, sizeof(k.id), "%s", id);
	return k;
}

static bool is_mcp_method(const char *s)
{
	static const char *const prefixes[] = { "tools/",    "resources/",   "prompts/",      "notifications/",
						"sampling/", "elicitation/", "completion/",   "roots/",
						"logging/",  "server/",      "subscriptions/" };

	if (streq(s, "initialize") || streq(s, "ping"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_prefix(s, prefixes[i]))
			return true;
	return false;
}

/* The sets of names are nearly disjoint; where they are not, parameters tell. */
static enum l7_kind kind_of(const struct http_exchange *x, const struct body_message *m)
{
	const char *method = m->v[BODY_METHOD];
	bool a2a = a2a_method(method), tasks = str_prefix(method, "tasks/");

	if (x->is_mcp || is_mcp_method(method))
		return L7_MCP;
	if (tasks && m->v[BODY_MCP_TASK] && !str_prefix(method, "tasks/pushNotification"))
		return L7_MCP;
	if (a2a && (x->is_a2a || m->v[BODY_TASK_PARAM] || m->v[BODY_MESSAGE] || strchr(method, '/')))
		return L7_A2A;
	return tasks ? L7_MCP : L7_JSONRPC;
}

/* ---- what waits */

static struct call *find(const struct key *k)
{
	struct call *c;

	HASH_FIND(hh, waiting, k, sizeof(*k), c);
	return c;
}

static void leave_exchange(struct call *c)
{
	struct call **p = &c->x->calls;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	c->x->n_calls--;
	c->x->calls_memory -= c->memory;
	c->x = NULL;
}

static void unpark(struct call *c)
{
	DL_DELETE2(parked, c, earlier, later);
	n_parked--;
	parked_memory -= c->memory;
}

/* Takes it out everywhere; the record is the caller's. */
static struct l7_record *take_call(struct call *c)
{
	struct l7_record *r = c->record;

	if (c->x)
		leave_exchange(c);
	else
		unpark(c);
	HASH_DEL(waiting, c);
	free(c);
	return r;
}

static void emit(struct l7_host *h, struct l7_record *r, enum l7_outcome outcome)
{
	r->outcome = outcome;
	h->emit(h, r);
}

/* NULL: no room, and the record has gone as it is. */
static struct call *wait_for_answer(struct http_exchange *x, struct l7_record *r, bool from_server, const char *id)
{
	struct call *c = x->n_calls < APP_CALLS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (c) {
		c->key = make_key(x, from_server, id);
		HASH_ADD(hh, waiting, key, sizeof(c->key), c);
	}
	if (!c || !hash_added(c)) {
		free(c);
		r->flags |= L7_PARTIAL;
		app_emit(x, r, L7_UNKNOWN);
		return NULL;
	}
	c->x = x;
	c->record = r;
	c->memory = sizeof(*c) + l7_record_memory(r);
	c->next = x->calls;
	x->calls = c;
	x->n_calls++;
	x->calls_memory += c->memory;
	return c;
}

/* ---- requests */

static void set_data(struct l7_record *r, enum body_field field, const struct http_exchange *x,
		     const struct body_message *m)
{
	bool there = m->data && m->data_field == field;
	_cleanup_free_ char *text = there ? redact(m->data, m->data_len, x->app->host->settings->redact) : NULL;
	static const char more[] = "…";
	size_t cut = L7_TEXT_MAX - strlen(more);

	if (text && strlen(text) > L7_TEXT_MAX) {
		while ((text[cut] & 0xc0) == 0x80)
			cut--;
		memcpy(text + cut, more, sizeof(more));
	}
	app_set(r, field == BODY_ARGUMENTS ? L7_KEY_GEN_AI_ARGUMENTS : L7_KEY_GEN_AI_RESULT, text);
}

static void set_mcp(struct l7_record *r, const struct http_exchange *x, int dir, const struct body_message *m)
{
	const char *method = m->v[BODY_METHOD];
	bool completes = streq(method, "completion/complete");

	app_set(r, L7_KEY_MCP_METHOD, method);
	if (dir == 0)
		app_set(r, L7_KEY_MCP_VERSION, m->v[BODY_VERSION] ?: *x->version ? x->version : NULL);
	app_set(r, L7_KEY_MCP_CLIENT, m->v[BODY_CLIENT]);
	app_set(r, L7_KEY_MCP_CLIENT_VERSION, m->v[BODY_CLIENT_VERSION]);
	if (streq(method, "tools/call")) {
		app_set(r, L7_KEY_GEN_AI_OPERATION, "execute_tool");
		app_set(r, L7_KEY_GEN_AI_TOOL, m->v[BODY_NAME]);
		set_data(r, BODY_ARGUMENTS, x, m);
	} else if (streq(method, "prompts/get")) {
		app_set(r, L7_KEY_GEN_AI_PROMPT, m->v[BODY_NAME]);
	} else if (completes) {
		app_set(r, L7_KEY_GEN_AI_PROMPT, m->v[BODY_REF_NAME]);
	}
	if (completes || str_prefix(method, "resources/") || str_prefix(method, "notifications/resources/"))
		app_set_uri(r, L7_KEY_MCP_RESOURCE, m->v[BODY_URI]);
	if (streq(method, "subscriptions/listen"))
		r->flags |= L7_LONG_LIVED;
}

static void set_session(struct l7_record *r, const struct http_exchange *x)
{
	const char *s = session_of(x);
	char hash[17];

	if (!*s)
		return;
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)hash_text(s));
	app_set(r, L7_KEY_MCP_SESSION, x->app->host->settings->record_session ? s : hash);
}

static void set_a2a(struct l7_record *r, const struct http_exchange *x, const struct body_message *m)
{
	const char *method = m->v[BODY_METHOD], *name = a2a_method(method);

	app_set(r, L7_KEY_A2A_METHOD, name);
	if (!streq(name, method))
		app_set(r, L7_KEY_A2A_METHOD_ORIGINAL, method);
	app_set(r, L7_KEY_A2A_VERSION, x->is_a2a && *x->version ? x->version : "0.3");
	a2a_request(r, m);
}

/* Who asked wants no answer any more; one that comes all the same belongs to nothing. Without a session the call could
 * be another client's. */
static void cancel(struct http_exchange *x, bool from_server, const struct body_message *m)
{
	char id[ID_MAX];
	struct call *c;
	struct key k;

	id_text(id, m, BODY_CANCELLED);
	k = make_key(x, from_server, id);
	c = k.session && *id ? find(&k) : NULL;
	if (c)
		emit(x->app->host, take_call(c), L7_CANCELLED);
}

static void on_request(struct http_exchange *x, int dir, const struct body_message *m, uint64_t ns)
{
	enum l7_kind kind = kind_of(x, m);
	struct l7_record *r = app_record(x, kind);
	const char *id = m->v[BODY_ID];
	char key[ID_MAX];
	struct call *c;

	if (!r)
		return;
	r->start_ns = dir ? ns : x->start_ns;
	if (dir)
		r->flags |= L7_FROM_SERVER;
	if (!m->whole)
		r->flags |= L7_PARTIAL;
	app_set(r, L7_KEY_TRACEPARENT, m->v[BODY_TRACEPARENT]);
	app_set(r, L7_KEY_JSONRPC_ID, id);
	if (kind == L7_MCP) {
		set_mcp(r, x, dir, m);
		set_session(r, x);
	} else if (kind == L7_A2A) {
		set_a2a(r, x, m);
	} else {
		app_set(r, L7_KEY_RPC_SYSTEM, "jsonrpc");
		app_set(r, L7_KEY_RPC_METHOD, m->v[BODY_METHOD]);
	}
	if (kind == L7_MCP && streq(m->v[BODY_METHOD], "notifications/cancelled"))
		cancel(x, dir, m);
	if (!id && (m->whole || str_prefix(m->v[BODY_METHOD], "notifications/"))) {
		app_emit(x, r, L7_ONEWAY);
		return;
	}
	id_text(key, m, BODY_ID);
	c = wait_for_answer(x, r, dir, key);
	if (c)
		c->stream = kind == L7_A2A && (streq(l7_record_get(r, L7_KEY_A2A_METHOD), "SendStreamingMessage") ||
					       streq(l7_record_get(r, L7_KEY_A2A_METHOD), "SubscribeToTask"));
}

/* ---- answers */

/* The answer comes on another: MCP's transports before 2026-07-28, of which the legacy one has the session in the
 * query.
 */
static bool has_accepted(const struct http_exchange *x)
{
	return x->status == 202 || (x->is_legacy && x->status / 100 == 2 && !(x->body[1] && x->bytes[1]));
}

static struct call *call_of(struct http_exchange *x, int dir, const struct body_message *m)
{
	bool has_id = m->v[BODY_ID] && *m->v[BODY_ID];
	char id[ID_MAX];
	struct call *c;
	struct key k;

	id_text(id, m, BODY_ID);
	for (c = dir ? x->calls : NULL; c; c = c->next)
		if (!c->key.from_server && (has_id ? streq(c->key.id, id) : x->n_calls == 1))
			return c;
	if (!has_id)
		return NULL;
	k = make_key(x, !dir, id);
	c = find(&k);
	/* An exchange that has an answer of its own under way is not answered elsewhere. */
	return c && c->x && c->x != x && c->x->status && !has_accepted(c->x) && !c->key.from_server ? NULL : c;
}

static enum l7_outcome outcome_of(struct l7_record *r, const struct body_message *m)
{
	if (m->v[BODY_ERROR]) {
		app_set(r, L7_KEY_ERROR_TYPE, m->v[BODY_ERROR_CODE]);
		if (r->kind == L7_JSONRPC)
			app_set(r, L7_KEY_RPC_STATUS, m->v[BODY_ERROR_CODE]);
		return L7_ERROR;
	}
	if (r->kind == L7_MCP && m->type[BODY_IS_ERROR] == JSON_TYPE_TRUE && m->v[BODY_IS_ERROR]) {
		app_set(r, L7_KEY_ERROR_TYPE, "tool_error");
		return L7_TOOL_ERROR;
	}
	if (!m->whole) { /* isError may stand in what is missing */
		r->flags |= L7_PARTIAL;
		return r->kind == L7_MCP ? L7_UNKNOWN : L7_OK;
	}
	return r->kind == L7_A2A ? a2a_outcome(r) : L7_OK;
}

static void set_times(struct l7_record *r, uint64_t first, uint64_t last)
{
	if (!r->first_ns)
		r->first_ns = MAX(first, r->start_ns + 1) - r->start_ns;
	r->last_ns = MAX(last, r->start_ns + 1) - r->start_ns;
}

/* False: to nothing that was asked. */
static bool on_answer(struct http_exchange *x, int dir, const struct body_message *m, uint64_t ns)
{
	struct call *c = call_of(x, dir, m);
	struct l7_record *r;

	if (!c)
		return false;
	r = c->record;
	set_times(r, c->x == x && x->answer_ns && !x->answer_is_stream ? x->answer_ns : ns, ns);
	if (c->x == x && dir)
		l7_record_int(r, L7_KEY_HTTP_STATUS, x->status);
	if (r->kind == L7_MCP) {
		if (!l7_record_get(r, L7_KEY_MCP_SESSION)) /* the answer to initialize brings it */
			set_session(r, x);
		app_set(r, L7_KEY_MCP_SERVER, m->v[BODY_SERVER]);
		app_set(r, L7_KEY_MCP_SERVER_VERSION, m->v[BODY_SERVER_VERSION]);
		app_set(r, L7_KEY_MCP_VERSION, m->v[BODY_VERSION]);
		if (m->v[BODY_TASK_BEGUN]) /* 2025-11-25 has no word for it */
			app_set(r, L7_KEY_MCP_RESULT_TYPE, "task");
		if (m->v[BODY_RESULT_TYPE] && !streq(m->v[BODY_RESULT_TYPE], "complete"))
			app_set(r, L7_KEY_MCP_RESULT_TYPE, m->v[BODY_RESULT_TYPE]);
		if (l7_record_get(r, L7_KEY_GEN_AI_TOOL))
			set_data(r, BODY_RESULT, x, m);
	} else if (r->kind == L7_A2A) {
		a2a_follow(r, m);
	}
	if (c->stream && !m->v[BODY_ERROR])
		return true; /* more may come: rpc_close has the end */
	app_emit(x, take_call(c), outcome_of(r, m));
	return true;
}

/* What else has a "method" or a "result" is other JSON. Of a message that is cut the version may be in what is missing.
 */
static bool is_jsonrpc(const struct body_message *m)
{
	return m->v[BODY_JSONRPC] ? streq(m->v[BODY_JSONRPC], "2.0") : !m->whole;
}

bool rpc_is(const struct body_message *m)
{
	return is_jsonrpc(m) && (m->v[BODY_METHOD] || m->v[BODY_RESULT] || m->v[BODY_ERROR]);
}

void rpc_message(struct http_exchange *x, int dir, const struct body_message *m, uint64_t ns)
{
	if (!is_jsonrpc(m))
		return;
	if (m->v[BODY_METHOD]) {
		if (!dir && ++x->n_sent > APP_CALLS_MAX) {
			x->reason = "too many messages in one body";
			return;
		}
		x->had_rpc = true;
		on_request(x, dir, m, ns);
	} else if (m->v[BODY_RESULT] || m->v[BODY_ERROR]) {
		bool belongs = on_answer(x, dir, m, ns); /* what belongs to no request is other JSON */

		x->had_rpc |= belongs && !dir;
	}
}

/* ---- the end */

static bool is_modern(const struct http_exchange *x)
{
	return x->is_mcp && strcmp(x->version, "2026-07-28") >= 0;
}

static bool may_come_elsewhere(const struct http_exchange *x, const struct call *c)
{
	if (c->key.from_server)
		return true;
	/* Since 2026-07-28 a stream that ends is not resumed: to close it is to cancel. */
	return c->key.id[0] && !c->stream && (has_accepted(x) || (x->answer_is_stream && !is_modern(x)));
}

static enum l7_outcome outcome_without_answer(const struct http_exchange *x, struct call *c)
{
	struct l7_record *r = c->record;
	char status[12];

	if (x->status)
		l7_record_int(r, L7_KEY_HTTP_STATUS, x->status);
	if (x->status >= 400) {
		snprintf(status, sizeof(status), "%d", x->status);
		app_set(r, L7_KEY_ERROR_TYPE, status);
		return L7_ERROR;
	}
	if (c->stream && r->first_ns && x->body[1])
		l7_record_int(r, L7_KEY_EVENTS, (int64_t)body_events(x->body[1]));
	if (c->stream && r->first_ns && (x->complete[1] || !a2a_is_under_way(r)))
		return a2a_outcome(r);
	if (x->partial || x->reason) {
		app_set(r, L7_KEY_REASON, x->reason);
		r->flags |= L7_PARTIAL;
		return L7_UNKNOWN;
	}
	if (x->complete[1] && x->bytes[1] && !x->body[1]) /* of a type that is not read */
		return L7_UNKNOWN;
	return x->client_left || (x->status && !x->complete[1]) ? L7_CANCELLED : L7_NO_ANSWER;
}

/* The answer may come on another exchange. */
static void park(struct call *c, uint64_t ns)
{
	struct l7_host *h = c->x->app->host;

	c->left = c->x->client_left;
	c->expires_ns = ns + WAIT_NS;
	leave_exchange(c);
	DL_APPEND2(parked, c, earlier, later);
	n_parked++;
	parked_memory += c->memory;
	while (n_parked > PARKED_MAX || parked_memory > PARKED_MEMORY_MAX)
		emit(h, take_call(parked), L7_UNKNOWN);
}

void rpc_close(struct http_exchange *x, uint64_t ns)
{
	while (x->calls) {
		struct call *c = x->calls;
		enum l7_outcome outcome;

		if (may_come_elsewhere(x, c)) {
			park(c, ns);
			continue;
		}
		outcome = outcome_without_answer(x, c);
		app_emit(x, take_call(c), outcome);
	}
}

void rpc_tick(struct http_app *a, uint64_t ns)
{
	while (parked && parked->expires_ns < ns) {
		enum l7_outcome outcome = parked->left ? L7_CANCELLED : L7_NO_ANSWER;

		emit(a->host, take_call(parked), outcome);
	}
}
