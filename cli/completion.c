// SPDX-License-Identifier: Apache-2.0
/* `weir completion bash|zsh|fish`: scripts made of the same tables as --help. */
#include "cli/cli.h"

static void bash_words(const char *path, const struct cli_usage *usage, const struct cli_command *table)
{
	printf("\t\"%s\") words=\"", path);
	for (const struct cli_command *c = table; c && c->name; c++)
		printf("%s ", c->name);
	for (const struct cli_option *o = usage ? usage->options : NULL; o && o->name; o++)
		if (o->help)
			printf("--%s ", o->name);
	puts("--help\" ;;");
}

static void bash_paths(const char *path, _unused_ const struct cli_usage *usage,
		       _unused_ const struct cli_command *table)
{
	if (*path)
		printf("|\"%s\"", path);
}

/* What is complete so far is a path of commands; options and their values between them are passed over. */
static void bash(void)
{
	fputs("_weir() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} path= next word words=\n"
	      "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "\t\tnext=\"${path:+$path }$word\"\n"
	      "\t\tcase \"$next\" in \"\"",
	      stdout);
	cli_walk(cli_commands(), bash_paths);
	puts(") path=$next ;; esac\n\tdone\n\tcase \"$path\" in");
	cli_walk(cli_commands(), bash_words);
	puts("\tesac\n"
	     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	     "}\n"
	     "complete -o default -F _weir weir");
}

static void zsh(void)
{
	puts("#compdef weir\nautoload -U +X bashcompinit && bashcompinit");
	bash();
}

static void fish_quoted(const char *s)
{
	putchar('\'');
	for (; *s; s++)
		printf(*s == '\'' || *s == '\\' ? "\\%c" : "%c", *s);
	putchar('\'');
}

static void fish_condition(const char *path)
{
	const char *space = strrchr(path, ' ');

	if (*path)
		printf("complete -c weir -n '__fish_seen_subcommand_from %s'", space ? space + 1 : path);
	else
		fputs("complete -c weir -n __fish_use_subcommand", stdout);
}

static void fish_words(const char *path, const struct cli_usage *usage, const struct cli_command *table)
{
	for (const struct cli_command *c = table; c && c->name; c++) {
		fish_condition(path);
		printf(" -f -a %s -d ", c->name);
		fish_quoted(c->help);
		putchar('\n');
	}
	for (const struct cli_option *o = usage ? usage->options : NULL; o && o->name; o++) {
		if (!o->help)
			continue;
		fish_condition(path);
		printf(" -l %s%s", o->name, o->arg ? " -r" : "");
		if (o->letter)
			printf(" -s %c", o->letter);
		fputs(" -d ", stdout);
		fish_quoted(o->help);
		putchar('\n');
	}
}

static void fish(void)
{
	cli_walk(cli_commands(), fish_words);
}

int cmd_completion(int argc, char **argv)
{
	static const struct cli_usage usage = { "completion bash|zsh|fish",
						"Print a completion script. bash: `weir completion bash > "
						"/etc/bash_completion.d/weir`; zsh: into a file _weir "
						"on the fpath; fish: into ~/.config/fish/completions/weir.fish.",
						NULL };
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
	int n = cli_parse(&usage, argc, argv, NULL);

	if (n < 0)
		return cli_exit_status(n);
	for (size_t i = 0; n == 1 && i < ARRAY_SIZE(shells); i++)
		if (streq(argv[0], shells[i].shell)) {
			shells[i].print();
			return 0;
		}
	return cli_wrong(&usage, n == 1 ? "no such shell: \"%s\"" : "which shell?", n == 1 ? argv[0] : "");
}
