/* SPDX-License-Identifier: Apache-2.0 */
/* A growing array: struct { size_t n, size; T *v; }. Zeroed = empty; free(v) ends it. */
#ifndef WEIR_LIB_VEC_H
#define WEIR_LIB_VEC_H

#include "lib/macro.h"

#define VEC(T)                  \
	struct {                \
		size_t n, size; \
		T *v;           \
	}

/* Room for `more` elements: 0 or -ENOMEM. *v is the array's pointer, which may move. */
static inline int vec_reserve_(void **v, size_t n, size_t *size, size_t more, size_t elem)
{
	size_t want = MAX(n + more, *size * 2);
	void *p;

	if (n + more <= *size)
		return 0;
	p = reallocarray(*v, MAX(want, (size_t)4), elem);
	if (!p)
		return -ENOMEM;
	*v = p;
	*size = MAX(want, (size_t)4);
	return 0;
}
#define vec_reserve(vec, more) vec_reserve_((void **)&(vec)->v, (vec)->n, &(vec)->size, (more), sizeof(*(vec)->v))
/* 0 or -ENOMEM. */
#define vec_add(vec, ...)                                   \
	({                                                  \
		int _r = vec_reserve(vec, 1);               \
		if (!_r)                                    \
			(vec)->v[(vec)->n++] = __VA_ARGS__; \
		_r;                                         \
	})

#endif
