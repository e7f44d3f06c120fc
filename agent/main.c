// SPDX-License-Identifier: Apache-2.0
/* weir-agent: one per node. Options in agent/config.c, the process's life here, its work in agent/agent.c. */
#include <signal.h>
#include <systemd/sd-daemon.h>

#include "agent/agent.h"
#include "agent/privileges.h"

static int cleanup(const struct config *c, struct err *reterr)
{
	struct nat nat;
	int r = nat_init(&nat, c, reterr);

	if (r < 0)
		return r;
	r = nat_remove(&nat, reterr);
	nat_done(&nat);
	if (r >= 0)
		r = datapath_unload(c->bpf_dir, reterr);
	return r;
}

static int run(struct agent *a, struct err *reterr)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_new(&a->event);
	if (r >= 0)
		r = sd_event_add_signal(a->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(a->event, NULL, SIGINT, NULL, NULL);
	if (r < 0)
		return err_set(reterr, r, "cannot make the event loop: %s", strerror(-r));
	sd_event_set_watchdog(a->event, true);
	r = agent_start(a, reterr);
	if (r >= 0)
		r = privileges_drop(reterr);
	if (r < 0)
		return r;
	log_info("weir-agent " WEIR_VERSION " is ready on node %s", a->config.node_name);
	sd_notify(0, "READY=1");
	r = sd_event_loop(a->event);
	sd_notify(0, "STOPPING=1");
	return r < 0 ? err_set(reterr, r, "the event loop failed: %s", strerror(-r)) : 0;
}

int main(int argc, char **argv)
{
	static struct agent a = { .lock = -1 };
	enum config_action action;
	struct err e = {};
	int r = config_parse(&a.config, argc, argv, &action, &e);

	if (r < 0) {
		fprintf(stderr, "weir-agent: %s\n", e.msg);
		return r == -EINVAL ? 2 : 1;
	}
	if (action == CONFIG_RUN) {
		r = a.config.cleanup ? cleanup(&a.config, &e) : run(&a, &e);
		if (r < 0)
			log_error("%s", e.msg);
	}
	agent_done(&a);
	return r < 0 ? 1 : 0;
}
