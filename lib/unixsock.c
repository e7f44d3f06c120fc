// SPDX-License-Identifier: Apache-2.0
#include "lib/unixsock.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static int connect_to(const char *path, unsigned timeout_ms)
{
	struct timeval tv = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return TAKE_FD(fd);
}

ssize_t unix_request(const char *path, const void *msg, size_t len, char *buf, size_t size, unsigned timeout_ms,
		     struct err *reterr)
{
	_cleanup_close_ int fd = connect_to(path, timeout_ms);
	ssize_t n = fd;

	if (fd >= 0) {
		n = send(fd, msg, len, MSG_NOSIGNAL);
		if (n >= 0)
			n = recv(fd, buf, size - 1, MSG_TRUNC);
		if (n < 0)
			n = errno == EAGAIN ? -ETIMEDOUT : -errno;
		else if (n == 0)
			n = -ECONNRESET;
		else if ((size_t)n >= size)
			n = -EMSGSIZE;
	}
	if (n < 0)
		return err_set(reterr, n, "%s: %m", path);
	buf[n] = 0;
	return n;
}
