// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What comes from the network (TC ingress of the node's uplinks) for this node's pods. */
#include "bpf/deliver.h"

/* Nobody outside speaks for a pod of this node or for the node. */
static __always_inline bool is_inside(const struct weir_ipcache *from)
{
	return from && (from->slot || from->flags & WEIR_IPC_HOST);
}

static __always_inline int net_sends_known(struct __sk_buff *skb, struct packet *p, struct weir_ct *ct)
{
	__u32 side = p->side & 1;
	const struct weir_ep *to;

	if (packet_begin(p) || !ct_plain(ct, p) || ct->state & WEIR_CT_VIA_STACK)
		return MISS;
	if (ct->slot[side] || ct->identity[side] == WEIR_ID_HOST || !ct->slot[side ^ 1])
		return MISS;
	to = ep_get(ct->slot[side ^ 1]);
	if (!to || !addr_eq(&to->addr[p->v6 & 1], &p->daddr))
		return MISS;
	ct_account(skb, p, ct);
	return deliver_to(skb, to);
}

/*
 * Only a SYN surely opens a connection to the pod: any other packet without an entry may be an answer that the stack's
 * NAT has yet to turn back into the address that the pod called. It goes to the stack, and to_pod judges it.
 */
static __always_inline int net_admit(struct __sk_buff *skb, struct packet *p, struct weir_ct *ct)
{
	if (is_opening(p))
		return admit(skb, p, ct);
	if (!ct || !ct_live(ct, p) || ct->state & WEIR_CT_VIA_STACK)
		return TC_ACT_OK;
	return admit(skb, p, ct);
}

/*
 * A tag that names a VLAN leads to that VLAN's interface. One that does not is a priority: the stack takes it off and
 * goes on, so it gets what is for pods, but nothing with a forged source. No honest sender puts a tag behind it.
 */
static __noinline int net_tagged(struct __sk_buff *skb, struct packet *p)
{
	__u32 l3 = skb->vlan_present ? ETH_HLEN : ETH_HLEN + 4;
	__u16 tci = skb->vlan_tci;
	__be16 be[2];

	if (bpf_skb_load_bytes(skb, l3 - sizeof(be), be, sizeof(be)))
		return drop(p, WEIR_DROP_TRUNCATED);
	if (!skb->vlan_present)
		tci = bpf_ntohs(be[0]);
	if (tci & 0xfff)
		return TC_ACT_OK;
	if (is_vlan(be[1]))
		return drop(p, WEIR_DROP_VLAN);
	if (be[1] != bpf_htons(ETH_P_IP) && be[1] != bpf_htons(ETH_P_IPV6))
		return TC_ACT_OK;
	parse_ip(skb, p, l3, be[1] == bpf_htons(ETH_P_IPV6), false);
	return p->kind & PKT_L3 && is_inside(ipcache_get(&p->saddr)) ? drop(p, WEIR_DROP_SRC_IP) : TC_ACT_OK;
}

static __noinline int net_sends(struct __sk_buff *skb, struct packet *p, bool plain, struct weir_ct *ct)
{
	const struct weir_ipcache *from, *to;
	int begun = packet_begin(p), bad = packet_parse(skb, p, plain);

	if (bad == WEIR_DROP_VLAN)
		return net_tagged(skb, p);
	if (!(p->kind & PKT_L3))
		return TC_ACT_OK;
	from = ipcache_get(&p->saddr);
	to = ipcache_get(&p->daddr);
	/* What is not for a pod is the stack's business, strange or not; its NAT may yet make it one for a pod. */
	if (!to || !to->slot || bad == WEIR_DROP_FRAG_NO_FIRST)
		return is_inside(from) ? drop(p, WEIR_DROP_SRC_IP) : TC_ACT_OK;
	if (begun)
		return drop(p, begun);
	if (is_inside(from))
		return drop(p, WEIR_DROP_SRC_IP);
	if (bad)
		return drop(p, bad);
	if (p->kind & (PKT_CONTROL | PKT_FORBIDDEN))
		return drop(p, WEIR_DROP_ICMP_FORBIDDEN);
	/* The stack may have to translate what it quotes; to_pod looks whether it belongs to a connection. */
	if (p->kind & PKT_ICMP_ERROR)
		return TC_ACT_OK;
	return net_admit(skb, p, plain ? ct : ct_find(p));
}

SEC("tc")
int from_net(struct __sk_buff *skb)
{
	struct packet p = { .point = WEIR_FROM_NET };
	bool plain = parse_plain(skb, &p);
	struct weir_ct *ct = plain ? ct_find(&p) : NULL;
	int act = ct ? net_sends_known(skb, &p, ct) : MISS;

	return act == MISS ? net_sends(skb, &p, plain, ct) : act;
}
