// SPDX-License-Identifier: Apache-2.0
#include "cli/client.h"

#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/clock.h"
#include "lib/grpc.h"
#include "lib/pbjson.h"
#include "lib/tls.h"

#define SECOND_NS 1000000000ull
#define CONNECT_TIMEOUT_NS (5 * SECOND_NS) /* hubble's */
#define ASK_TIMEOUT_NS (12 * SECOND_NS)
#define WINDOW (1 << 20)
#define MESSAGE_MAX (16 << 20)

struct client {
	int fd;
	struct tls *tls; /* NULL: plain text */
	nghttp2_session *session;
	char *authority;
	uint64_t timeout_ns; /* to connect */
	unsigned ask_timeout_sec;
	/* the call that runs */
	const struct client_call *call;
	int32_t stream;
	uint8_t *out; /* the request with its prefix */
	size_t out_len, out_pos;
	struct grpc_reader reader;
	int result; /* of reader and on_message */
	bool done;
	int http_status, status; /* status -1: none came */
	uint32_t reset;
	char message[512];
};

const char *client_server(const struct client_address *a)
{
	return a->server ? a->server : CLIENT_SERVER_DEFAULT;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	nghttp2_session_del(c->session);
	grpc_reader_clear(&c->reader);
	free(c->out);
	free(c->authority);
	tls_free(c->tls);
	close_fd(c->fd);
	free(c);
}

/* connect(2) that gives up in time. */
static int connect_fd(int fd, const struct sockaddr *addr, socklen_t len, uint64_t timeout_ns)
{
	struct timeval tv = { .tv_sec = (time_t)(timeout_ns / SECOND_NS),
			      .tv_usec = (suseconds_t)(timeout_ns % SECOND_NS / 1000) };

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return -errno;
	if (connect(fd, addr, len) < 0)
		return errno == EINPROGRESS || errno == EAGAIN ? -ETIMEDOUT : -errno;
	tv = (struct timeval){ 0 };
	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ? -errno : 0;
}

static int cannot_connect(int r, const char *server, struct err *reterr)
{
	const char *hint = r == -ENOENT || r == -ECONNREFUSED ? " (is weir-agent running?)"
			   : r == -EACCES                     ? " (root, or the socket's group, may ask)"
							      : "";

	return err_set(reterr, r, "cannot connect to %s: %s%s", server, strerror(-r), hint);
}

static int connect_unix(const char *path, uint64_t timeout_ns, struct err *reterr)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	int r;

	if (strlen(path) >= sizeof(sun.sun_path))
		return err_set(reterr, -ENAMETOOLONG, "%s: too long for a socket's path", path);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = fd < 0 ? -errno : connect_fd(fd, (struct sockaddr *)&sun, sizeof(sun), timeout_ns);
	if (r < 0)
		return cannot_connect(r, path, reterr);
	return TAKE_FD(fd);
}

/* "[::1]:4244" → "::1", "host:4244" → "host". */
static char *host_of(const char *server)
{
	const char *colon = strrchr(server, ':');

	return server[0] == '[' && colon > server && colon[-1] == ']'
		   ? strndup(server + 1, (size_t)(colon - server) - 2)
		   : strndup(server, (size_t)(colon - server));
}

static int connect_tcp(const char *server, uint64_t timeout_ns, struct err *reterr)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	const char *colon = strrchr(server, ':');
	_cleanup_free_ char *host = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (!colon || colon == server || !colon[1])
		return err_set(reterr, -EINVAL, "\"%s\" is neither unix:///PATH nor HOST:PORT", server);
	host = host_of(server);
	if (!host)
		return err_oom(reterr);
	r = getaddrinfo(host, colon + 1, &hints, &list);
	if (r != 0)
		return err_set(reterr, -EHOSTUNREACH, "%s: %s", server, gai_strerror(r));
	for (struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		close_fd(fd);
		fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		r = fd < 0 ? -errno : connect_fd(fd, ai->ai_addr, ai->ai_addrlen, timeout_ns);
		if (r == 0)
			break;
	}
	freeaddrinfo(list);
	if (r < 0)
		return cannot_connect(r, server, reterr);
	return TAKE_FD(fd);
}

static int on_reply_message(void *userdata, const uint8_t *data, size_t len)
{
	struct client *c = userdata;
	ProtobufCMessage *msg = protobuf_c_message_unpack(c->call->response, NULL, len, data);
	int r;

	if (!msg)
		return -EBADMSG;
	r = c->call->on_message(c->call->userdata, msg);
	protobuf_c_message_free_unpacked(msg, NULL);
	return r;
}

static void note_result(struct client *c, int r)
{
	c->result = MIN(r, 0);
}

static int on_data(_unused_ nghttp2_session *session, _unused_ uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *userdata)
{
	struct client *c = userdata;

	if (stream == c->stream && c->result == 0 && c->http_status == 200)
		note_result(c, grpc_reader_feed(&c->reader, data, len));
	return 0;
}

static int on_header(_unused_ nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t namelen,
		     const uint8_t *value, size_t valuelen, _unused_ uint8_t flags, void *userdata)
{
	struct client *c = userdata;
	const char *n = (const char *)name, *v = (const char *)value; /* nghttp2 ends both with a NUL */

	if (frame->hd.stream_id != c->stream)
		return 0;
	if (namelen == 7 && streq(n, ":status"))
		c->http_status = atoi(v);
	else if (namelen == 11 && streq(n, "grpc-status"))
		c->status = atoi(v);
	else if (namelen == 12 && streq(n, "grpc-message"))
		grpc_message_decode(v, valuelen, c->message, sizeof(c->message));
	return 0;
}

static int on_stream_close(_unused_ nghttp2_session *session, int32_t stream, uint32_t error, void *userdata)
{
	struct client *c = userdata;

	if (stream != c->stream)
		return 0;
	c->done = true;
	c->reset = error;
	return 0;
}

static ssize_t read_request(_unused_ nghttp2_session *session, _unused_ int32_t stream, uint8_t *buf, size_t length,
			    uint32_t *flags, nghttp2_data_source *source, _unused_ void *userdata)
{
	struct client *c = source->ptr;
	size_t n = MIN(length, c->out_len - c->out_pos);

	memcpy(buf, c->out + c->out_pos, n);
	c->out_pos += n;
	if (c->out_pos == c->out_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static int session_new(struct client *c)
{
	static const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
							   { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW } };
	nghttp2_session_callbacks *cb;
	int r;

	if (nghttp2_session_callbacks_new(&cb) < 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	r = nghttp2_session_client_new(&c->session, cb, c);
	nghttp2_session_callbacks_del(cb);
	if (r < 0 || nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, ARRAY_SIZE(settings)) < 0 ||
	    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, WINDOW) < 0)
		return -ENOMEM;
	return 0;
}

static int shake_hands(struct client *c, const char *server, struct err *reterr)
{
	int r;

	while ((r = tls_handshake(c->tls, reterr)) == 0) {
		struct pollfd p = { .fd = c->fd, .events = tls_events(c->tls) == EPOLLOUT ? POLLOUT : POLLIN };

		if (poll(&p, 1, (int)(c->timeout_ns / 1000000)) == 0)
			return err_set(reterr, -ETIMEDOUT, "%s does not answer in TLS", server);
	}
	return r < 0 ? err_prefix(reterr, r, "%s", server) : 0;
}

static int begin_tls(struct client *c, const struct client_address *a, const char *server, struct err *reterr)
{
	const struct tls_files files = { a->tls_cert, a->tls_key, a->tls_ca };
	_cleanup_(tls_context_freep) struct tls_context *ctx = NULL;
	_cleanup_free_ char *host = a->tls_name ? strdup(a->tls_name) : host_of(server);
	int r;

	if (!host)
		return err_oom(reterr);
	r = tls_client_new(&files, a->tls_insecure, &ctx, reterr);
	if (r < 0)
		return r;
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || tls_connect(ctx, c->fd, host, &c->tls) < 0)
		return err_oom(reterr);
	return shake_hands(c, server, reterr);
}

int client_connect(const struct client_address *a, struct client **ret_client, struct err *reterr)
{
	_cleanup_(client_closep) struct client *c = calloc(1, sizeof(*c));
	const char *server = client_server(a);
	bool tls = a->tls || str_prefix(server, "tls://");
	int r = 0;

	if (!c)
		return err_oom(reterr);
	c->fd = -1;
	c->timeout_ns = MIN(a->timeout_ns ?: CONNECT_TIMEOUT_NS, INT_MAX * 1000000ull);
	c->ask_timeout_sec =
	    (unsigned)MIN(((a->request_timeout_ns ?: ASK_TIMEOUT_NS) + SECOND_NS - 1) / SECOND_NS, 99999999);
	if (str_prefix(server, "tls://"))
		server += strlen("tls://");
	if (str_prefix(server, "unix:"))
		c->fd = connect_unix(server + (str_prefix(server, "unix://") ? 7 : 5), c->timeout_ns, reterr);
	else
		c->fd = connect_tcp(server, c->timeout_ns, reterr);
	if (c->fd < 0)
		return c->fd;
	c->authority = strdup(str_prefix(server, "unix:") ? "localhost" : server);
	if (!c->authority || session_new(c) < 0)
		return err_oom(reterr);
	if (tls)
		r = begin_tls(c, a, server, reterr);
	if (r < 0)
		return r;
	cli_debug("connected to %s", client_server(a));
	*ret_client = TAKE_PTR(c);
	return 0;
}

static int submit(struct client *c, const struct client_call *call)
{
#define NV(n, v)                                                                           \
	{                                                                                  \
		(uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE \
	}
	char timeout[16];
	nghttp2_nv nv[] = { NV(":method", "POST"),
			    NV(":scheme", c->tls ? "https" : "http"),
			    NV(":path", call->path),
			    NV(":authority", c->authority),
			    NV("te", "trailers"),
			    NV("content-type", "application/grpc"),
			    NV("user-agent", "weir/" WEIR_VERSION),
			    NV("grpc-timeout", "") };
	nghttp2_data_provider provider = { .source.ptr = c, .read_callback = read_request };
	size_t len = protobuf_c_message_get_packed_size(call->request), n = ARRAY_SIZE(nv);

	snprintf(timeout, sizeof(timeout), "%uS", call->timeout_sec);
	nv[n - 1].value = (uint8_t *)timeout;
	nv[n - 1].valuelen = strlen(timeout);
	free(c->out);
	c->out = malloc(GRPC_PREFIX + len);
	if (!c->out)
		return -ENOMEM;
	grpc_prefix_put(c->out, (uint32_t)len);
	protobuf_c_message_pack(call->request, c->out + GRPC_PREFIX);
	c->out_len = GRPC_PREFIX + len;
	c->out_pos = 0;
	c->stream = nghttp2_submit_request(c->session, NULL, nv, call->timeout_sec ? n : n - 1, &provider, NULL);
	return c->stream < 0 ? -ENOMEM : 0;
#undef NV
}

/* Bytes, or a negative errno. Waits for room. */
static ssize_t put(struct client *c, const void *buf, size_t len)
{
	ssize_t n;

	if (!c->tls) {
		n = send(c->fd, buf, len, MSG_NOSIGNAL);
		return n < 0 ? -errno : n;
	}
	while ((n = tls_send(c->tls, buf, len)) == -EAGAIN) {
		struct pollfd p = { .fd = c->fd, .events = tls_events(c->tls) == EPOLLOUT ? POLLOUT : POLLIN };

		if (poll(&p, 1, -1) < 0)
			return -errno;
	}
	return n;
}

/* Bytes, 0 at the end, or a negative errno. */
static ssize_t get(struct client *c, void *buf, size_t len)
{
	ssize_t n;

	if (c->tls)
		return tls_recv(c->tls, buf, len);
	n = recv(c->fd, buf, len, 0);
	return n < 0 ? -errno : n;
}

static int send_all(struct client *c)
{
	const uint8_t *data;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(c->session, &data)) > 0)
		for (ssize_t pos = 0; pos < n;) {
			ssize_t w = put(c, data + pos, (size_t)(n - pos));

			if (w < 0 && w != -EINTR)
				return (int)w;
			pos += MAX(w, 0);
		}
	return n < 0 ? -EPROTO : 0;
}

static int64_t now_ms(void)
{
	return (int64_t)(clock_ns(CLOCK_MONOTONIC) / 1000000);
}

/* Milliseconds to wait for the server: until the deadline or the next tick; -1: as long as it takes. */
static int wait_ms(const struct client *c, int64_t deadline, int64_t next_tick)
{
	int64_t until = deadline, left;

	if (c->call->tick)
		until = deadline ? MIN(deadline, next_tick) : next_tick;
	left = until - now_ms();
	return until ? (int)MIN(MAX(left, 0), INT_MAX) : -1;
}

/* What the caller is to do besides, when it is time. */
static void be_called(struct client *c, bool signalled, bool readable, int64_t *next_tick)
{
	const struct client_call *call = c->call;

	if (readable && call->input)
		note_result(c, call->input(call->userdata));
	if (!call->tick || c->result < 0 || (!signalled && now_ms() < *next_tick))
		return;
	if (now_ms() >= *next_tick)
		*next_tick = now_ms() + call->tick_ms;
	note_result(c, call->tick(call->userdata));
}

static int take_in(struct client *c)
{
	static uint8_t buf[65536]; /* more than a TLS record: nothing stays behind where poll does not see it */
	ssize_t n = get(c, buf, sizeof(buf));

	if (n < 0)
		return n == -EINTR || n == -EAGAIN ? 0 : (int)n;
	if (n == 0)
		return -ECONNRESET;
	return nghttp2_session_mem_recv(c->session, buf, (size_t)n) < 0 ? -EPROTO : 0;
}

/* Wait and take in what has come. deadline 0: none; a second more than the server is given, whose word is better. */
static int receive(struct client *c, int64_t deadline, int64_t *next_tick)
{
	struct pollfd p[] = { { .fd = c->fd, .events = POLLIN },
			      { .fd = c->call->input ? c->call->fd : -1, .events = POLLIN } };
	int r = poll(p, ARRAY_SIZE(p), wait_ms(c, deadline, *next_tick));
	bool signalled = r < 0 && errno == EINTR, ready = r > 0;

	if (r < 0 && !signalled)
		return -errno;
	be_called(c, signalled, ready && p[1].revents, next_tick);
	if (r == 0 && deadline && now_ms() >= deadline)
		return -ETIMEDOUT;
	return ready && p[0].revents && c->result == 0 ? take_in(c) : 0;
}

static int run(struct client *c, const struct client_call *call)
{
	int64_t deadline = call->timeout_sec ? now_ms() + 1000 * ((int64_t)call->timeout_sec + 1) : 0;
	int64_t next_tick = now_ms() + call->tick_ms;
	int r = 0;

	while (r == 0 && !c->done) {
		r = send_all(c);
		if (r == 0)
			r = receive(c, deadline, &next_tick);
		if (r == 0 && call->idle && c->result == 0)
			note_result(c, call->idle(call->userdata));
		if (c->result < 0)
			return c->result;
	}
	return r;
}

/* The end of a call as one result. "rpc error: code = X desc = Y" is how every gRPC tool says it. */
static int judge(struct client *c, int r, struct err *reterr)
{
	const char *name = grpc_status_name(c->status);

	if (c->result < 0)
		return c->result == -EBADMSG ? err_set(reterr, -EBADMSG, "the server's answer makes no sense")
					     : c->result;
	if (r < 0)
		return err_set(reterr, r, "the connection broke: %s", strerror(-r));
	if (c->http_status != 200)
		return err_set(reterr, -EREMOTEIO, "the server answered with HTTP status %d", c->http_status);
	if (c->status == GRPC_OK)
		return 0;
	if (c->status < 0)
		return err_set(reterr, -EREMOTEIO, "the server ended the call without a status (HTTP/2 error %u)",
			       c->reset);
	if (c->status == GRPC_UNKNOWN)
		return err_set(reterr, -EREMOTEIO, "%s", c->message);
	if (name)
		return err_set(reterr, -EREMOTEIO, "rpc error: code = %s desc = %s", name, c->message);
	return err_set(reterr, -EREMOTEIO, "rpc error: code = Code(%d) desc = %s", c->status, c->message);
}

static void debug_request(const struct client_call *call)
{
	size_t len;
	char *text = NULL;
	FILE *f = cli_debugging() ? open_memstream(&text, &len) : NULL;

	if (!f)
		return;
	pbjson_write(f, call->request);
	if (fclose(f) == 0)
		cli_debug("%s %s", call->path, text);
	free(text);
}

int client_call(struct client *c, const struct client_call *call, struct err *reterr)
{
	c->call = call;
	c->done = false;
	c->result = 0;
	c->http_status = 0;
	c->status = -1;
	c->message[0] = '\0';
	grpc_reader_clear(&c->reader);
	c->reader = (struct grpc_reader){ .max = MESSAGE_MAX, .on_message = on_reply_message, .userdata = c };
	debug_request(call);
	if (submit(c, call) < 0)
		return err_oom(reterr);
	return judge(c, run(c, call), reterr);
}

struct answer {
	const ProtobufCMessageDescriptor *descriptor;
	ProtobufCMessage *msg;
};

/* Keep a copy: the message that is handed over is the client's. */
static int keep(void *userdata, const ProtobufCMessage *msg)
{
	struct answer *a = userdata;
	size_t len = protobuf_c_message_get_packed_size(msg);
	_cleanup_free_ uint8_t *buf = malloc(len ? len : 1);

	if (!buf || a->msg)
		return a->msg ? -EBADMSG : -ENOMEM;
	protobuf_c_message_pack(msg, buf);
	a->msg = protobuf_c_message_unpack(a->descriptor, NULL, len, buf);
	return a->msg ? 0 : -ENOMEM;
}

int client_ask(struct client *c, const char *path, const ProtobufCMessage *request,
	       const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret_msg, struct err *reterr)
{
	struct answer a = { .descriptor = response };
	struct client_call call = { .path = path,
				    .request = request,
				    .response = response,
				    .on_message = keep,
				    .userdata = &a,
				    .timeout_sec = c->ask_timeout_sec };
	int r = client_call(c, &call, reterr);

	if (r == 0 && !a.msg)
		r = err_set(reterr, -EBADMSG, "the server answered with nothing");
	if (r < 0) {
		if (a.msg)
			protobuf_c_message_free_unpacked(a.msg, NULL);
		return r;
	}
	*ret_msg = a.msg;
	return 0;
}
