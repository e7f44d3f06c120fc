// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What comes from the network (TC ingress of the node's uplinks) for this node's pods. */
#include "bpf/deliver.h"

/* Nobody outside speaks for a pod of this node or for the node. */
static __always_inline bool is_inside(const struct packet *p)
{
	const struct weir_ipcache *e = ipcache_get(&p->saddr);

	return e && (e->slot || e->flags & WEIR_IPC_HOST);
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

static __noinline int net_sends(struct __sk_buff *skb, struct packet *p, bool plain, struct weir_ct *ct)
{
	const struct weir_ipcache *e;
	int begun = packet_begin(p), bad = packet_parse(skb, p, plain);

	/* What is not for a pod is the stack's business, strange or not. */
	if (!(p->kind & PKT_L3))
		return TC_ACT_OK;
	e = ipcache_get(&p->daddr);
	if (!e || !e->slot || bad == WEIR_DROP_FRAG_NO_FIRST)
		return TC_ACT_OK;
	if (begun)
		return drop(p, begun);
	if (is_inside(p))
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
