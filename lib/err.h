/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors with their story. A function that can fail returns a negative errno and may take a `struct err *reterr`
 * as its last argument, which it fills only on failure; library code never prints.
 *
 *	if (fd < 0)
 *		return err_set(reterr, -errno, "cannot open %s: %m", path);
 *	r = parse(fd, &v, reterr);
 *	if (r < 0)
 *		return err_prefix(reterr, r, "%s", path);        // "path: story of parse"
 */
#ifndef WEIR_ERR_H
#define WEIR_ERR_H

#include "lib/macro.h"

struct err {
	char msg[1024];
};

/*
 * Both return `code`, so that they stand in a return statement. reterr may be NULL. %m is the code's text or, where the
 * code is no negative errno (enum cni_code), that of errno as it stands.
 */
int err_set(struct err *reterr, int code, const char *fmt, ...) _printf_(3, 4);
int err_prefix(struct err *reterr, int code, const char *fmt, ...) _printf_(3, 4);
int err_oom(struct err *reterr);

#endif
