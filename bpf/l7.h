/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Payload that is worth reading goes into a ring of its own. A packet passes one program on a node, so it is copied
 * once. The first payload of a connection decides what it is; what is nothing that the agent reads costs one byte's
 * test from then on.
 */
#ifndef WEIR_BPF_L7_H
#define WEIR_BPF_L7_H

#include "bpf/l7_decide.h"
#include "bpf/l7_frames.h"

static __always_inline __u32 l4_offset(const struct packet *p)
{
	return p->l4 ? p->l4 : ETH_HLEN + (p->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
}

static __always_inline __u32 payload_end(struct __sk_buff *skb, const struct packet *p)
{
	__be16 len = 0;

	if (p->l4)
		return p->l4 + p->l4_len;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + (p->v6 ? 4 : 2), &len, sizeof(len)))
		return 0;
	return ETH_HLEN + (p->v6 ? sizeof(struct ipv6hdr) : 0) + bpf_ntohs(len);
}

struct tcp_head {
	__be32 seq, ack;
	__u8 doff, flags, window[2];
};

/* False: it is not there. What parse_plain() read lies in one piece; the rest may not. */
static __always_inline bool tcp_head(struct __sk_buff *skb, const struct packet *p, struct tcp_head *ret,
				     __u32 *ret_end)
{
	const __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const __u8 *l4 = data + ETH_HLEN + (p->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));

	if (!p->l4 && l4 + 4 + sizeof(*ret) <= end) {
		*ret = *(const struct tcp_head *)(l4 + 4);
		*ret_end =
		    p->v6 ? ETH_HLEN + sizeof(struct ipv6hdr) + bpf_ntohs(*(const u16_alias *)(data + ETH_HLEN + 4))
			  : ETH_HLEN + bpf_ntohs(*(const u16_alias *)(data + ETH_HLEN + 2));
		return true;
	}
	*ret_end = payload_end(skb, p);
	return !bpf_skb_load_bytes(skb, l4_offset(p) + 4, ret, sizeof(*ret));
}

/* False: there is nothing in it. */
static __always_inline bool locate_tcp(struct __sk_buff *skb, const struct packet *p, struct l7_part *part)
{
	struct tcp_head h;
	__u32 end;

	if (!tcp_head(skb, p, &h, &end))
		return false;
	part->off = l4_offset(p) + (h.doff >> 4) * 4;
	part->seq = bpf_ntohl(h.seq) + (p->tcp_flags & TCP_SYN ? 1 : 0);
	part->end = part->next = part->seq + (end > part->off ? end - part->off : 0);
	part->ack = bpf_ntohl(h.ack);
	if (p->tcp_flags & TCP_ACK)
		part->flags |= WEIR_L7F_ACK;
	if (p->tcp_flags & TCP_FIN)
		part->closing |= WEIR_L7F_FIN;
	if (p->tcp_flags & TCP_RST)
		part->closing |= WEIR_L7F_RST;
	return part->end != part->seq || part->closing;
}

static __always_inline bool locate_udp(struct __sk_buff *skb, const struct packet *p, struct l7_part *part)
{
	__u32 end = payload_end(skb, p);

	part->off = l4_offset(p) + 8;
	part->end = part->next = end > part->off ? end - part->off : 0;
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
	return l7 != WEIR_L7_IGNORED;
}

/*
 * Each side tells by itself that it begins: both may at once, and nobody knows which of the two comes first out of the
 * ring. Two CPUs that write here may lose a bit: then a second payload is told as the first, too.
 */
static __always_inline void l7_spoken(struct weir_ct *ct, struct l7_part *part)
{
	__u8 side = 1 << (part->side & 1);

	if (ct->spoke & side || part->end == part->seq)
		return;
	ct->spoke |= side;
	if ((ct->seen[0] | ct->seen[1]) & TCP_SYN)
		part->flags |= WEIR_L7F_FIRST;
}

/* Of TLS only the client's greeting is of interest. */
static __always_inline bool l7_hello_over(const struct weir_ct *ct, const struct l7_part *part)
{
	if (part->flags & WEIR_L7F_REPLY)
		return true;
	return seq_before(ct->l7_until[part->side & 1] - cfg_l7_budget + WEIR_L7_HELLO_MAX, part->seq);
}

/* True: the part is to be copied. */
static __always_inline bool l7_tcp(struct __sk_buff *skb, const struct packet *p, struct weir_ct *ct,
				   struct l7_scratch *s)
{
	bool undecided = (ct->l7 & WEIR_L7_MASK) == WEIR_L7_UNDECIDED, first = ct->l7_talking == WEIR_L7_NOBODY;
	struct l7_part *part = &s->part;
	struct weir_l7_frames *frames;
	__u32 from, to;
	__u8 l7;

	if (!locate_tcp(skb, p, part) || (undecided && !l7_begin(skb, ct, part)))
		return false;
	if (first) {
		bpf_map_delete_elem(&weir_l7_want, &s->key); /* what an earlier connection between these ports left */
		l7_first_turn(ct, part);
	} else if (l7_is_ignored(ct, s)) {
		ct->l7 = WEIR_L7_IGNORED;
		return false;
	}
	l7_spoken(ct, part);
	part->l7 = l7 = ct->l7 & WEIR_L7_MASK;
	from = part->seq;
	to = part->end;
	if (from != to && l7 == WEIR_L7_HTTP2) {
		frames = h2_frames(s, first);
		if (frames) {
			h2_walk(skb, p, frames, ct);
			return false;
		}
	}
	if (from != to) {
		if (ct->l7_talking != part->side)
			l7_renew(ct, part->side, from);
		l7_cut(s, ct, false, &from, &to);
		l7_aim(part, from, to);
	}
	if (l7 == WEIR_L7_TLS && l7_hello_over(ct, part))
		ct->l7 = WEIR_L7_IGNORED;
	return ct->l7 != WEIR_L7_IGNORED;
}

/* A packet that passes, of a connection that is not WEIR_L7_IGNORED. */
__noinline int l7_capture(struct __sk_buff *skb, const struct packet *p, struct weir_ct *ct)
{
	struct l7_scratch *s = l7_scratch();
	struct l7_part *part;

	if (!s || !p || !ct || p->kind & (PKT_FRAG_FIRST | PKT_FRAG_LATER))
		return 0;
	part = &s->part;
	__builtin_memset(part, 0, sizeof(*part));
	part->side = p->side & 1;
	part->identity[0] = part->side ? ct->identity[1] : ct->identity[0];
	part->identity[1] = part->side ? ct->identity[0] : ct->identity[1];
	s->key = p->key;
	if ((ct->state & WEIR_CT_INITIATOR) != p->side)
		part->flags |= WEIR_L7F_REPLY;
	if (ct->l7 & WEIR_L7_HEADERS)
		part->flags |= WEIR_L7F_HEADERS;
	if (p->proto == IPPROTO_TCP) {
		if (!l7_tcp(skb, p, ct, s))
			return 0;
	} else {
		if (!locate_udp(skb, p, part))
			return 0;
		/* All is in one record, or it is not read. */
		part->len = part->end < L7_ROOM(WEIR_L7_LARGE) ? part->end : L7_ROOM(WEIR_L7_LARGE);
		part->l7 = ct->l7 & WEIR_L7_MASK;
	}
	if (part->len || part->closing)
		l7_copy(skb, p, part, part->closing);
	return 0;
}

#endif
