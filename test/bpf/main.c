// SPDX-License-Identifier: Apache-2.0
/* Program test runs of the datapath: main [BPF-DIR]. Prints TAP. */
#include "test/bpf/world.h"

static void add(Suite *s, TCase *tc)
{
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, world_reset, NULL);
	suite_add_tcase(s, tc);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "/sys/fs/bpf/weir-test";
	Suite *s = suite_create("bpf");
	SRunner *sr = srunner_create(s);
	struct err err;
	int failed = 1;

	if (world_start(dir, &err) < 0) {
		printf("not ok - loading the datapath: %s\n", err.msg);
	} else {
		add(s, tests_policy());
		add(s, tests_life());
		add(s, tests_forged());
		add(s, tests_malformed());
		add(s, tests_limits());
		add(s, tests_l7());
		add(s, tests_maps());
		srunner_set_tap(sr, "-");
		srunner_run_all(sr, CK_SILENT);
		failed = srunner_ntests_failed(sr);
	}
	srunner_free(sr);
	world_stop(dir);
	return failed ? 1 : 0;
}
