// SPDX-License-Identifier: Apache-2.0
/* What the scanner hands over, however the document is cut into pieces. */
#include "agent/l7/json_scan.h"
#include "test/unit.h"

static const struct json_path paths[] = { JSON_PATH(".id"),    JSON_PATH(".params.name"), JSON_PATH(".list[].x"),
					  JSON_PATH(".a\\.b"), JSON_PATH(".a.b"),         JSON_PATH(".grid[][]"),
					  JSON_PATH(".params") };

static char got[4096];

/* "path type value;" for each, "whole" or "cut" for a message. */
static void on_value(_unused_ void *userdata, size_t path, enum json_type type, const char *s, size_t len)
{
	static const char letters[] = "sntf0c";
	size_t n = strlen(got);

	ck_assert_uint_eq(strlen(s), len);
	snprintf(got + n, sizeof(got) - n, "%s %c %s;", paths[path].text, letters[type], s);
}

static void on_message(_unused_ void *userdata, bool whole)
{
	strncat(got, whole ? "whole;" : "cut;", sizeof(got) - strlen(got) - 1);
}

static const struct json_sink sink = {
	.paths = paths, .n_paths = ARRAY_SIZE(paths), .value = on_value, .message = on_message
};

static const char *scan(const char *text, size_t len, size_t split, size_t step)
{
	struct json_scan s;

	got[0] = '\0';
	json_scan_init(&s, &sink, NULL);
	json_scan_feed(&s, text, MIN(split, len));
	for (size_t i = MIN(split, len); i < len; i += step)
		json_scan_feed(&s, text + i, MIN(step, len - i));
	json_scan_end(&s);
	return got;
}

/* Whole, cut in two at every place, and byte by byte. */
static void check_len(const char *text, size_t len, const char *want)
{
	for (size_t i = 0; i <= len; i++)
		ck_assert_str_eq(scan(text, len, i, SIZE_MAX / 2), want);
	ck_assert_str_eq(scan(text, len, 0, 1), want);
}

static void check(const char *text, const char *want)
{
	check_len(text, strlen(text), want);
}

START_TEST(keys_in_any_order)
{
	check("{\"id\":1,\"params\":{\"x\":{\"name\":2},\"name\":\"n\"}}",
	      ".id n 1;.params c ;.params.name s n;whole;");
	check(" {\"params\" : {\"name\" : \"n\"}\r\n,\t\"id\" : 1 } ", ".params c ;.params.name s n;.id n 1;whole;");
	check("{\"list\":[{\"x\":true},{\"y\":1},{\"x\":null}],\"grid\":[[1,2],[],[\"z\"]]}",
	      ".list[].x t true;.list[].x 0 null;.grid[][] n 1;.grid[][] n 2;.grid[][] s z;whole;");
	check("{\"params\":{\"id\":1,\"params\":{\"name\":2}},\"id\":{\"id\":3}}", ".params c ;.id c ;whole;");
}
END_TEST

START_TEST(keys_that_look_like_paths)
{
	check("{\"a.b\":1,\"a\":{\"b\":2}}", ".a\\.b n 1;.a.b n 2;whole;");
	check("{\"params.name\":1,\"list[]\":{\"x\":2},\"list[].x\":3,\"grid[][]\":4,\"a\\\\.b\":5}", "whole;");
	check("{\"id\\u0000\":1,\"id\\u0000x\":2,\"i\\u0064\":3,\"\":4}", ".id n 3;whole;");
}
END_TEST

START_TEST(messages)
{
	check("{\"id\":1}\n{\"id\":2}\n", ".id n 1;whole;.id n 2;whole;");
	check("[{\"id\":1},[{\"id\":2}],3,{\"id\":\"4\"}]", ".id n 1;whole;whole;whole;.id s 4;whole;");
	check("[] {\"id\":1}", ".id n 1;whole;");
	check("17", "whole;");
	check("\"x\"", "whole;");
	check("  \r\n", "");
}
END_TEST

START_TEST(strings)
{
	check("{\"id\":\"\\\"\\\\\\/\\t\\u00e9\\u20AC\\ud83d\\ude00\"}",
	      ".id s \"\\/\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80;whole;");
	check("{\"id\":\"\\ud83d\"}", ".id s \xef\xbf\xbd;whole;");
	check("{\"id\":\"\\ud83dx\\udc00\"}", ".id s \xef\xbf\xbdx\xef\xbf\xbd;whole;");
	check("{\"id\":\"\\ud83d\\ud83d\\ude00\\ud800\\n\"}",
	      ".id s \xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbd\n;whole;");
	check("{\"id\":\"\xff\xc3(\xed\xa0\x80\"}", ".id s \xff\xc3(\xed\xa0\x80;whole;"); /* the record cleans it */
	check("{\"id\":\"\\x\"}", "cut;");
	check("{\"id\":\"\\u12g4\"}", "cut;");
}
END_TEST

START_TEST(long_values_are_cut)
{
	char text[2048], want[1024];

	memset(text, 'x', sizeof(text));
	memcpy(text, "{\"id\":\"", 7);
	memcpy(text + 2000, "\",\"a\":{\"b\":1}}", 15);
	snprintf(want, sizeof(want), ".id s %.*s;.a.b n 1;whole;", JSON_VALUE_MAX, text + 7);
	ck_assert_str_eq(scan(text, strlen(text), 0, 7), want);
	ck_assert_str_eq(scan(text, strlen(text), SIZE_MAX, 1), want);
	memset(text, 'k', 2000); /* and a key of that length is none that is wanted */
	memcpy(text, "{\"id", 4);
	memcpy(text + 2000, "\":1,\"id\":2}", 12);
	ck_assert_str_eq(scan(text, strlen(text), 0, 7), ".id n 2;whole;");
	memset(text, '1', 2000); /* and a number is a mistake */
	memcpy(text, "{\"id\":", 6);
	memcpy(text + 2000, "}", 2);
	ck_assert_str_eq(scan(text, strlen(text), 0, 7), "cut;");
}
END_TEST

START_TEST(numbers)
{
	static const char *const good[] = { "0", "-0", "10", "-1.5", "1e9", "1E+09", "0.0e-1" }, *const bad[] = {
		"01", "-", "1.", ".5", "1e", "1e+", "--1", "1-2", "0x1", "+1", "1.2.3", "nan", "tru", "nullx", "True"
	};
	char text[64], want[64];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(text, sizeof(text), "{\"id\":%s}", good[i]);
		snprintf(want, sizeof(want), ".id n %s;whole;", good[i]);
		check(text, want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "{\"id\":%s,\"a\":{\"b\":1}}", bad[i]);
		check(text, "cut;");
	}
}
END_TEST

START_TEST(mistakes_end_it)
{
	static const char *const bad[] = { "{\"x\":1,}",   "{\"x\" 1}",  "{,}",        "{1:2}",     "{\"x\":[1 2]}",
					   "{\"x\":[1,]}", "{\"x\":[}}", "{\"x\":{]}", "{\"x\":1]", "{\"x\":}" };
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "%s{\"id\":1}", bad[i]);
		check(text, "cut;");
	}
	check("}{\"id\":1}", "");
	check("{\"id\":1}]{\"id\":2}", ".id n 1;whole;");
	check_len("{\"id\":\0}", 8, "cut;");
}
END_TEST

START_TEST(truncated)
{
	check("{\"id\":1", "cut;"); /* more digits may have followed */
	check("{\"id\":1,", ".id n 1;cut;");
	check("{\"id\":\"x", "cut;");
	check("[{\"id\":1},{\"id\":2", ".id n 1;whole;cut;");
	check("{\"id\":\"x\\u00", "cut;");
}
END_TEST

START_TEST(missing_bytes)
{
	struct json_scan s;

	got[0] = '\0';
	json_scan_init(&s, &sink, NULL);
	json_scan_feed(&s, "{\"id\":1,\"x", 10);
	json_scan_break(&s);
	json_scan_feed(&s, "\"id\":2}", 7);
	json_scan_end(&s);
	ck_assert_str_eq(got, ".id n 1;cut;");
}
END_TEST

#define DEEP 20000

START_TEST(depth)
{
	static char text[3 * DEEP + 64];
	size_t n = 0;

	for (int round = 0; round < 2; round++) { /* lists, then objects, with brackets in strings */
		n = (size_t)sprintf(text, "{\"x\":");
		for (int i = 0; i < DEEP; i++)
			text[n++] = '[';
		n += (size_t)sprintf(text + n, "%s", round ? "{\"id\":\"]}\\\"]\"}" : "\"[[\"");
		for (int i = 0; i < DEEP; i++)
			text[n++] = ']';
		n += (size_t)sprintf(text + n, ",\"id\":1}");
		ck_assert_str_eq(scan(text, n, SIZE_MAX, 1), ".id n 1;whole;");
		ck_assert_str_eq(scan(text, n, 0, 1), ".id n 1;whole;");
	}
	ck_assert_str_eq(scan(text, n - DEEP / 2, 0, 997), "cut;");
}
END_TEST

UNIT_MAIN(json_scan, keys_in_any_order, keys_that_look_like_paths, messages, strings, long_values_are_cut, numbers,
	  mistakes_end_it, truncated, missing_bytes, depth)
