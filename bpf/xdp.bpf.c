// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Early drop on uplinks, before there is an skb: the deny list, what no honest sender puts on a wire. */
#include "bpf/flow.h"

/* Sources that no packet from the network may have, and destinations. */
static __always_inline bool source_is_martian(const struct weir_addr *a, bool v6)
{
	if (addr_is_multicast(a, v6))
		return true; /* 240.0.0.0/4 too */
	/* One who has no address yet asks for one from 0.0.0.0 or ::. */
	return addr_is_martian(a, v6) && !(a->w[3] == 0 && (!v6 || !a->w[2]));
}

static __always_inline bool is_denied(const struct packet *p, __u64 len)
{
	struct weir_lpm_key k = { .prefixlen = 128, .addr = p->saddr };
	struct weir_deny *d = bpf_map_lookup_elem(&weir_deny, &k);

	if (!d)
		return false;
	__sync_fetch_and_add(&d->packets, 1);
	__sync_fetch_and_add(&d->bytes, len);
	return true;
}

static __always_inline int check_v4(struct packet *p, const struct iphdr *ip, const void *end)
{
	__u32 hlen, len;

	if ((const void *)(ip + 1) > end)
		return WEIR_DROP_TRUNCATED;
	hlen = (*(const __u8 *)ip & 0xf) * 4;
	len = bpf_ntohs(ip->tot_len);
	addr_map_v4(&p->saddr, ip->saddr);
	addr_map_v4(&p->daddr, ip->daddr);
	p->proto = ip->protocol;
	if (!len && end - (const void *)ip > 0xffff) /* BIG TCP */
		return 0;
	if (*(const __u8 *)ip >> 4 != 4 || hlen < sizeof(*ip) || len < hlen)
		return WEIR_DROP_MALFORMED;
	return len > end - (const void *)ip ? WEIR_DROP_TRUNCATED : 0;
}

static __always_inline int check_v6(struct packet *p, const struct ipv6hdr *ip, const void *end)
{
	if ((const void *)(ip + 1) > end)
		return WEIR_DROP_TRUNCATED;
	addr_copy(&p->saddr, &ip->saddr);
	addr_copy(&p->daddr, &ip->daddr);
	p->proto = ip->nexthdr;
	p->v6 = 1;
	if (*(const __u8 *)ip >> 4 != 6)
		return WEIR_DROP_MALFORMED;
	return bpf_ntohs(ip->payload_len) > end - (const void *)(ip + 1) ? WEIR_DROP_TRUNCATED : 0;
}

/* The deny list counts by itself, each entry; a flood from there shall not fill the ring. */
static __always_inline int net_arrives(const struct packet *p, __u64 len)
{
	if (is_denied(p, len)) {
		stat_add(WEIR_STAT_DROP + WEIR_DROP_DENY_LIST, 1);
		return XDP_DROP;
	}
	if (source_is_martian(&p->saddr, p->v6) || addr_is_martian(&p->daddr, p->v6)) {
		drop(p, WEIR_DROP_MARTIAN);
		return XDP_DROP;
	}
	return XDP_PASS;
}

/* Behind up to TAGS_MAX tags of VLANs and priorities. */
#define TAGS_MAX 2

struct tag {
	__be16 tci, proto;
};

SEC("xdp")
int xdp_net(struct xdp_md *ctx)
{
	const void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const struct ethhdr *eth = data;
	const struct tag *tag = (const void *)(eth + 1);
	struct packet p = { .point = WEIR_XDP };
	__be16 proto;
	int r = 0;

	if ((const void *)tag > end)
		return XDP_DROP;
	proto = eth->h_proto;
	for (int i = 0; i < TAGS_MAX && is_vlan(proto); i++, tag++) {
		if ((const void *)(tag + 1) > end)
			return XDP_DROP;
		proto = tag->proto;
	}
	if (proto == bpf_htons(ETH_P_IP))
		r = check_v4(&p, (const void *)tag, end);
	else if (proto == bpf_htons(ETH_P_IPV6))
		r = check_v6(&p, (const void *)tag, end);
	else if (is_vlan(proto))
		r = WEIR_DROP_VLAN;
	else
		return XDP_PASS;
	if (!r)
		return net_arrives(&p, end - data);
	drop(&p, r);
	return XDP_DROP;
}
