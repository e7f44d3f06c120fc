/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From verdict to destination: what the three TC programs have in common. */
#ifndef WEIR_BPF_DELIVER_H
#define WEIR_BPF_DELIVER_H

#include "bpf/conntrack.h"
#include "bpf/judged.h"

#define MISS (-1) /* the fast path has no answer */

/*
 * Into the pod's namespace, past the host's stack. The header's two addresses lie in the endpoint in its order. By the
 * helper, though a direct write looks cheaper: a program with direct writes begins with a call that makes sure of its
 * right to, for every packet that is a clone, and all that TCP sends are.
 */
static __always_inline int deliver_to(struct __sk_buff *skb, const struct weir_ep *ep)
{
	if (bpf_skb_store_bytes(skb, 0, ep->mac, sizeof(ep->mac) + sizeof(ep->host_mac), 0))
		return MISS;
	return bpf_redirect_peer(ep->ifindex, 0);
}

/* slot: of the receiver. What is for the stack, or already comes out of it, just passes. */
static __always_inline int deliver(struct __sk_buff *skb, struct packet *p, __u32 slot, __u32 state)
{
	const struct weir_ep *ep;
	int act;

	if (!slot || state & WEIR_CT_VIA_STACK || p->point == WEIR_TO_POD)
		return TC_ACT_OK;
	ep = ep_get(slot);
	if (!ep || !addr_eq(&ep->addr[p->v6 & 1], &p->daddr))
		return drop(p, WEIR_DROP_NOT_READY);
	act = deliver_to(skb, ep);
	return act == MISS ? drop(p, WEIR_DROP_WRITE) : act;
}

/* A packet of a connection that there is. */
static __always_inline int known(struct __sk_buff *skb, struct packet *p, struct weir_ct *ct)
{
	if (ct->gen != p->gen)
		ct_rejudge(p, ct);
	if (ct->state & WEIR_CT_DENIED) {
		ct_describe(ct, p);
		if (ct->rule[WEIR_INGRESS] & WEIR_RULE_DEFAULT_DENY)
			p->flags |= WEIR_EVF_INGRESS;
		return drop(p, WEIR_DROP_POLICY);
	}
	ct_account(skb, p, ct);
	return deliver(skb, p, ct->slot[(p->side ^ 1) & 1], ct->state);
}

/* A repeated SYN is no second connection. */
static __always_inline bool is_retransmission(const struct packet *p, const struct weir_ct *ct)
{
	return ct && ct->gen == p->gen && !(ct->state & (WEIR_CT_CLOSED | WEIR_CT_DENIED)) && !ct_is_reply(ct, p) &&
	       !ct->packets[(p->side ^ 1) & 1];
}

/* A packet that opens a connection and may have something to read in it: no SYN, which has nothing. */
static __always_inline bool may_speak(const struct packet *p)
{
	return p->proto == IPPROTO_TCP ? !is_opening(p) : p->proto == IPPROTO_UDP && p->dport == bpf_htons(53);
}

static __always_inline void speak(struct __sk_buff *skb, struct packet *p)
{
	struct weir_ct *ct = ct_find(p);

	if (ct && (ct->l7 & WEIR_L7_MASK) != WEIR_L7_IGNORED)
		l7_capture(skb, p, ct);
}

/* A packet that opens a connection, in its own direction. A lone RST opens nothing. */
static __noinline int opening(struct __sk_buff *skb, struct packet *p, struct weir_ct *ct)
{
	struct conn c = { .opener = p->opener };
	bool may_remember = cfg_remember && p->point == WEIR_FROM_POD;
	int r = may_remember ? was_judged(p, &c) : -1;

	if (r < 0) {
		conn_of(&c, p, false);
		if (p->point == WEIR_TO_POD) {
			c.slot[0] = 0;
			c.slot[1] = p->slot;
		} else if (p->slot) {
			c.identity[0] = p->identity[0];
		}
		r = judge(&c);
		if (may_remember && !c.opener && (!r || r == WEIR_DROP_POLICY))
			remember_judged(p, &c, r);
	}
	p->identity[0] = c.identity[0];
	p->identity[1] = c.identity[1];
	p->rule[0] = c.rule[0];
	p->rule[1] = c.rule[1];
	p->flags |= c.slot[1] ? WEIR_EVF_KNOWN_DIR | WEIR_EVF_TO_POD : WEIR_EVF_KNOWN_DIR;
	if (r) {
		if (c.dir == WEIR_INGRESS)
			p->flags |= WEIR_EVF_INGRESS;
		return drop(p, r);
	}
	if (p->tcp_flags & TCP_RST) {
		stat_add(WEIR_STAT_FORWARDED, 1);
	} else if (is_retransmission(p, ct)) {
		ct_count(skb, p, ct); /* a SYN: there is nothing to read */
	} else {
		r = ct_create(p, &c, ct, skb->len);
		if (r)
			return drop(p, r);
		event_emit(p, NULL, WEIR_EV_NEW, c.audit ? WEIR_AUDIT : WEIR_FORWARDED, 0);
	}
	return deliver(skb, p, c.slot[1], c.opener);
}

/* A whole packet, its sender proved. ct: its connection, if there is one. */
static __always_inline int admit(struct __sk_buff *skb, struct packet *p, struct weir_ct *ct)
{
	int act, r;

	if (ct && ct_live(ct, p) && !is_opening(p)) {
		act = known(skb, p, ct);
	} else {
		act = opening(skb, p, ct);
		if (act != TC_ACT_SHOT && may_speak(p))
			speak(skb, p);
	}
	if (act == TC_ACT_SHOT || !(p->kind & PKT_FRAG_FIRST))
		return act;
	r = frag_passed(p);
	return r ? drop(p, r) : act;
}

/* A connection that is alive and was allowed under this generation: everything that a fast path may ask. */
static __always_inline bool ct_plain(const struct weir_ct *ct, const struct packet *p)
{
	return ct->gen == p->gen && !(ct->state & WEIR_CT_DENIED) && !is_opening(p) && ct_live(ct, p);
}

/* What node this is: without it nothing passes. */
static __always_inline int packet_begin(struct packet *p)
{
	const struct weir_node *node = node_get();

	if (!node || node->abi != WEIR_ABI_VERSION)
		return WEIR_DROP_NO_CONFIG;
	p->gen = node->gen;
	p->now = now_ticks(node);
	return 0;
}

/* Parse what the fast path did not take. */
static __always_inline int packet_parse(struct __sk_buff *skb, struct packet *p, bool plain)
{
	int r = plain ? 0 : parse_any(skb, p);

	if (!r && plain && (addr_is_martian(&p->daddr, p->v6) || (p->v6 && addr_is_mapped(&p->saddr))))
		r = WEIR_DROP_MARTIAN;
	return r ?: frag_resolve(p);
}

#endif
