// SPDX-License-Identifier: Apache-2.0
/* Prefixes that policies name. An address belongs to the longest one that covers it, and to no other. */
#include "lib/policy/internal.h"

static void class_free(struct policy_compiler *c, struct addr_class *k)
{
	if (k->hh.tbl)
		HASH_DEL(c->classes, k);
	free(k->identities.v);
	free(k);
}

int class_name(struct policy_compiler *c, const struct prefix *p, struct addr_class **ret)
{
	struct weir_lpm_key key = prefix_to_lpm(p);
	struct addr_class *k;

	HASH_FIND(hh, c->classes, &key, sizeof(key), k);
	if (!k) {
		k = calloc(1, sizeof(*k));
		if (!k)
			return -ENOMEM;
		k->key = key;
		k->prefix = *p;
		HASH_ADD(hh, c->classes, key, sizeof(k->key), k);
		if (!hash_added(k)) {
			free(k);
			return -ENOMEM;
		}
	}
	c->classes_stale |= !k->named;
	k->refs++;
	k->named++;
	*ret = k;
	return 0;
}

void class_unref(struct policy_compiler *c, struct addr_class *k)
{
	if (k && !--k->refs)
		class_free(c, k);
}

void class_unname(struct policy_compiler *c, struct addr_class *k)
{
	if (!k)
		return;
	if (!--k->named) {
		c->classes_stale = true;
		identity_unref(k->own);
		k->own = NULL;
	}
	class_unref(c, k);
}

static int by_prefix(const void *a, const void *b)
{
	return prefix_cmp(&(*(struct addr_class *const *)a)->prefix, &(*(struct addr_class *const *)b)->prefix);
}

/* Sorted, each prefix stands behind those that contain it: going back from it along parents finds them all. */
static void find_parents(struct addr_class **list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct addr_class *p = i ? list[i - 1] : NULL;

		while (p && !prefix_contains(&p->prefix, &list[i]->prefix))
			p = p->parent;
		list[i]->parent = p;
	}
}

static int classes_sort(struct policy_compiler *c)
{
	size_t total = HASH_COUNT(c->classes);

	for (size_t v = 0; v < 2; v++) {
		c->by_prefix[v].n = 0;
		if (vec_reserve(&c->by_prefix[v], total) < 0)
			return -ENOMEM;
	}
	for (struct addr_class *k = c->classes; k; k = k->hh.next) {
		size_t v = !prefix_is_v4(&k->prefix);

		if (k->named)
			c->by_prefix[v].v[c->by_prefix[v].n++] = k;
	}
	for (size_t v = 0; v < 2; v++) {
		if (c->by_prefix[v].n)
			qsort(c->by_prefix[v].v, c->by_prefix[v].n, sizeof(struct addr_class *), by_prefix);
		find_parents(c->by_prefix[v].v, c->by_prefix[v].n);
	}
	return 0;
}

int classes_sync(struct policy_compiler *c)
{
	if (!c->classes_stale)
		return 0;
	if (classes_sort(c) < 0)
		return -ENOMEM;
	for (struct addr_class *k = c->classes; k; k = k->hh.next)
		if (k->named && !k->own && identity_get(c, NULL, WEIR_ID_WORLD, k, &k->own) < 0)
			return -ENOMEM;
	c->classes_stale = false;
	c->class_gen++;
	return 0;
}

/* How many of the list are not behind p. */
static size_t upto(const struct policy_compiler *c, size_t v, const struct prefix *p)
{
	size_t lo = 0, hi = c->by_prefix[v].n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (prefix_cmp(&c->by_prefix[v].v[mid]->prefix, p) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct addr_class *class_of(const struct policy_compiler *c, const struct weir_addr *a)
{
	struct prefix p = prefix_of_addr(a);
	size_t v = !addr_is_v4(a), n = upto(c, v, &p);
	struct addr_class *k = n ? c->by_prefix[v].v[n - 1] : NULL;

	while (k && !prefix_has_addr(&k->prefix, a))
		k = k->parent;
	return k;
}

size_t classes_inside(const struct policy_compiler *c, const struct addr_class *k, size_t *ret_first)
{
	size_t v = !prefix_is_v4(&k->prefix), first = upto(c, v, &k->prefix) - 1, n = first;

	while (n < c->by_prefix[v].n && prefix_contains(&k->prefix, &c->by_prefix[v].v[n]->prefix))
		n++;
	*ret_first = first;
	return n - first;
}
