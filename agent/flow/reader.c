// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/reader.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define QUEUE_LEN 8192u /* a power of two; 768 KiB */
#define BUSY_MS 20	/* the datapath does not wake the reader for single events: it looks, often while there are some */
#define IDLE_MS 100

/*
 * The kernel's ring, mapped once (libbpf maps the data twice so that records never wrap, and every page counts as memory of
 * the agent; here each record is copied anyway). A record: 8 bytes of header, the first four of them length and flags; all
 * padded to 8 bytes.
 */
struct ring {
	int fd;
	size_t size, page;
	volatile uint64_t *consumer; /* a page that we may write */
	const uint8_t *shared;	     /* a page with the producer's position, then the data */
};

struct flow_reader {
	struct ring ring;
	pthread_t thread;
	int wake_main, wake_reader; /* eventfds */
	atomic_bool stop;
	atomic_bool waiting; /* the reader has stopped because the queue was full */
	_Atomic uint64_t head, tail; /* written by the reader, by the main loop */
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

static bool queue_full(struct flow_reader *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed) -
		       atomic_load_explicit(&r->tail, memory_order_acquire) >= QUEUE_LEN;
}

static int ring_map(struct ring *ring, int fd, struct err *reterr)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	void *p;

	ring->fd = fd;
	ring->page = sysconf(_SC_PAGESIZE);
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return err_set(reterr, -errno, "cannot inspect the event ring: %m");
	ring->size = info.max_entries;
	p = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_set(reterr, -errno, "cannot map the event ring: %m");
	ring->consumer = p;
	p = mmap(NULL, ring->page + ring->size, PROT_READ, MAP_SHARED, fd, ring->page);
	if (p == MAP_FAILED)
		return err_set(reterr, -errno, "cannot map the event ring: %m");
	ring->shared = p;
	return 0;
}

static void ring_unmap(struct ring *ring)
{
	if (ring->consumer)
		munmap((void *)ring->consumer, ring->page);
	if (ring->shared)
		munmap((void *)ring->shared, ring->page + ring->size);
}

static void ring_copy(const struct ring *ring, uint64_t pos, void *to, size_t len)
{
	size_t at = pos & (ring->size - 1), first = MIN(len, ring->size - at);
	const uint8_t *data = ring->shared + ring->page;

	memcpy(to, data + at, first);
	memcpy((uint8_t *)to + first, data, len - first);
}

/* One record into the queue. False: none is ready. */
static bool take_record(struct flow_reader *r)
{
	struct ring *ring = &r->ring;
	const uint8_t *data = ring->shared + ring->page;
	uint64_t pos = *ring->consumer, head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint32_t word, len;

	if (pos >= __atomic_load_n((const uint64_t *)ring->shared, __ATOMIC_ACQUIRE))
		return false;
	word = __atomic_load_n((const uint32_t *)(data + (pos & (ring->size - 1))), __ATOMIC_ACQUIRE);
	if (word & BPF_RINGBUF_BUSY_BIT)
		return false;
	len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
	if (!(word & BPF_RINGBUF_DISCARD_BIT) && len >= sizeof(struct weir_event)) {
		ring_copy(ring, pos + BPF_RINGBUF_HDR_SZ, &r->queue[head & (QUEUE_LEN - 1)], sizeof(struct weir_event));
		atomic_store_explicit(&r->head, head + 1, memory_order_release);
	}
	__atomic_store_n(ring->consumer, pos + ((len + BPF_RINGBUF_HDR_SZ + 7) & ~7ull), __ATOMIC_RELEASE);
	return true;
}

static void *reader_main(void *userdata)
{
	struct flow_reader *r = userdata;
	int timeout = IDLE_MS;

	while (!atomic_load(&r->stop)) {
		struct pollfd fds[2] = { { .fd = r->ring.fd, .events = POLLIN },
					 { .fd = r->wake_reader, .events = POLLIN } };
		uint64_t before = atomic_load(&r->head);

		atomic_store(&r->waiting, false);
		while (!queue_full(r) && take_record(r))
			;
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

static void reader_free(struct flow_reader *r)
{
	ring_unmap(&r->ring);
	close_fd(r->wake_main);
	close_fd(r->wake_reader);
	free(r);
}
DEFINE_CLEANUP(struct flow_reader *, reader_free);

int flow_reader_start(int ring_fd, struct flow_reader **ret_r, struct err *reterr)
{
	_cleanup_(reader_freep) struct flow_reader *r = calloc(1, sizeof(*r));
	sigset_t all, old;
	int e;

	if (!r)
		return err_oom(reterr);
	r->wake_main = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->wake_reader = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->wake_main < 0 || r->wake_reader < 0)
		return err_set(reterr, -errno, "cannot read the event ring: %m");
	e = ring_map(&r->ring, ring_fd, reterr);
	if (e < 0)
		return e;
	sigfillset(&all); /* signals belong to the main loop */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&r->thread, NULL, reader_main, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e)
		return err_set(reterr, -e, "cannot start the ring's reader: %m");
	*ret_r = TAKE_PTR(r);
	return 0;
}

void flow_reader_stop(struct flow_reader *r)
{
	atomic_store(&r->stop, true);
	kick(r->wake_reader);
	pthread_join(r->thread, NULL);
	reader_free(r);
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
