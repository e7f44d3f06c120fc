/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `weir` and the one way in which they take their options. A command is a function in the table of
 * cli/main.c; what it returns is the exit status: 0 good, 1 failed or "no", 2 wrong usage.
 *
 *	static const struct cli_option options[] = {
 *		{ "objects", 0, "DIR", "folder of manifests", cli_set_str, offsetof(struct args, objects) },
 *		{ "verbose", 'v', NULL, "say more", cli_set_bool, offsetof(struct args, verbose) },
 *		{ 0 },
 *	};
 *	static const struct cli_usage usage = { "policy matrix --objects DIR", "Print the verdict …", options };
 *
 *	n = cli_parse(&usage, argc, argv, &args);
 *	if (n < 0)
 *		return cli_exit_status(n);
 *	// argv[0 .. n-1] are the arguments that are not options
 */
#ifndef WEIR_CLI_H
#define WEIR_CLI_H

#include "lib/err.h"

struct cli_option {
	const char *name; /* long name without dashes; NULL ends the table */
	char letter;      /* short form, 0: none */
	const char *arg;  /* what its value is called in the help; NULL: a switch, which also takes =true and =false */
	const char *help; /* NULL: not listed */
	/* value is never NULL: a switch gets "true" or "false". -EINVAL with the story, prefixed by the option then. */
	int (*set)(const struct cli_option *o, const char *value, void *args, struct err *reterr);
	size_t data; /* for set: usually the offset of a member of args */
};

#define CLI_OPTIONS_MAX 160 /* rows of one table */
struct cli_usage {
	const char *line;  /* "observe [options]", without the program's name */
	const char *about; /* one sentence or a paragraph */
	const struct cli_option *options;
};

#define CLI_HELP_SHOWN (-1)
#define CLI_WRONG (-2)

/*
 * Take the options out of argv (argv[0] is the command's name; options and arguments may be mixed, "--" ends the
 * options), and those that are not there from where else they may come (cli/config.h). Returns how many arguments are
 * left, moved to argv[0…]; or CLI_HELP_SHOWN, or CLI_WRONG after having said on stderr what is wrong.
 */
int cli_parse(const struct cli_usage *usage, int argc, char **argv, void *args);
static inline int cli_exit_status(int parsed)
{
	return parsed == CLI_HELP_SHOWN ? 0 : 2;
}
/* "weir: message" and the usage line on stderr; returns 2. */
int cli_wrong(const struct cli_usage *usage, const char *fmt, ...) _printf_(2, 3);
/* "weir: message" on stderr; returns 1. */
int cli_fail(const char *fmt, ...) _printf_(1, 2);
/* On stderr, when --debug was given. */
void cli_debug(const char *fmt, ...) _printf_(1, 2);
bool cli_debugging(void);

/* Setters for members of args at o->data. */
int cli_set_str(const struct cli_option *o, const char *value, void *args, struct err *reterr);      /* const char * */
int cli_set_bool(const struct cli_option *o, const char *value, void *args, struct err *reterr);     /* bool */
int cli_set_u64(const struct cli_option *o, const char *value, void *args, struct err *reterr);      /* uint64_t */
int cli_set_duration(const struct cli_option *o, const char *value, void *args, struct err *reterr); /* uint64_t, ns */
int cli_set_debug(const struct cli_option *o, const char *value, void *args, struct err *reterr); /* of the process */

/* For commands that have commands of their own (weir endpoint list): run the one that argv[1] names. */
struct cli_command {
	const char *name, *help;
	int (*run)(int argc, char **argv);
};
int cli_dispatch(const char *parent, const struct cli_command *table, int argc, char **argv);

/*
 * Call show for the usage of every command of the table, with the words that lead to it ("policy matrix"), and for each
 * command that has commands, with usage NULL and its table.
 */
const struct cli_command *cli_commands(void); /* the commands of `weir` */
typedef void (*cli_show_fn)(const char *path, const struct cli_usage *usage, const struct cli_command *table);
void cli_walk(const struct cli_command *table, cli_show_fn show);

int cmd_agents(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_endpoint(int argc, char **argv);
int cmd_flows(int argc, char **argv);
int cmd_identity(int argc, char **argv);
int cmd_man(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_observe(int argc, char **argv);
int cmd_observe_agent_events(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_watch(int argc, char **argv);

#endif
