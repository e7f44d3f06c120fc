/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON scanner for documents of any size, fed in pieces of any size: it knows where in the document it is and hands
 * over the values at the paths that are wanted, nothing else. What comes: one value, values one after the other
 * (NDJSON), or an array of them (a JSON-RPC batch); each is a message. Lenient in what it hands over (UTF-8 is not
 * checked), strict in structure: the first mistake ends it.
 */
#ifndef WEIR_L7_JSON_SCAN_H
#define WEIR_L7_JSON_SCAN_H

#include "lib/macro.h"

#define JSON_VALUE_MAX 512 /* bytes handed over of a value */
#define JSON_PATH_MAX 96   /* longer paths are not looked at */
#define JSON_DEPTH_MAX 64  /* what lies deeper is skipped by counting brackets */

enum json_type {
	JSON_TYPE_STRING,
	JSON_TYPE_NUMBER,
	JSON_TYPE_TRUE,
	JSON_TYPE_FALSE,
	JSON_TYPE_NULL,
	JSON_TYPE_CONTAINER
};

/* As ".params.name", ".choices[].finish_reason"; '.', '[' and '\\' of a key have a '\\' before them. */
struct json_path {
	const char *text;
	size_t len;
};
#define JSON_PATH(text)                 \
	{                               \
		text, sizeof(text) - 1, \
	}

struct json_sink {
	const struct json_path *paths;
	size_t n_paths;
	/* s: decoded, NUL-terminated, cut to JSON_VALUE_MAX; "" for containers, which come when they begin. */
	void (*value)(void *userdata, size_t path, enum json_type type, const char *s, size_t len);
	/* A message has ended; whole false: cut off or broken. */
	void (*message)(void *userdata, bool whole);
	/* The next bytes, as they came, of a container that json_scan_raw() asked for. NULL: it never does. */
	void (*raw)(void *userdata, const char *data, size_t len);
};

struct json_scan {
	const struct json_sink *sink;
	void *userdata;
	uint64_t arrays; /* bit per depth: 1 = array */
	uint64_t dull;   /* bit per depth: 1 = nothing in there is wanted */
	uint32_t depth, deeper;
	uint16_t key_len[JSON_DEPTH_MAX]; /* of the path up to that depth; UINT16_MAX: it is too long */
	char path[JSON_PATH_MAX];
	uint16_t path_len;
	char value[JSON_VALUE_MAX + 1];
	uint16_t value_len;
	int32_t wanted; /* path that the value in hand has, -1: none */
	uint32_t unicode, surrogate;
	uint8_t state, digits;
	bool is_key, batch, in_message, broken;
	bool raw;
	uint32_t raw_depth; /* of what the raw container lies in */
};

void json_scan_init(struct json_scan *s, const struct json_sink *sink, void *userdata);
void json_scan_feed(struct json_scan *s, const char *data, size_t len);
/* To be called by value(), about the container that begins. */
void json_scan_raw(struct json_scan *s);
/* Bytes are missing here: what follows means nothing. */
void json_scan_break(struct json_scan *s);
/* No more comes. */
void json_scan_end(struct json_scan *s);

#endif
