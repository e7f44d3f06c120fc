// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The least that a CNI program can get by with, as the measure for what Weir's cost: parse, one LRU look-up with
 * counters in place and a clock, one hash look-up for the receiver, new MAC addresses, redirect. No policy, no proof of
 * the sender, no flow events, one address family a program.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct flow4 {
	__be32 saddr, daddr;
	__be16 sport, dport;
	__u32 proto;
};
struct flow6 {
	struct in6_addr saddr, daddr;
	__be16 sport, dport;
	__u32 proto;
};
struct counters {
	__u64 packets, bytes, seen;
};
struct receiver {
	__u32 ifindex;
	__u8 macs[12];
};

#define MAP(name, map_type, key_type, value_type, n) \
	struct {                                     \
		__uint(type, map_type);              \
		__uint(max_entries, n);              \
		__type(key, key_type);               \
		__type(value, value_type);           \
	} name SEC(".maps")

MAP(flows4, BPF_MAP_TYPE_LRU_HASH, struct flow4, struct counters, 65536);
MAP(flows6, BPF_MAP_TYPE_LRU_HASH, struct flow6, struct counters, 65536);
MAP(receivers4, BPF_MAP_TYPE_HASH, __be32, struct receiver, 1024);
MAP(receivers6, BPF_MAP_TYPE_HASH, struct in6_addr, struct receiver, 1024);

/* key: of the packet's flow, which has no entry yet. */
static __always_inline void first_of_flow(struct __sk_buff *skb, void *flows, const void *key)
{
	struct counters first = { 1, skb->len, bpf_ktime_get_coarse_ns() };

	bpf_map_update_elem(flows, key, &first, BPF_ANY);
}

static __always_inline int forward(struct __sk_buff *skb, struct ethhdr *eth, struct counters *c,
				   const struct receiver *r)
{
	if (!r)
		return TC_ACT_SHOT;
	if (c) {
		__sync_fetch_and_add(&c->packets, 1);
		__sync_fetch_and_add(&c->bytes, skb->len);
		c->seen = bpf_ktime_get_coarse_ns();
	}
	__builtin_memcpy(eth, r->macs, sizeof(r->macs));
	return bpf_redirect_peer(r->ifindex, 0);
}

SEC("tc")
int least4(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct flow4 k = {};
	struct counters *c;

	if ((void *)(tcp + 1) > (void *)(long)skb->data_end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return TC_ACT_SHOT;
	k.saddr = ip->saddr;
	k.daddr = ip->daddr;
	k.sport = tcp->source;
	k.dport = tcp->dest;
	k.proto = ip->protocol;
	c = bpf_map_lookup_elem(&flows4, &k);
	if (!c)
		first_of_flow(skb, &flows4, &k);
	return forward(skb, eth, c, bpf_map_lookup_elem(&receivers4, &k.daddr));
}

SEC("tc")
int least6(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct flow6 k = {};
	struct counters *c;

	if ((void *)(tcp + 1) > (void *)(long)skb->data_end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return TC_ACT_SHOT;
	k.saddr = ip->saddr;
	k.daddr = ip->daddr;
	k.sport = tcp->source;
	k.dport = tcp->dest;
	k.proto = ip->nexthdr;
	c = bpf_map_lookup_elem(&flows6, &k);
	if (!c)
		first_of_flow(skb, &flows6, &k);
	return forward(skb, eth, c, bpf_map_lookup_elem(&receivers6, &k.daddr));
}

SEC("tc")
int nothing(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
