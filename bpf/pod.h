/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The two directions of a pod's interface. */
#ifndef WEIR_BPF_POD_H
#define WEIR_BPF_POD_H

#include "bpf/deliver.h"

static __always_inline bool mac_eq(const __u8 *a, const __u8 *b)
{
	return *(const u32_alias *)a == *(const u32_alias *)b &&
	       *(const u16_alias *)(a + 4) == *(const u16_alias *)(b + 4);
}

/* The sender is who it says: this interface, this MAC, this address. eth: of the packet, checked. */
static __always_inline bool is_sender(const struct weir_ep *ep, const struct __sk_buff *skb, const __u8 *eth)
{
	return ep->ifindex == skb->ifindex && mac_eq(eth + 6, ep->mac);
}

/*
 * The fast path, for nearly every packet that a pod sends: one look-up by the connection and three array reads. The
 * entry names the sender's slot, and the slot proves the sender; so no look-up by interface is needed.
 */
static __always_inline int pod_sends_known(struct __sk_buff *skb, struct packet *p, struct weir_ct *ct)
{
	__u32 side = p->side & 1;
	const struct weir_ep *from, *to = NULL;
	__u8 *eth = (void *)(long)skb->data;

	if (packet_begin(p) || !ct_plain(ct, p) || eth + ETH_HLEN > (__u8 *)(long)skb->data_end)
		return MISS;
	from = ep_get(ct->slot[side]);
	if (!from || !is_sender(from, skb, eth) || !addr_eq(&from->addr[p->v6 & 1], &p->saddr))
		return MISS;
	if (ct->slot[side ^ 1] && !(ct->state & WEIR_CT_VIA_STACK)) {
		to = ep_get(ct->slot[side ^ 1]);
		if (!to || !addr_eq(&to->addr[p->v6 & 1], &p->daddr))
			return MISS;
	}
	ct_account(skb, p, ct);
	return to ? deliver_to(skb, to) : TC_ACT_OK;
}

/* The endpoint on this interface. p->slot is set only when the agent has given it its policy. */
static __always_inline const struct weir_ep *pod_of(const struct __sk_buff *skb, struct packet *p)
{
	__u32 ifindex = skb->ifindex, *slot = bpf_map_lookup_elem(&weir_ep_if, &ifindex);
	const struct weir_ep *ep = slot && *slot ? ep_get(*slot) : NULL;

	if (!ep || ep->ifindex != ifindex)
		return NULL;
	if (ep->side[p->gen & 1].flags & WEIR_EP_READY)
		p->slot = *slot;
	return ep;
}

struct arp_v4 {
	__be16 hrd, pro;
	__u8 hln, pln;
	__be16 op;
	__u8 sha[6];
	__u8 spa[4];
	__u8 tha[6];
	__u8 tpa[4];
} __attribute__((packed));

/* Nobody but the pod's host hears it; the pod may speak of itself only. A probe (0.0.0.0) claims nothing. */
static __always_inline int arp_check(struct __sk_buff *skb, const struct weir_ep *ep)
{
	struct arp_v4 a;
	__u32 spa;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &a, sizeof(a)))
		return WEIR_DROP_TRUNCATED;
	if (a.pro != bpf_htons(ETH_P_IP) || a.hln != 6 || a.pln != 4)
		return WEIR_DROP_L3_PROTO;
	if (!mac_eq(a.sha, ep->mac))
		return WEIR_DROP_SRC_MAC;
	__builtin_memcpy(&spa, a.spa, sizeof(spa));
	return spa && (spa != ep->addr[0].w[3] || !addr_is_mapped(&ep->addr[0])) ? WEIR_DROP_SRC_IP : 0;
}

static __always_inline bool is_link_local(const struct weir_addr *a)
{
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* The pod's own address; what keeps the link going may also come from a link-local address, or from none yet. */
static __always_inline int source_check(const struct packet *p, const struct weir_ep *ep)
{
	const struct weir_addr *s = &p->saddr;

	if (addr_eq(&ep->addr[p->v6 & 1], s) && (s->w[3] || s->w[0]))
		return 0;
	if (p->kind & PKT_CONTROL && (is_link_local(s) || !(s->w[0] | s->w[1] | s->w[2] | s->w[3])))
		return 0;
	return WEIR_DROP_SRC_IP;
}

static __always_inline int sender_check(struct __sk_buff *skb, const struct packet *p, const struct weir_ep *ep)
{
	const __u8 *eth = (void *)(long)skb->data;

	if (eth + ETH_HLEN > (const __u8 *)(long)skb->data_end)
		return WEIR_DROP_TRUNCATED;
	if (!mac_eq(eth + 6, ep->mac))
		return WEIR_DROP_SRC_MAC;
	if (p->kind & PKT_L3)
		return source_check(p, ep);
	return p->kind & PKT_CONTROL ? arp_check(skb, ep) : 0;
}

/* Neighbours, multicast listeners: to the host's end of the link alone, which hears every link-local address. */
static __always_inline int control(const struct packet *p)
{
	bool local = !(p->kind & PKT_L3) || is_link_local(&p->daddr) ||
		     (p->daddr.b[0] == 0xff && (p->daddr.b[1] & 0xf) <= 2);

	if (!local)
		return drop(p, WEIR_DROP_ICMP_FORBIDDEN);
	stat_add(WEIR_STAT_FORWARDED, 1);
	return TC_ACT_OK;
}

/* The agent has not yet given this pod its policy: it may answer its own host. */
static __always_inline int pod_answers_host(struct __sk_buff *skb, struct packet *p, struct weir_ct *ct)
{
	if (!ct || !ct_live(ct, p) || is_opening(p) || !(ct->state & WEIR_CT_HOST) || !ct_is_reply(ct, p))
		return drop(p, WEIR_DROP_NOT_READY);
	ct_account(skb, p, ct);
	return TC_ACT_OK;
}

/* The connection that an ICMP error quotes: the quoted packet's sender is the error's receiver. */
static __noinline int related(struct __sk_buff *skb, struct packet *p)
{
	struct packet in = { .now = p->now };
	struct weir_ct *ct;

	if (parse_ip(skb, &in, p->l4 + sizeof(struct icmp_head), p->v6, true))
		return drop(p, WEIR_DROP_ICMP_UNRELATED);
	if (in.kind & (PKT_FRAG_LATER | PKT_ICMP_ERROR) || !addr_eq(&in.saddr, &p->daddr))
		return drop(p, WEIR_DROP_ICMP_UNRELATED);
	/* What a pod says about others' connections is not believed. */
	if (p->point == WEIR_FROM_POD && !addr_eq(&in.daddr, &p->saddr))
		return drop(p, WEIR_DROP_ICMP_UNRELATED);
	ct = ct_find(&in);
	if (!ct || ct->state & WEIR_CT_DENIED || !ct_live(ct, &in))
		return drop(p, WEIR_DROP_ICMP_UNRELATED);
	if (p->point == WEIR_FROM_POD && !p->slot && !(ct->state & WEIR_CT_HOST))
		return drop(p, WEIR_DROP_NOT_READY);
	stat_add(WEIR_STAT_FORWARDED, 1);
	return deliver(skb, p, ct->slot[in.side & 1], ct->state);
}

static __noinline int pod_sends(struct __sk_buff *skb, struct packet *p, bool plain, struct weir_ct *ct)
{
	const struct weir_ep *ep;
	int begun = packet_begin(p), bad, forged;

	if (begun)
		return drop(p, begun);
	ep = pod_of(skb, p);
	bad = packet_parse(skb, p, plain);
	if (ep) {
		forged = sender_check(skb, p, ep);
		if (forged)
			return drop(p, forged);
		p->identity[0] = ep->side[p->gen & 1].identity[p->v6 & 1];
	}
	if (bad)
		return drop(p, bad);
	if (p->kind & PKT_FORBIDDEN)
		return drop(p, WEIR_DROP_ICMP_FORBIDDEN);
	if (p->kind & PKT_CONTROL)
		return control(p);
	if (p->kind & PKT_ICMP_ERROR)
		return related(skb, p);
	if (!plain)
		ct = ct_find(p);
	return p->slot ? admit(skb, p, ct) : pod_answers_host(skb, p, ct);
}

/* ---- to the pod, out of the host's stack */

#define AS_HOST (-1)

/*
 * Who can have sent what the stack forwards? A pod only by its own interface. The node only what the stack's NAT gave
 * its address, so that came in where a program looked at the source before NAT did: by a pod's interface or an uplink.
 * By any other it can but be an answer. Returns 0, AS_HOST or an enum weir_drop.
 */
static __always_inline int forwarded_by(const struct __sk_buff *skb, struct packet *p)
{
	const struct weir_ipcache *e = ipcache_get(&p->saddr);
	__u32 iif = skb->ingress_ifindex;
	const struct weir_ep *from;
	const struct weir_ct *ct;

	if (e && e->slot) {
		from = ep_get(e->slot);
		return from && from->ifindex == iif ? 0 : WEIR_DROP_SRC_IP;
	}
	if (!e || !(e->flags & WEIR_IPC_HOST))
		return 0;
	if (bpf_map_lookup_elem(&weir_ep_if, &iif))
		return AS_HOST;
	ct = ct_find(p);
	return ct && ct_live(ct, p) && !is_opening(p) && ct_is_reply(ct, p) ? 0 : WEIR_DROP_SRC_IP;
}

/* This node's own packets. Those that nobody answers need no entry. */
static __always_inline int host_sends(struct __sk_buff *skb, struct packet *p)
{
	if (p->kind & (PKT_CONTROL | PKT_ICMP_ERROR | PKT_FORBIDDEN) || addr_is_multicast(&p->daddr, p->v6)) {
		stat_add(WEIR_STAT_FORWARDED, 1);
		return TC_ACT_OK;
	}
	p->opener = WEIR_CT_HOST;
	return admit(skb, p, ct_find(p));
}

static __noinline int pod_receives(struct __sk_buff *skb, struct packet *p, bool plain)
{
	const struct weir_ep *ep;
	int r = packet_begin(p);

	if (r)
		return drop(p, r);
	ep = pod_of(skb, p);
	r = packet_parse(skb, p, plain);
	/* route_localnet is on where host ports are: what NAT did not give another source stays on the node. */
	if (!r && p->kind & PKT_L3 && addr_is_loopback(&p->saddr, p->v6))
		r = WEIR_DROP_MARTIAN;
	if (r)
		return drop(p, r);
	r = skb->ingress_ifindex ? forwarded_by(skb, p) : AS_HOST;
	if (r == AS_HOST)
		return host_sends(skb, p);
	if (r)
		return drop(p, r);
	if (!p->slot)
		return drop(p, WEIR_DROP_NOT_READY);
	if (p->kind & (PKT_CONTROL | PKT_FORBIDDEN))
		return drop(p, WEIR_DROP_ICMP_FORBIDDEN);
	if (!ep || !addr_eq(&ep->addr[p->v6 & 1], &p->daddr))
		return drop(p, WEIR_DROP_MARTIAN);
	if (p->kind & PKT_ICMP_ERROR)
		return related(skb, p);
	p->opener = WEIR_CT_VIA_STACK;
	return admit(skb, p, ct_find(p));
}

#endif
