// SPDX-License-Identifier: Apache-2.0
#include "lib/k8s/valid.h"

/* ASCII whatever the locale. */
static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower_alnum(char c)
{
	return is_lower(c) || is_digit(c);
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Begins and ends with a letter or digit, with those and - _ . between; 1 to 63 of them. */
static bool valid_name(const char *s, size_t len)
{
	if (!len || len > 63 || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && !strchr("-_.", s[i]))
			return false;
	return true;
}

static bool valid_dns_part(const char *s, size_t len)
{
	if (!len || !is_lower_alnum(s[0]) || !is_lower_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_lower_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

static bool valid_subdomain(const char *s, size_t len)
{
	const char *end = s + len;

	if (len > 253)
		return false;
	for (;;) {
		const char *dot = memchr(s, '.', end - s);

		if (!valid_dns_part(s, (dot ?: end) - s))
			return false;
		if (!dot)
			return true;
		s = dot + 1;
	}
}

bool k8s_valid_subdomain(const char *s)
{
	return valid_subdomain(s, strlen(s));
}

bool k8s_valid_dns_label(const char *s)
{
	size_t len = strlen(s);

	return len <= 63 && valid_dns_part(s, len);
}

bool k8s_valid_label_key(const char *s)
{
	const char *slash = strchr(s, '/');
	const char *name = slash ? slash + 1 : s;

	return (!slash || valid_subdomain(s, slash - s)) && valid_name(name, strlen(name));
}

bool k8s_valid_label_value(const char *s)
{
	return !*s || valid_name(s, strlen(s));
}

bool k8s_valid_port_name(const char *s)
{
	size_t len = strlen(s);
	bool letter = false;

	if (len > 15 || !valid_dns_part(s, len) || strstr(s, "--"))
		return false;
	for (size_t i = 0; i < len; i++)
		letter |= is_lower(s[i]);
	return letter;
}
