// SPDX-License-Identifier: Apache-2.0
/* Event streams, however they are cut into pieces. */
#include "agent/l7/sse.h"
#include "test/unit.h"

static char got[1024];

static void on_data(_unused_ void *userdata, const char *data, size_t len)
{
	size_t n = strlen(got);

	snprintf(got + n, sizeof(got) - n, "%.*s", (int)len, data);
}

static void on_event(_unused_ void *userdata)
{
	strncat(got, "|", sizeof(got) - strlen(got) - 1);
}

static struct sse reader(void)
{
	got[0] = '\0';
	return (struct sse){ .data = on_data, .event = on_event };
}

/* Whole, cut in two at every place, and byte by byte. "|" stands for an event's end. */
static void check(const char *text, const char *want)
{
	size_t len = strlen(text);
	struct sse s;

	for (size_t i = 0; i <= len; i++) {
		s = reader();
		sse_feed(&s, text, i);
		sse_feed(&s, text + i, len - i);
		ck_assert_str_eq(got, want);
	}
	s = reader();
	for (size_t i = 0; i < len; i++)
		sse_feed(&s, text + i, 1);
	ck_assert_str_eq(got, want);
}

START_TEST(line_ends)
{
	check("data: a\n\ndata: b\n\n", "a|b|");
	check("data: a\r\n\r\ndata: b\r\n\r\n", "a|b|");
	check("data: a\r\rdata: b\r\r", "a|b|");
	check("data: a\r\n\ndata: b\n\r\n\r", "a|b|");
	check("data: a\n\r\ndata: b\r\n\n", "a|b|");
}
END_TEST

START_TEST(several_lines_of_data)
{
	check("data: a\ndata: b\n\n", "a\nb|");
	check("data: a\ndata:\ndata\ndata: b\n\n", "a\n\n\nb|");
	check("data\n\ndata:\n\n", "||");
	check("data: {\r\ndata: }\r\n\r\n", "{\n}|");
}
END_TEST

START_TEST(what_is_no_data)
{
	check(": comment\n:\n\n", "");
	check("event: x\nid: 1\nretry: 5\n\n\n\n", "");
	check("datum: a\ndat: b\nDATA: c\ndata : d\n\n", "");
	check(": ping\ndata: a\n: ping\nevent: m\n\n", "a|");
	check("averylongfieldname: data: x\n\n", "");
}
END_TEST

START_TEST(spaces)
{
	check("data:a\n\ndata:  b\n\ndata: \n\ndata:\tc\n\n", "a| b||\tc|");
	check("data: a:b: c\n\n", "a:b: c|");
}
END_TEST

START_TEST(byte_order_mark)
{
	check("\xef\xbb\xbf"
	      "data: a\n\n",
	      "a|");
	check("\xef\xbb\xbf\ndata: a\n\n", "a|");
	check("data: a\n\n\xef\xbb\xbf"
	      "data: b\n\n",
	      "a|"); /* anywhere else it belongs to the name */
	check("\xef\xbb"
	      "data: a\n\n",
	      "");
}
END_TEST

START_TEST(not_ended)
{
	check("data: a\n\ndata: b\n", "a|b");
	check("data: a\n\ndata: b", "a|b");
}
END_TEST

START_TEST(missing_bytes)
{
	struct sse s = reader();

	sse_feed(&s, "data: {\"x\":", 11);
	sse_skip_line(&s);
	sse_feed(&s, "lost}\ndata: rest\n\ndata: b\n\n", 27);
	ck_assert_str_eq(got, "{\"x\":rest|b|"); /* the consumer knows that the first is not whole */
}
END_TEST

UNIT_MAIN(sse, line_ends, several_lines_of_data, what_is_no_data, spaces, byte_order_mark, not_ended, missing_bytes)
