/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rings of payload, which live in WEIR_MAP_L7_RINGS: as many as there are CPUs when they are made, because of those
 * that may be most never are. A CPU that comes later writes into one of theirs: behind the last ring the first comes
 * again.
 */
#ifndef WEIR_L7_RINGS_H
#define WEIR_L7_RINGS_H

#include "lib/err.h"

struct l7_rings {
	int *fd; /* each ring once */
	size_t n;
};

/*
 * Those that are there, or new ones where there are none or an agent was killed while it made them. bytes: of all
 * together, a power of two; each has its share, but 256 KiB at least, unless all have less. -EEXIST: they have another
 * size, the text says what to do. On failure, too, l7_rings_close() takes back what is open.
 */
int l7_rings_open(int map_fd, uint32_t bytes, struct l7_rings *ret, struct err *reterr);
void l7_rings_close(struct l7_rings *rings);

#endif
