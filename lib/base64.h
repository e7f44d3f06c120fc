/* SPDX-License-Identifier: Apache-2.0 */
/* Base64, letter by letter. */
#ifndef WEIR_LIB_BASE64_H
#define WEIR_LIB_BASE64_H

#include "lib/macro.h"

/* Zeroed: at the beginning. */
struct base64 {
	uint32_t bits;
	unsigned have; /* of them: not handed out yet */
};

/* The six bits that a letter stands for, or -1. */
static inline int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* The byte that this letter completes, or -1. Padding ends a part, and another may begin; what is no letter is passed
 * over. */
static inline int base64_next(struct base64 *b, char c)
{
	int v = base64_digit(c);

	if (v < 0) {
		if (c == '=')
			*b = (struct base64){};
		return -1;
	}
	b->bits = b->bits << 6 | (uint32_t)v;
	b->have += 6;
	if (b->have < 8)
		return -1;
	b->have -= 8;
	return b->bits >> b->have & 0xff;
}

#endif
