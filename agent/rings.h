/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings of the kernel's, each written by one CPU (or by few), read as one in the order of time. Every record begins
 * with its time: eight bytes, CLOCK_MONOTONIC in ns, read after the record had its place in the ring. Whoever reads the
 * clock and then looks how far each ring is has found all that is older. One ring alone is read as it lies.
 */
#ifndef WEIR_RINGS_H
#define WEIR_RINGS_H

#include "agent/ring.h"

struct ring_lane {
	struct ring ring;
	struct ring_record head; /* as its time says */
};

struct rings {
	struct ring_lane *lane;
	uint64_t *time; /* of each lane's head */
	size_t n, at;   /* at: the lane of the record that was peeked */
	uint64_t until; /* of what is later, not all may be there yet */
};

/* On failure rings_unmap() takes back what there is. The fds stay the caller's. */
int rings_map(struct rings *rs, const int *fds, size_t n, struct err *reterr);
void rings_unmap(struct rings *rs);

/* As ring_peek() and its companions. */
bool rings_peek(struct rings *rs, struct ring_record *ret);
void rings_drop(struct rings *rs);
void rings_release(struct rings *rs);
void rings_rest(struct rings *rs);

#endif
