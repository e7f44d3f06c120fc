// SPDX-License-Identifier: Apache-2.0
/* One gRPC call: request in, messages out at the pace of the reader, status at the end. */
#include <stdarg.h>

#include "agent/api/server.h"

#define NV(n, v)                                                                           \
	{                                                                                  \
		(uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE \
	}

static int on_message(void *userdata, const uint8_t *data, size_t len);
static void begin_answer(struct api_call *call);

struct api_call *api_call_new(struct api_conn *c, int32_t stream)
{
	struct api_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->conn = c;
	call->stream = stream;
	call->http_status = 415;
	call->reader = (struct grpc_reader){ .max = API_REQUEST_MAX, .on_message = on_message, .userdata = call };
	call->next = c->calls;
	if (call->next)
		call->next->prev = call;
	c->calls = call;
	return call;
}

void api_call_free(struct api_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		call->conn->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
	if (call->started && call->method->stop)
		call->method->stop(call);
	sd_event_source_disable_unref(call->timer);
	grpc_reader_clear(&call->reader);
	if (call->request)
		protobuf_c_message_free_unpacked(call->request, NULL);
	free(call->out);
	free(call);
}

static int on_timeout(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct api_call *call = userdata;

	api_call_error(call, GRPC_DEADLINE_EXCEEDED, "the deadline has passed");
	api_conn_flush(call->conn);
	return 0;
}

static const struct api_method *const services[] = { api_observer_methods, api_health_methods, api_agent_methods,
						     api_peer_methods, api_reflection_methods };

bool api_has_service(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		const char *path = services[i][0].path;

		if (!strncmp(path + 1, name, len) && path[1 + len] == '/')
			return true;
	}
	return false;
}

static const struct api_method *find_method(const char *path, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		for (const struct api_method *m = services[i]; m->path; m++)
			if (strlen(m->path) == len && !memcmp(m->path, path, len))
				return m;
	return NULL;
}

static bool is(const char *s, size_t len, const char *what)
{
	return strlen(what) == len && !memcmp(s, what, len);
}

void api_call_header(struct api_call *call, const char *name, size_t namelen, const char *value, size_t valuelen)
{
	static const char type[] = "application/grpc";
	uint64_t usec;

	if (is(name, namelen, ":path")) {
		call->method = find_method(value, valuelen);
	} else if (is(name, namelen, ":method")) {
		if (!is(value, valuelen, "POST"))
			call->http_status = 405;
	} else if (is(name, namelen, "content-type")) {
		size_t n = strlen(type);
		bool ours = valuelen >= n && !memcmp(value, type, n) &&
			    (valuelen == n || value[n] == ';' || is(value + n, MIN(valuelen - n, 6), "+proto"));

		if (ours && call->http_status == 415)
			call->http_status = 200;
	} else if (is(name, namelen, "grpc-encoding")) {
		call->bad_encoding = !is(value, valuelen, "identity");
	} else if (is(name, namelen, "grpc-timeout") && !call->timer &&
		   grpc_timeout_parse(value, valuelen, &usec) == 0) {
		sd_event_add_time_relative(call->conn->server->event, &call->timer, CLOCK_MONOTONIC, usec, 1000,
					   on_timeout, call);
	}
}

/* Of a stream of requests. Who asks and does not read the answers is asked to leave. */
static int on_each(struct api_call *call, const uint8_t *data, size_t len)
{
	ProtobufCMessage *request;

	if (call->finished)
		return 0;
	if (call->out_len - call->out_pos > API_WAITING_MAX) {
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "too many answers wait to be read");
		return 0;
	}
	request = protobuf_c_message_unpack(call->method->request, NULL, len, data);
	if (!request)
		return -EBADMSG;
	call->method->message(call, request);
	protobuf_c_message_free_unpacked(request, NULL);
	if (TAKE(call->waiting, false))
		nghttp2_session_resume_data(call->conn->session, call->stream);
	return 0;
}

static int on_message(void *userdata, const uint8_t *data, size_t len)
{
	struct api_call *call = userdata;

	if (call->method->message)
		return on_each(call, data, len);
	if (call->request)
		return -EEXIST;
	call->request = protobuf_c_message_unpack(call->method->request, NULL, len, data);
	return call->request ? 0 : -EBADMSG;
}

void api_call_data(struct api_call *call, const uint8_t *data, size_t len)
{
	int r;

	if (call->finished || call->http_status != 200 || !call->method || call->bad_encoding)
		return; /* it is or will be refused: what else it sends is of no interest */
	r = grpc_reader_feed(&call->reader, data, len);
	if (r == -ENOTSUP)
		api_call_error(call, GRPC_UNIMPLEMENTED, "compressed messages are not supported");
	else if (r == -EMSGSIZE)
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "the request is longer than %d bytes", API_REQUEST_MAX);
	else if (r == -EPROTO)
		api_call_error(call, GRPC_INTERNAL, "a message has a bad prefix");
	else if (r == -EEXIST)
		api_call_error(call, GRPC_INTERNAL, "the call takes one message, not several");
	else if (r == -EBADMSG)
		api_call_error(call, GRPC_INTERNAL, "the message is not a valid %s", call->method->request->name);
	else if (r < 0)
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
}

static void refuse_http(struct api_call *call)
{
	nghttp2_nv nv[] = { NV(":status", call->http_status == 405 ? "405" : "415") };

	nghttp2_submit_response(call->conn->session, call->stream, nv, ARRAY_SIZE(nv), NULL);
	call->finished = call->answering = true;
}

static void start(struct api_call *call)
{
	call->started = true;
	call->method->start(call, call->request);
	if (call->method->pull && !call->finished)
		begin_answer(call);
}

void api_call_end(struct api_call *call)
{
	call->remote_closed = true;
	if (call->finished)
		return;
	if (call->http_status != 200)
		refuse_http(call);
	else if (!call->method)
		api_call_error(call, GRPC_UNIMPLEMENTED, "no such method");
	else if (call->bad_encoding)
		api_call_error(call, GRPC_UNIMPLEMENTED, "compressed messages are not supported");
	else if (grpc_reader_partial(&call->reader))
		api_call_error(call, GRPC_INTERNAL, "the message is cut short");
	else if (call->method->message)
		api_call_finish(call);
	else if (!call->request)
		api_call_error(call, GRPC_INTERNAL, "the call has no message");
	else
		start(call);
}

static void submit_status(struct api_call *call, bool trailers_only)
{
	char status[12], message[3 * sizeof(call->message)];
	nghttp2_nv nv[] = { NV(":status", "200"), NV("content-type", "application/grpc"), NV("grpc-status", ""),
			    NV("grpc-message", "") };
	size_t n = *call->message ? 4 : 3;

	snprintf(status, sizeof(status), "%d", call->status);
	grpc_message_encode(call->message, message, sizeof(message));
	nv[2].value = (uint8_t *)status;
	nv[2].valuelen = strlen(status);
	nv[3].value = (uint8_t *)message;
	nv[3].valuelen = strlen(message);
	if (trailers_only)
		nghttp2_submit_response(call->conn->session, call->stream, nv, n, NULL);
	else
		nghttp2_submit_trailer(call->conn->session, call->stream, nv + 2, n - 2);
}

static void take_out(struct api_call *call, uint8_t *buf, size_t len)
{
	memcpy(buf, call->out + call->out_pos, len);
	call->out_pos += len;
	if (call->out_pos < call->out_len)
		return;
	free(TAKE_PTR(call->out)); /* a call that waits holds no buffer */
	call->out_pos = call->out_len = call->out_cap = 0;
}

/* nghttp2 asks for this much as the windows allow: a reader that does not read is not asked for. */
static ssize_t read_out(_unused_ nghttp2_session *session, _unused_ int32_t stream, uint8_t *buf, size_t length,
			uint32_t *flags, nghttp2_data_source *source, _unused_ void *userdata)
{
	struct api_call *call = source->ptr;
	size_t n;

	if (call->out_pos == call->out_len && !call->finished && call->method->pull)
		call->method->pull(call);
	n = MIN(length, call->out_len - call->out_pos);
	if (n)
		take_out(call, buf, n);
	if (call->out_pos < call->out_len || (n && !call->finished))
		return (ssize_t)n;
	if (!call->finished) {
		call->waiting = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	submit_status(call, false);
	return (ssize_t)n;
}

static void begin_answer(struct api_call *call)
{
	nghttp2_nv nv[] = { NV(":status", "200"), NV("content-type", "application/grpc") };
	nghttp2_data_provider provider = { .source.ptr = call, .read_callback = read_out };

	if (call->answering)
		return;
	call->answering = true;
	nghttp2_submit_response(call->conn->session, call->stream, nv, ARRAY_SIZE(nv), &provider);
}

static int reserve(struct api_call *call, size_t more)
{
	size_t cap = MAX(call->out_len + more, 2 * call->out_cap);
	uint8_t *out;

	if (call->out_len + more <= call->out_cap)
		return 0;
	out = realloc(call->out, cap);
	if (!out)
		return -ENOMEM;
	call->out = out;
	call->out_cap = cap;
	return 0;
}

int api_call_send(struct api_call *call, const ProtobufCMessage *msg)
{
	size_t len = protobuf_c_message_get_packed_size(msg);

	if (reserve(call, GRPC_PREFIX + len) < 0) {
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return -ENOMEM;
	}
	grpc_prefix_put(call->out + call->out_len, (uint32_t)len);
	protobuf_c_message_pack(msg, call->out + call->out_len + GRPC_PREFIX);
	call->out_len += GRPC_PREFIX + len;
	begin_answer(call);
	return 0;
}

void api_call_finish(struct api_call *call)
{
	if (call->finished)
		return;
	call->finished = true;
	begin_answer(call);
	if (TAKE(call->waiting, false))
		nghttp2_session_resume_data(call->conn->session, call->stream);
}

void api_call_error(struct api_call *call, enum grpc_status status, const char *fmt, ...)
{
	va_list ap;

	if (call->finished)
		return;
	va_start(ap, fmt);
	vsnprintf(call->message, sizeof(call->message), fmt, ap);
	va_end(ap);
	call->status = status;
	if (call->answering) {
		api_call_finish(call);
		return;
	}
	call->finished = call->answering = true;
	submit_status(call, true);
}
