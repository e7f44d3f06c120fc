/* SPDX-License-Identifier: Apache-2.0 */
/* Builds frames from a description. Fields that are zero are what a plain packet has. */
#ifndef WEIR_TEST_BPF_PACKET_H
#define WEIR_TEST_BPF_PACKET_H

#include "lib/addr.h"

#define FRAME_MAX 2048
#define MAX_EXT 12

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

struct packet {
	struct weir_addr src, dst;
	uint8_t smac[6], dmac[6];
	uint8_t proto;         /* IPPROTO_... */
	uint16_t sport, dport; /* of ICMP: identifier, in sport */
	uint8_t flags;         /* TCP */
	uint32_t seq, ack;     /* after the first of 1 */
	uint8_t icmp_type, icmp_code;
	uint16_t vlan;   /* EtherType of a tag in front */
	uint16_t tci;    /* of it */
	uint8_t options; /* IPv4: words of no-operation options */
	uint8_t n_ext;   /* IPv6: extension headers, in order */
	uint8_t ext[MAX_EXT];
	uint8_t segments_left; /* of a routing header among them */
	bool fragment;         /* offset and more mean something; IPv6: a fragment header comes last */
	uint16_t offset;       /* bytes, of 8 */
	bool more;
	uint32_t id;
	size_t payload_len;
	const void *payload; /* NULL: zeros */
};

/* Returns the frame's length. */
size_t packet_build(const struct packet *p, uint8_t frame[FRAME_MAX]);
/* The packet that answers. */
struct packet packet_reply(const struct packet *p, uint8_t flags);

#endif
