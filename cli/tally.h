/* SPDX-License-Identifier: Apache-2.0 */
/* Counting by names: one row for each combination of a few texts. Bounded, however long one counts. */
#ifndef WEIR_TALLY_H
#define WEIR_TALLY_H

#include "lib/hash.h"
#include "lib/macro.h"
#include "lib/vec.h"

#define TALLY_CELLS 4
#define TALLY_ROWS_MAX 10000
#define TALLY_SAMPLES_MAX 4096 /* latencies of one row; of more, a random choice */
#define TALLY_OTHERS "(others)"

struct tally_row {
	char *key; /* the cells, apart by bytes that no name has */
	char *cells[TALLY_CELLS];
	uint64_t count, bad;
	double input, output; /* tokens */
	bool has_tokens;
	VEC(double) latency; /* ms */
	uint64_t n_latency;  /* as many there were */
	uint64_t recent;     /* count since the last tick */
	double rate;         /* a second, between the two last ticks */
	UT_hash_handle hh;
};

struct tally {
	struct tally_row *rows;
	uint64_t random; /* state */
};

void tally_clear(struct tally *t);
/* The row of these cells (NULL: ""), with new ones one that counts nothing; when there are too many, that of
 * TALLY_OTHERS. 0 or -ENOMEM. */
int tally_row(struct tally *t, const char *const cells[TALLY_CELLS], struct tally_row **ret_row);
void tally_count(struct tally_row *r, bool bad);
int tally_latency(struct tally *t, struct tally_row *r, double ms);

enum tally_order { TALLY_BY_KEY, TALLY_BY_COUNT, TALLY_BY_BAD, TALLY_BY_RATE };
/* Rows are then in order by hh.next; equal ones by key. */
void tally_sort(struct tally *t, enum tally_order order);
/* Nearest rank; negative: no latency is known. */
double tally_percentile(struct tally_row *r, unsigned p);
/* So many seconds went by: rates. When it gets tight, rows where nothing happened go. */
void tally_tick(struct tally *t, double seconds);

#endif
