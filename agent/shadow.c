// SPDX-License-Identifier: Apache-2.0
#include "agent/shadow.h"

#include <bpf/bpf.h>

/* An entry: mark (8 bytes with what says whether it lives), key, value. */
struct head {
	uint32_t live, mark;
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
	free(s->entries);
	free(s->index);
	shadow_init(s, s->key_size, s->val_size);
}

static struct head *entry_at(const struct shadow *s, size_t i)
{
	return (struct head *)(s->entries + i * s->stride);
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

static bool is_entry(const struct shadow *s, struct head *h, const void *key)
{
	return h->live && !memcmp(key_of(h), key, s->key_size);
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

/* Its place in the index, or the free one where it would be. Graves keep theirs, so that nothing behind them is lost.
 */
static uint32_t *place(const struct shadow *s, const void *key)
{
	size_t i = hash(s, key), mask = s->capacity * 2 - 1;

	while (s->index[i & mask] && !is_entry(s, entry_at(s, s->index[i & mask] - 1), key))
		i++;
	return &s->index[i & mask];
}

static struct head *find(struct shadow *s, const void *key)
{
	while (s->next < s->used && !entry_at(s, s->next)->live)
		s->next++;
	if (s->next == s->used || !is_entry(s, entry_at(s, s->next), key)) {
		uint32_t at = s->capacity ? *place(s, key) : 0;

		if (!at)
			return NULL;
		s->next = at - 1;
	}
	return entry_at(s, s->next++);
}

/* Without the graves. */
static int grow(struct shadow *s)
{
	struct shadow bigger = *s;

	if (s->used < s->capacity)
		return 0;
	bigger.capacity = 16;
	while (bigger.capacity * 3 < (s->n + 1) * 4)
		bigger.capacity *= 2;
	bigger.entries = calloc(bigger.capacity, s->stride);
	bigger.index = calloc(bigger.capacity * 2, sizeof(*bigger.index));
	if (!bigger.entries || !bigger.index) {
		free(bigger.entries);
		free(bigger.index);
		return -ENOMEM;
	}
	bigger.used = bigger.next = 0;
	for (size_t i = 0; i < s->used; i++) {
		struct head *h = entry_at(s, i);

		if (!h->live)
			continue;
		*place(&bigger, key_of(h)) = bigger.used + 1;
		memcpy(entry_at(&bigger, bigger.used++), h, s->stride);
	}
	free(s->entries);
	free(s->index);
	*s = bigger;
	return 0;
}

void *shadow_get(struct shadow *s, const void *key)
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
		*place(s, key) = s->used + 1;
		h = entry_at(s, s->used++);
		s->n++;
		h->live = true;
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
	h->live = false;
	s->n--;
}

bool shadow_next(const struct shadow *s, size_t *cursor, const void **ret_key, void **ret_val)
{
	while (*cursor < s->used) {
		struct head *h = entry_at(s, (*cursor)++);

		if (h->live) {
			*ret_key = key_of(h);
			*ret_val = val_of(s, h);
			return true;
		}
	}
	return false;
}

int shadow_read(struct shadow *s, int map_fd, struct err *reterr)
{
	uint8_t key[64], next[64], val[64];
	void *prev = NULL;

	while (bpf_map_get_next_key(map_fd, prev, next) == 0) {
		if (bpf_map_lookup_elem(map_fd, next, val) == 0 && shadow_set(s, next, val, 0) < 0)
			return err_oom(reterr);
		memcpy(key, next, sizeof(key));
		prev = key;
	}
	return errno == ENOENT ? 0 : err_set(reterr, -errno, "cannot read a map: %m");
}

void shadow_sweep(struct shadow *s, int map_fd, uint32_t mark)
{
	const void *key;
	void *val;

	for (size_t i = 0; shadow_next(s, &i, &key, &val);)
		if (shadow_mark_of(s, val) != mark && (bpf_map_delete_elem(map_fd, key) == 0 || errno == ENOENT))
			shadow_del(s, key);
}
