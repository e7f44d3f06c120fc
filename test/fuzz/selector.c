// SPDX-License-Identifier: Apache-2.0
/*
 * Selectors and labels made from bytes, against the definition of the operators told a second time. The input: number
 * of labels, then key and value of each, one byte of letters each; then requirements: operator, key, values. sources:
 * lib/k8s/selector.c
 */
#include "lib/k8s/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N 8

static const char *const words[] = { "", "a", "b", "c", "app", "app.io/a", "A", "z" };

struct bytes {
	const uint8_t *data;
	size_t size;
};

static unsigned take(struct bytes *b, unsigned below)
{
	if (!b->size)
		return 0;
	b->size--;
	return *b->data++ % below;
}

static void make_labels(struct bytes *b, struct k8s_labels *l)
{
	unsigned n = take(b, N);

	for (unsigned i = 0; i < n; i++) {
		struct k8s_label label = { words[1 + take(b, N - 1)], words[take(b, N)] };
		bool known = false;

		for (size_t k = 0; k < l->n; k++)
			known |= streq(l->v[k].key, label.key);
		if (!known)
			l->v[l->n++] = label;
	}
	k8s_labels_sort(l);
}

static void make_requirement(struct bytes *b, struct k8s_requirement *r, const char **values)
{
	r->op = take(b, 4);
	r->key = words[1 + take(b, N - 1)];
	r->values = values;
	r->n_values = r->op == K8S_IN || r->op == K8S_NOT_IN ? 1 + take(b, N - 1) : 0;
	for (size_t i = 0; i < r->n_values; i++)
		values[i] = words[take(b, N)];
}

static bool told_again(const struct k8s_requirement *r, const struct k8s_labels *l)
{
	bool has = false, listed = false;

	for (size_t i = 0; i < l->n; i++) {
		if (!streq(l->v[i].key, r->key))
			continue;
		has = true;
		for (size_t k = 0; k < r->n_values; k++)
			listed |= streq(r->values[k], l->v[i].value);
	}
	switch (r->op) {
	case K8S_IN:
		return has && listed;
	case K8S_NOT_IN:
		return !listed;
	case K8S_EXISTS:
		return has;
	default:
		return !has;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	struct k8s_label labels[N];
	struct k8s_labels l = { .v = labels };
	struct k8s_requirement r[N];
	struct k8s_selector s = { 0, r };
	const char *values[N][N];
	char text[2048], small[16];
	bool want = true;

	make_labels(&b, &l);
	while (b.size && s.n < N) {
		make_requirement(&b, &r[s.n], values[s.n]);
		want &= told_again(&r[s.n], &l);
		s.n++;
	}
	if (k8s_selector_matches(&s, &l) != want)
		abort();
	if (k8s_selector_to_str(&s, text, sizeof(text)) != strlen(text) ||
	    k8s_selector_to_str(&s, small, sizeof(small)) != strlen(text) || strlen(small) >= sizeof(small))
		abort();
	return 0;
}
