/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HTTP/2: a walk over the heads of a packet's frames, which tell what of it may be left out. */
#ifndef WEIR_BPF_L7_FRAMES_H
#define WEIR_BPF_L7_FRAMES_H

#include "bpf/l7_copy.h"

#define H2_PREFACE 24
#define H2_FRAME_HEAD 9
#define H2_STEPS_MAX 16384      /* of one packet: more frames than it can hold, and more */
#define H2_HOLES_MAX 16         /* of one packet */
#define H2_WHOLE_MAX (64 << 10) /* no frame with headers is larger: none that the agent reads */
enum { H2_DATA = 0, H2_HEADERS = 1 };

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

#endif
