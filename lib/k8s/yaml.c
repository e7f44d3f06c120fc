// SPDX-License-Identifier: Apache-2.0
/* YAML into JSON trees, by libyaml's events: bounded in depth and in what aliases multiply. */
#include <yaml.h>

#include "lib/k8s/text.h"
#include "lib/macro.h"

#define ANCHORS_MAX 1000 /* in one document */

struct anchor {
	char *name;
	json_t *node;  /* NULL while it is being built */
	size_t weight; /* nodes in it, aliases counted in full */
};

struct reader {
	yaml_parser_t parser;
	struct k8s_text *text;
	struct anchor *anchors;
	size_t n_anchors;
	size_t weight;  /* nodes so far, aliases counted in full */
	size_t aliased; /* of these: through aliases, in the whole file */
	unsigned line;  /* of the error */
	struct err *err;
};

static int read_node(struct reader *r, const yaml_event_t *e, unsigned depth, json_t **ret_node);

static int fault(struct reader *r, const yaml_mark_t *at, const char *what)
{
	r->line = at->line + 1;
	return err_set(r->err, -EINVAL, "YAML: %s", what);
}

static int next_event(struct reader *r, yaml_event_t *e)
{
	if (yaml_parser_parse(&r->parser, e))
		return 0;
	memset(e, 0, sizeof(*e));
	if (r->parser.error == YAML_MEMORY_ERROR)
		return err_oom(r->err);
	return fault(r, &r->parser.problem_mark, r->parser.problem ?: "cannot be read");
}

static void event_done(yaml_event_t *e)
{
	yaml_event_delete(e);
}
#define _cleanup_event_ _cleanup_(event_done)

static void forget_anchors(struct reader *r)
{
	for (size_t i = 0; i < r->n_anchors; i++) {
		free(r->anchors[i].name);
		json_decref(r->anchors[i].node);
	}
	free(r->anchors);
	r->anchors = NULL;
	r->n_anchors = 0;
}

static struct anchor *find_anchor(struct reader *r, const char *name)
{
	for (size_t i = r->n_anchors; i-- > 0;) /* the newest of that name */
		if (streq(r->anchors[i].name, name))
			return &r->anchors[i];
	return NULL;
}

static int add_anchor(struct reader *r, const yaml_event_t *e, const char *name, size_t *ret_index)
{
	struct anchor *v;

	if (r->n_anchors == ANCHORS_MAX)
		return fault(r, &e->start_mark, "too many anchors");
	v = realloc(r->anchors, (r->n_anchors + 1) * sizeof(*v));
	if (!v)
		return err_oom(r->err);
	r->anchors = v;
	v[r->n_anchors] = (struct anchor){ .name = strdup(name) };
	if (!v[r->n_anchors].name)
		return err_oom(r->err);
	*ret_index = r->n_anchors++;
	return 0;
}

static int read_alias(struct reader *r, const yaml_event_t *e, json_t **ret_node)
{
	struct anchor *a = find_anchor(r, (const char *)e->data.alias.anchor);

	if (!a)
		return fault(r, &e->start_mark, "alias of an unknown anchor");
	if (!a->node)
		return fault(r, &e->start_mark, "an anchor that contains itself");
	r->weight += a->weight;
	r->aliased += a->weight;
	if (r->aliased > K8S_ALIASED_NODES_MAX)
		return fault(r, &e->start_mark, "aliases multiply this file beyond reason");
	*ret_node = json_incref(a->node);
	return 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *e, json_t **ret_node)
{
	const char *s = (const char *)e->data.scalar.value, *tag = (const char *)e->data.scalar.tag;
	size_t len = e->data.scalar.length;

	if (tag && !str_prefix(tag, "tag:yaml.org,2002:"))
		return fault(r, &e->start_mark, "unknown tag");
	if (tag ? !streq(tag, YAML_STR_TAG) : e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		*ret_node = k8s_yaml_resolve(s, len);
	else if (memchr(s, 0, len))
		return fault(r, &e->start_mark, "a string with a zero byte");
	else
		*ret_node = json_stringn(s, len);
	if (!*ret_node) /* the parser has checked the encoding: nothing else is left */
		return err_oom(r->err);
	return 0;
}

static int read_sequence(struct reader *r, unsigned depth, json_t **ret_node)
{
	json_t *list = json_array();
	int err = list ? 0 : err_oom(r->err);

	while (!err) {
		_cleanup_event_ yaml_event_t e = {};
		json_t *item = NULL;

		err = next_event(r, &e);
		if (err || e.type == YAML_SEQUENCE_END_EVENT)
			break;
		err = read_node(r, &e, depth, &item);
		if (!err && json_array_append_new(list, item) < 0)
			err = err_oom(r->err);
	}
	if (err)
		json_decref(list);
	else
		*ret_node = list;
	return err;
}

/* A key as JSON has it: a string, whatever it would be as a value. */
static int read_key(struct reader *r, const yaml_event_t *e, char **ret_key, bool *ret_merge)
{
	json_t *node = NULL;
	char *key;
	int err;

	if (e->type != YAML_SCALAR_EVENT)
		return fault(r, &e->start_mark, "a key that is not a scalar");
	err = read_scalar(r, e, &node);
	if (err)
		return err;
	if (json_is_boolean(node))
		key = strdup(json_is_true(node) ? "true" : "false");
	else
		key = strdup(json_is_string(node) ? json_string_value(node) : (const char *)e->data.scalar.value);
	json_decref(node);
	if (!key)
		return err_oom(r->err);
	*ret_key = key;
	*ret_merge = streq(key, "<<") && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return 0;
}

/* The keys that `<<: *anchor` adds do not replace those that are written out. */
static int merge(struct reader *r, json_t *map, const json_t *from, const yaml_mark_t *at)
{
	size_t i;
	json_t *item;

	if (json_is_object(from))
		return json_object_update_missing(map, (json_t *)from) < 0 ? err_oom(r->err) : 0;
	if (!json_is_array(from))
		return fault(r, at, "only a mapping can be merged in");
	json_array_foreach (from, i, item) {
		int err = json_is_object(item) ? merge(r, map, item, at)
					       : fault(r, at, "only mappings can be merged in");

		if (err)
			return err;
	}
	return 0;
}

/* Reads one "key: value"; 1 at the end of the mapping. The merged part waits until all keys are known. */
static int read_pair(struct reader *r, json_t *map, unsigned depth, json_t **merged)
{
	_cleanup_event_ yaml_event_t ke = {}, ve = {};
	_cleanup_free_ char *key = NULL;
	bool is_merge = false;
	json_t *value;
	int err;

	err = next_event(r, &ke);
	if (err || ke.type == YAML_MAPPING_END_EVENT)
		return err ?: 1;
	err = read_key(r, &ke, &key, &is_merge) ?: next_event(r, &ve) ?: read_node(r, &ve, depth, &value);
	if (err)
		return err;
	if (json_object_get(map, key) || (is_merge && *merged)) {
		json_decref(value);
		r->line = ke.start_mark.line + 1;
		return err_set(r->err, -EINVAL, "YAML: duplicate key \"%s\"", key);
	}
	if (is_merge) {
		*merged = value;
		return 0;
	}
	return json_object_set_new(map, key, value) < 0 ? err_oom(r->err) : 0;
}

static int read_mapping(struct reader *r, const yaml_mark_t *at, unsigned depth, json_t **ret_node)
{
	json_t *map = json_object(), *merged = NULL;
	int err = map ? 0 : err_oom(r->err);

	while (!err)
		err = read_pair(r, map, depth, &merged);
	if (err > 0)
		err = merged ? merge(r, map, merged, at) : 0;
	json_decref(merged);
	if (err)
		json_decref(map);
	else
		*ret_node = map;
	return err;
}

static const char *anchor_of(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return (const char *)e->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)e->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return (const char *)e->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static int read_node(struct reader *r, const yaml_event_t *e, unsigned depth, json_t **ret_node)
{
	const char *name = anchor_of(e);
	size_t before = r->weight++, index = 0;
	json_t *node = NULL;
	int err;

	if (depth >= K8S_DEPTH_MAX)
		return fault(r, &e->start_mark, "nested too deeply");
	if (name) {
		err = add_anchor(r, e, name, &index);
		if (err)
			return err;
	}
	if (e->type == YAML_ALIAS_EVENT)
		err = read_alias(r, e, &node);
	else if (e->type == YAML_SCALAR_EVENT)
		err = read_scalar(r, e, &node);
	else if (e->type == YAML_SEQUENCE_START_EVENT)
		err = read_sequence(r, depth + 1, &node);
	else
		err = read_mapping(r, &e->start_mark, depth + 1, &node);
	if (err)
		return err;
	if (e->type != YAML_ALIAS_EVENT && k8s_text_add_line(r->text, node, e->start_mark.line + 1) < 0) {
		json_decref(node);
		return err_oom(r->err);
	}
	if (name) {
		r->anchors[index].node = json_incref(node);
		r->anchors[index].weight = r->weight - before;
	}
	*ret_node = node;
	return 0;
}

/* One event of the stream's own level; 1 at its end. */
static int read_document(struct reader *r)
{
	_cleanup_event_ yaml_event_t e = {};
	json_t *doc;
	int err;

	err = next_event(r, &e);
	if (err)
		return err;
	switch (e.type) {
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		return 0;
	case YAML_DOCUMENT_END_EVENT:
		forget_anchors(r);
		return 0;
	default:
		err = read_node(r, &e, 0, &doc);
		return err ?: k8s_text_add_doc(r->text, doc) < 0 ? err_oom(r->err) : 0;
	}
}

int k8s_yaml_parse(const char *text, size_t len, struct k8s_text *t, unsigned *reterr_line, struct err *reterr)
{
	struct reader r = { .text = t, .err = reterr };
	int err = 0;

	if (!yaml_parser_initialize(&r.parser))
		return err_oom(reterr);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	while (!err)
		err = read_document(&r);
	*reterr_line = r.line;
	forget_anchors(&r);
	yaml_parser_delete(&r.parser);
	return err > 0 ? 0 : err;
}
