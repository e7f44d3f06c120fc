/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel has, read back. Functions return 0 or a negative errno. */
#ifndef WEIR_CNI_INSPECT_H
#define WEIR_CNI_INSPECT_H

#include <net/if.h>

#include "lib/addr.h"
#include "lib/err.h"

struct link_state {
	char name[IFNAMSIZ];
	uint32_t ifindex, peer, mtu, master;
	uint8_t mac[6];
	bool up, veth;
};

/* fd: netlink socket of the namespace. By name, or by index when name is NULL. -ENODEV: no such interface. */
int inspect_link(int fd, const char *name, uint32_t ifindex, struct link_state *ret_link, struct err *reterr);
/* 0: the interface has the address, with a prefix of that length (in the 128-bit form); -ENOENT: it has not. */
int inspect_address(int fd, uint32_t ifindex, const struct weir_addr *a, uint8_t len, struct err *reterr);
/* 0: there is such a route; -ENOENT. */
struct route {
	uint32_t ifindex; /* 0: any */
	uint32_t table;
	struct prefix dst;
	struct weir_addr gateway; /* zero: any, and none */
};
int inspect_route(int fd, const struct route *route, struct err *reterr);
/* A netlink socket in another namespace. */
int inspect_open(int netns, struct err *reterr);

#endif
