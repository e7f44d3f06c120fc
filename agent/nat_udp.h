/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP host ports. What NAT did to the first datagram of a flow it does to all, until conntrack forgets the flow; and a
 * client that goes on sending never lets it. So when a port begins or ends to lead to a pod, flows that go elsewhere
 * are made to meet the rules again. TCP needs none of that: its connections end with their pod.
 */
#ifndef WEIR_AGENT_NAT_UDP_H
#define WEIR_AGENT_NAT_UDP_H

#include "agent/conntrack.h"
#include "agent/endpoint.h"
#include "agent/node.h"

struct nat_udp {
	struct weir_addr host_ip, pod;
	uint16_t host_port, container_port;
};

struct nat_udp_list {
	size_t n, size;
	struct nat_udp *v;
};

void nat_udp_done(struct nat_udp_list *l);
/* Adds what the rules of nat_rules() say of UDP, as nft lists them: what an agent before this one left. -ENOMEM. */
int nat_udp_parse(struct nat_udp_list *l, const char *rules);
/*
 * Call when the rules for these endpoints have come into force. *in_force: what was before; it is replaced. A failure
 * is no more than logged: whoever calls for the first time is led right in any case.
 */
void nat_udp_update(struct nat_udp_list *in_force, const struct endpoints *eps, const struct node *node);
/* Does a flow go elsewhere than that port leads? gone: the port led there, and does no more. */
bool nat_udp_is_stale(const struct nat_udp *u, bool gone, const struct node *node, const struct conntrack_flow *f);

#endif
