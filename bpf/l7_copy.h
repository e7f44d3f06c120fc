/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much of a packet's payload is copied, and the copying: excerpts in the ring. */
#ifndef WEIR_BPF_L7_COPY_H
#define WEIR_BPF_L7_COPY_H

#include "bpf/maps.h"
#include "bpf/parse.h"

#define L7_LOOK_EVERY 16 /* records of one CPU, a power of two */
#define L7_UNASKED 1024  /* bytes of a turn */
#define L7_RECORDS_MAX 6 /* of one packet: 64 KiB and a rest */

/* Where a packet's payload is, and what of it is copied. */
struct l7_part {
	__u32 off, seq, end; /* end: sequence number behind the packet's payload */
	__u32 len;           /* to copy, from off and seq on */
	__u32 next;          /* where the packet's next record begins; end: this is the last */
	__u32 ack;           /* with WEIR_L7F_ACK */
	__u8 flags;          /* enum weir_l7_flags */
	__u8 closing;        /* WEIR_L7F_FIN and WEIR_L7F_RST: the last record says them */
	__u8 side, l7;
	bool whole;        /* HTTP/2: too many holes */
	__u32 pos;         /* how far frames are read */
	__u32 identity[2]; /* of sender and receiver */
	__u32 from, to;    /* to copy after the part: there is a hole between them */
};

/* What the stack has no room for. */
struct l7_scratch {
	struct weir_ct_key key; /* of the packet: Linux 6.1 takes no argument of a global function as a map's key */
	struct l7_part part;
	struct weir_l7_frames frames;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct l7_scratch);
} weir_l7_scratch SEC(".maps");

static __always_inline struct l7_scratch *l7_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&weir_l7_scratch, &zero);
}

static __always_inline bool seq_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline void l7_renew(struct weir_ct *ct, __u32 side, __u32 seq)
{
	ct->l7_talking = side;
	ct->l7_until[side & 1] = seq + cfg_l7_budget;
}

/* Both sides begin with a budget. What the first packet tells of the other: whichever comes first, it would say the
 * same. */
static __always_inline void l7_first_turn(struct weir_ct *ct, const struct l7_part *part)
{
	ct->l7_until[0] = (part->side ? part->ack : part->seq) + cfg_l7_budget;
	ct->l7_until[1] = (part->side ? part->seq : part->ack) + cfg_l7_budget;
	ct->l7_talking = part->side;
}

/* Does the agent say that nothing more of it is to be copied? */
static __always_inline bool l7_is_ignored(const struct weir_ct *ct, const struct l7_scratch *s)
{
	const struct weir_l7_want *want;

	if (ct->packets[s->part.side & 1] & (WEIR_L7_LOOK_EVERY - 1))
		return false;
	want = bpf_map_lookup_elem(&weir_l7_want, &s->key);
	return want && want->ignored;
}

/* Cuts from..to down to the budget and to what the agent wants. The first bytes of a budget are copied unasked: most
 * messages are no longer. */
static __always_inline void l7_cut(const struct l7_scratch *s, const struct weir_ct *ct, bool frames, __u32 *from,
				   __u32 *to)
{
	const struct weir_l7_want *want = NULL;
	__u32 side = s->part.side, limit = ct->l7_until[side & 1];

	if (seq_before(limit - cfg_l7_budget + L7_UNASKED, *to))
		want = bpf_map_lookup_elem(&weir_l7_want, &s->key);
	if (want) {
		__u32 skip = want->skip[side & 1], upto = want->want[side & 1];

		if (want->has_skip[side & 1]) {
			if (seq_before(*from, skip))
				*from = seq_before(*to, skip) ? *to : skip;
			if (!frames && seq_before(limit, skip + cfg_l7_budget))
				limit = skip + cfg_l7_budget;
		}
		if (want->has_want[side & 1] && seq_before(limit, upto))
			limit = upto;
	}
	if (seq_before(limit, *to))
		*to = seq_before(limit, *from) ? *from : limit;
}

/* The part is from..to of its packet. */
static __always_inline void l7_aim(struct l7_part *part, __u32 from, __u32 to)
{
	part->off += from - part->seq;
	part->seq = from;
	part->len = to - from;
}

/* ---- into the ring */

static __always_inline __u64 l7_wakeup(void *ring, __u64 n)
{
	if (n & (L7_LOOK_EVERY - 1))
		return BPF_RB_NO_WAKEUP;
	return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >= bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4
		   ? BPF_RB_FORCE_WAKEUP
		   : BPF_RB_NO_WAKEUP;
}

static __always_inline void l7_head(struct weir_l7_excerpt *x, const struct packet *p, const struct l7_part *part)
{
	x->ts = bpf_ktime_get_ns(); /* of a record that has its place: agent/rings.h */
	addr_copy(&x->saddr, &p->saddr);
	addr_copy(&x->daddr, &p->daddr);
	x->sport = p->sport;
	x->dport = p->dport;
	x->seq = part->seq;
	x->len = part->len;
	x->total = part->next - part->seq;
	x->identity[0] = part->identity[0];
	x->identity[1] = part->identity[1];
	x->proto = p->proto;
	x->l7 = part->l7;
	x->flags = part->flags;
	x->v6 = p->v6;
	x->ack = part->ack;
}

#define L7_ROOM(size) ((size) - sizeof(struct weir_l7_excerpt))
#define L7_PACKET_MAX (L7_RECORDS_MAX * L7_ROOM(WEIR_L7_LARGE))

/* A record of that size; its len bytes, which the verifier wants to see bounded, from the packet. */
#define L7_PUT(size)                                                                             \
	do {                                                                                     \
		struct weir_l7_excerpt *x = bpf_ringbuf_reserve(ring, size, 0);                  \
		__u64 last = part->len - 1ull;                                                   \
                                                                                                 \
		if (!x)                                                                          \
			goto lost;                                                               \
		l7_head(x, p, part);                                                             \
		barrier_var(last); /* one register is checked and used: for Linux 6.1 */         \
		if (last < L7_ROOM(size) && bpf_skb_load_bytes(skb, part->off, x + 1, last + 1)) \
			x->len = 0;                                                              \
		bpf_ringbuf_submit(x, l7_wakeup(ring, n));                                       \
	} while (0)

static __always_inline void l7_emit(struct __sk_buff *skb, const struct packet *p, const struct l7_part *part)
{
	__u32 cpu = bpf_get_smp_processor_id();
	void *ring = bpf_map_lookup_elem(&weir_l7_rings, &cpu);
	__u64 n = stat_add(WEIR_STAT_L7, 1);

	if (!ring)
		goto lost;
	if (part->len <= L7_ROOM(WEIR_L7_TINY))
		L7_PUT(WEIR_L7_TINY);
	else if (part->len <= L7_ROOM(WEIR_L7_SMALL))
		L7_PUT(WEIR_L7_SMALL);
	else if (part->len <= L7_ROOM(WEIR_L7_MEDIUM))
		L7_PUT(WEIR_L7_MEDIUM);
	else
		L7_PUT(WEIR_L7_LARGE);
	stat_add(WEIR_STAT_L7_BYTES, part->len);
	return;
lost:
	stat_add(WEIR_STAT_L7_LOST, 1);
}

/*
 * One record, of nothing if it must be, and as many as it takes. Beyond L7_PACKET_MAX the rest is a hole like others.
 * Global functions, this and others here: the verifier looks at each once, not again for each way that leads
 * there.
 */
__noinline int l7_copy(struct __sk_buff *skb, const struct packet *p, struct l7_part *part, __u8 closing)
{
	__u32 left, next;

	if (!p || !part)
		return 0;
	left = part->len < L7_PACKET_MAX ? part->len : L7_PACKET_MAX;
	next = part->next;
	for (int i = 0; i < L7_RECORDS_MAX; i++) {
		part->len = left < L7_ROOM(WEIR_L7_LARGE) ? left : L7_ROOM(WEIR_L7_LARGE);
		left -= part->len;
		part->next = left ? part->seq + part->len : next;
		if (!left)
			part->flags |= closing;
		l7_emit(skb, p, part);
		if (!left)
			break;
		part->off += part->len;
		part->seq += part->len;
		part->flags &= ~WEIR_L7F_FIRST;
	}
	return 0;
}

#endif
