// SPDX-License-Identifier: Apache-2.0
#include "lib/addr.h"
#include "test/unit.h"

static void check_prefix(const char *in, const char *want)
{
	char buf[PREFIX_STRLEN];
	struct prefix p;
	int r = prefix_parse(in, &p);

	if (!want) {
		ck_assert_msg(r == -EINVAL, "%s was accepted", in);
		return;
	}
	ck_assert_msg(r == 0, "%s was refused", in);
	ck_assert_str_eq(prefix_to_str(&p, buf), want);
}

START_TEST(prefixes_as_the_api_server_stores_them)
{
	check_prefix("10.0.0.0/8", "10.0.0.0/8");
	check_prefix("10.0.0.7/8", "10.0.0.0/8");
	check_prefix("1.2.3.4/0", "0.0.0.0/0");
	check_prefix("010.000.001.000/24", "10.0.1.0/24");
	check_prefix("10.08.0.0/16", "10.8.0.0/16");
	check_prefix("10.0.0.0/08", "10.0.0.0/8");
	check_prefix("FD00:AB::1/64", "fd00:ab::/64");
	check_prefix("::/0", "::/0");
	check_prefix("::ffff:10.0.0.0/104", "10.0.0.0/8");
	check_prefix("10.0.0.0", NULL);
	check_prefix("10.0.0.0/33", NULL);
	check_prefix("10.0.0/8", NULL);
	check_prefix("256.0.0.0/8", NULL);
	check_prefix("fd00::/129", NULL);
	check_prefix("/8", NULL);
	check_prefix("", NULL);
	check_prefix("10.0.0.0/8x", NULL);
	check_prefix("10.0.0.0/4294967304", NULL);
}
END_TEST

START_TEST(families_never_contain_each_other)
{
	struct prefix all4, all6, ten;
	struct weir_addr a4, a6;

	ck_assert(!prefix_parse("0.0.0.0/0", &all4) && !prefix_parse("::/0", &all6) &&
		  !prefix_parse("10.0.0.0/8", &ten));
	ck_assert(!addr_parse("10.1.2.3", &a4) && !addr_parse("fd00::1", &a6));
	ck_assert(prefix_contains(&all4, &ten) && !prefix_contains(&ten, &all4) && !prefix_contains(&all6, &ten));
	ck_assert(!prefix_contains(&all6, &all4) && !prefix_contains(&all4, &all6));
	ck_assert(prefix_has_addr(&all4, &a4) && !prefix_has_addr(&all6, &a4));
	ck_assert(prefix_has_addr(&all6, &a6) && !prefix_has_addr(&all4, &a6));
	ck_assert(prefix_has_addr(&ten, &a4));
}
END_TEST

START_TEST(addresses_round_trip)
{
	static const char *const text[] = { "10.0.0.1", "0.0.0.0", "255.255.255.255", "fd00::1", "::", "::1" };
	char buf[ADDR_STRLEN];
	struct weir_addr a;

	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		ck_assert_int_eq(addr_parse(text[i], &a), 0);
		ck_assert_str_eq(addr_to_str(&a, buf), text[i]);
	}
	ck_assert_str_eq(mac_to_str((const uint8_t[]){ 2, 0, 0x1a, 0xff, 0, 9 }, buf), "02:00:1a:ff:00:09");
	ck_assert_int_eq(addr_parse("10.0.0.1.", &a), -EINVAL);
	ck_assert_int_eq(addr_parse("1::2::3", &a), -EINVAL);
}
END_TEST

UNIT_MAIN(addr, prefixes_as_the_api_server_stores_them, families_never_contain_each_other, addresses_round_trip)
