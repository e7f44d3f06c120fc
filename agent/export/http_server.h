/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP/1.1 server for what agents ask of each other: GET and HEAD of short paths, in plain text, on the main
 * loop. A connection has one request at a time; who is slow, says too much or holds on for too long is cut off, and of
 * too many connections the one that has waited longest goes.
 */
#ifndef WEIR_EXPORT_HTTP_SERVER_H
#define WEIR_EXPORT_HTTP_SERVER_H

#include <systemd/sd-event.h>

#include "lib/err.h"

#define HTTP_REQUEST_MAX 8192 /* bytes, head and body */
#define HTTP_CONNECTIONS_MAX 32
#define HTTP_REQUEST_SEC 10 /* from the first byte to the last */
#define HTTP_REPLY_SEC 30
#define HTTP_IDLE_SEC 120

struct http_reply {
	unsigned status;
	const char *type; /* Content-Type; static */
	char *body;       /* freed by the server */
	size_t len;
};

/* Fills *ret; a status of 0 stands for 404. accept may be "". */
typedef void (*http_handler_t)(void *userdata, const char *path, const char *accept, struct http_reply *ret);

struct http_server;
/* listen: "127.0.0.1:9965", "[::]:9965". -EINVAL: it is not ADDRESS:PORT. */
int http_server_new(sd_event *event, const char *listen, http_handler_t handler, void *userdata,
		    struct http_server **ret_s, struct err *reterr);
void http_server_free(struct http_server *s);
DEFINE_CLEANUP(struct http_server *, http_server_free);
unsigned http_server_port(const struct http_server *s); /* which one port 0 has become */

#endif
