// SPDX-License-Identifier: Apache-2.0
#include "cli/filter_raw.h"

#include "lib/pbjson.h"

static int add(const json_t *json, struct raw_filters *f, struct err *reterr)
{
	ProtobufCMessage *msg;
	int r = vec_reserve(f, 1) < 0 ? err_oom(reterr) : 0;

	if (r == 0)
		r = pbjson_read(json, &flow__flow_filter__descriptor, &msg, reterr);
	if (r == 0)
		f->v[f->n++] = (Flow__FlowFilter *)msg;
	return r;
}

int filter_raw_parse(const char *text, struct raw_filters *f, struct err *reterr)
{
	size_t left = strlen(text), blank;

	while (left > 0) {
		json_error_t je;
		json_t *json = json_loadb(text, left, JSON_DISABLE_EOF_CHECK, &je);
		int r;

		if (!json)
			return err_set(reterr, -EINVAL, "\"%s\" is no filter in JSON: %s", text, je.text);
		r = add(json, f, reterr);
		json_decref(json);
		if (r < 0)
			return r;
		text += je.position;
		left -= (size_t)je.position;
		blank = strspn(text, " \t\r\n");
		text += blank;
		left -= blank;
	}
	return 0;
}

void filter_raw_clear(struct raw_filters *f)
{
	while (f->n)
		flow__flow_filter__free_unpacked(f->v[--f->n], NULL);
	free(TAKE_PTR(f->v));
}

/* In YAML's single quotes a quote is written twice. */
static void print_quoted(FILE *out, const ProtobufCMessage *msg)
{
	size_t len;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	pbjson_write(f, msg);
	if (fclose(f) == 0)
		for (const char *p = text; *p; p++)
			fputs(*p == '\'' ? "\'\'" : (char[]){ *p, '\0' }, out);
	free(text);
}

void filter_raw_print(FILE *out, const char *name, Flow__FlowFilter *const *list, size_t n)
{
	if (n)
		fprintf(out, "%s:\n", name);
	for (size_t i = 0; i < n; i++) {
		fputs("    - '", out);
		print_quoted(out, &list[i]->base);
		fputs("'\n", out);
	}
}
