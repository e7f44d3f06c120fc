// SPDX-License-Identifier: Apache-2.0
/* Pods, nodes and namespaces: only what Weir needs of them; other fields are theirs. */
#include <ctype.h>

#include "lib/k8s/decode.h"
#include "lib/l7_wish.h"

/* The API server sets this label on every namespace; a manifest usually does not have it. */
#define METADATA_NAME "kubernetes.io/metadata.name"

bool k8s_salvage_namespace(const json_t *doc _unused_, struct k8s_object *o)
{
	struct k8s_labels *l = &o->labels;
	size_t i = 0;

	while (i < l->n && !streq(l->v[i].key, METADATA_NAME))
		i++;
	if (i == l->n)
		return false;
	*l = (struct k8s_labels){ 1, &l->v[i], true };
	return true;
}

void k8s_decode_namespace(struct k8s_decoder *d, const struct k8s_at *root _unused_, struct k8s_object *o)
{
	struct k8s_labels *l = &o->labels;
	struct k8s_label *v = k8s_alloc(d, l->n + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return;
	v[n++] = (struct k8s_label){ METADATA_NAME, o->name };
	for (size_t i = 0; i < l->n; i++)
		if (!streq(l->v[i].key, METADATA_NAME))
			v[n++] = l->v[i];
	*l = (struct k8s_labels){ n, v, false };
	k8s_labels_sort(l);
}

void k8s_decode_node(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o)
{
	struct k8s_node *node = (struct k8s_node *)o;
	struct k8s_at status, list, at, here;
	const json_t *addrs;

	if (!k8s_member(d, root, "status", JSON_OBJECT, &status))
		return;
	addrs = k8s_member(d, &status, "addresses", JSON_ARRAY, &list);
	if (!json_array_size(addrs))
		return;
	node->addrs = k8s_alloc(d, json_array_size(addrs), sizeof(*node->addrs));
	for (size_t i = 0; node->addrs && i < json_array_size(addrs); i++) {
		const char *type, *address;

		if (!k8s_item(d, &list, i, &at))
			continue;
		type = k8s_string(d, &at, "type", &here);
		address = k8s_string(d, &at, "address", &here);
		if (!type || !address || (!streq(type, "InternalIP") && !streq(type, "ExternalIP")))
			continue;
		if (addr_parse(address, &node->addrs[node->n_addrs]) < 0)
			k8s_bad(d, &here, "\"%.80s\" is not an address", address);
		else
			node->n_addrs++;
	}
}

static void read_port(struct k8s_decoder *d, const struct k8s_at *at, struct k8s_pod *pod)
{
	struct k8s_port *p = &pod->ports[pod->n_ports];
	struct k8s_at here;
	const json_t *number = k8s_member(d, at, "containerPort", JSON_INTEGER, &here);
	json_int_t n = json_integer_value(number);
	const char *name, *proto;

	if (!number)
		return;
	if (n < 1 || n > UINT16_MAX) {
		k8s_bad(d, &here, "%lld is not a port", (long long)n);
		return;
	}
	name = k8s_string(d, at, "name", &here);
	proto = k8s_string(d, at, "protocol", &here);
	if (k8s_proto_parse(proto ?: "TCP", &p->proto) < 0) {
		k8s_bad(d, &here, "\"%.20s\" is none of TCP, UDP, SCTP", proto);
		return;
	}
	p->name = name && *name ? k8s_strdup(d, name) : NULL;
	p->port = n;
	pod->n_ports++;
}

static void read_container(struct k8s_decoder *d, const struct k8s_at *at, struct k8s_pod *pod)
{
	struct k8s_at list, item;
	const json_t *ports = k8s_member(d, at, "ports", JSON_ARRAY, &list);
	struct k8s_port *grown;

	if (!json_array_size(ports))
		return;
	grown = k8s_alloc(d, pod->n_ports + json_array_size(ports), sizeof(*grown));
	if (!grown)
		return;
	if (pod->n_ports)
		memcpy(grown, pod->ports, pod->n_ports * sizeof(*grown));
	pod->ports = grown;
	for (size_t i = 0; i < json_array_size(ports); i++)
		if (k8s_item(d, &list, i, &item))
			read_port(d, &item, pod);
}

/* An init container has ended when the pod serves, unless it is a sidecar. */
static void read_containers(struct k8s_decoder *d, const struct k8s_at *spec, const char *key, bool sidecars,
			    struct k8s_pod *pod)
{
	struct k8s_at list, at, here;
	const json_t *containers = k8s_member(d, spec, key, JSON_ARRAY, &list);

	for (size_t i = 0; i < json_array_size(containers); i++) {
		const char *restart;

		if (!k8s_item(d, &list, i, &at))
			continue;
		restart = sidecars ? k8s_string(d, &at, "restartPolicy", &here) : "Always";
		if (restart && streq(restart, "Always"))
			read_container(d, &at, pod);
	}
}

static void read_ip(struct k8s_decoder *d, const struct k8s_at *at, const char *key, struct weir_addr addr[2])
{
	struct k8s_at here;
	const char *s = k8s_string(d, at, key, &here);
	struct weir_addr a;

	if (!s || !*s)
		return;
	if (addr_parse(s, &a) < 0)
		k8s_bad(d, &here, "\"%.80s\" is not an address", s);
	else if (addr_is_zero(&addr[!addr_is_v4(&a)]))
		addr[!addr_is_v4(&a)] = a;
}

/* "podIP" and, with the other family, "podIPs"; the same of its host. */
static void read_ips(struct k8s_decoder *d, const struct k8s_at *status, const char *one, const char *all,
		     struct weir_addr addr[2])
{
	struct k8s_at list, at;
	const json_t *ips;

	read_ip(d, status, one, addr);
	ips = k8s_member(d, status, all, JSON_ARRAY, &list);
	for (size_t i = 0; i < json_array_size(ips); i++)
		if (k8s_item(d, &list, i, &at))
			read_ip(d, &at, "ip", addr);
}

static void read_status(struct k8s_decoder *d, const struct k8s_at *status, struct k8s_pod *pod)
{
	struct k8s_at at;
	const char *phase = k8s_string(d, status, "phase", &at);

	pod->finished = phase && (streq(phase, "Succeeded") || streq(phase, "Failed"));
	read_ips(d, status, "podIP", "podIPs", pod->addr);
	read_ips(d, status, "hostIP", "hostIPs", pod->host_addr);
}

/* "name-SUFFIX" without it; NULL when it is not that. */
static const char *without_suffix(struct k8s_decoder *d, const char *name, const char *suffix)
{
	size_t n = strlen(name), s = strlen(suffix);

	if (n < s + 2 || name[n - s - 1] != '-' || !streq(name + n - s, suffix))
		return NULL;
	return arena_strndup(d->arena, name, n - s - 1) ?: (d->oom = true, NULL);
}

/* The scheduled minute (or second) that a CronJob puts behind the name of its Jobs. */
static const char *schedule_suffix(const char *name)
{
	const char *dash = strrchr(name, '-');
	size_t n = dash ? strspn(dash + 1, "0123456789") : 0;

	return dash && !dash[1 + n] && n >= 8 && n <= 10 ? dash + 1 : "?";
}

/* ReplicaSets and Jobs are most often made by something with a better name. */
static void read_workload(struct k8s_decoder *d, const char *kind, const char *name, struct k8s_pod *pod)
{
	const char *hash = k8s_labels_get(&pod->o.labels, "pod-template-hash"), *above;

	if (streq(kind, "ReplicaSet") && hash && (above = without_suffix(d, name, hash))) {
		pod->workload_kind = "Deployment";
		pod->workload_name = above;
	} else if (streq(kind, "Job") && (above = without_suffix(d, name, schedule_suffix(name)))) {
		pod->workload_kind = "CronJob";
		pod->workload_name = above;
	} else {
		pod->workload_kind = k8s_strdup(d, kind);
		pod->workload_name = k8s_strdup(d, name);
	}
}

static void read_owner(struct k8s_decoder *d, const struct k8s_at *meta, struct k8s_pod *pod)
{
	struct k8s_at list, at, here;
	const json_t *owners = k8s_member(d, meta, "ownerReferences", JSON_ARRAY, &list);

	for (size_t i = 0; i < json_array_size(owners); i++) {
		const char *kind, *name;

		if (!k8s_item(d, &list, i, &at) || !k8s_bool(d, &at, "controller"))
			continue;
		kind = k8s_string(d, &at, "kind", &here);
		name = k8s_string(d, &at, "name", &here);
		if (kind && name)
			read_workload(d, kind, name, pod);
		return;
	}
}

/* Who wanted something and was not understood is not read. */
static uint32_t read_l7(struct k8s_decoder *d, const struct k8s_at *meta)
{
	struct k8s_at map, at;
	uint32_t wish;
	const char *s;

	if (!k8s_member(d, meta, "annotations", JSON_OBJECT, &map))
		return 0;
	s = k8s_string(d, &map, "weir.io/l7", &at);
	if (!s)
		return 0;
	wish = l7_wish(s);
	if (!wish)
		k8s_note(d, K8S_WARNING, &at, "\"%.40s\" is not " L7_WISH_WORDS ": taken as \"off\"", s);
	return wish ?: WEIR_EP_L7_OFF;
}

void k8s_decode_pod(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o)
{
	struct k8s_pod *pod = (struct k8s_pod *)o;
	struct k8s_at meta, spec, status, at;
	const char *node;

	if (k8s_member(d, root, "metadata", JSON_OBJECT, &meta)) {
		pod->terminating = k8s_string(d, &meta, "deletionTimestamp", &at);
		read_owner(d, &meta, pod);
		pod->l7 = read_l7(d, &meta);
	}
	if (k8s_member(d, root, "spec", JSON_OBJECT, &spec)) {
		node = k8s_string(d, &spec, "nodeName", &at);
		pod->node = node && *node ? k8s_strdup(d, node) : NULL;
		pod->host_network = k8s_bool(d, &spec, "hostNetwork");
		read_containers(d, &spec, "containers", false, pod);
		read_containers(d, &spec, "initContainers", true, pod);
	}
	if (k8s_member(d, root, "status", JSON_OBJECT, &status))
		read_status(d, &status, pod);
}
