/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's ring buffer through a window that follows the reader: every mapped page counts as memory of the agent,
 * and the whole ring would be mapped for the few records that are in it. Where there are many it is mapped whole, until
 * there is a rest: to move the window costs other CPUs, too. The kernel lays the data out twice in a row, so that no
 * record wraps. One reader.
 */
#ifndef WEIR_RING_H
#define WEIR_RING_H

#include "lib/err.h"

#define RING_WINDOW_MAX (256u << 10)

struct ring {
	int fd;
	size_t size, page;
	size_t next;        /* bytes of the record at hand */
	uint64_t *consumer; /* a page that we may write */
	const uint64_t *producer;
	const uint8_t *window; /* NULL: none yet */
	size_t window_at, window_len, window_least;
	unsigned moves; /* of the window, since the ring was found empty */
	/* Whoever reads the kernel's two positions, or writes his own, for every record, takes them out of the cache of
	 * a CPU that is about to write the next one. */
	uint64_t pos;  /* behind the records that were dropped; the kernel knows of it later */
	uint64_t seen; /* where the producer was */
};

/* The window: bytes at least, of pages; records must be shorter by a page. On failure ring_unmap() takes back what
 * there is of it. The fd stays the caller's. */
int ring_map(struct ring *ring, int fd, size_t window, struct err *reterr);
void ring_unmap(struct ring *ring);

struct ring_record {
	uint32_t len;
	const uint8_t *data;
};

/* The next record, the same one until ring_drop(). False: none is ready, or there is no memory to map it: later, then.
 */
bool ring_peek(struct ring *ring, struct ring_record *ret);
void ring_drop(struct ring *ring);
/* Is there a record, be it that it is still being written? Looks how far the kernel is. */
bool ring_has_more(struct ring *ring);
/* The room of all that was dropped is the kernel's again. */
void ring_release(struct ring *ring);
/* Nothing has come for a while: the whole is not needed. Not between ring_peek() and ring_drop(). */
void ring_rest(struct ring *ring);

#endif
