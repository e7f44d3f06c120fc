// SPDX-License-Identifier: Apache-2.0
/* weir-cni: the CNI plugin. Called with CNI_COMMAND in the environment and the network configuration on stdin. */
#include "cni/cmd.h"
#include "lib/log.h"
#include "lib/netns.h"

static const struct command {
	const char *name;
	int (*run)(struct conf *c, int netns, struct err *reterr);
	unsigned needs; /* enum cni_need */
	enum cni_version since;
} commands[] = {
	{ "ADD", cmd_add, NEED_CONTAINER_ID | NEED_NETNS | NEED_IFNAME | NEED_PATH | NEED_SETTINGS, CNI_0_1_0 },
	{ "DEL", cmd_del, NEED_CONTAINER_ID | NEED_IFNAME | NEED_PATH, CNI_0_1_0 },
	{ "CHECK", cmd_check, NEED_CONTAINER_ID | NEED_NETNS | NEED_IFNAME | NEED_PATH | NEED_SETTINGS, CNI_0_4_0 },
	{ "GC", cmd_gc, NEED_PATH, CNI_1_1_0 },
	{ "STATUS", cmd_status, NEED_PATH | NEED_SETTINGS, CNI_1_1_0 },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (streq(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* Nothing of the host's own network is ever a pod's. DEL alone works without a namespace: it may have gone. */
static int open_netns(const struct conf *c, const struct command *cmd, int *ret_fd, struct err *reterr)
{
	const char *override = getenv("CNI_NETNS_OVERRIDE");
	_cleanup_close_ int fd = -1;

	if (!*c->netns || !(cmd->needs & NEED_CONTAINER_ID))
		return 0;
	fd = netns_open(c->netns, reterr);
	if (fd < 0)
		return cmd->needs & NEED_NETNS ? CNI_BAD_ENV : 0;
	if (netns_is_own(fd) && !(override && (strcasecmp(override, "true") == 0 || streq(override, "1"))))
		return err_set(reterr, CNI_HOST_NETNS, "CNI_NETNS (%s) is the host's own network namespace", c->netns);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* A runtime repeats a DEL until it succeeds: want of good settings must not keep it from removing what it can. */
static int read_settings(struct conf *c, const struct command *cmd, struct err *reterr)
{
	int code = conf_read_settings(c, reterr);

	if (!code || (cmd->needs & NEED_SETTINGS))
		return code;
	log_warn("%s: %s goes on without it", reterr->msg, cmd->name);
	return 0;
}

static int run(struct conf *c, const struct command *cmd, struct err *reterr)
{
	_cleanup_close_ int netns = -1;
	int code = conf_read_env(c, cmd->needs, reterr);

	code = code ?: conf_read_stdin(c, reterr);
	if (!code && c->version < cmd->since)
		code = err_set(reterr, CNI_BAD_VERSION, "config version \"%s\" has no %s: it came with %s",
			       cni_version_str(c->version), cmd->name, cni_version_str(cmd->since));
	code = code ?: read_settings(c, cmd, reterr);
	code = code ?: open_netns(c, cmd, &netns, reterr);
	return code ?: cmd->run(c, netns, reterr);
}

/* The answer is in the version of the request, where there is one. */
static const char *answer_version(const struct conf *c)
{
	const char *v = json_string_value(json_object_get(c->json, "cniVersion"));
	enum cni_version known;

	return v && cni_version_parse(v, &known) == 0 ? v : cni_version_str(CNI_VERSION_NEWEST);
}

static bool print_versions(void)
{
	struct conf c = {};
	struct err ignored;
	bool ok;

	(void)conf_read_stdin(&c, &ignored); /* VERSION works with any input, and with none */
	ok = result_print_versions(answer_version(&c));
	conf_done(&c);
	return ok;
}

/* What to do about an error, where that is the same for all of a code. */
static const char *advice(int code)
{
	switch (code) {
	case CNI_BAD_VERSION:
		return "supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0";
	case CNI_CHECK_FAILED:
		return "not as ADD left it: call DEL, then ADD again (in Kubernetes: delete the pod)";
	default:
		return NULL;
	}
}

static int fail(const struct conf *c, int code, const char *msg)
{
	result_print_error(answer_version(c), code, msg, advice(code));
	return EXIT_FAILURE;
}

int main(void)
{
	static char log_buffer[BUFSIZ];
	const char *name = getenv("CNI_COMMAND");
	const struct command *cmd;
	struct conf c = {};
	struct err e = {};
	int code;

	json_object_seed(1); /* tables of a short-lived process need no secret, and reading one costs three calls */
	setvbuf(stderr, log_buffer, _IOLBF, sizeof(log_buffer)); /* else a message is a call a character */
	log_setup(LOG_LEVEL_WARN, false);
	if (!name || !*name) {
		fprintf(stderr, "weir-cni %s: a CNI plugin, run by a container runtime (CNI versions 0.1.0 to %s)\n",
			WEIR_VERSION, cni_version_str(CNI_VERSION_NEWEST));
		return EXIT_SUCCESS;
	}
	if (streq(name, "VERSION"))
		return print_versions() ? EXIT_SUCCESS : EXIT_FAILURE;
	cmd = find_command(name);
	if (!cmd)
		return fail(&c, CNI_BAD_ENV, "unknown CNI_COMMAND");
	code = run(&c, cmd, &e);
	if (code)
		code = fail(&c, code, e.msg);
	conf_done(&c);
	return code;
}
