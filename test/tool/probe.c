// SPDX-License-Identifier: Apache-2.0
/*
 * probe: the traffic of the end-to-end tests.
 *   probe serve PORT...                    TCP and UDP echo on every address, until killed; prints "ready"
 *   probe tcp|udp ADDR PORT [MS]           one round trip within MS (500): exit 0, or 1 when nothing came back
 *   probe hold ADDR PORT SECONDS [N]       N TCP connections (1), a round trip on each every 10 ms: exit 1 when one
 * breaks probe holdudp ADDR PORT SECONDS        UDP round trips every 10 ms from one socket: exit 1 when more than 1 %
 * fail probe never ADDR PORT SECONDS          a new TCP connection every 10 ms: exit 1 when any succeeds probe burst
 * ADDR PORT N [RATE]         N UDP datagrams, each from a port of its own, RATE a second or as fast as they go Exit 2:
 * wrong use. What broke is told on stderr.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct target {
	struct sockaddr_storage ss;
	socklen_t len;
};

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct target resolve(const char *addr, const char *port)
{
	struct target t = {};
	struct sockaddr_in *v4 = (struct sockaddr_in *)&t.ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&t.ss;

	if (inet_pton(AF_INET, addr, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		t.len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, addr, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(atoi(port));
		t.len = sizeof(*v6);
	} else {
		fprintf(stderr, "probe: not an address: %s\n", addr);
		exit(2);
	}
	return t;
}

static int listener(int type, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int one = 1, fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, 1024) < 0)) {
		fprintf(stderr, "probe: port %d: %s\n", port, strerror(errno));
		exit(1);
	}
	return fd;
}

static void echo_udp(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	char buf[65536];
	ssize_t n;

	while ((n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&peer, &len)) >= 0)
		sendto(fd, buf, n, 0, (struct sockaddr *)&peer, len);
}

static void echo_tcp(int fd)
{
	char buf[65536];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n <= 0 ? errno != EAGAIN || n == 0 : write(fd, buf, n) != n)
		close(fd);
}

/* What an fd is, in epoll's data: the fd and one of these. */
enum { LISTENER = 1, DATAGRAMS, CONNECTION };

static void watch(int ep, int fd, int what)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = (unsigned)fd | (unsigned long long)what << 32 };

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static _Noreturn void serve(int argc, char **argv)
{
	int ep = epoll_create1(0);
	struct epoll_event ev[64];

	alarm(3600);
	for (int i = 0; i < argc; i++) {
		watch(ep, listener(SOCK_STREAM, atoi(argv[i])), LISTENER);
		watch(ep, listener(SOCK_DGRAM, atoi(argv[i])), DATAGRAMS);
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(ep, ev, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = (int)(unsigned)ev[i].data.u64, what = ev[i].data.u64 >> 32, c;

			if (what == DATAGRAMS)
				echo_udp(fd);
			else if (what == CONNECTION)
				echo_tcp(fd);
			else if ((c = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0)
				watch(ep, c, CONNECTION);
		}
	}
}

static int wait_for(int fd, short events, long ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, ms > 0 ? ms : 0) == 1 ? 0 : -ETIMEDOUT;
}

static int open_to(const struct target *t, int type, long ms)
{
	int one = 1, e = 0, fd = socket(t->ss.ss_family, type | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(e);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&t->ss, t->len) < 0) {
		e = errno;
		if (e == EINPROGRESS)
			e = wait_for(fd, POLLOUT, ms) < 0                        ? ETIMEDOUT
			    : getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0 ? errno
										 : e;
	}
	if (e) {
		close(fd);
		return -e;
	}
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int round_trip(int fd, long ms)
{
	char out[32] = "0123456789abcdef0123456789abcde", in[32];
	size_t got = 0;
	long end = now_ms() + ms;

	if (write(fd, out, sizeof(out)) != sizeof(out))
		return -errno;
	while (got < sizeof(in)) {
		ssize_t n;

		if (wait_for(fd, POLLIN, end - now_ms()) < 0)
			return -ETIMEDOUT;
		n = read(fd, in + got, sizeof(in) - got);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		got += n > 0 ? n : 0;
	}
	return memcmp(in, out, sizeof(in)) ? -EBADMSG : 0;
}

static int once(const struct target *t, int type, long ms)
{
	int fd = open_to(t, type, ms), r = fd < 0 ? fd : round_trip(fd, ms);

	if (fd >= 0)
		close(fd);
	return r;
}

static int hold(const struct target *t, double seconds, int n)
{
	int *fds = calloc(n, sizeof(*fds)), r;
	long end = now_ms() + (long)(seconds * 1000), trips = 0;

	for (int i = 0; i < n; i++) {
		fds[i] = open_to(t, SOCK_STREAM, 2000);
		if (fds[i] < 0) {
			fprintf(stderr, "probe: connection %d: %s\n", i, strerror(-fds[i]));
			return 1;
		}
	}
	for (; now_ms() < end; usleep(10000))
		for (int i = 0; i < n; i++, trips++) {
			r = round_trip(fds[i], 5000);
			if (r < 0) {
				fprintf(stderr, "probe: connection %d broke after %ld round trips: %s\n", i, trips,
					strerror(-r));
				return 1;
			}
		}
	printf("%ld\n", trips);
	return 0;
}

static int hold_udp(const struct target *t, double seconds)
{
	int fd = open_to(t, SOCK_DGRAM, 0);
	long end = now_ms() + (long)(seconds * 1000), trips = 0, failed = 0;

	for (; now_ms() < end; usleep(10000), trips++)
		if (round_trip(fd, 200) < 0)
			failed++;
	printf("%ld %ld\n", trips, failed);
	return failed * 100 > trips;
}

static int never(const struct target *t, double seconds)
{
	long end = now_ms() + (long)(seconds * 1000), tries = 0;

	for (; now_ms() < end; tries++) {
		int fd = open_to(t, SOCK_STREAM, 10);

		if (fd >= 0) {
			fprintf(stderr, "probe: got through at try %ld\n", tries);
			return 1;
		}
		if (fd != -ETIMEDOUT)
			usleep(10000);
	}
	printf("%ld\n", tries);
	return 0;
}

static double now_sec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int burst(struct target *t, int n, double rate)
{
	int fd = socket(t->ss.ss_family, SOCK_RAW, IPPROTO_UDP);
	struct {
		unsigned short sport, dport, len, sum;
		char data[8];
	} p = { .dport = ((struct sockaddr_in *)&t->ss)->sin_port, .len = htons(16) };
	double begin = now_sec();
	int sent = 0;

	((struct sockaddr_in *)&t->ss)->sin_port = 0;
	for (int i = 0; i < n; i++) {
		while (rate > 0 && now_sec() < begin + i / rate)
			;
		p.sport = htons(1024 + i % 60000);
		sent += sendto(fd, &p, sizeof(p), 0, (struct sockaddr *)&t->ss, t->len) == sizeof(p);
	}
	printf("%d\n", sent);
	return sent == n ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct target t;
	const char *what = argc > 1 ? argv[1] : "";
	int r;

	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "serve") && argc > 2)
		serve(argc - 2, argv + 2);
	if (argc < 4) {
		fprintf(stderr, "usage: see the head of probe.c\n");
		return 2;
	}
	t = resolve(argv[2], argv[3]);
	if (!strcmp(what, "hold") && argc > 4)
		return hold(&t, atof(argv[4]), argc > 5 ? atoi(argv[5]) : 1);
	if (!strcmp(what, "holdudp") && argc > 4)
		return hold_udp(&t, atof(argv[4]));
	if (!strcmp(what, "never") && argc > 4)
		return never(&t, atof(argv[4]));
	if (!strcmp(what, "burst") && argc > 4)
		return burst(&t, atoi(argv[4]), argc > 5 ? atof(argv[5]) : 0);
	if (strcmp(what, "tcp") && strcmp(what, "udp"))
		return 2;
	r = once(&t, *what == 't' ? SOCK_STREAM : SOCK_DGRAM, argc > 4 ? atol(argv[4]) : 500);
	return r < 0 ? 1 : 0;
}
