/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TC program on an interface, in one of two ways:
 * - a TCX link (Linux 6.6), pinned: for interfaces that others use too, because nobody else can remove it;
 * - one filter on the clsact qdisc: where there is no TCX, and on the interfaces of pods, because a TCX link waits
 *   for an RCU grace period with the RTNL lock held: 8 to 30 ms, where the filter takes 0.1. It also costs each packet
 *   some 45 ns less, so that pods that send much get one besides (agent/busy.h).
 * A TCX link beside the filter is no danger: it runs first, and its verdict is final.
 * bpf(2) by hand, because weir-cni is static and small.
 */
#ifndef WEIR_TC_ATTACH_H
#define WEIR_TC_ATTACH_H

#include "lib/err.h"
#include "lib/netlink.h"

/*
 * Attach the program, or replace the one that is there without an instant between. pin_path: where the link is
 * pinned (its folder must exist; bpffs allows no dot in names); a pin that is there is updated when its link is alive
 * on this very interface, else replaced. NULL: as a filter.
 */
int tc_attach(int prog_fd, uint32_t ifindex, bool ingress, const char *pin_path, struct err *reterr);

/* A TCX link that lasts as long as the descriptor that is returned. -EINVAL: this kernel has none. */
int tc_link(int prog_fd, uint32_t ifindex, bool ingress);

/* 0 also when nothing was attached or the interface has gone. */
int tc_detach(uint32_t ifindex, bool ingress, const char *pin_path, struct err *reterr);

/* 0: attached as link (pin_path) or filter; -ENOENT: neither. */
int tc_attached(uint32_t ifindex, bool ingress, const char *pin_path, struct err *reterr);

/* The filter way as requests in a batch of others; the qdisc first. */
void tc_put_clsact(struct nl_batch *b, uint32_t ifindex);
void tc_put_filter(struct nl_batch *b, uint32_t ifindex, bool ingress, int prog_fd);

/* Close-on-exec descriptor of a pinned program, map or link, or a negative errno. */
int tc_open_pin(const char *path);

#endif
