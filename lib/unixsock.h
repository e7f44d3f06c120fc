/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer over a local SOCK_SEQPACKET socket. */
#ifndef WEIR_UNIXSOCK_H
#define WEIR_UNIXSOCK_H

#include "lib/err.h"

/*
 * Sends one packet and waits for one. Returns the length of the answer, NUL-terminated in buf. -ENOENT or
 * -ECONNREFUSED: nobody listens; -ETIMEDOUT; -ECONNRESET: the peer closed without an answer; -EMSGSIZE.
 */
ssize_t unix_request(const char *path, const void *msg, size_t len, char *buf, size_t size, unsigned timeout_ms,
		     struct err *reterr);

#endif
