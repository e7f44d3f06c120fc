/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A packet is parsed once, into struct packet; nobody looks at headers after that. parse_plain() reads what nearly
 * every packet is (TCP or UDP right behind a plain IP header) in place; parse_any() takes the rest step by step, with
 * loads that reach into every part of an skb.
 */
#ifndef WEIR_BPF_PARSE_H
#define WEIR_BPF_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include "bpf/config.h"

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16
#define TCP_TOLD \
	(TCP_FIN | TCP_SYN | TCP_RST) /* flags that are an event: ACK and PSH would double the number of events */

/* Both versions of ICMP. <linux/icmp.h> would bring in libc's sockets. */
struct icmp_head {
	__u8 type, code;
	__be16 check, id, seq;
};
enum {
	ICMP4_ECHOREPLY = 0,
	ICMP4_UNREACH = 3,
	ICMP4_QUENCH,
	ICMP4_REDIRECT,
	ICMP4_ECHO = 8,
	ICMP4_TIME = 11,
	ICMP4_PARAM
};
enum {
	ICMP6_UNREACH = 1,
	ICMP6_PARAM = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHOREPLY,
	ICMP6_MLD_QUERY,
	ICMP6_RS = 133,
	ICMP6_RA,
	ICMP6_NS,
	ICMP6_NA,
	ICMP6_REDIRECT,
	ICMP6_MLD2 = 143
};

typedef __u64 __attribute__((may_alias)) u64_alias;
typedef __u32 __attribute__((may_alias)) u32_alias;
typedef __u16 __attribute__((may_alias)) u16_alias;

enum packet_kind {
	PKT_L3 = 1 << 0,         /* addresses are known */
	PKT_FRAG_FIRST = 1 << 1, /* more fragments follow */
	PKT_FRAG_LATER = 1 << 2, /* carries no L4 header */
	PKT_ICMP_ERROR = 1 << 3, /* belongs to the connection in its payload */
	PKT_CONTROL = 1 << 4,    /* ARP; ND, MLD: of the link, not of a connection */
	PKT_FORBIDDEN = 1 << 5,  /* router advertisement, redirect: not for pods to send */
};

struct packet {
	struct weir_addr saddr, daddr;
	__be16 sport, dport; /* as in the connection's key */
	__u8 proto;
	__u8 tcp_flags;
	__u8 icmp_type, icmp_code;
	struct weir_ct_key key;
	__u8 side; /* which side of the key sent this */
	__u8 v6;
	__u8 kind;   /* enum packet_kind */
	__u8 point;  /* enum weir_point */
	__u8 flags;  /* enum weir_event_flags, for the event */
	__u8 opener; /* enum weir_ct_state that an entry made for this packet gets */
	__u16 slot;  /* endpoint on whose interface this is, 0 = none or not ready */
	__be32 frag_id;
	__u16 l4;     /* offset */
	__u16 l4_len; /* bytes that the L3 header says there are from l4 on */
	__u32 gen, now;
	__u32 identity[2]; /* of sender and receiver of this packet, as far as known */
	__u32 rule[2];
} __attribute__((aligned(8)));

static __always_inline void addr_copy(struct weir_addr *to, const void *from)
{
	((u64_alias *)to)[0] = ((const u64_alias *)from)[0];
	((u64_alias *)to)[1] = ((const u64_alias *)from)[1];
}

static __always_inline bool addr_eq(const struct weir_addr *a, const struct weir_addr *b)
{
	return ((const u64_alias *)a)[1] == ((const u64_alias *)b)[1] &&
	       ((const u64_alias *)a)[0] == ((const u64_alias *)b)[0];
}

static __always_inline void addr_map_v4(struct weir_addr *a, __be32 v4)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = v4;
}

static __always_inline bool addr_is_mapped(const struct weir_addr *a)
{
	return !a->w[0] && !a->w[1] && a->w[2] == bpf_htonl(0xffff);
}

static __always_inline bool addr_is_multicast(const struct weir_addr *a, bool v6)
{
	return v6 ? a->b[0] == 0xff : a->b[12] >= 224;
}

static __always_inline bool addr_is_loopback(const struct weir_addr *a, bool v6)
{
	return v6 ? !a->w[0] && !a->w[1] && !a->w[2] && a->w[3] == bpf_htonl(1) : a->b[12] == 127;
}

/* Loopback and "nobody": never the destination of a packet on a wire. An IPv6 packet with a mapped address would meet
 * the entries of IPv4. */
static __always_inline bool addr_is_martian(const struct weir_addr *a, bool v6)
{
	if (addr_is_loopback(a, v6))
		return true;
	return v6 ? addr_is_mapped(a) || !(a->w[0] | a->w[1] | a->w[2] | a->w[3]) : a->b[12] == 0;
}

static __always_inline bool is_opening(const struct packet *p)
{
	return p->proto == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* ---- the plain case */

static __always_inline bool plain_l4(struct packet *p, const void *l4, const void *end, __s32 len)
{
	const __u8 *b = l4;

	if (l4 + 8 > end || len < 8)
		return false;
	*(u32_alias *)&p->sport = *(const u32_alias *)l4;
	p->tcp_flags = 0;
	if (p->proto == IPPROTO_UDP)
		return true;
	if (p->proto != IPPROTO_TCP || l4 + sizeof(struct tcphdr) > end)
		return false;
	p->tcp_flags = b[13];
	return b[12] >= 0x50 && (b[12] >> 4) * 4 <= len;
}

static __always_inline bool plain_v4(struct packet *p, const struct iphdr *ip, const void *end, __u32 skb_len)
{
	__u32 len = bpf_ntohs(ip->tot_len);

	if (*(const __u8 *)ip != 0x45 || ip->frag_off & bpf_htons(0x3fff) || len + ETH_HLEN > skb_len)
		return false;
	addr_map_v4(&p->saddr, ip->saddr);
	addr_map_v4(&p->daddr, ip->daddr);
	p->proto = ip->protocol;
	p->v6 = 0;
	return plain_l4(p, ip + 1, end, len - sizeof(*ip));
}

static __always_inline bool plain_v6(struct packet *p, const struct ipv6hdr *ip, const void *end, __u32 skb_len)
{
	__u32 len = bpf_ntohs(ip->payload_len);

	if (*(const __u8 *)ip >> 4 != 6 || len + sizeof(*ip) + ETH_HLEN > skb_len)
		return false;
	addr_copy(&p->saddr, &ip->saddr);
	addr_copy(&p->daddr, &ip->daddr);
	p->proto = ip->nexthdr;
	p->v6 = 1;
	return plain_l4(p, ip + 1, end, len);
}

/* False: not plain, p is half filled. */
static __always_inline bool parse_plain(struct __sk_buff *skb, struct packet *p)
{
	const void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const struct ethhdr *eth = data;
	const void *l3 = data + ETH_HLEN;

	p->kind = PKT_L3;
	if (skb->vlan_present)
		return false;
	if (l3 + sizeof(struct iphdr) <= end && eth->h_proto == bpf_htons(ETH_P_IP))
		return plain_v4(p, l3, end, skb->len);
	if (l3 + sizeof(struct ipv6hdr) <= end && eth->h_proto == bpf_htons(ETH_P_IPV6))
		return plain_v6(p, l3, end, skb->len);
	return false;
}

/* ---- everything else. All return 0 or an enum weir_drop. `inner`: what an ICMP error quotes, cut after 8 bytes of L4.
 */

static __always_inline __u8 icmp4_kind(__u8 type)
{
	switch (type) {
	case ICMP4_UNREACH:
	case ICMP4_QUENCH:
	case ICMP4_TIME:
	case ICMP4_PARAM:
		return PKT_ICMP_ERROR;
	case ICMP4_REDIRECT:
		return PKT_FORBIDDEN;
	}
	return 0;
}

static __always_inline __u8 icmp6_kind(__u8 type)
{
	switch (type) {
	case ICMP6_UNREACH ... ICMP6_PARAM:
		return PKT_ICMP_ERROR;
	case ICMP6_RA:
	case ICMP6_REDIRECT:
		return PKT_FORBIDDEN;
	case ICMP6_MLD_QUERY ... ICMP6_RS:
	case ICMP6_NS:
	case ICMP6_NA:
	case ICMP6_MLD2:
		return PKT_CONTROL;
	}
	return 0;
}

static __always_inline int icmp_parse(struct packet *p, const struct icmp_head *h)
{
	if ((p->proto == IPPROTO_ICMPV6) != p->v6)
		return WEIR_DROP_L4_PROTO;
	p->icmp_type = h->type;
	p->icmp_code = h->code;
	p->kind |= p->v6 ? icmp6_kind(h->type) : icmp4_kind(h->type);
	/* Who asks has the identifier for a port: so the other side can answer, and not ask. */
	p->sport = h->type == (p->v6 ? ICMP6_ECHO : ICMP4_ECHO) ? h->id : 0;
	p->dport = h->type == (p->v6 ? ICMP6_ECHOREPLY : ICMP4_ECHOREPLY) ? h->id : 0;
	return 0;
}

/* How much of the L4 header must be there. */
static __always_inline __u32 l4_min(__u8 proto, bool inner)
{
	switch (proto) {
	case IPPROTO_TCP:
		return inner ? 8 : sizeof(struct tcphdr);
	case IPPROTO_SCTP:
		return inner ? 8 : 12;
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 8;
	}
	return 0;
}

static __always_inline int parse_tcp(struct __sk_buff *skb, struct packet *p)
{
	__u8 b[2];

	if (bpf_skb_load_bytes(skb, p->l4 + 12, b, sizeof(b)))
		return WEIR_DROP_TRUNCATED;
	if (b[0] < 0x50 || (b[0] >> 4) * 4 > p->l4_len)
		return WEIR_DROP_MALFORMED;
	p->tcp_flags = b[1];
	return 0;
}

static __always_inline int parse_l4(struct __sk_buff *skb, struct packet *p, bool inner)
{
	__u32 need = l4_min(p->proto, inner);
	struct icmp_head h;

	if (!need || p->kind & PKT_FRAG_LATER)
		return 0;
	if (p->l4_len < need && !inner)
		return p->kind & PKT_FRAG_FIRST ? WEIR_DROP_FRAG_BAD : WEIR_DROP_TRUNCATED;
	if (bpf_skb_load_bytes(skb, p->l4, &h, sizeof(h)))
		return WEIR_DROP_TRUNCATED;
	if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6)
		return icmp_parse(p, &h);
	*(u32_alias *)&p->sport = *(u32_alias *)&h;
	return p->proto == IPPROTO_TCP && !inner ? parse_tcp(skb, p) : 0;
}

/* off: of the fragment in bytes. A later fragment may not reach back into the L4 header that was judged. */
static __always_inline int fragment(struct packet *p, __u32 off, bool more, __be32 id)
{
	if (!off && !more) /* atomic */
		return 0;
	p->frag_id = id;
	p->flags |= WEIR_EVF_FRAGMENT;
	if (!off) {
		p->kind |= PKT_FRAG_FIRST;
		return 0;
	}
	p->kind |= PKT_FRAG_LATER;
	return off < l4_min(p->proto, false) ? WEIR_DROP_FRAG_BAD : 0;
}

/* The bytes from `off` on, as the header says and as there are. Zero says "more than fits" (BIG TCP). */
static __always_inline int l3_length(struct __sk_buff *skb, struct packet *p, __u32 off, __u32 says, bool inner)
{
	__u32 have = skb->len > off ? skb->len - off : 0;

	if (!says && have > 0xffff)
		says = 0xffff;
	if (says > have && !inner)
		return WEIR_DROP_TRUNCATED;
	p->l4_len = says;
	return 0;
}

static __always_inline int parse_v4(struct __sk_buff *skb, struct packet *p, __u32 off, bool inner)
{
	struct iphdr ip;
	__u32 hlen;
	__u16 frag;
	int r;

	if (bpf_skb_load_bytes(skb, off, &ip, sizeof(ip)))
		return WEIR_DROP_TRUNCATED;
	hlen = (*(__u8 *)&ip & 0xf) * 4;
	if (*(__u8 *)&ip >> 4 != 4 || hlen < sizeof(ip))
		return WEIR_DROP_MALFORMED;
	addr_map_v4(&p->saddr, ip.saddr);
	addr_map_v4(&p->daddr, ip.daddr);
	p->proto = ip.protocol;
	p->v6 = 0;
	p->kind |= PKT_L3;
	r = l3_length(skb, p, off, bpf_ntohs(ip.tot_len), inner);
	if (r)
		return r;
	if (p->l4_len < hlen)
		return WEIR_DROP_MALFORMED;
	p->l4 = off + hlen;
	p->l4_len -= hlen;
	frag = bpf_ntohs(ip.frag_off);
	return fragment(p, (frag & 0x1fff) * 8, frag & 0x2000, (__be32)ip.id);
}

/* One extension header: 1 = go on, 0 = p->proto is no extension header, < 0 = minus a drop reason. */
static __always_inline int exthdr(struct __sk_buff *skb, struct packet *p, bool first)
{
	__u32 len = 8;
	__u8 h[8];
	int r;

	switch (p->proto) {
	case IPPROTO_HOPOPTS:
		if (!first)
			return -WEIR_DROP_EXTHDR;
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
		break;
	default:
		return 0;
	}
	if (p->l4_len < sizeof(h) || bpf_skb_load_bytes(skb, p->l4, h, sizeof(h)))
		return -WEIR_DROP_TRUNCATED;
	if (p->proto == IPPROTO_AH)
		len = (h[1] + 2) * 4;
	else if (p->proto != IPPROTO_FRAGMENT)
		len = (h[1] + 1) * 8;
	/* With segments left, the address in the header is not where the packet goes. */
	if ((p->proto == IPPROTO_ROUTING && h[3]) || len < 8)
		return -WEIR_DROP_EXTHDR;
	if (len > p->l4_len)
		return -WEIR_DROP_TRUNCATED;
	p->l4 += len;
	p->l4_len -= len;
	if (p->proto == IPPROTO_FRAGMENT) {
		__u16 frag = h[2] << 8 | h[3];

		p->proto = h[0];
		r = fragment(p, frag & 0xfff8, frag & 1, *(u32_alias *)&h[4]);
		return r ? -r : !(p->kind & PKT_FRAG_LATER);
	}
	p->proto = h[0];
	return 1;
}

static __always_inline int parse_v6(struct __sk_buff *skb, struct packet *p, __u32 off, bool inner)
{
	struct ipv6hdr ip;
	int r = 1;

	if (bpf_skb_load_bytes(skb, off, &ip, sizeof(ip)))
		return WEIR_DROP_TRUNCATED;
	if (*(__u8 *)&ip >> 4 != 6)
		return WEIR_DROP_MALFORMED;
	addr_copy(&p->saddr, &ip.saddr);
	addr_copy(&p->daddr, &ip.daddr);
	p->proto = ip.nexthdr;
	p->v6 = 1;
	p->kind |= PKT_L3;
	p->l4 = off + sizeof(ip);
	r = l3_length(skb, p, p->l4, bpf_ntohs(ip.payload_len), inner);
	if (r)
		return r;
	for (int i = 0; i <= EXTHDR_MAX; i++) {
		r = exthdr(skb, p, i == 0);
		if (r <= 0)
			return -r;
	}
	return WEIR_DROP_EXTHDR;
}

/* From `off`, where an IP header is. */
static __noinline int parse_ip(struct __sk_buff *skb, struct packet *p, __u32 off, bool v6, bool inner)
{
	int r = v6 ? parse_v6(skb, p, off, inner) : parse_v4(skb, p, off, inner);

	if (!r && !inner && (addr_is_martian(&p->daddr, v6) || (v6 && addr_is_mapped(&p->saddr))))
		r = WEIR_DROP_MARTIAN;
	return r ?: parse_l4(skb, p, inner);
}

static __always_inline bool is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

/* Whole packets, from the Ethernet header on. parse_plain() may have got somewhere before. */
static __always_inline int parse_any(struct __sk_buff *skb, struct packet *p)
{
	__be16 proto;

	p->kind = 0;
	p->sport = p->dport = 0;
	p->tcp_flags = 0;
	if (bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_proto), &proto, sizeof(proto)))
		return WEIR_DROP_TRUNCATED;
	if (skb->vlan_present || is_vlan(proto))
		return WEIR_DROP_VLAN;
	if (proto == bpf_htons(ETH_P_ARP)) {
		p->kind = PKT_CONTROL;
		return 0;
	}
	if (proto != bpf_htons(ETH_P_IP) && proto != bpf_htons(ETH_P_IPV6))
		return WEIR_DROP_L3_PROTO;
	return parse_ip(skb, p, ETH_HLEN, proto == bpf_htons(ETH_P_IPV6), false);
}

#endif
