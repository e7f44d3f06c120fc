// SPDX-License-Identifier: Apache-2.0
#include "agent/config.h"

#include <stdarg.h>

#include "agent/l7/redact.h"
#include "test/unit.h"

static char file[] = "/tmp/weir-config-test.XXXXXX";

static int parse(struct config *c, const char *text, struct err *e, ...)
{
	enum config_action action;
	char *argv[16] = { "weir-agent", "--config", file };
	int argc = 3;
	va_list ap;
	FILE *f = fopen(file, "w");

	ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
	va_start(ap, e);
	while ((argv[argc] = va_arg(ap, char *)))
		argc++;
	va_end(ap);
	return config_parse(c, argc, argv, &action, e);
}

static void make_file(void)
{
	int fd;

	strcpy(strrchr(file, '.') + 1, "XXXXXX");
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	close_fd(fd);
}

START_TEST(the_command_line_wins_over_the_file)
{
	struct config c;
	struct err e = {};

	make_file();
	ck_assert_int_eq(
	    parse(&c,
		  "{\"runDir\":\"/a\",\"nodeName\":\"x\",\"policyMax\":7,\"uplinks\":[\"e0\"],\"masquerade\":false}",
		  &e, "--objects", "/o", "--run-dir", "/b", NULL),
	    0);
	ck_assert_str_eq(c.run_dir, "/b");
	ck_assert_str_eq(c.node_name, "x");
	ck_assert_str_eq(c.objects, "/o");
	ck_assert_uint_eq(c.policy_max, 7);
	ck_assert_str_eq(c.uplinks[0], "e0");
	ck_assert(!c.masquerade);
	ck_assert_uint_gt(c.masquerade_exclude.n, 3);
	config_done(&c);
	unlink(file);
}
END_TEST

START_TEST(every_mistake_is_named)
{
	static const struct {
		const char *text, *story;
	} cases[] = {
		{ "{\"runDri\":\"/a\"}", "unknown setting \"runDri\"" },
		{ "{\"runDir\":7}", "runDir: a string is expected" },
		{ "{\"policyMax\":-1}", "policyMax: a positive number is expected" },
		{ "{\"uplinks\":[\"a\",1]}", "uplinks: [1]: a string is expected" },
		{ "{\"l7\":{\"redact\":\"*\"}}", "redact: a list of patterns" },
		{ "{\"l7\":{\"redact\":[1]}}", "redact: [0]: a string" },
		{ "{\"denyPrefixes\":[\"10.0.0.0\"]}", "denyPrefixes: [0]: a prefix" },
		{ "{\"denyPrefixes\":[\"10.0.0.0/8\"]}", "denyPrefixes needs \"xdp\": true" },
		{ "{\"l7\":{\"default\":\"on\"}}", "default: \"full\"" },
		{ "{\"xdp\":\"yes\"}", "xdp: true or false" },
		{ "{\"logLevel\":\"loud\"}", "log level \"loud\"" },
		{ "[]", "an object is expected" },
		{ "{\"a\":", ":1:" },
	};

	make_file();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config c;
		struct err e = {};

		ck_assert_int_eq(parse(&c, cases[i].text, &e, "--objects", "/o", NULL), -EINVAL);
		ck_assert_msg(strstr(e.msg, cases[i].story), "%s: %s", cases[i].text, e.msg);
		config_done(&c);
	}
	unlink(file);
}
END_TEST

START_TEST(options_that_there_are_not_are_refused)
{
	struct config c;
	struct err e = {};

	make_file();
	ck_assert_int_eq(parse(&c, "{}", &e, "--objects", "/o", "--frobnicate", NULL), -EINVAL);
	ck_assert(strstr(e.msg, "--frobnicate"));
	config_done(&c);
	ck_assert_int_eq(parse(&c, "{}", &e, "--objects", "/o", "stray", NULL), -EINVAL);
	ck_assert(strstr(e.msg, "stray"));
	config_done(&c);
	ck_assert_int_eq(parse(&c, "{}", &e, "--objects", "/o", "--kubeconfig", "/k", NULL), -EINVAL);
	ck_assert_str_eq(e.msg, "--kubeconfig: there is no reading from an API server yet, only --objects DIR");
	config_done(&c);
	ck_assert_int_eq(parse(&c, "{}", &e, NULL), -EINVAL);
	ck_assert(strstr(e.msg, "--objects"));
	config_done(&c);
	unlink(file);
}
END_TEST

START_TEST(usual_names_of_secrets)
{
	static const char *const secret[] = {
		"password",    "db_passwd",    "PWD",        "pass",       "passphrase",     "userPassCode",
		"secret",      "clientSecret", "id_token",   "api-key",    "apiKey",         "Authorization",
		"credentials", "cookie",       "Set-Cookie", "privateKey", "private_key_id", "PRIVATE-KEY",
		"accessKeyId", "ssh_key",      "bearer",     "jwt",        "signature",      "connectionString",
		"dsn",         "otp",          "pin",        "cvv",        "encryption_key", "signing-key",
		"session_key", "auth"
	};
	static const char *const other[] = { "key",      "keyword", "bypass",  "passenger", "author", "monkey",
					     "sort_key", "pinned",  "session", "compass",   "user" };
	struct config c;
	struct err e = {};

	make_file();
	ck_assert_msg(parse(&c, "{}", &e, "--objects", "/o", NULL) == 0, "%s", e.msg);
	for (size_t i = 0; i < ARRAY_SIZE(secret) + ARRAY_SIZE(other); i++) {
		bool hidden = i < ARRAY_SIZE(secret);
		const char *key = hidden ? secret[i] : other[i - ARRAY_SIZE(secret)];
		_cleanup_free_ char *text = NULL, *got = NULL;

		ck_assert_int_gt(asprintf(&text, "{\"%s\":\"x\"}", key), 0);
		got = redact(text, strlen(text), c.l7.redact);
		ck_assert_msg(hidden == !strcmp(strchr(got, ':'), ":\"[redacted]\"}"), "%s", got);
	}
	config_done(&c);
	unlink(file);
}
END_TEST

UNIT_MAIN(config, the_command_line_wins_over_the_file, every_mistake_is_named, options_that_there_are_not_are_refused,
	  usual_names_of_secrets)
