// SPDX-License-Identifier: Apache-2.0
/* `weir man`: weir(1), made of the same tables as --help. */
#include <ctype.h>

#include "cli/cli.h"

/* Text for troff: hyphens that are to be copied, no line that begins as a request. */
static void put(const char *s)
{
	for (bool first = true; *s; s++, first = s[-1] == '\n') {
		if (first && (*s == '.' || *s == '\''))
			fputs("\\&", stdout);
		if (*s == '-')
			fputs("\\-", stdout);
		else if (*s == '\\')
			fputs("\\e", stdout);
		else
			putchar(*s);
	}
}

static void put_option(const struct cli_option *o)
{
	puts(".TP");
	if (o->letter)
		printf("\\fB\\-%c\\fR, ", o->letter);
	fputs("\\fB\\-\\-", stdout);
	put(o->name);
	fputs("\\fR", stdout);
	if (o->arg)
		printf(" \\fI%s\\fR", o->arg);
	putchar('\n');
	put(o->help);
	putchar('\n');
}

static void put_command(_unused_ const char *path, const struct cli_usage *usage,
			_unused_ const struct cli_command *table)
{
	if (!usage)
		return;
	fputs(".SS \"weir ", stdout);
	put(usage->line);
	fputs("\"\n", stdout);
	put(usage->about);
	putchar('\n');
	for (const struct cli_option *o = usage->options; o && o->name; o++)
		if (o->help)
			put_option(o);
}

int cmd_man(int argc, char **argv)
{
	static const struct cli_usage usage = { "man", "Print the manual page of weir: `weir man | man -l -`.", NULL };
	int n = cli_parse(&usage, argc, argv, NULL);

	if (n < 0)
		return cli_exit_status(n);
	if (n > 0)
		return cli_wrong(&usage, "man takes no argument");
	puts(".TH WEIR 1 \"\" \"weir " WEIR_VERSION "\" \"User Commands\"\n"
	     ".SH NAME\nweir \\- flows and network policies of a Kubernetes node\n"
	     ".SH SYNOPSIS\n.B weir\n\\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
	     ".SH DESCRIPTION\n"
	     "weir asks the agent of a node, or any server that speaks Hubble's API, for flows and state, and checks, "
	     "tries and\n"
	     "explains NetworkPolicies without a cluster. Policy commands need neither root nor an agent.\n"
	     ".SH COMMANDS");
	cli_walk(cli_commands(), put_command);
	puts(".SH ENVIRONMENT\n.TP\n.B WEIR_SERVER, WEIR_TLS, WEIR_TLS_CA_CERT_FILES, ...\n"
	     "the options that `weir config view` lists, in upper case, when they are not on the command line. What is "
	     "not there "
	     "is taken\nfrom HUBBLE_SERVER and so on, then from the configuration file.\n"
	     ".TP\n.B WEIR_CONFIG\nthe configuration file, when \\-\\-config does not tell\n"
	     ".TP\n.B NO_COLOR\nno colour, even on a terminal\n"
	     ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/weir/config.yaml\nor ~/.config/weir/config.yaml: options, one "
	     "\"name: value\" a "
	     "line; see weir config\n"
	     ".SH EXIT STATUS\n0: all is well. 1: it failed, or the answer is no. 2: wrong usage.\n"
	     ".SH SEE ALSO\n.BR weir\\-agent (8),\n.BR weir\\-cni (8)");
	return 0;
}
