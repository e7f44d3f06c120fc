// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"
#include "test/unit.h"

struct args {
	const char *name;
	bool on, other;
	uint64_t n;
};

static const struct cli_option options[] = {
	{ "name", 'n', "NAME", "a name", cli_set_str, offsetof(struct args, name) },
	{ "on", 'f', NULL, "a switch", cli_set_bool, offsetof(struct args, on) },
	{ "other", 0, NULL, "a switch", cli_set_bool, offsetof(struct args, other) },
	{ "number", 0, "N", "a number", cli_set_u64, offsetof(struct args, n) },
	{ 0 },
};
static const struct cli_usage usage = { "test [options]", "A test.", options };

/* Words as a shell would give them, the command's name first; returns what cli_parse does. */
static int parse(const char *line, struct args *a, char **argv, char *copy)
{
	int argc = 0;
	char *save;

	*a = (struct args){ .name = "none", .other = true };
	strcpy(copy, line);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	return cli_parse(&usage, argc, argv, a);
}

START_TEST(every_way_to_write_an_option)
{
	static const char *const names[] = { "test --name x", "test --name=x", "test -n x", "test -nx",
					     "test -n=x",     "test -fn x",    "test -fnx" };
	char *argv[16], copy[128];
	struct args a;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ck_assert_int_eq(parse(names[i], &a, argv, copy), 0);
		ck_assert_str_eq(a.name, "x");
		ck_assert(a.on == (strstr(names[i], "-f") != NULL));
	}
	ck_assert_int_eq(parse("test --on --other=false --number 18446744073709551615", &a, argv, copy), 0);
	ck_assert(a.on && !a.other && a.n == UINT64_MAX);
	ck_assert_int_eq(parse("test -f=false", &a, argv, copy), 0);
	ck_assert(!a.on);
}
END_TEST

START_TEST(arguments_are_moved_to_the_front)
{
	char *argv[16], copy[128];
	struct args a;

	ck_assert_int_eq(parse("test one --on two -n x - -- --on", &a, argv, copy), 4);
	ck_assert_str_eq(argv[0], "one");
	ck_assert_str_eq(argv[1], "two");
	ck_assert_str_eq(argv[2], "-");
	ck_assert_str_eq(argv[3], "--on");
	ck_assert_str_eq(a.name, "x");
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
	static const char *const wrong[] = { "test --nam x",
					     "test --names x",
					     "test --name",
					     "test -n",
					     "test -x",
					     "test -fx",
					     "test --on=yes",
					     "test --number x",
					     "test --number -1",
					     "test --number 1x",
					     "test --number 18446744073709551616",
					     "test --number",
					     "test --=x" };
	char *argv[16], copy[128];
	struct args a;

	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ck_assert_msg(parse(wrong[i], &a, argv, copy) == CLI_WRONG, "%s was taken", wrong[i]);
	ck_assert_int_eq(cli_exit_status(CLI_WRONG), 2);
}
END_TEST

UNIT_MAIN(options, every_way_to_write_an_option, arguments_are_moved_to_the_front, what_is_wrong_is_refused)
