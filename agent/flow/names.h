/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which names a client resolved to an address. What one client was told names addresses in its own flows only: a pod
 * may answer DNS as it likes, but to nobody's harm but its own clients'.
 */
#ifndef WEIR_FLOW_NAMES_H
#define WEIR_FLOW_NAMES_H

#include "agent/flow/flow.h"

#define NAMES_MAX 16384          /* pairs of client and address; beyond, the oldest go */
#define NAMES_KEPT_SEC (60 * 60) /* at least: connections outlive the TTL of the answer they began with */

struct names;
struct names *names_new(void); /* NULL: out of memory */
void names_free(struct names *n);

/* name without the final dot. Without memory it is not learned. */
void names_learn(struct names *n, const struct weir_addr *client, const struct weir_addr *addr, const char *name,
		 uint32_t ttl_sec, uint64_t now_ns);
/* A reference, or NULL: none is known. */
struct flow_names *names_get(struct names *n, const struct weir_addr *client, const struct weir_addr *addr,
			     uint64_t now_ns);

#endif
