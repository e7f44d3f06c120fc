// SPDX-License-Identifier: Apache-2.0
#include "cni/heap.h"

#include <sys/mman.h>

#define FIRST_SIZE (256u << 10)
#define CHUNK_SIZE (1u << 20)
#define SHIFT 4   /* log2 of the smallest block */
#define ORDERS 13 /* up to 64 KiB */
#define MAPPED ORDERS
#define IN_USE 0x77656972u
#define FREED 0x66726565u

struct block {
	uint32_t state, order; /* MAPPED: a mapping of its own */
	union {
		size_t size;        /* IN_USE: what fits */
		struct block *next; /* FREED */
	};
	_Alignas(max_align_t) char data[];
};
_Static_assert(sizeof(struct block) == 16, "a block's data is aligned as the block is");

static _Alignas(max_align_t) char first[FIRST_SIZE];
static char *at = first, *end = first + FIRST_SIZE;
static struct block *freed[ORDERS];

static void *map(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* What is left of a chunk when a block does not fit is lost. */
static struct block *cut(size_t n)
{
	struct block *b;

	if ((size_t)(end - at) < n) {
		char *chunk = map(CHUNK_SIZE);

		if (!chunk)
			return NULL;
		at = chunk;
		end = chunk + CHUNK_SIZE;
	}
	b = (struct block *)at;
	at += n;
	return b;
}

static uint32_t order_of(size_t n)
{
	uint32_t order = 0;

	while (order < ORDERS && n > (size_t)1 << (order + SHIFT))
		order++;
	return order;
}

void *heap_alloc(size_t n)
{
	uint32_t order = order_of(n);
	struct block *b = NULL;

	if (order == MAPPED) {
		if (n < PTRDIFF_MAX)
			b = map(sizeof(*b) + n);
	} else if (freed[order]) {
		b = freed[order];
		freed[order] = b->next;
		if (b->state != FREED)
			abort();
	} else {
		n = (size_t)1 << (order + SHIFT);
		b = cut(sizeof(*b) + n);
	}
	if (!b) {
		errno = ENOMEM;
		return NULL;
	}
	b->state = IN_USE;
	b->order = order;
	b->size = order == MAPPED ? n : (size_t)1 << (order + SHIFT);
	return b->data;
}

static struct block *block_of(void *p)
{
	struct block *b = (struct block *)((char *)p - sizeof(*b));

	if (b->state != IN_USE || b->order > MAPPED)
		abort();
	return b;
}

void heap_free(void *p)
{
	struct block *b;

	if (!p)
		return;
	b = block_of(p);
	if (b->order == MAPPED) {
		munmap(b, sizeof(*b) + b->size);
		return;
	}
	b->state = FREED;
	b->next = freed[b->order];
	freed[b->order] = b;
}

void *heap_resize(void *p, size_t n)
{
	size_t size = p ? block_of(p)->size : 0;
	void *q;

	if (p && n <= size)
		return p;
	q = heap_alloc(n);
	if (q && p) {
		memcpy(q, p, size);
		heap_free(p);
	}
	return q;
}

#ifndef __GLIBC__ /* as fortify.c: weir-cni itself; tests link heap_*() beside a malloc that checks more */
void *malloc(size_t n)
{
	return heap_alloc(n);
}

void *calloc(size_t n, size_t size)
{
	size_t all;
	void *p;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	p = heap_alloc(all);
	return p ? memset(p, 0, all) : NULL;
}

void *realloc(void *p, size_t n)
{
	return heap_resize(p, n);
}

void free(void *p)
{
	heap_free(p);
}
#endif
