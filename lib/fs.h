/* SPDX-License-Identifier: Apache-2.0 */
/* Small files that must never be seen half written. */
#ifndef WEIR_FS_H
#define WEIR_FS_H

#include <sys/types.h>

#include "lib/err.h"

int fs_mkdir_p(const char *path, mode_t mode);

/*
 * Whole or not at all, by way of "<dir>/.<name>" and a rename. exclusive: -EEXIST when the file, or what a writer
 * that was killed left of it, is already there. A missing folder is made, with mode 0700. No fsync: what these files
 * describe does not survive the machine's end either.
 */
int fs_write(const char *dir, const char *name, const void *data, size_t len, bool exclusive, struct err *reterr);
/* Removes it and what a killed writer left of it. 0 also when there was none. */
int fs_remove(const char *dir, const char *name, struct err *reterr);
/* The whole of a descriptor, NUL-terminated; -EFBIG when it is longer than max. Caller frees. */
int fs_read_fd(int fd, size_t max, char **ret_data, size_t *ret_len);

#endif
