// SPDX-License-Identifier: Apache-2.0
#include "agent/rings.h"

#include <linux/bpf.h>

#include "lib/clock.h"
#include "test/unit.h"

#define SIZE 65536u
#define RECORDS 1000u
#define RECORD 24u /* with its header */
#define LONG_AGO 1000000ull

/* A ring in our own memory: there the test can leave a record half written. */
struct fake {
	uint64_t consumer, producer;
	_Alignas(8) uint8_t data[2 * SIZE];
};

struct world {
	struct rings rings;
	struct fake fake[3];
};

static struct world *world_new(size_t n)
{
	struct world *w = calloc(1, sizeof(*w));

	ck_assert_ptr_nonnull(w);
	w->rings.lane = calloc(n, sizeof(*w->rings.lane));
	w->rings.time = calloc(n, sizeof(*w->rings.time));
	w->rings.n = n;
	for (size_t i = 0; i < n; i++)
		w->rings.lane[i].ring = (struct ring){ .size = SIZE,
						       .page = 4096,
						       .consumer = &w->fake[i].consumer,
						       .producer = &w->fake[i].producer,
						       .window = w->fake[i].data,
						       .window_len = 2 * SIZE };
	return w;
}

static void world_free(struct world *w)
{
	free(w->rings.lane);
	free(w->rings.time);
	free(w);
}

/* A record that has its place; its time and number come with done(). */
static uint8_t *reserve(struct world *w, size_t i)
{
	uint8_t *head = w->fake[i].data + w->fake[i].producer % SIZE;
	uint32_t word = 16 | BPF_RINGBUF_BUSY_BIT;

	memcpy(head, &word, sizeof(word));
	w->fake[i].producer += RECORD;
	return head;
}

static void done(uint8_t *head, uint64_t time, uint64_t number)
{
	uint32_t word = 16;

	memcpy(head + 8, &time, sizeof(time));
	memcpy(head + 16, &number, sizeof(number));
	memcpy(head, &word, sizeof(word));
}

static void write_record(struct world *w, size_t i, uint64_t time, uint64_t number)
{
	done(reserve(w, i), time, number);
}

/* The number of the next record; -1: none. */
static int64_t next(struct world *w)
{
	struct ring_record rec;
	int64_t number;

	if (!rings_peek(&w->rings, &rec))
		return -1;
	ck_assert_uint_eq(rec.len, 16);
	memcpy(&number, rec.data + 8, sizeof(number));
	rings_drop(&w->rings);
	return number;
}

START_TEST(records_of_all_rings_come_in_the_order_of_time)
{
	struct world *w = world_new(3);

	for (int turn = 0; turn < 5; turn++) { /* the rings are gone through more than once */
		for (uint32_t i = 0; i < RECORDS; i++)
			write_record(w, i * 2654435761u % 5 % 3, LONG_AGO + turn * RECORDS + i, i);
		for (uint32_t i = 0; i < RECORDS; i++) {
			ck_assert_int_eq(next(w), i);
			if (i % 100 == 0)
				rings_release(&w->rings);
		}
		ck_assert_int_eq(next(w), -1);
		rings_release(&w->rings);
		for (int i = 0; i < 3; i++)
			ck_assert_uint_eq(w->fake[i].consumer, w->fake[i].producer);
	}
	world_free(w);
}
END_TEST

/* A record that was looked at and not yet wanted must stay where it is. */
START_TEST(what_was_not_read_is_not_released)
{
	struct world *w = world_new(2);

	write_record(w, 0, LONG_AGO, 0);
	write_record(w, 1, LONG_AGO + 1, 1);
	ck_assert_int_eq(next(w), 0);
	rings_release(&w->rings);
	ck_assert_uint_eq(w->fake[0].consumer, RECORD);
	ck_assert_uint_eq(w->fake[1].consumer, 0);
	ck_assert_int_eq(next(w), 1);
	world_free(w);
}
END_TEST

/* Of this instant other rings may still get earlier ones. */
START_TEST(what_is_too_new_waits)
{
	struct world *w = world_new(2);
	uint64_t soon = clock_ns(CLOCK_MONOTONIC) + 50000000;

	write_record(w, 0, soon, 1);
	ck_assert_int_eq(next(w), -1);
	write_record(w, 1, soon - 1, 0);
	ck_assert_int_eq(next(w), -1);
	while (clock_ns(CLOCK_MONOTONIC) < soon + 1000000)
		;
	ck_assert_int_eq(next(w), 0);
	ck_assert_int_eq(next(w), 1);
	ck_assert_int_eq(next(w), -1);
	world_free(w);
}
END_TEST

/* Its time is not known yet, and it may be the earliest. */
START_TEST(a_record_that_is_being_written_is_waited_for)
{
	struct world *w = world_new(2);
	uint8_t *second;

	write_record(w, 0, LONG_AGO, 0);
	second = reserve(w, 0);
	write_record(w, 1, LONG_AGO + 20, 2);
	ck_assert_int_eq(next(w), 0);
	ck_assert_int_eq(next(w), -1);
	ck_assert_int_eq(next(w), -1);
	done(second, LONG_AGO + 10, 1);
	ck_assert_int_eq(next(w), 1);
	ck_assert_int_eq(next(w), 2);
	ck_assert_int_eq(next(w), -1);
	world_free(w);
}
END_TEST

/* Whoever has just written may write again: an empty ring is looked at anew before later records of another count. */
START_TEST(an_empty_ring_is_looked_at_again)
{
	struct world *w = world_new(2);
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	write_record(w, 0, LONG_AGO, 0);
	write_record(w, 0, now, 2);
	ck_assert_int_eq(next(w), 0);
	write_record(w, 1, now - 1, 1);
	while (clock_ns(CLOCK_MONOTONIC) < now + 1000000)
		;
	ck_assert_int_eq(next(w), 1);
	ck_assert_int_eq(next(w), 2);
	world_free(w);
}
END_TEST

UNIT_MAIN(rings, records_of_all_rings_come_in_the_order_of_time, what_was_not_read_is_not_released,
	  what_is_too_new_waits, a_record_that_is_being_written_is_waited_for, an_empty_ring_is_looked_at_again)
