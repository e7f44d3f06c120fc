// SPDX-License-Identifier: Apache-2.0
#include "lib/arena.h"

#define CHUNK_SIZE 480 /* with malloc's own word: a pod of usual size in one or two */
#define ALIGN sizeof(max_align_t)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	max_align_t data[];
};

static int arena_grow(struct arena *a, size_t size)
{
	size_t n = MAX(size, (size_t)CHUNK_SIZE);
	struct arena_chunk *c = calloc(1, sizeof(*c) + n);

	if (!c)
		return -ENOMEM;
	c->size = n;
	c->next = a->chunks;
	a->chunks = c;
	a->used = 0;
	return 0;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
		return NULL;
	bytes = (MAX(bytes, (size_t)1) + ALIGN - 1) / ALIGN * ALIGN;
	if ((!a->chunks || a->chunks->size - a->used < bytes) && arena_grow(a, bytes) < 0)
		return NULL;
	p = (char *)a->chunks->data + a->used;
	a->used += bytes;
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_alloc(a, len + 1, 1);

	if (copy)
		memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

void arena_done(struct arena *a)
{
	struct arena_chunk *next;

	for (struct arena_chunk *c = a->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	*a = (struct arena){};
}
