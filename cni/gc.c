// SPDX-License-Identifier: Apache-2.0
#include "cni/agent.h"
#include "cni/cmd.h"
#include "cni/delegate.h"
#include "lib/log.h"
#include "lib/netlink.h"

/* GC goes on after an error and reports all of them. */
static int add_error(int code, int next, const struct err *e, struct err *reterr)
{
	size_t len = code ? strlen(reterr->msg) : 0;

	if (!next)
		return code;
	snprintf(reterr->msg + len, sizeof(reterr->msg) - len, "%s%s", len ? "; " : "", e->msg);
	return code ?: next;
}

static bool keeps(const void *userdata, const char *key)
{
	return conf_gc_keeps(userdata, key);
}

static int collect_one(const struct conf *c, int host, const struct attachment *a, struct err *reterr)
{
	_cleanup_free_ char *key = attachment_key(a->container_id, a->ifname);

	if (!key)
		return err_set(reterr, CNI_FAILED, "out of memory");
	if (!streq(a->network, c->name) || conf_gc_keeps(c, key))
		return 0;
	(void)agent_del(c, key, NULL);
	return teardown(c, host, key, a, reterr);
}

static int collect_attachments(const struct conf *c, int host, struct err *reterr)
{
	struct attachment **list = NULL;
	size_t n = 0, bad = 0;
	struct err e = {};
	int code = 0;

	if (attachment_list(c->state_dir, &list, &n, &bad, reterr) < 0)
		return CNI_IO;
	if (bad)
		log_warn("%zu attachment records cannot be read", bad);
	for (size_t i = 0; i < n; i++) {
		int r = collect_one(c, host, list[i], &e);

		code = add_error(code, r, &e, reterr);
		attachment_free(list[i]);
	}
	free(list);
	return code;
}

/* Removing everything because a list is missing is not what anybody means; libcni sends null for an empty one. */
static int check_list(const struct conf *c, struct err *reterr)
{
	json_t *v = json_object_get(c->json, "cni.dev/valid-attachments")
			?: json_object_get(c->json, "cni.dev/attachments"),
	       *a;
	size_t i;

	if (!v)
		return err_set(reterr, CNI_BAD_CONFIG, "cni.dev/valid-attachments is missing");
	if (!json_is_array(v) && !json_is_null(v))
		return err_set(reterr, CNI_BAD_JSON, "cni.dev/valid-attachments must be an array");
	json_array_foreach (v, i, a)
		if (!json_is_string(json_object_get(a, "containerID")) || !json_is_string(json_object_get(a, "ifname")))
			return err_set(reterr, CNI_BAD_JSON,
				       "cni.dev/valid-attachments[%zu]: containerID and ifname must be strings", i);
	return 0;
}

int cmd_gc(struct conf *c, _unused_ int netns, struct err *reterr)
{
	const struct ipam_pool pool = { &c->ipam, c->state_dir, c->name };
	_cleanup_close_ int host = -1;
	json_t *ignored = NULL;
	struct err e = {};
	int code = check_list(c, reterr);

	if (code)
		return code;
	host = nl_open(reterr);
	if (host < 0)
		return CNI_FAILED;
	code = collect_attachments(c, host, reterr);
	code = add_error(code, ipam_collect(&pool, keeps, c, &e), &e, reterr);
	code = add_error(code, attachment_sweep(c->state_dir, &e) < 0 ? CNI_IO : 0, &e, reterr);
	if (c->ipam.type)
		code = add_error(code, delegate_run(c, "GC", &ignored, &e), &e, reterr);
	json_decref(ignored);
	return code;
}
