// SPDX-License-Identifier: Apache-2.0
/* `weir config`: the options that need not be said each time. */
#include <libgen.h>
#include <limits.h>

#include "cli/client.h"
#include "cli/filter_raw.h"
#include "cli/flow_text.h"
#include "lib/fs.h"

static const struct cli_option options[] = {
	{ "config", 0, "FILE", "instead of ~/.config/weir/config.yaml", config_set_file, 0 },
	{ 0 },
};

/* ---- to see whether a value is one: the tables that parse flags, with arguments that nobody reads */

struct scratch {
	struct client_address address;
};

static int try_filters(_unused_ const struct cli_option *o, const char *value, _unused_ void *args, struct err *reterr)
{
	struct raw_filters f = { 0 };
	int r = filter_raw_parse(value, &f, reterr);

	filter_raw_clear(&f);
	return r;
}

static int check_value(const char *key, const char *value, struct err *reterr)
{
	static const struct cli_option rows[] = {
		CLIENT_OPTIONS(struct scratch),
		{ "allowlist", 0, "JSON", NULL, try_filters, 0 },
		{ "denylist", 0, "JSON", NULL, try_filters, 0 },
	};
	struct scratch scratch;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!streq(rows[i].name, key))
			continue;
		if (!rows[i].arg && !streq(value, "true") && !streq(value, "false"))
			return err_set(reterr, -EINVAL, "%s is true or false, not \"%s\"", key, value);
		if (!rows[i].arg)
			return 0;
		return rows[i].set(&rows[i], value, &scratch, reterr);
	}
	return -ENOENT;
}

static const struct config_key *find_key(const char *name)
{
	const struct config_key *k = config_keys;

	while (k->name && !streq(k->name, name))
		k++;
	return k->name ? k : NULL;
}

/* ---- reading */

struct shown {
	bool item; /* of a list, in YAML */
	unsigned n;
};

static int show(const char *text, void *userdata, _unused_ struct err *reterr)
{
	struct shown *s = userdata;
	char buf[4096];

	printable(text, buf, sizeof(buf));
	fputs(s->item ? "  - '" : "", stdout);
	for (const char *p = buf; *p; p++)
		fputs(s->item && *p == '\'' ? "\'\'" : (char[]){ *p, '\0' }, stdout);
	puts(s->item ? "'" : "");
	s->n++;
	return 0;
}

static int show_key(const struct config_key *k, const json_t *root, bool with_name, struct err *reterr)
{
	bool list = streq(k->name, "allowlist") || streq(k->name, "denylist");
	struct shown s = { .item = list && with_name };
	int r;

	if (with_name)
		printf("%s:%s", k->name, list ? "\n" : " ");
	r = config_each(k->name, root, show, &s, reterr);
	if (r < 0)
		return err_prefix(reterr, r, "%s", k->name);
	if (!s.n && !s.item)
		puts(k->fallback);
	return 0;
}

/* name NULL: all. */
static int print_keys(const struct config_key *only)
{
	struct err e = { 0 };
	json_t *root;
	int r = config_load(&root, &e);

	if (r < 0)
		return cli_fail("%s", e.msg);
	for (const struct config_key *k = only ?: config_keys; r == 0 && k->name; k++) {
		r = show_key(k, root, !only, &e);
		if (only)
			break;
	}
	json_decref(root);
	return r < 0 ? cli_fail("%s", e.msg) : 0;
}

static int view(int argc, char **argv)
{
	static const struct cli_usage usage = {
		"config view",
		"Print what holds: of environment, configuration file, or by default. As YAML that --config takes.",
		options
	};
	int n = cli_parse(&usage, argc, argv, NULL);

	if (n < 0)
		return cli_exit_status(n);
	return n ? cli_wrong(&usage, "takes no argument: \"%s\"", argv[0]) : print_keys(NULL);
}

static int unknown_key(const struct cli_usage *usage, const char *name)
{
	return cli_wrong(usage, "\"%s\" is none of the options that `weir config view` lists", name);
}

static int get(int argc, char **argv)
{
	static const struct cli_usage usage = { "config get OPTION", "Print what holds for one option.", options };
	int n = cli_parse(&usage, argc, argv, NULL);

	if (n < 0)
		return cli_exit_status(n);
	if (n != 1)
		return cli_wrong(&usage, "which option?");
	return find_key(argv[0]) ? print_keys(find_key(argv[0])) : unknown_key(&usage, argv[0]);
}

/* ---- writing */

static char *to_yaml(const json_t *root)
{
	size_t len;
	char *text = NULL;
	const char *key;
	json_t *value;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	json_object_foreach ((json_t *)root, key, value) {
		fprintf(f, "%s: ", key);
		json_dumpf(value, f, JSON_ENCODE_ANY);
		fputc('\n', f);
	}
	if (fclose(f) == EOF) {
		free(text);
		return NULL;
	}
	return text;
}

static int save(const json_t *root, struct err *reterr)
{
	_cleanup_free_ char *text = to_yaml(root);
	char path[PATH_MAX], copy[PATH_MAX];
	int r;

	if (!text)
		return err_oom(reterr);
	r = config_path(path, reterr);
	if (r < 0)
		return r;
	strcpy(copy, path);
	return fs_write(dirname(copy), basename(path), text, strlen(text), false, reterr);
}

/* value NULL: nothing is said of it any more. key NULL: of nothing. */
static int change(const char *key, const char *value)
{
	bool list = key && (streq(key, "allowlist") || streq(key, "denylist"));
	struct err e = { 0 };
	json_t *root = NULL;
	int r = config_load(&root, &e);

	if (r == -ENOENT) /* the file that --config names is made now */
		r = (root = json_object()) ? 0 : err_oom(&e);
	if (r == 0 && !key)
		json_object_clear(root);
	else if (r == 0 && !value)
		json_object_del(root, key);
	else if (r == 0 && json_object_set_new(root, key, list ? json_pack("[s]", value) : json_string(value)) < 0)
		r = err_set(&e, -EINVAL, "the value is not UTF-8");
	if (r == 0)
		r = save(root, &e);
	json_decref(root);
	return r < 0 ? cli_fail("%s", e.msg) : 0;
}

static int set(int argc, char **argv)
{
	static const struct cli_usage usage = {
		"config set OPTION [VALUE]",
		"Write the option into the configuration file, from which comments vanish; without value, as reset.",
		options
	};
	struct err e = { 0 };
	int n = cli_parse(&usage, argc, argv, NULL);

	if (n < 0)
		return cli_exit_status(n);
	if (n != 1 && n != 2)
		return cli_wrong(&usage, "which option, and what?");
	if (!find_key(argv[0]))
		return unknown_key(&usage, argv[0]);
	if (n == 2 && check_value(argv[0], argv[1], &e) < 0)
		return cli_wrong(&usage, "%s", e.msg);
	return change(argv[0], n == 2 ? argv[1] : NULL);
}

static int reset(int argc, char **argv)
{
	static const struct cli_usage usage = { "config reset [OPTION]",
						"Take the option out of the configuration file; without one, all.",
						options };
	int n = cli_parse(&usage, argc, argv, NULL);

	if (n < 0)
		return cli_exit_status(n);
	if (n > 1)
		return cli_wrong(&usage, "one option at a time");
	if (n && !find_key(argv[0]))
		return unknown_key(&usage, argv[0]);
	return change(n ? argv[0] : NULL, NULL);
}

int cmd_config(int argc, char **argv)
{
	static const struct cli_command commands[] = {
		{ "view", "print what holds", view },
		{ "get", "print one option", get },
		{ "set", "write an option into the configuration file", set },
		{ "reset", "take an option, or all, out of it", reset },
		{ 0 },
	};

	return cli_dispatch("config", commands, argc, argv);
}
