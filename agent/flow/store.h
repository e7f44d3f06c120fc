/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recent flows: a ring of fixed size. Readers have positions of their own (struct flow_cursor) and cost the store
 * nothing; one that is overtaken is told exactly how many flows it did not get.
 */
#ifndef WEIR_FLOW_STORE_H
#define WEIR_FLOW_STORE_H

#include "agent/flow/flow.h"

#define FLOW_STORE_DEFAULT 65535
/* Bytes of records of layer 7: what they say is chosen by strangers. When there are more, the oldest flows go. */
#define FLOW_STORE_L7_MAX (64ul * 1024 * 1024)

struct flow_store;
/* Memory for capacity flows is reserved now and used as flows come. -ENOMEM. */
int flow_store_new(size_t capacity, struct flow_store **ret_store);
void flow_store_free(struct flow_store *s);
DEFINE_CLEANUP(struct flow_store *, flow_store_free);

/* Copies *f and gives it the next number; the references in *f become the store's. */
void flow_store_add(struct flow_store *s, const struct flow *f);
/* count records of this kind were lost; cpu -1: not known. Losses of one kind are gathered for a second, then readers
 * get them as one, in their place between the flows. now_ns: CLOCK_REALTIME, as struct flow.time_ns. */
void flow_store_note_loss(struct flow_store *s, enum flow_loss kind, uint64_t count, int cpu, uint64_t now_ns);

/* Flows have the numbers first … next - 1. */
uint64_t flow_store_first(const struct flow_store *s);
uint64_t flow_store_next(const struct flow_store *s);
size_t flow_store_capacity(const struct flow_store *s);
uint64_t flow_store_lost(const struct flow_store *s, enum flow_loss kind); /* total noted; _STORE: told to readers */
/* NULL: not there, or no longer. Valid until the next flow_store_add. */
const struct flow *flow_store_get(const struct flow_store *s, uint64_t seq);

/* Call wake(userdata) at the next flow or loss, once. NULL disarms. */
void flow_store_arm(struct flow_store *s, void (*wake)(void *userdata), void *userdata);
/* True while a loss is being gathered: readers must look again in a second though no flow comes. */
bool flow_store_gathering(const struct flow_store *s, uint64_t now_ns);

struct flow_cursor {
	uint64_t next;     /* number of the flow to read next */
	uint64_t note;     /* loss note to read next */
	uint64_t overrun;  /* flows overwritten before they were read, not reported yet */
	uint64_t reported; /* time of the last report of these */
};

/* Start reading at flow seq, which may be gone, or flow_store_next(): nothing but what is new. A loss that is being
 * gathered is reported as a whole. */
struct flow_cursor flow_cursor_at(const struct flow_store *s, uint64_t seq, uint64_t now_ns);

enum flow_item_kind { FLOW_ITEM_NONE, FLOW_ITEM_FLOW, FLOW_ITEM_LOST };
struct flow_item {
	enum flow_item_kind kind;
	const struct flow *flow; /* valid until the next flow_store_add */
	struct flow_lost {
		enum flow_loss kind;
		uint64_t count;
		int cpu; /* -1: not known */
		uint64_t first_ns, last_ns;
	} lost;
};

/* The next item for this reader; NONE: none for now. Losses are reported at most once a second per kind; final: there
 * is no later time, report what is known. */
struct flow_item flow_cursor_read(struct flow_store *s, struct flow_cursor *c, uint64_t now_ns, bool final);

#endif
