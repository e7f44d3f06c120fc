// SPDX-License-Identifier: Apache-2.0
#include "cli/times.h"

#include <ctype.h>
#include <math.h>
#include <time.h>

#include "lib/rfc3339.h"

#define SECOND 1000000000ull

/* strftime's letters; %L, %U, %N: the fraction with three, six, nine digits. */
static const struct {
	const char *name, *layout;
} layouts[] = {
	{ "StampMilli", "%b %e %H:%M:%S.%L" },
	{ "RFC3339", "%Y-%m-%dT%H:%M:%SZ" },
	{ "RFC3339Milli", "%Y-%m-%dT%H:%M:%S.%LZ" },
	{ "RFC3339Micro", "%Y-%m-%dT%H:%M:%S.%UZ" },
	{ "RFC3339Nano", "%Y-%m-%dT%H:%M:%S.%NZ" },
	{ "RFC1123Z", "%a, %d %b %Y %H:%M:%S %z" },
	{ "YearMonthDay", "%Y-%m-%d" },
};
const char time_layout_names[] = "StampMilli, RFC3339, RFC3339Milli, RFC3339Micro, RFC3339Nano, RFC1123Z, YearMonthDay";

const char *time_layout(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (streq(layouts[i].name, name))
			return layouts[i].layout;
	return NULL;
}

const char *time_format(const char *layout, uint64_t ns, char *buf)
{
	time_t seconds = (time_t)(ns / SECOND);
	unsigned frac = (unsigned)(ns % SECOND);
	struct tm tm;
	size_t n = 0;

	gmtime_r(&seconds, &tm);
	for (const char *p = layout; *p && n < TIME_STRLEN - 12; p++) {
		char one[3] = { '%', p[1], '\0' };

		if (*p != '%') {
			buf[n++] = *p;
			continue;
		}
		buf[n] = '\0';
		switch (*++p) {
		case 'L':
			snprintf(buf + n, 10, "%03u", frac / 1000000);
			break;
		case 'U':
			snprintf(buf + n, 10, "%06u", frac / 1000);
			break;
		case 'N':
			snprintf(buf + n, 10, "%09u", frac);
			break;
		default:
			strftime(buf + n, 12, one, &tm);
		}
		n += strlen(buf + n);
	}
	buf[n] = '\0';
	return buf;
}

int duration_parse(const char *s, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { "ns", 1 },   { "us", 1e3 },   { "ms", 1e6 },    { "s", 1e9 },
		      { "m", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 }, { "w", 604800e9 } };
	double total = 0;

	if (!*s)
		return -EINVAL;
	while (*s) {
		size_t i, len;
		char *end;
		double v;

		if (!isdigit((unsigned char)*s))
			return -EINVAL;
		v = strtod(s, &end);
		len = strspn(end, "abcdefghijklmnopqrstuvwxyz");
		for (i = 0; i < ARRAY_SIZE(units); i++)
			if (strlen(units[i].unit) == len && !memcmp(units[i].unit, end, len))
				break;
		if (i == ARRAY_SIZE(units))
			return -EINVAL;
		total += v * units[i].ns;
		s = end + len;
	}
	if (!isfinite(total) || total > 1e19)
		return -EINVAL;
	*ret_ns = (uint64_t)total;
	return 0;
}

int time_parse(const char *s, uint64_t now_ns, uint64_t *ret_ns)
{
	uint64_t back;

	if (duration_parse(s, &back) == 0) {
		*ret_ns = now_ns - MIN(back, now_ns);
		return 0;
	}
	return rfc3339_parse(s, ret_ns);
}
