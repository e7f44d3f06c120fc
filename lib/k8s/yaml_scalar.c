// SPDX-License-Identifier: Apache-2.0
/* What a plain YAML scalar stands for, by the rules of the reader that kubectl uses. */
#include <ctype.h>
#include <math.h>

#include "lib/k8s/text.h"
#include "lib/macro.h"

static bool one_of(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (streq(s, *list))
			return true;
	return false;
}

/* Digits of the base, with an optional sign; underscores are already gone. */
static bool read_integer(const char *s, long long *ret)
{
	const char *digits = s + (*s == '-' || *s == '+');
	int base = 10;
	char *end;

	if (digits[0] == '0' && digits[1]) {
		char c = digits[1] | 0x20;

		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		digits += base != 8 || c == 'o' ? 2 : 1;
	}
	if (!isalnum((unsigned char)*digits))
		return false;
	errno = 0;
	*ret = strtoll(digits, &end, base);
	if (errno || *end)
		return false;
	if (*s == '-')
		*ret = -*ret;
	return true;
}

/* [-+]? digits with a point somewhere or none, and an exponent perhaps: not all that strtod takes. */
static bool read_float(const char *s, double *ret)
{
	const char *p = s + (*s == '-' || *s == '+');
	size_t n = strspn(p, "0123456789");
	size_t frac = p[n] == '.' ? strspn(p + n + 1, "0123456789") : 0;
	char *end;

	if (!n && !frac)
		return false;
	p += n + (p[n] == '.') + frac;
	if (*p == 'e' || *p == 'E') {
		p += 1 + (p[1] == '-' || p[1] == '+');
		n = strspn(p, "0123456789");
		if (!n)
			return false;
		p += n;
	}
	*ret = strtod(s, &end);
	return !*p && isfinite(*ret);
}

/* False: not a number. *ret is NULL when there was no memory for it. */
static bool resolve_number(const char *s, json_t **ret)
{
	char digits[64];
	long long i;
	size_t n = 0;
	double d;

	if (!strchr("-+.0123456789", *s))
		return false;
	for (const char *p = s; *p; p++) {
		if (n == sizeof(digits) - 1)
			return false;
		if (*p != '_')
			digits[n++] = *p;
	}
	digits[n] = 0;
	if (read_integer(digits, &i)) {
		*ret = json_integer(i);
		return true;
	}
	if (!read_float(digits, &d))
		return false;
	/* JSON knows one kind of number: 1e3 is 1000 where an integer is wanted. */
	*ret = fabs(d) < 1e15 && d == (double)(json_int_t)d ? json_integer((json_int_t)d) : json_real(d);
	return true;
}

json_t *k8s_yaml_resolve(const char *s, size_t len)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const yes[] = {
		"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", NULL
	};
	static const char *const no[] = { "n",     "N",     "no",  "No",  "NO",  "false",
					  "False", "FALSE", "off", "Off", "OFF", NULL };
	json_t *number;

	if (one_of(s, nulls))
		return json_null();
	if (one_of(s, yes))
		return json_true();
	if (one_of(s, no))
		return json_false();
	return resolve_number(s, &number) ? number : json_stringn(s, len);
}
