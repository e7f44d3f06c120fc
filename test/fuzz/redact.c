// SPDX-License-Identifier: Apache-2.0
/*
 * What may be recorded of JSON: whatever comes in, what comes out is text that can be read, has no value at a secret
 * key, as far as strings in strings hold JSON, and stays as it is the second time. The first byte says how much of the
 * input is there. sources: agent/l7/redact.c
 */
#include "agent/l7/redact.h"

#include <fnmatch.h>
#include <jansson.h>

#define ELLIPSIS "…"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *patterns[] = { "*token*", "a", NULL };

static void must(bool good)
{
	if (!good)
		abort();
}

static bool is_secret(const char *key)
{
	return !fnmatch(patterns[0], key, FNM_CASEFOLD) || !fnmatch(patterns[1], key, FNM_CASEFOLD);
}

static void check(const json_t *v)
{
	const char *key;
	json_t *e;
	size_t i;

	json_object_foreach ((json_t *)v, key, e) {
		must(!is_secret(key) || streq(json_string_value(e) ?: "", "[redacted]"));
		check(e);
	}
	json_array_foreach (v, i, e)
		check(e);
	e = json_is_string(v) ? json_loadb(json_string_value(v), json_string_length(v), JSON_ALLOW_NUL, NULL) : NULL;
	if (e)
		check(e);
	json_decref(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *copy = NULL, *once = NULL, *twice = NULL;
	size_t len;
	json_t *j;

	if (!size)
		return 0;
	len = (size - 1) * data[0] / 255;
	copy = malloc(len + !len); /* so that a byte beyond it is noticed */
	must(copy);
	memcpy(copy, data + 1, len);
	once = redact(copy, len, patterns);
	must(once);
	if (streq(once, "[unreadable]"))
		return 0;
	len = strlen(once);
	if (len > strlen(ELLIPSIS) && streq(once + len - strlen(ELLIPSIS), ELLIPSIS))
		len -= strlen(ELLIPSIS);
	j = json_loadb(once, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	must(j);
	check(j);
	json_decref(j);
	twice = redact(once, len, patterns);
	must(twice && strlen(twice) == len && !memcmp(once, twice, len));
	return 0;
}
