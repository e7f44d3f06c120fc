// SPDX-License-Identifier: Apache-2.0
/* What may be recorded of JSON, whole and cut off at every byte. */
#include "agent/l7/redact.h"

#include <jansson.h>

#include "test/unit.h"

static char *patterns[] = { "*password*", "token", NULL };

static void check(const char *json, const char *want)
{
	_cleanup_free_ char *got = redact(json, strlen(json), patterns);

	ck_assert_ptr_nonnull(got);
	ck_assert_str_eq(got, want);
}

START_TEST(keys)
{
	check("{ \"user\": \"u\", \"DB_Password_2\": \"x\" }", "{\"user\":\"u\",\"DB_Password_2\":\"[redacted]\"}");
	check("{\"token\":{\"a\":[1]},\"tokens\":3}", "{\"token\":\"[redacted]\",\"tokens\":3}");
	check("[{\"l\":[{\"TOKEN\":null}]}]", "[{\"l\":[{\"TOKEN\":\"[redacted]\"}]}]");
	check("{\"pass\\u0077ord\":1}", "{\"password\":\"[redacted]\"}");
	check("{\"n\":123456789012345678901234567890,\"f\":1.5}", "{\"n\":1.2345678901234568e29,\"f\":1.5}");
}
END_TEST

START_TEST(json_in_strings)
{
	check("{\"text\":\" {\\\"password\\\": \\\"x\\\"}\"}", "{\"text\":\"{\\\"password\\\":\\\"[redacted]\\\"}\"}");
	check("{\"text\":\"[{\\\"a\\\":\\\"{\\\\\\\"token\\\\\\\":1}\\\"}]\"}",
	      "{\"text\":\"[{\\\"a\\\":\\\"{\\\\\\\"token\\\\\\\":\\\\\\\"[redacted]\\\\\\\"}\\\"}]\"}");
	check("{\"text\":\"{\\\"password\\\": broken\"}", "{\"text\":\"{}…\"}");
	check("{\"text\":\"{\\\"password\\\" \\\"x\\\"}\"}", "{\"text\":\"[unreadable]\"}");
	check("{\"text\":\"[INFO] plain {text}\"}", "{\"text\":\"[INFO] plain {text}\"}");
}
END_TEST

/* What tools say around it, and how they pack it. */
START_TEST(json_in_text)
{
	check("{\"text\":\"[1, {\\\"token\\\":2}]\"}", "{\"text\":\"[1,{\\\"token\\\":\\\"[redacted]\\\"}]\"}");
	check("{\"text\":\"gr\xc3\xb6\xc3\x9f: {\\\"\xc3\xb6\\\":1}, {\\n\\\"token\\\": 2} [x] {y}\"}",
	      "{\"text\":\"gr\xc3\xb6\xc3\x9f: {\\\"\xc3\xb6\\\":1}, {\\\"token\\\":\\\"[redacted]\\\"} [x] {y}\"}");
	check("{\"text\":\"{\\\"a\\\":1}\\n{\\\"token\\\":2}\"}",
	      "{\"text\":\"{\\\"a\\\":1}\\n{\\\"token\\\":\\\"[redacted]\\\"}\"}");
	check("{\"text\":\"\\\"{\\\\\\\"token\\\\\\\":1}\\\"\"}",
	      "{\"text\":\"\\\"{\\\\\\\"token\\\\\\\":\\\\\\\"[redacted]\\\\\\\"}\\\"\"}");
	check("{\"text\":\"\\u0000{\\\"token\\\":1}\"}", "{\"text\":\"\\u0000{\\\"token\\\":\\\"[redacted]\\\"}\"}");
	check("{\"text\":\"log: {\\\\\\\"token\\\\\\\": \\\\\\\"x\\\\\\\"}\"}", "{\"text\":\"log: {}…\"}");
	check("{\"text\":\"Got {'token': 'x'} here\"}", "{\"text\":\"Got [unreadable]\"}");
	check("{\"text\":\"\\\"quoted\\\" {text}, [[link]], [1.50]\"}",
	      "{\"text\":\"\\\"quoted\\\" {text}, [[link]], [1.50]\"}");
	check("{\"text\":\"it says: {\\\"token\\\":\\\"x",
	      "{\"text\":\"it says: {\\\"token\\\":\\\"[redacted]\\\"}…\"}…");
}
END_TEST

static size_t allocations; /* until one fails */

static void *allocate(size_t size)
{
	return --allocations ? malloc(size) : NULL;
}

START_TEST(without_memory)
{
	static const char json[] = "{\"token\":\"SECRET\",\"a\":[\"{\\\"token\\\":\\\"SECRET\\\"}\",{\"token\":1}]}";
	bool failed = true;

	json_set_alloc_funcs(allocate, free);
	for (size_t n = 1; failed; n++) {
		_cleanup_free_ char *got = (allocations = n, redact(json, strlen(json), patterns));

		ck_assert(!got || !strstr(got, "SECRET"));
		failed = !allocations || allocations > n;
	}
	json_set_alloc_funcs(malloc, free);
}
END_TEST

START_TEST(cut_off)
{
	check("{\"a\":1,\"b\":[1,2", "{\"a\":1,\"b\":[1]}…");
	check("{\"a\":\"some te", "{\"a\":\"some te\"}…");
	check("{\"a\":\"gr\xc3", "{\"a\":\"gr\"}…");
	check("{\"a\":\"x\\ud83d\\ude0", "{\"a\":\"x\"}…");
	check("{\"a\":{\"password\":\"secr", "{\"a\":{\"password\":\"[redacted]\"}}…");
	check("{\"a\":1,\"passw", "{\"a\":1}…");
	check("{", "{}…");
	check("", "[unreadable]");
	check("{\"a\" 1}", "[unreadable]");
	check("]", "[unreadable]");
	check("{\"a\":\"\xff, no UTF-8\"}", "[unreadable]");
}
END_TEST

START_TEST(every_prefix)
{
	static const char json[] =
	    "{\"k\":[{\"user\":\"gr\xc3\xb6\\u00f6\\ud83d\\ude00\\n\",\"password\":{\"SECRET\":[\"SECRET\"]}},"
	    "-1.5e3,true,\"{\\\"token\\\":\\\"SECRET\\\"}\",\"so: "
	    "{\\\"token\\\":\\\"SECRET\\\"}\"],\"token\":\"SECRET\"}";

	for (size_t len = 1; len < sizeof(json) - 1; len++) {
		_cleanup_free_ char *copy = strndup(json, len), *got = redact(copy, len, patterns);
		char *end = strstr(got, "…");
		json_t *j;

		while (end && end[3])
			end = strstr(end + 1, "…");
		ck_assert_ptr_nonnull(end);
		ck_assert_ptr_null(strstr(got, "SECRET"));
		ck_assert_ptr_nonnull(j = json_loadb(got, (size_t)(end - got), 0, NULL));
		json_decref(j);
	}
}
END_TEST

START_TEST(deep)
{
	static char json[20000];

	memset(json, '[', 1000);
	memset(json + 1000, ']', 1000);
	json[2000] = '\0';
	_cleanup_free_ char *got = redact(json, 2000, patterns), *cut = redact(json, 1500, patterns);

	ck_assert_uint_eq(strspn(got, "["), 64);
	ck_assert_ptr_nonnull(strstr(got, "\"…\""));
	ck_assert_uint_eq(strspn(cut, "["), 64);
	memset(json, '[', sizeof(json));
	check(strndupa(json, 10000), got = (free(got), redact(json, 10000, patterns)));
	ck_assert_uint_eq(strspn(got, "["), 64);
}
END_TEST

UNIT_MAIN(redact, keys, json_in_strings, json_in_text, without_memory, cut_off, every_prefix, deep)
