// SPDX-License-Identifier: Apache-2.0
#include "cni/ipam.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "cni/result.h"
#include "test/unit.h"

static const struct weir_addr any[2];
static char dir[64];
static struct ipam ipam;
static const struct ipam_pool pool = { &ipam, dir, "net" };

static int parse(const char *conf)
{
	json_t *j = json_loads(conf, 0, NULL);
	int code;

	ck_assert_ptr_nonnull(j);
	memset(&ipam, 0, sizeof(ipam));
	code = ipam_parse(&ipam, j, NULL);
	json_decref(j); /* ipam.type is not looked at after this */
	return code;
}

static void setup(const char *conf)
{
	strcpy(dir, "/tmp/weir-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(parse(conf), 0);
}

static void clean(void)
{
	_cleanup_free_ char *cmd = NULL;

	ck_assert(asprintf(&cmd, "rm -rf '%s'", dir) > 0 && system(cmd) == 0);
}

/* One address of a family; "" when the pool says that there is none. */
static const char *take(const char *key, bool v6)
{
	static char text[ADDR_STRLEN];
	struct weir_addr a[2];
	int code = ipam_alloc(&pool, key, any, a, NULL);

	ck_assert(code == 0 || code == CNI_NO_ADDRESS);
	return code ? "" : addr_to_str(&a[v6], text);
}

static void release(const char *key, const char *address)
{
	struct weir_addr a[2] = {}, one;

	ck_assert_int_eq(addr_parse(address, &one), 0);
	a[!addr_is_v4(&one)] = one;
	ck_assert_int_eq(ipam_release(&pool, key, a, NULL), 0);
}

START_TEST(addresses_go_round)
{
	setup("{\"ipam\":{\"subnets\":[\"10.0.0.0/29\"]}}");
	ck_assert_str_eq(take("a", false), "10.0.0.2");
	ck_assert_str_eq(take("b", false), "10.0.0.3");
	release("a", "10.0.0.2");
	ck_assert_str_eq(take("c", false), "10.0.0.4");
	ck_assert_str_eq(take("d", false), "10.0.0.5");
	ck_assert_str_eq(take("e", false), "10.0.0.6");
	ck_assert_str_eq(take("f", false), "10.0.0.2");
	ck_assert_str_eq(take("g", false), "");
	ck_assert_int_eq(ipam_room(&pool, NULL), CNI_UNAVAILABLE);
	release("d", "10.0.0.5");
	ck_assert_int_eq(ipam_room(&pool, NULL), 0);
	ck_assert_str_eq(take("g", false), "10.0.0.5");
	clean();
}
END_TEST

START_TEST(the_last_address_of_the_space_is_no_overflow)
{
	setup("{\"ipam\":{\"subnets\":[\"255.255.255.252/30\",\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126\"]}}");
	ck_assert_str_eq(take("a", false), "255.255.255.254");
	ck_assert_str_eq(take("b", true), "");
	release("a", "255.255.255.254");
	ck_assert_str_eq(take("c", true), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	clean();
}
END_TEST

START_TEST(only_the_owner_releases)
{
	static const struct weir_addr all[2];
	struct weir_addr a;

	setup("{\"ipam\":{\"subnets\":[\"10.0.0.0/24\",\"fd00::/64\"]}}");
	ck_assert_str_eq(take("mine", false), "10.0.0.2");
	ck_assert_str_eq(take("other", true), "fd00::3");
	ck_assert(!addr_parse("10.0.0.2", &a));
	release("other", "10.0.0.2");
	ck_assert(ipam_holds(&pool, "mine", &a) && !ipam_holds(&pool, "other", &a));
	ck_assert_int_eq(ipam_release(&pool, "mine", all, NULL), 0);
	ck_assert(!ipam_holds(&pool, "mine", &a));
	ck_assert(!addr_parse("fd00::3", &a));
	ck_assert(ipam_holds(&pool, "other", &a));
	clean();
}
END_TEST

static bool keeps(const void *kept, const char *key)
{
	return streq(kept, key);
}

START_TEST(what_is_not_kept_is_collected)
{
	struct weir_addr a;

	setup("{\"ipam\":{\"subnets\":[\"10.0.0.0/24\"]}}");
	take("a", false);
	take("b", false);
	take("c", false);
	ck_assert_int_eq(ipam_collect(&pool, keeps, "b", NULL), 0);
	for (int i = 2; i < 5; i++) {
		char text[16];

		snprintf(text, sizeof(text), "10.0.0.%d", i);
		ck_assert(!addr_parse(text, &a));
		ck_assert_int_eq(ipam_holds(&pool, i == 2 ? "a" : i == 3 ? "b" : "c", &a), i == 3);
	}
	clean();
}
END_TEST

/* Four processes that take all there is: every address once. */
START_TEST(no_address_twice)
{
	size_t got = 0;
	int fd[2], status;
	char text[16];

	setup("{\"ipam\":{\"subnets\":[\"10.0.0.0/24\"]}}");
	ck_assert_int_eq(pipe(fd), 0);
	for (int p = 0; p < 4; p++)
		if (fork() == 0) {
			const char *a;

			while (*(a = take("k", false))) {
				memset(text, 0, sizeof(text));
				snprintf(text, sizeof(text), "%s", a);
				if (write(fd[1], text, sizeof(text)) < 0)
					_exit(1);
			}
			_exit(0);
		}
	close(fd[1]);
	while (read(fd[0], text, sizeof(text)) == sizeof(text))
		got++;
	close(fd[0]);
	while (wait(&status) > 0)
		ck_assert_int_eq(status, 0);
	ck_assert_int_eq(got, 253); /* 256 without network, gateway and broadcast; symlink() lets none be taken twice */
	clean();
}
END_TEST

START_TEST(configurations_that_are_refused)
{
	static const struct {
		const char *conf;
		int code;
	} t[] = {
		{ "{\"ipam\":1}", CNI_BAD_JSON },
		{ "{\"ipam\":{\"type\":[]}}", CNI_BAD_JSON },
		{ "{\"ipam\":{\"type\":\"a/b\"}}", CNI_BAD_CONFIG },
		{ "{\"ipam\":{\"subnets\":{}}}", CNI_BAD_JSON },
		{ "{\"ipam\":{\"subnets\":[\"10.0.0.0/33\"]}}", CNI_BAD_CONFIG },
		{ "{\"ipam\":{\"subnets\":[\"10.0.0.0/31\"]}}", CNI_BAD_CONFIG },
		{ "{\"ipam\":{\"subnets\":[\"10.0.0.0/24\",\"10.0.0.128/25\"]}}", CNI_BAD_CONFIG },
		{ "{\"ipam\":{\"ranges\":[{}]}}", CNI_BAD_JSON },
		{ "{\"ipam\":{\"ranges\":[[{}]]}}", CNI_BAD_CONFIG },
		{ "{\"ipam\":{\"subnet\":\"10.0.0.0/24\",\"rangeStart\":\"10.0.1.0\"}}", CNI_BAD_CONFIG },
		{ "{\"ipam\":{\"subnet\":\"10.0.0.0/24\",\"rangeStart\":\"10.0.0.9\",\"rangeEnd\":\"10.0.0.3\"}}",
		  CNI_BAD_CONFIG },
		{ "{\"ipam\":{\"subnet\":\"10.0.0.0/24\",\"gateway\":\"fd00::1\"}}", CNI_BAD_CONFIG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		ck_assert_msg(parse(t[i].conf) == t[i].code, "%s", t[i].conf);
	ck_assert_int_eq(parse("{\"ipam\":{\"type\":\"weir\"}}"), 0);
	ck_assert_int_eq(ipam_require_ranges(&ipam, NULL), CNI_BAD_CONFIG);
}
END_TEST

UNIT_MAIN(ipam, addresses_go_round, the_last_address_of_the_space_is_no_overflow, only_the_owner_releases,
	  what_is_not_kept_is_collected, no_address_twice, configurations_that_are_refused)
