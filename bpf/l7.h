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

#define H2_PREFACE 24
#define H2_FRAME_HEAD 9
#define H2_STEPS_MAX 16384      /* of one packet: more frames than it can hold, and more */
#define H2_HOLES_MAX 16         /* of one packet */
#define H2_WHOLE_MAX (64 << 10) /* no frame with headers is larger: none that the agent reads */
enum { H2_DATA = 0, H2_HEADERS = 1 };

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

/* WebDAV, and what caches understand. */
static __always_inline bool is_http1_more(__u32 w)
{
	return w == WORD('P', 'R', 'O', 'P') || w == WORD('M', 'K', 'C', 'O') || w == WORD('C', 'O', 'P', 'Y') ||
	       w == WORD('M', 'O', 'V', 'E') || w == WORD('L', 'O', 'C', 'K') || w == WORD('U', 'N', 'L', 'O') ||
	       w == WORD('R', 'E', 'P', 'O') || w == WORD('S', 'E', 'A', 'R') || w == WORD('M', 'K', 'C', 'A') ||
	       w == WORD('M', 'E', 'R', 'G') || w == WORD('C', 'H', 'E', 'C') || w == WORD('P', 'U', 'R', 'G');
}

/* STOMP has a CONNECT of its own: there the line ends behind it. */
static __always_inline bool is_stomp(__u64 v)
{
	__u8 next = v;

	return v >> 8 == ((__u64)WORD(0, 'C', 'O', 'N') << 32 | WORD('N', 'E', 'C', 'T')) &&
	       (next == '\n' || next == '\r');
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
	__u64 v = (__u64)word(b) << 32 | word(b + 4);
	__u32 w, empty = 0;

	/* Servers pass over empty lines before a request. */
	for (; empty < 4 && !reply && len && (v >> 56 == '\r' || v >> 56 == '\n'); empty++, len--)
		v <<= 8;
	w = v >> 32;
	if (len < 4) /* of three and less the first alone is there */
		return empty && !w ? WEIR_L7_HTTP1 : decide_short(v >> 56);
	if (is_stomp(v))
		return WEIR_L7_IGNORED;
	if (is_http1_start(w) || is_http1_more(w))
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

static __always_inline __u32 l7_wishes(__u32 slot, __u32 gen)
{
	const struct weir_ep *ep = slot ? ep_get(slot) : NULL;

	return ep ? ep->side[gen & 1].flags & (WEIR_EP_L7_OFF | WEIR_EP_L7_HEADERS | WEIR_EP_L7_FULL) : 0;
}

/* The pods' own wishes: either end's no is a no. Where neither says anything the agent's default counts. */
static __always_inline __u8 l7_of_pods(__u8 l7, const __u16 slot[2], __u32 gen)
{
	__u32 wishes = (l7_wishes(slot[0], gen) | l7_wishes(slot[1], gen)) ?: cfg_l7_default;

	if (l7 == WEIR_L7_IGNORED || wishes & WEIR_EP_L7_OFF)
		return WEIR_L7_IGNORED;
	return wishes & WEIR_EP_L7_HEADERS ? l7 | WEIR_L7_HEADERS : l7;
}

/* ---- how much of it */

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

static __always_inline __u64 l7_wakeup(__u64 n)
{
	if (n & (L7_LOOK_EVERY - 1))
		return BPF_RB_NO_WAKEUP;
	return bpf_ringbuf_query(&weir_l7_ring, BPF_RB_AVAIL_DATA) >= cfg_l7_wakeup_bytes ? BPF_RB_FORCE_WAKEUP
											  : BPF_RB_NO_WAKEUP;
}

static __always_inline void l7_head(struct weir_l7_excerpt *x, const struct packet *p, const struct l7_part *part)
{
	x->ts = bpf_ktime_get_ns();
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
		struct weir_l7_excerpt *x = bpf_ringbuf_reserve(&weir_l7_ring, size, 0);         \
		__u64 last = part->len - 1ull;                                                   \
                                                                                                 \
		if (!x)                                                                          \
			goto lost;                                                               \
		l7_head(x, p, part);                                                             \
		barrier_var(last); /* one register is checked and used: for Linux 6.1 */         \
		if (last < L7_ROOM(size) && bpf_skb_load_bytes(skb, part->off, x + 1, last + 1)) \
			x->len = 0;                                                              \
		bpf_ringbuf_submit(x, l7_wakeup(n));                                             \
	} while (0)

static __always_inline void l7_emit(struct __sk_buff *skb, const struct packet *p, const struct l7_part *part)
{
	__u64 n = stat_add(WEIR_STAT_L7, 1);

	if (part->len <= L7_ROOM(WEIR_L7_SMALL))
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

/* ---- frames of HTTP/2 */

struct h2_walk {
	struct __sk_buff *skb;
	struct l7_scratch *s; /* its part is to be copied once it is known that what follows it is not */
	struct weir_l7_frames *frames;
	struct weir_ct *ct;
};

/* Where the first frames begin, if this is the beginning. */
static __always_inline void h2_frames_init(struct weir_l7_frames *f, const struct l7_part *part, bool first)
{
	__u32 seq[2] = { part->side ? part->ack : part->seq, part->side ? part->seq : part->ack };
	__u32 client = part->flags & WEIR_L7F_REPLY ? !part->side : part->side;
	bool known = first && part->flags & WEIR_L7F_FIRST && part->flags & WEIR_L7F_ACK;

	f->start = seq[0];
	f->next[0] = seq[0] + (client ? 0 : H2_PREFACE);
	f->next[1] = seq[1] + (client ? H2_PREFACE : 0);
	f->kind[0] = f->kind[1] = known ? WEIR_L7_FRAME_WHOLE : WEIR_L7_FRAME_LOST;
}

/* NULL: no room for them. */
static __always_inline struct weir_l7_frames *h2_frames(struct l7_scratch *s, bool first)
{
	struct weir_l7_frames *f = bpf_map_lookup_elem(&weir_l7_frames, &s->key);
	const struct l7_part *part = &s->part;

	if (f && (!first || f->start == (part->side ? part->ack : part->seq)))
		return f;
	__builtin_memset(&s->frames, 0, sizeof(s->frames));
	h2_frames_init(&s->frames, part, first);
	/* Both sides may begin at once, each on its CPU. */
	bpf_map_update_elem(&weir_l7_frames, &s->key, &s->frames, f ? BPF_ANY : BPF_NOEXIST);
	return bpf_map_lookup_elem(&weir_l7_frames, &s->key);
}

/* True: the part is complete. */
static __always_inline bool h2_take(struct h2_walk *w, __u32 from, __u32 to)
{
	struct l7_part *part = &w->s->part;

	if (from == to)
		return false;
	if (!part->len) {
		l7_aim(part, from, to);
		return false;
	}
	if (part->seq + part->len == from) {
		part->len += to - from;
		return false;
	}
	w->s->part.from = from;
	w->s->part.to = to;
	return true;
}

static __always_inline __u32 seq_min(__u32 a, __u32 b)
{
	return seq_before(a, b) ? a : b;
}

/* Of what follows up to stop, as much as the budget allows. */
static __always_inline bool h2_take_body(struct h2_walk *w, __u32 stop)
{
	__u32 from = w->s->part.pos, to = stop;

	w->s->part.pos = stop;
	if (!w->s->part.whole)
		l7_cut(w->s, w->ct, true, &from, &to);
	return h2_take(w, from, to);
}

/* What the packet holds of the frame at hand: the rest of its head, or of its payload. */
static __always_inline bool h2_payload(struct h2_walk *w)
{
	struct weir_l7_frames *f = w->frames;
	__u32 side = w->s->part.side & 1, from = w->s->part.pos, stop = seq_min(f->next[side], w->s->part.end);

	if (f->kind[side] == WEIR_L7_FRAME_BODY) {
		if (!seq_before(from, f->body[side]))
			return h2_take_body(w, stop);
		stop = seq_min(f->body[side], stop);
	}
	w->s->part.pos = stop;
	return h2_take(w, from, stop);
}

/* Length and type of the frame whose head begins or goes on here. False: the packet ends within. */
static __always_inline bool h2_head(struct h2_walk *w)
{
	struct weir_l7_frames *f = w->frames;
	__u32 side = w->s->part.side & 1, off = w->s->part.off + (w->s->part.pos - w->s->part.seq),
	      have = f->have[side];
	__u32 head = have ? f->head[side] : 0, left = w->s->part.end - w->s->part.pos;
	__u8 b[4];

	if (!have && left >= sizeof(b)) {
		if (bpf_skb_load_bytes(w->skb, off, b, sizeof(b)))
			return false;
		f->head[side] = word(b);
		return true;
	}
	for (__u32 i = 0; i < sizeof(b) && i < left && have < sizeof(b); i++, have++) {
		if (bpf_skb_load_bytes(w->skb, off + i, b, 1))
			return false;
		head |= (__u32)b[0] << (24 - 8 * (have & 3));
	}
	f->head[side] = head;
	f->have[side] = have & 3;
	return have == sizeof(b);
}

static __always_inline void h2_begin_frame(struct h2_walk *w)
{
	struct weir_l7_frames *f = w->frames;
	__u32 side = w->s->part.side & 1, len = f->head[side] >> 8, begin = f->next[side];
	__u8 type = f->head[side];

	if (type == H2_HEADERS || (type == H2_DATA && w->ct->l7_talking != side))
		l7_renew(w->ct, side, begin);
	f->kind[side] = type == H2_DATA || len > H2_WHOLE_MAX ? WEIR_L7_FRAME_BODY : WEIR_L7_FRAME_WHOLE;
	f->body[side] = begin + H2_FRAME_HEAD;
	f->next[side] = begin + H2_FRAME_HEAD + len;
	f->have[side] = 0;
}

/* A packet is missing before this one, or its frames were never known. The agent may know. */
static __always_inline bool h2_find_frame(const struct h2_walk *w)
{
	const struct weir_l7_want *want = bpf_map_lookup_elem(&weir_l7_want, &w->s->key);
	struct weir_l7_frames *f = w->frames;
	__u32 side = w->s->part.side & 1;

	if (!want || !want->has_frame[side] || seq_before(want->frame[side], w->s->part.pos) ||
	    seq_before(w->s->part.end, want->frame[side]))
		return false;
	f->next[side] = want->frame[side];
	f->kind[side] = WEIR_L7_FRAME_WHOLE;
	f->have[side] = 0;
	return true;
}

static long h2_step(__u32 i, void *ctx)
{
	struct h2_walk *w = ctx;
	struct weir_l7_frames *f = w->frames;
	__u32 side = w->s->part.side & 1, ahead, from;

	if (w->s->part.pos == w->s->part.end)
		return 1;
	if (f->kind[side] != WEIR_L7_FRAME_LOST && seq_before(w->s->part.pos, f->next[side]))
		return h2_payload(w);
	ahead = w->s->part.pos - f->next[side];
	if (!ahead)
		f->have[side] = 0;
	if (f->kind[side] == WEIR_L7_FRAME_LOST || ahead != f->have[side]) {
		if (h2_find_frame(w))
			return 0;
		w->s->part.flags |= WEIR_L7F_LOST;
		return h2_take_body(w, w->s->part.end);
	}
	if (h2_head(w)) {
		h2_begin_frame(w);
		return 0;
	}
	from = w->s->part.pos;
	w->s->part.pos = w->s->part.end;
	return h2_take(w, from, w->s->part.end);
}

/* Copies all but what DATA holds beyond the budget, and keeps in mind where the next frame begins. */
__noinline int h2_walk(struct __sk_buff *skb, const struct packet *p, struct weir_l7_frames *frames, struct weir_ct *ct)
{
	struct h2_walk w = { .skb = skb, .s = l7_scratch(), .frames = frames, .ct = ct };
	struct l7_part *part;

	if (!w.s || !p || !frames || !ct)
		return 0;
	part = &w.s->part;
	part->pos = part->seq;
	for (int i = 0; i < H2_HOLES_MAX; i++) {
		part->whole = i == H2_HOLES_MAX - 1;
		part->next = part->end;
		bpf_loop(H2_STEPS_MAX, h2_step, &w, 0);
		if (part->from == part->to)
			break;
		part->next = part->from;
		l7_copy(skb, p, part, 0);
		part->flags &= ~WEIR_L7F_FIRST;
		l7_aim(part, part->from, part->to);
		part->from = part->to = 0;
	}
	if (part->len || part->closing)
		l7_copy(skb, p, part, part->closing);
	return 0;
}

/* ---- a packet */

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
