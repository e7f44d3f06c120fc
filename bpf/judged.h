/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What pods open comes in storms: calls in a row to the same tool, repeated SYNs, scans. What policy said in this very
 * tick, under the same generation of policies and identities, it says again without being looked up: a small cache of
 * each CPU, one entry a place. A tick is a few milliseconds, so nobody has to remove anything from it.
 */
#ifndef WEIR_BPF_JUDGED_H
#define WEIR_BPF_JUDGED_H

#include "bpf/maps.h"
#include "bpf/parse.h"
#include "bpf/policy.h"

static __always_inline struct judged *judged_place(const struct packet *p)
{
	__u32 key = p->daddr.w[3] ^ p->daddr.w[2] ^ (__u32)p->dport << 16 ^ p->slot;

	key = key * 0x9e3779b1u >> (32 - JUDGED_BITS);
	return bpf_map_lookup_elem(&weir_judged, &key);
}

/* Fills in what judge() would of a connection that a pod opens, and returns what that would; negative: it is not known.
 */
static __always_inline int was_judged(const struct packet *p, struct conn *c)
{
	const struct judged *j = judged_place(p);

	if (!j || j->tick != p->now || j->gen != p->gen || j->from != p->slot || j->dport != p->dport ||
	    j->proto != p->proto || !addr_eq(&j->daddr, &p->daddr))
		return -1;
	c->identity[0] = p->identity[0];
	c->identity[1] = j->identity;
	c->slot[0] = p->slot;
	c->slot[1] = j->to;
	c->rule[0] = j->rule[0];
	c->rule[1] = j->rule[1];
	c->audit = j->audit;
	c->dir = j->dir;
	return j->verdict;
}

static __always_inline void remember_judged(const struct packet *p, const struct conn *c, int verdict)
{
	struct judged *j = judged_place(p);

	if (!j)
		return;
	addr_copy(&j->daddr, &p->daddr);
	j->gen = p->gen;
	j->tick = p->now;
	j->dport = p->dport;
	j->from = p->slot;
	j->to = c->slot[1];
	j->proto = p->proto;
	j->verdict = verdict;
	j->audit = c->audit;
	j->dir = c->dir;
	j->identity = c->identity[1];
	j->rule[0] = c->rule[0];
	j->rule[1] = c->rule[1];
}

#endif
