// SPDX-License-Identifier: Apache-2.0
#include "lib/err.h"
#include "test/unit.h"

START_TEST(m_is_what_the_code_says)
{
	struct err e;

	errno = EBADF;
	ck_assert_int_eq(err_set(&e, -ENOSPC, "cannot write: %m"), -ENOSPC);
	ck_assert_str_eq(e.msg, "cannot write: No space left on device");
}
END_TEST

/* A plugin's codes are positive. */
START_TEST(m_is_errno_where_the_code_says_nothing)
{
	struct err e;

	errno = ENOSPC;
	ck_assert_int_eq(err_set(&e, 5, "cannot write: %m"), 5);
	ck_assert_str_eq(e.msg, "cannot write: No space left on device");
}
END_TEST

START_TEST(a_prefix_goes_before_the_story)
{
	struct err e;

	err_set(&e, -EINVAL, "not a port");
	ck_assert_int_eq(err_prefix(&e, -EINVAL, "probe %d", 3), -EINVAL);
	ck_assert_str_eq(e.msg, "probe 3: not a port");
	ck_assert_int_eq(err_prefix(NULL, -EINVAL, "nobody asks"), -EINVAL);
}
END_TEST

START_TEST(long_stories_are_cut)
{
	struct err e;
	char text[2 * sizeof(e.msg)];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	err_set(&e, -EINVAL, "%s", text);
	ck_assert_uint_eq(strlen(e.msg), sizeof(e.msg) - 1);
	err_prefix(&e, -EINVAL, "%s", text);
	ck_assert_uint_lt(strlen(e.msg), sizeof(e.msg));
	ck_assert_ptr_nonnull(strstr(e.msg, "x: x"));
}
END_TEST

/* Or neither JSON nor a terminal takes what is left of it. */
START_TEST(nothing_is_cut_within_a_letter)
{
	static const char *const letters[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };
	struct err e;
	char text[2 * sizeof(e.msg)];

	for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
		for (size_t shift = 0; shift < 4; shift++) {
			size_t size = strlen(letters[i]), len = shift;

			memset(text, 'x', shift);
			for (; len + size < sizeof(text); len += size)
				memcpy(text + len, letters[i], size);
			text[len] = 0;
			err_set(&e, -EINVAL, "%s", text);
			ck_assert_uint_eq((strlen(e.msg) - shift) % size, 0);
			ck_assert_uint_gt(strlen(e.msg), sizeof(e.msg) - 1 - size);
			err_prefix(&e, -EINVAL, "%s", text);
			ck_assert_uint_eq((strlen(strstr(e.msg, ": ") + 2) - shift) % size, 0);
			ck_assert_uint_eq((strlen(e.msg) - strlen(strstr(e.msg, ": ")) - shift) % size, 0);
		}
}
END_TEST

UNIT_MAIN(err, m_is_what_the_code_says, m_is_errno_where_the_code_says_nothing, a_prefix_goes_before_the_story,
	  long_stories_are_cut, nothing_is_cut_within_a_letter)
