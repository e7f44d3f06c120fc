// SPDX-License-Identifier: Apache-2.0
#include "lib/policy/internal.h"

void identity_free(struct retired *r)
{
	struct identity *i = (struct identity *)r;

	arena_done(&i->arena);
	free(i);
}

static const char *const reserved_names[] = {
	[WEIR_ID_HOST] = "host",     [WEIR_ID_WORLD] = "world", [WEIR_ID_UNMANAGED] = "unmanaged",
	[WEIR_ID_HEALTH] = "health", [WEIR_ID_INIT] = "init",   [WEIR_ID_REMOTE_NODE] = "remote-node",
};

static int cmp_label(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* prefix + key + "=" + value; value NULL: without "=". */
static char *make_label(struct arena *a, const char *prefix, const char *key, const char *value)
{
	size_t len = strlen(prefix) + strlen(key) + (value ? strlen(value) : 0) + 2;
	char *s = arena_alloc(a, len, 1);

	if (s)
		snprintf(s, len, "%s%s%s%s", prefix, key, value ? "=" : "", value ?: "");
	return s;
}

static int label_identity(struct identity *i, uint32_t reserved)
{
	const struct k8s_labels *l = i->labelset ? &i->labelset->pod->o.labels : NULL;
	const char **v = arena_alloc(&i->arena, (l ? l->n : 1) + 2, sizeof(*v));
	char prefix[PREFIX_STRLEN];
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t k = 0; l && k < l->n; k++)
		v[n++] = make_label(&i->arena, "k8s:", l->v[k].key, l->v[k].value);
	if (l)
		v[n++] = make_label(&i->arena, "k8s:", "io.kubernetes.pod.namespace", i->labelset->space->name);
	else
		v[n++] = make_label(&i->arena, "reserved:", reserved_names[reserved], NULL);
	if (!l && i->class)
		v[n++] = make_label(&i->arena, "cidr:", prefix_to_str(&i->class->prefix, prefix), NULL);
	for (size_t k = 0; k < n; k++)
		if (!v[k])
			return -ENOMEM;
	qsort(v, n, sizeof(*v), cmp_label);
	i->pub.labels = v;
	i->pub.ns = l ? arena_strdup(&i->arena, i->labelset->space->name) : NULL;
	return l && !i->pub.ns ? -ENOMEM : 0;
}

static enum policy_id_kind kind_of(const struct labelset *l, uint32_t reserved, const struct addr_class *k)
{
	if (l)
		return POLICY_ID_POD;
	if (reserved == WEIR_ID_HOST || reserved == WEIR_ID_REMOTE_NODE)
		return k ? POLICY_ID_NODE : POLICY_ID_RESERVED;
	return k ? POLICY_ID_CIDR : POLICY_ID_RESERVED;
}

static int identity_new(struct policy_compiler *c, const struct identity_key *key, struct labelset *l,
			struct addr_class *k, struct identity **ret)
{
	struct identity *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->retired.free = identity_free;
	i->key = *key;
	i->labelset = l;
	i->class = k;
	i->pub.kind = kind_of(l, key->reserved, k);
	if (label_identity(i, key->reserved) < 0 || (l && vec_reserve(&l->identities, 1) < 0) ||
	    (k && vec_reserve(&k->identities, 1) < 0) || vec_reserve(&c->dead, HASH_COUNT(c->identities) + 1) < 0)
		goto oom;
	HASH_ADD(hh, c->identities, key, sizeof(i->key), i);
	if (!hash_added(i))
		goto oom;
	i->pub.number = l || k ? c->next_identity++ : key->reserved;
	if (l) {
		l->identities.v[l->identities.n++] = i;
		l->refs++;
	}
	if (k) {
		k->identities.v[k->identities.n++] = i;
		k->refs++;
	}
	*ret = i;
	return 0;
oom:
	identity_free(&i->retired);
	return -ENOMEM;
}

int identity_get(struct policy_compiler *c, struct labelset *l, uint32_t reserved, struct addr_class *k,
		 struct identity **ret)
{
	struct identity_key key = { l, k, l ? 0 : reserved };
	struct identity *i;
	int r;

	HASH_FIND(hh, c->identities, &key, sizeof(key), i);
	if (!i) {
		r = identity_new(c, &key, l, k, &i);
		if (r < 0)
			return r;
	}
	i->unused = &c->unused;
	i->pub.n_refs++;
	*ret = i;
	return 0;
}

/* It stays known, number and all, until the sweep: an address may move to it within the same run. */
void identity_unref(struct identity *i)
{
	if (!i || --i->pub.n_refs || i->listed)
		return;
	i->next_unused = *i->unused;
	*i->unused = i;
	i->listed = true;
}

int identities_reserved(struct policy_compiler *c)
{
	for (uint32_t n = WEIR_ID_HOST; n <= WEIR_ID_REMOTE_NODE; n++)
		if (!c->reserved[n] && identity_get(c, NULL, n, NULL, &c->reserved[n]) < 0)
			return -ENOMEM;
	return 0;
}

static void forget(struct identity **v, size_t *n, const struct identity *i)
{
	for (size_t k = 0; k < *n; k++) {
		if (v[k] == i) {
			v[k] = v[--*n];
			return;
		}
	}
}

void identities_sweep(struct policy_compiler *c)
{
	struct identity *next;

	for (struct identity *i = TAKE_PTR(c->unused); i; i = next) {
		next = i->next_unused;
		i->listed = false;
		if (i->pub.n_refs)
			continue;
		c->dead.v[c->dead.n++] = i->pub.number; /* room since its birth */
		HASH_DEL(c->identities, i);
		if (i->class) {
			forget(i->class->identities.v, &i->class->identities.n, i);
			class_unref(c, i->class);
		}
		if (i->labelset) {
			forget(i->labelset->identities.v, &i->labelset->identities.n, i);
			labelset_unref(c, i->labelset);
		}
		retire(c, &i->retired);
	}
}
