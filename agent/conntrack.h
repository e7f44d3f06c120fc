/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's own connection tracking (nf_conntrack), which is where its NAT keeps what became of a flow. Not that of
 * the datapath, which is bpf/conntrack.h.
 */
#ifndef WEIR_AGENT_CONNTRACK_H
#define WEIR_AGENT_CONNTRACK_H

#include "lib/addr.h"
#include "lib/err.h"

/* A flow: where its first packet was sent to, and where NAT has led it, which is who answers. */
struct conntrack_flow {
	struct weir_addr dst, server;
	uint16_t port, server_port;
};

typedef bool (*conntrack_select_t)(const struct conntrack_flow *f, const void *userdata);
/* Forgets the UDP flows of this network namespace that are selected: their next packets are new to NAT. */
int conntrack_forget_udp(conntrack_select_t select, const void *userdata, struct err *reterr);

#endif
