// SPDX-License-Identifier: Apache-2.0
#include "cli/tally.h"

static void row_free(struct tally_row *r)
{
	for (size_t i = 0; i < TALLY_CELLS; i++)
		free(r->cells[i]);
	free(r->key);
	free(r->latency.v);
	free(r);
}
DEFINE_CLEANUP(struct tally_row *, row_free);

void tally_clear(struct tally *t)
{
	struct tally_row *r, *tmp;

	HASH_ITER (hh, t->rows, r, tmp) {
		HASH_DEL(t->rows, r);
		row_free(r);
	}
}

static char *join(const char *const *cells)
{
	char *key;

	_Static_assert(TALLY_CELLS == 4, "all of them");
	if (asprintf(&key, "%s\1%s\1%s\1%s", cells[0] ?: "", cells[1] ?: "", cells[2] ?: "", cells[3] ?: "") < 0)
		return NULL;
	return key;
}

static struct tally_row *row_new(char **key, const char *const *cells)
{
	_cleanup_(row_freep) struct tally_row *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	for (size_t i = 0; i < TALLY_CELLS; i++) {
		r->cells[i] = strdup(cells[i] ?: "");
		if (!r->cells[i])
			return NULL;
	}
	r->key = TAKE_PTR(*key);
	return TAKE_PTR(r);
}

static int find_or_add(struct tally *t, const char *const *cells, struct tally_row **ret_row)
{
	_cleanup_free_ char *key = join(cells);
	struct tally_row *r;

	if (!key)
		return -ENOMEM;
	HASH_FIND_STR(t->rows, key, r);
	if (!r && HASH_COUNT(t->rows) >= TALLY_ROWS_MAX && !streq(cells[0], TALLY_OTHERS))
		return -ENOSPC;
	if (!r) {
		r = row_new(&key, cells);
		if (!r)
			return -ENOMEM;
		HASH_ADD_KEYPTR(hh, t->rows, r->key, strlen(r->key), r);
		if (!hash_added(r)) {
			row_free(r);
			return -ENOMEM;
		}
	}
	*ret_row = r;
	return 0;
}

int tally_row(struct tally *t, const char *const cells[TALLY_CELLS], struct tally_row **ret_row)
{
	static const char *const others[TALLY_CELLS] = { TALLY_OTHERS };
	int r = find_or_add(t, cells, ret_row);

	return r == -ENOSPC ? find_or_add(t, others, ret_row) : r;
}

void tally_count(struct tally_row *r, bool bad)
{
	r->count++;
	r->recent++;
	r->bad += bad;
}

/* xorshift: the choice need not be one that nobody can guess. */
static uint64_t next_random(struct tally *t)
{
	uint64_t x = t->random ?: 0x9e3779b97f4a7c15;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return t->random = x;
}

int tally_latency(struct tally *t, struct tally_row *r, double ms)
{
	uint64_t at;

	r->n_latency++;
	if (r->latency.n < TALLY_SAMPLES_MAX)
		return vec_add(&r->latency, ms);
	at = next_random(t) % r->n_latency;
	if (at < TALLY_SAMPLES_MAX)
		r->latency.v[at] = ms;
	return 0;
}

static int by_key(const struct tally_row *a, const struct tally_row *b)
{
	return strcmp(a->key, b->key);
}

static int more_first(uint64_t a, uint64_t b, const struct tally_row *ra, const struct tally_row *rb)
{
	return a != b ? (a > b ? -1 : 1) : by_key(ra, rb);
}

static int by_count(const struct tally_row *a, const struct tally_row *b)
{
	return more_first(a->count, b->count, a, b);
}

static int by_bad(const struct tally_row *a, const struct tally_row *b)
{
	return a->bad != b->bad ? more_first(a->bad, b->bad, a, b) : by_count(a, b);
}

static int by_rate(const struct tally_row *a, const struct tally_row *b)
{
	return a->rate != b->rate ? (a->rate > b->rate ? -1 : 1) : by_count(a, b);
}

void tally_sort(struct tally *t, enum tally_order order)
{
	static int (*const compare[])(const struct tally_row *, const struct tally_row *) = {
		[TALLY_BY_KEY] = by_key, [TALLY_BY_COUNT] = by_count, [TALLY_BY_BAD] = by_bad, [TALLY_BY_RATE] = by_rate
	};

	HASH_SORT(t->rows, compare[order]);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double tally_percentile(struct tally_row *r, unsigned p)
{
	if (!r->latency.n)
		return -1;
	qsort(r->latency.v, r->latency.n, sizeof(*r->latency.v), by_value);
	return r->latency.v[(r->latency.n * p + 99) / 100 - 1];
}

void tally_tick(struct tally *t, double seconds)
{
	bool tight = HASH_COUNT(t->rows) > TALLY_ROWS_MAX / 2;

	for (struct tally_row *r = t->rows, *next; r; r = next) {
		next = r->hh.next;
		if (tight && !r->recent) {
			HASH_DEL(t->rows, r);
			row_free(r);
			continue;
		}
		r->rate = (double)r->recent / seconds;
		r->recent = 0;
	}
}
