// SPDX-License-Identifier: Apache-2.0
/*
 * The JSON scanner against jansson: of a document that jansson takes the scanner hands over the same values in the same
 * order. Whatever the input is, its pieces make no difference. The first byte says how it is cut into pieces, and with
 * 0x80 that the document comes twice. sources: agent/l7/json_scan.c
 */
#include "agent/l7/json_scan.h"

#include <jansson.h>

#include "test/fuzz/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_path paths[] = { JSON_PATH(".a"),     JSON_PATH(".b.a"),   JSON_PATH(".a.b.c"),
					  JSON_PATH(".a[].b"), JSON_PATH(".b[][]"), JSON_PATH("."),
					  JSON_PATH(".\\."),   JSON_PATH(".x\\.y"), JSON_PATH(".c\\[]"),
					  JSON_PATH(".id") };

static void log_value(struct log *l, size_t path, enum json_type type, const char *s, size_t len)
{
	char head[32];

	log_add(l, head, (size_t)snprintf(head, sizeof(head), "%zu %d ", path, type));
	if (type == JSON_TYPE_NUMBER) {                /* as jansson understands it */
		double number = strtod(s, NULL) + 0.0; /* -0 is 0 there */

		log_add(l, &number, sizeof(number));
	} else {
		log_add(l, s, len);
	}
	log_add(l, "\n", 1);
}

static void on_value(void *userdata, size_t path, enum json_type type, const char *s, size_t len)
{
	must(path < ARRAY_SIZE(paths) && len <= JSON_VALUE_MAX && s[len] == '\0');
	log_value(userdata, path, type, s, len);
}

static void on_message(void *userdata, bool whole)
{
	log_add(userdata, whole ? "whole\n" : "cut\n", whole ? 6 : 4);
}

static void scan(struct log *l, const uint8_t *data, size_t size, uint8_t way)
{
	static const struct json_sink sink = {
		.paths = paths, .n_paths = ARRAY_SIZE(paths), .value = on_value, .message = on_message
	};
	struct json_scan s;
	uint32_t state = 0;

	json_scan_init(&s, &sink, l);
	for (size_t n; size; data += n, size -= n) {
		uint8_t *piece;

		n = split_next(way, &state, size);
		piece = malloc(n); /* so that a byte beyond it is noticed */
		must(piece);
		memcpy(piece, data, n);
		json_scan_feed(&s, (const char *)piece, n);
		free(piece);
	}
	json_scan_end(&s);
}

/* ---- what should come */

static size_t key_text(char *to, size_t size, const char *key, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 2 < size; i++) {
		if (strchr(".[\\", key[i]) && key[i])
			to[n++] = '\\';
		to[n++] = key[i];
	}
	return n;
}

static void expect_at(struct log *l, const json_t *v, const char *path, size_t len)
{
	static const enum json_type types[] = { [JSON_OBJECT] = JSON_TYPE_CONTAINER, [JSON_ARRAY] = JSON_TYPE_CONTAINER,
						[JSON_STRING] = JSON_TYPE_STRING,    [JSON_INTEGER] = JSON_TYPE_NUMBER,
						[JSON_REAL] = JSON_TYPE_NUMBER,      [JSON_TRUE] = JSON_TYPE_TRUE,
						[JSON_FALSE] = JSON_TYPE_FALSE,      [JSON_NULL] = JSON_TYPE_NULL };
	static const char *const words[] = { [JSON_TRUE] = "true", [JSON_FALSE] = "false", [JSON_NULL] = "null" };
	char number[64];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const char *s = "";
		size_t n = 0;

		if (paths[i].len != len || memcmp(paths[i].text, path, len) != 0)
			continue;
		if (json_is_string(v)) {
			s = json_string_value(v);
			n = MIN(json_string_length(v), (size_t)JSON_VALUE_MAX);
		} else if (json_is_number(v)) {
			snprintf(number, sizeof(number), "%.17g", json_number_value(v));
			s = number;
		} else if (!json_is_object(v) && !json_is_array(v)) {
			s = words[json_typeof(v)];
			n = strlen(s);
		}
		log_value(l, i, types[json_typeof(v)], s, n);
	}
}

/* depth: containers around v, the batch included. */
static void expect(struct log *l, const json_t *v, char *path, size_t len, unsigned depth)
{
	size_t room = 1024 - len, i;
	const char *key;
	json_t *child;

	expect_at(l, v, path, len);
	if (depth >= JSON_DEPTH_MAX || len > 512)
		return;
	json_array_foreach (v, i, child) {
		memcpy(path + len, "[]", 2);
		expect(l, child, path, len + 2, depth + 1);
	}
	json_object_foreach ((json_t *)v, key, child) {
		path[len] = '.';
		i = key_text(path + len + 1, room - 1, key, strlen(key));
		expect(l, child, path, len + 1 + i, depth + 1);
	}
}

static void expect_document(struct log *l, const json_t *v)
{
	char path[1024];
	size_t i;
	json_t *message;

	if (!json_is_array(v)) {
		expect(l, v, path, 0, 0);
		on_message(l, true);
	}
	json_array_foreach (v, i, message) {
		expect(l, message, path, 0, 1);
		on_message(l, true);
	}
}

/* Numbers longer than what is kept of a value are not compared. */
static bool has_long_number(const uint8_t *data, size_t size)
{
	size_t run = 0;

	for (size_t i = 0; i < size && run < JSON_VALUE_MAX; i++)
		run = (data[i] >= '0' && data[i] <= '9') || strchr("+-.eE", data[i]) ? run + 1 : 0;
	return run >= JSON_VALUE_MAX;
}

static void compare(const struct log *got, const uint8_t *data, size_t size, bool twice)
{
	json_t *v =
	    json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	struct log want = {};

	if (!v || memchr(data, '\0', size)) { /* a NUL behind the document is the document's end for jansson */
		json_decref(v);
		return;
	}
	for (int i = 0; i < (twice ? 2 : 1); i++)
		expect_document(&want, v);
	must(log_equal(got, &want) || has_long_number(data, size));
	log_done(&want);
	json_decref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct log whole = {}, pieces = {};
	uint8_t *text;
	size_t len;
	bool twice;

	if (!size)
		return 0;
	twice = data[0] & 0x80;
	len = twice ? 2 * size - 1 : size - 1; /* a line end between the two */
	text = malloc(len + 1);
	must(text);
	memcpy(text, data + 1, size - 1);
	if (twice) {
		text[size - 1] = '\n';
		memcpy(text + size, data + 1, size - 1);
	}
	scan(&whole, text, len, 0);
	scan(&pieces, text, len, data[0] & 0x7f);
	must(log_equal(&whole, &pieces));
	compare(&whole, data + 1, size - 1, twice);
	log_done(&whole);
	log_done(&pieces);
	free(text);
	return 0;
}
