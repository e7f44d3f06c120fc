// SPDX-License-Identifier: Apache-2.0
#include "cli/times.h"

#include <time.h>

#include "cli/flow_text.h"
#include "test/unit.h"

#define SECOND 1000000000ull
#define NOW (1700000000 * SECOND)

static void check_time(const char *text, uint64_t want)
{
	uint64_t ns = 0;
	int r = time_parse(text, NOW, &ns);

	ck_assert_msg(want ? r == 0 && ns == want : r == -EINVAL, "%s: %d, %llu", text, r, (unsigned long long)ns);
}

START_TEST(moments)
{
	check_time("90s", NOW - 90 * SECOND);
	check_time("1h30m", NOW - 5400 * SECOND);
	check_time("1.5s", NOW - 3 * SECOND / 2);
	check_time("2d", NOW - 2 * 86400 * SECOND);
	check_time("250ms", NOW - SECOND / 4);
	check_time("2023-11-14T22:13:20Z", NOW);
	check_time("2023-11-14T23:13:20+01:00", NOW);
	check_time("2023-11-14T21:43:20.000000001-00:30", NOW + 1);
	check_time("2023-11-14T22:13:20.5", NOW + SECOND / 2);
	check_time("2023-11-14T22:13", NOW - 20 * SECOND);
	check_time("2023-11-14", NOW - (22 * 3600 + 13 * 60 + 20) * SECOND);
	check_time("", 0);
	check_time("5", 0);
	check_time("5x", 0);
	check_time("-5s", 0);
	check_time("s", 0);
	check_time("99999999999999w", 0);
	check_time("2023-11-14T22:13:20Zx", 0);
	check_time("2023-11-14T22:13:20+25:00", 0);
	check_time("1960-01-01", 0);
	check_time("yesterday", 0);
}
END_TEST

static void check_format(const char *name, const char *want)
{
	char buf[TIME_STRLEN];

	ck_assert_str_eq(time_format(time_layout(name), NOW + 12345678, buf), want);
}

START_TEST(formats)
{
	setenv("TZ", "XXX-5:30", 1); /* the zone of this machine is of no matter */
	tzset();
	check_format("StampMilli", "Nov 14 22:13:20.012");
	check_format("RFC3339", "2023-11-14T22:13:20Z");
	check_format("RFC3339Milli", "2023-11-14T22:13:20.012Z");
	check_format("RFC3339Micro", "2023-11-14T22:13:20.012345Z");
	check_format("RFC3339Nano", "2023-11-14T22:13:20.012345678Z");
	check_format("RFC1123Z", "Tue, 14 Nov 2023 22:13:20 +0000");
	check_format("YearMonthDay", "2023-11-14");
	ck_assert_ptr_null(time_layout("nope"));
}
END_TEST

START_TEST(terminals_obey_nothing)
{
	char buf[64], small[6];

	ck_assert_str_eq(printable("a\x1b[31m\r\n\t\x07\x7f", buf, sizeof(buf)), "a^[[31m\\r\\n\\t\\x07\\x7f");
	ck_assert_str_eq(printable("caf\xc3\xa9 \xc2\x9b"
				   "31m",
				   buf, sizeof(buf)),
			 "caf\xc3\xa9 \\x9b31m");
	ck_assert_str_eq(printable("a\xe2\x80\xae"
				   "b\xe2\x81\xa9\xe2\x82\xac\xe2\x80",
				   buf, sizeof(buf)),
			 "a\\u202eb\\u2069\xe2\x82\xac\xe2\x80");
	ck_assert_str_eq(printable("abcdef", small, sizeof(small)), "ab");
}
END_TEST

UNIT_MAIN(times, moments, formats, terminals_obey_nothing)
