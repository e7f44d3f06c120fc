// SPDX-License-Identifier: Apache-2.0
#include "lib/k8s/text.h"

#include <ctype.h>

#include "lib/macro.h"

int k8s_text_add_doc(struct k8s_text *t, json_t *doc)
{
	if (!doc)
		return -ENOMEM;
	if (json_is_null(doc)) {
		json_decref(doc);
		return 0;
	}
	if (t->n_docs == t->size_docs) {
		size_t size = t->size_docs ? t->size_docs * 2 : 4;
		json_t **docs = realloc(t->docs, size * sizeof(*docs));

		if (!docs) {
			json_decref(doc);
			return -ENOMEM;
		}
		t->docs = docs;
		t->size_docs = size;
	}
	t->docs[t->n_docs++] = doc;
	return 0;
}

int k8s_text_add_line(struct k8s_text *t, const json_t *node, unsigned line)
{
	if (json_is_boolean(node) || json_is_null(node)) /* jansson has one of each */
		return 0;
	if (t->n_lines == t->size_lines) {
		size_t size = t->size_lines ? t->size_lines * 2 : 64;
		struct k8s_text_line *lines = realloc(t->lines, size * sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		t->lines = lines;
		t->size_lines = size;
	}
	t->lines[t->n_lines++] = (struct k8s_text_line){ node, line };
	return 0;
}

unsigned k8s_text_line(const struct k8s_text *t, const json_t *node)
{
	for (size_t i = 0; i < t->n_lines; i++) /* only asked for when there is something to complain about */
		if (t->lines[i].node == node)
			return t->lines[i].line;
	return 0;
}

void k8s_text_done(struct k8s_text *t)
{
	for (size_t i = 0; i < t->n_docs; i++)
		json_decref(t->docs[i]);
	free(t->docs);
	free(t->lines);
	*t = (struct k8s_text){};
}

static unsigned count_lines(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

static size_t skip_space(const char *text, size_t len, size_t pos)
{
	while (pos < len && isspace((unsigned char)text[pos]))
		pos++;
	return pos;
}

/* JSON values one after the other. */
static int parse_json(const char *text, size_t len, struct k8s_text *t, unsigned *reterr_line, struct err *reterr)
{
	for (size_t pos = skip_space(text, len, 0); pos < len; pos = skip_space(text, len, pos)) {
		json_error_t e;
		json_t *doc = json_loadb(text + pos, len - pos, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &e);

		if (!doc && json_error_code(&e) == json_error_out_of_memory)
			return err_oom(reterr);
		if (!doc) {
			*reterr_line = e.line > 0 ? count_lines(text, pos) + e.line : 0;
			return err_set(reterr, -EINVAL, "JSON: %s", e.text);
		}
		pos += e.position;
		if (k8s_text_add_doc(t, doc) < 0)
			return err_oom(reterr);
	}
	return 0;
}

/* What begins like JSON is read as JSON; when it turns out not to be, YAML's flow style begins so too. */
int k8s_text_parse(const char *text, size_t len, struct k8s_text *ret_text, unsigned *reterr_line, struct err *reterr)
{
	size_t start = skip_space(text, len, 0);
	struct k8s_text yaml = {};
	unsigned line;
	int r;

	*ret_text = (struct k8s_text){};
	*reterr_line = 0;
	if (start == len)
		return 0;
	if (text[start] != '{' && text[start] != '[')
		return k8s_yaml_parse(text, len, ret_text, reterr_line, reterr);
	r = parse_json(text, len, ret_text, reterr_line, reterr);
	if (r != -EINVAL)
		return r;
	r = k8s_yaml_parse(text, len, &yaml, &line, NULL);
	if (r < 0) {
		k8s_text_done(&yaml);
		return r == -ENOMEM ? err_oom(reterr) : r;
	}
	k8s_text_done(ret_text);
	*ret_text = yaml;
	return 0;
}
