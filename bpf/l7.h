/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Payload that is worth reading goes into a ring of its own. A packet passes one program on a node, so it is copied
 * once. The first payload of a connection decides what it is; what is nothing that the agent reads costs one byte's
 * test from then on.
 */
#ifndef WEIR_BPF_L7_H
#define WEIR_BPF_L7_H

#include "bpf/maps.h"
#include "bpf/parse.h"

#define L7_LOOK_EVERY 16 /* records of one CPU, a power of two */
#define L7_UNASKED 1024  /* bytes of a turn */
#define L7_RECORDS_MAX 6 /* of one packet: 64 KiB and a rest */

/* Where a packet's payload is, and what of it is copied. */
struct l7_part {
	__u32 off, seq, end; /* end: sequence number behind the packet's payload */
	__u32 len;           /* to copy, from off and seq on */
	__u32 ack;           /* with WEIR_L7F_ACK */
	__u8 flags;          /* enum weir_l7_flags */
};

static __always_inline bool seq_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

/* ---- what is it */

static __always_inline __u32 word(const __u8 *b)
{
	return (__u32)b[0] << 24 | (__u32)b[1] << 16 | (__u32)b[2] << 8 | b[3];
}
#define WORD(a, b, c, d) ((__u32)(a) << 24 | (__u32)(b) << 16 | (__u32)(c) << 8 | (d))

static __always_inline bool is_http1_start(__u32 w)
{
	return w == WORD('G', 'E', 'T', ' ') || w == WORD('P', 'O', 'S', 'T') || w == WORD('H', 'T', 'T', 'P') ||
	       w == WORD('P', 'U', 'T', ' ') || w == WORD('H', 'E', 'A', 'D') || w == WORD('D', 'E', 'L', 'E') ||
	       w == WORD('O', 'P', 'T', 'I') || w == WORD('P', 'A', 'T', 'C') || w == WORD('C', 'O', 'N', 'N') ||
	       w == WORD('T', 'R', 'A', 'C');
}

/* Less than a word: whoever sends a byte at a time still is read. The parser gives up soon if it is something else. */
static __always_inline __u8 decide_short(__u8 first)
{
	if (first == 0x16)
		return WEIR_L7_TLS;
	return first == 'G' || first == 'P' || first == 'H' || first == 'D' || first == 'O' || first == 'C' ||
		       first == 'T'
		   ? WEIR_L7_HTTP1
		   : WEIR_L7_IGNORED;
}

/* A server of HTTP/2 may greet before the client does, with SETTINGS: length, type 4, no flags, stream 0. */
static __always_inline bool is_settings(const __u8 *b)
{
	return !b[0] && !b[1] && b[3] == 4 && !b[4] && !b[5] && !b[6] && !b[7];
}

/* b: the first len bytes, at most 8, zeros behind. */
static __always_inline __u8 l7_decide(const __u8 *b, __u32 len, bool reply)
{
	__u32 w = word(b);

	if (len < 4)
		return decide_short(b[0]);
	if (is_http1_start(w))
		return WEIR_L7_HTTP1;
	if (w == WORD('P', 'R', 'I', ' '))
		return WEIR_L7_HTTP2;
	if (b[0] == 0x16 && b[1] == 3 && (len < 6 || b[5] == 1))
		return WEIR_L7_TLS;
	if (reply && len == 8 && is_settings(b))
		return WEIR_L7_HTTP2;
	return WEIR_L7_IGNORED;
}

/* What an entry begins with. ports: of the responder. */
static __always_inline __u8 l7_initial(__u8 proto, __be16 dport)
{
	if (!cfg_l7)
		return WEIR_L7_IGNORED;
	if ((proto == IPPROTO_TCP || proto == IPPROTO_UDP) && dport == bpf_htons(53))
		return WEIR_L7_DNS;
	return proto == IPPROTO_TCP ? WEIR_L7_UNDECIDED : WEIR_L7_IGNORED;
}

/* The pods' own wishes; either end's no is a no. */
static __always_inline __u8 l7_of_pod(__u8 l7, __u32 slot, __u32 gen)
{
	const struct weir_ep *ep = slot ? ep_get(slot) : NULL;
	__u32 flags = ep ? ep->side[gen & 1].flags : 0;

	if (l7 == WEIR_L7_IGNORED || flags & WEIR_EP_L7_OFF)
		return WEIR_L7_IGNORED;
	return flags & WEIR_EP_L7_HEADERS ? l7 | WEIR_L7_HEADERS : l7;
}

/* ---- how much of it */

/* The talk has turned: this side may be copied for another budget. NULL: no room for an entry. */
static __always_inline struct weir_l7_turn *l7_turn(const struct packet *p, __u32 side, __u32 seq, bool first)
{
	struct weir_l7_turn *t = first ? NULL : bpf_map_lookup_elem(&weir_l7_turn, &p->key), new = { .talking = side };

	if (t) {
		if (t->talking != side) {
			t->talking = side;
			t->until[side & 1] = seq + cfg_l7_budget;
		}
		return t;
	}
	new.until[0] = side ? 0 : seq + cfg_l7_budget;
	new.until[1] = side ? seq + cfg_l7_budget : 0;
	if (bpf_map_update_elem(&weir_l7_turn, &p->key, &new, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&weir_l7_turn, &p->key);
}

/* Cuts the part down to the turn's budget and to what the agent wants. The first bytes of a turn are copied unasked: most
 * messages are no longer. */
static __always_inline void l7_cut(const struct packet *p, struct l7_part *part, __u32 limit)
{
	__u32 side = p->side & 1, from = part->seq, to = part->end;
	const struct weir_l7_want *want = NULL;

	if (seq_before(limit - cfg_l7_budget + L7_UNASKED, to))
		want = bpf_map_lookup_elem(&weir_l7_want, &p->key);
	if (want) {
		__u32 skip = side ? want->skip[1] : want->skip[0], upto = side ? want->want[1] : want->want[0];

		if (side ? want->has_skip[1] : want->has_skip[0]) {
			if (seq_before(from, skip))
				from = seq_before(to, skip) ? to : skip;
			if (seq_before(limit, skip + cfg_l7_budget))
				limit = skip + cfg_l7_budget;
		}
		if ((side ? want->has_want[1] : want->has_want[0]) && seq_before(limit, upto))
			limit = upto;
	}
	if (seq_before(limit, to))
		to = seq_before(limit, from) ? from : limit;
	part->off += from - part->seq;
	part->seq = from;
	part->len = to - from;
}

/* ---- into the ring */

static __always_inline __u64 l7_wakeup(__u64 n)
{
	if (n & (L7_LOOK_EVERY - 1))
		return BPF_RB_NO_WAKEUP;
	return bpf_ringbuf_query(&weir_l7_ring, BPF_RB_AVAIL_DATA) >= cfg_l7_wakeup_bytes ? BPF_RB_FORCE_WAKEUP
											  : BPF_RB_NO_WAKEUP;
}

static __always_inline void l7_head(struct weir_l7_excerpt *x, const struct packet *p, const struct weir_ct *ct,
				    const struct l7_part *part)
{
	__u32 side = p->side & 1;

	x->ts = bpf_ktime_get_ns();
	addr_copy(&x->saddr, &p->saddr);
	addr_copy(&x->daddr, &p->daddr);
	x->sport = p->sport;
	x->dport = p->dport;
	x->seq = part->seq;
	x->len = part->len;
	x->total = part->end - part->seq;
	x->identity[0] = side ? ct->identity[1] : ct->identity[0];
	x->identity[1] = side ? ct->identity[0] : ct->identity[1];
	x->proto = p->proto;
	x->l7 = ct->l7 & WEIR_L7_MASK;
	x->flags = part->flags;
	x->v6 = p->v6;
	x->ack = part->ack;
}

#define L7_ROOM(size) ((size) - sizeof(struct weir_l7_excerpt))

/* A record of that size; its len bytes, which the verifier wants to see bounded, from the packet. */
#define L7_PUT(size)                                                                               \
	do {                                                                                       \
		struct weir_l7_excerpt *x = bpf_ringbuf_reserve(&weir_l7_ring, size, 0);           \
		__u32 len = part->len;                                                             \
                                                                                                   \
		if (!x)                                                                            \
			goto lost;                                                                 \
		l7_head(x, p, ct, part);                                                           \
		if (len && len <= L7_ROOM(size) && bpf_skb_load_bytes(skb, part->off, x + 1, len)) \
			x->len = 0;                                                                \
		bpf_ringbuf_submit(x, l7_wakeup(n));                                               \
	} while (0)

/* Global functions, this and l7_capture: the verifier looks at each once, not again for each way that leads there. */
__noinline int l7_emit(struct __sk_buff *skb, const struct packet *p, const struct weir_ct *ct,
		       const struct l7_part *part)
{
	__u64 n;

	if (!p || !ct || !part)
		return 0;
	n = stat_add(WEIR_STAT_L7, 1);

	if (part->len <= L7_ROOM(WEIR_L7_SMALL))
		L7_PUT(WEIR_L7_SMALL);
	else if (part->len <= L7_ROOM(WEIR_L7_MEDIUM))
		L7_PUT(WEIR_L7_MEDIUM);
	else
		L7_PUT(WEIR_L7_LARGE);
	stat_add(WEIR_STAT_L7_BYTES, part->len);
	return 0;
lost:
	stat_add(WEIR_STAT_L7_LOST, 1);
	return 0;
}

/* As many records as it takes. Beyond what the loop can do the rest is a hole like others. */
static __always_inline void l7_copy(struct __sk_buff *skb, const struct packet *p, const struct weir_ct *ct,
				    struct l7_part *part)
{
	__u32 left = part->len, closing = part->flags & (WEIR_L7F_FIN | WEIR_L7F_RST);

	for (int i = 0; i < L7_RECORDS_MAX && left; i++) {
		part->len = left < L7_ROOM(WEIR_L7_LARGE) ? left : L7_ROOM(WEIR_L7_LARGE);
		part->flags &= ~(WEIR_L7F_FIN | WEIR_L7F_RST);
		left -= part->len;
		if (!left)
			part->flags |= closing;
		l7_emit(skb, p, ct, part);
		part->off += part->len;
		part->seq += part->len;
		part->flags &= ~WEIR_L7F_FIRST;
	}
}

/* ---- a packet */

static __always_inline __u32 payload_end(struct __sk_buff *skb, const struct packet *p)
{
	__be16 len = 0;

	if (p->l4)
		return p->l4 + p->l4_len;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + (p->v6 ? 4 : 2), &len, sizeof(len)))
		return 0;
	return ETH_HLEN + (p->v6 ? sizeof(struct ipv6hdr) : 0) + bpf_ntohs(len);
}

/* False: there is nothing in it. */
static __always_inline bool locate_tcp(struct __sk_buff *skb, const struct packet *p, struct l7_part *part)
{
	__u32 l4 = p->l4 ? p->l4 : ETH_HLEN + (p->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	__u32 end = payload_end(skb, p), head[3];

	if (bpf_skb_load_bytes(skb, l4 + 4, head, sizeof(head))) /* sequence, acknowledgement, offset and flags */
		return false;
	part->off = l4 + (*(__u8 *)&head[2] >> 4) * 4;
	part->seq = bpf_ntohl(head[0]) + (p->tcp_flags & TCP_SYN ? 1 : 0);
	part->end = part->seq + (end > part->off ? end - part->off : 0);
	part->ack = bpf_ntohl(head[1]);
	if (p->tcp_flags & TCP_ACK)
		part->flags |= WEIR_L7F_ACK;
	if (p->tcp_flags & TCP_FIN)
		part->flags |= WEIR_L7F_FIN;
	if (p->tcp_flags & TCP_RST)
		part->flags |= WEIR_L7F_RST;
	return part->end != part->seq || part->flags & (WEIR_L7F_FIN | WEIR_L7F_RST);
}

static __always_inline bool locate_udp(struct __sk_buff *skb, const struct packet *p, struct l7_part *part)
{
	__u32 l4 = p->l4 ? p->l4 : ETH_HLEN + (p->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	__u32 end = payload_end(skb, p);

	part->off = l4 + 8;
	part->end = end > part->off ? end - part->off : 0;
	return part->end;
}

/* The first payload: what is it? False: it is nothing, or not there yet. */
static __always_inline bool l7_begin(struct __sk_buff *skb, struct weir_ct *ct, struct l7_part *part)
{
	__u32 len = part->end - part->seq;
	__u8 b[8] = {}, l7;

	if (!len)
		return false;
	if (len >= sizeof(b)) {
		if (bpf_skb_load_bytes(skb, part->off, b, sizeof(b)))
			return false;
		len = sizeof(b);
	} else if (len >= 4) {
		if (bpf_skb_load_bytes(skb, part->off, b, 4))
			return false;
		len = 4;
	} else if (bpf_skb_load_bytes(skb, part->off, b, 1)) {
		return false;
	}
	l7 = l7_decide(b, len, part->flags & WEIR_L7F_REPLY);
	ct->l7 = l7 == WEIR_L7_IGNORED ? l7 : (ct->l7 & WEIR_L7_HEADERS) | l7;
	if ((ct->tcp_flags[0] | ct->tcp_flags[1]) & TCP_SYN) /* else the beginning was not seen */
		part->flags |= WEIR_L7F_FIRST;
	return l7 != WEIR_L7_IGNORED;
}

static __always_inline bool l7_tcp(struct __sk_buff *skb, const struct packet *p, struct weir_ct *ct,
				   struct l7_part *part)
{
	const struct weir_l7_turn *turn;
	__u32 side = p->side & 1;
	bool first;

	if (!locate_tcp(skb, p, part))
		return false;
	first = (ct->l7 & WEIR_L7_MASK) == WEIR_L7_UNDECIDED;
	if (first && !l7_begin(skb, ct, part))
		return false;
	if (first) /* what an earlier connection between these ports left */
		bpf_map_delete_elem(&weir_l7_want, &p->key);
	turn = part->end == part->seq && !first ? NULL : l7_turn(p, side, part->seq, first);
	if (turn)
		l7_cut(p, part, side ? turn->until[1] : turn->until[0]);
	if ((ct->l7 & WEIR_L7_MASK) != WEIR_L7_TLS)
		return true;
	/* Of TLS only the client's greeting is of interest. */
	if (part->flags & WEIR_L7F_REPLY ||
	    (turn &&
	     seq_before((side ? turn->until[1] : turn->until[0]) - cfg_l7_budget + WEIR_L7_HELLO_MAX, part->seq)))
		ct->l7 = WEIR_L7_IGNORED;
	return ct->l7 != WEIR_L7_IGNORED;
}

/* A packet that passes, of a connection that is not WEIR_L7_IGNORED. */
__noinline int l7_capture(struct __sk_buff *skb, const struct packet *p, struct weir_ct *ct)
{
	struct l7_part part = {};

	if (!p || !ct || p->kind & (PKT_FRAG_FIRST | PKT_FRAG_LATER))
		return 0;
	if ((ct->state & WEIR_CT_INITIATOR) != p->side)
		part.flags |= WEIR_L7F_REPLY;
	if (ct->l7 & WEIR_L7_HEADERS)
		part.flags |= WEIR_L7F_HEADERS;
	if (p->proto == IPPROTO_TCP) {
		if (!l7_tcp(skb, p, ct, &part))
			return 0;
	} else {
		if (!locate_udp(skb, p, &part))
			return 0;
		part.len = part.end;
	}
	if (part.len)
		l7_copy(skb, p, ct, &part);
	else if (part.flags & (WEIR_L7F_FIN | WEIR_L7F_RST))
		l7_emit(skb, p, ct, &part);
	return 0;
}

#endif
