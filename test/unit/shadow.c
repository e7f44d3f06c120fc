// SPDX-License-Identifier: Apache-2.0
#include "agent/shadow.h"
#include "test/unit.h"

START_TEST(agrees_with_an_array_over_many_changes)
{
	enum { KEYS = 500, STEPS = 20000 };
	struct shadow s;
	uint64_t model[KEYS] = {}; /* 0: not there */
	uint32_t random = 1;
	size_t n = 0, seen = 0, cursor = 0;
	const void *key;
	void *val;

	shadow_init(&s, 5, sizeof(uint64_t));
	for (uint64_t step = 1; step <= STEPS; step++) {
		uint8_t k[5];
		uint32_t i;

		random = random * 1664525 + 1013904223;
		i = (random >> 8) % KEYS;
		memcpy(k, &i, 4);
		k[4] = 7;
		if (random >> 30) {
			n += !model[i];
			model[i] = step;
			ck_assert_int_eq(shadow_set(&s, k, &step, (uint32_t)step), 0);
		} else {
			n -= !!model[i];
			model[i] = 0;
			shadow_del(&s, k);
		}
		val = shadow_get(&s, k);
		ck_assert(!val == !model[i]);
		ck_assert(!val || *(uint64_t *)val == model[i]);
		ck_assert_uint_eq(s.n, n);
	}
	while (shadow_next(&s, &cursor, &key, &val)) {
		uint32_t i;

		memcpy(&i, key, 4);
		ck_assert_uint_eq(*(uint64_t *)val, model[i]);
		ck_assert_uint_eq(shadow_mark_of(&s, val), (uint32_t)model[i]);
		seen++;
	}
	ck_assert_uint_eq(seen, n);
	shadow_done(&s);
}
END_TEST

START_TEST(what_is_not_marked_can_be_swept_while_iterating)
{
	struct shadow s;
	size_t cursor = 0;
	const void *key;
	void *val;

	shadow_init(&s, 4, 4);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_int_eq(shadow_set(&s, &i, &i, i % 2), 0);
	while (shadow_next(&s, &cursor, &key, &val))
		if (shadow_mark_of(&s, val) == 0)
			shadow_del(&s, key);
	ck_assert_uint_eq(s.n, 50);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert(!shadow_get(&s, &i) == !(i % 2));
	shadow_done(&s);
}
END_TEST

UNIT_MAIN(shadow, agrees_with_an_array_over_many_changes, what_is_not_marked_can_be_swept_while_iterating)
