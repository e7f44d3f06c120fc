// SPDX-License-Identifier: Apache-2.0
/* weir policy matrix: the verdict for every pair of pods, or for the probes of a file. */
#include <jansson.h>
#include <netinet/in.h>

#include "cli/cli.h"
#include "cli/flow_text.h"
#include "cli/policy.h"

struct args {
	const char *objects, *output, *probe;
};

static const struct cli_option options[] = {
	{ "objects", 0, "DIR", "folder of manifests (or one file)", cli_set_str, offsetof(struct args, objects) },
	{ "output", 'o', "table|json", "json: an object a line", cli_set_str, offsetof(struct args, output) },
	{ "probe", 0, "FILE", "answer these instead of all pairs: [{\"from\", \"to\", \"port\", \"protocol\"}]",
	  cli_set_str, offsetof(struct args, probe) },
	{ 0 },
};
static const struct cli_usage usage = {
	"policy matrix --objects DIR",
	"Print the verdict of the NetworkPolicies in a folder for every pair of pods and every container port.",
	options,
};

struct printer {
	const struct world *world;
	bool json, colour;
};

/* Caller frees. NULL: out of memory. */
static char *side_text(const struct world_verdict *v, enum weir_dir dir)
{
	static const char *const fixed[] = {
		[WHY_NOT_A_POD] = "none",       [WHY_SELF] = "self", [WHY_NODE] = "node",
		[WHY_OPEN] = "default",         [WHY_RULE] = "",     [WHY_AUDIT] = "audit: ",
		[WHY_DENIED] = "default deny: "
	};
	const struct world_side *s = &v->side[dir];
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fputs(v->no_family ? "no common address family" : fixed[s->why], f);
	for (size_t i = 0; s->rule && i < s->rule->n_policies; i++)
		fprintf(f, "%s%s/%s", i ? "," : "", s->rule->policies[i].ns, s->rule->policies[i].name);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* Takes o. */
static void print_json(json_t *o)
{
	if (!o)
		cli_fail("out of memory");
	else if (json_dumpf(o, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	json_decref(o);
}

static void print(struct printer *p, const struct world_end *from, const struct world_end *to, uint8_t proto,
		  uint16_t port)
{
	struct world_verdict v = world_judge(p->world, from, to, proto, port);
	_cleanup_free_ char *egress = side_text(&v, WEIR_EGRESS), *ingress = side_text(&v, WEIR_INGRESS);
	char at[24];

	if (p->json) {
		print_json(json_pack("{s:s, s:s, s:i, s:s, s:b, s:s, s:s}", "from", from->name, "to", to->name, "port",
				     port, "protocol", world_proto_name(proto), "allowed", v.allowed, "egress", egress,
				     "ingress", ingress));
		return;
	}
	snprintf(at, sizeof(at), "%u/%s", port, world_proto_name(proto));
	printf("%-32s %-32s %-11s %s%-7s%s  %s | %s\n", from->name, to->name, at,
	       !p->colour  ? ""
	       : v.allowed ? "\033[32m"
			   : "\033[31m",
	       v.allowed ? "allowed" : "denied", p->colour ? "\033[0m" : "", egress, ingress);
}

/* Answers are in the order of the probes: one that cannot be judged has a line, too. */
static void print_unanswered(const struct printer *p, json_t *probe, const char *story)
{
	const char *from = json_string_value(json_object_get(probe, "from"));
	const char *to = json_string_value(json_object_get(probe, "to"));
	char a[128], b[128], why[sizeof(struct err)];

	if (!p->json) {
		printf("%-32s %-32s %-11s %-7s  %s\n", printable(from ?: "?", a, sizeof(a)),
		       printable(to ?: "?", b, sizeof(b)), "", "error", printable(story, why, sizeof(why)));
		return;
	}
	probe = json_is_object(probe) ? json_copy(probe) : json_object();
	json_object_set_new(probe, "allowed", json_null());
	json_object_set_new(probe, "error", json_string(story));
	print_json(probe);
}

static bool seen_before(const struct k8s_pod *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (p->ports[k].port == p->ports[i].port && p->ports[k].proto == p->ports[i].proto)
			return true;
	return false;
}

static const struct k8s_pod *pod_of(const struct k8s_entry *e)
{
	return (const struct k8s_pod *)e->object;
}

/* Each pod as an end, in the order of the list; those that have finished are none. NULL: out of memory. */
static struct world_end *list_ends(const struct world *w, const struct k8s_entry *const *v, size_t n)
{
	struct world_end *ends = calloc(n + 1, sizeof(*ends));
	char name[sizeof(ends->name)];

	for (size_t i = 0; ends && i < n; i++) {
		snprintf(name, sizeof(name), "%s/%s", v[i]->ns, v[i]->name);
		if (!pod_of(v[i])->finished)
			(void)world_find(w, name, &ends[i], NULL);
	}
	return ends;
}

static bool is_end(const struct world_end *e)
{
	return *e->name;
}

static void all_ports(struct printer *p, const struct world_end *from, const struct world_end *to,
		      const struct k8s_pod *pod)
{
	for (size_t i = 0; i < pod->n_ports; i++)
		if (!seen_before(pod, i))
			print(p, from, to, pod->ports[i].proto, pod->ports[i].port);
}

static int all_pairs(struct printer *p)
{
	const struct k8s_entry *const *v;
	size_t n = k8s_store_list(p->world->store, K8S_POD, &v);
	_cleanup_free_ struct world_end *ends = list_ends(p->world, v, n);

	if (!ends)
		return cli_fail("out of memory");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			if (k != i && is_end(&ends[i]) && is_end(&ends[k]))
				all_ports(p, &ends[i], &ends[k], pod_of(v[k]));
	return 0;
}

static int one_probe(struct printer *p, json_t *probe, struct err *reterr)
{
	const char *from, *to, *proto = "TCP", *from_ip = NULL, *to_ip = NULL;
	struct world_end a, b;
	uint8_t number;
	json_error_t e;
	int port = 0;

	if (json_unpack_ex(probe, &e, JSON_STRICT, "{s:s, s:s, s?i, s?s, s?s, s?s}", "from", &from, "to", &to, "port",
			   &port, "protocol", &proto, "fromIP", &from_ip, "toIP", &to_ip) < 0)
		return err_set(reterr, -EINVAL, "%s", e.text);
	if (world_proto(proto, &number) < 0)
		return err_set(reterr, -EINVAL, "protocol: \"%s\" is none of TCP, UDP, SCTP, ICMP", proto);
	if (port < (number != IPPROTO_ICMP) || port > UINT16_MAX)
		return err_set(reterr, -EINVAL, "port: %d is not a port", port);
	if (world_find(p->world, from, &a, reterr) < 0 || world_find(p->world, to, &b, reterr) < 0 ||
	    world_choose(p->world, &a, from_ip, reterr) < 0 || world_choose(p->world, &b, to_ip, reterr) < 0)
		return -EINVAL;
	print(p, &a, &b, number, port);
	return 0;
}

static int probes(struct printer *p, const char *path)
{
	json_error_t e;
	json_t *list = streq(path, "-") ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &e)
					: json_load_file(path, JSON_REJECT_DUPLICATES, &e),
	       *probe;
	int status = 0;
	size_t i;

	if (!list)
		return cli_fail("%s:%d: %s", path, e.line, e.text);
	if (!json_is_array(list))
		status = cli_fail("%s: must be a list of probes", path);
	json_array_foreach (list, i, probe) {
		struct err err;

		if (one_probe(p, probe, &err) < 0) {
			status = cli_fail("%s: probe %zu: %s", path, i, err.msg);
			print_unanswered(p, probe, err.msg);
		}
	}
	json_decref(list);
	return status;
}

static int run(const struct args *args)
{
	struct printer p = { .json = args->output && streq(args->output, "json"), .colour = isatty(STDOUT_FILENO) };
	struct world w = {};
	int status = policy_load_world(args->objects, &w);

	p.world = &w;
	if (w.result && args->probe)
		status |= probes(&p, args->probe);
	else if (w.result)
		status |= all_pairs(&p);
	world_done(&w);
	return status;
}

int cmd_policy_matrix(int argc, char **argv)
{
	struct args args = {};
	int n = cli_parse(&usage, argc, argv, &args);

	if (n < 0)
		return cli_exit_status(n);
	if (n > 0)
		return cli_wrong(&usage, "unexpected argument: %s", argv[0]);
	if (!args.objects)
		return cli_wrong(&usage, "--objects is missing");
	if (args.output && !streq(args.output, "json") && !streq(args.output, "table"))
		return cli_wrong(&usage, "--output: \"%s\" is neither table nor json", args.output);
	return run(&args);
}
