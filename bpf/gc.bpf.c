// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Run by the agent every few seconds: connections that fell silent end here, with their totals. It uses the datapath's
 * own rules of what is over, and reports through the same ring.
 */
#include "bpf/conntrack.h"

struct bpf_map; /* what bpf_for_each_map_elem passes; not looked at */

static __always_inline void end_flow(const struct weir_ct_key *key, struct weir_ct *ct, struct packet *p)
{
	__u32 from = ct->state & WEIR_CT_INITIATOR;

	/* No variable index into the key: see ct_create. */
	addr_copy(&p->saddr, from ? &key->addr[1] : &key->addr[0]);
	addr_copy(&p->daddr, from ? &key->addr[0] : &key->addr[1]);
	p->sport = from ? key->port[1] : key->port[0];
	p->dport = from ? key->port[0] : key->port[1];
	p->side = from;
	p->icmp_type = from ? ct->seen[1] : ct->seen[0]; /* the code has been forgotten: echoes have none */
	ct_describe(ct, p);
	event_emit(p, ct, WEIR_EV_END, ct->state & WEIR_CT_AUDIT ? WEIR_AUDIT : WEIR_FORWARDED, 0);
}

static long visit_tcp(struct bpf_map *map, const struct weir_ct_key *key, struct weir_ct *ct, struct weir_gc *gc)
{
	struct packet p = { .proto = IPPROTO_TCP, .now = gc->now };

	if (ct_live(ct, &p)) {
		gc->tcp++;
		return 0;
	}
	bpf_map_delete_elem(&weir_ct_tcp, key); /* END was reported when it was closed */
	gc->ended++;
	return 0;
}

static long visit_any(struct bpf_map *map, const struct weir_ct_key *key, struct weir_ct *ct, struct weir_gc *gc)
{
	struct packet p = { .proto = key->proto, .now = gc->now };

	if (ct_live(ct, &p)) {
		gc->any++;
		return 0;
	}
	if (!(ct->state & WEIR_CT_DENIED))
		end_flow(key, ct, &p);
	bpf_map_delete_elem(&weir_ct_any, key);
	gc->ended++;
	return 0;
}

SEC("syscall")
int collect(struct weir_gc *ctx)
{
	const struct weir_node *node = node_get();
	struct weir_gc gc = {};

	if (!node)
		return 1;
	gc.now = now_ticks(node);
	bpf_for_each_map_elem(&weir_ct_tcp, visit_tcp, &gc, 0);
	bpf_for_each_map_elem(&weir_ct_any, visit_any, &gc, 0);
	*ctx = gc;
	return 0;
}
