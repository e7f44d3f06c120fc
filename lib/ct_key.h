/* SPDX-License-Identifier: Apache-2.0 */
/* The key under which the datapath keeps a connection: what ct_key_set() of bpf/conntrack.h does for packets. */
#ifndef WEIR_LIB_CT_KEY_H
#define WEIR_LIB_CT_KEY_H

#include "lib/macro.h"
#include "weir/abi.h"

/* Is the sender side 1 of the key? Words as the machine loads them, the last first. */
static inline bool ct_key_side(const struct weir_addr *saddr, __be16 sport, const struct weir_addr *daddr, __be16 dport)
{
	for (int i = ARRAY_SIZE(saddr->w) - 1; i >= 0; i--)
		if (saddr->w[i] != daddr->w[i])
			return saddr->w[i] > daddr->w[i];
	return sport > dport;
}

/* Returns the sender's side. */
static inline unsigned ct_key_set(struct weir_ct_key *key, const struct weir_addr *saddr, __be16 sport,
				  const struct weir_addr *daddr, __be16 dport, uint8_t proto)
{
	unsigned side = ct_key_side(saddr, sport, daddr, dport);

	*key = (struct weir_ct_key){ .proto = proto };
	key->addr[side] = *saddr;
	key->port[side] = sport;
	key->addr[!side] = *daddr;
	key->port[!side] = dport;
	return side;
}

#endif
