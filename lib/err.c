// SPDX-License-Identifier: Apache-2.0
#include "lib/err.h"

#include <stdarg.h>

/* Takes off what is left of a letter (UTF-8) where text was cut. */
static void end_with_a_letter(char *s)
{
	size_t len = strlen(s), at = len;
	uint8_t lead;

	while (at > 0 && len - at < 3 && ((uint8_t)s[at - 1] & 0xc0) == 0x80)
		at--;
	if (!at)
		return;
	lead = s[--at];
	if (len - at < (lead < 0xc0 ? 1u : lead < 0xe0 ? 2u : lead < 0xf0 ? 3u : 4u))
		s[at] = 0;
}

int err_set(struct err *reterr, int code, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!reterr)
		return code;
	if (code < 0)
		errno = -code; /* for %m */
	va_start(ap, fmt);
	n = vsnprintf(reterr->msg, sizeof(reterr->msg), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(reterr->msg))
		end_with_a_letter(reterr->msg);
	return code;
}

int err_prefix(struct err *reterr, int code, const char *fmt, ...)
{
	char old[sizeof(reterr->msg) / 2], prefix[sizeof(old) - 2] = "";
	va_list ap;
	int n;

	if (!reterr)
		return code;
	if (snprintf(old, sizeof(old), "%s", reterr->msg) >= (int)sizeof(old))
		end_with_a_letter(old);
	va_start(ap, fmt);
	n = vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(prefix))
		end_with_a_letter(prefix);
	snprintf(reterr->msg, sizeof(reterr->msg), "%s: %s", prefix, old);
	return code;
}

int err_oom(struct err *reterr)
{
	return err_set(reterr, -ENOMEM, "out of memory");
}
