// SPDX-License-Identifier: Apache-2.0
/* Exchanges of HTTP that are calls of gRPC or gRPC-Web: what was called, and with what status it ended. */
#include "agent/l7/app.h"
#include "lib/grpc.h"

#define MSEC_NS 1000000ull

/* As OpenTelemetry has them; NULL: there is no such status. */
static const char *name_of(const char *status)
{
	static const char *const names[] = {
		"OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
		"NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
		"ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
		"DATA_LOSS", "UNAUTHENTICATED"
	};
	char *end;
	unsigned long n = strtoul(status, &end, 10);

	return *status >= '0' && *status <= '9' && !*end && n < ARRAY_SIZE(names) ? names[n] : NULL;
}

/* What an HTTP status means where the call has none of its own: gRPC's http-grpc-status-mapping. */
static const char *name_of_http(int status)
{
	switch (status) {
	case 400:
		return "INTERNAL";
	case 401:
		return "UNAUTHENTICATED";
	case 403:
		return "PERMISSION_DENIED";
	case 404:
		return "UNIMPLEMENTED";
	case 429:
	case 502:
	case 503:
	case 504:
		return "UNAVAILABLE";
	default:
		return "UNKNOWN";
	}
}

static void set_message(struct l7_record *r, const char *s, size_t len)
{
	char text[L7_STR_MAX];

	grpc_message_decode(s, len, text, sizeof(text));
	app_set(r, L7_KEY_RPC_MESSAGE, text);
}

static void set_status(struct l7_record *r, const char *status)
{
	app_set(r, L7_KEY_RPC_STATUS, name_of(status) ?: status);
}

void grpc_call_trailers(struct http_exchange *x, const struct http_head *h)
{
	const struct http_header *status = http_head_get(h, "grpc-status"), *message = http_head_get(h, "grpc-message");

	if (status)
		set_status(x->record, status->value);
	if (status && message)
		set_message(x->record, message->value, message->value_len);
}

static bool is_base64(const struct http_header *type)
{
	return type && str_prefix(type->value, "application/grpc-web-text");
}

void grpc_call_answer(struct http_exchange *x, const struct http_head *h)
{
	x->is_base64[1] = is_base64(http_head_get(h, "content-type"));
	grpc_call_trailers(x, h); /* those of a call that failed at once are in its head */
}

/* ---- messages */

static void on_request(void *userdata, const uint8_t *msg, size_t len)
{
	a2a_grpc_message(((struct http_exchange *)userdata)->record, 0, msg, len);
}

static void on_answer(void *userdata, const uint8_t *msg, size_t len)
{
	a2a_grpc_message(((struct http_exchange *)userdata)->record, 1, msg, len);
}

/* gRPC-Web: "grpc-status:5\r\ngrpc-message:…\r\n" */
static void on_trailers(void *userdata, const uint8_t *text, size_t len)
{
	static const char status[] = "grpc-status:", message[] = "grpc-message:";
	struct l7_record *r = ((struct http_exchange *)userdata)->record;
	const uint8_t *end = len == GRPC_MESSAGE_KEPT ? memrchr(text, '\n', len) : NULL; /* it may be cut */
	_cleanup_free_ char *copy = strndup((const char *)text, end ? (size_t)(end - text) : len);

	for (char *save = NULL, *line = copy ? strtok_r(copy, "\r\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\r\n", &save)) {
		char *value = strchr(line, ':');

		value = value ? value + 1 + strspn(value + 1, " ") : NULL;
		if (!strncasecmp(line, status, strlen(status)))
			set_status(r, value);
		else if (!strncasecmp(line, message, strlen(message)))
			set_message(r, value, strlen(value));
	}
}

static void feed_base64(struct http_exchange *x, int dir, const uint8_t *data, size_t len)
{
	uint8_t bytes[1024];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int byte = base64_next(&x->base64[dir], (char)data[i]);

		if (byte >= 0)
			bytes[n++] = (uint8_t)byte;
		if (n == sizeof(bytes) || i == len - 1)
			grpc_stream_feed(&x->grpc[dir], bytes, TAKE(n, 0));
	}
}

void grpc_call_body(struct http_exchange *x, int dir, const uint8_t *data, size_t len)
{
	if (x->is_base64[dir])
		feed_base64(x, dir, data, len);
	else
		grpc_stream_feed(&x->grpc[dir], data, len);
}

void grpc_call_gap(struct http_exchange *x, int dir, uint64_t len)
{
	if (x->is_base64[dir])
		x->grpc[dir].lost = true;
	else
		grpc_stream_gap(&x->grpc[dir], len);
	x->partial |= x->grpc[dir].lost;
}

/* ---- calls */

bool grpc_call_route(struct http_exchange *x, const struct http_head *h)
{
	const struct http_header *type = http_head_get(h, "content-type"), *timeout = http_head_get(h, "grpc-timeout");
	struct l7_record *r = x->record;
	uint64_t usec;

	if (!type || !str_prefix(type->value, "application/grpc"))
		return false;
	x->kind = APP_GRPC;
	r->kind = L7_GRPC;
	app_set(r, L7_KEY_RPC_SYSTEM, "grpc");
	app_set(r, L7_KEY_RPC_METHOD, h->target + (h->target[0] == '/'));
	if (timeout && grpc_timeout_parse(timeout->value, timeout->value_len, &usec) == 0) {
		x->timeout_ns = usec > UINT64_MAX / 1000 ? UINT64_MAX : usec * 1000;
		l7_record_int(r, L7_KEY_RPC_TIMEOUT, (int64_t)(x->timeout_ns / MSEC_NS));
	}
	x->grpc[0].userdata = x->grpc[1].userdata = x;
	x->is_base64[0] = is_base64(type);
	if (str_prefix(type->value, "application/grpc-web"))
		x->grpc[1].on_trailers = on_trailers;
	if (a2a_grpc(r, h->target) && !x->app->host->headers_only) {
		x->grpc[0].on_message = on_request;
		x->grpc[1].on_message = on_answer;
	}
	return true;
}

static enum l7_outcome failed(struct l7_record *r, const char *status)
{
	app_set(r, L7_KEY_ERROR_TYPE, status);
	return L7_ERROR;
}

/* A call without a status of its own. */
static enum l7_outcome failed_as(struct l7_record *r, const char *status)
{
	app_set(r, L7_KEY_RPC_STATUS, status);
	return failed(r, status);
}

/* A client whose time is up resets the stream; a server may see that later than its own answer. */
static bool timed_out(const struct http_exchange *x)
{
	return x->client_left && x->timeout_ns && x->last_ns - x->start_ns >= x->timeout_ns;
}

enum l7_outcome grpc_call_outcome(struct http_exchange *x)
{
	const char *status = l7_record_get(x->record, L7_KEY_RPC_STATUS);

	if (x->grpc[0].unread || x->grpc[1].unread)
		x->reason = "compressed messages of gRPC are not read";
	if (status && !streq(status, "OK"))
		return failed(x->record, status);
	if (status)
		return x->record->kind == L7_A2A ? a2a_outcome(x->record) : L7_OK;
	if (x->partial)
		return L7_UNKNOWN;
	if (timed_out(x))
		return failed_as(x->record, "DEADLINE_EXCEEDED");
	if (x->status && x->status != 200)
		return failed_as(x->record, name_of_http(x->status));
	if (x->complete[1])
		return failed_as(x->record, "UNKNOWN");
	return x->status || x->client_left ? L7_CANCELLED : L7_NO_ANSWER;
}
