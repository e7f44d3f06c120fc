/* SPDX-License-Identifier: Apache-2.0 */
/* Cleanup attributes and small helpers that every C file of the three programs uses. */
#ifndef WEIR_MACRO_H
#define WEIR_MACRO_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))
#define _cleanup_(f) __attribute__((cleanup(f)))
#define streq(a, b) (strcmp((a), (b)) == 0)

/* Hand an owned value over: the variable no longer owns it. */
#define TAKE(var, nothing)                      \
	({                                      \
		__typeof__(var) _taken = (var); \
		(var) = (nothing);              \
		_taken;                         \
	})
#define TAKE_PTR(p) TAKE(p, NULL)
#define TAKE_FD(fd) TAKE(fd, -1)

/* DEFINE_CLEANUP(struct foo *, foo_free) gives `_cleanup_(foo_freep) struct foo *f = NULL;` */
#define DEFINE_CLEANUP(type, func)                   \
	static inline _unused_ void func##p(type *p) \
	{                                            \
		if (*p)                              \
			func(*p);                    \
	}

static inline void weir_freep(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(weir_freep)

/* Closes without touching errno; always returns -1, so that `fd = close_fd(fd)` marks it closed. */
static inline int close_fd(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return -1;
}
static inline void weir_closep(int *fd)
{
	close_fd(*fd);
}
#define _cleanup_close_ _cleanup_(weir_closep)

static inline void weir_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define _cleanup_fclose_ _cleanup_(weir_fclosep)

static inline bool str_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

#endif
