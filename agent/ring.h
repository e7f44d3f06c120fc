/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's ring buffer, mapped once: libbpf maps the data twice so that records never wrap, and every page counts
 * as memory of the agent. One reader.
 */
#ifndef WEIR_RING_H
#define WEIR_RING_H

#include "lib/err.h"

struct ring {
	int fd;
	size_t size, page;
	volatile uint64_t *consumer; /* a page that we may write */
	const uint8_t *shared;       /* a page with the producer's position, then the data */
};

/* On failure ring_unmap() takes back what there is of it. The fd stays the caller's. */
int ring_map(struct ring *ring, int fd, struct err *reterr);
void ring_unmap(struct ring *ring);

struct ring_record {
	uint64_t pos;
	uint32_t len;
};

/* The oldest record, until ring_release(). False: none is ready. */
bool ring_next(struct ring *ring, struct ring_record *ret);
/* len bytes of the record from `at` on: where they are, or copied to buf when they wrap. */
const void *ring_read(const struct ring *ring, const struct ring_record *rec, size_t at, size_t len, void *buf);
void ring_release(struct ring *ring, const struct ring_record *rec);

#endif
