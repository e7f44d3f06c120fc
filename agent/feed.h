/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that empties rings of the kernel's, and a bounded queue from it to the main loop. While the queue is
 * nearly full they are not read: what is lost is lost in one place, where the datapath counts it.
 */
#ifndef WEIR_FEED_H
#define WEIR_FEED_H

#include "agent/rings.h"

struct feed;

struct feed_params {
	const int *ring_fds; /* for feed_new() alone; more than one: see rings.h */
	size_t n_rings;
	void *userdata;
	/* On the thread: one record; gone afterwards. */
	void (*record)(struct feed *f, const struct ring_record *rec, void *userdata);
	/* On the thread: whenever a batch has been read, and some times a second when there is nothing to read. May be
	 * NULL. */
	void (*pause)(struct feed *f, void *userdata);
};

int feed_new(const struct feed_params *p, struct feed **ret_f, struct err *reterr);
int feed_start(struct feed *f, struct err *reterr);
/* Ends the thread; what was the thread's is the caller's again. */
void feed_end(struct feed *f);
/* Ends it, too; what is still in the queue is gone. */
void feed_free(struct feed *f);
DEFINE_CLEANUP(struct feed *, feed_free);

/* On the thread: room for an element of len bytes, aligned to 8, which feed_commit() puts into the queue. NULL: full.
 */
void *feed_reserve(struct feed *f, size_t len);
void feed_commit(struct feed *f);
/* Both at once. False: full. */
bool feed_push(struct feed *f, const void *elem, size_t len);

/* Readable when there is something in the queue. */
int feed_fd(const struct feed *f);
/* Up to max elements, in their order; each is gone after its call. */
void feed_take(struct feed *f, size_t max, void (*take)(const void *elem, void *userdata), void *userdata);

#endif
