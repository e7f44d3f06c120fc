// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/record.h"
#include "test/unit.h"

static const struct l7_ends ends = { .port = { 1, 2 }, .identity = { 300, 400 }, .proto = 6 };

static void ck_str(const char *value, size_t len, const char *want)
{
	_cleanup_(l7_record_freep) struct l7_record *r = l7_record_new(L7_HTTP, &ends);

	l7_record_str(r, L7_KEY_URL_PATH, value, len);
	ck_assert_pstr_eq(l7_record_get(r, L7_KEY_URL_PATH), want);
	ck_assert_uint_eq(r->flags, 0);
}

#define R "\xef\xbf\xbd"

START_TEST(strings_are_clean_utf8)
{
	ck_str("/a", 2, "/a");
	ck_str("/ab", 2, "/a");
	ck_str("", 0, NULL);
	ck_str(NULL, 5, NULL);
	ck_str("a\0b", 3, "a" R "b");
	ck_str("\t\n\x1b\x7f ~", 6, R R R R " ~");
	ck_str("gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f");
	ck_str("\xe2\x82\xac\xf0\x9f\xa6\xa6", 7, "\xe2\x82\xac\xf0\x9f\xa6\xa6");
	ck_str("\xc2\x85\xc2\xa0", 4, R R "\xc2\xa0");               /* C1 next line; no-break space */
	ck_str("\xc0\xaf\xc1\xbf", 4, R R R R);                      /* overlong */
	ck_str("\xe0\x9f\xbf\xf0\x8f\xbf\xbf", 7, R R R R R R R);    /* overlong */
	ck_str("\xed\xa0\x80\xed\x9f\xbf", 6, R R R "\xed\x9f\xbf"); /* surrogate; the last before them */
	ck_str("\xf4\x90\x80\x80\xf4\x8f\xbf\xbf", 8, R R R R "\xf4\x8f\xbf\xbf");
	ck_str("\xf5\xff\x80", 3, R R R);
	ck_str("a\xe2\x82", 3, "a" R R); /* cut off */
	ck_str("\xe2\x82x", 3, R R "x");
}
END_TEST

START_TEST(strings_are_cut_between_characters)
{
	_cleanup_(l7_record_freep) struct l7_record *r = l7_record_new(L7_HTTP, &ends);
	char in[L7_STR_MAX + 64];

	memset(in, 'x', sizeof(in));
	l7_record_str(r, L7_KEY_URL_PATH, in, sizeof(in));
	ck_assert_uint_eq(strlen(l7_record_get(r, L7_KEY_URL_PATH)), L7_STR_MAX);
	memcpy(in + L7_STR_MAX - 2, "\xe2\x82\xac", 3);
	l7_record_str(r, L7_KEY_URL_PATH, in, sizeof(in));
	ck_assert_uint_eq(strlen(l7_record_get(r, L7_KEY_URL_PATH)), L7_STR_MAX - 2);
	memset(in, '\xff', sizeof(in));
	l7_record_str(r, L7_KEY_URL_PATH, in, sizeof(in));
	ck_assert_uint_eq(strlen(l7_record_get(r, L7_KEY_URL_PATH)), L7_STR_MAX / 3 * 3);
}
END_TEST

START_TEST(attributes_are_kept_in_order)
{
	static const enum l7_key keys[] = { L7_KEY_TLS_SNI,    L7_KEY_HTTP_METHOD, L7_KEY_REASON,   L7_KEY_URL_PATH,
					    L7_KEY_MCP_METHOD, L7_KEY_DNS_QUERY,   L7_KEY_A2A_TASK, L7_KEY_HTTP_HOST };
	_cleanup_(l7_record_freep) struct l7_record *r = l7_record_new(L7_GRPC, &ends);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		l7_record_str(r, keys[i], l7_key_name(keys[i]), strlen(l7_key_name(keys[i])));
	l7_record_int(r, L7_KEY_HTTP_STATUS, 200);
	l7_record_int(r, L7_KEY_HTTP_STATUS, 404);
	l7_record_str(r, L7_KEY_REASON, "other", 5);
	ck_assert_uint_eq(r->n_attrs, ARRAY_SIZE(keys) + 1);
	for (unsigned i = 1; i < r->n_attrs; i++)
		ck_assert_uint_lt(r->attrs[i - 1].key, r->attrs[i].key);
	ck_assert_str_eq(l7_record_get(r, L7_KEY_TLS_SNI), "tls.client.server_name");
	ck_assert_str_eq(l7_record_get(r, L7_KEY_HTTP_METHOD), "http.request.method");
	ck_assert_str_eq(l7_record_get(r, L7_KEY_REASON), "other");
	ck_assert_ptr_null(l7_record_get(r, L7_KEY_HTTP_STATUS));
	ck_assert_ptr_null(l7_record_get(r, L7_KEY_URL_QUERY));
	ck_assert_int_eq(l7_record_get_int(r, L7_KEY_HTTP_STATUS, -1), 404);
	ck_assert_int_eq(l7_record_get_int(r, L7_KEY_DNS_TTL, -1), -1);
	ck_assert_int_eq(l7_record_get_int(r, L7_KEY_REASON, -1), -1);
	ck_assert_uint_eq(r->kind, L7_GRPC);
	ck_assert_uint_eq(r->ends.identity[1], 400);
	ck_assert_uint_eq(r->flags, 0);
}
END_TEST

START_TEST(what_does_not_fit_is_told)
{
	_cleanup_(l7_record_freep) struct l7_record *r = l7_record_new(L7_HTTP, &ends);

	for (unsigned i = L7_ATTRS_MAX; i-- > 0;)
		l7_record_str(r, i, "v", 1);
	ck_assert_uint_eq(r->flags, 0);
	l7_record_str(r, L7_ATTRS_MAX, "v", 1);
	ck_assert_uint_eq(r->flags, L7_PARTIAL);
	ck_assert_uint_eq(r->n_attrs, L7_ATTRS_MAX);
	l7_record_str(r, 0, "w", 1);
	ck_assert_str_eq(l7_record_get(r, 0), "w");
}
END_TEST

START_TEST(names_are_complete_and_distinct)
{
	for (unsigned i = 0; i < L7_KEY_COUNT; i++) {
		ck_assert_ptr_nonnull(l7_key_name(i));
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(l7_key_name(i), l7_key_name(j));
	}
	ck_assert_ptr_null(l7_key_name(L7_KEY_COUNT));
	for (unsigned i = 1; i < L7_KIND_COUNT; i++)
		ck_assert_ptr_nonnull(l7_kind_name(i));
	ck_assert_str_eq(l7_kind_name(L7_JSONRPC), "jsonrpc");
	ck_assert_ptr_null(l7_kind_name(0));
	ck_assert_ptr_null(l7_kind_name(L7_KIND_COUNT));
	for (unsigned i = L7_OK; i <= L7_ONEWAY; i++)
		ck_assert_ptr_nonnull(l7_outcome_name(i));
	ck_assert_str_eq(l7_outcome_name(L7_TOOL_ERROR), "tool_error");
	ck_assert_ptr_null(l7_outcome_name(0));
	ck_assert_ptr_null(l7_outcome_name(L7_ONEWAY + 1));
}
END_TEST

/* A long stream of states leaves no trail, and what is packed is what was there. */
START_TEST(packing_keeps_what_counts)
{
	_Alignas(8) char queue[4096];
	char text[L7_STR_MAX];
	size_t size;
	_cleanup_(l7_record_freep) struct l7_record *r = l7_record_new(L7_A2A, &ends);

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 10000; i++)
		l7_record_str(r, L7_KEY_A2A_STATE, text, 1 + i % sizeof(text));
	ck_assert_uint_lt(l7_record_memory(r), 8192);
	for (unsigned key = 0; key < 20; key++)
		l7_record_int(r, key, key);
	l7_record_str(r, L7_KEY_A2A_STATE, "done", 4);
	size = l7_record_packed_size(r);
	ck_assert_uint_le(size, sizeof(queue));
	memset(queue, 0x55, sizeof(queue));
	l7_record_pack(r, queue);
	ck_assert_int_eq(queue[size], 0x55);
	l7_record_free(r);
	r = l7_record_copy((const struct l7_record *)queue);
	memset(queue, 0, sizeof(queue));
	ck_assert_uint_eq(l7_record_memory(r), size);
	ck_assert_uint_lt(l7_record_memory(r), 21 * sizeof(struct l7_attr) + sizeof(*r) + 6);
	ck_assert_uint_eq(r->n_attrs, 21);
	ck_assert_str_eq(l7_record_get(r, L7_KEY_A2A_STATE), "done");
	ck_assert_int_eq(l7_record_get_int(r, 19, -1), 19);
	ck_assert_uint_eq(r->ends.identity[1], 400);
}
END_TEST

UNIT_MAIN(record, strings_are_clean_utf8, strings_are_cut_between_characters, attributes_are_kept_in_order,
	  what_does_not_fit_is_told, names_are_complete_and_distinct, packing_keeps_what_counts)
