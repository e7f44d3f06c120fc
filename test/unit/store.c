// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/store.h"
#include "test/unit.h"
#include "test/unit/flows.h"

#define SECOND 1000000000ull
#define NOW (1700000000 * SECOND)

static struct flow_store *store;
static struct flow_peer *peer;

static void setup(size_t capacity)
{
	ck_assert_int_eq(flow_store_new(capacity, &store), 0);
	peer = new_peer(1, NULL, NULL, NULL);
}

static void teardown(void)
{
	flow_store_free(store);
	ck_assert_uint_eq(peer->refs, 1); /* the store held all others, and has let go of them */
	flow_peer_unref(peer);
}

static void add(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct flow f = new_flow(flow_peer_ref(peer), flow_peer_ref(peer));

		flow_store_add(store, &f);
	}
}

START_TEST(the_ring_keeps_the_newest)
{
	setup(10);
	ck_assert_uint_eq(flow_store_first(store), 1);
	ck_assert_uint_eq(flow_store_next(store), 1);
	add(25);
	ck_assert_uint_eq(flow_store_first(store), 16);
	ck_assert_uint_eq(flow_store_next(store), 26);
	ck_assert_ptr_null(flow_store_get(store, 15));
	ck_assert_ptr_null(flow_store_get(store, 26));
	for (uint64_t seq = 16; seq < 26; seq++)
		ck_assert_uint_eq(flow_store_get(store, seq)->seq, seq);
	ck_assert_uint_eq(peer->refs, 1 + 2 * 10);
	teardown();
}
END_TEST

/* Read all there is at `now`; returns the flows read, and adds up losses of the store. */
static uint64_t drain(struct flow_cursor *c, uint64_t now, bool final, uint64_t *lost, unsigned *reports)
{
	uint64_t n = 0;

	for (;;) {
		struct flow_item item = flow_cursor_read(store, c, now, final);

		if (item.kind == FLOW_ITEM_NONE)
			return n;
		if (item.kind == FLOW_ITEM_FLOW) {
			n++;
			continue;
		}
		ck_assert_int_eq(item.lost.kind, FLOW_LOSS_STORE);
		*lost += item.lost.count;
		++*reports;
	}
}

START_TEST(what_a_reader_misses_is_counted_exactly)
{
	struct flow_cursor c;
	uint64_t read = 0, lost = 0, now = NOW;
	unsigned reports = 0;

	setup(100);
	c = flow_cursor_at(store, 1, now);
	for (unsigned i = 0; i < 50; i++, now += SECOND / 10) {
		add(70 + i * 3);
		for (int k = 0; k < 40; k++) { /* a slow one: forty at a time */
			struct flow_item item = flow_cursor_read(store, &c, now, false);

			if (item.kind == FLOW_ITEM_FLOW)
				read++;
			if (item.kind == FLOW_ITEM_LOST) {
				lost += item.lost.count;
				reports++;
			}
		}
	}
	ck_assert_uint_le(reports, 6); /* in five seconds: one a second */
	read += drain(&c, now, true, &lost, &reports);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(read + lost, flow_store_next(store) - 1);
	ck_assert_uint_eq(flow_store_lost(store, FLOW_LOSS_STORE), lost);
	teardown();
}
END_TEST

START_TEST(losses_come_in_their_place_once_a_second)
{
	struct flow_cursor c;
	struct flow_item item;

	setup(100);
	c = flow_cursor_at(store, flow_store_next(store), NOW);
	add(1);
	flow_store_note_loss(store, FLOW_LOSS_RING, 3, 0, NOW);
	flow_store_note_loss(store, FLOW_LOSS_QUEUE, 5, -1, NOW + 1);
	flow_store_note_loss(store, FLOW_LOSS_RING, 4, 1, NOW + SECOND / 2);
	ck_assert(flow_store_gathering(store, NOW + SECOND / 2));
	add(1);
	ck_assert_int_eq(flow_cursor_read(store, &c, NOW + SECOND - 1, false).kind, FLOW_ITEM_FLOW);
	item = flow_cursor_read(store, &c, NOW + SECOND, false);
	ck_assert_int_eq(item.kind, FLOW_ITEM_LOST);
	ck_assert_int_eq(item.lost.kind, FLOW_LOSS_RING);
	ck_assert_uint_eq(item.lost.count, 7);
	ck_assert_int_eq(item.lost.cpu, -1); /* of several CPUs */
	ck_assert_uint_eq(item.lost.last_ns - item.lost.first_ns, SECOND / 2);
	ck_assert_int_eq(flow_cursor_read(store, &c, NOW + SECOND, false).kind, FLOW_ITEM_FLOW);
	ck_assert_int_eq(flow_cursor_read(store, &c, NOW + SECOND, false).kind, FLOW_ITEM_NONE);
	item = flow_cursor_read(store, &c, NOW + SECOND + 1, false);
	ck_assert_int_eq(item.lost.kind, FLOW_LOSS_QUEUE);
	ck_assert_uint_eq(item.lost.count, 5);
	ck_assert(!flow_store_gathering(store, NOW + 2 * SECOND));
	ck_assert_uint_eq(flow_store_lost(store, FLOW_LOSS_RING), 7);
	teardown();
}
END_TEST

START_TEST(a_reader_is_not_told_of_losses_before_its_first_flow)
{
	struct flow_cursor c;

	setup(100);
	add(1);
	flow_store_note_loss(store, FLOW_LOSS_RING, 3, 0, NOW);
	add(2);
	c = flow_cursor_at(store, 3, NOW + 5 * SECOND);
	ck_assert_int_eq(flow_cursor_read(store, &c, NOW + 5 * SECOND, true).kind, FLOW_ITEM_FLOW);
	ck_assert_int_eq(flow_cursor_read(store, &c, NOW + 5 * SECOND, true).kind, FLOW_ITEM_NONE);
	c = flow_cursor_at(store, 1, NOW + 5 * SECOND);
	ck_assert_int_eq(flow_cursor_read(store, &c, NOW, true).kind, FLOW_ITEM_FLOW);
	ck_assert_int_eq(flow_cursor_read(store, &c, NOW, true).kind, FLOW_ITEM_LOST);
	teardown();
}
END_TEST

START_TEST(a_clock_set_back_holds_nothing_up)
{
	struct flow_cursor c;

	setup(10);
	c = flow_cursor_at(store, 1, NOW);
	flow_store_note_loss(store, FLOW_LOSS_RING, 3, 0, NOW);
	ck_assert_int_eq(flow_cursor_read(store, &c, NOW - 100 * SECOND, false).kind, FLOW_ITEM_LOST);
	teardown();
}
END_TEST

static void count_wake(void *userdata)
{
	++*(unsigned *)userdata;
}

START_TEST(it_wakes_once_for_a_batch)
{
	unsigned woken = 0;

	setup(10);
	flow_store_arm(store, count_wake, &woken);
	add(5);
	ck_assert_uint_eq(woken, 1);
	flow_store_arm(store, count_wake, &woken);
	flow_store_note_loss(store, FLOW_LOSS_RING, 1, 0, NOW);
	ck_assert_uint_eq(woken, 2);
	teardown();
}
END_TEST

static struct flow big_flow(void)
{
	static const struct l7_ends ends;
	struct flow f = new_flow(flow_peer_ref(peer), flow_peer_ref(peer));
	char text[L7_STR_MAX];

	memset(text, 'x', sizeof(text));
	f.ev.type = WEIR_EV_L7;
	f.l7 = l7_record_new(L7_HTTP, &ends);
	for (unsigned key = 0; key < L7_ATTRS_MAX; key++)
		l7_record_str(f.l7, key, text, sizeof(text));
	return f;
}

/* What strangers write into records does not fill the memory: the oldest flows go before the ring is full. */
START_TEST(records_of_layer_7_have_a_budget)
{
	const unsigned n = 5000;
	struct flow_cursor c;
	struct flow_item item;
	size_t size = 0, kept;

	setup(2 * n);
	c = flow_cursor_at(store, 1, NOW);
	add(3);
	for (unsigned i = 0; i < n; i++) {
		struct flow f = big_flow();

		size = l7_record_memory(f.l7);
		flow_store_add(store, &f);
	}
	kept = flow_store_next(store) - flow_store_first(store);
	ck_assert_uint_gt(size, L7_ATTRS_MAX * L7_STR_MAX);
	ck_assert_uint_eq(kept, FLOW_STORE_L7_MAX / size);
	ck_assert_ptr_null(flow_store_get(store, flow_store_first(store) - 1));
	ck_assert_ptr_nonnull(flow_store_get(store, flow_store_first(store)));
	item = flow_cursor_read(store, &c, NOW, false);
	ck_assert(item.kind == FLOW_ITEM_LOST && item.lost.count == n + 3 - kept);
	add(2 * n); /* and all of it is given back */
	ck_assert_uint_eq(flow_store_next(store) - flow_store_first(store), 2 * n);
	teardown();
}
END_TEST

UNIT_MAIN(store, records_of_layer_7_have_a_budget, the_ring_keeps_the_newest, what_a_reader_misses_is_counted_exactly,
	  losses_come_in_their_place_once_a_second, a_reader_is_not_told_of_losses_before_its_first_flow,
	  a_clock_set_back_holds_nothing_up, it_wakes_once_for_a_batch)
