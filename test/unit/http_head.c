// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/http_head.h"

#include "test/unit.h"

static struct http_builder b;

/* As a caller does: what stood there before, or else a new one. True: it stood there. */
static bool add(const char *name, const char *value)
{
	int r = http_builder_repeat(&b, name, strlen(name), value, strlen(value));

	ck_assert_int_ge(r, 0);
	if (r == 0)
		ck_assert_int_eq(http_builder_add(&b, name, strlen(name), value, strlen(value)), 0);
	return r;
}

static void check(const struct http_header *h, const char *name, const char *value)
{
	ck_assert_str_eq(h->name, name);
	ck_assert_str_eq(h->value, value);
	ck_assert_uint_eq(h->name_len, strlen(name));
	ck_assert_uint_eq(h->value_len, strlen(value));
}

START_TEST(what_stands_there_is_repeated)
{
	for (int turn = 0; turn < 3; turn++) {
		struct http_head head = {};

		http_builder_clear(&b);
		http_builder_clear(&b); /* nothing is forgotten by that */
		ck_assert_int_eq(add(":method", "GET"), turn > 0);
		ck_assert_int_eq(add(":path", "/"), turn > 0);
		ck_assert(!add("id", turn == 0 ? "aa" : turn == 1 ? "bb" : "cc"));
		ck_assert_int_eq(add("x", ""), turn > 0);
		http_builder_seal(&b, &head);
		http_builder_seal(&b, &head);
		ck_assert_uint_eq(head.n_headers, 2);
		check(&head.headers[0], "id", turn == 0 ? "aa" : turn == 1 ? "bb" : "cc");
		check(&head.headers[1], "x", "");
		ck_assert_str_eq(head.method, "GET");
		ck_assert_str_eq(head.target, "/");
	}
	http_builder_done(&b);
}
END_TEST

START_TEST(what_stands_elsewhere_is_not)
{
	struct http_head head = {};

	ck_assert(!add("a", "1"));
	ck_assert(!add("b", "2"));
	ck_assert(!add("c", "3"));
	http_builder_clear(&b);
	ck_assert(!add("b", "2"));
	ck_assert(!add("a", "1"));
	ck_assert(add("c", "3")); /* none was longer */
	ck_assert(!add("d", "4"));
	http_builder_clear(&b);
	ck_assert(!add("b", "22"));
	ck_assert(!add("a", "1"));
	ck_assert(!add("c", "3"));
	http_builder_clear(&b);
	ck_assert(add("b", "22"));
	http_builder_clear(&b);
	ck_assert(add("b", "22"));
	ck_assert(!add("a", "1")); /* the head before this had one header */
	http_builder_clear(&b);
	ck_assert(!add("b", "2"));
	ck_assert(!add("a", "1")); /* whole, and further on than it should be */
	ck_assert(!add("c", "33333"));
	http_builder_seal(&b, &head);
	check(&head.headers[1], "a", "1");
	check(&head.headers[2], "c", "33333");
	http_builder_clear(&b);
	ck_assert(!add("c", "2"));
	http_builder_done(&b);
}
END_TEST

/* Whoever finds no name wanting may not pass by having been there, or by what blanks were written over. */
START_TEST(what_nobody_looked_at_is_not)
{
	struct http_head head = {};

	ck_assert(!add("", ""));
	http_builder_clear(&b);
	ck_assert(!add("", ""));
	http_builder_clear(&b);

	ck_assert(!add("a", "11"));
	ck_assert(!add("bb", "2"));
	http_builder_clear(&b);
	ck_assert(!add("a", "11          ")); /* over what b was, and then back to where it began */
	ck_assert(!add("  ", " "));
	http_builder_seal(&b, &head);
	check(&head.headers[0], "a", "11");
	check(&head.headers[1], "  ", "");
	http_builder_done(&b);
}
END_TEST

START_TEST(headers_keep_their_place_when_the_text_moves)
{
	char name[16], value[64];
	struct http_head head = {};

	for (int turn = 0; turn < 2; turn++) {
		http_builder_clear(&b);
		for (int i = 0; i < HTTP_HEADERS_MAX; i++) {
			snprintf(name, sizeof(name), "n%d", i);
			snprintf(value, sizeof(value), "%050d", i);
			add(name, value);
		}
		ck_assert_int_eq(http_builder_add(&b, "n", 1, "v", 1), -E2BIG);
		http_builder_seal(&b, &head);
		ck_assert_uint_eq(head.n_headers, HTTP_HEADERS_MAX);
		for (int i = 0; i < HTTP_HEADERS_MAX; i++) {
			snprintf(name, sizeof(name), "n%d", i);
			snprintf(value, sizeof(value), "%050d", i);
			check(&head.headers[i], name, value);
		}
	}
	/* So many is too many, though all stood there. */
	http_builder_clear(&b);
	ck_assert_int_eq(http_builder_pass(&b, 1), 0);
	for (int i = 0; i < HTTP_HEADERS_MAX - 1; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		snprintf(value, sizeof(value), "%050d", i);
		add(name, value);
	}
	snprintf(name, sizeof(name), "n%d", HTTP_HEADERS_MAX - 1);
	snprintf(value, sizeof(value), "%050d", HTTP_HEADERS_MAX - 1);
	ck_assert_int_ne(http_builder_repeat(&b, name, strlen(name), value, strlen(value)), 1);
	http_builder_done(&b);
}
END_TEST

UNIT_MAIN(http_head, what_stands_there_is_repeated, what_stands_elsewhere_is_not, what_nobody_looked_at_is_not,
	  headers_keep_their_place_when_the_text_moves)
