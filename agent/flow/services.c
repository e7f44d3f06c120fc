// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/services.h"

#include "lib/hash.h"

struct service_addr {
	struct weir_addr addr;
	char *ns, *name;
	UT_hash_handle hh;
};

struct services {
	struct service_addr *by_addr;
	uint64_t seen; /* + 1: the store's change counter that has been worked in */
};

struct services *services_new(void)
{
	return calloc(1, sizeof(struct services));
}

static void free_addr(struct service_addr *a)
{
	free(a->ns);
	free(a->name);
	free(a);
}

static void clear(struct services *s)
{
	struct service_addr *a, *tmp;

	HASH_ITER (hh, s->by_addr, a, tmp) {
		HASH_DEL(s->by_addr, a);
		free_addr(a);
	}
}

void services_free(struct services *s)
{
	clear(s);
	free(s);
}

/* The first Service to claim an address has it: the API server gives it to one. */
static int add(struct services *s, const struct weir_addr *addr, const struct k8s_object *o)
{
	struct service_addr *a;

	HASH_FIND(hh, s->by_addr, addr, sizeof(*addr), a);
	if (a)
		return 0;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->addr = *addr;
	a->ns = strdup(o->ns);
	a->name = strdup(o->name);
	if (a->ns && a->name) {
		HASH_ADD(hh, s->by_addr, addr, sizeof(a->addr), a);
		if (hash_added(a))
			return 0;
	}
	free_addr(a);
	return -ENOMEM;
}

int services_update(struct services *s, const struct k8s_store *store)
{
	uint64_t changes = k8s_store_changes(store, K8S_SERVICE) + 1;
	const struct k8s_entry *const *entries;
	size_t n;

	if (changes == s->seen)
		return 0;
	clear(s);
	s->seen = 0;
	n = k8s_store_list(store, K8S_SERVICE, &entries);
	for (size_t i = 0; i < n; i++) {
		const struct k8s_service *service = (const struct k8s_service *)entries[i]->object;

		for (size_t k = 0; k < service->n_addrs; k++)
			if (add(s, &service->addrs[k], &service->o) < 0)
				return -ENOMEM;
	}
	s->seen = changes;
	return 0;
}

bool services_find(const struct services *s, const struct weir_addr *addr, struct service *ret)
{
	struct service_addr *a;

	HASH_FIND(hh, s->by_addr, addr, sizeof(*addr), a);
	if (!a)
		return false;
	*ret = (struct service){ a->ns, a->name };
	return true;
}
