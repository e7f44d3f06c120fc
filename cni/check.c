// SPDX-License-Identifier: Apache-2.0
#include <linux/rtnetlink.h>

#include "cni/agent.h"
#include "cni/cmd.h"
#include "cni/delegate.h"
#include "cni/inspect.h"
#include "lib/log.h"
#include "lib/netlink.h"
#include "lib/tc_attach.h"

/* What is compared, and both ends as the kernel has them. */
struct check {
	const struct conf *conf;
	const struct attachment *a;
	const char *key;
	int host, pod; /* netlink sockets */
	struct link_state host_end, pod_end;
};

static int wrong(struct err *reterr, const char *what, const char *name)
{
	return err_set(reterr, CNI_CHECK_FAILED, "%s: %s", name, what);
}

static bool is_chained(const struct check *k)
{
	char own[IFNAMSIZ];

	attachment_hostif(k->key, own);
	return !streq(own, k->a->hostif);
}

/* Is an interface of prevResult that one? The host's have no sandbox. */
static bool is_interface(const json_t *j, const char *name, bool in_pod)
{
	const char *sandbox = json_string_value(json_object_get(j, "sandbox"));

	return streq(json_string_value(json_object_get(j, "name")) ?: "", name) && in_pod == (sandbox && *sandbox);
}

/* NULL: prevResult does not tell of it. */
static const json_t *find_interface(const struct check *k, const char *name, bool in_pod)
{
	json_t *j;
	size_t i;

	json_array_foreach (json_object_get(k->conf->prev_result, "interfaces"), i, j)
		if (is_interface(j, name, in_pod))
			return j;
	return NULL;
}

/* Then nothing tells which of them a route of prevResult is for. */
static bool has_other_interface(const struct check *k)
{
	json_t *j;
	size_t i;

	json_array_foreach (json_object_get(k->conf->prev_result, "interfaces"), i, j)
		if (*(json_string_value(json_object_get(j, "sandbox")) ?: "") && !is_interface(j, k->a->ifname, true))
			return true;
	return false;
}

static int check_mac(const struct link_state *l, const char *mac, struct err *reterr)
{
	char is[MAC_STRLEN];

	if (strcasecmp(mac_to_str(l->mac, is), mac) == 0)
		return 0;
	return err_set(reterr, CNI_CHECK_FAILED, "%s: MAC address is %s, not %s", l->name, is, mac);
}

/* listed: this end in prevResult. Only its MTU counts: a later plugin may have changed it, and says so since 1.1.0. The
 * programs know the MAC address of the record only. */
static int check_end(const struct link_state *l, const uint8_t mac[6], const json_t *listed, struct err *reterr)
{
	const char *listed_mac = json_string_value(json_object_get(listed, "mac"));
	long long wanted = json_integer_value(json_object_get(listed, "mtu"));
	char text[MAC_STRLEN];
	int code;

	if (!l->up)
		return wrong(reterr, "interface is down", l->name);
	code = check_mac(l, mac_to_str(mac, text), reterr);
	if (!code && listed_mac && *listed_mac)
		code = check_mac(l, listed_mac, reterr);
	if (!code && wanted && l->mtu != wanted)
		return err_set(reterr, CNI_CHECK_FAILED, "%s: MTU is %u, not %lld", l->name, l->mtu, wanted);
	return code;
}

static int check_sandbox(const struct check *k, const json_t *listed, struct err *reterr)
{
	const char *sandbox = json_string_value(json_object_get(listed, "sandbox"));

	if (!listed && is_chained(k)) /* old versions tell of no interface */
		return 0;
	if (!listed)
		return wrong(reterr, "prevResult has no such interface of the container", k->a->ifname);
	if (!streq(sandbox, k->conf->netns))
		return err_set(reterr, CNI_CHECK_FAILED, "%s: prevResult has it in %s, CNI_NETNS is %s", k->a->ifname,
			       sandbox, k->conf->netns);
	return 0;
}

static int check_ends(struct check *k, struct err *reterr)
{
	const struct attachment *a = k->a;
	const json_t *in_pod = find_interface(k, a->ifname, true), *on_host = find_interface(k, a->hostif, false);
	int code = check_sandbox(k, in_pod, reterr);

	if (code)
		return code;
	if (inspect_link(k->host, a->hostif, 0, &k->host_end, reterr) < 0)
		return err_prefix(reterr, CNI_CHECK_FAILED, "%s", a->hostif);
	if (inspect_link(k->pod, a->ifname, 0, &k->pod_end, reterr) < 0)
		return err_prefix(reterr, CNI_CHECK_FAILED, "%s", a->ifname);
	if (k->pod_end.peer != k->host_end.ifindex)
		return wrong(reterr, "interface is another one now", a->ifname);
	code = check_end(&k->host_end, a->host_mac, on_host, reterr);
	return code ?: check_end(&k->pod_end, a->mac, in_pod, reterr);
}

static int check_programs(const struct check *k, struct err *reterr)
{
	for (int ingress = 0; ingress < 2; ingress++) {
		int r = tc_attached(k->host_end.ifindex, ingress, NULL, reterr);

		if (r < 0)
			return wrong(reterr, ingress ? "program from_pod is detached" : "program to_pod is detached",
				     k->a->hostif);
	}
	return 0;
}

static int check_route(int fd, const char *ifname, const struct route *route, struct err *reterr)
{
	char dst[PREFIX_STRLEN], gw[ADDR_STRLEN] = "";
	int r = inspect_route(fd, route, reterr);

	if (r != -ENOENT)
		return r < 0 ? CNI_FAILED : 0;
	if (!addr_is_zero(&route->gateway))
		addr_to_str(&route->gateway, gw);
	return err_set(reterr, CNI_CHECK_FAILED, "%s: the route to %s%s%s is missing", ifname,
		       prefix_to_str(&route->dst, dst), *gw ? " via " : "", gw);
}

/* One of prevResult's routes, whoever made it. */
static int check_listed_route(const struct check *k, const json_t *j, struct err *reterr)
{
	const char *dst = json_string_value(json_object_get(j, "dst"));
	const char *gw = json_string_value(json_object_get(j, "gw"));
	struct route route = { .ifindex = has_other_interface(k) ? 0 : k->pod_end.ifindex };

	if (prefix_parse(dst ?: "", &route.dst) < 0)
		return err_set(reterr, CNI_CHECK_FAILED, "prevResult: \"%s\" is no destination", dst ?: "");
	if (gw && addr_parse(gw, &route.gateway) < 0)
		return err_set(reterr, CNI_CHECK_FAILED, "prevResult: gw \"%s\" is no address", gw);
	route.table = json_integer_value(json_object_get(j, "table")) ?: RT_TABLE_MAIN;
	return check_route(k->pod, k->a->ifname, &route, reterr);
}

/* One of prevResult's addresses. Without an index it is the interface's that all this is about. */
static int check_listed_address(const struct check *k, const json_t *ip, struct err *reterr)
{
	const char *text = json_string_value(json_object_get(ip, "address"));
	json_t *index = json_object_get(ip, "interface");
	json_t *interfaces = json_object_get(k->conf->prev_result, "interfaces");
	struct weir_addr a;
	uint8_t len;
	int r;

	if (index && !is_interface(json_array_get(interfaces, json_integer_value(index)), k->a->ifname, true))
		return 0;
	if (result_address(text, &a, &len, reterr))
		return err_prefix(reterr, CNI_CHECK_FAILED, "prevResult");
	r = inspect_address(k->pod, k->pod_end.ifindex, &a, len, reterr);
	if (r == -ENOENT)
		return err_set(reterr, CNI_CHECK_FAILED, "%s: address %s is missing", k->a->ifname, text);
	return r < 0 ? CNI_FAILED : 0;
}

/* All that prevResult lists has to be there; there may be more. */
static int check_listed(const struct check *k, struct err *reterr)
{
	int code = 0;
	json_t *j;
	size_t i;

	json_array_foreach (json_object_get(k->conf->prev_result, "ips"), i, j)
		code = code ?: check_listed_address(k, j, reterr);
	json_array_foreach (json_object_get(k->conf->prev_result, "routes"), i, j)
		code = code ?: check_listed_route(k, j, reterr);
	return code;
}

/* What no result tells of an address: its lease, and the host's route to it. */
static int check_own_address(const struct check *k, const struct weir_addr *a, struct err *reterr)
{
	const struct ipam_pool pool = { &k->conf->ipam, k->conf->state_dir, k->a->network };
	const struct route route = {
		.ifindex = k->host_end.ifindex,
		.table = RT_TABLE_MAIN,
		.dst = prefix_of_addr(a),
	};
	char text[ADDR_STRLEN];

	if (!k->conf->ipam.type && !ipam_holds(&pool, k->key, a))
		return err_set(reterr, CNI_CHECK_FAILED, "ipam: %s is not leased to this container",
			       addr_to_str(a, text));
	return check_route(k->host, k->a->hostif, &route, reterr);
}

/* The result that the runtime holds must be that of this container. */
static int check_prev_result(const struct check *k, struct err *reterr)
{
	struct weir_addr addr[2];
	int code;

	if (!k->conf->prev_result)
		return err_set(reterr, CNI_BAD_CONFIG, "CHECK needs prevResult");
	code = result_addresses(k->conf->prev_result, addr, reterr);
	if (code)
		return err_prefix(reterr, CNI_CHECK_FAILED, "prevResult");
	for (int f = 0; f < 2; f++)
		if (addr_cmp(&addr[f], &k->a->addr[f]))
			return wrong(reterr, "addresses are not those of this container", "prevResult");
	return 0;
}

static int check_all(struct check *k, struct err *reterr)
{
	int code = check_prev_result(k, reterr);

	code = code ?: check_ends(k, reterr);
	code = code ?: check_programs(k, reterr);
	code = code ?: check_listed(k, reterr);
	if (is_chained(k)) /* leases and the host's routes are the other plugin's */
		return code;
	for (int f = 0; f < 2; f++)
		if (!addr_is_zero(&k->a->addr[f]))
			code = code ?: check_own_address(k, &k->a->addr[f], reterr);
	return code;
}

int cmd_check(struct conf *c, int netns, struct err *reterr)
{
	_cleanup_(attachment_freep) struct attachment *a = NULL;
	_cleanup_free_ char *key = attachment_key(c->container_id, c->ifname);
	_cleanup_close_ int host = nl_open(reterr), pod = inspect_open(netns, reterr);
	struct check k = { .conf = c, .key = key, .host = host, .pod = pod };
	json_t *ignored = NULL;
	int code;

	if (!key || host < 0 || pod < 0)
		return CNI_FAILED;
	if (attachment_load(c->state_dir, key, &a, reterr) < 0)
		return err_prefix(reterr, CNI_CHECK_FAILED, "no attachment of this container and interface");
	k.a = a;
	code = check_all(&k, reterr);
	if (!code) {
		code = agent_check(c, key, reterr);
		if (code == AGENT_AWAY) {
			log_warn("weir-agent does not answer (%s): its part is not checked", reterr->msg);
			code = 0;
		}
	}
	if (!code && c->ipam.type)
		code = delegate_run(c, "CHECK", &ignored, reterr);
	json_decref(ignored);
	return code;
}
