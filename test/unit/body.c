// SPDX-License-Identifier: Apache-2.0
/* Bodies with their content coding, whole and in pieces; and what a hostile sender makes of them. */
#include "agent/l7/body.h"

#include <zlib.h>

#include "test/unit.h"

static char got[4096];
static unsigned messages;

static void on_message(_unused_ void *userdata, const struct body_message *m)
{
	size_t n = strlen(got);

	messages++;
	snprintf(got + n, sizeof(got) - n, "%s %s %s %s;", m->v[BODY_METHOD] ?: "-", m->v[BODY_ID] ?: "-",
		 m->v[BODY_NAME] ?: "-", m->whole ? "whole" : "cut");
}

static struct body *begin(const char *type, const char *coding)
{
	const char *reason;
	struct body *b = body_new(type, coding, on_message, NULL, &reason);

	got[0] = '\0';
	messages = 0;
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_null(reason);
	return b;
}

static bool feed(struct body *b, const uint8_t *data, size_t len, size_t step)
{
	bool more = true;

	for (size_t i = 0; i < len; i += step)
		more = body_feed(b, data + i, MIN(step, len - i));
	return more;
}

/* GZIP, ZLIB or BARE; *ret_len bytes. */
enum { GZIP = 31, ZLIB = 15, BARE = -15 };

static uint8_t *packed(int format, const void *data, size_t size, size_t *ret_len)
{
	z_stream z = { .next_in = (uint8_t *)data, .avail_in = (unsigned)size };
	uint8_t *to;

	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, format, 9, Z_DEFAULT_STRATEGY), Z_OK);
	*ret_len = deflateBound(&z, size);
	to = malloc(*ret_len);
	ck_assert_ptr_nonnull(to);
	z.next_out = to;
	z.avail_out = (unsigned)*ret_len;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	*ret_len = z.total_out;
	return to;
}

static const char call[] = "{\"method\":\"tools/call\",\"id\":1,\"params\":{\"name\":\"add\"}}";
static const char said[] = "tools/call 1 add whole;";

static void check(const char *coding, const uint8_t *data, size_t len, const char *want, const char *reason)
{
	for (size_t step = 1; step <= len; step += step < 4 ? 1 : len) {
		struct body *b = begin("application/json", coding);

		feed(b, data, len, step);
		if (reason)
			ck_assert_str_eq(body_reason(b), reason);
		else
			ck_assert_ptr_null(body_reason(b));
		body_end(b);
		ck_assert_str_eq(got, want);
		body_free(b);
	}
}

START_TEST(what_is_read)
{
	static const char *const types[] = { "application/json",     "application/json; charset=utf-8",
					     "APPLICATION/JSON",     "application/x-ndjson",
					     "application/a2a+json", "text/event-stream" };
	const char *reason = "?";

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		body_free(begin(types[i], NULL));
	ck_assert_ptr_null(body_new("text/html", NULL, on_message, NULL, &reason));
	ck_assert_ptr_null(reason);
	ck_assert_ptr_null(body_new("application/json", "br", on_message, NULL, &reason));
	ck_assert_ptr_nonnull(reason);
	reason = NULL;
	ck_assert_ptr_null(body_new("application/json", "gzip, br", on_message, NULL, &reason));
	ck_assert_ptr_nonnull(reason);
	check("identity", (const uint8_t *)call, strlen(call), said, NULL);
	check("", (const uint8_t *)call, strlen(call), said, NULL);
}
END_TEST

START_TEST(codings)
{
	static const struct {
		int format;
		const char *coding;
	} all[] = { { GZIP, "gzip" }, { GZIP, "X-Gzip" }, { ZLIB, "deflate" }, { BARE, "deflate" } };
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		_cleanup_free_ uint8_t *p = packed(all[i].format, call, strlen(call), &len);

		check(all[i].coding, p, len, said, NULL);
	}
}
END_TEST

START_TEST(truncated_and_damaged)
{
	size_t len;
	_cleanup_free_ uint8_t *p = packed(GZIP, call, strlen(call), &len);

	check("gzip", p, len - 8, said, NULL); /* only the checksum is missing */
	p[len - 6] ^= 1;
	check("gzip", p, len, said, "the compressed body is damaged");
	p[10] = 7; /* a block of a type that there is not */
	check("gzip", p, len, "", "the compressed body is damaged");
	check("gzip", (const uint8_t *)call, strlen(call), "", "the compressed body is damaged");
}
END_TEST

START_TEST(members_one_after_the_other)
{
	size_t len1, len2, half = strlen(call) / 2;
	_cleanup_free_ uint8_t *first = packed(GZIP, call, half, &len1),
			       *second = packed(GZIP, call + half, strlen(call) - half, &len2),
			       *both = malloc(len1 + len2);

	memcpy(both, first, len1);
	memcpy(both + len1, second, len2);
	check("gzip", both, len1 + len2, said, NULL);
	check("gzip", both, len1, "tools/call - - cut;", NULL);
}
END_TEST

/* Zeros behind a JSON beginning: a thousand to one. */
START_TEST(bomb)
{
	size_t size = 64u << 20, len, fed = 0;
	char *zeros = calloc(1, size);
	_cleanup_free_ uint8_t *p = NULL;
	struct body *b = begin("application/json", "gzip");

	memset(zeros, ' ', size);
	memcpy(zeros, "{\"id\":7,", 8);
	p = packed(GZIP, zeros, size, &len);
	free(zeros);
	while (fed < len && body_feed(b, p + fed, MIN((size_t)100, len - fed)))
		fed += 100;
	ck_assert_uint_lt(fed, 2000);
	ck_assert_str_eq(body_reason(b), "the compressed body is too large");
	ck_assert_str_eq(got, "- 7 - cut;");
	body_end(b);
	ck_assert_uint_eq(messages, 1);
	body_free(b);
}
END_TEST

START_TEST(batches)
{
	static const char text[] = "[{\"method\":\"a\",\"id\":1},{\"method\":\"b\"},{\"id\":3}]";

	check(NULL, (const uint8_t *)text, strlen(text), "a 1 - whole;b - - whole;- 3 - whole;", NULL);
}
END_TEST

START_TEST(events)
{
	static const char text[] = ": ping\n\nevent: endpoint\ndata: /messages?x=1&sessionId=abc&y=2\n\n"
				   "data: {\"id\":1,\ndata: \"method\":\"m\"}\n\ndata: [DONE]\n\ndata: {\"id\":2}";

	for (size_t step = 1; step < sizeof(text); step++) {
		struct body *b = begin("text/event-stream", NULL);

		ck_assert(feed(b, (const uint8_t *)text, strlen(text), step));
		ck_assert(body_is_stream(b));
		ck_assert_uint_eq(body_events(b), 3);
		ck_assert_str_eq(body_session(b), "abc");
		body_end(b);
		ck_assert_uint_eq(body_events(b), 4);
		ck_assert_ptr_nonnull(strstr(got, "m 1 - whole;"));
		ck_assert_ptr_nonnull(strstr(got, "- 2 - whole;"));
		body_free(b);
	}
}
END_TEST

START_TEST(gaps)
{
	struct body *b = begin("application/json", NULL);

	feed(b, (const uint8_t *)call, 30, 30);
	body_gap(b);
	ck_assert(!feed(b, (const uint8_t *)call, strlen(call), 99));
	body_end(b);
	ck_assert_str_eq(got, "tools/call 1 - cut;");
	body_free(b);

	b = begin("text/event-stream", NULL); /* the next event is whole again */
	feed(b, (const uint8_t *)"data: {\"id\":1,", 14, 14);
	body_gap(b);
	ck_assert(feed(b, (const uint8_t *)"\"id\":2}\n\ndata: {\"id\":3}\n\n", 25, 5));
	body_end(b);
	ck_assert_str_eq(got, "- 1 - cut;- 3 - whole;");
	body_free(b);

	b = begin("text/event-stream", "gzip");
	body_gap(b);
	ck_assert_str_eq(body_reason(b), "part of the compressed body is missing");
	ck_assert(!feed(b, (const uint8_t *)"x", 1, 1));
	body_free(b);
}
END_TEST

static size_t finish_len;

static void on_finish(_unused_ void *userdata, const struct body_message *m)
{
	finish_len = strlen(m->v[BODY_FINISH]);
}

/* What is kept of a message is counted, and bounded, however often it is said. */
START_TEST(what_is_said_again_and_again)
{
	char choice[600], long_text[500];
	const char *reason;
	struct body *b = body_new("application/json", NULL, on_finish, NULL, &reason);
	size_t before = body_memory(b);

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	feed(b, (const uint8_t *)"{\"choices\":[", 12, 12);
	for (int i = 0; i < 5000; i++) {
		size_t n = (size_t)snprintf(choice, sizeof(choice), "{\"finish_reason\":\"%s\"},", long_text);

		feed(b, (const uint8_t *)choice, n, n);
		ck_assert_uint_ge(body_memory(b), before + sizeof(long_text));
		ck_assert_uint_le(body_memory(b), before + 4096);
	}
	feed(b, (const uint8_t *)"{}],\"model\":\"", 13, 13);
	feed(b, (const uint8_t *)long_text, sizeof(long_text) - 1, 1);
	feed(b, (const uint8_t *)"\"", 1, 1);
	ck_assert_uint_ge(body_memory(b), before + 2 * sizeof(long_text));
	feed(b, (const uint8_t *)"}", 1, 1);
	ck_assert_uint_ge(finish_len, sizeof(long_text) - 1);
	ck_assert_uint_le(finish_len, 2 * JSON_VALUE_MAX + 1);
	ck_assert_uint_eq(body_memory(b), before);
	body_free(b);
}
END_TEST

UNIT_MAIN(body, what_is_read, codings, truncated_and_damaged, members_one_after_the_other, bomb, batches, events, gaps,
	  what_is_said_again_and_again)
