// SPDX-License-Identifier: Apache-2.0
#include "lib/label_selector.h"

#include <ctype.h>

#define SELECTOR_MAX 4096

struct slice {
	const char *s;
	size_t len;
};

enum op { OP_EXISTS, OP_NOT_EXISTS, OP_IN, OP_NOT_IN, OP_GREATER, OP_LESS };

struct requirement {
	struct slice source, key; /* source.len 0: any */
	enum op op;
	size_t n_values;
	struct slice *values;
};

struct selector {
	size_t n;
	struct requirement *req;
};

void selector_free(struct selector *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->req[i].values);
	free(s->req);
	free(s);
}

static bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && !memcmp(a.s, b.s, a.len);
}

static bool slice_is(struct slice a, const char *s)
{
	return slice_eq(a, (struct slice){ s, strlen(s) });
}

static void skip_space(const char **p)
{
	*p += strspn(*p, " \t");
}

static struct slice word(const char **p)
{
	struct slice w = { *p, strcspn(*p, " \t,()=!<>") };

	*p += w.len;
	skip_space(p);
	return w;
}

static void set_key(struct requirement *r, struct slice w)
{
	const char *colon = memchr(w.s, ':', w.len);

	r->key = w;
	if (!colon)
		return;
	r->source = (struct slice){ w.s, colon - w.s };
	r->key = (struct slice){ colon + 1, w.len - r->source.len - 1 };
	if (slice_is(r->source, "any"))
		r->source.len = 0;
}

static int add_value(struct requirement *r, struct slice v)
{
	struct slice *values = realloc(r->values, (r->n_values + 1) * sizeof(*values));

	if (!values)
		return -ENOMEM;
	r->values = values;
	values[r->n_values++] = v;
	return 0;
}

/* "(a, b)" */
static int parse_set(const char **p, struct requirement *r)
{
	if (**p != '(')
		return -EINVAL;
	do {
		++*p;
		skip_space(p);
		if (add_value(r, word(p)) < 0)
			return -ENOMEM;
	} while (**p == ',');
	if (**p != ')')
		return -EINVAL;
	++*p;
	return 0;
}

static int parse_op(const char **p, struct requirement *r)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = { { "==", OP_IN }, { "=", OP_IN }, { "!=", OP_NOT_IN }, { ">", OP_GREATER }, { "<", OP_LESS } };
	struct slice name;

	if (**p == '\0' || **p == ',')
		return 0; /* the key alone: exists */
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (str_prefix(*p, ops[i].text)) {
			*p += strlen(ops[i].text);
			skip_space(p);
			r->op = ops[i].op;
			return add_value(r, word(p));
		}
	name = word(p);
	if (slice_is(name, "in"))
		r->op = OP_IN;
	else if (slice_is(name, "notin"))
		r->op = OP_NOT_IN;
	else
		return -EINVAL;
	return parse_set(p, r);
}

static int parse_requirement(const char **p, struct requirement *r)
{
	bool negated = false;
	int ret;

	skip_space(p);
	if (**p == '!') {
		negated = true;
		++*p;
		skip_space(p);
	}
	set_key(r, word(p));
	if (!r->key.len)
		return -EINVAL;
	r->op = negated ? OP_NOT_EXISTS : OP_EXISTS;
	ret = negated ? 0 : parse_op(p, r);
	skip_space(p);
	return ret < 0 ? ret : **p == ',' || **p == '\0' ? 0 : -EINVAL;
}

int selector_parse(const char *text, struct selector **ret_selector, struct err *reterr)
{
	_cleanup_(selector_freep) struct selector *s = calloc(1, sizeof(*s));
	const char *p = text;
	int r;

	if (!s)
		return err_oom(reterr);
	if (strlen(text) > SELECTOR_MAX)
		return err_set(reterr, -EINVAL, "a label selector is longer than %d characters", SELECTOR_MAX);
	while (*p) {
		struct requirement *req = realloc(s->req, (s->n + 1) * sizeof(*req));

		if (!req)
			return err_oom(reterr);
		s->req = req;
		memset(&req[s->n], 0, sizeof(*req));
		r = parse_requirement(&p, &req[s->n++]);
		if (r == 0 && *p == ',' && !*++p)
			r = -EINVAL; /* nothing behind a comma */
		if (r < 0)
			return r == -ENOMEM ? err_oom(reterr)
					    : err_set(reterr, r, "\"%s\" is not a label selector", text);
	}
	*ret_selector = TAKE_PTR(s);
	return 0;
}

/* The value of a label that has this key, or false. */
static bool label_value(const char *label, const struct requirement *r, struct slice *ret_value)
{
	const char *colon = strchr(label, ':'), *eq;
	struct slice source = { label, colon ? (size_t)(colon - label) : 0 };
	struct slice key = { colon ? colon + 1 : label, 0 };

	eq = strchr(key.s, '=');
	key.len = eq ? (size_t)(eq - key.s) : strlen(key.s);
	if (!slice_eq(key, r->key) || (r->source.len && !slice_eq(source, r->source)))
		return false;
	*ret_value = eq ? (struct slice){ eq + 1, strlen(eq + 1) } : (struct slice){ "", 0 };
	return true;
}

static bool number(struct slice s, long long *ret)
{
	char buf[24], *end;

	if (!s.len || s.len >= sizeof(buf))
		return false;
	memcpy(buf, s.s, s.len);
	buf[s.len] = '\0';
	*ret = strtoll(buf, &end, 10);
	return !*end && !isspace((unsigned char)buf[0]);
}

static bool value_matches(const struct requirement *r, struct slice v)
{
	long long have, limit;

	if (r->op == OP_GREATER || r->op == OP_LESS)
		return number(v, &have) && number(r->values[0], &limit) &&
		       (r->op == OP_GREATER ? have > limit : have < limit);
	for (size_t i = 0; i < r->n_values; i++)
		if (slice_eq(v, r->values[i]))
			return true;
	return false;
}

static bool requirement_met(const struct requirement *r, char *const *labels, size_t n_labels)
{
	bool has = false, hit = false;

	for (size_t i = 0; i < n_labels && !hit; i++) {
		struct slice v;

		if (!label_value(labels[i], r, &v))
			continue;
		has = true;
		hit = value_matches(r, v);
	}
	switch (r->op) {
	case OP_EXISTS:
		return has;
	case OP_NOT_EXISTS:
		return !has;
	case OP_NOT_IN: /* met by a missing label, too: as Kubernetes does */
		return !hit;
	default:
		return hit;
	}
}

bool selector_match(const struct selector *s, char *const *labels, size_t n_labels)
{
	for (size_t i = 0; i < s->n; i++)
		if (!requirement_met(&s->req[i], labels, n_labels))
			return false;
	return true;
}
