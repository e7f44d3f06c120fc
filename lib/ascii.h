/* SPDX-License-Identifier: Apache-2.0 */
/* Letters, eight at a time. */
#ifndef WEIR_LIB_ASCII_H
#define WEIR_LIB_ASCII_H

#include "lib/macro.h"

/* Are these eight? Carries err to caution. */
static inline bool ascii_printable8(const uint8_t *s)
{
	const uint64_t ones = 0x0101010101010101, tops = ones << 7;
	uint64_t w;

	memcpy(&w, s, sizeof(w));
	/* A top bit each where a byte is below 0x20, is 0x7f, or has its own top bit set. */
	return !(((w - ones * 0x20) | (w + ones) | w) & tops);
}

/* How many of the first bytes are printable ASCII (0x20 to 0x7e): most often all. */
static inline size_t ascii_printable(const uint8_t *s, size_t len)
{
	size_t i = 0;

	while (i + 8 <= len && ascii_printable8(s + i))
		i += 8;
	if (i && i < len && i + 8 > len && ascii_printable8(s + len - 8))
		return len;
	while (i < len && s[i] >= 0x20 && s[i] < 0x7f)
		i++;
	return i;
}

#endif
