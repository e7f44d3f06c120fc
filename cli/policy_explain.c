// SPDX-License-Identifier: Apache-2.0
/* weir policy explain: one connection, in words. */
#include <netinet/in.h>

#include "cli/cli.h"
#include "cli/policy.h"

struct args {
	const char *objects, *from, *to, *port;
};

static const struct cli_option options[] = {
	{ "from", 0, "A", "ns/pod, node/NAME or an address", cli_set_str, offsetof(struct args, from) },
	{ "to", 0, "B", "the same of the other end", cli_set_str, offsetof(struct args, to) },
	{ "port", 0, "N[/PROTO]", "destination port; TCP unless told, 0/ICMP for ICMP", cli_set_str,
	  offsetof(struct args, port) },
	{ "objects", 0, "DIR", "folder of manifests (or one file)", cli_set_str, offsetof(struct args, objects) },
	{ 0 },
};
static const struct cli_usage usage = {
	"policy explain --from A --to B --port N[/PROTO] --objects DIR",
	"Tell which NetworkPolicies and rules decide about a connection, and what would have to be allowed.",
	options,
};

static const struct k8s_network_policy *find_policy(const struct world *w, const struct policy_name *n)
{
	const struct k8s_entry *e = k8s_store_find(w->store, K8S_NETWORK_POLICY, n->ns, n->name);

	return e ? (const struct k8s_network_policy *)e->object : NULL;
}

/* "all pods", "pods with app=web" */
static void print_selector(const char *what, const struct k8s_selector *s)
{
	char text[1000];

	k8s_selector_to_str(s, text, sizeof(text));
	printf("%s%s%s%s", *text ? "" : "all ", what, *text ? " with " : "", text);
}

static void print_peer(const struct k8s_peer *p)
{
	static const struct k8s_selector all;
	char buf[PREFIX_STRLEN];

	if (p->is_block) {
		printf("addresses in %s", prefix_to_str(&p->cidr, buf));
		for (size_t i = 0; i < p->n_except; i++)
			printf("%s%s", i ? ", " : " except ", prefix_to_str(&p->except[i], buf));
		return;
	}
	print_selector("pods", p->pod_selector ?: &all);
	printf(" of ");
	if (p->ns_selector)
		print_selector("namespaces", p->ns_selector);
	else
		printf("its own namespace");
}

static void print_port(const struct k8s_policy_port *p)
{
	if (p->name)
		printf("the port named %s/%s", p->name, k8s_proto_name(p->proto));
	else if (p->first == 0 && p->last == UINT16_MAX)
		printf("every %s port", k8s_proto_name(p->proto));
	else if (p->first == p->last)
		printf("%u/%s", p->first, k8s_proto_name(p->proto));
	else
		printf("%u-%u/%s", p->first, p->last, k8s_proto_name(p->proto));
}

static void print_rule(const struct k8s_policy_rule *r, enum weir_dir dir)
{
	printf("      allows %s ", dir == WEIR_INGRESS ? "from" : "to");
	if (!r->n_peers)
		printf("everyone");
	for (size_t i = 0; i < r->n_peers; i++) {
		if (i)
			printf(", or ");
		print_peer(&r->peers[i]);
	}
	printf(", on ");
	if (!r->n_ports)
		printf("every port and protocol");
	for (size_t i = 0; i < r->n_ports; i++) {
		if (i)
			printf(", ");
		print_port(&r->ports[i]);
	}
	printf("\n");
}

static void print_policies(const struct world *w, const struct policy_rule *rule, enum weir_dir dir)
{
	for (size_t i = 0; rule && i < rule->n_policies; i++) {
		const struct k8s_network_policy *p = find_policy(w, &rule->policies[i]);

		printf("    %s/%s%s\n", rule->policies[i].ns, rule->policies[i].name, p && p->audit ? " (audit)" : "");
		if (p && p->broken)
			printf("      is broken: until it is mended it allows nothing\n");
		else if (p && !p->n_rules[dir])
			printf("      allows nothing\n");
		for (size_t k = 0; p && k < p->n_rules[dir]; k++)
			print_rule(&p->rules[dir][k], dir);
	}
}

static void print_labels(const struct world *w, const struct policy_pod *pod)
{
	const struct k8s_entry *e = k8s_store_find(w->store, K8S_POD, pod->ns, pod->name);

	for (size_t i = 0; e && i < e->object->labels.n; i++)
		printf("%s%s=%s", i ? "," : " with ", e->object->labels.v[i].key, e->object->labels.v[i].value);
	printf(" in namespace %s", pod->ns);
}

static void print_remedy(const struct world *w, const struct world_end *self, const struct world_end *peer,
			 enum weir_dir dir, const char *port)
{
	printf("  It would pass if a policy in namespace %s that selects %s had an %s rule for\n    port %s %s ",
	       self->pod->ns, self->name, dir == WEIR_INGRESS ? "ingress" : "egress", port,
	       dir == WEIR_INGRESS ? "from" : "to");
	if (peer->pod) {
		printf("pod %s/%s", peer->pod->ns, peer->pod->name);
		print_labels(w, peer->pod);
	} else {
		printf("the address of %s (an ipBlock)", peer->name);
	}
	printf(".\n");
}

static void print_side(const struct world *w, const struct world_verdict *v, enum weir_dir dir,
		       const struct world_end *self, const struct world_end *peer, const char *port)
{
	const struct world_side *s = &v->side[dir];
	const char *way = dir == WEIR_INGRESS ? "Ingress" : "Egress";

	printf("%s of %s: ", way, self->name);
	switch (s->why) {
	case WHY_NOT_A_POD:
		printf("no NetworkPolicy applies, it is not a pod with an address of its own.\n");
		return;
	case WHY_SELF:
		printf("allowed. A pod may always talk to its own address.\n");
		return;
	case WHY_NODE:
		printf("allowed. Traffic from the pod's own node is never subject to policy.\n");
		return;
	case WHY_OPEN:
		printf("allowed. No NetworkPolicy isolates it in this direction.\n");
		return;
	case WHY_RULE:
		printf("allowed by\n");
		break;
	case WHY_AUDIT:
		printf("passes, and is reported: only policies in audit mode isolate it, and none allows this\n");
		break;
	case WHY_DENIED:
		printf("denied. These policies isolate it, and none of them allows this:\n");
		break;
	}
	print_policies(w, s->rule, dir);
	if (s->why != WHY_RULE)
		print_remedy(w, self, peer, dir, port);
}

static int explain(const struct world *w, const struct args *args, uint8_t proto, uint16_t port)
{
	bool colour = isatty(STDOUT_FILENO);
	char a[ADDR_STRLEN], b[ADDR_STRLEN], at[32];
	struct world_end from, to;
	struct world_verdict v;
	struct err err;

	if (world_find(w, args->from, &from, &err) < 0 || world_find(w, args->to, &to, &err) < 0)
		return cli_fail("%s", err.msg);
	v = world_judge(w, &from, &to, proto, port);
	if (v.no_family)
		return cli_fail("%s and %s have no address family in common", from.name, to.name);
	snprintf(at, sizeof(at), "%u/%s", port, world_proto_name(proto));
	printf("%s (%s) -> %s (%s), %s: %s%s%s\n\n", from.name, addr_to_str(&v.from, a), to.name, addr_to_str(&v.to, b),
	       at,
	       !colour     ? ""
	       : v.allowed ? "\033[32m"
			   : "\033[31m",
	       v.allowed ? "ALLOWED" : "DENIED", colour ? "\033[0m" : "");
	print_side(w, &v, WEIR_EGRESS, &from, &to, at);
	print_side(w, &v, WEIR_INGRESS, &to, &from, at);
	return 0;
}

static int parse_port(const char *s, uint8_t *ret_proto, uint16_t *ret_port)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (end == s || n > UINT16_MAX || (*end && *end != '/'))
		return -EINVAL;
	if (world_proto(*end ? end + 1 : "TCP", ret_proto) < 0 || (!n && *ret_proto != IPPROTO_ICMP))
		return -EINVAL;
	*ret_port = n;
	return 0;
}

int cmd_policy_explain(int argc, char **argv)
{
	struct args args = {};
	struct world w = {};
	uint8_t proto;
	uint16_t port;
	int n = cli_parse(&usage, argc, argv, &args), status;

	if (n < 0)
		return cli_exit_status(n);
	if (n > 0)
		return cli_wrong(&usage, "unexpected argument: %s", argv[0]);
	if (!args.from || !args.to || !args.port || !args.objects)
		return cli_wrong(&usage, "--from, --to, --port and --objects are needed");
	if (parse_port(args.port, &proto, &port) < 0)
		return cli_wrong(&usage, "--port: \"%s\" is not NUMBER[/TCP|UDP|SCTP|ICMP]", args.port);
	status = policy_load_world(args.objects, &w);
	if (w.result)
		status |= explain(&w, &args, proto, port);
	world_done(&w);
	return status;
}
