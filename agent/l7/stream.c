// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/stream.h"

struct stream_segment {
	struct stream_segment *next;
	uint64_t ns;
	uint32_t seq, len;
	uint32_t missing; /* bytes of its packet that follow and were not copied */
	uint8_t data[];
};
#define SEGMENT_COST (sizeof(struct stream_segment) + 16) /* with the allocator's share */

static uint32_t segment_end(const struct stream_segment *seg)
{
	return seg->seq + seg->len;
}

static void free_first(struct stream *s)
{
	struct stream_segment *seg = s->first;

	s->first = seg->next;
	s->held -= SEGMENT_COST + seg->len;
	free(seg);
}

void stream_done(struct stream *s)
{
	while (s->first)
		free_first(s);
}

static void pass_data(struct stream *s, const uint8_t *data, uint32_t len, uint64_t ns, const struct stream_sink *to)
{
	s->has_cut = false;
	s->next += len;
	s->pos += len;
	to->data(to->userdata, data, len, ns);
}

static void pass_gap(struct stream *s, uint32_t len, bool meant, uint64_t ns, const struct stream_sink *to)
{
	s->next += len;
	s->pos += len;
	to->gap(to->userdata, len, meant, ns);
}

/* Copying stopped at `next`: there is no telling yet whether the packet's next piece follows. */
static void mark_cut(struct stream *s, uint32_t missing)
{
	s->has_cut = missing > 0;
	s->cut_end = s->next + missing;
}

static void forget(struct stream_piece *p, uint32_t n)
{
	uint32_t copied = MIN(n, p->len);

	p->seq += n;
	p->total -= n;
	p->data += copied;
	p->len -= copied;
}

static struct stream_segment *segment_new(const struct stream_piece *p, uint32_t len)
{
	struct stream_segment *seg = malloc(sizeof(*seg) + len);

	if (!seg)
		return NULL;
	*seg = (struct stream_segment){ .ns = p->ns, .seq = p->seq, .len = len };
	if (len == p->len)
		seg->missing = p->total - len;
	memcpy(seg->data, p->data, len);
	return seg;
}

/* Keeps what no segment has yet. Out of memory: it is as if it had not come. */
static void hold(struct stream *s, struct stream_piece p)
{
	struct stream_segment **at = &s->first;

	while (p.len) {
		struct stream_segment *seg;
		uint32_t len;

		while (*at && seq_diff(segment_end(*at), p.seq) <= 0)
			at = &(*at)->next;
		if (*at && seq_diff((*at)->seq, p.seq) <= 0) {
			forget(&p, MIN(segment_end(*at) - p.seq, p.total));
			continue;
		}
		len = *at ? MIN(p.len, (*at)->seq - p.seq) : p.len;
		seg = segment_new(&p, len);
		if (!seg)
			return;
		seg->next = *at;
		*at = seg;
		s->held += SEGMENT_COST + len;
		forget(&p, len);
	}
}

/* Bytes from `next` on that are missing before something that is there, or before where the sender is. */
static uint32_t hole_len(const struct stream *s)
{
	uint32_t to = s->first ? s->first->seq : s->sent;

	return seq_diff(to, s->next) > 0 ? to - s->next : 0;
}

static uint64_t hole_since(const struct stream *s)
{
	return s->first ? s->first->ns : s->sent_ns;
}

/* The packet that was cut is over when something of a later one is known. */
static bool is_cut(const struct stream *s)
{
	return s->has_cut && (s->first || seq_diff(s->sent, s->cut_end) > 0);
}

/* How much of a hole is missing on purpose. */
static uint32_t meant_len(const struct stream *s, uint32_t hole)
{
	if (is_cut(s))
		return hole;
	return s->skip > s->pos ? MIN(hole, s->skip - s->pos) : 0;
}

/* Passes on what is ready. */
static void run(struct stream *s, uint64_t ns, const struct stream_sink *to)
{
	for (;;) {
		uint32_t hole = hole_len(s), meant = meant_len(s, hole);
		struct stream_segment *seg = s->first;

		if (meant) {
			pass_gap(s, meant, true, ns, to);
		} else if (!hole && seg) {
			pass_data(s, seg->data, seg->len, seg->ns, to);
			mark_cut(s, seg->missing);
			free_first(s);
		} else {
			return;
		}
	}
}

/* Of the hole that is next, at most `max` bytes. */
static void give_up(struct stream *s, uint32_t max, uint64_t ns, const struct stream_sink *to)
{
	pass_gap(s, MIN(hole_len(s), max), s->has_cut, ns, to);
	run(s, ns, to);
}

void stream_expire(struct stream *s, uint64_t now_ns, const struct stream_sink *to)
{
	while (hole_len(s) && (s->held > STREAM_HELD_MAX || now_ns >= hole_since(s) + STREAM_WAIT_NS))
		give_up(s, UINT32_MAX, now_ns, to);
}

void stream_settle(struct stream *s, uint64_t now_ns, const struct stream_sink *to)
{
	while (hole_len(s))
		give_up(s, UINT32_MAX, now_ns, to);
}

static void sent_to(struct stream *s, uint32_t seq, uint64_t ns)
{
	if (seq_diff(seq, s->sent) > 0) {
		s->sent = seq;
		s->sent_ns = ns;
	}
}

void stream_ack(struct stream *s, uint32_t ack, uint64_t now_ns, const struct stream_sink *to)
{
	if (s->has_fin && seq_diff(ack, s->fin) > 0)
		ack = s->fin; /* the FIN counts as a byte */
	if (!s->started || seq_diff(ack, s->next) > STREAM_FAR)
		return;
	sent_to(s, ack, now_ns);
	run(s, now_ns, to);
	while (hole_len(s) && seq_diff(ack, s->next) > 0)
		give_up(s, ack - s->next, now_ns, to);
}

static void begin(struct stream *s, const struct stream_piece *p, const struct stream_sink *to)
{
	if (!s->started) {
		s->started = true;
		s->next = s->sent = p->seq;
	}
	if (seq_diff(p->seq, s->next) > STREAM_FAR) {
		stream_settle(s, p->ns, to);
		if (seq_diff(p->seq, s->next) > 0) /* what was held may reach up to it, or beyond */
			pass_gap(s, p->seq - s->next, s->has_cut, p->ns, to);
		s->sent = s->next;
	}
}

static void learn(struct stream *s, const struct stream_piece *p)
{
	uint32_t end = p->seq + p->total;

	sent_to(s, end, p->ns);
	if (p->fin && !s->has_fin) {
		s->has_fin = true;
		s->fin = end;
	}
}

static void take_in_order(struct stream *s, struct stream_piece *p, const struct stream_sink *to)
{
	uint32_t len = s->first ? MIN(p->len, s->first->seq - p->seq) : p->len;
	const uint8_t *data = p->data;

	forget(p, len);
	pass_data(s, data, len, p->ns, to);
	if (!p->len)
		mark_cut(s, p->total);
}

void stream_insert(struct stream *s, const struct stream_piece *piece, const struct stream_sink *to)
{
	struct stream_piece p = *piece;

	begin(s, &p, to);
	learn(s, &p);
	if (seq_diff(p.seq, s->next) < 0)
		forget(&p, MIN(s->next - p.seq, p.total));
	if (p.seq == s->next && p.len) {
		take_in_order(s, &p, to);
	} else if (p.seq == s->next && !piece->len) { /* a whole packet that was not copied */
		s->has_cut = true;
		s->cut_end = s->next;
	}
	hold(s, p);
	run(s, p.ns, to);
	stream_expire(s, p.ns, to);
}

bool stream_ended(const struct stream *s)
{
	return s->has_fin && seq_diff(s->fin, s->next) <= 0;
}
