/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The verdict of policy on a connection, from the addresses, ports and the maps alone. */
#ifndef WEIR_BPF_POLICY_H
#define WEIR_BPF_POLICY_H

#include "bpf/maps.h"
#include "bpf/parse.h"

/* A connection as its initiator opened it: [0] is the initiator, [1] the responder. */
struct conn {
	struct weir_addr addr[2];
	__u32 gen;
	__be16 dport;
	__u8 proto;
	__u8 v6;
	__u32 opener;      /* WEIR_CT_HOST: always allowed. WEIR_CT_VIA_STACK: the sender's side is judged elsewhere */
	__u16 slot[2];     /* as far as known before */
	__u32 identity[2]; /* the same */
	/* out */
	__u8 audit;
	__u8 dir;      /* who denied */
	__u32 rule[2]; /* by enum weir_dir */
} __attribute__((aligned(8)));

static __always_inline const struct weir_ipcache *ipcache_get(const struct weir_addr *a)
{
	struct weir_lpm_key k = { .prefixlen = 128 };

	k.addr = *a;
	return bpf_map_lookup_elem(&weir_ipcache, &k);
}

static __always_inline void resolve(struct conn *c, int who)
{
	const struct weir_ipcache *e;

	if (c->identity[who]) /* of the pod whose interface this is */
		return;
	e = ipcache_get(&c->addr[who]);
	if (!e)
		return;
	c->identity[who] = e->identity[c->gen & 1];
	if (!c->slot[who])
		c->slot[who] = e->slot;
	if (who == 0 && e->flags & WEIR_IPC_HOST)
		c->opener |= WEIR_CT_HOST;
}

/* Two look-ups: what is said about this peer, then what is said about any. */
static __always_inline const struct weir_policy_val *policy_get(const struct conn *c, __u32 ruleset, __u8 dir)
{
	struct weir_policy_key k = {
		.prefixlen = WEIR_POLICY_PREFIX_FULL,
		.ruleset = ruleset,
		.identity = c->identity[dir == WEIR_EGRESS],
		.dir = dir,
		.proto = c->proto,
		.port = c->dport,
	};
	const struct weir_policy_val *v = bpf_map_lookup_elem(&weir_policy, &k);

	if (v)
		return v;
	k.identity = WEIR_ID_ANY;
	return bpf_map_lookup_elem(&weir_policy, &k);
}

/* One side. 0 or an enum weir_drop; rule and identity are set in any case. */
static __always_inline int judge_side(struct conn *c, __u8 dir)
{
	__u32 who = dir, isolated = dir == WEIR_EGRESS ? WEIR_EP_ISOLATED_EGRESS : WEIR_EP_ISOLATED_INGRESS;
	__u32 audit = dir == WEIR_EGRESS ? WEIR_EP_AUDIT_EGRESS : WEIR_EP_AUDIT_INGRESS;
	const struct weir_ep *ep = ep_get(c->slot[who]);
	const struct weir_ep_side *s;
	const struct weir_policy_val *v;

	c->dir = dir;
	if (!ep)
		return WEIR_DROP_NOT_READY;
	s = &ep->side[c->gen & 1];
	if (!(s->flags & WEIR_EP_READY) || !addr_eq(&ep->addr[c->v6 & 1], &c->addr[who]))
		return WEIR_DROP_NOT_READY;
	if (!(s->flags & isolated)) {
		c->rule[dir] = WEIR_RULE_NOT_ISOLATED;
		return 0;
	}
	v = policy_get(c, s->ruleset, dir);
	if (v) {
		c->rule[dir] = v->rule;
		return 0;
	}
	c->rule[dir] = s->ruleset | WEIR_RULE_DEFAULT_DENY;
	if (!(s->flags & audit))
		return WEIR_DROP_POLICY;
	c->audit = 1;
	return 0;
}

/* 0 or an enum weir_drop. What comes from this node itself is always allowed; so is a pod to itself. */
static __noinline int judge(struct conn *c)
{
	int r = 0;

	resolve(c, 0);
	resolve(c, 1);
	if (c->opener & WEIR_CT_HOST) {
		c->identity[0] = WEIR_ID_HOST;
		c->rule[WEIR_INGRESS] = WEIR_RULE_HOST;
		return 0;
	}
	if (c->slot[0] && c->slot[0] == c->slot[1]) {
		c->rule[0] = c->rule[1] = WEIR_RULE_NOT_ISOLATED;
		return 0;
	}
	if (c->slot[0] && !(c->opener & WEIR_CT_VIA_STACK))
		r = judge_side(c, WEIR_EGRESS);
	if (!r && c->slot[1])
		r = judge_side(c, WEIR_INGRESS);
	return r;
}

#endif
