/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of a process that lives two milliseconds: blocks of 16 bytes to 64 KiB in powers of two (their order), cut off
 * one array that is there from the start, then off chunks from the kernel; what is freed is handed out again, and never
 * given back. musl's own malloc maps and unmaps pages as it goes, 15 times for an ADD, which took a twelfth of its
 * time. For one thread. A block that is freed twice, or whose header was written over, ends the program.
 */
#ifndef WEIR_CNI_HEAP_H
#define WEIR_CNI_HEAP_H

#include "lib/macro.h"

/* Aligned for any type, not zeroed. NULL and ENOMEM: out of memory. */
void *heap_alloc(size_t n);
/* As realloc(): p may be NULL; when it fails, p stays. */
void *heap_resize(void *p, size_t n);
/* p may be NULL. */
void heap_free(void *p);

#endif
