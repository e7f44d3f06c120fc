// SPDX-License-Identifier: Apache-2.0
/*
 * Truth tables over the compiled maps: reads worlds from standard input, one JSON object a line,
 *   {"objects": [manifest…], "probes": [{"from","to","port","protocol","fromIP"?,"toIP"?}…]}
 * compiles each for every node that a probe touches, writes the maps as the agent does, and sends each probe's first
 * packet through the datapath's programs with BPF_PROG_TEST_RUN. Answers one line a world: a JSON array of booleans.
 * Needs root; makes a network namespace and a bpffs folder of its own (argument 1).
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <jansson.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>

#include "agent/datapath.h"
#include "agent/maps.h"
#include "lib/k8s/store.h"
#include "lib/policy/policy.h"

#define DEVICES 64 /* the first stands for the uplink, the others for pods */

struct world {
	struct k8s_store *store;
	struct endpoints eps;
	struct policy_compiler *compiler;
	struct maps *maps;
	const char *node; /* the node that the maps are for; "" is that of pods without one */
};

static struct datapath *dp;
static uint32_t ifindexes[DEVICES];
static uint16_t next_port = 1024;

static _Noreturn void die(const char *what, const char *story)
{
	fprintf(stderr, "%s: %s\n", what, story);
	exit(1);
}

/* ---- packets */

struct packet {
	uint8_t b[128];
	size_t len;
};

static uint8_t proto_number(const char *name)
{
	return streq(name, "UDP")    ? IPPROTO_UDP
	       : streq(name, "SCTP") ? IPPROTO_SCTP
	       : streq(name, "ICMP") ? IPPROTO_ICMP
				     : IPPROTO_TCP;
}

static void put_ip(struct packet *p, const struct weir_addr *from, const struct weir_addr *to, uint8_t proto, size_t l4)
{
	uint8_t *ip = p->b + 14;

	if (addr_is_v4(from)) {
		p->b[12] = 0x08;
		ip[0] = 0x45;
		ip[3] = 20 + l4;
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, &from->w[3], 4);
		memcpy(ip + 16, &to->w[3], 4);
		p->len = 14 + 20 + l4;
	} else {
		p->b[12] = 0x86;
		p->b[13] = 0xdd;
		ip[0] = 0x60;
		ip[5] = l4;
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, from->b, 16);
		memcpy(ip + 24, to->b, 16);
		p->len = 14 + 40 + l4;
	}
}

/* The first packet of a new connection; every probe has a source port of its own, so that none meets another's entry.
 */
static struct packet first_packet(const struct weir_addr *from, const struct weir_addr *to, uint8_t proto,
				  uint16_t port, const uint8_t *mac)
{
	struct packet p = {};
	bool echo = proto == IPPROTO_ICMP, v6 = !addr_is_v4(from);
	size_t l4 = proto == IPPROTO_TCP ? 20 : proto == IPPROTO_SCTP ? 12 : 8;
	uint8_t *h;

	put_ip(&p, from, to, echo && v6 ? IPPROTO_ICMPV6 : proto, l4);
	memcpy(p.b + 6, mac, 6);
	h = p.b + p.len - l4;
	next_port = next_port == 65535 ? 1024 : next_port + 1;
	if (echo) { /* a request with that identifier */
		h[0] = v6 ? 128 : 8;
		h[4] = next_port >> 8;
		h[5] = next_port;
		return p;
	}
	h[0] = next_port >> 8;
	h[1] = next_port;
	h[2] = port >> 8;
	h[3] = port;
	if (proto == IPPROTO_TCP) {
		h[12] = 0x50;
		h[13] = 0x02;
	} else if (proto == IPPROTO_UDP) {
		h[5] = 8;
	}
	return p;
}

static uint32_t run(const char *prog, uint32_t ifindex, uint32_t ingress_ifindex, const struct packet *p)
{
	struct __sk_buff ctx = { .ifindex = ifindex, .ingress_ifindex = ingress_ifindex };
	uint8_t out[256];
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = p->b, .data_size_in = p->len, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));

	if (bpf_prog_test_run_opts(datapath_prog_fd(dp, prog), &o) < 0)
		die("test run", strerror(errno));
	return o.retval;
}

/* To the pod's own interface. What from_net leaves to the stack comes out of it there. */
static bool arrives(uint32_t ifindex, bool from_own_node, const struct packet *p)
{
	if (from_own_node)
		return run("to_pod", ifindex, 0, p) != TC_ACT_SHOT;
	switch (run("from_net", ifindexes[0], ifindexes[0], p)) {
	case TC_ACT_SHOT:
		return false;
	case TC_ACT_OK:
		return run("to_pod", ifindex, ifindexes[0], p) != TC_ACT_SHOT;
	}
	return true;
}

/* ---- worlds */

static const char *node_of(const struct k8s_pod *pod)
{
	return pod->node ?: "";
}

static bool is_local(void *userdata, const char *ns, const char *name)
{
	const struct world *w = userdata;

	return endpoints_find_pod(&w->eps, ns, name) != NULL;
}

static void add_endpoint(struct world *w, const struct k8s_entry *e)
{
	struct attachment *a = calloc(1, sizeof(*a));
	size_t n = HASH_COUNT(w->eps.by_key) + 1;
	struct err err = {};

	if (n >= DEVICES)
		die(e->name, "too many pods on one node for this test");
	if (!a || asprintf(&a->container_id, "%s.%s", e->ns, e->name) < 0 || !(a->ifname = strdup("eth0")))
		die("memory", "");
	a->pod_namespace = strdup(e->ns);
	a->pod_name = strdup(e->name);
	a->ifindex = ifindexes[n];
	memcpy(a->mac, "\x02\0\0\0\0", 5);
	a->mac[5] = n;
	memcpy(a->addr, k8s_entry_pod_addr(e), sizeof(a->addr));
	if (endpoints_add(&w->eps, &a, NULL, &err) < 0)
		die("endpoint", err.msg);
}

/* The maps as the agent of this node would write them. */
static void switch_node(struct world *w, const char *node)
{
	const struct k8s_entry *const *pods;
	size_t n = k8s_store_list(w->store, K8S_POD, &pods);
	const struct policy_result *result;
	struct err e = {};

	if (w->node && streq(w->node, node))
		return;
	w->node = node;
	endpoints_done(&w->eps);
	for (size_t i = 0; i < n; i++) {
		const struct k8s_pod *pod = (const struct k8s_pod *)pods[i]->object;

		if (!pod->host_network && !pod->finished && streq(node_of(pod), node))
			add_endpoint(w, pods[i]);
	}
	if (w->compiler)
		policy_compiler_free(w->compiler);
	w->compiler = policy_compiler_new();
	if (!w->compiler)
		die("memory", "");
	policy_compiler_reserve(w->compiler, maps_first_rule(w->maps), maps_first_ruleset(w->maps));
	if (policy_compiler_run(w->compiler, w->store, node, is_local, w, &result, &e) < 0 ||
	    maps_apply(w->maps, result, &w->eps, &e) != 0)
		die("apply", e.msg);
	maps_sweep(w->maps);
}

/* An end of a probe. */
struct end {
	const struct k8s_entry *pod; /* of a node's network: not hostNetwork */
	const char *node;            /* where it is, NULL: outside */
	struct weir_addr addr[2];
};

static bool same_addr(const struct weir_addr *have, const struct weir_addr *a)
{
	return !addr_is_zero(a) && !addr_cmp(&have[addr_is_v4(a) ? 0 : 1], a);
}

/* Pods on the host's network say where their node is, too. */
static bool find_pod_by_addr(const struct world *w, const struct weir_addr *a, struct end *end)
{
	const struct k8s_entry *const *pods;
	size_t n = k8s_store_list(w->store, K8S_POD, &pods);

	for (size_t i = 0; i < n; i++) {
		const struct k8s_pod *pod = (const struct k8s_pod *)pods[i]->object;

		if (pod->finished || (pod->host_network && !pod->node) || !same_addr(k8s_entry_pod_addr(pods[i]), a) ||
		    (end->node && pod->terminating))
			continue;
		end->pod = pod->host_network ? NULL : pods[i];
		end->node = node_of(pod);
		if (!pod->terminating)
			break;
	}
	return end->node != NULL;
}

static void set_addr(struct end *end, const struct weir_addr *a)
{
	end->addr[addr_is_v4(a) ? 0 : 1] = *a;
}

static bool find_node(const struct world *w, const char *name, const struct weir_addr *a, struct end *end)
{
	const struct k8s_entry *const *nodes;
	size_t n = k8s_store_list(w->store, K8S_NODE, &nodes);

	for (size_t i = 0; i < n; i++) {
		const struct k8s_node *node = (const struct k8s_node *)nodes[i]->object;

		if (name && !streq(nodes[i]->name, name))
			continue;
		for (size_t j = 0; j < node->n_addrs; j++)
			if (name || !addr_cmp(&node->addrs[j], a)) {
				end->node = nodes[i]->name;
				set_addr(end, &node->addrs[j]);
				if (!name)
					return true;
			}
	}
	return end->node != NULL;
}

/* A node that only its pods name stands at an address that nobody else has. */
static bool find_node_of_pods(const struct world *w, const char *name, struct end *end)
{
	const struct k8s_entry *const *pods;
	size_t n = k8s_store_list(w->store, K8S_POD, &pods);

	for (size_t i = 0; i < n && !end->node; i++)
		if (streq(node_of((const struct k8s_pod *)pods[i]->object), name))
			end->node = node_of((const struct k8s_pod *)pods[i]->object);
	end->addr[0] = addr_from_v4(htonl(0xc6120000));
	return end->node != NULL;
}

static void find_addr(const struct world *w, const struct weir_addr *a, struct end *end)
{
	set_addr(end, a);
	if (!find_pod_by_addr(w, a, end))
		find_node(w, NULL, a, end);
}

static void find_pod(const struct world *w, const struct k8s_entry *e, struct end *end)
{
	const struct k8s_pod *pod = (const struct k8s_pod *)e->object;
	const struct weir_addr *addr = k8s_entry_pod_addr(e);

	if (pod->host_network && pod->node && addr_is_zero(&addr[0]) && addr_is_zero(&addr[1])) {
		find_node(w, pod->node, NULL, end);
	} else if (pod->finished || (pod->host_network && !pod->node)) { /* what has the address now */
		find_addr(w, &addr[addr_is_zero(&addr[0])], end);
	} else {
		memcpy(end->addr, addr, sizeof(end->addr));
		end->pod = pod->host_network ? NULL : e;
		end->node = node_of(pod);
	}
}

static struct end find_end(const struct world *w, const char *text, const char *ip)
{
	struct end end = {};
	struct weir_addr a;

	if (str_prefix(text, "node/")) {
		if (!find_node(w, text + 5, NULL, &end) && !find_node_of_pods(w, text + 5, &end))
			die(text, "no such node");
	} else if (addr_parse(text, &a) >= 0) {
		find_addr(w, &a, &end);
	} else {
		_cleanup_free_ char *ns = strdup(text);
		char *slash = strchr(ns, '/');
		const struct k8s_entry *e;

		*slash = 0;
		e = k8s_store_find(w->store, K8S_POD, ns, slash + 1);
		if (!e || !e->object)
			die(text, "no such pod");
		find_pod(w, e, &end);
	}
	if (ip && addr_parse(ip, &a) >= 0) {
		memset(end.addr, 0, sizeof(end.addr));
		set_addr(&end, &a);
	}
	return end;
}

static bool probe(struct world *w, const struct end *from, const struct end *to, uint16_t port, uint8_t proto)
{
	int f = !addr_is_zero(&from->addr[0]) && !addr_is_zero(&to->addr[0]) ? 0 : 1;
	static const uint8_t mac[6] = { 2, 1, 1, 1, 1, 1 };
	bool allowed = true;
	struct packet p;

	if (addr_is_zero(&from->addr[f]) || addr_is_zero(&to->addr[f]))
		die("probe", "no common address family");
	if (from->pod) {
		const struct endpoint *ep;

		switch_node(w, from->node);
		ep = endpoints_find_pod(&w->eps, from->pod->ns, from->pod->name);
		p = first_packet(&from->addr[f], &to->addr[f], proto, port, ep->attachment->mac);
		allowed = run("from_pod", ep->attachment->ifindex, ep->attachment->ifindex, &p) != TC_ACT_SHOT;
	}
	if (to->pod && from->pod != to->pod && !(from->pod && streq(from->node, to->node))) {
		bool own_node = !from->pod && from->node && streq(from->node, to->node);
		const struct endpoint *ep;

		switch_node(w, to->node);
		ep = endpoints_find_pod(&w->eps, to->pod->ns, to->pod->name);
		p = first_packet(&from->addr[f], &to->addr[f], proto, port, mac);
		allowed = arrives(ep->attachment->ifindex, own_node, &p) && allowed;
	}
	return allowed;
}

static json_t *answer(struct world *w, json_t *probes)
{
	json_t *answers = json_array(), *p;
	size_t i;

	json_array_foreach (probes, i, p) {
		const char *from, *to, *proto = "TCP", *from_ip = NULL, *to_ip = NULL;
		json_error_t je;
		int port;
		struct end a, b;

		if (json_unpack_ex(p, &je, 0, "{s:s,s:s,s:i,s?s,s?s,s?s}", "from", &from, "to", &to, "port", &port,
				   "protocol", &proto, "fromIP", &from_ip, "toIP", &to_ip) < 0)
			die("probe", je.text);
		a = find_end(w, from, from_ip);
		b = find_end(w, to, to_ip);
		json_array_append_new(answers, json_boolean(probe(w, &a, &b, port, proto_number(proto))));
	}
	return answers;
}

static void run_world(struct maps *maps, json_t *input)
{
	struct world w = { .store = k8s_store_new(), .maps = maps };
	json_t *list =
	    json_pack("{s:s,s:s,s:O}", "apiVersion", "v1", "kind", "List", "items", json_object_get(input, "objects"));
	_cleanup_free_ char *text = list ? json_dumps(list, 0) : NULL;
	struct k8s_problems problems = {};
	json_t *answers;

	if (!w.store || !text || k8s_store_load_file(w.store, "world", text, strlen(text), &problems) < 0)
		die("objects", "cannot load");
	for (size_t i = 0; i < problems.n; i++)
		if (problems.v[i].severity == K8S_ERROR)
			fprintf(stderr, "%s\n", problems.v[i].text);
	answers = answer(&w, json_object_get(input, "probes"));
	json_dumpf(answers, stdout, JSON_COMPACT);
	puts("");
	fflush(stdout);
	json_decref(answers);
	json_decref(list);
	k8s_problems_done(&problems);
	endpoints_done(&w.eps);
	if (w.compiler)
		policy_compiler_free(w.compiler);
	k8s_store_free(w.store);
}

static void make_devices(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		die("unshare", strerror(errno));
	for (int i = 0; i < DEVICES; i++) {
		char cmd[96], name[16];

		snprintf(cmd, sizeof(cmd), "ip link add d%d type veth peer name d%d", i, i + 1);
		if (i % 2 == 0 && system(cmd) != 0)
			die("cannot run", cmd);
		snprintf(name, sizeof(name), "d%d", i);
		ifindexes[i] = if_nametoindex(name);
	}
}

int main(int argc, char **argv)
{
	struct datapath_options options = { .bpf_dir = argv[1], .ct_tcp = 4096, .ct_any = 4096, .ring_bytes = 1 << 16 };
	struct maps_fds fds;
	struct maps *maps;
	struct err e = {};
	char *line = NULL;
	size_t size = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: maps BPF-DIR\n");
		return 2;
	}
	make_devices();
	if (datapath_load(&options, &dp, &e) < 0)
		die("datapath", e.msg);
	fds = (struct maps_fds){ datapath_map_fd(dp, WEIR_MAP_NODE),   datapath_map_fd(dp, WEIR_MAP_EP),
				 datapath_map_fd(dp, WEIR_MAP_EP_IF),  datapath_map_fd(dp, WEIR_MAP_IPCACHE),
				 datapath_map_fd(dp, WEIR_MAP_POLICY), datapath_map_fd(dp, WEIR_MAP_DENY) };
	if (maps_new(&fds, &maps, &e) < 0)
		die("maps", e.msg);
	while (getline(&line, &size, stdin) > 0) {
		json_t *input = json_loads(line, 0, NULL);

		if (!input)
			die("input", "not JSON");
		run_world(maps, input);
		json_decref(input);
	}
	free(line);
	maps_free(maps);
	datapath_free(dp);
	if (datapath_unload(argv[1], &e) < 0)
		die("unload", e.msg);
	return 0;
}
