// SPDX-License-Identifier: Apache-2.0
/* A2A: names of its methods in all versions, its REST and gRPC bindings, what a task's answer says. */
#include "agent/l7/app.h"

static const struct {
	const char *old, *name; /* name: of A2A 1.0 */
} methods[] = {
	{ "message/send", "SendMessage" },
	{ "message/stream", "SendStreamingMessage" },
	{ "tasks/send", "SendMessage" },
	{ "tasks/sendSubscribe", "SendStreamingMessage" },
	{ "tasks/get", "GetTask" },
	{ "tasks/list", "ListTasks" },
	{ "tasks/cancel", "CancelTask" },
	{ "tasks/resubscribe", "SubscribeToTask" },
	{ "tasks/pushNotification/set", "CreateTaskPushNotificationConfig" },
	{ "tasks/pushNotification/get", "GetTaskPushNotificationConfig" },
	{ "tasks/pushNotificationConfig/set", "CreateTaskPushNotificationConfig" },
	{ "tasks/pushNotificationConfig/get", "GetTaskPushNotificationConfig" },
	{ "tasks/pushNotificationConfig/list", "ListTaskPushNotificationConfigs" },
	{ "tasks/pushNotificationConfig/delete", "DeleteTaskPushNotificationConfig" },
	{ "agent/authenticatedExtendedCard", "GetExtendedAgentCard" },
	{ "agent/getAuthenticatedExtendedCard", "GetExtendedAgentCard" },
	/* 0.3 over gRPC, where it differs */
	{ "TaskSubscription", "SubscribeToTask" },
	{ "ListTaskPushNotificationConfig", "ListTaskPushNotificationConfigs" },
	{ "GetAgentCard", "GetExtendedAgentCard" },
};

const char *a2a_method(const char *method)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (streq(methods[i].old, method) || streq(methods[i].name, method))
			return methods[i].name;
	return NULL;
}

/* "input-required" → "TASK_STATE_INPUT_REQUIRED" */
static void set_state(struct l7_record *r, const char *s)
{
	char name[64] = "TASK_STATE_";
	size_t n = strlen(name);

	if (str_prefix(s, name)) {
		app_set(r, L7_KEY_A2A_STATE, s);
		return;
	}
	for (; *s && n < sizeof(name) - 1; s++)
		name[n++] = (char)(*s == '-' ? '_' : *s >= 'a' && *s <= 'z' ? *s - 32 : *s);
	l7_record_str(r, L7_KEY_A2A_STATE, name, n);
}

void a2a_request(struct l7_record *r, const struct body_message *m)
{
	app_set(r, L7_KEY_A2A_TASK, m->v[BODY_MESSAGE_TASK]);
	/* Of a push notification's configuration 1.0 has the task in taskId and its own in id. */
	app_set(r, L7_KEY_A2A_TASK, m->v[BODY_MCP_TASK] ?: m->v[BODY_TASK_PARAM]);
	app_set(r, L7_KEY_A2A_MESSAGE, m->v[BODY_MESSAGE]);
	app_set(r, L7_KEY_GEN_AI_CONVERSATION, m->v[BODY_MESSAGE_CONTEXT]);
}

void a2a_follow(struct l7_record *r, const struct body_message *m)
{
	if (m->v[BODY_STATE]) { /* an id is a task's only beside its state */
		app_set(r, L7_KEY_A2A_TASK, m->v[BODY_TASK_ID] ?: m->v[BODY_RESULT] ? NULL : m->v[BODY_ID]);
		set_state(r, m->v[BODY_STATE]);
	}
	app_set(r, L7_KEY_A2A_TASK, m->v[BODY_TASK]);
	app_set(r, L7_KEY_GEN_AI_CONVERSATION, m->v[BODY_CONTEXT]);
}

enum l7_outcome a2a_outcome(struct l7_record *r)
{
	const char *state = l7_record_get(r, L7_KEY_A2A_STATE), *method = l7_record_get(r, L7_KEY_A2A_METHOD);

	bool follows = method && (str_prefix(method, "Send") || streq(method, "SubscribeToTask"));

	if (!state || !follows || (!streq(state, "TASK_STATE_FAILED") && !streq(state, "TASK_STATE_REJECTED")))
		return L7_OK;
	app_set(r, L7_KEY_ERROR_TYPE, state);
	return L7_ERROR;
}

bool a2a_is_under_way(const struct l7_record *r)
{
	const char *state = l7_record_get(r, L7_KEY_A2A_STATE) ?: "";

	return streq(state, "TASK_STATE_SUBMITTED") || streq(state, "TASK_STATE_WORKING");
}

/* ---- REST: …/message:send, …/tasks/ID:cancel, whatever is before that (an agent's folder, a tenant) */

static bool ends_with(const char *s, size_t len, const char *tail)
{
	size_t n = strlen(tail);

	return len >= n && !memcmp(s + len - n, tail, n);
}

/* Behind the last "/tasks" that is a name of its own; NULL: there is none. */
static const char *behind_tasks(const char *path, size_t len)
{
	static const char folder[] = "/tasks/", list[] = "/tasks";
	const char *p = NULL, *next = memmem(path, len, folder, strlen(folder));

	for (; next; next = memmem(next + 1, len - (size_t)(next + 1 - path), folder, strlen(folder)))
		p = next;
	return p ? p + strlen(list) : ends_with(path, len, list) ? path + len : NULL;
}

static const char *rest_of_task(const char *verb, const char *tail, size_t len)
{
	static const struct {
		const char *action, *verb, *name; /* behind a final slash is an id */
	} actions[] = { { "", "GET", "GetTask" },
			{ ":cancel", "POST", "CancelTask" },
			{ ":subscribe", "POST", "SubscribeToTask" },
			{ ":subscribe", "GET", "SubscribeToTask" },
			{ "/pushNotificationConfigs", "POST", "CreateTaskPushNotificationConfig" },
			{ "/pushNotificationConfigs", "GET", "ListTaskPushNotificationConfigs" },
			{ "/pushNotificationConfigs/", "GET", "GetTaskPushNotificationConfig" },
			{ "/pushNotificationConfigs/", "DELETE", "DeleteTaskPushNotificationConfig" } };

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		const char *action = actions[i].action;
		size_t n = strlen(action);
		bool fits = n && action[n - 1] == '/' ? len > n : len == n;

		if (fits && !memcmp(action, tail, n) && streq(actions[i].verb, verb))
			return actions[i].name;
	}
	return NULL;
}

/* …/tasks, …/tasks/ID…: a name that others use, too. */
static const char *route_task(struct http_exchange *x, const struct http_head *h, const char *path, size_t len)
{
	const char *tail = behind_tasks(path, len), *name;
	size_t id;

	if (!tail || (!x->is_a2a && !ends_with(path, (size_t)(tail - path), "/v1/tasks")))
		return NULL;
	if (tail == path + len)
		return x->is_get ? "ListTasks" : NULL;
	id = strcspn(++tail, ":/?");
	name = rest_of_task(h->method, tail + id, len - (size_t)(tail + id - path));
	if (name)
		l7_record_str(x->record, L7_KEY_A2A_TASK, tail, id);
	return name;
}

bool a2a_rest_route(struct http_exchange *x, const struct http_head *h)
{
	size_t len = strcspn(h->target, "?");
	const char *path = h->target, *name;
	bool post = streq(h->method, "POST");

	if (post && ends_with(path, len, "/message:send"))
		name = "SendMessage";
	else if (post && ends_with(path, len, "/message:stream"))
		name = "SendStreamingMessage";
	else if (x->is_get && (ends_with(path, len, "/extendedAgentCard") || ends_with(path, len, "/v1/card")))
		name = "GetExtendedAgentCard"; /* 1.0 and 0.3 */
	else
		name = route_task(x, h, path, len);
	if (!name)
		return false;
	x->record->kind = L7_A2A;
	app_set(x->record, L7_KEY_A2A_METHOD, name);
	app_set(x->record, L7_KEY_A2A_VERSION, x->is_a2a && *x->version ? x->version : "0.3");
	return true;
}

void a2a_rest_message(struct http_exchange *x, int dir, const struct body_message *m)
{
	struct l7_record *r = x->record;

	if (dir == 0) {
		app_set(r, L7_KEY_A2A_MESSAGE, m->v[BODY_MESSAGE]);
		return;
	}
	a2a_follow(r, m);
	if (streq(l7_record_get(r, L7_KEY_A2A_METHOD), "GetExtendedAgentCard") && m->v[BODY_CARD_SKILLS]) {
		app_set(r, L7_KEY_GEN_AI_AGENT, m->v[BODY_CARD_NAME]);
		app_set(r, L7_KEY_GEN_AI_AGENT_VERSION, m->v[BODY_CARD_VERSION]);
	}
}

static bool was_read(const struct http_exchange *x, int dir)
{
	return x->body[dir] && x->complete[dir] && !x->partial && !x->reason;
}

/* What was read does not say what is said there. */
static bool is_of_others(const struct http_exchange *x)
{
	const struct l7_record *r = x->record;
	const char *name = l7_record_get(r, L7_KEY_A2A_METHOD) ?: "", *path = l7_record_get(r, L7_KEY_URL_PATH) ?: "";

	if (str_prefix(name, "Send"))
		return was_read(x, 0) && !l7_record_get(r, L7_KEY_A2A_MESSAGE);
	if (streq(name, "GetTask") || streq(name, "CancelTask") || streq(name, "ListTasks"))
		return x->status < 300 && was_read(x, 1) && !l7_record_get(r, L7_KEY_A2A_STATE);
	if (ends_with(path, strlen(path), "/v1/card"))
		return x->status >= 300 || (was_read(x, 1) && !l7_record_get(r, L7_KEY_GEN_AI_AGENT));
	return false;
}

void a2a_rest_end(struct http_exchange *x)
{
	if (!x->is_a2a && is_of_others(x))
		app_demote(x);
}

/* ---- gRPC: /lf.a2a.v1.A2AService/SendMessage */

bool a2a_grpc(struct l7_record *r, const char *path)
{
	const char *service = "A2AService/", *p = strstr(path, service), *name;
	bool now = str_prefix(path, "/lf.a2a.v1."), before = str_prefix(path, "/a2a.v1.");

	if (!p || (!now && !before))
		return false;
	r->kind = L7_A2A;
	p += strlen(service);
	name = a2a_method(p) ?: p;
	app_set(r, L7_KEY_A2A_METHOD, name);
	if (!streq(name, p))
		app_set(r, L7_KEY_A2A_METHOD_ORIGINAL, p);
	app_set(r, L7_KEY_A2A_VERSION, now ? "1.0" : "0.3");
	return true;
}

/* Field numbers of a2a.proto, the same in lf.a2a.v1 (1.0) and a2a.v1 (0.3) but for requests. */
enum {
	TASK_ID = 1,
	TASK_CONTEXT = 2,
	TASK_STATUS = 3, /* of TaskStatusUpdateEvent, too; in an artifact's event 3 is the artifact */
	STATUS_STATE = 1,
	MESSAGE_ID = 1,
	MESSAGE_CONTEXT = 2,
	MESSAGE_TASK = 3,
	ANSWER_TASK = 1, /* SendMessageResponse, StreamResponse */
	ANSWER_MESSAGE = 2,
	ANSWER_STATUS = 3,
	ANSWER_ARTIFACT = 4,
};

static void set_whole(struct l7_record *r, enum l7_key key, const struct pb_field *f)
{
	if (f->type == 2 && f->len == f->whole)
		l7_record_str(r, key, (const char *)f->data, f->len);
}

static void read_status(struct l7_record *r, const struct pb_field *status)
{
	static const char *const states[] = { NULL,       "SUBMITTED",      "WORKING",  "COMPLETED",    "FAILED",
					      "CANCELED", "INPUT_REQUIRED", "REJECTED", "AUTH_REQUIRED" };
	struct pb_field f;

	for (size_t pos = 0; pb_next(status->data, status->len, &pos, &f);)
		if (f.number == STATUS_STATE && f.type == 0 && f.v < ARRAY_SIZE(states) && states[f.v])
			set_state(r, states[f.v]);
}

static void read_task(struct l7_record *r, const uint8_t *msg, size_t len, bool has_status)
{
	struct pb_field f;

	for (size_t pos = 0; pb_next(msg, len, &pos, &f);) {
		if (f.number == TASK_ID)
			set_whole(r, L7_KEY_A2A_TASK, &f);
		else if (f.number == TASK_CONTEXT)
			set_whole(r, L7_KEY_GEN_AI_CONVERSATION, &f);
		else if (f.number == TASK_STATUS && f.type == 2 && has_status)
			read_status(r, &f);
	}
}

static void read_message(struct l7_record *r, const struct pb_field *msg, bool request)
{
	struct pb_field f;

	for (size_t pos = 0; pb_next(msg->data, msg->len, &pos, &f);) {
		if (f.number == MESSAGE_ID && request)
			set_whole(r, L7_KEY_A2A_MESSAGE, &f);
		else if (f.number == MESSAGE_CONTEXT)
			set_whole(r, L7_KEY_GEN_AI_CONVERSATION, &f);
		else if (f.number == MESSAGE_TASK)
			set_whole(r, L7_KEY_A2A_TASK, &f);
	}
}

/* Of a request: the message or the task's id. 0.3 has it in front, 1.0 behind the tenant, with two exceptions. */
static uint32_t subject_field(const char *method, bool old)
{
	if (old || streq(method, "ListTaskPushNotificationConfigs"))
		return 1;
	return streq(method, "CreateTaskPushNotificationConfig") ? 3 : 2;
}

/* In 0.3 the id is "tasks/ID" or "tasks/ID/pushNotificationConfigs/…". */
static void read_request(struct l7_record *r, const char *method, bool send, const uint8_t *msg, size_t len)
{
	bool old = streq(l7_record_get(r, L7_KEY_A2A_VERSION) ?: "", "0.3");
	uint32_t subject = subject_field(method, old);
	static const char folder[] = "tasks/";
	struct pb_field f;

	for (size_t pos = 0; pb_next(msg, len, &pos, &f);) {
		if (f.number != subject || f.type != 2)
			continue;
		if (send) {
			read_message(r, &f, true);
		} else if (old && f.len > strlen(folder) && !memcmp(f.data, folder, strlen(folder))) {
			const uint8_t *id = f.data + strlen(folder), *slash = memchr(id, '/', f.len - strlen(folder));

			if (slash)
				f.whole = f.len = (size_t)(slash - f.data);
			f.data = id;
			f.len -= strlen(folder);
			f.whole -= strlen(folder);
			set_whole(r, L7_KEY_A2A_TASK, &f);
		} else if (!old) {
			set_whole(r, L7_KEY_A2A_TASK, &f);
		}
	}
}

static void read_answer(struct l7_record *r, const uint8_t *msg, size_t len)
{
	struct pb_field f;

	for (size_t pos = 0; pb_next(msg, len, &pos, &f);) {
		if (f.type != 2)
			continue;
		if (f.number == ANSWER_MESSAGE)
			read_message(r, &f, false);
		else if (f.number == ANSWER_TASK || f.number == ANSWER_STATUS || f.number == ANSWER_ARTIFACT)
			read_task(r, f.data, f.len, f.number != ANSWER_ARTIFACT);
	}
}

void a2a_grpc_message(struct l7_record *r, int dir, const uint8_t *msg, size_t len)
{
	const char *method = l7_record_get(r, L7_KEY_A2A_METHOD) ?: "";
	bool send = streq(method, "SendMessage") || streq(method, "SendStreamingMessage");
	bool one = streq(method, "GetTask") || streq(method, "CancelTask");
	bool stream = streq(method, "SubscribeToTask"), config = strstr(method, "TaskPushNotificationConfig");

	if (dir == 0 && (send || one || stream || config))
		read_request(r, method, send, msg, len);
	else if (dir == 1 && one)
		read_task(r, msg, len, true);
	else if (dir == 1 && (send || stream))
		read_answer(r, msg, len);
}
