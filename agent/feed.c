// SPDX-License-Identifier: Apache-2.0
#include "agent/feed.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "agent/privileges.h"

#define HALF_SIZE (4u << 20)        /* bytes of each half of the queue; what is never written takes no memory */
#define HALF_LEAST (HALF_SIZE / 16) /* free, for what one record of the ring may turn into */
#define BATCH 1024                  /* records between two pauses */
/* The datapath does not wake the reader for single records, only when much has gathered: it looks, more often while
 * there are some. Each time it takes caches from whoever runs there. */
#define BUSY_MS 50
#define IDLE_MS 100

struct feed {
	struct feed_params params;
	struct rings rings;
	int epoll; /* of rings and wake_thread */
	pthread_t thread;
	bool running;
	int wake_main, wake_thread; /* eventfds */
	atomic_bool stop;
	atomic_bool waiting; /* the thread has elements that it cannot hand over yet */
	/* One half is filled, the other one emptied; they change places when that is empty. */
	uint8_t *half[2];
	int filling;            /* the thread's half */
	size_t filled, pending; /* bytes; with what is reserved */
	_Atomic size_t handed;  /* bytes in the main loop's half; 0: it is the thread's to change places */
	size_t taken;           /* of them */
};

/* In front of an element. */
struct slot {
	_Alignas(8) uint32_t size; /* with this */
	_Alignas(8) uint8_t data[];
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

static bool held_up(const struct feed *f)
{
	return HALF_SIZE - f->filled < HALF_LEAST;
}

void *feed_reserve(struct feed *f, size_t len)
{
	size_t size = sizeof(struct slot) + ((len + 7) & ~7ul);
	struct slot *slot = (struct slot *)(f->half[f->filling] + f->filled);

	if (size > HALF_SIZE - f->filled)
		return NULL;
	slot->size = (uint32_t)size;
	f->pending = f->filled + size;
	return slot->data;
}

void feed_commit(struct feed *f)
{
	f->filled = f->pending;
}

bool feed_push(struct feed *f, const void *elem, size_t len)
{
	void *to = feed_reserve(f, len);

	if (!to)
		return false;
	memcpy(to, elem, len);
	feed_commit(f);
	return true;
}

static void hand_over(struct feed *f)
{
	if (!f->filled || atomic_load(&f->handed))
		return;
	f->filling = !f->filling;
	atomic_store(&f->handed, f->filled);
	f->filled = 0;
	kick(f->wake_main);
}

/* So many of at most BATCH: fewer when there are no more. */
static unsigned read_batch(struct feed *f)
{
	struct ring_record rec;
	unsigned n = 0;

	for (; n < BATCH && !held_up(f) && rings_peek(&f->rings, &rec); n++) {
		f->params.record(f, &rec, f->params.userdata);
		rings_drop(&f->rings);
	}
	rings_release(&f->rings);
	return n;
}

static void wait_for_more(struct feed *f, int timeout)
{
	struct epoll_event event;

	if (f->filled) {
		atomic_store(&f->waiting, true);
		hand_over(f); /* if it was emptied just now, nobody will tell */
	}
	if (epoll_wait(f->epoll, &event, 1, timeout) == 1 && event.data.fd == f->wake_thread)
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
		unsigned n;

		atomic_store(&f->waiting, false);
		n = read_batch(f);
		if (f->params.pause)
			f->params.pause(f, f->params.userdata);
		hand_over(f);
		if (n == BATCH)
			continue;
		if (!n)
			rings_rest(&f->rings);
		wait_for_more(f, n ? BUSY_MS : IDLE_MS);
	}
	return NULL;
}

static int watch(const struct feed *f, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int feed_new(const struct feed_params *p, struct feed **ret_f, struct err *reterr)
{
	_cleanup_(feed_freep) struct feed *f = malloc(sizeof(*f));
	int r;

	if (!f)
		return err_oom(reterr);
	*f = (struct feed){ .params = *p, .epoll = -1, .wake_main = -1, .wake_thread = -1 };
	for (int i = 0; i < 2; i++) {
		f->half[i] = malloc(HALF_SIZE);
		if (!f->half[i])
			return err_oom(reterr);
	}
	f->wake_main = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->wake_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (f->wake_main < 0 || f->wake_thread < 0 || f->epoll < 0)
		return err_set(reterr, -errno, "cannot read the ring: %m");
	r = rings_map(&f->rings, p->ring_fds, p->n_rings, reterr);
	if (r < 0)
		return r;
	/* Of a ring only that the datapath wakes the reader counts, not that there is something in it. */
	r = watch(f, f->wake_thread, EPOLLIN);
	for (size_t i = 0; i < p->n_rings && r == 0; i++)
		r = watch(f, p->ring_fds[i], EPOLLIN | EPOLLET);
	if (r < 0)
		return err_set(reterr, r, "cannot wait for the ring: %m");
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
	rings_unmap(&f->rings);
	close_fd(f->epoll);
	close_fd(f->wake_main);
	close_fd(f->wake_thread);
	free(f->half[0]);
	free(f->half[1]);
	free(f);
}

int feed_fd(const struct feed *f)
{
	return f->wake_main;
}

void feed_take(struct feed *f, size_t max, void (*take)(const void *elem, void *userdata), void *userdata)
{
	size_t handed;

	clear(f->wake_main);
	handed = atomic_load(&f->handed);
	if (!handed)
		return;
	for (size_t n = 0; n < max && f->taken < handed; n++) {
		const struct slot *slot = (const struct slot *)(f->half[!f->filling] + f->taken);

		take(slot->data, userdata);
		f->taken += slot->size;
	}
	if (f->taken < handed) {
		kick(f->wake_main); /* the rest in the loop's next turn */
		return;
	}
	f->taken = 0;
	atomic_store(&f->handed, 0);
	if (atomic_load(&f->waiting))
		kick(f->wake_thread);
}
