// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/reader.h"

#include <bpf/libbpf.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#define QUEUE_LEN 8192u /* a power of two; 768 KiB */
#define BUSY_MS 20	/* the datapath does not wake the reader for single events: it looks, often while there are some */
#define IDLE_MS 100

struct flow_reader {
	struct ring_buffer *ring;
	pthread_t thread;
	int wake_main, wake_reader; /* eventfds */
	atomic_bool stop;
	atomic_bool waiting; /* the reader has stopped because the queue was full */
	_Atomic uint64_t head, tail; /* written by the reader, by the main loop */
	_Atomic uint64_t seen;
	struct weir_event queue[QUEUE_LEN];
};

static void kick(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one)); /* EAGAIN: it is awake already */
}

static void clear(int fd)
{
	uint64_t v;

	(void)!read(fd, &v, sizeof(v));
}

static int on_event(void *userdata, void *data, size_t len)
{
	struct flow_reader *r = userdata;
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (len < sizeof(struct weir_event))
		return 0;
	memcpy(&r->queue[head & (QUEUE_LEN - 1)], data, sizeof(struct weir_event));
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
	atomic_fetch_add_explicit(&r->seen, 1, memory_order_relaxed);
	/* libbpf hands out the record before it asks, so one place is kept free for the next */
	return head + 2 - atomic_load_explicit(&r->tail, memory_order_acquire) >= QUEUE_LEN ? -ENOBUFS : 0;
}

static bool queue_full(struct flow_reader *r)
{
	return atomic_load(&r->head) + 1 - atomic_load(&r->tail) >= QUEUE_LEN;
}

static void *reader_main(void *userdata)
{
	struct flow_reader *r = userdata;
	int timeout = IDLE_MS;

	while (!atomic_load(&r->stop)) {
		struct pollfd fds[2] = { { .fd = ring_buffer__epoll_fd(r->ring), .events = POLLIN },
					 { .fd = r->wake_reader, .events = POLLIN } };
		uint64_t before = atomic_load(&r->head);

		atomic_store(&r->waiting, false);
		if (!queue_full(r))
			ring_buffer__consume(r->ring);
		if (atomic_load(&r->head) != before) {
			kick(r->wake_main);
			timeout = BUSY_MS;
		} else {
			timeout = IDLE_MS;
		}
		if (queue_full(r)) {
			atomic_store(&r->waiting, true);
			fds[0].fd = -1; /* only the main loop can help now */
		}
		poll(fds, 2, timeout);
		if (fds[1].revents & POLLIN)
			clear(r->wake_reader);
	}
	return NULL;
}

int flow_reader_start(int ring_fd, struct flow_reader **ret_r, struct err *reterr)
{
	struct flow_reader *r = calloc(1, sizeof(*r));
	sigset_t all, old;
	int e;

	if (!r)
		return err_oom(reterr);
	r->wake_main = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->wake_reader = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->ring = ring_buffer__new(ring_fd, on_event, r, NULL);
	sigfillset(&all); /* signals belong to the main loop */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = !r->ring || r->wake_main < 0 || r->wake_reader < 0 ? errno : pthread_create(&r->thread, NULL, reader_main, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e) {
		ring_buffer__free(r->ring);
		close_fd(r->wake_main);
		close_fd(r->wake_reader);
		free(r);
		return err_set(reterr, -e, "cannot read the event ring: %m");
	}
	*ret_r = r;
	return 0;
}

void flow_reader_stop(struct flow_reader *r)
{
	atomic_store(&r->stop, true);
	kick(r->wake_reader);
	pthread_join(r->thread, NULL);
	ring_buffer__free(r->ring);
	close_fd(r->wake_main);
	close_fd(r->wake_reader);
	free(r);
}

int flow_reader_fd(const struct flow_reader *r)
{
	return r->wake_main;
}

size_t flow_reader_take(struct flow_reader *r, struct weir_event *events, size_t max)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint64_t head;
	size_t n = 0;

	clear(r->wake_main);
	head = atomic_load_explicit(&r->head, memory_order_acquire);
	for (; n < max && tail != head; n++, tail++)
		events[n] = r->queue[tail & (QUEUE_LEN - 1)];
	atomic_store_explicit(&r->tail, tail, memory_order_release);
	if (tail != head)
		kick(r->wake_main); /* the rest in the loop's next turn */
	if (atomic_load(&r->waiting))
		kick(r->wake_reader);
	return n;
}

uint64_t flow_reader_seen(const struct flow_reader *r)
{
	return atomic_load(&r->seen);
}
