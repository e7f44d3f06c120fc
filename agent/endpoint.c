// SPDX-License-Identifier: Apache-2.0
#include "agent/endpoint.h"

#include <bpf/bpf.h>

static void endpoint_free(struct endpoint *ep)
{
	close_fd(ep->link);
	free(ep->key);
	free(ep->pod);
	attachment_free(ep->attachment);
	free(ep);
}

void endpoints_done(struct endpoints *eps)
{
	struct endpoint *ep, *tmp;

	HASH_CLEAR(hh_pod, eps->by_pod);
	HASH_ITER (hh, eps->by_key, ep, tmp) {
		HASH_DEL(eps->by_key, ep);
		endpoint_free(ep);
	}
	*eps = (struct endpoints){};
}

static int free_slot(const struct endpoints *eps)
{
	for (size_t i = 1; i < WEIR_EP_MAX; i++)
		if (!eps->slots[i])
			return i;
	return -ENOSPC;
}

/* False: out of memory. */
static bool index_pod(struct endpoints *eps, struct endpoint *ep)
{
	struct endpoint *old;

	HASH_FIND(hh_pod, eps->by_pod, ep->pod, strlen(ep->pod), old);
	if (old)
		HASH_DELETE(hh_pod, eps->by_pod, old);
	HASH_ADD_KEYPTR(hh_pod, eps->by_pod, ep->pod, strlen(ep->pod), ep);
	return ep->hh_pod.tbl;
}

static void unindex_pod(struct endpoints *eps, struct endpoint *ep)
{
	struct endpoint *found, *next = NULL;

	HASH_FIND(hh_pod, eps->by_pod, ep->pod, strlen(ep->pod), found);
	if (found != ep)
		return;
	HASH_DELETE(hh_pod, eps->by_pod, ep);
	for (struct endpoint *o = eps->by_key; o; o = o->hh.next) /* uthash keeps the order of insertion */
		if (o != ep && o->pod && streq(o->pod, ep->pod))
			next = o;
	if (next)
		(void)index_pod(eps, next); /* a pod that is not found by its name is reachable from its host only */
}

/* podman gives a name alone. It is that of a Pod without a namespace, in "default". */
static bool name_pod(struct endpoint *ep, struct attachment *a)
{
	ep->outside = !a->pod_namespace || !a->pod_name;
	if (a->pod_name && !a->pod_namespace)
		a->pod_namespace = strdup("default");
	if (a->pod_name && a->pod_namespace && asprintf(&ep->pod, "%s/%s", a->pod_namespace, a->pod_name) < 0)
		ep->pod = NULL;
	return ep->pod || !a->pod_name;
}

static int insert(struct endpoints *eps, struct attachment **a, uint32_t slot, struct endpoint **ret_ep,
		  struct err *reterr)
{
	struct endpoint *ep = calloc(1, sizeof(*ep));

	if (ep) {
		ep->link = -1;
		ep->key = attachment_key((*a)->container_id, (*a)->ifname);
	}
	if (!ep || !ep->key || !name_pod(ep, *a)) {
		if (ep)
			endpoint_free(ep);
		attachment_free(TAKE_PTR(*a));
		return err_oom(reterr);
	}
	ep->attachment = TAKE_PTR(*a);
	ep->slot = slot;
	HASH_ADD_KEYPTR(hh, eps->by_key, ep->key, strlen(ep->key), ep);
	if (!hash_added(ep)) {
		endpoint_free(ep);
		return err_oom(reterr);
	}
	if (ep->pod && !index_pod(eps, ep)) {
		HASH_DEL(eps->by_key, ep);
		endpoint_free(ep);
		return err_oom(reterr);
	}
	eps->slots[slot] = ep;
	if (ret_ep)
		*ret_ep = ep;
	return 0;
}

int endpoints_add(struct endpoints *eps, struct attachment **a, struct endpoint **ret_ep, struct err *reterr)
{
	_cleanup_free_ char *key = attachment_key((*a)->container_id, (*a)->ifname);
	int slot;

	if (key)
		endpoints_remove(eps, key);
	slot = free_slot(eps);
	if (slot < 0) {
		attachment_free(TAKE_PTR(*a));
		return err_set(reterr, slot, "this node already has %d pods", WEIR_EP_MAX - 1);
	}
	return insert(eps, a, slot, ret_ep, reterr);
}

bool endpoints_remove(struct endpoints *eps, const char *key)
{
	struct endpoint *ep = endpoints_find(eps, key);

	if (!ep)
		return false;
	eps->slots[ep->slot] = NULL;
	if (ep->pod)
		unindex_pod(eps, ep);
	HASH_DEL(eps->by_key, ep);
	endpoint_free(ep);
	return true;
}

struct endpoint *endpoints_find(const struct endpoints *eps, const char *key)
{
	struct endpoint *ep;

	HASH_FIND_STR(eps->by_key, key, ep);
	return ep;
}

/* Asked for every pod of the cluster in every pass: no printf here. */
struct endpoint *endpoints_find_pod(const struct endpoints *eps, const char *ns, const char *name)
{
	size_t n = strlen(ns), len = n + 1 + strlen(name);
	char pod[320]; /* a DNS label and a DNS subdomain at most */
	struct endpoint *ep;

	if (!eps->by_pod || len > sizeof(pod))
		return NULL;
	memcpy(pod, ns, n);
	pod[n] = '/';
	memcpy(pod + n + 1, name, len - n - 1);
	HASH_FIND(hh_pod, eps->by_pod, pod, len, ep);
	return ep;
}

struct endpoint *endpoints_find_addr(const struct endpoints *eps, const struct weir_addr *addr)
{
	for (struct endpoint *ep = eps->by_key; ep; ep = ep->hh.next)
		if (!addr_cmp(&ep->attachment->addr[addr_is_v4(addr) ? 0 : 1], addr))
			return ep;
	return NULL;
}

static bool still_there(const struct attachment *a)
{
	char name[IF_NAMESIZE];

	return a->ifindex && if_indextoname(a->ifindex, name) && streq(name, a->hostif);
}

/* The slot that the datapath has for this interface, when no other endpoint took it. */
static int adopted_slot(const struct endpoints *eps, int map_ep, uint32_t ifindex)
{
	for (uint32_t slot = 1; map_ep >= 0 && slot < WEIR_EP_MAX; slot++) {
		struct weir_ep v;

		if (!eps->slots[slot] && bpf_map_lookup_elem(map_ep, &slot, &v) == 0 && v.ifindex == ifindex)
			return slot;
	}
	return -ENOENT;
}

int endpoints_load(struct endpoints *eps, const char *state_dir, int map_ep, struct err *reterr)
{
	struct attachment **list;
	size_t n, bad;
	int r = attachment_list(state_dir, &list, &n, &bad, reterr);

	if (r < 0)
		return r;
	for (int known = 1; known >= 0; known--) /* those with a slot first, so that no newcomer takes it */
		for (size_t i = 0; i < n && r >= 0; i++) {
			int slot;

			if (!list[i] || !still_there(list[i]))
				continue;
			slot = adopted_slot(eps, map_ep, list[i]->ifindex);
			if (known && slot < 0)
				continue;
			r = slot < 0 ? endpoints_add(eps, &list[i], NULL, reterr)
				     : insert(eps, &list[i], slot, NULL, reterr);
		}
	for (size_t i = 0; i < n; i++)
		attachment_free(list[i]);
	free(list);
	return r < 0 ? r : (int)bad;
}
