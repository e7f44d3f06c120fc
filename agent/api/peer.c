// SPDX-License-Identifier: Apache-2.0
/* The service peer.Peer, by which Relay finds nodes. Each agent knows of one: itself. */
#include "agent/api/server.h"
#include "lib/proto/peer.pb-c.h"

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

/* Where others reach the API. Of "any address", the node's name is what they know. */
static int address(const struct api_server *s, char **ret)
{
	const char *listen = s->config.listen;
	int n;

	if (!listen)
		n = asprintf(ret, "unix://%s", s->path);
	else if (str_prefix(listen, "0.0.0.0:") || str_prefix(listen, "[::]:"))
		n = asprintf(ret, "%s%s", s->config.node.name, strrchr(listen, ':'));
	else
		n = asprintf(ret, "%s", listen);
	return n < 0 ? -ENOMEM : 0;
}

/* Stays open: a change would follow, and the end of the agent is one. */
static void notify(struct api_call *call, _unused_ const ProtobufCMessage *request)
{
	const struct api_server *s = call->conn->server;
	Peer__ChangeNotification msg = PEER__CHANGE_NOTIFICATION__INIT;
	Peer__TLS tls = PEER__TLS__INIT;
	_cleanup_free_ char *where = NULL, *name = NULL;

	if (address(s, &where) < 0 || certificate_name(s->config.node.name, &name) < 0) {
		api_call_error(call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	msg.name = (char *)s->config.node.name;
	msg.address = where;
	msg.type = PEER__CHANGE_NOTIFICATION_TYPE__PEER_ADDED;
	if (s->tls) {
		tls.server_name = name;
		msg.tls = &tls;
	}
	api_call_send(call, &msg.base);
}

const struct api_method api_peer_methods[] = {
	{ .path = "/peer.Peer/Notify", .request = &peer__notify_request__descriptor, .start = notify },
	{ 0 },
};
