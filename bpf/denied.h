/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Denied packets come in storms: repeated SYNs, scans, floods. What was denied in this very tick is denied again
 * without the look-ups of policy: a small cache of each CPU, one entry a place. A tick is a few milliseconds, so nobody
 * has to remove anything from it when identities or policies change. Only denials are remembered.
 */
#ifndef WEIR_BPF_DENIED_H
#define WEIR_BPF_DENIED_H

#include "bpf/maps.h"
#include "bpf/parse.h"

static __always_inline struct denied *denied_place(const struct packet *p)
{
	__u32 key = p->daddr.w[3] ^ p->daddr.w[2] ^ (__u32)p->dport << 16 ^ p->slot;

	key = key * 0x9e3779b1u >> (32 - DENIED_BITS);
	return bpf_map_lookup_elem(&weir_denied, &key);
}

/* True: denied, and p says for its event by whom. */
static __always_inline bool was_denied(struct packet *p)
{
	const struct denied *d = denied_place(p);

	if (!d || d->tick != p->now || d->gen != p->gen || d->slot != p->slot || d->dport != p->dport ||
	    d->proto != p->proto || !addr_eq(&d->daddr, &p->daddr))
		return false;
	p->identity[1] = d->identity;
	p->rule[0] = d->rule[0];
	p->rule[1] = d->rule[1];
	p->flags |= d->flags;
	return true;
}

static __always_inline void remember_denied(const struct packet *p)
{
	struct denied *d = denied_place(p);

	if (!d)
		return;
	addr_copy(&d->daddr, &p->daddr);
	d->gen = p->gen;
	d->tick = p->now;
	d->dport = p->dport;
	d->slot = p->slot;
	d->proto = p->proto;
	d->flags = p->flags & ~WEIR_EVF_FRAGMENT;
	d->identity = p->identity[1];
	d->rule[0] = p->rule[0];
	d->rule[1] = p->rule[1];
}

#endif
