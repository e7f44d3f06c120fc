// SPDX-License-Identifier: Apache-2.0
#include "agent/ring.h"

#include "test/unit/ring_pipe.h"

/* Record number i: its length and every byte of it follow from i. False: the ring is full. */
static bool write_record(struct pipe *p, uint32_t i, uint32_t max)
{
	uint32_t len = 8 + i * 2654435761u % (max - 8);

	memset(p->bytes, (int)(i & 0xff), len);
	memcpy(p->bytes, &len, sizeof(len));
	memcpy(p->bytes + 4, &i, sizeof(i));
	return pipe_write(p);
}

static void check_record(const struct ring_record *rec, uint32_t i, uint32_t max)
{
	uint32_t len = 8 + i * 2654435761u % (max - 8);

	bool same = rec->len == len && !memcmp(rec->data, &len, sizeof(len)) && !memcmp(rec->data + 4, &i, sizeof(i));

	for (uint32_t k = 8; k < len && same; k++)
		same = rec->data[k] == (i & 0xff);
	ck_assert_msg(same, "record %u", i); /* one assertion: each costs a system call */
}

static void fill(struct pipe *p, uint32_t *written, uint32_t max)
{
	while (write_record(p, *written, max))
		++*written;
}

static void take(struct ring *ring, uint32_t *read, uint32_t max)
{
	struct ring_record rec;

	ck_assert(ring_peek(ring, &rec));
	check_record(&rec, (*read)++, max);
	ring_drop(ring);
	ck_assert_uint_le(ring->pos - *ring->consumer, ring->size / 64 + 2 * (max + 16));
}

/* Full and empty in turn, until the ring has been gone through some times. */
static void check_ring(uint32_t size, uint32_t max)
{
	uint32_t written = 0, read = 0;
	struct ring ring = {};
	struct ring_record rec;
	struct err e = {};
	struct pipe p;

	if (!pipe_open(&p, size))
		return;
	ck_assert_msg(ring_map(&ring, p.map, RING_WINDOW_MAX, &e) == 0, "%s", e.msg);
	ck_assert(!ring_peek(&ring, &rec));
	ck_assert_ptr_null(ring.window);
	for (int turn = 0; turn < 5; turn++) {
		fill(&p, &written, max);
		while (read < written)
			take(&ring, &read, max);
		ck_assert(!ring_peek(&ring, &rec));
		ring_release(&ring);
		ck_assert_uint_eq(*ring.consumer, ring.pos);
	}
	ck_assert_uint_gt(ring.pos, 4 * (uint64_t)size - size / 2);
	ck_assert_uint_le(ring.window_len, size + RING_WINDOW_MAX);
	ring_unmap(&ring);
	pipe_close(&p);
}

START_TEST(records_come_whole_and_in_order)
{
	check_ring(4096, 600);
	check_ring(64 << 10, RECORD_MAX);
	check_ring(128 << 10, RECORD_MAX);
	check_ring(256 << 10, RECORD_MAX);
	check_ring(2 << 20, RECORD_MAX);
	check_ring(2 << 20, 200);
}
END_TEST

/* Of a ring through which much passes one record after the other only a little is mapped. Of a full one everything is,
 * until there is a rest. */
START_TEST(only_many_records_map_the_whole_ring)
{
	const size_t size = 2 << 20, window = 128 << 10;
	uint32_t written = 0, read = 0;
	struct ring ring = {};
	struct err e = {};
	struct pipe p;

	if (!pipe_open(&p, size))
		return;
	ck_assert_msg(ring_map(&ring, p.map, window, &e) == 0, "%s", e.msg);
	for (int turn = 0; turn < 2; turn++) {
		for (uint64_t end = ring.pos + 2 * size; ring.pos < end;) {
			ck_assert(write_record(&p, written++, 3000));
			take(&ring, &read, 3000);
			ck_assert(!ring_has_more(&ring));
			ring_release(&ring);
			ck_assert_uint_eq(ring.window_len, window);
		}
		fill(&p, &written, 3000);
		while (read < written)
			take(&ring, &read, 3000);
		ck_assert(!ring_has_more(&ring));
		ck_assert_uint_eq(ring.window_len, size + window);
		ring_rest(&ring);
		ck_assert_ptr_null(ring.window);
	}
	ring_unmap(&ring);
	pipe_close(&p);
}
END_TEST

UNIT_MAIN(ring, records_come_whole_and_in_order, only_many_records_map_the_whole_ring)
