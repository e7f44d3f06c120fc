/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hostIP of a port mapping: an address of the node, or what stands for many. 0.0.0.0 is every IPv4 address; :: and
 * none at all (all zero, see lib/attachment.h) are every address of both families.
 */
#ifndef WEIR_AGENT_HOST_IP_H
#define WEIR_AGENT_HOST_IP_H

#include "lib/addr.h"

static inline bool host_ip_is_any(const struct weir_addr *host_ip)
{
	return addr_is_zero(host_ip) || (addr_is_v4(host_ip) && !host_ip->w[3]);
}

static inline bool host_ip_of_family(const struct weir_addr *host_ip, bool v4)
{
	return addr_is_zero(host_ip) || addr_is_v4(host_ip) == v4;
}

/* Is there an address that both stand for? */
static inline bool host_ip_meets(const struct weir_addr *a, const struct weir_addr *b)
{
	for (int v4 = 0; v4 < 2; v4++)
		if (host_ip_of_family(a, v4) && host_ip_of_family(b, v4))
			return host_ip_is_any(a) || host_ip_is_any(b) || !addr_cmp(a, b);
	return false;
}

#endif
