// SPDX-License-Identifier: Apache-2.0
/*
 * The service peer.Peer, by which Relay finds nodes: this one, and, when the API is served on TCP, the others that the
 * agent knows by their Node objects, where an agent listens on the same port. Each call remembers what it has told.
 */
#include <arpa/inet.h>

#include "agent/api/server.h"
#include "lib/addr.h"
#include "lib/proto/peer.pb-c.h"
#include "lib/vec.h"

struct peer {
	char *name, *address;
};

struct peers {
	VEC(struct peer) v; /* sorted by name */
	uint64_t seen;      /* + 1: the server's count of changes when they were listed */
};

static void peers_clear(struct peers *p)
{
	for (size_t i = 0; i < p->v.n; i++) {
		free(p->v.v[i].name);
		free(p->v.v[i].address);
	}
	free(p->v.v);
}

/* Takes address, which may be NULL for want of memory. */
static int peers_add(struct peers *p, const char *name, char *address)
{
	struct peer peer = { strdup(name), address };

	if (peer.name && peer.address && vec_add(&p->v, peer) == 0)
		return 0;
	free(peer.name);
	free(peer.address);
	return -ENOMEM;
}

/* Relay's name for a node's certificate. 0 or -ENOMEM. */
static int certificate_name(const char *node, char **ret)
{
	if (asprintf(ret, "%s.default.hubble-grpc.cilium.io", node) < 0)
		return -ENOMEM;
	for (char *p = *ret; p < *ret + strlen(node); p++)
		if (*p == '.')
			*p = '-';
	return 0;
}

static bool listens_anywhere(const char *listen)
{
	return str_prefix(listen, "0.0.0.0:") || str_prefix(listen, "[::]:");
}

/* Where others reach this API. Of "any address", the node's name is what they know. */
static char *own_address(const struct api_server *s)
{
	const char *listen = s->config.listen;
	char *address = NULL;
	int n;

	if (!listen)
		n = asprintf(&address, "unix://%s", s->path);
	else if (listens_anywhere(listen))
		n = asprintf(&address, "%s%s", s->config.node.name, strrchr(listen, ':'));
	else
		n = asprintf(&address, "%s", listen);
	return n < 0 ? NULL : address;
}

static char *address_of(const struct api_server *s, const struct weir_addr *addr)
{
	const char *port = strrchr(s->config.listen, ':');
	char text[ADDR_STRLEN], *address = NULL;

	addr_to_str(addr, text);
	return asprintf(&address, addr_is_v4(addr) ? "%s%s" : "[%s]%s", text, port) < 0 ? NULL : address;
}

/* Nodes in the order of their names, with this one among them. */
static int peers_list(const struct api_server *s, struct peers *ret)
{
	const char *self = s->config.node.name;
	bool remote = s->config.listen && s->config.backend.node;
	struct api_node node;
	bool told = false;
	int r = 0;

	for (size_t i = 0; remote && r == 0 && s->config.backend.node(s->config.backend.userdata, i, &node); i++) {
		int order = strcmp(node.name, self);

		if (order >= 0 && !told) {
			r = peers_add(ret, self, own_address(s));
			told = true;
		}
		if (order && r == 0 && !addr_is_zero(&node.addr))
			r = peers_add(ret, node.name, address_of(s, &node.addr));
	}
	return r < 0 || told ? r : peers_add(ret, self, own_address(s));
}

static int tell(struct api_call *call, Peer__ChangeNotificationType type, const struct peer *p)
{
	Peer__ChangeNotification msg = PEER__CHANGE_NOTIFICATION__INIT;
	Peer__TLS tls = PEER__TLS__INIT;
	_cleanup_free_ char *name = NULL;

	msg.name = p->name;
	msg.address = p->address;
	msg.type = type;
	if (call->conn->server->tls) {
		if (certificate_name(p->name, &name) < 0)
			return -ENOMEM;
		tls.server_name = name;
		msg.tls = &tls;
	}
	return api_call_send(call, &msg.base);
}

/* Both are sorted: what differs is news. */
static int tell_news(struct api_call *call, const struct peers *old, const struct peers *new)
{
	size_t i = 0, k = 0;
	int r = 0;

	while (r == 0 && (i < old->v.n || k < new->v.n)) {
		int order = i == old->v.n ? 1 : k == new->v.n ? -1 : strcmp(old->v.v[i].name, new->v.v[k].name);

		if (order < 0)
			r = tell(call, PEER__CHANGE_NOTIFICATION_TYPE__PEER_DELETED, &old->v.v[i]);
		else if (order > 0)
			r = tell(call, PEER__CHANGE_NOTIFICATION_TYPE__PEER_ADDED, &new->v.v[k]);
		else if (!streq(old->v.v[i].address, new->v.v[k].address))
			r = tell(call, PEER__CHANGE_NOTIFICATION_TYPE__PEER_UPDATED, &new->v.v[k]);
		i += order <= 0;
		k += order >= 0;
	}
	return r;
}

/* Asked when there is room: at the beginning, and after each change of nodes. */
static void notify_pull(struct api_call *call)
{
	const struct api_server *s = call->conn->server;
	struct peers *told = call->data, now = { .seen = s->node_changes + 1 };

	if (told->seen == now.seen)
		return;
	if (peers_list(s, &now) < 0 || tell_news(call, told, &now) < 0) {
		peers_clear(&now);
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	peers_clear(told);
	*told = now;
}

/* Stays open: changes follow, and the end of the agent is one. */
static void notify(struct api_call *call, _unused_ const ProtobufCMessage *request)
{
	call->data = calloc(1, sizeof(struct peers));
	if (!call->data)
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
}

static void notify_stop(struct api_call *call)
{
	if (!call->data)
		return;
	peers_clear(call->data);
	free(TAKE_PTR(call->data));
}

const struct api_method api_peer_methods[] = {
	{ .path = "/peer.Peer/Notify",
	  .request = &peer__notify_request__descriptor,
	  .start = notify,
	  .pull = notify_pull,
	  .stop = notify_stop },
	{ 0 },
};
