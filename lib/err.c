// SPDX-License-Identifier: Apache-2.0
#include "lib/err.h"

#include <stdarg.h>

int err_set(struct err *reterr, int code, const char *fmt, ...)
{
	va_list ap;

	if (!reterr)
		return code;
	if (code < 0)
		errno = -code; /* for %m */
	va_start(ap, fmt);
	vsnprintf(reterr->msg, sizeof(reterr->msg), fmt, ap);
	va_end(ap);
	return code;
}

int err_prefix(struct err *reterr, int code, const char *fmt, ...)
{
	char old[sizeof(reterr->msg) / 2];
	va_list ap;
	int n;

	if (!reterr)
		return code;
	memcpy(old, reterr->msg, sizeof(old));
	old[sizeof(old) - 1] = 0;
	va_start(ap, fmt);
	n = vsnprintf(reterr->msg, sizeof(old) - 2, fmt, ap);
	va_end(ap);
	n = MAX(0, MIN(n, (int)sizeof(old) - 3));
	snprintf(reterr->msg + n, sizeof(reterr->msg) - n, ": %s", old);
	return code;
}

int err_oom(struct err *reterr)
{
	return err_set(reterr, -ENOMEM, "out of memory");
}
