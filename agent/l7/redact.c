// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/redact.h"

#include <fnmatch.h>
#include <jansson.h>

#define DEPTH_MAX 64
#define HIDDEN "[redacted]"
#define UNREADABLE "[unreadable]"
#define ELLIPSIS "…"

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

/* ret_used: bytes of the value; NULL: nothing may be behind it. */
static json_t *load(const char *text, size_t len, size_t flags, size_t *ret_used)
{
	json_error_t at = {};
	json_t *j;

	flags |= JSON_ALLOW_NUL | (ret_used ? JSON_DISABLE_EOF_CHECK : 0);
	j = json_loadb(text, len, flags, &at) ?: json_loadb(text, len, flags | JSON_DECODE_INT_AS_REAL, &at);
	if (j && ret_used)
		*ret_used = (size_t)at.position;
	return j; /* as reals integers may have any size */
}

static json_t *load_mended(const char *text, size_t len)
{
	_cleanup_free_ char *copy = malloc(len + DEPTH_MAX + 2);

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	return load(copy, mend(copy, len), 0, NULL);
}

/* ---- what is secret */

static int hide_in_text(json_t **string, char *const *patterns, int depth);

static bool is_secret(const char *key, char *const *patterns)
{
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, key, FNM_CASEFOLD))
			return true;
	return false;
}

static int replace(json_t **v, json_t *with)
{
	if (!with)
		return -ENOMEM;
	json_decref(*v);
	*v = with;
	return 0;
}

/* Puts what may be recorded in place of *v. 0 or -ENOMEM: there may be secrets in it still. */
static int hide(json_t **v, char *const *patterns, int depth)
{
	const char *key;
	int r = 0;
	size_t i;
	json_t *e;

	if (depth == DEPTH_MAX)
		return replace(v, json_string(ELLIPSIS));
	if (json_is_string(*v))
		return hide_in_text(v, patterns, depth + 1);
	json_object_foreach (*v, key, e) {
		json_incref(e);
		r = is_secret(key, patterns) ? replace(&e, json_string(HIDDEN)) : hide(&e, patterns, depth + 1);
		if (json_object_set_new(*v, key, e) < 0 || r < 0)
			return -ENOMEM;
	}
	json_array_foreach (*v, i, e) {
		json_incref(e);
		r = hide(&e, patterns, depth + 1);
		if (json_array_set_new(*v, i, e) < 0 || r < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Takes j. */
static char *print(json_t *j, char *const *patterns, int depth)
{
	char *s = hide(&j, patterns, depth) < 0 ? NULL : json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(j);
	return s;
}

/* ret_used: how much of text it is; NULL: it must be all. */
static char *compact(const char *text, size_t len, char *const *patterns, int depth, size_t *ret_used)
{
	json_t *j = load(text, len, 0, ret_used);
	_cleanup_free_ char *whole = NULL;
	char *s;

	if (j)
		return print(j, patterns, depth);
	if (ret_used)
		*ret_used = len;
	j = load_mended(text, len);
	if (!j)
		return strdup(UNREADABLE);
	whole = print(j, patterns, depth);
	return !whole || asprintf(&s, "%s" ELLIPSIS, whole) < 0 ? NULL : s;
}

/* ---- JSON in strings: tools like to answer so, alone or in the middle of other text */

/* Or one that is escaped once more, or in Python's quotes, which cannot be read. */
static bool begins_key(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len && s[i] && strchr(" \t\r\n\\", s[i]))
		i += s[i] == '\\' && i + 1 < len && s[i + 1] && strchr("nrt", s[i + 1]) ? 2 : 1;
	return i < len && (s[i] == '"' || s[i] == '\'');
}

/* len: there is none. */
static size_t find_object(const char *s, size_t len, size_t i)
{
	while (i < len && (s[i] != '{' || !begins_key(s + i + 1, len - i - 1)))
		i++;
	return i;
}

static bool may_be_json(const char *s)
{
	s += strspn(s, " \t\r\n");
	return *s == '{' || *s == '[' || *s == '"';
}

/* False: out of memory. */
static bool write_text(FILE *f, const char *s, size_t len, char *const *patterns, int depth)
{
	for (size_t i = 0; i < len;) {
		size_t at = find_object(s, len, i), used = 0;
		_cleanup_free_ char *object = at < len ? compact(s + at, len - at, patterns, depth, &used) : NULL;

		if (at < len && !object)
			return false;
		fwrite(s + i, 1, at - i, f);
		fputs(object ?: "", f);
		i = at + used;
	}
	return true;
}

static char *redact_text(const char *s, size_t len, char *const *patterns, int depth, size_t *ret_len)
{
	json_t *whole = may_be_json(s) ? load(s, len, JSON_DECODE_ANY, NULL) : NULL;
	char *text = whole ? print(whole, patterns, depth) : NULL;
	bool ok;
	FILE *f;

	if (whole) {
		*ret_len = text ? strlen(text) : 0;
		return text;
	}
	f = open_memstream(&text, ret_len);
	ok = f && write_text(f, s, len, patterns, depth);
	if (f && (fclose(f) != 0 || !ok)) {
		free(text);
		return NULL;
	}
	return f ? text : NULL;
}

static int hide_in_text(json_t **string, char *const *patterns, int depth)
{
	const char *s = json_string_value(*string);
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	if (!may_be_json(s) && !memchr(s, '{', json_string_length(*string)))
		return 0;
	text = redact_text(s, json_string_length(*string), patterns, depth, &len);
	return text ? replace(string, json_stringn(text, len)) : -ENOMEM;
}

char *redact(const char *json, size_t len, char *const *patterns)
{
	return compact(json, len, patterns, 0, NULL);
}
