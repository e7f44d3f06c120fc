// SPDX-License-Identifier: Apache-2.0
/* Addresses of nodes: this node's own, which its pods cannot refuse, and other nodes', which are like any address. */
#include "lib/policy/internal.h"

typedef VEC(struct host) hosts_t;

static int add(hosts_t *hosts, const struct weir_addr *addrs, size_t n, bool local)
{
	for (size_t i = 0; i < n; i++)
		if (!addr_is_zero(&addrs[i]) && vec_add(hosts, (struct host){ addrs[i], NULL, local }) < 0)
			return -ENOMEM;
	return 0;
}

static bool is_here(const struct policy_compiler *c, const char *node)
{
	return c->node && node && streq(c->node, node);
}

/* Pods on the host's network stand at their node's addresses, which a folder of manifests may not name otherwise. */
static int gather(struct policy_compiler *c, hosts_t *hosts)
{
	const struct k8s_entry *const *entries;
	size_t n = k8s_store_list(c->store, K8S_NODE, &entries);

	for (size_t i = 0; i < n; i++) {
		const struct k8s_node *node = (const struct k8s_node *)entries[i]->object;

		if (add(hosts, node->addrs, node->n_addrs, is_here(c, entries[i]->name)) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < c->pods.n; i++) {
		const struct pod *p = c->pods.v[i];

		if (!p->labelset && !p->pod->finished && add(hosts, p->addr, 2, is_here(c, p->pod->node)) < 0)
			return -ENOMEM;
	}
	return add(hosts, c->host_addrs, c->n_host_addrs, true);
}

/* This node's claim on an address goes first. */
static int compare(const void *x, const void *y)
{
	const struct host *a = x, *b = y;

	return addr_cmp(&a->addr, &b->addr) ?: (int)b->local - (int)a->local;
}

static void unique(hosts_t *hosts)
{
	size_t n = 0;

	if (hosts->n)
		qsort(hosts->v, hosts->n, sizeof(*hosts->v), compare);
	for (size_t i = 0; i < hosts->n; i++)
		if (!n || addr_cmp(&hosts->v[n - 1].addr, &hosts->v[i].addr))
			hosts->v[n++] = hosts->v[i];
	hosts->n = n;
}

static void clear(struct host *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		identity_unref(v[i].identity);
	free(v);
}

int hosts_sync(struct policy_compiler *c)
{
	hosts_t hosts = {};
	int r = gather(c, &hosts);

	if (r >= 0)
		unique(&hosts);
	for (size_t i = 0; r >= 0 && i < hosts.n; i++) {
		struct host *h = &hosts.v[i];

		r = identity_get(c, NULL, h->local ? WEIR_ID_HOST : WEIR_ID_REMOTE_NODE, class_of(c, &h->addr),
				 &h->identity);
	}
	if (r < 0) {
		clear(hosts.v, hosts.n);
		return r;
	}
	hosts_clear(c);
	c->hosts.v = hosts.v;
	c->hosts.n = hosts.n;
	c->hosts.size = hosts.size;
	return 0;
}

void hosts_clear(struct policy_compiler *c)
{
	clear(c->hosts.v, c->hosts.n);
	c->hosts.v = NULL;
	c->hosts.n = c->hosts.size = 0;
}
