/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod's link: a veth pair without a bridge. The pod has its addresses as /32 and /128 and reaches everything
 * through link-local gateways that nobody has to answer for: the neighbour entry is permanent. The host has one route
 * per address. Functions return 0 or a negative errno.
 */
#ifndef WEIR_CNI_LINK_H
#define WEIR_CNI_LINK_H

#include "lib/attachment.h"

#define LINK_GATEWAY4 "169.254.1.1"
#define LINK_GATEWAY6 "fe80::1"

struct link_progs {
	int from_pod, to_pod;
};
#define LINK_NO_PROGS  \
	{              \
		-1, -1 \
	}

void link_close_progs(struct link_progs *p);
int link_open_progs(const char *bpf_dir, struct link_progs *ret_progs, struct err *reterr);

/*
 * Makes and wires the pair for a, whose names, MACs, addresses and mtu are set; sets a->ifindex. The programs are
 * attached before either end is up. host: netlink socket of the host's namespace; netns: the pod's. On failure what
 * there is of it is left to link_del().
 */
int link_add(int host, int netns, const struct link_progs *progs, struct attachment *a, struct err *reterr);
/* 0 also when there is none. The pod's end, routes and programs go with it. */
int link_del(int host, const char *hostif, struct err *reterr);
/* The programs on an interface that another plugin made. */
int link_attach(int host, uint32_t ifindex, const struct link_progs *progs, struct err *reterr);

/* MTU of the interface that leads to the default gateway; 1500 when there is none. */
uint32_t link_uplink_mtu(int host);

#endif
