// SPDX-License-Identifier: Apache-2.0
#include <net/if.h>

#include "cni/agent.h"
#include "cni/cmd.h"
#include "cni/delegate.h"
#include "cni/link.h"
#include "lib/log.h"
#include "lib/netlink.h"
#include "lib/tc_attach.h"

/* The pair is ours when it has the name that we give; else another plugin made it and will remove it. */
static int remove_link(int host, const char *key, const struct attachment *a, struct err *reterr)
{
	char own[IFNAMSIZ];
	int ifindex, r;

	if (host < 0)
		return 0;
	attachment_hostif(key, own);
	if (!a || streq(a->hostif, own))
		return link_del(host, own, reterr);
	ifindex = nl_ifindex(host, a->hostif);
	if (ifindex < 0 || (uint32_t)ifindex != a->ifindex)
		return 0;
	/* The pod may live on for a while: without the programs, nothing would keep it from the node's 127.0.0.0/8. */
	r = a->n_port_mappings ? nl_route_localnet(host, ifindex, false, reterr) : 0;
	r = r ?: tc_detach(ifindex, true, NULL, reterr);
	return r ?: tc_detach(ifindex, false, NULL, reterr);
}

/* Without a record any address may be the key's. */
static int release(const struct conf *c, const char *key, const struct attachment *a, struct err *reterr)
{
	static const struct weir_addr all[2];
	const struct ipam_pool pool = { &c->ipam, c->state_dir, a ? a->network : c->name };

	return ipam_release(&pool, key, a ? a->addr : all, reterr);
}

int teardown(const struct conf *c, int host, const char *key, const struct attachment *a, struct err *reterr)
{
	struct err e = {};
	int code = remove_link(host, key, a, reterr) < 0 ? CNI_FAILED : 0;
	int released = release(c, key, a, code ? &e : reterr);

	code = code ?: released;
	if (!code && attachment_remove(c->state_dir, key, reterr) < 0)
		code = CNI_IO;
	return code;
}

/* Those of an earlier life of this container are gone too, so nothing here depends on CNI_NETNS or prevResult. */
int cmd_del(struct conf *c, _unused_ int netns, struct err *reterr)
{
	_cleanup_(attachment_freep) struct attachment *a = NULL;
	_cleanup_free_ char *key = attachment_key(c->container_id, c->ifname);
	_cleanup_close_ int host = nl_open(reterr);
	json_t *ignored = NULL;
	struct err e = {};
	int r, code;

	if (!key || host < 0)
		return CNI_FAILED;
	r = attachment_load(c->state_dir, key, &a, &e);
	if (r < 0 && r != -ENOENT)
		log_warn("%s: removing what its name tells", e.msg);
	if (agent_del(c, key, &e) != 0)
		log_info("%s: it will find out when it is back", e.msg);
	code = teardown(c, host, key, a, reterr);
	if (c->ipam.type) {
		int ipam = delegate_run(c, "DEL", &ignored, code ? &e : reterr);

		code = code ?: ipam;
		json_decref(ignored);
	}
	return code;
}
