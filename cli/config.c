// SPDX-License-Identifier: Apache-2.0
#include "cli/config.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>

#include "cli/client.h"
#include "lib/fs.h"
#include "lib/k8s/text.h"

#define FILE_MAX (1 << 20)

const struct config_key config_keys[] = {
	{ "server", CLIENT_SERVER_DEFAULT },
	{ "tls", "false" },
	{ "tls-allow-insecure", "false" },
	{ "tls-ca-cert-files", "" },
	{ "tls-client-cert-file", "" },
	{ "tls-client-key-file", "" },
	{ "tls-server-name", "" },
	{ "timeout", "5s" },
	{ "request-timeout", "12s" },
	{ "debug", "false" },
	{ "allowlist", "" },
	{ "denylist", "" },
	{ 0 },
};

static const char *file; /* --config */

int config_set_file(_unused_ const struct cli_option *o, const char *value, _unused_ void *args,
		    _unused_ struct err *reterr)
{
	file = value;
	return 0;
}

/* NULL: not there, or empty. */
static const char *env(const char *prefix, const char *key)
{
	char name[64];
	const char *value;
	size_t n = (size_t)snprintf(name, sizeof(name), "%s%s", prefix, key);

	for (size_t i = strlen(prefix); i < n && i < sizeof(name); i++)
		name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
	value = getenv(name);
	return value && *value ? value : NULL;
}

static const char *named_file(void)
{
	return file ?: env("WEIR_", "config");
}

int config_path(char *buf, struct err *reterr)
{
	const char *named = named_file(), *xdg = env("XDG_", "config-home"), *home = getenv("HOME");
	int n;

	if (named)
		n = snprintf(buf, PATH_MAX, "%s", named);
	else if (xdg && *xdg == '/')
		n = snprintf(buf, PATH_MAX, "%s/weir/config.yaml", xdg);
	else if (home && *home)
		n = snprintf(buf, PATH_MAX, "%s/.config/weir/config.yaml", home);
	else
		return err_set(reterr, -ENOENT, "there is no HOME, so no place for a configuration");
	return n < PATH_MAX ? 0 : err_set(reterr, -ENAMETOOLONG, "the configuration's path is too long");
}

static int parse(const char *path, const char *text, size_t len, json_t **ret_root, struct err *reterr)
{
	struct k8s_text t = { 0 };
	unsigned line = 0;
	int r = k8s_text_parse(text, len, &t, &line, reterr);

	if (r < 0)
		err_prefix(reterr, r, "%s:%u", path, line);
	else if (t.n_docs > 1 || (t.n_docs && !json_is_object(t.docs[0])))
		r = err_set(reterr, -EINVAL, "%s: is not a list of \"option: value\"", path);
	else
		*ret_root = t.n_docs ? json_incref(t.docs[0]) : json_object();
	k8s_text_done(&t);
	if (r == 0 && !*ret_root)
		return err_oom(reterr);
	return r;
}

int config_load(json_t **ret_root, struct err *reterr)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	struct err e = { 0 };
	char path[PATH_MAX];
	size_t len = 0;
	int r = config_path(path, &e);

	if (r == 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? -errno : fs_read_fd(fd, FILE_MAX, &text, &len);
	}
	if (r == -ENOENT && !named_file()) {
		*ret_root = json_object();
		return *ret_root ? 0 : err_oom(reterr);
	}
	if (r < 0)
		return err_set(reterr, r, "%s: %s", path, *e.msg ? e.msg : strerror(-r));
	cli_debug("configuration: %s", path);
	return parse(path, text, len, ret_root, reterr);
}

static int scalar_text(const json_t *v, char *buf, size_t size, const char **ret, struct err *reterr)
{
	*ret = json_is_string(v) ? json_string_value(v) : json_is_true(v) ? "true" : json_is_false(v) ? "false" : buf;
	if (*ret != buf)
		return 0;
	if (!json_is_integer(v))
		return err_set(reterr, -EINVAL, "is not a value of an option");
	snprintf(buf, size, "%lld", (long long)json_integer_value(v));
	return 0;
}

int config_each(const char *key, const json_t *root,
		int (*on_text)(const char *text, void *userdata, struct err *reterr), void *userdata,
		struct err *reterr)
{
	const char *from_env = env("WEIR_", key) ?: env("HUBBLE_", key), *text;
	const json_t *v = json_object_get(root, key);
	char buf[32];

	if (from_env)
		return on_text(from_env, userdata, reterr);
	for (size_t i = 0; i < (json_is_array(v) ? json_array_size(v) : v && !json_is_null(v)); i++) {
		int r = scalar_text(json_is_array(v) ? json_array_get(v, i) : v, buf, sizeof(buf), &text, reterr);

		if (r == 0)
			r = on_text(text, userdata, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

struct target {
	const struct cli_option *option;
	void *args;
};

static int set_option(const char *text, void *userdata, struct err *reterr)
{
	const struct target *t = userdata;

	if (!t->option->arg && !streq(text, "true") && !streq(text, "false"))
		return err_set(reterr, -EINVAL, "is true or false, not \"%s\"", text);
	return t->option->set(t->option, text, t->args, reterr);
}

static bool is_key(const char *name)
{
	for (const struct config_key *k = config_keys; k->name; k++)
		if (streq(k->name, name))
			return true;
	return false;
}

int config_apply(const struct cli_usage *usage, const bool *given, void *args)
{
	static json_t *root; /* what options point to from now on */
	struct err e = { 0 };

	for (const struct cli_option *o = usage->options; o && o->name; o++) {
		struct target t = { o, args };

		if (given[o - usage->options] || !is_key(o->name))
			continue;
		if (!root && config_load(&root, &e) < 0)
			return cli_fail("%s", e.msg), CLI_WRONG;
		if (config_each(o->name, root, set_option, &t, &e) < 0)
			return cli_fail("%s, of environment or configuration: %s", o->name, e.msg), CLI_WRONG;
	}
	return 0;
}
