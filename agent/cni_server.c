// SPDX-License-Identifier: Apache-2.0
#include "agent/cni_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/log.h"

#define CLIENTS_MAX 512 /* at once; more wait in the listen queue */
#define CODE_FAILED 100 /* weir-cni's own CNI error code for what the agent could not do */

struct client {
	struct cni_server *server;
	struct client *prev, *next;
	sd_event_source *source;
	int fd;
	char *waits_for; /* key of the attachment whose pass has not run yet */
};

struct cni_server {
	sd_event *event;
	sd_event_source *source;
	int fd;
	char *path;
	struct cni_handler handler;
	struct client *clients;
	size_t n_clients;
};

static void client_free(struct client *c)
{
	struct cni_server *s = c->server;

	if (c->prev)
		c->prev->next = c->next;
	else
		s->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (s->n_clients-- == CLIENTS_MAX)
		sd_event_source_set_enabled(s->source, SD_EVENT_ON);
	sd_event_source_disable_unref(c->source);
	close_fd(c->fd);
	free(c->waits_for);
	free(c);
}

/* Never waits for the peer: an answer is one packet, and a peer that does not read it has lost it. */
static void answer(struct client *c, json_t *msg)
{
	char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;

	if (!text || send(c->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("cni: could not answer: %m");
	free(text);
	json_decref(msg);
}

static void answer_error(struct client *c, int code, const char *text)
{
	answer(c, json_pack("{s:b,s:i,s:s}", "ok", 0, "code", code, "error", text));
}

static void answer_state(struct client *c, const char *key)
{
	const char *state = c->server->handler.state(c->server->handler.userdata, key);

	if (state)
		answer(c, json_pack("{s:b,s:s}", "ok", 1, "state", state));
	else
		answer_error(c, CODE_FAILED, "the agent does not know this attachment");
}

static void on_add(struct client *c, json_t *msg)
{
	const struct cni_handler *h = &c->server->handler;
	struct attachment *a = NULL;
	struct err e = {};
	char *key;
	int code = CODE_FAILED, r;

	r = attachment_from_json(json_object_get(msg, "attachment"), &a, &e);
	if (r < 0) {
		answer_error(c, CODE_FAILED, e.msg);
		return;
	}
	key = attachment_key(a->container_id, a->ifname);
	r = key ? h->add(h->userdata, &a, &code, &e) : err_oom(&e);
	attachment_free(a);
	if (r < 0) {
		answer_error(c, code, e.msg);
		free(key);
	} else if (r == 0) {
		answer_state(c, key);
		free(key);
	} else {
		free(c->waits_for);
		c->waits_for = key;
	}
}

static void on_message(struct client *c, json_t *msg)
{
	const struct cni_handler *h = &c->server->handler;
	const char *op = json_string_value(json_object_get(msg, "op"));
	const char *key = json_string_value(json_object_get(msg, "key"));

	if (op && streq(op, "add")) {
		on_add(c, msg);
	} else if (op && key && streq(op, "del")) {
		h->del(h->userdata, key);
		answer(c, json_pack("{s:b}", "ok", 1));
	} else if (op && key && streq(op, "check")) {
		answer_state(c, key);
	} else if (op && streq(op, "status")) {
		const char *why = h->not_ready(h->userdata);

		answer(c, json_pack("{s:b,s:b,s:s}", "ok", 1, "ready", !why, "reason", why ?: ""));
	} else {
		answer_error(c, CODE_FAILED, "unknown request");
	}
}

static int on_client(_unused_ sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	static char buf[CNI_SOCK_MAX];
	struct client *c = userdata;
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
	json_error_t je;
	json_t *msg;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 || (revents & EPOLLERR)) {
		client_free(c);
		return 0;
	}
	if ((size_t)n > sizeof(buf)) {
		answer_error(c, CODE_FAILED, "message too long");
		return 0;
	}
	msg = json_loadb(buf, n, 0, &je);
	if (json_is_object(msg))
		on_message(c, msg);
	else
		answer_error(c, CODE_FAILED, "not a JSON object");
	json_decref(msg);
	return 0;
}

/* Only root may tell the agent what is on the network; the socket's mode says so too. */
static bool is_root(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.uid == 0;
}

static int on_accept(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata)
{
	struct cni_server *s = userdata;
	struct client *c;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (conn < 0)
		return 0;
	c = is_root(conn) ? calloc(1, sizeof(*c)) : NULL;
	if (!c || sd_event_add_io(s->event, &c->source, conn, EPOLLIN, on_client, c) < 0) {
		free(c);
		close_fd(conn);
		return 0;
	}
	sd_event_source_set_priority(c->source, SD_EVENT_PRIORITY_IMPORTANT);
	c->server = s;
	c->fd = conn;
	c->next = s->clients;
	if (c->next)
		c->next->prev = c;
	s->clients = c;
	if (++s->n_clients == CLIENTS_MAX)
		sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
	return 0;
}

int cni_server_new(sd_event *event, const char *run_dir, const struct cni_handler *handler, struct cni_server **ret_s,
		   struct err *reterr)
{
	_cleanup_(cni_server_freep) struct cni_server *s = calloc(1, sizeof(*s));
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (!s)
		return err_oom(reterr);
	s->event = sd_event_ref(event);
	s->handler = *handler;
	s->fd = -1;
	if (asprintf(&s->path, "%s/" CNI_SOCK_NAME, run_dir) < 0) {
		s->path = NULL;
		return err_oom(reterr);
	}
	if (strlen(s->path) >= sizeof(sun.sun_path))
		return err_set(reterr, -ENAMETOOLONG, "%s is too long for a socket", s->path);
	strcpy(sun.sun_path, s->path);
	unlink(s->path); /* the agent's lock is held: a socket that is there has nobody behind it */
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 || fchmod(s->fd, 0600) < 0 || bind(s->fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    chmod(s->path, 0600) < 0 || listen(s->fd, 512) < 0)
		return err_set(reterr, -errno, "cannot listen on %s: %m", s->path);
	if (sd_event_add_io(event, &s->source, s->fd, EPOLLIN, on_accept, s) < 0)
		return err_oom(reterr);
	sd_event_source_set_priority(s->source, SD_EVENT_PRIORITY_IMPORTANT);
	*ret_s = TAKE_PTR(s);
	return 0;
}

void cni_server_free(struct cni_server *s)
{
	while (s->clients)
		client_free(s->clients);
	sd_event_source_disable_unref(s->source);
	close_fd(s->fd);
	if (s->fd >= 0)
		unlink(s->path);
	free(s->path);
	sd_event_unref(s->event);
	free(s);
}

void cni_server_settle(struct cni_server *s, const char *failed)
{
	for (struct client *c = s->clients; c; c = c->next) {
		if (!c->waits_for)
			continue;
		if (failed)
			answer_error(c, CODE_FAILED, failed);
		else
			answer_state(c, c->waits_for);
		free(c->waits_for);
		c->waits_for = NULL;
	}
}
