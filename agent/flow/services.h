/* SPDX-License-Identifier: Apache-2.0 */
/* Which Service an address stands for: what a pod calls is often a Service's address, which no pod has. */
#ifndef WEIR_FLOW_SERVICES_H
#define WEIR_FLOW_SERVICES_H

#include "lib/k8s/store.h"

struct services;
struct services *services_new(void); /* NULL: out of memory */
void services_free(struct services *s);

/* The store's Services of now. -ENOMEM: some are missing, until the next time. */
int services_update(struct services *s, const struct k8s_store *store);

struct service {
	const char *ns, *name; /* valid until the next update */
};
/* False: it is none's. */
bool services_find(const struct services *s, const struct weir_addr *addr, struct service *ret);

#endif
