/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections: entries, their life, and the datagrams that come in pieces. */
#ifndef WEIR_BPF_CONNTRACK_H
#define WEIR_BPF_CONNTRACK_H

#include "bpf/flow.h"
#include "bpf/l7.h"
#include "bpf/policy.h"

#define __maybe_unused __attribute__((unused)) /* by one of the programs that include this */

/* Is the sender side 1 of the key? Words as the machine loads them, last first: there addresses differ soonest. */
static __always_inline bool ct_order(const struct packet *p)
{
	const __u32 *s = (const __u32 *)p->saddr.w, *d = (const __u32 *)p->daddr.w;

	if (s[3] != d[3])
		return s[3] > d[3];
	if (s[2] != d[2])
		return s[2] > d[2];
	if (s[1] != d[1])
		return s[1] > d[1];
	if (s[0] != d[0])
		return s[0] > d[0];
	return p->sport > p->dport;
}

static __always_inline void ct_key_set(struct packet *p)
{
	p->side = ct_order(p);
	if (p->side) {
		addr_copy(&p->key.addr[0], &p->daddr);
		addr_copy(&p->key.addr[1], &p->saddr);
		p->key.port[0] = p->dport;
		p->key.port[1] = p->sport;
	} else {
		addr_copy(&p->key.addr[0], &p->saddr);
		addr_copy(&p->key.addr[1], &p->daddr);
		p->key.port[0] = p->sport;
		p->key.port[1] = p->dport;
	}
	*(u32_alias *)&p->key.proto = 0;
	p->key.proto = p->proto;
}

static __always_inline struct weir_ct *ct_find(struct packet *p)
{
	struct weir_ct *ct;

	ct_key_set(p);
	if (p->proto == IPPROTO_TCP) {
		ct = bpf_map_lookup_elem(&weir_ct_tcp, &p->key);
		barrier(); /* two calls, one map each: only those does the kernel inline */
		return ct;
	}
	return bpf_map_lookup_elem(&weir_ct_any, &p->key);
}

static __always_inline bool ct_older(__u32 since, __u32 now, __u32 sec)
{
	return (__s32)(now - since) > (__s32)(sec * cfg_ticks_per_sec);
}

static __always_inline bool ct_idle(const struct weir_ct *ct, const struct packet *p)
{
	return p->proto != IPPROTO_TCP && ct_older(ct->last_seen, p->now, IDLE_SEC);
}

static __always_inline bool ct_live(const struct weir_ct *ct, const struct packet *p)
{
	if (ct->state & WEIR_CT_CLOSED)
		return !ct_older(ct->last_event, p->now, LINGER_SEC);
	return !ct_idle(ct, p);
}

static __always_inline bool ct_is_reply(const struct weir_ct *ct, const struct packet *p)
{
	return (ct->state & WEIR_CT_INITIATOR) != p->side;
}

/* What an event about a packet of this connection says. */
static __always_inline void ct_describe(const struct weir_ct *ct, struct packet *p)
{
	__u32 side = p->side & 1;

	p->identity[0] = ct->identity[side];
	p->identity[1] = ct->identity[side ^ 1];
	p->rule[0] = ct->rule[0];
	p->rule[1] = ct->rule[1];
	p->flags |= WEIR_EVF_KNOWN_DIR;
	if (ct_is_reply(ct, p))
		p->flags |= WEIR_EVF_REPLY;
	if (ct->slot[side ^ 1])
		p->flags |= WEIR_EVF_TO_POD;
}

static __always_inline __u32 now_us(void)
{
	return bpf_ktime_get_ns() / 1000;
}

/* That side's SYN answers the other's. When that was sent twice nobody knows which is answered. */
static __always_inline void ct_answered(struct weir_ct *ct, __u32 side)
{
	__u32 rtt = now_us() - ct->rtt_us;

	if (!ct->rtt_us || ct->packets[(side ^ 1) & 1] != 1)
		ct->rtt_us = 0;
	else
		ct->rtt_us = rtt ? rtt : 1;
}

/* Something new about the connection: flags, its end, or that it still is active. */
static __noinline int ct_report(struct packet *p, struct weir_ct *ct)
{
	__u32 side = p->side & 1, last = ct->last_event, type = WEIR_EV_ACTIVE;
	__u8 mine = ct->seen[side] | (p->tcp_flags & TCP_TOLD);

	if (ct->state & WEIR_CT_CLOSED)
		return 0;
	if (mine != ct->seen[side]) {
		if (mine & ~ct->seen[side] & TCP_SYN)
			ct_answered(ct, side);
		ct->seen[side] = mine;
		type = WEIR_EV_FLAGS;
		if (mine & TCP_RST || (mine & ct->seen[side ^ 1] & TCP_FIN)) {
			if (__sync_fetch_and_or(&ct->state, WEIR_CT_CLOSED) & WEIR_CT_CLOSED)
				return 0;
			type = WEIR_EV_END;
		}
		ct->last_event = p->now;
	} else if (__sync_val_compare_and_swap(&ct->last_event, last, p->now) != last) {
		return 0; /* another CPU has just reported */
	}
	ct_describe(ct, p);
	return event_emit(p, ct, type, ct->state & WEIR_CT_AUDIT ? WEIR_AUDIT : WEIR_FORWARDED, 0);
}

static __always_inline void ct_count(struct __sk_buff *skb, struct packet *p, struct weir_ct *ct)
{
	__u32 side = p->side & 1;

	__sync_fetch_and_add(&ct->packets[side], 1);
	__sync_fetch_and_add(&ct->bytes[side], skb->len);
	ct->last_seen = p->now;
	if (p->tcp_flags & TCP_TOLD & ~ct->seen[side] ||
	    (__s32)(p->now - ct->last_event) >= (__s32)(ACTIVE_SEC * cfg_ticks_per_sec))
		ct_report(p, ct);
}

/* And what it says is read. */
static __always_inline void ct_account(struct __sk_buff *skb, struct packet *p, struct weir_ct *ct)
{
	ct_count(skb, p, ct);
	if ((ct->l7 & WEIR_L7_MASK) != WEIR_L7_IGNORED)
		l7_capture(skb, p, ct);
}

/* The packet's connection, when the packet opened it (reply: when it answers it). */
static __always_inline void conn_of(struct conn *c, const struct packet *p, bool reply)
{
	if (reply) {
		addr_copy(&c->addr[0], &p->daddr);
		addr_copy(&c->addr[1], &p->saddr);
		c->slot[1] = p->slot;
		c->dport = p->sport;
	} else {
		addr_copy(&c->addr[0], &p->saddr);
		addr_copy(&c->addr[1], &p->daddr);
		c->slot[0] = p->slot;
		c->dport = p->dport;
	}
	if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6)
		c->dport = 0;
	c->gen = p->gen;
	c->proto = p->proto;
	c->v6 = p->v6;
}

/* side: of the initiator. */
static __always_inline void ct_judged(struct weir_ct *ct, const struct conn *c, __u32 side)
{
	side &= 1;
	ct->identity[0] = side ? c->identity[1] : c->identity[0];
	ct->identity[1] = side ? c->identity[0] : c->identity[1];
	ct->slot[0] = side ? c->slot[1] : c->slot[0];
	ct->slot[1] = side ? c->slot[0] : c->slot[1];
	ct->rule[0] = c->rule[0];
	ct->rule[1] = c->rule[1];
}

/*
 * The policy has changed since the entry was judged: the same question again, in the initiator's direction. A denied
 * entry stays, marked: were it forgotten, a packet of the responder could open it the other way.
 */
static __noinline __maybe_unused int ct_rejudge(const struct packet *p, struct weir_ct *ct)
{
	struct conn c = {};
	__u32 state = ct->state;
	int r;

	conn_of(&c, p, ct_is_reply(ct, p));
	c.opener = state & (WEIR_CT_HOST | WEIR_CT_VIA_STACK);
	r = judge(&c);
	ct_judged(ct, &c, state & WEIR_CT_INITIATOR);
	__sync_fetch_and_and(&ct->state, ~(__u32)(WEIR_CT_DENIED | WEIR_CT_AUDIT));
	if (r || c.audit)
		__sync_fetch_and_or(&ct->state, r ? WEIR_CT_DENIED : WEIR_CT_AUDIT);
	ct->gen = p->gen;
	return 0;
}

/*
 * old: what the key has, over by now or opened the other way. It is overwritten in place, because taking an element
 * from the LRU lists and giving one back costs more than the rest of opening a connection. A late packet of the old
 * connection that another CPU has in hand may see half of each: both were allowed between these addresses and ports.
 */
static __noinline __maybe_unused int ct_create(struct packet *p, const struct conn *c, struct weir_ct *old, __u32 len)
{
	struct weir_ct ct = {
		.gen = p->gen,
		.created = p->now,
		.last_seen = p->now,
		.last_event = p->now,
		.state = p->side | c->opener | (c->audit ? WEIR_CT_AUDIT : 0),
		.l7_talking = WEIR_L7_NOBODY,
	};
	__u8 seen = p->proto == IPPROTO_TCP ? p->tcp_flags & TCP_TOLD : p->icmp_type;
	__u32 side = p->side & 1;
	long r;

	/* No variable index: of addresses on the stack the compiler makes sums that the verifier does not follow. */
	ct.bytes[0] = side ? 0 : len;
	ct.bytes[1] = side ? len : 0;
	ct.packets[0] = side ? 0 : 1;
	ct.packets[1] = side ? 1 : 0;
	ct.seen[0] = side ? 0 : seen;
	ct.seen[1] = side ? seen : 0;
	if (p->tcp_flags & TCP_SYN)
		ct.rtt_us = now_us() | 1; /* never 0 */
	ct_judged(&ct, c, side);
	ct.l7 = l7_of_pods(l7_initial(p->proto, p->dport), ct.slot, p->gen);
	if (old) {
		*old = ct;
		return 0;
	}
	if (p->proto == IPPROTO_TCP)
		r = bpf_map_update_elem(&weir_ct_tcp, &p->key, &ct, BPF_ANY);
	else
		r = bpf_map_update_elem(&weir_ct_any, &p->key, &ct, BPF_ANY);
	if (!r)
		return 0;
	stat_add(WEIR_STAT_CT_FULL, 1);
	return WEIR_DROP_CT_FULL;
}

/* ---- datagrams in pieces: the first has the ports, the others the same id */

static __always_inline void frag_key(struct weir_frag_key *k, const struct packet *p)
{
	addr_copy(&k->saddr, &p->saddr);
	addr_copy(&k->daddr, &p->daddr);
	k->id = p->frag_id;
	k->proto = p->proto;
}

/* To be called once the first piece was let through. */
static __noinline __maybe_unused int frag_passed(const struct packet *p)
{
	struct weir_frag_key k __attribute__((aligned(8))) = {};
	struct weir_frag v = { .sport = p->sport, .dport = p->dport };

	frag_key(&k, p);
	return bpf_map_update_elem(&weir_frag, &k, &v, BPF_ANY) ? WEIR_DROP_CT_FULL : 0;
}

static __always_inline int frag_resolve(struct packet *p)
{
	struct weir_frag_key k __attribute__((aligned(8))) = {};
	const struct weir_frag *v;

	if (p->kind & PKT_FRAG_FIRST && p->kind & (PKT_ICMP_ERROR | PKT_CONTROL))
		return WEIR_DROP_FRAG_BAD;
	if (!(p->kind & PKT_FRAG_LATER))
		return 0;
	frag_key(&k, p);
	v = bpf_map_lookup_elem(&weir_frag, &k);
	if (!v)
		return WEIR_DROP_FRAG_NO_FIRST;
	p->sport = v->sport;
	p->dport = v->dport;
	return 0;
}

#endif
