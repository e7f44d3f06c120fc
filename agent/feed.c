// SPDX-License-Identifier: Apache-2.0
#include "agent/feed.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "agent/privileges.h"

#define QUEUE_LEN 8192u /* a power of two */
#define BATCH 1024      /* records between two pauses */
#define BUSY_MS                                                                                              \
	20 /* the datapath does not wake the reader for single records: it looks, often while there are some \
	    */
#define IDLE_MS 100

struct feed {
	struct feed_params params;
	struct ring ring;
	pthread_t thread;
	bool running;
	int wake_main, wake_thread; /* eventfds */
	atomic_bool stop;
	atomic_bool waiting;         /* the thread has stopped because the queue was full */
	_Atomic uint64_t head, tail; /* written by the thread, by the main loop */
	uint8_t queue[];
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

static uint8_t *slot(struct feed *f, uint64_t i)
{
	return f->queue + (i & (QUEUE_LEN - 1)) * f->params.elem;
}

static bool queue_full(struct feed *f)
{
	return atomic_load_explicit(&f->head, memory_order_relaxed) -
		   atomic_load_explicit(&f->tail, memory_order_acquire) >=
	       QUEUE_LEN;
}

static bool held_up(struct feed *f)
{
	return f->params.hold && queue_full(f);
}

bool feed_push(struct feed *f, const void *elem)
{
	uint64_t head = atomic_load_explicit(&f->head, memory_order_relaxed);

	if (queue_full(f))
		return false;
	memcpy(slot(f, head), elem, f->params.elem);
	atomic_store_explicit(&f->head, head + 1, memory_order_release);
	return true;
}

/* False: there is no more. */
static bool read_batch(struct feed *f)
{
	struct ring_record rec;

	for (unsigned n = 0; n < BATCH; n++) {
		if (held_up(f) || !ring_next(&f->ring, &rec))
			return false;
		f->params.record(f, &rec, f->params.userdata);
		ring_release(&f->ring, &rec);
	}
	return true;
}

static void wait_for_more(struct feed *f, int timeout)
{
	struct pollfd fds[2] = { { .fd = f->ring.fd, .events = POLLIN }, { .fd = f->wake_thread, .events = POLLIN } };

	if (held_up(f)) {
		atomic_store(&f->waiting, true);
		fds[0].fd = -1; /* only the main loop can help now */
	}
	poll(fds, 2, timeout);
	if (fds[1].revents & POLLIN)
		clear(f->wake_thread);
}

static void *thread_main(void *userdata)
{
	struct feed *f = userdata;

	if (privileges_drop_all(NULL) < 0)
		abort(); /* it reads what pods send */
	/* What pods do comes first: the ring bridges the time until there is a CPU to spare. */
	sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){});
	while (!atomic_load(&f->stop)) {
		uint64_t before = atomic_load(&f->head), pos = *f->ring.consumer;
		bool more;

		atomic_store(&f->waiting, false);
		more = read_batch(f);
		if (f->params.pause)
			f->params.pause(f, f->params.userdata);
		if (atomic_load(&f->head) != before)
			kick(f->wake_main);
		if (!more)
			wait_for_more(f, *f->ring.consumer != pos ? BUSY_MS : IDLE_MS);
	}
	return NULL;
}

int feed_new(const struct feed_params *p, struct feed **ret_f, struct err *reterr)
{
	_cleanup_(feed_freep) struct feed *f = calloc(1, sizeof(*f) + QUEUE_LEN * p->elem);
	int r;

	if (!f)
		return err_oom(reterr);
	f->params = *p;
	f->wake_main = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->wake_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->wake_main < 0 || f->wake_thread < 0)
		return err_set(reterr, -errno, "cannot read the ring: %m");
	r = ring_map(&f->ring, p->ring_fd, reterr);
	if (r < 0)
		return r;
	*ret_f = TAKE_PTR(f);
	return 0;
}

int feed_start(struct feed *f, struct err *reterr)
{
	sigset_t all, old;
	int e;

	sigfillset(&all); /* signals belong to the main loop */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&f->thread, NULL, thread_main, f);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e)
		return err_set(reterr, -e, "cannot start the ring's reader: %s", strerror(e));
	f->running = true;
	return 0;
}

void feed_end(struct feed *f)
{
	if (!TAKE(f->running, false))
		return;
	atomic_store(&f->stop, true);
	kick(f->wake_thread);
	pthread_join(f->thread, NULL);
}

void feed_free(struct feed *f)
{
	feed_end(f);
	ring_unmap(&f->ring);
	close_fd(f->wake_main);
	close_fd(f->wake_thread);
	free(f);
}

int feed_fd(const struct feed *f)
{
	return f->wake_main;
}

size_t feed_take(struct feed *f, void *elems, size_t max)
{
	uint64_t tail = atomic_load_explicit(&f->tail, memory_order_relaxed);
	uint64_t head;
	size_t n = 0;

	clear(f->wake_main);
	head = atomic_load_explicit(&f->head, memory_order_acquire);
	for (; n < max && tail != head; n++, tail++)
		memcpy((uint8_t *)elems + n * f->params.elem, slot(f, tail), f->params.elem);
	atomic_store_explicit(&f->tail, tail, memory_order_release);
	if (tail != head)
		kick(f->wake_main); /* the rest in the loop's next turn */
	if (atomic_load(&f->waiting))
		kick(f->wake_thread);
	return n;
}
