/* SPDX-License-Identifier: Apache-2.0 */
/* Reading binary fields one after the other: a read past the end gives zeros and marks the cursor bad, once and for
 * all. */
#ifndef WEIR_L7_CURSOR_H
#define WEIR_L7_CURSOR_H

#include "lib/macro.h"

struct cursor {
	const uint8_t *data;
	size_t len, pos;
	bool bad;
};

static inline size_t cursor_left(const struct cursor *c)
{
	return c->len - c->pos;
}

/* The next n bytes, or NULL. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	c->bad = c->bad || n > cursor_left(c);
	if (c->bad)
		return NULL;
	c->pos += n;
	return c->data + c->pos - n;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	uint32_t high = cursor_u16(c);

	return high << 16 | cursor_u16(c);
}

/* The next n bytes as a cursor of their own; a bad one if they are not there. */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_take(c, n);

	return (struct cursor){ .data = p, .len = p ? n : 0, .bad = !p };
}

#endif
