// SPDX-License-Identifier: Apache-2.0
#include "agent/feed.h"

#include <poll.h>

#include "test/unit/ring_pipe.h"

struct counted {
	uint32_t max; /* bytes of an element */
	uint32_t pushed, dropped, taken;
	bool same;
};

/* Element number i: its length and every byte of it follow from i. */
static uint32_t length_of(uint32_t i, uint32_t max)
{
	return 8 + i * 2654435761u % (max - 8);
}

static bool push(struct feed *f, uint32_t i, uint32_t max)
{
	uint32_t len = length_of(i, max), *to = feed_reserve(f, len);

	if (!to)
		return false;
	memset(to, (int)(i & 0xff), len);
	to[0] = i;
	to[1] = len;
	feed_commit(f);
	return true;
}

/* A record asks for as many elements as it says. */
static void on_ring_record(struct feed *f, const struct ring_record *rec, void *userdata)
{
	struct counted *c = userdata;
	uint32_t n;

	memcpy(&n, rec->data + 4, sizeof(n));
	for (; n > 0; n--) {
		if (push(f, c->pushed, c->max))
			c->pushed++;
		else
			c->dropped++;
	}
}

static void on_elem(const void *elem, void *userdata)
{
	struct counted *c = userdata;
	const uint32_t *head = elem;
	const uint8_t *bytes = elem;

	c->same &= (uintptr_t)elem % 8 == 0 && head[0] == c->taken && head[1] == length_of(head[0], c->max);
	for (uint32_t i = 8; i < head[1] && c->same; i++)
		c->same = bytes[i] == (head[0] & 0xff);
	c->taken++;
}

/* n elements by as many records, taken so many at a time; a turn is over when all have come. */
static void check_queue(size_t rings, uint32_t max, uint32_t per_record, uint32_t records, size_t at_once)
{
	struct counted c = { .max = max, .same = true };
	struct feed_params params = { .userdata = &c, .record = on_ring_record };
	const uint32_t len = 8;
	struct feed *f = NULL;
	struct pipe p[2];
	struct err e = {};
	int fds[2];

	for (size_t i = 0; i < rings; i++) {
		if (!pipe_open(&p[i], 64 << 10))
			return;
		memcpy(p[i].bytes, &len, sizeof(len));
		memcpy(p[i].bytes + 4, &per_record, sizeof(per_record));
		fds[i] = p[i].map;
	}
	params.ring_fds = fds;
	params.n_rings = rings;
	ck_assert_msg(feed_new(&params, &f, &e) == 0 && feed_start(f, &e) == 0, "%s", e.msg);
	for (int turn = 1; turn <= 3; turn++) {
		uint32_t want = records * per_record * turn;

		for (uint32_t written = 0; written < records || c.taken < want;) {
			struct pollfd fd = { .fd = feed_fd(f), .events = POLLIN };

			while (written < records && pipe_write(&p[written % rings]))
				written++;
			ck_assert_msg(poll(&fd, 1, 5000) == 1, "%u of %u elements came", c.taken, want);
			feed_take(f, at_once, on_elem, &c);
			ck_assert_msg(c.same, "element %u", c.taken - 1);
		}
	}
	feed_free(f);
	ck_assert_uint_eq(c.dropped, 0);
	ck_assert_uint_eq(c.taken, c.pushed);
	for (size_t i = 0; i < rings; i++)
		pipe_close(&p[i]);
}

START_TEST(elements_come_whole_and_in_order)
{
	for (size_t rings = 1; rings <= 2; rings++) {
		check_queue(rings, 200, 1, 1, SIZE_MAX);
		check_queue(rings, 200, 1, 20000, 512);
		check_queue(rings, 3000, 3, 5000, 7); /* the main loop is the slower one: the ring waits */
		check_queue(rings, 60000, 2, 1000, SIZE_MAX);
	}
}
END_TEST

/* What one record turns into and does not fit is refused, and what fits is whole. */
START_TEST(too_much_of_one_record_is_refused)
{
	struct counted c = { .max = 60000, .same = true };
	struct feed_params params = { .userdata = &c, .record = on_ring_record };
	const uint32_t head[2] = { 8, 1000 };
	struct pollfd fd = { .events = POLLIN };
	struct feed *f = NULL;
	struct err e = {};
	struct pipe p;

	if (!pipe_open(&p, 4096))
		return;
	params.ring_fds = &p.map;
	params.n_rings = 1;
	ck_assert_msg(feed_new(&params, &f, &e) == 0 && feed_start(f, &e) == 0, "%s", e.msg);
	memcpy(p.bytes, head, sizeof(head));
	ck_assert(pipe_write(&p));
	fd.fd = feed_fd(f);
	ck_assert_int_eq(poll(&fd, 1, 5000), 1);
	feed_take(f, SIZE_MAX, on_elem, &c);
	feed_end(f);
	ck_assert(c.same);
	ck_assert_uint_eq(c.taken, c.pushed);
	ck_assert_uint_eq(c.pushed + c.dropped, 1000);
	ck_assert_uint_gt(c.pushed, 50);
	ck_assert_uint_gt(c.dropped, 500);
	feed_free(f);
	pipe_close(&p);
}
END_TEST

UNIT_MAIN(feed, elements_come_whole_and_in_order, too_much_of_one_record_is_refused)
