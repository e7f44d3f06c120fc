/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.3 for gRPC over sockets that do not block, by OpenSSL. Both ends insist on ALPN "h2", as gRPC's own libraries
 * do.
 */
#ifndef WEIR_LIB_TLS_H
#define WEIR_LIB_TLS_H

#include <sys/types.h>

#include "lib/err.h"

struct tls_files {
	const char *cert, *key; /* PEM: chain and key. Of a client NULL: it has none */
	const char *ca; /* PEM: who may have signed the other end's certificate. Server, NULL: clients need none;
			   client, NULL: the system's */
};

struct tls_context;
/* A server's context notices when the files change and reads them again; files that are wrong then leave the old ones
 * in use. */
int tls_server_new(const struct tls_files *files, struct tls_context **ret_ctx, struct err *reterr);
/* insecure: whatever certificate the server has will do. */
int tls_client_new(const struct tls_files *files, bool insecure, struct tls_context **ret_ctx, struct err *reterr);
void tls_context_free(struct tls_context *c); /* sessions may live on */
DEFINE_CLEANUP(struct tls_context *, tls_context_free);

struct tls;
/* The descriptor stays the caller's. -ENOMEM. */
int tls_accept(struct tls_context *c, int fd, struct tls **ret_tls);
/* server_name: whom the certificate must name; a name or an address. */
int tls_connect(struct tls_context *c, int fd, const char *server_name, struct tls **ret_tls);
void tls_free(struct tls *t);
DEFINE_CLEANUP(struct tls *, tls_free);

/* 1: done, 0: call again when tls_events() are there, negative: refused, by us or by the other end, as reterr tells. */
int tls_handshake(struct tls *t, struct err *reterr);
uint32_t tls_events(const struct tls *t); /* EPOLLIN or EPOLLOUT: what the last call waits for */
/* As recv and send: bytes; 0 at the end of the stream; -EAGAIN; -ECONNRESET for everything else. */
ssize_t tls_recv(struct tls *t, void *buf, size_t len);
ssize_t tls_send(struct tls *t, const void *buf, size_t len);

#endif
