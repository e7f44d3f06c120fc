/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a BPF map holds, remembered: the map writer's other half of every difference. Keys and values of fixed size, in
 * the order in which they came, and a hash table to find them. Who asks for them in that order again, as one pass after
 * the other does, finds each behind the one before: memory is read from front to back, and nothing is hashed. An entry
 * is marked by the pass that wants it; what the latest pass did not mark can be swept.
 */
#ifndef WEIR_AGENT_SHADOW_H
#define WEIR_AGENT_SHADOW_H

#include "lib/err.h"
#include "lib/macro.h"

struct shadow {
	size_t key_size, val_size, stride;
	size_t n;              /* entries that live */
	size_t used, capacity; /* entries and graves; room for them */
	size_t next;           /* where the entry asked for next is expected */
	uint8_t *entries;
	uint32_t *index; /* by hash: 1 + number of an entry, or 0; twice as many as capacity, a power of two */
};

void shadow_init(struct shadow *s, size_t key_size, size_t val_size);
void shadow_done(struct shadow *s);

/* NULL: not there. The value may be changed through the pointer, which the next shadow_set may move. */
void *shadow_get(struct shadow *s, const void *key);
/* -ENOMEM. An entry that is there gets the new value and mark. */
int shadow_set(struct shadow *s, const void *key, const void *val, uint32_t mark);
void shadow_mark(const struct shadow *s, void *val, uint32_t mark);
uint32_t shadow_mark_of(const struct shadow *s, const void *val);
void shadow_del(struct shadow *s, const void *key);

/* Iterate: start with *cursor = 0; false at the end. Deleting the entry that was just returned is fine. */
bool shadow_next(const struct shadow *s, size_t *cursor, const void **ret_key, void **ret_val);

/* Remembers what a map holds, with mark 0. */
int shadow_read(struct shadow *s, int map_fd, struct err *reterr);
/* Deletes everything with another mark, from the map, too. What cannot be deleted stays in both. */
void shadow_sweep(struct shadow *s, int map_fd, uint32_t mark);

#endif
