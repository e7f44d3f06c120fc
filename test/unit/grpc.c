// SPDX-License-Identifier: Apache-2.0
#include "lib/grpc.h"
#include "test/unit.h"

struct seen {
	char text[256];
	size_t n;
};

static int on_message(void *userdata, const uint8_t *data, size_t len)
{
	struct seen *s = userdata;

	s->n++;
	snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), "[%.*s]", (int)len, (const char *)data);
	return len && data[0] == '!' ? -ECANCELED : 0;
}

static size_t put(uint8_t *buf, const char *text)
{
	grpc_prefix_put(buf, (uint32_t)strlen(text));
	memcpy(buf + GRPC_PREFIX, text, strlen(text));
	return GRPC_PREFIX + strlen(text);
}

/* Any cut of the bytes gives the same messages. */
START_TEST(messages_survive_every_cut)
{
	uint8_t buf[64];
	size_t len = put(buf, "one");

	len += put(buf + len, "");
	len += put(buf + len, "three");
	for (size_t a = 0; a <= len; a++)
		for (size_t b = a; b <= len; b++) {
			struct seen s = { 0 };
			struct grpc_reader r = { .max = 5, .on_message = on_message, .userdata = &s };

			ck_assert_int_eq(grpc_reader_feed(&r, buf, a), 0);
			ck_assert_int_eq(grpc_reader_feed(&r, buf + a, b - a), 0);
			ck_assert_int_eq(grpc_reader_feed(&r, buf + b, len - b), 0);
			ck_assert_str_eq(s.text, "[one][][three]");
			ck_assert(!grpc_reader_partial(&r));
			grpc_reader_clear(&r);
		}
}
END_TEST

static int feed(const void *data, size_t len, size_t step)
{
	struct seen s = { 0 };
	struct grpc_reader r = { .max = 5, .on_message = on_message, .userdata = &s };
	int ret = 0;

	for (size_t i = 0; i < len && ret == 0; i += step)
		ret = grpc_reader_feed(&r, (const uint8_t *)data + i, MIN(step, len - i));
	grpc_reader_clear(&r);
	return ret;
}

START_TEST(bad_messages_are_told_apart)
{
	for (size_t step = 1; step < 8; step++) {
		ck_assert_int_eq(feed("\1\0\0\0\1x", 6, step), -ENOTSUP);
		ck_assert_int_eq(feed("\2\0\0\0\1x", 6, step), -EPROTO);
		ck_assert_int_eq(feed("\0\0\0\0\6abcdef", 11, step), -EMSGSIZE);
		ck_assert_int_eq(feed("\0\xff\xff\xff\xff", 5, step), -EMSGSIZE);
		ck_assert_int_eq(feed("\0\0\0\0\1!", 6, step), -ECANCELED);
		ck_assert_int_eq(feed("\0\0\0\0\5abcde", 10, step), 0);
	}
}
END_TEST

START_TEST(timeouts)
{
	static const struct {
		const char *text;
		uint64_t usec;
	} good[] = { { "12S", 12000000 },
		     { "500m", 500000 },
		     { "1H", 3600000000 },
		     { "2M", 120000000 },
		     { "99999999H", 99999999ull * 3600000000 },
		     { "1500n", 1 },
		     { "7u", 7 },
		     { "0S", 0 } };
	static const char *const bad[] = { "", "S", "12", "123456789S", "-1S", "1 S", "1s", "1.5S" };
	uint64_t usec;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert_int_eq(grpc_timeout_parse(good[i].text, strlen(good[i].text), &usec), 0);
		ck_assert_uint_eq(usec, good[i].usec);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(grpc_timeout_parse(bad[i], strlen(bad[i]), &usec) == -EINVAL, "%s was taken", bad[i]);
}
END_TEST

START_TEST(messages_of_statuses_are_percent_encoded)
{
	char wire[64], text[64];

	grpc_message_encode("50 % \"caf\xc3\xa9\"\n", wire, sizeof(wire));
	ck_assert_str_eq(wire, "50 %25 \"caf%C3%A9\"%0A");
	grpc_message_decode(wire, strlen(wire), text, sizeof(text));
	ck_assert_str_eq(text, "50 % \"caf\xc3\xa9\"\n");
	grpc_message_decode("%4", 2, text, sizeof(text));
	ck_assert_str_eq(text, "%4");
	grpc_message_decode("%zz%41", 6, text, sizeof(text));
	ck_assert_str_eq(text, "%zzA");
	for (size_t size = 1; size < 12; size++) { /* cut, never overrun, never half an escape */
		grpc_message_encode("a\x01\x02\x03", wire, size);
		ck_assert_uint_lt(strlen(wire), size);
		ck_assert_uint_eq(strlen(wire) % 3, size < 5 ? 0 + (strlen(wire) == 1) : 1);
	}
	ck_assert_str_eq(grpc_status_name(GRPC_UNIMPLEMENTED), "Unimplemented");
	ck_assert_ptr_null(grpc_status_name(17));
}
END_TEST

UNIT_MAIN(grpc, messages_survive_every_cut, bad_messages_are_told_apart, timeouts,
	  messages_of_statuses_are_percent_encoded)
