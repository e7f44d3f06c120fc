/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Built-in address management. A lease is a symbolic link <state-dir>/ipam/<network>/<address> whose target is the key
 * of the attachment: made by one system call, exclusive, never half written. Giving out an address therefore takes no
 * lock; taking back does, so that nobody removes the lease of who came after.
 */
#ifndef WEIR_CNI_IPAM_H
#define WEIR_CNI_IPAM_H

#include <jansson.h>

#include "lib/addr.h"
#include "lib/err.h"

#define IPAM_RANGES_MAX 32

struct ipam_range {
	struct prefix subnet;
	struct weir_addr first, last, gateway;
};

struct ipam {
	const char *type; /* of the plugin that does it; NULL: built in */
	size_t n_ranges;
	struct ipam_range ranges[IPAM_RANGES_MAX];
};

/* Where the leases of a network are. */
struct ipam_pool {
	const struct ipam *ipam;
	const char *state_dir, *network;
};

/* These return 0 or an enum cni_code. */
/* The member "ipam" of a network configuration. */
int ipam_parse(struct ipam *ipam, const json_t *conf, struct err *reterr);
/* Code 7 when it cannot give any address: no range, or a delegated one. */
int ipam_require_ranges(const struct ipam *ipam, struct err *reterr);
/* One address of each family that has ranges; wanted[] (IPv4, IPv6; zero = any) or none at all. */
int ipam_alloc(const struct ipam_pool *pool, const char *key, const struct weir_addr wanted[2],
	       struct weir_addr ret_addr[2], struct err *reterr);
/* Give back these addresses, or, where both are zero, every address of the key. Only what is the key's own. */
int ipam_release(const struct ipam_pool *pool, const char *key, const struct weir_addr addr[2], struct err *reterr);
/* Give back every address whose key is not kept. */
int ipam_collect(const struct ipam_pool *pool, bool (*keeps)(const void *userdata, const char *key),
		 const void *userdata, struct err *reterr);
/* Does that key hold that address? */
bool ipam_holds(const struct ipam_pool *pool, const char *key, const struct weir_addr *addr);
/* Is there a free address of each family? */
int ipam_room(const struct ipam_pool *pool, struct err *reterr);

#endif
