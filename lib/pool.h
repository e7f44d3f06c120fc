/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of memory of one size that come and go all the time, on one thread: what was given back last, and still is in
 * the CPU's cache, is taken first. Under AddressSanitizer everything goes back to the allocator, which sees its abuse.
 *
 *   static struct pool pool = POOL(sizeof(struct thing), 1024);
 */
#ifndef WEIR_LIB_POOL_H
#define WEIR_LIB_POOL_H

#include <stdlib.h>

struct pool_piece {
	struct pool_piece *next;
};

struct pool {
	size_t size;
	unsigned n, max; /* pieces that are kept */
	struct pool_piece *first;
};

#if defined(__SANITIZE_ADDRESS__)
#define POOL_KEEPS 0
#elif defined(__has_feature) /* clang */
#define POOL_KEEPS (!__has_feature(address_sanitizer))
#else
#define POOL_KEEPS 1
#endif

/* elem: size of a piece; most: so many are kept. */
#define POOL(elem, most) ((struct pool){ .size = (elem), .max = POOL_KEEPS ? (most) : 0 })

/* As malloc(). */
static inline void *pool_take(struct pool *p)
{
	struct pool_piece *piece = p->first;

	if (!piece)
		return malloc(p->size);
	p->first = piece->next;
	p->n--;
	return piece;
}

static inline void pool_give(struct pool *p, void *v)
{
	struct pool_piece *piece = v;

	if (p->n == p->max) {
		free(v);
		return;
	}
	piece->next = p->first;
	p->first = piece;
	p->n++;
}

#endif
