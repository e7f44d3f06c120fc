// SPDX-License-Identifier: Apache-2.0
#include "lib/k8s/selector.h"

#include <stdarg.h>

static int label_cmp(const void *a, const void *b)
{
	return strcmp(((const struct k8s_label *)a)->key, ((const struct k8s_label *)b)->key);
}

void k8s_labels_sort(struct k8s_labels *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), label_cmp);
}

const char *k8s_labels_get(const struct k8s_labels *l, const char *key)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(l->v[mid].key, key);

		if (!c)
			return l->v[mid].value;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool k8s_labels_equal(const struct k8s_labels *a, const struct k8s_labels *b)
{
	if (a->n != b->n || a->unreadable != b->unreadable)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!streq(a->v[i].key, b->v[i].key) || !streq(a->v[i].value, b->v[i].value))
			return false;
	return true;
}

static bool requirement_holds(const struct k8s_requirement *r, const struct k8s_labels *l)
{
	const char *value = k8s_labels_get(l, r->key);

	if (!value && l->unreadable)
		return false;
	if (r->op == K8S_EXISTS)
		return value;
	if (r->op == K8S_DOES_NOT_EXIST)
		return !value;
	if (!value) /* NotIn holds for objects without the key */
		return r->op == K8S_NOT_IN;
	for (size_t i = 0; i < r->n_values; i++)
		if (streq(r->values[i], value))
			return r->op == K8S_IN;
	return r->op == K8S_NOT_IN;
}

bool k8s_selector_matches(const struct k8s_selector *s, const struct k8s_labels *l)
{
	for (size_t i = 0; i < s->n; i++)
		if (!requirement_holds(&s->v[i], l))
			return false;
	return true;
}

static const char *const operator_names[] = {
	[K8S_IN] = "In",
	[K8S_NOT_IN] = "NotIn",
	[K8S_EXISTS] = "Exists",
	[K8S_DOES_NOT_EXIST] = "DoesNotExist",
};

int k8s_operator_parse(const char *name, enum k8s_operator *ret_op)
{
	for (size_t i = 0; i < ARRAY_SIZE(operator_names); i++) {
		if (streq(operator_names[i], name)) {
			*ret_op = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *k8s_operator_name(enum k8s_operator op)
{
	return operator_names[op];
}

struct text {
	char *buf;
	size_t size, len;
};

static void _printf_(2, 3) text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->len < t->size ? t->buf + t->len : NULL, t->len < t->size ? t->size - t->len : 0, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += n;
}

static void requirement_to_text(const struct k8s_requirement *r, struct text *t)
{
	if (r->op == K8S_EXISTS || r->op == K8S_DOES_NOT_EXIST) {
		text_add(t, "%s%s", r->op == K8S_EXISTS ? "" : "!", r->key);
		return;
	}
	if (r->n_values == 1) {
		text_add(t, "%s%s%s", r->key, r->op == K8S_IN ? "=" : "!=", r->values[0]);
		return;
	}
	text_add(t, "%s %s (", r->key, r->op == K8S_IN ? "in" : "notin");
	for (size_t i = 0; i < r->n_values; i++)
		text_add(t, "%s%s", i ? "," : "", r->values[i]);
	text_add(t, ")");
}

size_t k8s_selector_to_str(const struct k8s_selector *s, char *buf, size_t size)
{
	struct text t = { buf, size, 0 };

	if (size)
		*buf = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			text_add(&t, ",");
		requirement_to_text(&s->v[i], &t);
	}
	return t.len;
}
