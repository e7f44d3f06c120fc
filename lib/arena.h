/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is freed all at once: what belongs to one immutable object. Always zeroed, aligned for any type. */
#ifndef WEIR_LIB_ARENA_H
#define WEIR_LIB_ARENA_H

#include "lib/macro.h"

struct arena {
	struct arena_chunk *chunks;
	size_t used; /* of the newest chunk */
};

/* NULL when out of memory. */
void *arena_alloc(struct arena *a, size_t n, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_strdup(struct arena *a, const char *s);
void arena_done(struct arena *a);

#endif
