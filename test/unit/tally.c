// SPDX-License-Identifier: Apache-2.0
#include "cli/tally.h"

#include "test/unit.h"

static struct tally_row *row(struct tally *t, const char *name)
{
	struct tally_row *r = NULL;

	ck_assert_int_eq(tally_row(t, (const char *[TALLY_CELLS]){ name, "x" }, &r), 0);
	return r;
}

static void count(struct tally *t, const char *name, unsigned n, unsigned bad)
{
	while (n--)
		tally_count(row(t, name), n < bad);
}

static void check_order(struct tally *t, enum tally_order order, const char *want)
{
	char got[64] = "";

	tally_sort(t, order);
	for (struct tally_row *r = t->rows; r; r = r->hh.next)
		strcat(got, r->cells[0]);
	ck_assert_str_eq(got, want);
}

START_TEST(rows_are_counted_and_sorted)
{
	struct tally t = { 0 };

	count(&t, "c", 3, 1);
	count(&t, "a", 5, 0);
	count(&t, "b", 3, 2);
	ck_assert_uint_eq(row(&t, "b")->count, 3);
	ck_assert_uint_eq(row(&t, "b")->bad, 2);
	ck_assert_str_eq(row(&t, "b")->cells[1], "x");
	ck_assert_str_eq(row(&t, "b")->cells[3], "");
	check_order(&t, TALLY_BY_KEY, "abc");
	check_order(&t, TALLY_BY_COUNT, "abc");
	check_order(&t, TALLY_BY_BAD, "bca");
	tally_tick(&t, 2);
	ck_assert(row(&t, "a")->rate == 2.5 && row(&t, "c")->rate == 1.5);
	count(&t, "c", 1, 0);
	tally_tick(&t, 1);
	ck_assert(row(&t, "a")->rate == 0 && row(&t, "c")->rate == 1);
	check_order(&t, TALLY_BY_RATE, "cab");
	tally_clear(&t);
	ck_assert_ptr_null(t.rows);
}
END_TEST

START_TEST(too_many_rows_are_one)
{
	struct tally t = { 0 };
	char name[16];

	for (unsigned i = 0; i < TALLY_ROWS_MAX + 500; i++) {
		snprintf(name, sizeof(name), "%u", i);
		count(&t, name, 1, 0);
	}
	ck_assert_uint_eq(HASH_COUNT(t.rows), TALLY_ROWS_MAX + 1);
	check_order(&(struct tally){ 0 }, TALLY_BY_COUNT, "");
	tally_sort(&t, TALLY_BY_COUNT);
	ck_assert_str_eq(t.rows->cells[0], TALLY_OTHERS);
	ck_assert_uint_eq(t.rows->count, 500);
	count(&t, "7", 1, 0);
	ck_assert_uint_eq(row(&t, "7")->count, 2); /* those that are there go on */
	tally_tick(&t, 1);
	count(&t, "8", 1, 0);
	tally_tick(&t, 1); /* room is made of those that are quiet */
	ck_assert_uint_eq(HASH_COUNT(t.rows), 1);
	ck_assert_uint_eq(row(&t, "8")->count, 2);
	tally_clear(&t);
}
END_TEST

START_TEST(percentiles)
{
	struct tally t = { 0 };
	struct tally_row *r = row(&t, "a");

	ck_assert(tally_percentile(r, 50) < 0);
	for (unsigned i = 100; i > 0; i--)
		ck_assert_int_eq(tally_latency(&t, r, i), 0);
	ck_assert(tally_percentile(r, 50) == 50 && tally_percentile(r, 95) == 95);
	ck_assert(tally_percentile(r, 100) == 100 && tally_percentile(r, 1) == 1);
	for (unsigned i = 0; i < 1000000; i++) /* a choice of many still tells their middle */
		tally_latency(&t, r, i % 1000);
	ck_assert_uint_eq(r->latency.n, TALLY_SAMPLES_MAX);
	ck_assert(tally_percentile(r, 50) > 400 && tally_percentile(r, 50) < 600);
	ck_assert(tally_percentile(r, 95) > 900);
	tally_clear(&t);
}
END_TEST

UNIT_MAIN(tally, rows_are_counted_and_sorted, too_many_rows_are_one, percentiles)
