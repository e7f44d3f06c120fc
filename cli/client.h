/* SPDX-License-Identifier: Apache-2.0 */
/* A gRPC client for one connection and one call at a time, which waits. */
#ifndef WEIR_CLIENT_H
#define WEIR_CLIENT_H

#include <protobuf-c/protobuf-c.h>

#include "lib/err.h"

#define CLIENT_SERVER_DEFAULT "unix:///run/weir/hubble.sock"
/* What --server says, else WEIR_SERVER, else the default. */
const char *client_server(const char *option);

struct client;
/* "unix:///path", "unix:path", "host:port". */
int client_connect(const char *server, struct client **ret_client, struct err *reterr);
void client_close(struct client *c);
DEFINE_CLEANUP(struct client *, client_close);

/*
 * Make one call and hand each message of the answer to on_message, which does not keep it; a negative value from there
 * ends the call and is returned. idle (may be NULL) is called when all that has arrived is handed on, negative
 * as above. timeout_sec 0: none. -EREMOTEIO: the server answered with an error, which reterr tells as gRPC's tools do.
 */
struct client_call {
	const char *path;
	const ProtobufCMessage *request;
	const ProtobufCMessageDescriptor *response;
	int (*on_message)(void *userdata, const ProtobufCMessage *msg);
	int (*idle)(void *userdata);
	void *userdata;
	unsigned timeout_sec;
};
int client_call(struct client *c, const struct client_call *call, struct err *reterr);

/* One message there, one back, which the caller frees with protobuf_c_message_free_unpacked. */
int client_ask(struct client *c, const char *path, const ProtobufCMessage *request,
	       const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret_msg, struct err *reterr);

#endif
