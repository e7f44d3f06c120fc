/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uthash that survives a failed allocation: after HASH_ADD…, hash_added(elem) says whether it is in the table. Its own
 * hash function goes byte by byte; keys here are addresses, ports and numbers: words, which a multiplication mixes well
 * enough. Where strangers choose the keys, the key holds a random seed.
 */
#ifndef WEIR_LIB_HASH_H
#define WEIR_LIB_HASH_H

#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline unsigned hash_bytes(const void *key, size_t len)
{
	const uint8_t *p = key;
	uint64_t h = len * 0x9e3779b97f4a7c15u, w = 0;

	for (; len >= sizeof(w); p += sizeof(w), len -= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		h = hash_mix(h ^ w, 0xd6e8feb86659fd93u);
	}
	if (len) {
		w = 0;
		memcpy(&w, p, len);
		h = hash_mix(h ^ w, 0xd6e8feb86659fd93u);
	}
	return (unsigned)(h ^ h >> 32);
}

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, len, hash) ((hash) = hash_bytes(key, len))
#include <uthash.h>

#define hash_added(elem) ((elem)->hh.tbl != NULL)

#endif
