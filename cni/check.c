// SPDX-License-Identifier: Apache-2.0
#include "cni/agent.h"
#include "cni/cmd.h"
#include "cni/delegate.h"
#include "cni/inspect.h"
#include "cni/link.h"
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

static int check_end(const struct link_state *l, const char *name, const uint8_t mac[6], uint32_t mtu,
		     struct err *reterr)
{
	if (!l->up)
		return wrong(reterr, "interface is down", name);
	if (memcmp(l->mac, mac, 6) != 0)
		return wrong(reterr, "MAC address has changed", name);
	return mtu && l->mtu != mtu ? wrong(reterr, "MTU has changed", name) : 0;
}

static int check_ends(struct check *k, struct err *reterr)
{
	int code;

	if (inspect_link(k->host, k->a->hostif, 0, &k->host_end, reterr) < 0)
		return err_prefix(reterr, CNI_CHECK_FAILED, "%s", k->a->hostif);
	if (inspect_link(k->pod, k->a->ifname, 0, &k->pod_end, reterr) < 0)
		return err_prefix(reterr, CNI_CHECK_FAILED, "%s", k->a->ifname);
	if (k->pod_end.peer != k->host_end.ifindex)
		return wrong(reterr, "interface is another one now", k->a->ifname);
	code = check_end(&k->host_end, k->a->hostif, k->a->host_mac, k->a->mtu, reterr);
	return code ?: check_end(&k->pod_end, k->a->ifname, k->a->mac, k->a->mtu, reterr);
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

static int check_route(int fd, uint32_t ifindex, const char *ifname, const struct prefix *dst,
		       const struct weir_addr *gateway, struct err *reterr)
{
	char text[PREFIX_STRLEN];
	int r = inspect_route(fd, ifindex, dst, gateway, reterr);

	if (r == -ENOENT)
		return err_set(reterr, CNI_CHECK_FAILED, "%s: the route to %s is missing", ifname,
			       prefix_to_str(dst, text));
	return r < 0 ? CNI_FAILED : 0;
}

static int check_address(const struct check *k, const struct weir_addr *a, const char *everywhere, const char *gw,
			 struct err *reterr)
{
	const struct ipam_pool pool = { &k->conf->ipam, k->conf->state_dir, k->a->network };
	struct prefix all, own = prefix_of_addr(a);
	struct weir_addr gateway;
	char text[ADDR_STRLEN];
	int r = inspect_address(k->pod, k->pod_end.ifindex, a, reterr);

	if (r < 0 && r != -ENOENT)
		return CNI_FAILED;
	if (r < 0)
		return err_set(reterr, CNI_CHECK_FAILED, "%s: address %s is missing", k->a->ifname,
			       addr_to_str(a, text));
	if (!k->conf->ipam.type && !ipam_holds(&pool, k->key, a))
		return err_set(reterr, CNI_CHECK_FAILED, "ipam: %s is not leased to this container",
			       addr_to_str(a, text));
	(void)prefix_parse(everywhere, &all);
	(void)addr_parse(gw, &gateway);
	r = check_route(k->pod, k->pod_end.ifindex, k->a->ifname, &all, &gateway, reterr);
	return r ?: check_route(k->host, k->host_end.ifindex, k->a->hostif, &own, NULL, reterr);
}

/* The result that the runtime holds must be about what is there; what later plugins added to it is theirs. */
static int check_prev_result(const struct check *k, struct err *reterr)
{
	struct weir_addr addr[2];
	json_t *i;
	size_t n;
	int code;

	if (!k->conf->prev_result)
		return err_set(reterr, CNI_BAD_CONFIG, "CHECK needs prevResult");
	code = result_addresses(k->conf->prev_result, addr, reterr);
	if (code)
		return err_prefix(reterr, CNI_CHECK_FAILED, "prevResult");
	for (int f = 0; f < 2; f++)
		if (addr_cmp(&addr[f], &k->a->addr[f]))
			return wrong(reterr, "addresses are not those of this container", "prevResult");
	json_array_foreach (json_object_get(k->conf->prev_result, "interfaces"), n, i) {
		const char *name = json_string_value(json_object_get(i, "name"));
		const char *sandbox = json_string_value(json_object_get(i, "sandbox"));

		if (name && sandbox && *sandbox && streq(name, k->a->ifname))
			return 0;
	}
	return wrong(reterr, "has no such interface of the container", k->a->ifname);
}

static bool is_chained(const struct check *k)
{
	char own[IFNAMSIZ];

	attachment_hostif(k->key, own);
	return !streq(own, k->a->hostif);
}

static int check_all(struct check *k, struct err *reterr)
{
	int code = check_prev_result(k, reterr);

	code = code ?: check_ends(k, reterr);
	code = code ?: check_programs(k, reterr);
	if (is_chained(k)) /* addresses and routes are the other plugin's */
		return code;
	if (!code && !addr_is_zero(&k->a->addr[0]))
		code = check_address(k, &k->a->addr[0], "0.0.0.0/0", LINK_GATEWAY4, reterr);
	if (!code && !addr_is_zero(&k->a->addr[1]))
		code = check_address(k, &k->a->addr[1], "::/0", LINK_GATEWAY6, reterr);
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
