/* SPDX-License-Identifier: Apache-2.0 */
/* For fuzzers of parsers that take their input in pieces of any size: what comes out, as text, and pieces by chance. */
#ifndef WEIR_FUZZ_SPLIT_H
#define WEIR_FUZZ_SPLIT_H

#include "lib/vec.h"

struct log {
	VEC(char) text;
};

static inline void must(bool b)
{
	if (!b)
		abort();
}

static inline void log_add(struct log *l, const void *s, size_t len)
{
	must(vec_reserve(&l->text, len) == 0);
	if (len)
		memcpy(l->text.v + l->text.n, s, len);
	l->text.n += len;
}

static inline bool log_equal(const struct log *a, const struct log *b)
{
	return a->text.n == b->text.n && (!a->text.n || !memcmp(a->text.v, b->text.v, a->text.n));
}

static inline void log_done(struct log *l)
{
	free(l->text.v);
}

/* How many of `left` bytes come next. way 0: all; 1: one; else by chance, which *state holds. */
static inline size_t split_next(uint8_t way, uint32_t *state, size_t left)
{
	if (way == 0)
		return left;
	*state = *state * 1103515245 + 12345 + way;
	return MIN(left, way == 1 ? (size_t)1 : 1 + (*state >> 16) % (1u << way % 10));
}

#endif
