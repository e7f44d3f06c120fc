// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/names.h"
#include "test/unit.h"

#define SECOND 1000000000ull

static struct weir_addr host(uint32_t n)
{
	struct weir_addr a = {};

	memcpy(a.b + 12, &n, sizeof(n));
	return a;
}

static void learn(struct names *n, uint32_t client, uint32_t addr, const char *name, uint32_t ttl, uint64_t now)
{
	struct weir_addr c = host(client), a = host(addr);

	names_learn(n, &c, &a, name, ttl, now);
}

static void check_names(struct names *n, uint32_t client, uint32_t addr, uint64_t now, const char *want)
{
	struct weir_addr c = host(client), a = host(addr);
	struct flow_names *got = names_get(n, &c, &a, now);
	char text[256] = "";

	for (size_t i = 0; got && i < got->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "", got->name[i]);
	ck_assert_str_eq(text, want);
	flow_names_unref(got);
}

START_TEST(a_client_s_answers_are_its_own)
{
	struct names *n = names_new();

	check_names(n, 1, 9, 0, "");
	learn(n, 1, 9, "api.example.com", 30, 0);
	check_names(n, 1, 9, 1, "api.example.com");
	check_names(n, 2, 9, 1, "");
	check_names(n, 1, 8, 1, "");
	names_free(n);
}
END_TEST

START_TEST(the_latest_name_stands_first)
{
	static const char *const names[] = { "a", "b", "a", "c", "d", "e" };
	struct names *n = names_new();
	struct weir_addr c = host(1), a = host(9);
	struct flow_names *held;

	for (size_t i = 0; i < 4; i++)
		learn(n, 1, 9, names[i], 30, i);
	held = names_get(n, &c, &a, 5);
	learn(n, 1, 9, names[4], 30, 6);
	learn(n, 1, 9, names[5], 30, 7);
	check_names(n, 1, 9, 8, "e d c a");
	ck_assert_uint_eq(held->n, 3);
	ck_assert_str_eq(held->name[0], "c");
	names_free(n);
	flow_names_unref(held); /* a flow outlives what was known then */
}
END_TEST

START_TEST(they_are_forgotten)
{
	struct names *n = names_new();

	learn(n, 1, 9, "short", 30, 0);
	learn(n, 1, 8, "long", 2 * NAMES_KEPT_SEC, 0);
	check_names(n, 1, 9, NAMES_KEPT_SEC * SECOND, "short");
	check_names(n, 1, 9, NAMES_KEPT_SEC * SECOND + 1, "");
	check_names(n, 1, 8, NAMES_KEPT_SEC * SECOND + 1, "long");
	for (uint32_t i = 0; i < NAMES_MAX; i++)
		learn(n, 2, i, "many", 30, 0);
	check_names(n, 1, 8, 1, "");
	check_names(n, 2, 0, 1, "many");
	names_free(n);
}
END_TEST

UNIT_MAIN(names, a_client_s_answers_are_its_own, the_latest_name_stands_first, they_are_forgotten)
