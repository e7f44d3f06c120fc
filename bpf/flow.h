/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space is told: flow events in the ring, counters for the rest. */
#ifndef WEIR_BPF_FLOW_H
#define WEIR_BPF_FLOW_H

#include "bpf/maps.h"
#include "bpf/parse.h"

#define LOOK_EVERY 64 /* events of one CPU, a power of two */
#define LOOK_BYTES (LOOK_EVERY * (sizeof(struct weir_event) + BPF_RINGBUF_HDR_SZ))

/* Waking a sleeping reader costs ten events and more: only when another good part of the ring has been filled since the
 * last look. The reader looks by itself from time to time. n: how many events came before on this CPU. */
static __always_inline __u64 event_wakeup(__u64 n)
{
	__u64 waiting;

	if (n & (LOOK_EVERY - 1))
		return BPF_RB_NO_WAKEUP;
	waiting = bpf_ringbuf_query(&weir_events, BPF_RB_AVAIL_DATA);
	return waiting >= cfg_wakeup_bytes && (waiting & (cfg_wakeup_bytes - 1)) < LOOK_BYTES ? BPF_RB_FORCE_WAKEUP
											      : BPF_RB_NO_WAKEUP;
}

/* Drops come in storms, and nobody measures latencies with them: the time of the last tick will do. */
static __always_inline __u64 event_time(__u8 type)
{
	return type == WEIR_EV_DROP ? bpf_ktime_get_coarse_ns() : bpf_ktime_get_ns();
}

static __always_inline void event_totals(struct weir_event *ev, const struct packet *p, const struct weir_ct *ct)
{
	__u32 initiator = ct->state & WEIR_CT_INITIATOR, responder = initiator ^ 1;

	ev->duration_ms = (__u64)(p->now - ct->created) * 1000 / cfg_ticks_per_sec;
	ev->packets[0] = ct->packets[initiator];
	ev->packets[1] = ct->packets[responder];
	ev->bytes[0] = ct->bytes[initiator];
	ev->bytes[1] = ct->bytes[responder];
	if (p->proto == IPPROTO_TCP && ct->seen[0] & ct->seen[1] & TCP_SYN) /* else it is when the SYN came */
		ev->rtt_us = ct->rtt_us;
}

/* ct: NULL when the packet has no connection. */
static __noinline int event_emit(const struct packet *p, const struct weir_ct *ct, __u8 type, __u8 verdict, __u8 reason)
{
	struct weir_event *ev;
	bool icmp = p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;
	__u64 n = stat_add(WEIR_STAT_EVENTS, 1);

	ev = bpf_ringbuf_reserve(&weir_events, sizeof(*ev), 0);
	if (!ev) {
		stat_add(WEIR_STAT_EVENTS_LOST, 1);
		return 0;
	}
	ev->ts = event_time(type);
	addr_copy(&ev->saddr, &p->saddr);
	addr_copy(&ev->daddr, &p->daddr);
	ev->sport = icmp ? bpf_htons(p->icmp_type) : p->sport;
	ev->dport = icmp ? bpf_htons(p->icmp_code) : p->dport;
	ev->proto = p->proto;
	ev->type = type;
	ev->verdict = verdict;
	ev->reason = reason;
	ev->src_identity = p->identity[0];
	ev->dst_identity = p->identity[1];
	ev->rule[0] = p->rule[0];
	ev->rule[1] = p->rule[1];
	ev->tcp_flags = p->tcp_flags;
	ev->flags = p->flags;
	ev->point = p->point;
	ev->pad = 0;
	ev->duration_ms = 0;
	ev->packets[0] = ev->packets[1] = 0;
	ev->bytes[0] = ev->bytes[1] = 0;
	ev->rtt_us = ev->pad2 = 0;
	if (ct)
		event_totals(ev, p, ct);
	bpf_ringbuf_submit(ev, event_wakeup(n));
	return 0;
}

static __always_inline int drop(const struct packet *p, __u8 reason)
{
	stat_add(WEIR_STAT_DROP + reason, 1);
	event_emit(p, NULL, WEIR_EV_DROP, WEIR_DROPPED, reason);
	return TC_ACT_SHOT;
}

#endif
