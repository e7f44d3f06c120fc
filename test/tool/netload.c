// SPDX-License-Identifier: Apache-2.0
/*
 * netload: the load of the path benchmark.
 *   netload serve PORT           echo on PORT; on PORT+1 one answer, then close; on PORT+2 swallow and tell how much
 *   netload rr ADDR PORT SEC     64 bytes there and back on one connection; prints the mean in us
 *   netload crr ADDR PORT SEC    connect, 64 bytes there and back, the server closes; prints the mean in us
 *   netload stream ADDR PORT SEC send as fast as it goes; prints Gbit/s that arrived
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum role { ECHO, ONCE, SINK };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_on(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4096) < 0)
		die("listen");
	return fd;
}

/* Reads what is there; false when the connection is done with. */
static int serve_conn(int fd, enum role role, uint64_t *sunk)
{
	static char buf[1 << 18];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (role == SINK) {
		if (n > 0)
			sunk[fd] += n;
		else
			(void)!write(fd, &sunk[fd], sizeof(*sunk));
		return n > 0;
	}
	return n > 0 && write(fd, buf, n) == n && role == ECHO;
}

static _Noreturn void serve(int port)
{
	static uint64_t sunk[65536];
	struct epoll_event ev[64], e = { .events = EPOLLIN };
	int ep = epoll_create1(0), one = 1;

	alarm(3600);
	for (int role = ECHO; role <= SINK; role++) {
		int fd = listen_on(port + role);

		e.data.u64 = (uint32_t)fd | (uint64_t)role << 32 | 1ull << 40;
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	}
	for (;;) {
		int n = epoll_wait(ep, ev, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)ev[i].data.u64;
			enum role role = ev[i].data.u64 >> 32 & 0xff;

			if (ev[i].data.u64 >> 40) {
				int c = accept4(fd, NULL, NULL, 0);

				if (c < 0)
					continue;
				setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
				sunk[c] = 0;
				e.data.u64 = (uint32_t)c | (uint64_t)role << 32;
				epoll_ctl(ep, EPOLL_CTL_ADD, c, &e);
			} else if (!serve_conn(fd, role, sunk)) {
				close(fd);
			}
		}
	}
}

static int dial(const char *addr, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, addr, &a.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void exchange(int fd)
{
	char buf[64] = {};

	if (write(fd, buf, sizeof(buf)) != sizeof(buf))
		die("write");
	for (size_t got = 0; got < sizeof(buf);) {
		ssize_t r = read(fd, buf, sizeof(buf) - got);

		if (r <= 0)
			die("read");
		got += r;
	}
}

static double ping_pong(const char *addr, int port, double sec, int anew)
{
	uint64_t start = now_ns(), end = start + (uint64_t)(sec * 1e9), n = 0;
	int fd = anew ? -1 : dial(addr, port);
	char byte;

	for (; now_ns() < end; n++) {
		if (anew)
			fd = dial(addr, port + ONCE);
		exchange(fd);
		if (anew) {
			if (read(fd, &byte, 1) != 0)
				die("close");
			close(fd);
		}
	}
	return (now_ns() - start) / 1e3 / n;
}

static double stream(const char *addr, int port, double sec)
{
	static char buf[1 << 17];
	int fd = dial(addr, port + SINK);
	uint64_t start = now_ns(), end = start + (uint64_t)(sec * 1e9), arrived = 0;

	while (now_ns() < end)
		if (write(fd, buf, sizeof(buf)) < 0)
			die("write");
	shutdown(fd, SHUT_WR);
	if (read(fd, &arrived, sizeof(arrived)) != sizeof(arrived))
		die("read");
	return arrived * 8.0 / (now_ns() - start);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(atoi(argv[2]));
	if (argc != 5) {
		fprintf(stderr, "usage: see the head of netload.c\n");
		return 2;
	}
	alarm((unsigned)atof(argv[4]) + 20);
	if (!strcmp(argv[1], "rr") || !strcmp(argv[1], "crr"))
		printf("%.3f\n", ping_pong(argv[2], atoi(argv[3]), atof(argv[4]), argv[1][0] == 'c'));
	else if (!strcmp(argv[1], "stream"))
		printf("%.3f\n", stream(argv[2], atoi(argv[3]), atof(argv[4])));
	else
		return 2;
	return 0;
}
