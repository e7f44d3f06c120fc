// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>

#include "cli/config.h"
#include "cli/flow_text.h"
#include "cli/times.h"

static void print_error(const char *fmt, va_list ap)
{
	char text[8192], shown[8192];

	vsnprintf(text, sizeof(text), fmt, ap); /* what servers and files say may be in it */
	fprintf(stderr, "weir: %s\n", printable(text, shown, sizeof(shown)));
}

int cli_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(fmt, ap);
	va_end(ap);
	return 1;
}

int cli_wrong(const struct cli_usage *usage, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_error(fmt, ap);
	va_end(ap);
	fprintf(stderr, "usage: weir %s\n", usage->line);
	return 2;
}

int cli_set_str(const struct cli_option *o, const char *value, void *args, _unused_ struct err *reterr)
{
	*(const char **)((char *)args + o->data) = value;
	return 0;
}

int cli_set_bool(const struct cli_option *o, const char *value, void *args, _unused_ struct err *reterr)
{
	*(bool *)((char *)args + o->data) = streq(value, "true");
	return 0;
}

int cli_set_u64(const struct cli_option *o, const char *value, void *args, struct err *reterr)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end || errno)
		return err_set(reterr, -EINVAL, "\"%s\" is not a number", value);
	*(uint64_t *)((char *)args + o->data) = v;
	return 0;
}

int cli_set_duration(const struct cli_option *o, const char *value, void *args, struct err *reterr)
{
	if (duration_parse(value, (uint64_t *)((char *)args + o->data)) < 0)
		return err_set(reterr, -EINVAL, "\"%s\" is not a duration", value);
	return 0;
}

static bool debugging;

int cli_set_debug(_unused_ const struct cli_option *o, const char *value, _unused_ void *args,
		  _unused_ struct err *reterr)
{
	debugging = streq(value, "true");
	return 0;
}

bool cli_debugging(void)
{
	return debugging;
}

void cli_debug(const char *fmt, ...)
{
	va_list ap;

	if (!debugging)
		return;
	va_start(ap, fmt);
	print_error(fmt, ap);
	va_end(ap);
}

/* Set during cli_walk: usages are shown to it, and no command runs. */
static cli_show_fn walking;
static char walk_path[64]; /* of the command that would run */

void cli_walk(const struct cli_command *table, cli_show_fn show)
{
	walking = show;
	cli_dispatch("", table, 1, (char *[]){ (char *)"weir", NULL });
	walking = NULL;
}

static void print_help(const struct cli_usage *usage)
{
	printf("usage: weir %s\n\n%s\n\noptions:\n", usage->line, usage->about);
	for (const struct cli_option *o = usage->options; o && o->name; o++) {
		char left[80];

		if (!o->help)
			continue;
		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter ? "," : " ", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-36s %s\n", left, o->help);
	}
	printf("  %-36s %s\n", "-h, --help", "this text");
}

static const struct cli_option *find_long(const struct cli_option *options, const char *name, size_t len)
{
	for (const struct cli_option *o = options; o && o->name; o++)
		if (strlen(o->name) == len && !memcmp(o->name, name, len))
			return o;
	return NULL;
}

static const struct cli_option *find_letter(const struct cli_option *options, char letter)
{
	for (const struct cli_option *o = options; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

/* What cli_parse is at. */
struct parsing {
	const struct cli_usage *usage;
	void *args;
	bool given[CLI_OPTIONS_MAX];
};

static int apply(struct parsing *p, const struct cli_option *o, const char *value)
{
	const struct cli_usage *usage = p->usage;
	struct err e = { 0 };

	if (!value)
		return cli_wrong(usage, "--%s needs a value", o->name), CLI_WRONG;
	if (!o->arg && !streq(value, "true") && !streq(value, "false"))
		return cli_wrong(usage, "--%s is true or false, not \"%s\"", o->name, value), CLI_WRONG;
	if (o->set(o, value, p->args, &e) < 0)
		return cli_wrong(usage, "--%s: %s", o->name, e.msg), CLI_WRONG;
	p->given[o - usage->options] = true;
	return 0;
}

/* --name, --name=value, --name value. *i is the place in argv, moved on when the value is a word of its own. */
static int parse_long(struct parsing *p, int argc, char **argv, int *i)
{
	const struct cli_usage *usage = p->usage;
	const char *name = argv[*i] + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const struct cli_option *o = find_long(usage->options, name, len);

	if (!o && len == 4 && !memcmp(name, "help", 4)) {
		print_help(usage);
		return CLI_HELP_SHOWN;
	}
	if (!o)
		return cli_wrong(usage, "unknown option --%.*s", (int)len, name), CLI_WRONG;
	if (eq)
		return apply(p, o, eq + 1);
	if (!o->arg)
		return apply(p, o, "true");
	return apply(p, o, ++*i < argc ? argv[*i] : NULL);
}

/* -f, -fo json, -ojson, -o json, -o=json */
static int parse_letters(struct parsing *parsing, int argc, char **argv, int *i)
{
	const struct cli_usage *usage = parsing->usage;

	for (const char *p = argv[*i] + 1; *p; p++) {
		const struct cli_option *o = find_letter(usage->options, *p);
		int r;

		if (!o && *p == 'h') {
			print_help(usage);
			return CLI_HELP_SHOWN;
		}
		if (!o)
			return cli_wrong(usage, "unknown option -%c", *p), CLI_WRONG;
		if (!o->arg && p[1] != '=') {
			r = apply(parsing, o, "true");
			if (r < 0)
				return r;
			continue;
		}
		if (p[1])
			return apply(parsing, o, p + 1 + (p[1] == '='));
		return apply(parsing, o, ++*i < argc ? argv[*i] : NULL);
	}
	return 0;
}

int cli_parse(const struct cli_usage *usage, int argc, char **argv, void *args)
{
	struct parsing p = { .usage = usage, .args = args };
	bool options = true;
	int n = 0, r;

	if (walking) {
		walking(walk_path, usage, NULL);
		return CLI_HELP_SHOWN;
	}
	for (int i = 1; i < argc; i++) {
		if (!options || argv[i][0] != '-' || !argv[i][1]) {
			argv[n++] = argv[i];
			continue;
		}
		if (streq(argv[i], "--")) {
			options = false;
			continue;
		}
		r = argv[i][1] == '-' ? parse_long(&p, argc, argv, &i) : parse_letters(&p, argc, argv, &i);
		if (r < 0)
			return r;
	}
	r = config_apply(usage, p.given, args);
	return r < 0 ? r : n;
}

static void print_commands(FILE *f, const char *parent, const struct cli_command *table)
{
	fprintf(f, "usage: weir %s%sCOMMAND [options]\n\ncommands:\n", parent, *parent ? " " : "");
	for (const struct cli_command *c = table; c->name; c++)
		fprintf(f, "  %-12s %s\n", c->name, c->help);
	fprintf(f, "\n`weir %s%sCOMMAND --help` tells a command's options.\n", parent, *parent ? " " : "");
}

int cli_dispatch(const char *parent, const struct cli_command *table, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const char *sep = *parent ? " " : "";

	if (walking) {
		walking(parent, NULL, table);
		for (const struct cli_command *c = table; c->name; c++) {
			snprintf(walk_path, sizeof(walk_path), "%s%s%s", parent, sep, c->name);
			c->run(1, (char *[]){ (char *)c->name, NULL });
		}
		return 0;
	}
	if (name && (streq(name, "help") || streq(name, "--help") || streq(name, "-h"))) {
		print_commands(stdout, parent, table);
		return 0;
	}
	for (const struct cli_command *c = table; name && c->name; c++)
		if (streq(c->name, name))
			return c->run(argc - 1, argv + 1);
	if (name)
		cli_fail("unknown command \"%s%s%s\"", parent, sep, name);
	fprintf(stderr, "usage: weir %s%sCOMMAND [options], where COMMAND is one of:", parent, sep);
	for (const struct cli_command *c = table; c->name; c++)
		fprintf(stderr, " %s", c->name);
	fputc('\n', stderr);
	return 2;
}
