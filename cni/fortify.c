// SPDX-License-Identifier: Apache-2.0
/*
 * weir-cni is linked against musl for its quick start. Debian's static jansson was compiled for glibc with checked
 * string functions, the only three of its symbols that musl has not: here they are.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef __GLIBC__ /* known after the first header */

int __vsnprintf_chk(char *s, size_t n, int flag, size_t size, const char *fmt, va_list ap);
int __snprintf_chk(char *s, size_t n, int flag, size_t size, const char *fmt, ...);
char *__strncpy_chk(char *dst, const char *src, size_t n, size_t size);

int __vsnprintf_chk(char *s, size_t n, int flag, size_t size, const char *fmt, va_list ap)
{
	(void)flag;
	if (n > size)
		abort();
	return vsnprintf(s, n, fmt, ap);
}

int __snprintf_chk(char *s, size_t n, int flag, size_t size, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = __vsnprintf_chk(s, n, flag, size, fmt, ap);
	va_end(ap);
	return r;
}

char *__strncpy_chk(char *dst, const char *src, size_t n, size_t size)
{
	if (n > size)
		abort();
	return strncpy(dst, src, n);
}
#endif
