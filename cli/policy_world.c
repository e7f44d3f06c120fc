// SPDX-License-Identifier: Apache-2.0
#include "cli/policy_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "lib/fs.h"

#define FILE_MAX_BYTES (256u << 20)

void world_done(struct world *w)
{
	policy_compiler_free(w->compiler);
	k8s_store_free(w->store);
	k8s_problems_done(&w->problems);
	*w = (struct world){};
}

static int read_file(struct world *w, const char *path, struct err *reterr)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	if (fd < 0)
		return err_set(reterr, -errno, "cannot open %s: %m", path);
	r = fs_read_fd(fd, FILE_MAX_BYTES, &text, &len);
	if (r < 0)
		return err_set(reterr, r, "cannot read %s: %m", path);
	w->n_files++;
	r = k8s_store_load_file(w->store, path, text, len, &w->problems);
	return r < 0 ? err_oom(reterr) : 0;
}

/* As the agent does: a folder or a FIFO of such a name is an error, and nothing to wait for. */
static int read_entry(struct world *w, const char *path, struct err *reterr)
{
	struct stat st;
	char *text;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
		return read_file(w, path, reterr);
	if (asprintf(&text, "%s: cannot read: %s", path, strerror(EINVAL)) < 0)
		return err_oom(reterr);
	k8s_problems_add(&w->problems, K8S_ERROR, 0, text);
	return 0;
}

static int is_manifest(const struct dirent *e)
{
	return k8s_is_manifest(e->d_name);
}

static int read_folder(struct world *w, const char *path, struct err *reterr)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, is_manifest, alphasort), r = 0;

	if (n < 0)
		return err_set(reterr, -errno, "cannot read %s: %m", path);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = NULL;

		if (r >= 0 && asprintf(&file, "%s/%s", path, names[i]->d_name) < 0) {
			file = NULL;
			r = err_oom(reterr);
		} else if (r >= 0) {
			r = read_entry(w, file, reterr);
		}
		free(names[i]);
	}
	free(names);
	return r;
}

int world_read(struct world *w, const char *path, struct err *reterr)
{
	struct stat st;

	if (!w->store)
		w->store = k8s_store_new();
	if (!w->store)
		return err_oom(reterr);
	if (stat(path, &st) < 0)
		return err_set(reterr, -errno, "cannot open %s: %m", path);
	return S_ISDIR(st.st_mode) ? read_folder(w, path, reterr) : read_file(w, path, reterr);
}

static bool has_addr(const struct weir_addr addr[2])
{
	return !addr_is_zero(&addr[0]) || !addr_is_zero(&addr[1]);
}

/* Addresses for tests of benchmarks (RFC 2544, RFC 5180), which no policy but one for everyone names. */
static void stand_in(uint32_t n, struct weir_addr ret_addr[2])
{
	ret_addr[0] = addr_from_v4(htonl(0xc6120000u + (n & 0x1ffff)));
	ret_addr[1] = (struct weir_addr){ .b = { 0x20, 0x01, 0x00, 0x02 } };
	ret_addr[1].w[3] = htonl(n);
}

/* The list moves with the store's changes, but keeps its order: setting an address adds no entry. */
static int give_addresses(struct world *w)
{
	const struct k8s_entry *const *entries;
	size_t n = k8s_store_list(w->store, K8S_POD, &entries);

	for (size_t i = 0; i < n; i++) {
		const struct k8s_pod *p = (const struct k8s_pod *)entries[i]->object;
		struct weir_addr addr[2];

		if (p->host_network || p->finished || has_addr(p->addr))
			continue;
		stand_in(++w->n_unaddressed, addr);
		if (k8s_store_set_pod_address(w->store, entries[i]->ns, entries[i]->name, addr) < 0)
			return -ENOMEM;
	}
	return 0;
}

int world_compile(struct world *w, struct err *reterr)
{
	int r;

	if (!w->store)
		w->store = k8s_store_new();
	w->compiler = policy_compiler_new();
	if (!w->store || !w->compiler || give_addresses(w) < 0)
		return err_oom(reterr);
	r = policy_compiler_run(w->compiler, w->store, NULL, NULL, NULL, &w->result, reterr);
	for (size_t i = 0; r >= 0 && i < w->result->n_pods; i++) {
		const struct policy_pod *p = w->result->pods[i];

		if (p->ruleset && p->ruleset->too_large)
			return err_set(reterr, -E2BIG,
				       "pod %s/%s would be cut off: its policies need more entries than a map has",
				       p->ns, p->name);
	}
	return r;
}

static const struct policy_pod *find_pod(const struct policy_result *r, const char *ns, const char *name)
{
	size_t lo = 0, hi = r->n_pods;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(r->pods[mid]->ns, ns) ?: strcmp(r->pods[mid]->name, name);

		if (!c)
			return r->pods[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void set_addr(struct world_end *e, const struct weir_addr *a)
{
	if (!addr_is_zero(a) && addr_is_zero(&e->addr[!addr_is_v4(a)]))
		e->addr[!addr_is_v4(a)] = *a;
}

/* Is a one of the two, each of which may be zero for none? */
static bool is_either(const struct weir_addr addr[2], const struct weir_addr *a)
{
	return !addr_is_zero(a) && (!addr_cmp(&addr[0], a) || !addr_cmp(&addr[1], a));
}

static bool node_has(const struct k8s_node *node, const struct weir_addr *a)
{
	for (size_t i = 0; i < node->n_addrs; i++)
		if (!addr_cmp(&node->addrs[i], a))
			return true;
	return false;
}

/* NULL: of none. Where nobody wrote Node objects, the pods tell. */
static const char *node_of_addr(const struct world *w, const struct weir_addr *a)
{
	const struct k8s_entry *const *v;
	size_t n = k8s_store_list(w->store, K8S_NODE, &v);

	for (size_t i = 0; i < n; i++)
		if (node_has((const struct k8s_node *)v[i]->object, a))
			return v[i]->name;
	n = k8s_store_list(w->store, K8S_POD, &v);
	for (size_t i = 0; i < n; i++) {
		const struct k8s_pod *p = (const struct k8s_pod *)v[i]->object;

		if (p->node &&
		    (is_either(p->host_addr, a) || (p->host_network && !p->finished && is_either(p->addr, a))))
			return p->node;
	}
	return NULL;
}

/* False: nothing names such a node. */
static bool fill_node(const struct world *w, const char *name, struct world_end *e)
{
	const struct k8s_entry *entry = k8s_store_find(w->store, K8S_NODE, "", name);
	const struct k8s_node *node = entry ? (const struct k8s_node *)entry->object : NULL;
	const struct k8s_entry *const *pods;
	size_t n = k8s_store_list(w->store, K8S_POD, &pods);

	e->node = entry ? entry->name : NULL;
	for (size_t i = 0; node && i < node->n_addrs; i++)
		set_addr(e, &node->addrs[i]);
	for (size_t i = 0; i < n; i++) {
		const struct k8s_pod *p = (const struct k8s_pod *)pods[i]->object;

		if (!p->node || !streq(p->node, name))
			continue;
		e->node = p->node;
		for (size_t v = 0; v < 2; v++) {
			set_addr(e, &p->host_addr[v]);
			if (p->host_network && !p->finished)
				set_addr(e, &p->addr[v]);
		}
	}
	if (e->node && !has_addr(e->addr))
		stand_in(0, e->addr);
	return e->node;
}

static void find_addr(const struct world *w, const struct weir_addr *a, struct world_end *e)
{
	const struct policy_ipcache_entry *entry = policy_result_ipcache(w->result, a);
	const struct k8s_entry *pod;

	set_addr(e, a);
	e->pod = entry ? entry->pod : NULL;
	e->node = e->pod ? NULL : node_of_addr(w, a);
	pod = e->pod ? k8s_store_find(w->store, K8S_POD, e->pod->ns, e->pod->name) : NULL;
	e->pod_node = pod ? ((const struct k8s_pod *)pod->object)->node : NULL;
}

static void fill_host_network_pod(const struct world *w, const struct k8s_pod *p, struct world_end *e)
{
	const char *node = p->node ?: node_of_addr(w, &p->addr[0]) ?: node_of_addr(w, &p->addr[1]);

	set_addr(e, &p->addr[0]);
	set_addr(e, &p->addr[1]);
	if (node)
		fill_node(w, node, e);
	else if (!has_addr(e->addr))
		stand_in(0, e->addr);
}

static bool has_owner(const struct world_end *e)
{
	return e->pod || e->node;
}

static bool same_owner(const struct world_end *a, const struct world_end *b)
{
	return a->pod == b->pod && streq(a->node ?: "", b->node ?: "");
}

/* Whose the addresses of a finished pod are now. When they are two owners', it is one of them: an end is one. */
static void find_heir(const struct world *w, const struct weir_addr addr[2], struct world_end *e)
{
	struct world_end heirs[2] = {};
	int first;

	for (size_t v = 0; v < 2; v++)
		if (!addr_is_zero(&addr[v]))
			find_addr(w, &addr[v], &heirs[v]);
	first = !has_owner(&heirs[0]) && has_owner(&heirs[1]);
	if (same_owner(&heirs[0], &heirs[1]))
		set_addr(&heirs[first], &addr[!first]);
	memcpy(heirs[first].name, e->name, sizeof(e->name));
	*e = heirs[first];
}

static int find_named_pod(const struct world *w, const char *ns, const char *name, struct world_end *e,
			  struct err *reterr)
{
	const struct k8s_entry *entry = k8s_store_find(w->store, K8S_POD, ns, name);
	const struct k8s_pod *p = entry ? (const struct k8s_pod *)entry->object : NULL;
	const struct weir_addr *addr;

	if (!p)
		return err_set(reterr, -ENOENT, "there is no pod %s/%s", ns, name);
	addr = k8s_entry_pod_addr(entry);
	if (p->finished && !has_addr(addr))
		return err_set(reterr, -ENOENT, "pod %s/%s has finished and has no address", ns, name);
	if (p->finished) {
		find_heir(w, addr, e);
		return 0;
	}
	if (p->host_network) {
		fill_host_network_pod(w, p, e);
		return 0;
	}
	set_addr(e, &addr[0]);
	set_addr(e, &addr[1]);
	e->pod = find_pod(w->result, ns, name);
	e->pod_node = p->node;
	return 0;
}

int world_find(const struct world *w, const char *text, struct world_end *ret_end, struct err *reterr)
{
	struct world_end e = {};
	const char *slash = strchr(text, '/');
	char ns[64];
	struct weir_addr a;
	int r = 0;

	snprintf(e.name, sizeof(e.name), "%s", text);
	if (!slash) {
		if (addr_parse(text, &a) < 0)
			return err_set(reterr, -EINVAL, "\"%s\" is neither NAMESPACE/POD nor node/NAME nor an address",
				       text);
		find_addr(w, &a, &e);
	} else {
		if (snprintf(ns, sizeof(ns), "%.*s", (int)(slash - text), text) >= (int)sizeof(ns))
			return err_set(reterr, -ENOENT, "there is no pod %s", text);
		if (streq(ns, "node") && !k8s_store_find(w->store, K8S_POD, ns, slash + 1)) {
			if (!fill_node(w, slash + 1, &e))
				return err_set(reterr, -ENOENT, "there is no node %s", slash + 1);
		} else {
			r = find_named_pod(w, ns, slash + 1, &e, reterr);
		}
	}
	if (r >= 0)
		*ret_end = e;
	return r;
}

static bool end_has(const struct world *w, const struct world_end *e, const struct weir_addr *a)
{
	const char *node;

	if (is_either(e->addr, a))
		return true;
	node = e->node ? node_of_addr(w, a) : NULL;
	return node && streq(node, e->node);
}

int world_choose(const struct world *w, struct world_end *e, const char *ip, struct err *reterr)
{
	struct weir_addr a;

	if (!ip)
		return 0;
	if (addr_parse(ip, &a) < 0)
		return err_set(reterr, -EINVAL, "\"%s\" is not an address", ip);
	if (!end_has(w, e, &a))
		return err_set(reterr, -EINVAL, "%s does not have the address %s", e->name, ip);
	memset(e->addr, 0, sizeof(e->addr));
	set_addr(e, &a);
	return 0;
}

static struct world_side judge_side(const struct world *w, const struct policy_pod *pod, enum weir_dir dir,
				    const struct weir_addr *peer, uint8_t proto, uint16_t port)
{
	const struct policy_ipcache_entry *e = policy_result_ipcache(w->result, peer);
	struct world_side side = {};
	uint32_t rule;
	bool passes = policy_ruleset_lookup(pod->ruleset, dir, e ? e->identity : WEIR_ID_WORLD, proto, port, &rule);

	if (rule == WEIR_RULE_NOT_ISOLATED) {
		side.why = WHY_OPEN;
		return side;
	}
	side.rule = policy_result_rule(w->result, rule, dir);
	if (!passes)
		side.why = WHY_DENIED;
	else
		side.why = rule & WEIR_RULE_DEFAULT_DENY ? WHY_AUDIT : WHY_RULE;
	return side;
}

/* The first family that both have; -1: none. */
static int common_family(const struct world_end *from, const struct world_end *to)
{
	for (int i = 0; i < 2; i++)
		if (!addr_is_zero(&from->addr[i]) && !addr_is_zero(&to->addr[i]))
			return i;
	return -1;
}

static const struct weir_addr *addr_of(const struct world_end *e, int family)
{
	return &e->addr[family < 0 ? addr_is_zero(&e->addr[0]) : family];
}

static bool on_one_node(const struct world_end *from, const struct world_end *to)
{
	return to->pod && from->node && to->pod_node && streq(from->node, to->pod_node);
}

struct world_verdict world_judge(const struct world *w, const struct world_end *from, const struct world_end *to,
				 uint8_t proto, uint16_t port)
{
	struct world_verdict v = { .allowed = true };
	int f = common_family(from, to);

	if (on_one_node(from, to)) /* whatever addresses of the node are known */
		v.side[WEIR_INGRESS].why = WHY_NODE;
	else if (f < 0)
		return (struct world_verdict){ .no_family = true };
	v.from = *addr_of(from, f);
	v.to = *addr_of(to, f);
	if (proto == IPPROTO_ICMP && f == 1)
		proto = IPPROTO_ICMPV6;
	if (from->pod && !addr_cmp(&v.from, &v.to)) {
		v.side[WEIR_EGRESS].why = v.side[WEIR_INGRESS].why = WHY_SELF;
		return v;
	}
	if (from->pod)
		v.side[WEIR_EGRESS] = judge_side(w, from->pod, WEIR_EGRESS, &v.to, proto, port);
	if (to->pod && v.side[WEIR_INGRESS].why != WHY_NODE)
		v.side[WEIR_INGRESS] = judge_side(w, to->pod, WEIR_INGRESS, &v.from, proto, port);
	v.allowed = v.side[0].why != WHY_DENIED && v.side[1].why != WHY_DENIED;
	return v;
}

int world_proto(const char *name, uint8_t *ret_proto)
{
	char upper[8];
	size_t i;

	for (i = 0; i < sizeof(upper) - 1 && name[i]; i++)
		upper[i] = name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32 : name[i];
	upper[i] = 0;
	if (!name[i] && streq(upper, "ICMP")) {
		*ret_proto = IPPROTO_ICMP;
		return 0;
	}
	return name[i] ? -EINVAL : k8s_proto_parse(upper, ret_proto);
}

const char *world_proto_name(uint8_t proto)
{
	return k8s_proto_name(proto) ?: "ICMP";
}
