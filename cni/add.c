// SPDX-License-Identifier: Apache-2.0
#include <linux/rtnetlink.h>
#include <sys/random.h>

#include "cni/agent.h"
#include "cni/cmd.h"
#include "cni/delegate.h"
#include "cni/inspect.h"
#include "cni/link.h"
#include "lib/log.h"
#include "lib/netlink.h"

#define SETTLE_MS 1000

static char *dup_or_null(const char *s, bool *failed)
{
	char *copy = s ? strdup(s) : NULL;

	*failed |= s && !copy;
	return copy;
}

struct attachment *attachment_for(struct conf *c)
{
	_cleanup_(attachment_freep) struct attachment *a = calloc(1, sizeof(*a));
	_cleanup_free_ char *key = attachment_key(c->container_id, c->ifname);
	bool failed = !a || !key;

	if (failed)
		return NULL;
	a->network = dup_or_null(c->name, &failed);
	a->container_id = dup_or_null(c->container_id, &failed);
	a->ifname = dup_or_null(c->ifname, &failed);
	a->netns = dup_or_null(c->netns, &failed);
	a->pod_namespace = dup_or_null(c->pod_namespace, &failed);
	a->pod_name = dup_or_null(c->pod_name, &failed);
	a->pod_uid = dup_or_null(c->pod_uid, &failed);
	a->port_mappings = TAKE_PTR(c->port_mappings);
	a->n_port_mappings = c->n_port_mappings;
	attachment_hostif(key, a->hostif);
	return failed ? NULL : TAKE_PTR(a);
}

int announce(const struct conf *c, const struct attachment *a, struct err *reterr)
{
	int code = agent_add(c, a, reterr);

	if (code != AGENT_AWAY)
		return code;
	if (a->n_port_mappings)
		return err_prefix(reterr, CNI_TRY_LATER, "portMappings need weir-agent");
	log_warn("weir-agent does not answer (%s): until it does, this pod is reachable from its host only",
		 reterr->msg);
	return 0;
}

/* Locally administered, unicast. */
static int choose_macs(const struct conf *c, struct attachment *a, struct err *reterr)
{
	uint8_t m[12];

	if (getrandom(m, sizeof(m), 0) != sizeof(m))
		return err_set(reterr, CNI_FAILED, "cannot get random numbers: %m");
	m[0] = m[6] = 0x0a; /* Some systems order bridges and bonds by the lowest address: stay away from 02 */
	memcpy(a->mac, c->has_mac ? c->mac : m, 6);
	memcpy(a->host_mac, m + 6, 6);
	return 0;
}

static int get_addresses(struct conf *c, struct attachment *a, const char *key, json_t **ret_result, struct err *reterr)
{
	const struct ipam_pool pool = { &c->ipam, c->state_dir, c->name };
	int code;

	if (!c->ipam.type)
		return ipam_alloc(&pool, key, c->wanted, a->addr, reterr);
	code = delegate_add(c, a->addr, ret_result, reterr);
	return code ?: conf_check_wanted(c, a->addr, reterr);
}

/* The kernel makes the way in to an IPv6 address in a worker, which other changes of links and routes can hold up.
 * Until it has, the pod would speak and hear no answer. By now the worker is done in all but a few cases of a hundred.
 */
static void settle(int netns, const struct attachment *a)
{
	const struct route way_in = { .table = RT_TABLE_LOCAL, .dst = prefix_of_addr(&a->addr[1]) };
	_cleanup_close_ int pod = addr_is_zero(&a->addr[1]) ? -1 : inspect_open(netns, NULL);

	for (int i = 0; pod >= 0 && i < SETTLE_MS && inspect_route(pod, &way_in, NULL) == -ENOENT; i++)
		usleep(1000);
}

static int already(const struct conf *c, struct err *reterr)
{
	return err_set(reterr, CNI_EXISTS, "container %s already has %s: call DEL first", c->container_id, c->ifname);
}

/* What has been made so far, for the way back. */
struct progress {
	bool recorded, announced;
};

/*
 * The record comes before anything in the kernel: whatever a kill leaves there can be found. An address without a
 * record is found by the key in its lease.
 */
static int make(struct conf *c, int host, int netns, const struct link_progs *progs, struct attachment *a,
		const char *key, json_t **ipam_result, struct progress *done, struct err *reterr)
{
	int code, r;

	code = get_addresses(c, a, key, ipam_result, reterr);
	if (code)
		return code;
	r = attachment_create(c->state_dir, a, reterr);
	if (r == -EEXIST)
		return already(c, reterr);
	if (r < 0)
		return CNI_IO;
	done->recorded = true;
	if (link_add(host, netns, progs, a, reterr) < 0)
		return CNI_FAILED;
	done->announced = true;
	code = announce(c, a, reterr);
	if (!code)
		settle(netns, a);
	return code;
}

/* Undoes what was done; an error here goes to the log, because DEL will try again. */
static void roll_back(const struct conf *c, int host, const char *key, const struct attachment *a,
		      const struct progress *done)
{
	const struct ipam_pool pool = { &c->ipam, c->state_dir, c->name };
	json_t *ignored = NULL;
	struct err e = {};
	int code = 0;

	if (done->announced)
		agent_del(c, key, NULL);
	if (done->recorded) /* no index: the name was taken, by a link that is not ours to remove */
		code = teardown(c, a->ifindex ? host : -1, key, a, &e);
	else if (!addr_is_zero(&a->addr[0]) || !addr_is_zero(&a->addr[1]))
		code = ipam_release(&pool, key, a->addr, &e);
	if (!code && c->ipam.type)
		code = delegate_run(c, "DEL", &ignored, &e);
	json_decref(ignored);
	if (code)
		log_warn("rolling back: %s", e.msg);
}

static int add(struct conf *c, int host, int netns, const struct link_progs *progs, struct attachment *a,
	       struct err *reterr)
{
	_cleanup_free_ char *key = attachment_key(c->container_id, c->ifname);
	json_t *ipam_result = NULL, *dns;
	struct progress done = {};
	int code;

	if (!key)
		return err_set(reterr, CNI_FAILED, "out of memory");
	if (attachment_exists(c->state_dir, key))
		return already(c, reterr);
	code = make(c, host, netns, progs, a, key, &ipam_result, &done, reterr);
	if (code) {
		roll_back(c, host, key, a, &done);
	} else {
		dns = json_object_get(ipam_result, "dns") ?: json_object_get(c->json, "dns");
		if (!result_print(result_new(a, c->version, dns)))
			code = err_set(reterr, CNI_IO, "cannot write the result: %m");
	}
	json_decref(ipam_result);
	return code;
}

int cmd_add(struct conf *c, int netns, struct err *reterr)
{
	_cleanup_(attachment_freep) struct attachment *a = NULL;
	struct link_progs progs = LINK_NO_PROGS;
	_cleanup_close_ int host = -1;
	int code = conf_read_capabilities(c, reterr);

	if (!code && c->prev_result)
		return chain_add(c, netns, reterr);
	if (!code && !c->ipam.type)
		code = ipam_require_ranges(&c->ipam, reterr);
	if (code)
		return code;
	a = attachment_for(c);
	if (!a)
		return err_set(reterr, CNI_FAILED, "out of memory");
	host = nl_open(reterr);
	if (host < 0)
		return CNI_FAILED;
	if (link_open_progs(c->bpf_dir, &progs, reterr) < 0)
		return err_prefix(reterr, CNI_TRY_LATER, "weir-agent has not loaded the datapath yet");
	a->mtu = c->mtu ?: link_uplink_mtu(host);
	code = choose_macs(c, a, reterr);
	code = code ?: add(c, host, netns, &progs, a, reterr);
	link_close_progs(&progs);
	return code;
}
