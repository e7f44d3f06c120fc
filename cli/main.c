// SPDX-License-Identifier: Apache-2.0
/* `weir`: the person's tool. Each command is one line of the table and one file. */
#include <signal.h>

#include "cli/cli.h"

static int cmd_version(int argc, char **argv)
{
	static const struct cli_usage usage = { "version", "Print the version of this program.", NULL };
	int n = cli_parse(&usage, argc, argv, NULL);

	if (n < 0)
		return cli_exit_status(n);
	if (n > 0)
		return cli_wrong(&usage, "version takes no argument");
	printf("weir %s\n", WEIR_VERSION);
	return 0;
}

static const struct cli_command commands[];

const struct cli_command *cli_commands(void)
{
	return commands;
}

static const struct cli_command commands[] = {
	{ "observe", "print flows", cmd_observe },
	{ "agents", "print who calls whom: agents, tools, models", cmd_agents },
	{ "flows", "add flows up", cmd_flows },
	{ "top", "show what there is most of, live", cmd_top },
	{ "status", "tell how the agent is", cmd_status },
	{ "endpoint", "list the pods of the node", cmd_endpoint },
	{ "identity", "list the identities in use", cmd_identity },
	{ "list", "list nodes and namespaces", cmd_list },
	{ "watch", "print news of nodes and of the agent", cmd_watch },
	{ "policy", "check, try and explain NetworkPolicies", cmd_policy },
	{ "config", "keep options in a file", cmd_config },
	{ "completion", "print a shell's completion script", cmd_completion },
	{ "man", "print the manual page", cmd_man },
	{ "version", "print the version", cmd_version },
	{ 0 },
};

int main(int argc, char **argv)
{
	char *version[] = { "version", NULL };
	int r;

	signal(SIGPIPE, SIG_IGN); /* a write to a closed socket or pipe is an error like others */
	r = argc == 2 && streq(argv[1], "--version") ? cmd_version(1, version) : cli_dispatch("", commands, argc, argv);
	if (fflush(stdout) == EOF && errno != EPIPE && r == 0) /* `weir man | head` is well */
		return cli_fail("cannot write: %m");
	return r;
}
