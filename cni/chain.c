// SPDX-License-Identifier: Apache-2.0
#include "cni/agent.h"
#include "cni/cmd.h"
#include "cni/convert.h"
#include "cni/inspect.h"
#include "cni/link.h"
#include "lib/log.h"
#include "lib/netlink.h"
#include "lib/tc_attach.h"

/* Policy is enforced on the host end of a veth pair that is routed, whoever made it; on nothing else. */
static int find_ends(const struct conf *c, int host, int netns, struct link_state *pod_end, struct link_state *host_end,
		     struct err *reterr)
{
	_cleanup_close_ int pod = inspect_open(netns, reterr);

	if (pod < 0 || inspect_link(pod, c->ifname, 0, pod_end, reterr) < 0)
		return err_prefix(reterr, CNI_BAD_CONFIG, "chained, but the pod has no %s", c->ifname);
	if (!pod_end->veth || inspect_link(host, NULL, pod_end->peer, host_end, reterr) < 0 || !host_end->veth ||
	    host_end->peer != pod_end->ifindex)
		return err_set(reterr, CNI_BAD_CONFIG, "chained, but %s is not a veth pair with the host", c->ifname);
	if (host_end->master)
		return err_set(reterr, CNI_BAD_CONFIG,
			       "chained, but %s is a port of a bridge: policy cannot be enforced there",
			       host_end->name);
	return 0;
}

static struct attachment *adopt(struct conf *c, const struct link_state *pod_end, const struct link_state *host_end)
{
	struct attachment *a = attachment_for(c);

	if (!a)
		return NULL;
	memcpy(a->hostif, host_end->name, sizeof(a->hostif));
	memcpy(a->mac, pod_end->mac, 6);
	memcpy(a->host_mac, host_end->mac, 6);
	a->ifindex = host_end->ifindex;
	a->mtu = host_end->mtu;
	return a;
}

static int attach(const struct conf *c, int host, const struct attachment *a, struct err *reterr)
{
	struct link_progs progs = LINK_NO_PROGS;
	int r;

	if (link_open_progs(c->bpf_dir, &progs, reterr) < 0)
		return err_prefix(reterr, CNI_TRY_LATER, "weir-agent has not loaded the datapath yet");
	r = attachment_create(c->state_dir, a, reterr);
	r = r ?: link_attach(host, a->ifindex, &progs, reterr);
	link_close_progs(&progs);
	if (r == -EEXIST)
		return err_set(reterr, CNI_EXISTS, "container %s already has %s: call DEL first", c->container_id,
			       c->ifname);
	return r < 0 ? CNI_FAILED : announce(c, a, reterr);
}

/* The result is passed on as it came, in the version of the request. */
static int print_prev_result(const struct conf *c, struct err *reterr)
{
	convert_from_newest(c->prev_result, c->version);
	return result_print(json_incref(c->prev_result)) ? 0 : err_set(reterr, CNI_IO, "cannot write the result: %m");
}

int chain_add(struct conf *c, int netns, struct err *reterr)
{
	_cleanup_(attachment_freep) struct attachment *a = NULL;
	_cleanup_free_ char *key = attachment_key(c->container_id, c->ifname);
	_cleanup_close_ int host = nl_open(reterr);
	struct link_state pod_end, host_end;
	struct weir_addr addr[2];
	struct err e = {};
	int code;

	if (!key || host < 0)
		return CNI_FAILED;
	code = result_addresses(c->prev_result, addr, reterr);
	if (code)
		return err_prefix(reterr, CNI_BAD_CONFIG, "prevResult");
	code = conf_check_wanted(c, addr, reterr);
	code = code ?: find_ends(c, host, netns, &pod_end, &host_end, reterr);
	if (code)
		return code;
	if (c->has_mac && memcmp(c->mac, pod_end.mac, 6) != 0)
		return err_set(reterr, CNI_BAD_CONFIG, "mac: another plugin made %s, and gave it another address",
			       c->ifname);
	a = adopt(c, &pod_end, &host_end);
	if (!a)
		return err_set(reterr, CNI_FAILED, "out of memory");
	memcpy(a->addr, addr, sizeof(addr));
	code = attach(c, host, a, reterr);
	if (!code)
		return print_prev_result(c, reterr);
	if (code != CNI_EXISTS) {
		(void)agent_del(c, key, NULL);
		if (teardown(c, host, key, a, &e))
			log_warn("rolling back: %s", e.msg);
	}
	return code;
}
