/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a file, plain or compressed by gzip, as they come. */
#ifndef WEIR_LINES_H
#define WEIR_LINES_H

#include "lib/err.h"

#define LINES_MAX (16 << 20) /* bytes of one line */

struct lines;
/* "-": stdin. on_wait (may be NULL) is called before each read, which may take its time; negative ends the reading. */
int lines_open(const char *path, int (*on_wait)(void *userdata), void *userdata, struct lines **ret_lines,
	       struct err *reterr);
void lines_close(struct lines *l);
DEFINE_CLEANUP(struct lines *, lines_close);

/*
 * The next line without its end, valid until the next call: 1; 0 at the end of the file; -E2BIG: the line is too long,
 * the one behind it is next; another error ends the reading. number counts from 1.
 */
int lines_next(struct lines *l, const char **ret_line, size_t *ret_len, struct err *reterr);
uint64_t lines_number(const struct lines *l);

#endif
