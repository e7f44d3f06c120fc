// SPDX-License-Identifier: Apache-2.0
#include "agent/api/server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/addr.h"
#include "lib/clock.h"

/* A flow or an event of the agent. At every flow's cost: one branch in the store while the source is already on. */
static void on_store(void *userdata)
{
	api_server_wake(userdata);
}

void api_server_wake(struct api_server *s)
{
	sd_event_source_set_enabled(s->wake, SD_EVENT_ONESHOT);
}

void api_server_nodes_changed(struct api_server *s)
{
	s->node_changes++;
	api_server_wake(s);
}

static void in_a_second(struct api_server *s)
{
	sd_event_source_set_time_relative(s->second, 1000000);
	sd_event_source_set_enabled(s->second, SD_EVENT_ONESHOT);
}

static void set_listening(struct api_server *s, int enabled)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->listener); i++)
		if (s->listener[i].source)
			sd_event_source_set_enabled(s->listener[i].source, enabled);
}

static int on_wake(_unused_ sd_event_source *source, void *userdata)
{
	struct api_server *s = userdata;

	flow_store_arm(s->config.store, on_store, s);
	for (struct api_conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		api_conn_wake(c);
	}
	if (flow_store_gathering(s->config.store, clock_ns(CLOCK_REALTIME)))
		in_a_second(s);
	return 0;
}

static int on_second(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	set_listening(userdata, SD_EVENT_ON);
	api_server_wake(userdata);
	return 0;
}

static int on_accept(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata)
{
	struct api_server *s = userdata;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (conn < 0) {
		if (errno == EMFILE || errno == ENFILE) { /* it would be ready, and fail, again and again */
			set_listening(s, SD_EVENT_OFF);
			in_a_second(s);
		}
		return 0;
	}
	if (s->n_conns >= API_CONNS_MAX) {
		close_fd(conn);
		return 0;
	}
	setsockopt(conn, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)); /* of no effect on a Unix socket */
	api_conn_new(s, conn, fd == s->listener[1].fd ? s->tls : NULL);
	return 0;
}

/* Bound with nobody's access, opened for the group after: nobody connects in between. */
static int listen_unix(struct api_server *s, struct err *reterr)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (asprintf(&s->path, "%s/%s", s->config.run_dir, API_SOCK_NAME) < 0) {
		s->path = NULL;
		return err_oom(reterr);
	}
	if (strlen(s->path) >= sizeof(sun.sun_path))
		return err_set(reterr, -ENAMETOOLONG, "%s: too long for a socket's path", s->path);
	strcpy(sun.sun_path, s->path);
	unlink(s->path); /* the agent's lock is held: a socket that is there has nobody behind it */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    chmod(s->path, 0660) < 0 || listen(fd, 128) < 0)
		return err_set(reterr, -errno, "cannot listen on %s: %m", s->path);
	s->listener[0].fd = TAKE_FD(fd);
	return 0;
}

/* "127.0.0.1:4244", "[::1]:4244"; NULL for others. */
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

static bool is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return (ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24) == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)sa)->sin6_addr);
}

static int listen_tcp(struct api_server *s, struct err *reterr)
{
	_cleanup_close_ int fd = -1;
	struct addrinfo *ai = resolve(s->config.listen);
	int r = 0;

	if (!ai)
		return err_set(reterr, -EINVAL, "\"%s\" is not ADDRESS:PORT", s->config.listen);
	if (!s->config.tls.cert && !s->config.plaintext && !is_loopback(ai->ai_addr)) {
		freeaddrinfo(ai);
		return err_set(
		    reterr, -EPERM,
		    "%s: in plain text only on a loopback address; give tlsCert and tlsKey (or listenPlaintext)",
		    s->config.listen);
	}
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0 ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 128) < 0)
		r = err_set(reterr, -errno, "cannot listen on %s: %m", s->config.listen);
	freeaddrinfo(ai);
	if (r == 0)
		s->listener[1].fd = TAKE_FD(fd);
	return r;
}

static int add_sources(struct api_server *s)
{
	int r = sd_event_add_defer(s->event, &s->wake, on_wake, s);

	if (r >= 0)
		r = sd_event_add_time_relative(s->event, &s->second, CLOCK_MONOTONIC, 0, 0, on_second, s);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->second, SD_EVENT_OFF);
	for (size_t i = 0; i < ARRAY_SIZE(s->listener) && r >= 0; i++)
		if (s->listener[i].fd >= 0)
			r = sd_event_add_io(s->event, &s->listener[i].source, s->listener[i].fd, EPOLLIN, on_accept, s);
	return r;
}

int api_server_new(sd_event *event, const struct api_config *config, struct api_server **ret_server, struct err *reterr)
{
	_cleanup_(api_server_freep) struct api_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_oom(reterr);
	s->config = *config;
	s->event = sd_event_ref(event);
	s->listener[0].fd = s->listener[1].fd = -1;
	s->started_ns = clock_ns(CLOCK_MONOTONIC);
	s->msg = flow_msg_new();
	s->scratch = malloc(API_SCRATCH);
	if (!s->msg || !s->scratch)
		return err_oom(reterr);
	r = config->listen && (config->tls.cert || config->tls.key || config->tls.ca)
		? tls_server_new(&config->tls, &s->tls, reterr)
		: 0;
	if (r == 0)
		r = listen_unix(s, reterr);
	if (r == 0 && config->listen)
		r = listen_tcp(s, reterr);
	if (r < 0)
		return r;
	r = add_sources(s); /* the first wake arms the store */
	if (r < 0)
		return err_set(reterr, r, "cannot add to the event loop: %s", strerror(-r));
	config->events->wake = on_store;
	config->events->userdata = s;
	*ret_server = TAKE_PTR(s);
	return 0;
}

/* The last words to each client; who does not take them at once goes without. */
static void say_goodbye(struct api_conn *c)
{
	for (struct api_call *call = c->calls; call; call = call->next)
		api_call_error(call, GRPC_UNAVAILABLE, "the agent is stopping");
	/* Not nghttp2_session_terminate_session(): nothing would follow its GOAWAY, the statuses neither. */
	nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(c->session),
			      NGHTTP2_NO_ERROR, NULL, 0);
	api_conn_flush(c);
}

void api_server_free(struct api_server *s)
{
	if (!s)
		return;
	flow_store_arm(s->config.store, NULL, NULL);
	s->config.events->wake = NULL;
	for (struct api_conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		say_goodbye(c);
	}
	while (s->conns)
		api_conn_free(s->conns);
	for (size_t i = 0; i < ARRAY_SIZE(s->listener); i++) {
		sd_event_source_disable_unref(s->listener[i].source);
		if (i == 0 && s->listener[i].fd >= 0)
			unlink(s->path);
		close_fd(s->listener[i].fd);
	}
	sd_event_source_disable_unref(s->wake);
	sd_event_source_disable_unref(s->second);
	tls_context_free(s->tls);
	flow_msg_free(s->msg);
	free(s->scratch);
	free(s->path);
	sd_event_unref(s->event);
	free(s);
}
