/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a TCP connection, put in order. Pure: pieces with sequence numbers and times go in, in any order and
 * more than once; bytes and holes come out, each once and in order. Of two copies the first to come is passed on.
 *
 * A hole is meant when it was asked for (skip) or when the copying of a packet stopped where it begins (budget): it is
 * passed on as soon as something behind it is known. Any other one is waited for: STREAM_WAIT_NS, or until
 * STREAM_HELD_MAX bytes of memory are held behind it.
 */
#ifndef WEIR_L7_STREAM_H
#define WEIR_L7_STREAM_H

#include "lib/macro.h"

#define STREAM_WAIT_NS 200000000ull
#define STREAM_HELD_MAX (64u * 1024)
#define STREAM_FAR (1 << 30) /* no window is larger: for what is before a piece so far ahead nobody waits */

struct stream_segment;

/* Zeroed = nothing seen yet. */
struct stream {
	uint64_t pos;     /* bytes and holes passed on */
	uint64_t skip;    /* what is before this position was not asked for */
	uint64_t sent_ns; /* when `sent` was learned */
	uint32_t next;    /* sequence number at pos */
	uint32_t sent;    /* the sender has come this far */
	uint32_t fin;     /* the sender ends here */
	uint32_t cut_end; /* has_cut: copying stopped at `next`, in a packet that ends here */
	uint32_t held;    /* bytes of memory of the segments that wait */
	struct stream_segment *first;
	bool started, has_fin, has_cut;
};

/* `total` bytes of the stream from seq on, of which the first `len` were copied. */
struct stream_piece {
	uint64_t ns;
	const uint8_t *data;
	uint32_t seq, len, total;
	bool fin; /* the stream ends behind it */
};

struct stream_sink {
	void *userdata;
	void (*data)(void *userdata, const uint8_t *data, size_t len, uint64_t ns);
	void (*gap)(void *userdata, uint64_t len, bool meant, uint64_t ns);
};

void stream_insert(struct stream *s, const struct stream_piece *p, const struct stream_sink *to);
/* Time goes by: holes that have waited long enough are passed on. */
void stream_expire(struct stream *s, uint64_t now_ns, const struct stream_sink *to);
/* Nothing that is missing will come: passes on everything up to where the sender is known to be. */
void stream_settle(struct stream *s, uint64_t now_ns, const struct stream_sink *to);
/* The receiver has everything before `ack`: what of that is missing will not come. */
void stream_ack(struct stream *s, uint32_t ack, uint64_t now_ns, const struct stream_sink *to);
/* Everything up to the end has been passed on. */
bool stream_ended(const struct stream *s);
void stream_done(struct stream *s);

/* From sequence number b to a: negative when a is before b. */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

#endif
