// SPDX-License-Identifier: Apache-2.0
#include "lib/policy/internal.h"

#define KEY_MAX 512 /* a namespace, a label key and a value, each of bounded length */

/* "" first: selectors of any namespace. label: NULL for selectors that need no certain label. */
static size_t bucket_key(char *buf, const char *ns, const char *label, const char *value)
{
	return snprintf(buf, KEY_MAX, "%s\n%s\n%s", ns ?: "", label ?: "", value ?: "");
}

static struct selector_bucket *bucket_find(struct policy_compiler *c, const char *ns, const char *label,
					   const char *value)
{
	struct selector_bucket *b;
	char key[KEY_MAX];
	size_t len = bucket_key(key, ns, label, value);

	HASH_FIND(hh, c->buckets, key, len, b);
	return b;
}

static int bucket_add(struct policy_compiler *c, const char *ns, const char *label, const char *value,
		      struct selector *s)
{
	struct selector_bucket *b = bucket_find(c, ns, label, value);
	char key[KEY_MAX];
	size_t len;

	if (!b) {
		len = bucket_key(key, ns, label, value);
		b = calloc(1, sizeof(*b) + len + 1);
		if (!b)
			return -ENOMEM;
		memcpy(b->key, key, len);
		HASH_ADD_KEYPTR(hh, c->buckets, b->key, len, b);
		if (!hash_added(b)) {
			free(b);
			return -ENOMEM;
		}
	}
	s->bucket = b;
	return vec_add(&b->selectors, s);
}

static void bucket_remove(struct policy_compiler *c, struct selector *s)
{
	struct selector_bucket *b = s->bucket;

	if (!b)
		return;
	for (size_t i = 0; i < b->selectors.n; i++) {
		if (b->selectors.v[i] == s) {
			b->selectors.v[i] = b->selectors.v[--b->selectors.n];
			break;
		}
	}
	if (b->selectors.n)
		return;
	HASH_DEL(c->buckets, b);
	free(b->selectors.v);
	free(b);
}

static int bucket_choose(struct policy_compiler *c, struct selector *s)
{
	for (size_t i = 0; s->pod_selector && i < s->pod_selector->n; i++) {
		const struct k8s_requirement *r = &s->pod_selector->v[i];

		if (r->op == K8S_IN && r->n_values == 1)
			return bucket_add(c, s->ns, r->key, r->values[0], s);
	}
	return bucket_add(c, s->ns, NULL, NULL, s);
}

static bool matches(const struct selector *s, const struct labelset *l)
{
	if (s->ns && !streq(s->ns, l->space->name))
		return false;
	return (!s->pod_selector || k8s_selector_matches(s->pod_selector, &l->pod->o.labels)) &&
	       (!s->ns_selector || k8s_selector_matches(s->ns_selector, &l->space->labels));
}

static int join(struct selector *s, struct labelset *l)
{
	if (vec_reserve(&s->labelsets, 1) < 0 || vec_reserve(&l->selectors, 1) < 0)
		return -ENOMEM;
	s->labelsets.v[s->labelsets.n++] = l;
	l->selectors.v[l->selectors.n++] = s;
	return 0;
}

static int match_bucket(struct selector_bucket *b, struct labelset *l)
{
	for (size_t i = 0; b && i < b->selectors.n; i++)
		if (matches(b->selectors.v[i], l) && join(b->selectors.v[i], l) < 0)
			return -ENOMEM;
	return 0;
}

int selectors_match_labelset(struct policy_compiler *c, struct labelset *l)
{
	const struct k8s_labels *labels = &l->pod->o.labels;
	const char *const scopes[] = { l->space->name, NULL };

	for (size_t k = 0; k < ARRAY_SIZE(scopes); k++) {
		if (match_bucket(bucket_find(c, scopes[k], NULL, NULL), l) < 0)
			return -ENOMEM;
		for (size_t i = 0; i < labels->n; i++)
			if (match_bucket(bucket_find(c, scopes[k], labels->v[i].key, labels->v[i].value), l) < 0)
				return -ENOMEM;
	}
	return 0;
}

void selectors_forget_labelset(struct labelset *l)
{
	for (size_t k = 0; k < l->selectors.n; k++) {
		struct selector *s = l->selectors.v[k];

		for (size_t i = 0; i < s->labelsets.n; i++) {
			if (s->labelsets.v[i] == l) {
				s->labelsets.v[i] = s->labelsets.v[--s->labelsets.n];
				break;
			}
		}
	}
	l->selectors.n = 0;
}

static int match_all(struct policy_compiler *c, struct selector *s)
{
	for (struct space *space = c->spaces; space; space = space->hh.next) {
		if (s->ns && !streq(s->ns, space->name))
			continue;
		for (size_t i = 0; i < space->labelsets.n; i++)
			if (matches(s, space->labelsets.v[i]) && join(s, space->labelsets.v[i]) < 0)
				return -ENOMEM;
	}
	return 0;
}

static void selector_free(struct policy_compiler *c, struct selector *s)
{
	for (size_t k = 0; k < s->labelsets.n; k++) {
		struct labelset *l = s->labelsets.v[k];

		for (size_t i = 0; i < l->selectors.n; i++) {
			if (l->selectors.v[i] == s) {
				l->selectors.v[i] = l->selectors.v[--l->selectors.n];
				break;
			}
		}
	}
	bucket_remove(c, s);
	if (s->hh.tbl)
		HASH_DEL(c->selectors, s);
	k8s_object_unref(s->owner);
	free(s->labelsets.v);
	free(s->subjects.v);
	free(s);
}

void selector_unref(struct policy_compiler *c, struct selector *s)
{
	if (s && !--s->refs)
		selector_free(c, s);
}

/* "namespace\nnamespace selector\npod selector": equal texts select the same. */
static struct selector *selector_new(struct k8s_object *owner, const struct k8s_selector *ns_selector,
				     const struct k8s_selector *pod_selector, size_t *ret_len)
{
	static const struct k8s_selector all;
	const char *ns = ns_selector ? "" : owner->ns;
	size_t a = k8s_selector_to_str(ns_selector ?: &all, NULL, 0);
	size_t b = k8s_selector_to_str(pod_selector ?: &all, NULL, 0), n = strlen(ns);
	struct selector *s = calloc(1, sizeof(*s) + n + a + b + 3);

	if (!s)
		return NULL;
	memcpy(s->key, ns, n);
	s->key[n] = '\n';
	k8s_selector_to_str(ns_selector ?: &all, s->key + n + 1, a + 1);
	s->key[n + 1 + a] = '\n';
	k8s_selector_to_str(pod_selector ?: &all, s->key + n + a + 2, b + 1);
	s->refs = 1;
	s->ns = ns_selector ? NULL : owner->ns;
	s->ns_selector = ns_selector;
	s->pod_selector = pod_selector;
	s->owner = k8s_object_ref(owner);
	*ret_len = n + a + b + 2;
	return s;
}

int selector_get(struct policy_compiler *c, struct k8s_object *owner, const struct k8s_selector *ns_selector,
		 const struct k8s_selector *pod_selector, struct selector **ret)
{
	size_t len;
	struct selector *s = selector_new(owner, ns_selector, pod_selector, &len), *old;

	if (!s)
		return -ENOMEM;
	HASH_FIND(hh, c->selectors, s->key, len, old);
	if (old) {
		selector_free(c, s);
		old->refs++;
		*ret = old;
		return 0;
	}
	HASH_ADD_KEYPTR(hh, c->selectors, s->key, len, s);
	if (!hash_added(s) || bucket_choose(c, s) < 0 || match_all(c, s) < 0) {
		selector_free(c, s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}
