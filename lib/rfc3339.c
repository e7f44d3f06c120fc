// SPDX-License-Identifier: Apache-2.0
#include "lib/rfc3339.h"

#include <ctype.h>
#include <time.h>

#define SECOND 1000000000ull

/* ".5" -> 500000000; leaves *p behind it. */
static uint64_t parse_fraction(const char **p)
{
	uint64_t ns = 0, unit = SECOND / 10;

	if (**p != '.' || !isdigit((unsigned char)(*p)[1]))
		return 0;
	for (++*p; isdigit((unsigned char)**p); ++*p, unit /= 10)
		ns += (uint64_t)(**p - '0') * unit;
	return ns;
}

/* "Z", "+01:00", "": seconds east of UTC. */
static int parse_zone(const char *p, long *ret_east)
{
	unsigned h, m;
	int end = 0;

	*ret_east = 0;
	if (!*p || streq(p, "Z") || streq(p, "z"))
		return 0;
	if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2u:%2u%n", &h, &m, &end) != 2 || p[1 + end] || h > 23 || m > 59)
		return -EINVAL;
	*ret_east = (*p == '-' ? -1 : 1) * (long)(h * 3600 + m * 60);
	return 0;
}

int rfc3339_parse(const char *s, uint64_t *ret_ns)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d" };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct tm tm = { 0 };
		const char *rest = strptime(s, forms[i], &tm);
		uint64_t frac;
		long east;

		if (!rest)
			continue;
		frac = i == 0 ? parse_fraction(&rest) : 0;
		if (parse_zone(rest, &east) < 0)
			continue;
		if (timegm(&tm) - east < 0 || (uint64_t)(timegm(&tm) - east) >= UINT64_MAX / SECOND)
			return -EINVAL;
		*ret_ns = (uint64_t)(timegm(&tm) - east) * SECOND + frac;
		return 0;
	}
	return -EINVAL;
}
