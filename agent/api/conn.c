// SPDX-License-Identifier: Apache-2.0
/* One HTTP/2 connection: nghttp2 keeps the protocol, this file moves the bytes. */
#include <sys/socket.h>

#include "agent/api/server.h"
#include "lib/clock.h"
#include "lib/log.h"

#define HANDSHAKE_US 10000000
#define ROUNDS_MAX 4 /* buffers written for one connection before others have their turn */

void api_conn_free(struct api_conn *c)
{
	struct api_server *s = c->server;

	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->n_conns--;
	while (c->calls)
		api_call_free(c->calls);
	nghttp2_session_del(c->session);
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->deadline);
	tls_free(c->tls);
	close_fd(c->fd);
	free(c->rest);
	free(c);
}

/* Bytes, 0 at the end of the stream (receiving), or a negative errno: -EAGAIN when it would block. */
static ssize_t conn_send(struct api_conn *c, const void *buf, size_t len)
{
	ssize_t n;

	if (c->tls)
		return tls_send(c->tls, buf, len);
	n = send(c->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

static ssize_t conn_recv(struct api_conn *c, void *buf, size_t len)
{
	ssize_t n;

	if (c->tls)
		return tls_recv(c->tls, buf, len);
	n = recv(c->fd, buf, len, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

/* > 0: all of rest is written, 0: the socket is full, negative errno: it is broken. */
static int write_rest(struct api_conn *c)
{
	while (c->rest_pos < c->rest_len) {
		ssize_t n = conn_send(c, c->rest + c->rest_pos, c->rest_len - c->rest_pos);

		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		c->rest_pos += (size_t)n;
	}
	free(TAKE_PTR(c->rest));
	c->rest_len = c->rest_pos = 0;
	return 1;
}

static ssize_t gather(struct api_conn *c)
{
	const size_t frame_max = 16384 + 9;
	uint8_t *buf = c->server->scratch;
	size_t len = 0;

	while (len + frame_max <= API_SCRATCH) {
		const uint8_t *data;
		ssize_t n = nghttp2_session_mem_send(c->session, &data);

		if (n < 0)
			return -EPROTO;
		if (n == 0)
			break;
		memcpy(buf + len, data, (size_t)n);
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* > 0: there is nothing more to write, 0: the socket is full or it is others' turn, negative errno: broken. */
static int write_some(struct api_conn *c)
{
	int r = write_rest(c);

	for (int round = 0; r > 0 && round < ROUNDS_MAX; round++) {
		ssize_t len = gather(c), n;

		if (len <= 0)
			return len < 0 ? (int)len : 1;
		n = conn_send(c, c->server->scratch, (size_t)len);
		if (n < 0 && n != -EAGAIN)
			return (int)n;
		n = MAX(n, 0);
		if (n == len)
			continue;
		c->rest_len = (size_t)(len - n);
		c->rest = malloc(c->rest_len);
		if (!c->rest)
			return -ENOMEM;
		memcpy(c->rest, c->server->scratch + n, c->rest_len);
		return 0;
	}
	return r < 0 ? r : 0;
}

void api_conn_flush(struct api_conn *c)
{
	int r = c->deadline ? 1 : write_some(c); /* nothing before the handshake */

	if (r < 0 || (r > 0 && !nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session))) {
		api_conn_free(c);
		return;
	}
	sd_event_source_set_io_events(c->io, r > 0 ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void api_conn_wake(struct api_conn *c)
{
	bool any = false;

	for (struct api_call *call = c->calls; call; call = call->next)
		if (call->waiting && call->method->pull) {
			call->waiting = false;
			nghttp2_session_resume_data(c->session, call->stream);
			any = true;
		}
	if (any)
		api_conn_flush(c);
}

/* True: the connection can be used. False: later, or never (c is gone then). */
static bool shake_hands(struct api_conn *c)
{
	struct err e = {};
	int r = tls_handshake(c->tls, &e);

	if (r < 0) {
		log_info("a client of the flow API was turned away: %s", e.msg);
		api_conn_free(c);
	} else if (r == 0) {
		sd_event_source_set_io_events(c->io, tls_events(c->tls));
	} else {
		c->deadline = sd_event_source_disable_unref(c->deadline);
	}
	return r > 0;
}

static int on_deadline(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	api_conn_free(userdata);
	return 0;
}

static int on_io(_unused_ sd_event_source *source, _unused_ int fd, uint32_t revents, void *userdata)
{
	struct api_conn *c = userdata;
	uint8_t buf[16384]; /* no TLS record is longer: nothing stays behind where epoll does not see it */
	ssize_t n;

	if (c->deadline && !shake_hands(c))
		return 0;
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		n = conn_recv(c, buf, sizeof(buf));
		if (n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR)) {
			api_conn_free(c);
			return 0;
		}
		/* An error is one that no GOAWAY can answer. */
		if (n > 0 && nghttp2_session_mem_recv(c->session, buf, (size_t)n) < 0) {
			api_conn_free(c);
			return 0;
		}
	}
	api_conn_flush(c);
	return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
	struct api_call *call;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	call = api_call_new(userdata, frame->hd.stream_id);
	if (!call)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t namelen,
		     const uint8_t *value, size_t valuelen, _unused_ uint8_t flags, _unused_ void *userdata)
{
	struct api_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	if (call && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		api_call_header(call, (const char *)name, namelen, (const char *)value, valuelen);
	return 0;
}

static int on_data(nghttp2_session *session, _unused_ uint8_t flags, int32_t stream, const uint8_t *data, size_t len,
		   _unused_ void *userdata)
{
	struct api_call *call = nghttp2_session_get_stream_user_data(session, stream);

	if (call)
		api_call_data(call, data, len);
	return 0;
}

/* A client that opens streams only to reset them costs work and takes no part in the limit on open ones. */
static void count_reset(struct api_conn *c)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (now - c->resets_since > 10000000000ull) {
		c->resets_since = now;
		c->resets = 0;
	}
	if (++c->resets == API_RESETS_MAX)
		nghttp2_session_terminate_session(c->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
	struct api_call *call;

	if (frame->hd.type == NGHTTP2_RST_STREAM)
		count_reset(userdata);
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (call && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		api_call_end(call);
	return 0;
}

/* Answered before the client had sent all: tell it to stop. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, _unused_ void *userdata)
{
	struct api_call *call;

	if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	if (call && !call->remote_closed)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, _unused_ uint32_t error, _unused_ void *userdata)
{
	struct api_call *call = nghttp2_session_get_stream_user_data(session, stream);

	if (call)
		api_call_free(call);
	return 0;
}

static int session_new(struct api_conn *c)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, API_STREAMS_MAX },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 16384 },
	};
	nghttp2_session_callbacks *cb;
	int r;

	if (nghttp2_session_callbacks_new(&cb) < 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	r = nghttp2_session_server_new(&c->session, cb, c);
	nghttp2_session_callbacks_del(cb);
	if (r < 0)
		return -ENOMEM;
	return nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings)) < 0 ? -ENOMEM : 0;
}

static int begin_tls(struct api_conn *c, struct tls_context *tls)
{
	if (tls_accept(tls, c->fd, &c->tls) < 0)
		return -ENOMEM;
	return sd_event_add_time_relative(c->server->event, &c->deadline, CLOCK_MONOTONIC, HANDSHAKE_US, 0, on_deadline,
					  c);
}

int api_conn_new(struct api_server *s, int fd, struct tls_context *tls)
{
	struct api_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close_fd(fd);
		return -ENOMEM;
	}
	c->server = s;
	c->fd = fd;
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	s->n_conns++;
	if (session_new(c) < 0 || (tls && begin_tls(c, tls) < 0) ||
	    sd_event_add_io(s->event, &c->io, fd, tls ? EPOLLIN : EPOLLIN | EPOLLOUT, on_io, c) < 0) {
		api_conn_free(c);
		return -ENOMEM;
	}
	return 0;
}
