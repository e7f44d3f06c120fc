// SPDX-License-Identifier: Apache-2.0
/* The decoder's way of reading members, with complaints that say where. */
#include <stdarg.h>

#include "lib/k8s/decode.h"
#include "lib/k8s/valid.h"

static void write_path(FILE *f, const struct k8s_at *at)
{
	if (!at || !at->up) /* the root has no name */
		return;
	write_path(f, at->up);
	if (at->key)
		fprintf(f, "%s%s", at->up->up ? "." : "", at->key);
	else
		fprintf(f, "[%zu]", at->index);
}

static unsigned line_of(const struct k8s_decoder *d, const struct k8s_at *at)
{
	unsigned line = 0;

	for (; at && !line && d->text; at = at->up)
		line = at->node ? k8s_text_line(d->text, at->node) : 0;
	return line;
}

static void _printf_(4, 0)
    complain(struct k8s_decoder *d, enum k8s_severity sev, const struct k8s_at *at, const char *fmt, va_list ap)
{
	unsigned line = line_of(d, at);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f) {
		k8s_problems_add(d->problems, sev, line, NULL);
		return;
	}
	fputs(d->source, f);
	if (line)
		fprintf(f, ":%u", line);
	fputs(": ", f);
	if (*d->label)
		fprintf(f, "%s: ", d->label);
	if (at && at->up) {
		write_path(f, at);
		fputs(": ", f);
	}
	vfprintf(f, fmt, ap);
	if (fclose(f) < 0) {
		free(text);
		text = NULL;
	}
	k8s_problems_add(d->problems, sev, line, text);
}

int k8s_bad(struct k8s_decoder *d, const struct k8s_at *at, const char *fmt, ...)
{
	va_list ap;

	d->errors++;
	va_start(ap, fmt);
	complain(d, K8S_ERROR, at, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void k8s_note(struct k8s_decoder *d, enum k8s_severity sev, const struct k8s_at *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(d, sev, at, fmt, ap);
	va_end(ap);
}

static const char *type_name(json_type t)
{
	switch (t) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	default:
		return "null";
	}
}

const json_t *k8s_member(struct k8s_decoder *d, const struct k8s_at *up, const char *key, json_type type,
			 struct k8s_at *at)
{
	const json_t *v = json_object_get(up->node, key);

	*at = (struct k8s_at){ .up = up, .key = key, .node = v };
	if (!v || json_is_null(v))
		return NULL;
	if (json_typeof(v) == type || (type == JSON_TRUE && json_is_false(v)))
		return v;
	k8s_bad(d, at, "is %s and must be %s", type_name(json_typeof(v)), type_name(type));
	return NULL;
}

const char *k8s_string(struct k8s_decoder *d, const struct k8s_at *up, const char *key, struct k8s_at *at)
{
	return json_string_value(k8s_member(d, up, key, JSON_STRING, at));
}

bool k8s_bool(struct k8s_decoder *d, const struct k8s_at *up, const char *key)
{
	struct k8s_at at;

	return json_is_true(k8s_member(d, up, key, JSON_TRUE, &at));
}

static bool listed(const char *key, const char *const *keys)
{
	for (; *keys; keys++)
		if (streq(key, *keys))
			return true;
	return false;
}

void k8s_only(struct k8s_decoder *d, const struct k8s_at *at, const char *const *keys)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)at->node, key, v) {
		struct k8s_at here = { .up = at, .key = key, .node = v };

		if (!listed(key, keys))
			k8s_bad(d, &here, "unknown field");
	}
}

bool k8s_item(struct k8s_decoder *d, const struct k8s_at *list, size_t i, struct k8s_at *at)
{
	const json_t *v = json_array_get(list->node, i);

	*at = (struct k8s_at){ .up = list, .index = i, .node = v };
	if (json_is_object(v) || json_is_null(v)) /* members of null are absent, too */
		return true;
	k8s_bad(d, at, "is %s and must be an object", type_name(json_typeof(v)));
	return false;
}

void *k8s_alloc(struct k8s_decoder *d, size_t n, size_t size)
{
	void *p = arena_alloc(d->arena, n, size);

	if (!p)
		d->oom = true;
	return p;
}

char *k8s_strdup(struct k8s_decoder *d, const char *s)
{
	char *p = arena_strdup(d->arena, s);

	if (!p)
		d->oom = true;
	return p;
}

void k8s_read_labels(struct k8s_decoder *d, const struct k8s_at *up, const char *key, struct k8s_labels *ret)
{
	struct k8s_at at;
	const json_t *map = k8s_member(d, up, key, JSON_OBJECT, &at);
	const char *k;
	json_t *v;

	*ret = (struct k8s_labels){};
	if (!json_object_size(map))
		return;
	ret->v = k8s_alloc(d, json_object_size(map), sizeof(*ret->v));
	if (!ret->v)
		return;
	json_object_foreach ((json_t *)map, k, v) {
		struct k8s_at here = { .up = &at, .key = k, .node = v };
		struct k8s_label *l = &ret->v[ret->n];

		if (!json_is_string(v)) {
			k8s_bad(d, &here, "is %s and must be a string%s", type_name(json_typeof(v)),
				json_is_null(v) ? "" : " (quote it)");
			continue;
		}
		if (!k8s_valid_label_key(k))
			k8s_bad(d, &here, "not a valid label key");
		if (!k8s_valid_label_value(json_string_value(v)))
			k8s_bad(d, &here, "\"%.80s\" is not a valid label value", json_string_value(v));
		l->key = k8s_strdup(d, k);
		l->value = k8s_strdup(d, json_string_value(v));
		ret->n += l->key && l->value;
	}
	k8s_labels_sort(ret);
}
