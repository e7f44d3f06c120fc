/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces by path. The calling thread is back in its own when a function returns, or the program ends. */
#ifndef WEIR_NETNS_H
#define WEIR_NETNS_H

#include "lib/err.h"

/* Close-on-exec descriptor; -ENOENT: no such path; -EINVAL: not a network namespace. */
int netns_open(const char *path, struct err *reterr);
/* Is it the one that the caller is in? */
bool netns_is_own(int fd);
/* Go there, keeping in *ret_own the way back. */
int netns_enter(int fd, int *ret_own, struct err *reterr);
/* Back, and closes own. Ends the program when that fails: going on would change the wrong network. */
void netns_leave(int own);

#endif
