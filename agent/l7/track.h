/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections whose payload is read: excerpts in any order become two ordered streams for a parser each. Pure: no
 * kernel, no clock, no thread; what goes out goes through struct track_params.
 */
#ifndef WEIR_L7_TRACK_H
#define WEIR_L7_TRACK_H

#include "agent/l7/proto.h"

struct track;

struct track_params {
	const struct l7_settings *settings;
	size_t memory_max;      /* bytes, of all connections together */
	size_t connections_max; /* beyond either, the least recently used goes */
	void *userdata;
	/* Which parser reads what the datapath calls `l7`, over IPPROTO_... NULL: none. */
	const struct l7_proto *(*proto)(enum weir_l7 l7, uint8_t ipproto);
	/* A record; it is the callee's. */
	void (*emit)(void *userdata, struct l7_record *r);
	/* What the datapath need not copy of a connection, and what it must. NULL: nothing special any more. What it is
	 * to ignore is ignored until the connection's end. */
	void (*wish)(void *userdata, const struct weir_ct_key *key, const struct weir_l7_want *want);
};

struct track_stats {
	uint64_t gaps, gap_bytes; /* holes that were neither asked for nor budget */
	uint64_t connections;     /* now */
	uint64_t evicted;         /* thrown out for want of room */
	uint64_t memory;          /* now */
};

struct track *track_new(const struct track_params *params); /* NULL: out of memory */
/* Ends all connections; what they have not told they emit now. */
void track_free(struct track *t);
DEFINE_CLEANUP(struct track *, track_free);

/* data: the x->len bytes. */
void track_excerpt(struct track *t, const struct weir_l7_excerpt *x, const uint8_t *data);
/* Every second. now_ns: CLOCK_MONOTONIC. */
void track_tick(struct track *t, uint64_t now_ns);
struct track_stats track_stats(const struct track *t);

#endif
