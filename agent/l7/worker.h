/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The L7 thread: reads the rings of excerpts, keeps the connections (track.c), puts their bytes in order (stream.c),
 * lets the parsers at them, and hands records to the main loop through a bounded queue. What one excerpt sets free and
 * does not fit is dropped, counted.
 */
#ifndef WEIR_L7_WORKER_H
#define WEIR_L7_WORKER_H

#include "agent/l7/proto.h"
#include "lib/err.h"

struct l7_worker;

struct l7_worker_params {
	const int *ring_fds; /* see agent/l7_rings.h; for l7_worker_start() alone */
	size_t n_rings;
	int want_fd;                 /* WEIR_MAP_L7_WANT */
	struct l7_settings settings; /* must outlive the worker */
	size_t memory_max;           /* of all connections together, bytes */
	size_t connections_max;
};

int l7_worker_start(const struct l7_worker_params *p, struct l7_worker **ret_w, struct err *reterr);
void l7_worker_stop(struct l7_worker *w);
DEFINE_CLEANUP(struct l7_worker *, l7_worker_stop);

int l7_worker_fd(const struct l7_worker *w); /* readable when there are records */
/* Up to max records, packed; each is gone after its call. */
void l7_worker_take(struct l7_worker *w, size_t max, void (*take)(const void *record, void *userdata), void *userdata);

struct l7_worker_stats {
	uint64_t excerpts, bytes; /* read from the rings */
	uint64_t records[L7_KIND_COUNT];
	uint64_t records_lost;         /* the queue was full, or out of memory */
	uint64_t gaps, gap_bytes;      /* holes that were neither asked for nor budget */
	uint64_t connections, evicted; /* now; thrown out for memory */
	uint64_t memory;               /* now */
};
void l7_worker_stats(struct l7_worker *w, struct l7_worker_stats *ret); /* from any thread */

#endif
