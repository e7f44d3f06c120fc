/* SPDX-License-Identifier: Apache-2.0 */
/* A gRPC client for one connection and one call at a time, which waits. */
#ifndef WEIR_CLIENT_H
#define WEIR_CLIENT_H

#include <protobuf-c/protobuf-c.h>

#include "cli/config.h"

#define CLIENT_SERVER_DEFAULT "unix:///run/weir/hubble.sock"
/* Where the server is and how to talk to it: one struct that every command with CLIENT_OPTIONS has in its arguments. */
struct client_address {
	const char *server; /* NULL: the default */
	bool tls, tls_insecure;
	const char *tls_ca, *tls_cert, *tls_key, *tls_name;
	uint64_t timeout_ns, request_timeout_ns; /* 0: the default */
};
const char *client_server(const struct client_address *a);

#define CLIENT_OPTION(type, option, arg, help, set, field)               \
	{                                                                \
		option, 0, arg, help, set, offsetof(type, address.field) \
	}
/* Rows for a table of struct cli_option; hubble's spelling. config.c says which may come from elsewhere than flags. */
#define CLIENT_OPTIONS(type)                                                                                           \
	CLIENT_OPTION(type, "server", "ADDRESS", "unix:///PATH, HOST:PORT, tls://HOST:PORT", cli_set_str, server),     \
	    CLIENT_OPTION(type, "tls", NULL, "talk TLS", cli_set_bool, tls),                                           \
	    CLIENT_OPTION(type, "tls-allow-insecure", NULL, "take any certificate", cli_set_bool, tls_insecure),       \
	    CLIENT_OPTION(type, "tls-ca-cert-files", "FILE", "who may have signed the server's", cli_set_str, tls_ca), \
	    CLIENT_OPTION(type, "tls-client-cert-file", "FILE", "our certificate", cli_set_str, tls_cert),             \
	    CLIENT_OPTION(type, "tls-client-key-file", "FILE", "its key", cli_set_str, tls_key),                       \
	    CLIENT_OPTION(type, "tls-server-name", "NAME", "whom the server's certificate must name", cli_set_str,     \
			  tls_name),                                                                                   \
	    CLIENT_OPTION(type, "timeout", "DURATION", "to connect (5s)", cli_set_duration, timeout_ns),               \
	    CLIENT_OPTION(type, "request-timeout", "DURATION", "for an answer that is one message (12s)",              \
			  cli_set_duration, request_timeout_ns),                                                       \
	    { "config", 0, "FILE", "instead of ~/.config/weir/config.yaml", config_set_file, 0 },                      \
	{                                                                                                              \
		"debug", 'D', NULL, "say on stderr what is done", cli_set_debug, 0                                     \
	}

struct client;
/* "unix:///path", "unix:path", "host:port", "tls://host:port". */
int client_connect(const struct client_address *a, struct client **ret_client, struct err *reterr);
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
	/* Both may be NULL: tick is called each tick_ms and after a signal, input when fd has something to read. */
	int (*tick)(void *userdata);
	unsigned tick_ms;
	int (*input)(void *userdata);
	int fd;
	void *userdata;
	unsigned timeout_sec;
};
int client_call(struct client *c, const struct client_call *call, struct err *reterr);

/* One message there, one back, which the caller frees with protobuf_c_message_free_unpacked. */
int client_ask(struct client *c, const char *path, const ProtobufCMessage *request,
	       const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret_msg, struct err *reterr);

#endif
