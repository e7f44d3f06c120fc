// SPDX-License-Identifier: Apache-2.0
#include "agent/export/http_server.h"

#include <arpa/inet.h>
#include <llhttp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>

#include "lib/clock.h"

#define BODIES_MAX (16 * 1024 * 1024) /* bytes of answers that nobody has read yet */

enum state { IDLE, READING, WRITING };

struct conn {
	struct conn *prev, *next; /* who was first in its state is last in the list */
	struct http_server *server;
	sd_event_source *io;
	int fd;
	enum state state;
	uint64_t deadline_us;
	llhttp_t parser;
	char in[2048];
	size_t in_len, seen; /* seen: bytes of this request that were parsed */
	char path[256], accept[1024], name[16];
	size_t path_len, accept_len, name_len;
	bool complete, path_long, close;
	char head[512];
	size_t head_len;
	char *body;
	size_t body_len, sent; /* of head and body */
	size_t held;           /* of BODIES_MAX */
};

struct http_server {
	sd_event *event;
	sd_event_source *accept, *second;
	int fd;
	http_handler_t handler;
	void *userdata;
	struct conn *first, *last;
	size_t n_conns, bodies;
};

static uint64_t now_us(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000;
}

/* ---- connections */

static void unlink_conn(struct conn *c)
{
	struct http_server *s = c->server;

	*(c->prev ? &c->prev->next : &s->first) = c->next;
	*(c->next ? &c->next->prev : &s->last) = c->prev;
}

static void link_first(struct conn *c)
{
	struct http_server *s = c->server;

	c->prev = NULL;
	c->next = s->first;
	*(s->first ? &s->first->prev : &s->last) = c;
	s->first = c;
}

static void drop_body(struct conn *c)
{
	free(TAKE_PTR(c->body));
	c->server->bodies -= TAKE(c->held, 0);
}

static void conn_free(struct conn *c)
{
	unlink_conn(c);
	c->server->n_conns--;
	drop_body(c);
	sd_event_source_disable_unref(c->io);
	close_fd(c->fd);
	free(c);
}

static void enter(struct conn *c, enum state state)
{
	static const unsigned seconds[] = { HTTP_IDLE_SEC, HTTP_REQUEST_SEC, HTTP_REPLY_SEC };

	c->state = state;
	c->deadline_us = now_us() + seconds[state] * 1000000ull;
	unlink_conn(c);
	link_first(c);
}

/* ---- what llhttp finds */

/* Appends to a text that has a final NUL; what does not fit is cut. */
static void append(char *buf, size_t size, size_t *len, const char *at, size_t n)
{
	n = MIN(n, size - 1 - *len);
	memcpy(buf + *len, at, n);
	*len += n;
	buf[*len] = '\0';
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
	struct conn *c = p->data;

	c->path_long |= n > sizeof(c->path) - 1 - c->path_len;
	append(c->path, sizeof(c->path), &c->path_len, at, n);
	return 0;
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
	struct conn *c = p->data;

	append(c->name, sizeof(c->name), &c->name_len, at, n);
	return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct conn *c = p->data;

	if (!strcasecmp(c->name, "accept"))
		append(c->accept, sizeof(c->accept), &c->accept_len, at, n);
	return 0;
}

/* Several headers are one, joined. */
static int on_value_end(llhttp_t *p)
{
	struct conn *c = p->data;

	if (!strcasecmp(c->name, "accept"))
		append(c->accept, sizeof(c->accept), &c->accept_len, ",", 1);
	c->name_len = 0;
	return 0;
}

static int on_complete(llhttp_t *p)
{
	struct conn *c = p->data;

	c->complete = true;
	c->close = p->upgrade || !llhttp_should_keep_alive(p);
	return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
	.on_url = on_url,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_end,
	.on_message_complete = on_complete,
};

static void begin_request(struct conn *c)
{
	llhttp_init(&c->parser, HTTP_REQUEST, &callbacks);
	c->parser.data = c;
	c->seen = c->path_len = c->accept_len = c->name_len = 0;
	c->path[0] = c->accept[0] = c->name[0] = '\0';
	c->complete = c->path_long = false;
}

/* ---- answers */

static const char *reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *words;
	} reasons[] = { { 200, "OK" },
			{ 400, "Bad Request" },
			{ 404, "Not Found" },
			{ 405, "Method Not Allowed" },
			{ 413, "Content Too Large" },
			{ 414, "URI Too Long" },
			{ 503, "Service Unavailable" } };

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].words;
	return "Internal Server Error";
}

static void put_head(struct conn *c, const struct http_reply *reply)
{
	c->head_len =
	    (size_t)snprintf(c->head, sizeof(c->head),
			     "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: %s\r\n\r\n",
			     reply->status, reason(reply->status), reply->type, reply->len,
			     reply->status == 405 ? "Allow: GET, HEAD\r\n" : "", c->close ? "close" : "keep-alive");
}

/* Takes the reply's body. */
static void answer(struct conn *c, struct http_reply *reply, bool head_only)
{
	put_head(c, reply);
	c->sent = 0;
	c->body = TAKE_PTR(reply->body);
	c->body_len = head_only ? 0 : reply->len;
	c->held = reply->len;
	c->server->bodies += c->held;
	enter(c, WRITING);
}

static void answer_error(struct conn *c, unsigned status, bool head_only)
{
	struct http_reply reply = { .status = status, .type = "text/plain; charset=utf-8" };
	int n = asprintf(&reply.body, "%s\n", reason(status));

	if (n < 0)
		reply.body = NULL;
	else
		reply.len = (size_t)n;
	answer(c, &reply, head_only);
}

static void handle(struct conn *c)
{
	bool head_only = c->parser.method == HTTP_HEAD;
	struct http_reply reply = {};

	c->path[strcspn(c->path, "?#")] = '\0';
	if (c->path_long) {
		answer_error(c, 414, head_only);
	} else if (c->parser.method != HTTP_GET && !head_only) {
		answer_error(c, 405, false);
	} else if (c->server->bodies > BODIES_MAX) {
		answer_error(c, 503, head_only);
	} else {
		c->server->handler(c->server->userdata, c->path, c->accept, &reply);
		if (reply.status)
			answer(c, &reply, head_only);
		else
			answer_error(c, 404, head_only);
	}
}

/* What came, up to the end of one request; the rest stays for later. */
static void parse(struct conn *c)
{
	llhttp_errno_t e = llhttp_execute(&c->parser, c->in, c->in_len);
	size_t used = e == HPE_OK ? c->in_len : (size_t)(llhttp_get_error_pos(&c->parser) - c->in);

	if (c->state == IDLE)
		enter(c, READING);
	c->seen += used;
	c->in_len -= used;
	memmove(c->in, c->in + used, c->in_len);
	if (c->complete) {
		handle(c);
	} else if (e != HPE_OK || c->seen > HTTP_REQUEST_MAX) {
		c->close = true;
		answer_error(c, e != HPE_OK ? 400 : 413, false);
	}
}

/* ---- bytes */

/* 1: all is written, 0: the socket is full, -1: it is broken. */
static int flush(struct conn *c)
{
	size_t total = c->head_len + c->body_len;

	while (c->sent < total) {
		bool head = c->sent < c->head_len;
		const char *p = head ? c->head + c->sent : c->body + (c->sent - c->head_len);
		ssize_t n = send(c->fd, p, head ? c->head_len - c->sent : total - c->sent,
				 MSG_NOSIGNAL | (head && c->body_len ? MSG_MORE : 0));

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->sent += (size_t)n;
	}
	return 1;
}

/* The client may still be sending: a close with bytes unread would reset the connection, and the answer with it. */
static void say_goodbye(struct conn *c)
{
	shutdown(c->fd, SHUT_WR);
	for (int i = 0; i < 16 && recv(c->fd, c->in, sizeof(c->in), MSG_DONTWAIT) > 0; i++)
		;
	conn_free(c);
}

/* False: the connection is gone. */
static bool write_answer(struct conn *c)
{
	int r = flush(c);

	if (r == 0)
		return true;
	if (r < 0 || c->close) {
		(r < 0 ? conn_free : say_goodbye)(c);
		return false;
	}
	drop_body(c);
	begin_request(c);
	enter(c, c->in_len ? READING : IDLE);
	return true;
}

static bool read_request(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		conn_free(c);
		return false;
	}
	c->in_len += (size_t)MAX(n, 0);
	if (c->in_len)
		parse(c);
	return true;
}

/* One request a turn of the loop. What is left in `in` is ready, though the socket may not be. */
static int on_io(sd_event_source *source, _unused_ int fd, uint32_t revents, void *userdata)
{
	struct conn *c = userdata;

	if (revents & EPOLLERR) {
		conn_free(c);
		return 0;
	}
	if (c->state != WRITING && c->in_len)
		parse(c);
	else if (c->state != WRITING && !read_request(c))
		return 0;
	if (c->state == WRITING && !write_answer(c))
		return 0;
	sd_event_source_set_io_events(source, c->state == WRITING || c->in_len ? EPOLLOUT : EPOLLIN);
	return 0;
}

static int on_accept(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata)
{
	struct http_server *s = userdata;
	_cleanup_close_ int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	if (conn < 0) {
		if (errno == EMFILE || errno == ENFILE) /* it would be ready, and fail, again and again */
			sd_event_source_set_enabled(s->accept, SD_EVENT_OFF);
		return 0;
	}
	if (s->n_conns == HTTP_CONNECTIONS_MAX)
		conn_free(s->last);
	c = calloc(1, sizeof(*c));
	if (!c)
		return 0;
	c->server = s;
	c->fd = TAKE_FD(conn);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	begin_request(c);
	link_first(c);
	s->n_conns++;
	enter(c, READING); /* who connects has something to ask */
	if (sd_event_add_io(s->event, &c->io, c->fd, EPOLLIN, on_io, c) < 0)
		conn_free(c);
	return 0;
}

static int on_second(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct http_server *s = userdata;
	uint64_t now = now_us();

	for (struct conn *c = s->first, *next; c; c = next) {
		next = c->next;
		if (now >= c->deadline_us)
			conn_free(c);
	}
	sd_event_source_set_enabled(s->accept, SD_EVENT_ON);
	sd_event_source_set_time_relative(source, 1000000);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- start and end */

static struct addrinfo *resolve(const char *listen)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
	const char *colon = strrchr(listen, ':');
	struct addrinfo *ai = NULL;
	char host[64];
	size_t len = colon ? (size_t)(colon - listen) : sizeof(host);
	bool brackets = len >= 2 && listen[0] == '[' && listen[len - 1] == ']';

	if (len >= sizeof(host) || !colon[1])
		return NULL;
	snprintf(host, sizeof(host), "%.*s", (int)(brackets ? len - 2 : len), listen + brackets);
	return *host && getaddrinfo(host, colon + 1, &hints, &ai) == 0 ? ai : NULL;
}

static int open_listener(const char *listen_on, int *ret_fd, struct err *reterr)
{
	struct addrinfo *ai = resolve(listen_on);
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (!ai)
		return err_set(reterr, -EINVAL, "\"%s\" is not ADDRESS:PORT", listen_on);
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0 ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 64) < 0)
		r = err_set(reterr, -errno, "cannot listen on %s: %m", listen_on);
	freeaddrinfo(ai);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int http_server_new(sd_event *event, const char *listen, http_handler_t handler, void *userdata,
		    struct http_server **ret_s, struct err *reterr)
{
	_cleanup_(http_server_freep) struct http_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_oom(reterr);
	s->fd = -1;
	s->event = sd_event_ref(event);
	s->handler = handler;
	s->userdata = userdata;
	r = open_listener(listen, &s->fd, reterr);
	if (r < 0)
		return r;
	if (sd_event_add_io(event, &s->accept, s->fd, EPOLLIN, on_accept, s) < 0 ||
	    sd_event_add_time_relative(event, &s->second, CLOCK_MONOTONIC, 1000000, 0, on_second, s) < 0)
		return err_oom(reterr);
	*ret_s = TAKE_PTR(s);
	return 0;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	while (s->first)
		conn_free(s->first);
	sd_event_source_disable_unref(s->accept);
	sd_event_source_disable_unref(s->second);
	close_fd(s->fd);
	sd_event_unref(s->event);
	free(s);
}

unsigned http_server_port(const struct http_server *s)
{
	struct sockaddr_storage ss = {};
	socklen_t len = sizeof(ss);

	if (getsockname(s->fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	return ntohs(ss.ss_family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port
					     : ((struct sockaddr_in6 *)&ss)->sin6_port);
}
