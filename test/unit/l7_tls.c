// SPDX-License-Identifier: Apache-2.0
#include "test/unit.h"
#include "test/unit/l7_host.h"

static struct test_host host;
static void *parser;

struct bytes {
	uint8_t b[70000];
	size_t n;
};

static void begin(void)
{
	test_host_init(&host);
	parser = l7_tls.new(&host.host);
	ck_assert_ptr_nonnull(parser);
}

static void finish(void)
{
	l7_tls.free(parser);
	test_host_clear(&host);
}

static void put(struct bytes *m, const void *data, size_t len)
{
	memcpy(m->b + m->n, data, len);
	m->n += len;
}

static void put16(struct bytes *m, size_t v)
{
	put(m, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void put_ext(struct bytes *m, unsigned type, const char *data, size_t len)
{
	put16(m, type);
	put16(m, len);
	put(m, data, len);
}

#define EXT(m, type, s) put_ext((m), (type), (s), sizeof(s) - 1)

/* A ClientHello with these extensions as one handshake message. */
static struct bytes *hello(const struct bytes *ext)
{
	static struct bytes m;
	size_t len = 2 + 32 + 1 + 32 + 2 + 4 + 2 + 2 + ext->n;

	m.n = 0;
	put(&m, (uint8_t[]){ 1, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, 3, 3 }, 6);
	memset(m.b + m.n, 'r', 32);
	m.n += 32;
	put(&m, "\x20", 1);
	memset(m.b + m.n, 's', 32);
	m.n += 32;
	put(&m, "\0\4\x13\1\x3a\x3a\1\0", 8);
	put16(&m, ext->n);
	put(&m, ext->b, ext->n);
	return &m;
}

/* In records of at most `size` bytes. */
static struct bytes *records(const struct bytes *m, size_t size)
{
	static struct bytes out;

	out.n = 0;
	for (size_t i = 0; i < m->n; i += size) {
		size_t len = MIN(size, m->n - i);

		put(&out, "\x16\3\1", 3);
		put16(&out, len);
		put(&out, m->b + i, len);
	}
	return &out;
}

static struct bytes usual(void)
{
	struct bytes ext = { 0 };

	EXT(&ext, 0x0a0a, "");
	EXT(&ext, 0,
	    "\0\x0e\0\0\x0b"
	    "API.example");
	EXT(&ext, 10, "\0\2\0\x1d");
	EXT(&ext, 16, "\0\x0f\2\x5a\x5a\2h2\x08http/1.1");
	EXT(&ext, 0xfafa, "x");
	return ext;
}

static const char *get(enum l7_key key)
{
	const char *s = host.n ? l7_record_get(host.records[0], key) : NULL;

	return s ?: "";
}

static void check_usual(uint64_t start)
{
	ck_assert_uint_eq(host.n, 1);
	ck_assert_uint_eq(host.ignored, 1);
	ck_assert_int_eq(host.records[0]->kind, L7_TLS);
	ck_assert_int_eq(host.records[0]->outcome, L7_UNKNOWN);
	ck_assert_int_eq(host.records[0]->flags, 0);
	ck_assert_uint_eq(host.records[0]->start_ns, start);
	ck_assert_str_eq(get(L7_KEY_TLS_SNI), "api.example");
	ck_assert_str_eq(get(L7_KEY_TLS_ALPN), "h2,http/1.1");
	ck_assert_str_eq(get(L7_KEY_NETWORK_PROTOCOL), "tls");
}

START_TEST(name_and_protocols_survive_every_cut)
{
	static const size_t sizes[] = { 16384, 100, 7, 1 };
	struct bytes ext = usual();

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct bytes *r = records(hello(&ext), sizes[s]);

		for (size_t cut = 1; cut < r->n; cut++) {
			begin();
			l7_tls.data(parser, 1, (const uint8_t *)"server", 6, 1);
			l7_tls.data(parser, 0, r->b, cut, 5);
			l7_tls.data(parser, 0, r->b + cut, r->n - cut, 6);
			check_usual(5);
			l7_tls.end(parser, 0, false, 7);
			ck_assert_uint_eq(host.n, 1);
			finish();
		}
	}
}
END_TEST

START_TEST(without_extensions)
{
	struct bytes none = { 0 }, *m = hello(&none);

	begin();
	m->n -= 2; /* nor their length: TLS 1.0 */
	m->b[3] -= 2;
	m = records(m, 16384);
	l7_tls.data(parser, 0, m->b, m->n, 1);
	ck_assert_int_eq(host.records[0]->flags, 0);
	ck_assert_str_eq(get(L7_KEY_TLS_SNI), "");
	finish();
}
END_TEST

static void check_unparseable(const struct bytes *r, const char *reason)
{
	begin();
	l7_tls.data(parser, 0, r->b, r->n, 1);
	ck_assert_msg(host.n == 1 && host.ignored == 1, "%s: %zu records", reason, host.n);
	ck_assert_int_eq(host.records[0]->flags, L7_UNPARSEABLE);
	ck_assert_str_eq(get(L7_KEY_REASON), reason);
	ck_assert_str_eq(get(L7_KEY_TLS_SNI), "");
	finish();
}

#define BAD(reason, ...)                                             \
	do {                                                         \
		struct bytes ext = usual();                          \
                                                                     \
		__VA_ARGS__;                                         \
		check_unparseable(records(hello(&ext), 99), reason); \
	} while (0)

START_TEST(malformed_extensions)
{
	BAD("two server names", EXT(&ext, 0, "\0\4\0\0\1b"));
	BAD("two lists of protocols", EXT(&ext, 16, "\0\3\2h2"));
	BAD("an extension is longer than the ClientHello", put(&ext, "\0\x33\0\x09", 4));
	BAD("the server name is malformed", ext.n = 0, EXT(&ext, 0, "\0\4\1\0\1b"));
	BAD("the server name is malformed", ext.n = 0, EXT(&ext, 0, "\0\3\0\0\0"));
	BAD("the server name is malformed", ext.n = 0, EXT(&ext, 0, "\0\x08\0\0\1b\0\0\1c"));
	BAD("the server name is malformed", ext.n = 0, EXT(&ext, 0, "\0\4\0\0\1bx"));
	BAD("the server name is malformed", ext.n = 0, EXT(&ext, 0, ""));
	BAD("the list of protocols is malformed", ext.n = 0, EXT(&ext, 16, "\0\0"));
	BAD("the list of protocols is malformed", ext.n = 0, EXT(&ext, 16, "\0\3\x09h2"));
	BAD("the list of protocols is malformed", ext.n = 0, EXT(&ext, 16, "\0\1\0"));
}
END_TEST

static struct bytes *patched(size_t at, uint8_t value)
{
	struct bytes ext = usual(), *r = records(hello(&ext), 16384);

	r->b[at] = value;
	return r;
}

START_TEST(malformed_frames)
{
	check_unparseable(patched(0, 23), "the first record is no handshake of TLS");
	check_unparseable(patched(1, 2), "the first record is no handshake of TLS");
	check_unparseable(patched(3, 0x41), "a record of a length that TLS does not allow");
	check_unparseable(patched(5, 2), "the first message is no ClientHello");
	check_unparseable(patched(6, 1), "the ClientHello is too long");
	check_unparseable(patched(8, 20), "the ClientHello is too short");
	check_unparseable(patched(43, 33), "the session id is too long");
	check_unparseable(patched(77, 5), "an odd number of bytes of cipher suites");
	check_unparseable(patched(85, 1), "the extensions do not fill the ClientHello");
	begin();
	l7_tls.data(parser, 0, (const uint8_t *)"\x16\3\1\0\0", 5, 1);
	ck_assert_str_eq(get(L7_KEY_REASON), "a record of a length that TLS does not allow");
	finish();
}
END_TEST

START_TEST(what_is_cut_off_is_partial)
{
	struct bytes ext = usual(), *r;

	put_ext(&ext, 51, (const char *)ext.b, 60);
	r = records(hello(&ext), 16384);
	for (size_t have = 0; have < r->n; have++) {
		bool gap = have % 2;

		begin();
		l7_tls.data(parser, 0, r->b, have, 3);
		if (gap)
			l7_tls.gap(parser, 0, r->n - have, 3);
		else
			l7_tls.end(parser, 0, true, 3);
		if (!have && !gap) {
			ck_assert_uint_eq(host.n, 0); /* nothing came, nothing is to be told */
			finish();
			continue;
		}
		ck_assert_uint_eq(host.n, 1);
		ck_assert_int_eq(host.records[0]->flags, have < 9 ? L7_UNPARSEABLE : L7_PARTIAL);
		ck_assert(*get(L7_KEY_REASON));
		ck_assert(streq(get(L7_KEY_TLS_SNI), have < 110 ? "" : "api.example"));
		ck_assert(streq(get(L7_KEY_TLS_ALPN), have < 139 ? "" : "h2,http/1.1"));
		finish();
	}
}
END_TEST

START_TEST(a_long_hello_is_bounded)
{
	static struct bytes ext, *r;
	static char padding[65000];

	put_ext(&ext, 21, padding, 16384 - 100);
	EXT(&ext, 0, "\0\4\0\0\1b");
	r = records(hello(&ext), 4096);
	begin();
	l7_tls.data(parser, 0, r->b, r->n, 1);
	ck_assert_str_eq(get(L7_KEY_TLS_SNI), "b");
	ck_assert_uint_le(l7_tls.memory(parser), 17000);
	finish();
	ext.n = 0;
	put_ext(&ext, 21, padding, 16384);
	check_unparseable(records(hello(&ext), 4096), "the ClientHello is too long");
}
END_TEST

UNIT_MAIN(l7_tls, name_and_protocols_survive_every_cut, without_extensions, malformed_extensions, malformed_frames,
	  what_is_cut_off_is_partial, a_long_hello_is_bounded)
