// SPDX-License-Identifier: Apache-2.0
#include "cni/agent.h"
#include "cni/cmd.h"
#include "cni/delegate.h"
#include "cni/link.h"

static int addresses(const struct conf *c, struct err *reterr)
{
	const struct ipam_pool pool = { &c->ipam, c->state_dir, c->name };
	json_t *ignored = NULL;
	int code;

	if (!c->ipam.type)
		return ipam_room(&pool, reterr);
	code = delegate_run(c, "STATUS", &ignored, reterr);
	json_decref(ignored);
	return code;
}

/* Would an ADD now give a pod that works? */
int cmd_status(struct conf *c, _unused_ int netns, struct err *reterr)
{
	struct link_progs progs = LINK_NO_PROGS;
	int code;

	if (link_open_progs(c->bpf_dir, &progs, reterr) < 0)
		return CNI_UNAVAILABLE;
	link_close_progs(&progs);
	code = agent_status(c, reterr);
	if (code == AGENT_AWAY)
		return err_prefix(reterr, CNI_UNAVAILABLE, "weir-agent does not answer");
	return code ?: addresses(c, reterr);
}
