// SPDX-License-Identifier: Apache-2.0
#include "agent/shadow.h"

enum { EMPTY = 0, LIVE = 1, GRAVE = 2 };

/* A slot: state and mark (8 bytes), key, value. */
struct head {
	uint32_t state, mark;
};

void shadow_init(struct shadow *s, size_t key_size, size_t val_size)
{
	*s = (struct shadow){
		.key_size = key_size,
		.val_size = val_size,
		.stride = sizeof(struct head) + ((key_size + 7) & ~7ul) + ((val_size + 7) & ~7ul),
	};
}

void shadow_done(struct shadow *s)
{
	free(s->slots);
	shadow_init(s, s->key_size, s->val_size);
}

static struct head *slot_at(const struct shadow *s, size_t i)
{
	return (struct head *)(s->slots + i * s->stride);
}

static void *key_of(struct head *h)
{
	return h + 1;
}

static void *val_of(const struct shadow *s, struct head *h)
{
	return (uint8_t *)(h + 1) + ((s->key_size + 7) & ~7ul);
}

static struct head *head_of(const struct shadow *s, const void *val)
{
	return (struct head *)((uint8_t *)val - ((s->key_size + 7) & ~7ul)) - 1;
}

/* The keys are the node's own: nobody outside chooses collisions. */
static size_t hash(const struct shadow *s, const void *key)
{
	uint64_t h = s->key_size, word;
	size_t i = 0;

	for (; i + 8 <= s->key_size; i += 8) {
		memcpy(&word, (const uint8_t *)key + i, 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	word = 0;
	memcpy(&word, (const uint8_t *)key + i, s->key_size - i);
	h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static struct head *find(const struct shadow *s, const void *key)
{
	if (!s->capacity)
		return NULL;
	for (size_t i = hash(s, key);; i++) {
		struct head *h = slot_at(s, i & (s->capacity - 1));

		if (h->state == EMPTY)
			return NULL;
		if (h->state == LIVE && !memcmp(key_of(h), key, s->key_size))
			return h;
	}
}

static struct head *free_slot(const struct shadow *s, const void *key)
{
	size_t i = hash(s, key);

	while (slot_at(s, i & (s->capacity - 1))->state == LIVE)
		i++;
	return slot_at(s, i & (s->capacity - 1));
}

static int grow(struct shadow *s)
{
	struct shadow bigger = *s;

	if (s->capacity && (s->used + 1) * 4 <= s->capacity * 3)
		return 0;
	bigger.capacity = 16;
	while (bigger.capacity < (s->n + 1) * 2)
		bigger.capacity *= 2;
	bigger.slots = calloc(bigger.capacity, s->stride);
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < s->capacity; i++)
		if (slot_at(s, i)->state == LIVE)
			memcpy(free_slot(&bigger, key_of(slot_at(s, i))), slot_at(s, i), s->stride);
	bigger.used = s->n;
	free(s->slots);
	*s = bigger;
	return 0;
}

void shadow_prefetch(const struct shadow *s, const void *key)
{
	if (s->capacity)
		__builtin_prefetch(slot_at(s, hash(s, key) & (s->capacity - 1)));
}

void *shadow_get(const struct shadow *s, const void *key)
{
	struct head *h = find(s, key);

	return h ? val_of(s, h) : NULL;
}

int shadow_set(struct shadow *s, const void *key, const void *val, uint32_t mark)
{
	struct head *h = find(s, key);

	if (!h) {
		if (grow(s) < 0)
			return -ENOMEM;
		h = free_slot(s, key);
		s->used += h->state == EMPTY;
		s->n++;
		h->state = LIVE;
		memcpy(key_of(h), key, s->key_size);
	}
	h->mark = mark;
	memcpy(val_of(s, h), val, s->val_size);
	return 0;
}

void shadow_mark(const struct shadow *s, void *val, uint32_t mark)
{
	head_of(s, val)->mark = mark;
}

uint32_t shadow_mark_of(const struct shadow *s, const void *val)
{
	return head_of(s, val)->mark;
}

void shadow_del(struct shadow *s, const void *key)
{
	struct head *h = find(s, key);

	if (!h)
		return;
	h->state = GRAVE;
	s->n--;
}

bool shadow_next(const struct shadow *s, size_t *cursor, const void **ret_key, void **ret_val)
{
	while (*cursor < s->capacity) {
		struct head *h = slot_at(s, (*cursor)++);

		if (h->state == LIVE) {
			*ret_key = key_of(h);
			*ret_val = val_of(s, h);
			return true;
		}
	}
	return false;
}
