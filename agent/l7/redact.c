// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/redact.h"

#include <fnmatch.h>
#include <jansson.h>

#define DEPTH_MAX 64
#define HIDDEN "[redacted]"
#define UNREADABLE "[unreadable]"
#define ELLIPSIS "…"

static char *compact(const char *text, size_t len, char *const *patterns, int depth);

/* ---- what was cut off */

/* Bytes of the character of a JSON string at s, or of the escape, both halves of a pair; may be more than there are. */
static size_t char_size(const char *s, size_t len)
{
	uint8_t c = (uint8_t)*s;

	if (c == '\\' && len > 1 && s[1] == 'u')
		return len > 3 && (s[2] | 0x20) == 'd' && strchr("89abAB", s[3]) ? 12 : 6;
	if (c == '\\')
		return 2;
	return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

struct mending {
	char closers[DEPTH_MAX];
	size_t depth, len, good; /* good: up to here the values are whole, */
	size_t good_depth;       /* and so many containers open */
	bool value;              /* a string that begins here is no key */
};

/* Passes the string whose quote is at s[i]; returns where it ends, or where it must end because it is cut. */
static size_t pass_string(const char *s, size_t len, size_t i, bool *ret_cut)
{
	for (i++; i < len && s[i] != '"';) {
		size_t n = char_size(s + i, len - i);

		if (i + n > len)
			break;
		i += n;
	}
	*ret_cut = i >= len || s[i] != '"';
	return i;
}

static bool note(struct mending *m, char c, size_t i)
{
	bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';

	if ((opens && m->depth == DEPTH_MAX) || (closes && !m->depth))
		return false;
	if (opens)
		m->closers[m->depth++] = c == '{' ? '}' : ']';
	else if (closes)
		m->depth--;
	if (opens || closes || c == ',') {
		m->good = c == ',' ? i : i + 1;
		m->good_depth = m->depth;
	}
	if (opens || c == ',')
		m->value = m->depth && m->closers[m->depth - 1] == ']';
	else if (c == ':')
		m->value = true;
	return true;
}

/* Makes a whole of text[len], which has room for DEPTH_MAX + 2 bytes more. Returns its length. */
static size_t mend(char *text, size_t len)
{
	struct mending m = {};
	bool cut = false;

	for (size_t i = 0; i < len && !cut; i++) {
		if (text[i] != '"') {
			if (!note(&m, text[i], i))
				break;
			continue;
		}
		i = pass_string(text, len, i, &cut);
		if (cut && m.value) {
			text[i] = '"';
			m.good = i + 1;
			m.good_depth = m.depth;
		} else if (!cut && m.value) {
			m.good = i + 1;
			m.good_depth = m.depth;
		}
	}
	while (m.good_depth)
		text[m.good++] = m.closers[--m.good_depth];
	return m.good;
}

static json_t *load(const char *text, size_t len)
{
	json_t *j = json_loadb(text, len, JSON_ALLOW_NUL, NULL);

	return j ?: json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL); /* integers of any size */
}

static json_t *load_mended(const char *text, size_t len)
{
	_cleanup_free_ char *copy = malloc(len + DEPTH_MAX + 2);

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	return load(copy, mend(copy, len));
}

/* ---- what is secret */

static bool is_secret(const char *key, char *const *patterns)
{
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, key, FNM_CASEFOLD))
			return true;
	return false;
}

/* Tools like to answer with JSON in a string. */
static bool holds_json(const char *s)
{
	s += strspn(s, " \t\r\n");
	if (*s != '{' && *s != '[')
		return false;
	s += 1 + strspn(s + 1, " \t\r\n");
	return strchr("\"{[}]", *s);
}

/* What is to stand in place of v; NULL: v itself. */
static json_t *redacted(json_t *v, char *const *patterns, int depth)
{
	_cleanup_free_ char *text = NULL;
	const char *key;
	size_t i;
	json_t *e, *other;

	if (depth == DEPTH_MAX)
		return json_string(ELLIPSIS);
	json_object_foreach (v, key, e) {
		other = is_secret(key, patterns) ? json_string(HIDDEN) : redacted(e, patterns, depth + 1);
		if (other)
			json_object_set_new(v, key, other);
	}
	json_array_foreach (v, i, e) {
		other = redacted(e, patterns, depth + 1);
		if (other)
			json_array_set_new(v, i, other);
	}
	if (!json_is_string(v) || !holds_json(json_string_value(v)))
		return NULL;
	text = compact(json_string_value(v), json_string_length(v), patterns, depth + 1);
	return json_string(text ?: UNREADABLE);
}

static char *compact(const char *text, size_t len, char *const *patterns, int depth)
{
	json_t *j = load(text, len), *other;
	_cleanup_free_ char *whole = NULL;
	bool cut = !j;
	char *s;

	if (cut)
		j = load_mended(text, len);
	if (!j)
		return strdup(UNREADABLE);
	other = redacted(j, patterns, depth);
	whole = json_dumps(other ?: j, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(other);
	json_decref(j);
	if (!whole || !cut)
		return TAKE_PTR(whole);
	return asprintf(&s, "%s" ELLIPSIS, whole) < 0 ? NULL : s;
}

char *redact(const char *json, size_t len, char *const *patterns)
{
	return compact(json, len, patterns, 0);
}
