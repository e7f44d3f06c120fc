// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/cards.h"
#include "test/unit.h"

static uint32_t identity = 1000; /* of whoever has the address */
static const char *folder = "";  /* before /.well-known, and before what is called */

static struct l7_record *new_record(enum l7_kind kind, uint8_t host, uint16_t port, const char *path)
{
	struct l7_ends ends = { .port = { 1000, port }, .identity = { 7, identity } };
	struct l7_record *r;
	char text[L7_STR_MAX];

	ends.addr[1].b[15] = host;
	r = l7_record_new(kind, &ends);
	ck_assert_ptr_nonnull(r);
	r->outcome = L7_OK;
	snprintf(text, sizeof(text), "%s%s", folder, path);
	l7_record_str(r, L7_KEY_URL_PATH, text, strlen(text));
	return r;
}

static void fetch(struct cards *c, uint8_t host, uint16_t port, const char *name, const char *version,
		  enum l7_outcome outcome)
{
	_cleanup_(l7_record_freep) struct l7_record *r =
	    new_record(L7_HTTP, host, port, "/.well-known/agent-card.json");

	r->outcome = outcome;
	l7_record_str(r, L7_KEY_GEN_AI_AGENT, name, strlen(name));
	if (version)
		l7_record_str(r, L7_KEY_GEN_AI_AGENT_VERSION, version, strlen(version));
	cards_apply(c, r);
}

static void check_path(struct cards *c, enum l7_kind kind, uint8_t host, uint16_t port, const char *path,
		       uint16_t flags, const char *name, const char *version)
{
	_cleanup_(l7_record_freep) struct l7_record *r = new_record(kind, host, port, path);

	r->flags = flags;
	cards_apply(c, r);
	ck_assert_pstr_eq(l7_record_get(r, L7_KEY_GEN_AI_AGENT), name);
	ck_assert_pstr_eq(l7_record_get(r, L7_KEY_GEN_AI_AGENT_VERSION), version);
}

static void check_call(struct cards *c, enum l7_kind kind, uint8_t host, uint16_t port, uint16_t flags,
		       const char *name, const char *version)
{
	check_path(c, kind, host, port, "/rpc", flags, name, version);
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

START_TEST(another_with_the_same_address_is_another)
{
	_cleanup_(cards_freep) struct cards *c = cards_new();

	fetch(c, 1, 80, "Travel", "1.2", L7_OK);
	identity = 1001;
	check_call(c, L7_A2A, 1, 80, 0, NULL, NULL);
	identity = 1000;
	check_call(c, L7_A2A, 1, 80, 0, NULL, NULL);
}
END_TEST

START_TEST(several_at_one_address)
{
	static const struct {
		const char *folder, *name;
	} cases[] = { { "", "Gate" },           { "/x", "Gate" },         { "/agents/a", "A" },
		      { "/agents/a/b/c", "A" }, { "/agents/ab", "Gate" }, { "/agents", "Gate" } };
	_cleanup_(cards_freep) struct cards *c = cards_new();

	folder = "/agents/a";
	fetch(c, 1, 80, "A", NULL, L7_OK);
	folder = "/agents/ab";
	check_call(c, L7_A2A, 1, 80, 0, NULL, NULL);
	folder = "";
	check_path(c, L7_A2A, 1, 80, "/agents/a", 0, "A", NULL);
	check_call(c, L7_A2A, 1, 80, 0, NULL, NULL);
	fetch(c, 1, 80, "Gate", NULL, L7_OK);
	check_path(c, L7_A2A, 1, 80, "/", 0, "Gate", NULL);
	check_path(c, L7_A2A, 1, 80, "", 0, "Gate", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		folder = cases[i].folder;
		check_call(c, L7_A2A, 1, 80, 0, cases[i].name, NULL);
	}
	folder = "";
}
END_TEST

/* Longer than what is kept of a card's folder: that of another is not taken for it. */
START_TEST(folders_that_are_long)
{
	_cleanup_(cards_freep) struct cards *c = cards_new();
	char text[300] = "/";

	memset(text + 1, 'a', sizeof(text) - 2);
	folder = text;
	fetch(c, 1, 80, "A", NULL, L7_OK);
	check_call(c, L7_A2A, 1, 80, 0, NULL, NULL);
	folder = "";
	check_call(c, L7_A2A, 1, 80, 0, NULL, NULL);
	fetch(c, 1, 80, "Gate", NULL, L7_OK);
	folder = text;
	check_call(c, L7_A2A, 1, 80, 0, "Gate", NULL);
	folder = "";
}
END_TEST

START_TEST(their_number_is_bounded)
{
	_cleanup_(cards_freep) struct cards *c = cards_new();

	for (unsigned port = 1; port <= CARDS_MAX + 1; port++)
		fetch(c, 1, (uint16_t)port, "x", NULL, L7_OK);
	check_call(c, L7_A2A, 1, 1, 0, NULL, NULL);
	check_call(c, L7_A2A, 1, 2, 0, "x", NULL);
	fetch(c, 1, CARDS_MAX + 2, "x", NULL, L7_OK); /* the one goes that was of no use for longest */
	check_call(c, L7_A2A, 1, 2, 0, "x", NULL);
	check_call(c, L7_A2A, 1, 3, 0, NULL, NULL);
	check_call(c, L7_A2A, 1, CARDS_MAX + 1, 0, "x", NULL);
}
END_TEST

/* Who serves many forgets its own. */
START_TEST(one_address_does_not_make_others_forgotten)
{
	_cleanup_(cards_freep) struct cards *c = cards_new();

	fetch(c, 2, 80, "Travel", NULL, L7_OK);
	for (unsigned port = 1; port <= CARDS_MAX + 5; port++)
		fetch(c, 1, (uint16_t)port, "x", NULL, L7_OK);
	check_call(c, L7_A2A, 2, 80, 0, "Travel", NULL);
	check_call(c, L7_A2A, 1, 5, 0, NULL, NULL);
	fetch(c, 3, 80, "Hotels", NULL, L7_OK);
	check_call(c, L7_A2A, 3, 80, 0, "Hotels", NULL);
}
END_TEST

UNIT_MAIN(cards, calls_get_the_callee_s_name, the_latest_card_counts, another_with_the_same_address_is_another,
	  several_at_one_address, folders_that_are_long, their_number_is_bounded,
	  one_address_does_not_make_others_forgotten)
