// SPDX-License-Identifier: Apache-2.0
/* weir policy: what NetworkPolicies will do, before anybody applies them. */
#include "cli/policy.h"

#include "cli/cli.h"
#include "cli/flow_text.h"

static void print_problems(FILE *f, const struct k8s_problems *p, bool notices)
{
	static const char *const colours[] = {
		[K8S_ERROR] = "\033[31m", [K8S_WARNING] = "\033[33m", [K8S_NOTICE] = ""
	};
	bool colour = isatty(fileno(f));

	for (size_t i = 0; i < p->n; i++) {
		enum k8s_severity s = p->v[i].severity;
		char text[4096];

		if (s != K8S_NOTICE || notices)
			fprintf(f, "%s%s%s: %s\n", colour ? colours[s] : "", k8s_severity_name(s),
				colour ? "\033[0m" : "", printable(p->v[i].text, text, sizeof(text)));
	}
	if (p->n_lost)
		fprintf(f, "and %zu more\n", p->n_lost);
}

int policy_load_world(const char *objects, struct world *w)
{
	struct err err;
	int status = 0;

	if (world_read(w, objects, &err) < 0)
		return cli_fail("%s", err.msg);
	k8s_store_duplicates(w->store, &w->problems);
	print_problems(stderr, &w->problems, false);
	if (w->problems.n_errors)
		status = 1;
	if (world_compile(w, &err) < 0)
		return cli_fail("%s", err.msg);
	if (w->n_unaddressed)
		fprintf(stderr,
			"notice: %zu pods have no address yet: of ipBlocks, only 0.0.0.0/0 and ::/0 are taken to cover "
			"them\n",
			w->n_unaddressed);
	return status;
}

static const struct cli_usage check_usage = {
	"policy check FILE|DIR...",
	"Report every mistake in manifests: with file, line and path in the object. Exit status 1 when there are "
	"errors.",
	NULL,
};

static size_t count_objects(const struct k8s_store *s)
{
	const struct k8s_entry *const *unused;
	size_t n = 0;

	for (enum k8s_kind k = 0; s && k < K8S_KIND_COUNT; k++)
		n += k8s_store_list(s, k, &unused);
	return n;
}

static int cmd_check(int argc, char **argv)
{
	struct world w = {};
	struct err err;
	int n = cli_parse(&check_usage, argc, argv, NULL), status = 0;

	if (n < 0)
		return cli_exit_status(n);
	if (!n)
		return cli_wrong(&check_usage, "which file?");
	for (int i = 0; i < n; i++)
		if (world_read(&w, argv[i], &err) < 0)
			status = cli_fail("%s", err.msg);
	if (w.store)
		k8s_store_duplicates(w.store, &w.problems);
	print_problems(stdout, &w.problems, true);
	printf("%zu files, %zu objects, %zu errors\n", w.n_files, count_objects(w.store), w.problems.n_errors);
	if (w.problems.n_errors)
		status = 1;
	world_done(&w);
	return status;
}

int cmd_policy(int argc, char **argv)
{
	static const struct cli_command commands[] = {
		{ "check", "report mistakes in manifests", cmd_check },
		{ "matrix", "print who may talk to whom", cmd_policy_matrix },
		{ "explain", "tell which policies decide about one connection, and how", cmd_policy_explain },
		{ 0 },
	};

	return cli_dispatch("policy", commands, argc, argv);
}
