/* SPDX-License-Identifier: Apache-2.0 */
/* A unit test file: START_TEST functions, then UNIT_MAIN(name, test, test, ...). Static and unlisted does not compile.
 */
#ifndef WEIR_TEST_UNIT_H
#define WEIR_TEST_UNIT_H

#include <check.h>

#include "lib/macro.h"

#define UNIT_MAIN(suite_name, ...)                                \
	int main(void)                                            \
	{                                                         \
		const TTest *const tests[] = { __VA_ARGS__ };     \
		Suite *s = suite_create(#suite_name);             \
		SRunner *sr = srunner_create(s);                  \
		int failed;                                       \
                                                                  \
		for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {  \
			TCase *tc = tcase_create(tests[i]->name); \
                                                                  \
			tcase_set_timeout(tc, 60);                \
			tcase_add_test(tc, tests[i]);             \
			suite_add_tcase(s, tc);                   \
		}                                                 \
		srunner_set_tap(sr, "-");                         \
		srunner_run_all(sr, CK_SILENT);                   \
		failed = srunner_ntests_failed(sr);               \
		srunner_free(sr);                                 \
		return failed ? 1 : 0;                            \
	}

#endif
