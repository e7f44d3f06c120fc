// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/json_scan.h"

enum state {
	VALUE,       /* a value must come */
	FIRST_VALUE, /* … or the end of the array */
	FIRST_KEY,   /* a key, or the end of the object */
	KEY,
	COLON,
	NEXT, /* a comma, or the end of the container */
	STRING,
	ESCAPE,
	UNICODE,
	WORD, /* number, true, false, null */
	SKIP, /* inside of what lies too deep */
	SKIP_STRING,
	SKIP_ESCAPE,
};

void json_scan_init(struct json_scan *s, const struct json_sink *sink, void *userdata)
{
	memset(s, 0, sizeof(*s));
	s->sink = sink;
	s->userdata = userdata;
	s->wanted = -1;
}

static bool in_array(const struct json_scan *s)
{
	return s->depth && s->arrays >> (s->depth - 1) & 1;
}

/* Of the container in hand nothing is wanted: its keys need not be known. */
static bool is_dull(const struct json_scan *s)
{
	return s->depth && s->dull >> (s->depth - 1) & 1;
}

/* Depth of a message's own container: the batch's array is not part of it. */
static bool at_top(const struct json_scan *s)
{
	return s->depth == (s->batch ? 1 : 0);
}

/* ---- paths */

static void path_append(struct json_scan *s, const char *text, size_t len)
{
	if (s->path_len == UINT16_MAX)
		return;
	if (s->path_len + len > sizeof(s->path)) {
		s->path_len = UINT16_MAX;
		return;
	}
	memcpy(s->path + s->path_len, text, len);
	s->path_len += len;
}

/* '.' and '[' of a key are not those of a path. */
static void path_append_key(struct json_scan *s)
{
	path_append(s, ".", 1);
	for (size_t i = 0; i < s->value_len && s->path_len != UINT16_MAX; i++) {
		char c = s->value[i];

		if (c == '.' || c == '[' || c == '\\')
			path_append(s, "\\", 1);
		path_append(s, &c, 1);
	}
}

static int32_t find_path(const struct json_scan *s)
{
	for (size_t i = 0; i < s->sink->n_paths; i++) {
		const struct json_path *p = &s->sink->paths[i];

		if (p->len == s->path_len && !memcmp(p->text, s->path, p->len))
			return (int32_t)i;
	}
	return -1;
}

static bool leads_on(const struct json_scan *s)
{
	for (size_t i = 0; i < s->sink->n_paths; i++) {
		const struct json_path *p = &s->sink->paths[i];

		if (p->len > s->path_len && !memcmp(p->text, s->path, s->path_len))
			return true;
	}
	return false;
}

/* ---- values */

static void hand_over(struct json_scan *s, enum json_type type)
{
	if (s->wanted < 0)
		return;
	s->value[s->value_len] = '\0';
	s->sink->value(s->userdata, (size_t)s->wanted, type, s->value, s->value_len);
	s->wanted = -1;
}

/* Of the string in hand. */
static bool is_kept(const struct json_scan *s)
{
	return s->is_key ? !is_dull(s) : s->wanted >= 0;
}

static void put(struct json_scan *s, char c)
{
	if (is_kept(s) && s->value_len < JSON_VALUE_MAX)
		s->value[s->value_len++] = c;
}

static void put_code_point(struct json_scan *s, uint32_t u)
{
	if (u < 0x80) {
		put(s, (char)u);
	} else if (u < 0x800) {
		put(s, (char)(0xc0 | u >> 6));
		put(s, (char)(0x80 | (u & 63)));
	} else if (u < 0x10000) {
		put(s, (char)(0xe0 | u >> 12));
		put(s, (char)(0x80 | (u >> 6 & 63)));
		put(s, (char)(0x80 | (u & 63)));
	} else {
		put(s, (char)(0xf0 | u >> 18));
		put(s, (char)(0x80 | (u >> 12 & 63)));
		put(s, (char)(0x80 | (u >> 6 & 63)));
		put(s, (char)(0x80 | (u & 63)));
	}
}

/* Half of a pair waits for the other; one that stays alone becomes U+FFFD, and so does NUL, behind which strings end.
 */
static void put_unicode(struct json_scan *s, uint32_t u)
{
	uint32_t high = s->surrogate;

	u = u ?: 0xfffd;
	s->surrogate = 0;
	if (high && u >= 0xdc00 && u < 0xe000) {
		put_code_point(s, 0x10000 + ((high - 0xd800) << 10) + (u - 0xdc00));
		return;
	}
	if (high)
		put_code_point(s, 0xfffd);
	if (u >= 0xd800 && u < 0xdc00)
		s->surrogate = u;
	else
		put_code_point(s, u >= 0xdc00 && u < 0xe000 ? 0xfffd : u);
}

static void flush_surrogate(struct json_scan *s)
{
	if (s->surrogate)
		put_code_point(s, 0xfffd);
	s->surrogate = 0;
}

static void end_message(struct json_scan *s, bool whole)
{
	if (!s->in_message)
		return;
	s->in_message = s->raw = false;
	s->sink->message(s->userdata, whole);
}

void json_scan_break(struct json_scan *s)
{
	s->broken = true;
	end_message(s, false);
}

void json_scan_raw(struct json_scan *s)
{
	s->raw = true;
	s->raw_depth = s->depth;
}

static void hand_over_raw(const struct json_scan *s, const char *data, size_t len)
{
	if (s->raw)
		s->sink->raw(s->userdata, data, len);
}

static void ended_value(struct json_scan *s)
{
	if (at_top(s)) {
		end_message(s, true);
		s->path_len = 0;
	}
	s->state = s->depth ? NEXT : VALUE;
}

static void begin_value(struct json_scan *s)
{
	if (at_top(s)) {
		s->in_message = true;
		s->path_len = 0;
	}
	if (s->depth && !at_top(s)) { /* back to the container's path, plus the key, which is there, or "[]" */
		if (in_array(s)) {
			s->path_len = s->key_len[s->depth - 1];
			path_append(s, "[]", 2);
		}
	}
	s->value_len = 0;
	s->wanted = is_dull(s) ? -1 : find_path(s);
}

static void set_bit(uint64_t *bits, uint32_t n, bool on)
{
	*bits = (*bits & ~(1ull << n)) | (uint64_t)on << n;
}

static void open_container(struct json_scan *s, bool array)
{
	if (array && !s->depth && !s->in_message) { /* a batch */
		s->batch = true;
	} else {
		begin_value(s);
		hand_over(s, JSON_TYPE_CONTAINER);
		if (s->raw_depth == s->depth)
			hand_over_raw(s, array ? "[" : "{", 1);
	}
	if (s->depth == JSON_DEPTH_MAX) {
		s->deeper = 1;
		s->state = SKIP;
		return;
	}
	s->key_len[s->depth] = s->path_len;
	set_bit(&s->arrays, s->depth, array);
	set_bit(&s->dull, s->depth, is_dull(s) || !leads_on(s));
	s->depth++;
	s->state = array ? FIRST_VALUE : FIRST_KEY;
}

static void close_container(struct json_scan *s, bool array)
{
	if (!s->depth || in_array(s) != array) {
		json_scan_break(s);
		return;
	}
	s->depth--;
	s->raw &= s->depth != s->raw_depth;
	s->path_len = s->key_len[s->depth];
	if (s->batch && !s->depth) {
		s->batch = false;
		s->state = VALUE;
		return;
	}
	ended_value(s);
}

static const char *digits(const char *s)
{
	const char *begin = s;

	while (*s >= '0' && *s <= '9')
		s++;
	return s > begin ? s : "?"; /* which no number goes on with */
}

static bool is_number(const char *s)
{
	s += *s == '-';
	s = *s == '0' ? s + 1 : digits(s);
	if (*s == '.')
		s = digits(s + 1);
	if (*s == 'e' || *s == 'E') {
		s++;
		s = digits(s + (*s == '+' || *s == '-'));
	}
	return !*s;
}

static void end_word(struct json_scan *s)
{
	static const struct {
		const char *word;
		enum json_type type;
	} words[] = { { "true", JSON_TYPE_TRUE }, { "false", JSON_TYPE_FALSE }, { "null", JSON_TYPE_NULL } };
	enum json_type type = JSON_TYPE_NUMBER;

	s->value[s->value_len] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(s->value, words[i].word))
			type = words[i].type;
	if (type == JSON_TYPE_NUMBER && !is_number(s->value)) {
		json_scan_break(s);
		return;
	}
	hand_over(s, type);
	ended_value(s);
}

static void end_string(struct json_scan *s)
{
	flush_surrogate(s);
	if (!s->is_key) {
		hand_over(s, JSON_TYPE_STRING);
		ended_value(s);
		return;
	}
	s->is_key = false;
	s->path_len = s->key_len[s->depth - 1];
	path_append_key(s);
	s->state = COLON;
}

/* ---- bytes */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void on_value(struct json_scan *s, char c)
{
	if (c == '{' || c == '[') {
		open_container(s, c == '[');
	} else if (c == ']' && s->state == FIRST_VALUE) {
		close_container(s, true);
	} else if (c == '"') {
		begin_value(s);
		s->state = STRING;
	} else if (c == '-' || (c >= '0' && c <= '9') || c == 't' || c == 'f' || c == 'n') {
		begin_value(s);
		s->value[s->value_len++] = c; /* wanted or not: it is judged by its text */
		s->state = WORD;
	} else {
		json_scan_break(s);
	}
}

static void on_key(struct json_scan *s, char c)
{
	if (c == '"') {
		s->is_key = true;
		s->value_len = 0;
		s->state = STRING;
	} else if (c == '}' && s->state == FIRST_KEY) {
		close_container(s, false);
	} else {
		json_scan_break(s);
	}
}

static void on_next(struct json_scan *s, char c)
{
	if (c == ',')
		s->state = in_array(s) ? VALUE : KEY;
	else if (c == ']' || c == '}')
		close_container(s, c == ']');
	else
		json_scan_break(s);
}

static void on_escape(struct json_scan *s, char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p = c ? strchr(from, c) : NULL;

	if (c == 'u') {
		s->state = UNICODE;
		s->unicode = s->digits = 0;
	} else if (p) {
		flush_surrogate(s);
		put(s, to[p - from]);
		s->state = STRING;
	} else {
		json_scan_break(s);
	}
}

static void on_unicode(struct json_scan *s, char c)
{
	int v = c >= '0' && c <= '9'   ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : -1;

	if (v < 0) {
		json_scan_break(s);
		return;
	}
	s->unicode = s->unicode << 4 | (uint32_t)v;
	if (++s->digits == 4) {
		put_unicode(s, s->unicode);
		s->state = STRING;
	}
}

static void on_skip(struct json_scan *s, char c)
{
	if (c == '"') {
		s->state = SKIP_STRING;
	} else if (c == '{' || c == '[') {
		if (++s->deeper == 0)
			json_scan_break(s);
	} else if ((c == '}' || c == ']') && --s->deeper == 0) {
		ended_value(s);
	}
}

static void on_byte(struct json_scan *s, char c)
{
	switch (s->state) {
	case VALUE:
	case FIRST_VALUE:
		on_value(s, c);
		break;
	case FIRST_KEY:
	case KEY:
		on_key(s, c);
		break;
	case COLON:
		if (c == ':')
			s->state = VALUE;
		else
			json_scan_break(s);
		break;
	case NEXT:
		on_next(s, c);
		break;
	case STRING:
		if (c == '\\') {
			s->state = ESCAPE;
		} else if (c == '"') {
			end_string(s);
		} else if (c) {
			flush_surrogate(s);
			put(s, c);
		} else {
			json_scan_break(s);
		}
		break;
	case ESCAPE:
		on_escape(s, c);
		break;
	case UNICODE:
		on_unicode(s, c);
		break;
	case SKIP:
		on_skip(s, c);
		break;
	case SKIP_STRING:
		s->state = c == '\\' ? SKIP_ESCAPE : c == '"' ? SKIP : SKIP_STRING;
		break;
	case SKIP_ESCAPE:
		s->state = SKIP_STRING;
		break;
	}
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == 'E' || c == '+' || c == '-' || c == '.';
}

/* Bytes of a string that nobody wants, up to its end or an escape. */
static size_t pass_over(const struct json_scan *s, const char *data, size_t len)
{
	size_t i = 0;

	if (s->state == STRING && !is_kept(s))
		while (i < len && data[i] != '"' && data[i] != '\\')
			i++;
	return i;
}

void json_scan_feed(struct json_scan *s, const char *data, size_t len)
{
	for (size_t i = 0; i < len && !s->broken; i++) {
		char c = data[i];
		size_t n;

		hand_over_raw(s, &c, 1);
		if (s->state == WORD) {
			if (is_word(c)) {
				if (s->value_len == JSON_VALUE_MAX)
					json_scan_break(s); /* no number is so long */
				else
					s->value[s->value_len++] = c;
				continue;
			}
			end_word(s);
			if (s->broken)
				return;
		}
		if (s->state < STRING && is_space(c))
			continue;
		n = pass_over(s, data + i, len - i);
		if (n)
			hand_over_raw(s, data + i + 1, MIN(n, len - i - 1));
		i += n;
		if (i < len)
			on_byte(s, data[i]);
	}
}

void json_scan_end(struct json_scan *s)
{
	if (!s->broken && s->state == WORD && at_top(s))
		end_word(s);
	end_message(s, false);
	s->broken = true;
}
