// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/cards.h"
#include "test/unit.h"

static struct l7_record *new_record(enum l7_kind kind, uint8_t host, uint16_t port)
{
	struct l7_ends ends = { .port = { 1000, port } };
	struct l7_record *r;

	ends.addr[1].b[15] = host;
	r = l7_record_new(kind, &ends);
	ck_assert_ptr_nonnull(r);
	r->outcome = L7_OK;
	return r;
}

static void fetch(struct cards *c, uint8_t host, uint16_t port, const char *name, const char *version,
		  enum l7_outcome outcome)
{
	_cleanup_(l7_record_freep) struct l7_record *r = new_record(L7_HTTP, host, port);

	r->outcome = outcome;
	l7_record_str(r, L7_KEY_GEN_AI_AGENT, name, strlen(name));
	if (version)
		l7_record_str(r, L7_KEY_GEN_AI_AGENT_VERSION, version, strlen(version));
	cards_apply(c, r);
}

static void check_call(struct cards *c, enum l7_kind kind, uint8_t host, uint16_t port, uint16_t flags,
		       const char *name, const char *version)
{
	_cleanup_(l7_record_freep) struct l7_record *r = new_record(kind, host, port);

	r->flags = flags;
	cards_apply(c, r);
	ck_assert_pstr_eq(l7_record_get(r, L7_KEY_GEN_AI_AGENT), name);
	ck_assert_pstr_eq(l7_record_get(r, L7_KEY_GEN_AI_AGENT_VERSION), version);
}

START_TEST(calls_get_the_callee_s_name)
{
	_cleanup_(cards_freep) struct cards *c = cards_new();

	check_call(c, L7_A2A, 1, 80, 0, NULL, NULL);
	fetch(c, 1, 80, "Travel", "1.2", L7_OK);
	check_call(c, L7_A2A, 1, 80, 0, "Travel", "1.2");
	check_call(c, L7_A2A, 1, 80, 0, "Travel", "1.2");
	check_call(c, L7_A2A, 1, 81, 0, NULL, NULL);
	check_call(c, L7_A2A, 2, 80, 0, NULL, NULL);
	check_call(c, L7_HTTP, 1, 80, 0, NULL, NULL);
	check_call(c, L7_A2A, 1, 80, L7_FROM_SERVER, NULL, NULL);
}
END_TEST

START_TEST(the_latest_card_counts)
{
	_cleanup_(cards_freep) struct cards *c = cards_new();

	fetch(c, 1, 80, "Travel", "1.2", L7_OK);
	fetch(c, 1, 80, "Hotels", NULL, L7_OK);
	check_call(c, L7_A2A, 1, 80, 0, "Hotels", NULL);
	fetch(c, 1, 80, "Half of a c", NULL, L7_CANCELLED);
	check_call(c, L7_A2A, 1, 80, 0, "Hotels", NULL);
}
END_TEST

START_TEST(their_number_is_bounded)
{
	_cleanup_(cards_freep) struct cards *c = cards_new();

	for (unsigned port = 1; port <= CARDS_MAX + 1; port++)
		fetch(c, 1, (uint16_t)port, "x", NULL, L7_OK);
	check_call(c, L7_A2A, 1, 1, 0, NULL, NULL);
	check_call(c, L7_A2A, 1, 2, 0, "x", NULL);
	check_call(c, L7_A2A, 1, CARDS_MAX + 1, 0, "x", NULL);
}
END_TEST

UNIT_MAIN(cards, calls_get_the_callee_s_name, the_latest_card_counts, their_number_is_bounded)
