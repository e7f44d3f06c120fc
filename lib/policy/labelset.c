// SPDX-License-Identifier: Apache-2.0
/* Namespaces with their labels, and the label sets of pods in them: interned, because thousands of pods share few. */
#include "lib/policy/internal.h"

static void space_free(struct policy_compiler *c, struct space *s)
{
	if (s->hh.tbl)
		HASH_DEL(c->spaces, s);
	free(s->labelsets.v);
	free(s->key);
	arena_done(&s->arena);
	free(s);
}

void space_unref(struct policy_compiler *c, struct space *s)
{
	if (s && !--s->refs)
		space_free(c, s);
}

/* name, whether that is all, then key and value of each label; the terminating zeros keep them apart. */
static char *space_key(const char *name, const struct k8s_labels *l, size_t *ret_len)
{
	char *key = NULL;
	FILE *f = open_memstream(&key, ret_len);

	if (!f)
		return NULL;
	fwrite(name, strlen(name) + 1, 1, f);
	fputc(l->unreadable ? '?' : '=', f);
	for (size_t i = 0; i < l->n; i++) {
		fwrite(l->v[i].key, strlen(l->v[i].key) + 1, 1, f);
		fwrite(l->v[i].value, strlen(l->v[i].value) + 1, 1, f);
	}
	if (ferror(f) | fclose(f)) {
		free(key);
		return NULL;
	}
	return key;
}

static int space_fill(struct space *s, const char *name, const struct k8s_labels *l)
{
	s->name = arena_strdup(&s->arena, name);
	s->labels.v = arena_alloc(&s->arena, l->n, sizeof(*l->v));
	if (!s->name || !s->labels.v)
		return -ENOMEM;
	s->labels.unreadable = l->unreadable;
	for (size_t i = 0; i < l->n; i++) {
		struct k8s_label *to = &s->labels.v[s->labels.n++];

		to->key = arena_strdup(&s->arena, l->v[i].key);
		to->value = arena_strdup(&s->arena, l->v[i].value);
		if (!to->key || !to->value)
			return -ENOMEM;
	}
	return 0;
}

static int space_get(struct policy_compiler *c, const char *name, const struct k8s_labels *l, struct space **ret)
{
	size_t len;
	_cleanup_free_ char *key = space_key(name, l, &len);
	struct space *s;

	if (!key)
		return -ENOMEM;
	HASH_FIND(hh, c->spaces, key, len, s);
	if (s) {
		s->refs++;
		*ret = s;
		return 0;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->refs = 1;
	s->id = c->next_space++;
	s->key = TAKE_PTR(key);
	if (space_fill(s, name, l) < 0) {
		space_free(c, s);
		return -ENOMEM;
	}
	HASH_ADD_KEYPTR(hh, c->spaces, s->key, len, s);
	if (!hash_added(s)) {
		space_free(c, s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

int space_current(struct policy_compiler *c, const char *ns, struct space **ret)
{
	const struct k8s_entry *e = k8s_store_find(c->store, K8S_NAMESPACE, "", ns);
	struct k8s_label implied = { "kubernetes.io/metadata.name", ns };
	struct k8s_labels l = { .n = 1, .v = &implied }; /* what a namespace has that nobody has described */

	return space_get(c, ns, e ? &e->object->labels : &l, ret);
}

static char *labelset_key(const struct space *s, const struct k8s_pod *pod, size_t *ret_len)
{
	const struct k8s_labels *l = &pod->o.labels;
	char *key, *p;
	size_t len = sizeof(s->id) + 1;

	for (size_t i = 0; i < l->n; i++)
		len += strlen(l->v[i].key) + strlen(l->v[i].value) + 2;
	for (size_t i = 0; i < pod->n_ports; i++)
		len += pod->ports[i].name ? strlen(pod->ports[i].name) + 4 : 0;
	key = p = malloc(len);
	if (!key)
		return NULL;
	p = mempcpy(p, &s->id, sizeof(s->id));
	for (size_t i = 0; i < l->n; i++) {
		p = stpcpy(p, l->v[i].key) + 1;
		p = stpcpy(p, l->v[i].value) + 1;
	}
	*p++ = 0; /* no label has an empty key */
	for (size_t i = 0; i < pod->n_ports; i++) {
		if (!pod->ports[i].name)
			continue;
		p = stpcpy(p, pod->ports[i].name) + 1;
		p = mempcpy(p, &pod->ports[i].port, sizeof(pod->ports[i].port));
		*p++ = pod->ports[i].proto;
	}
	*ret_len = p - key;
	return key;
}

static void labelset_free(struct policy_compiler *c, struct labelset *l)
{
	struct space *s = l->space;

	selectors_forget_labelset(l);
	for (size_t i = 0; i < s->labelsets.n; i++) {
		if (s->labelsets.v[i] == l) {
			s->labelsets.v[i] = s->labelsets.v[--s->labelsets.n];
			break;
		}
	}
	if (l->hh.tbl)
		HASH_DEL(c->labelsets, l);
	if (l->ruleset)
		ruleset_unref(c, l->ruleset);
	k8s_object_unref((struct k8s_object *)l->pod);
	space_unref(c, s);
	free(l->selectors.v);
	free(l->identities.v);
	free(l->key);
	free(l);
}

void labelset_unref(struct policy_compiler *c, struct labelset *l)
{
	if (l && !--l->refs)
		labelset_free(c, l);
}

static struct labelset *labelset_new(struct space *s, const struct k8s_pod *pod)
{
	struct labelset *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->refs = 1;
	s->refs++;
	l->space = s;
	l->pod = (const struct k8s_pod *)k8s_object_ref((struct k8s_object *)pod);
	for (size_t i = 0; i < pod->n_ports; i++)
		l->has_named_ports |= pod->ports[i].name != NULL;
	return l;
}

int labelset_get(struct policy_compiler *c, struct space *s, const struct k8s_pod *pod, struct labelset **ret)
{
	size_t len;
	_cleanup_free_ char *key = labelset_key(s, pod, &len);
	struct labelset *l;

	if (!key)
		return -ENOMEM;
	HASH_FIND(hh, c->labelsets, key, len, l);
	if (l) {
		l->refs++;
		*ret = l;
		return 0;
	}
	l = labelset_new(s, pod);
	if (!l)
		return -ENOMEM;
	l->key = TAKE_PTR(key);
	l->key_len = len;
	HASH_ADD_KEYPTR(hh, c->labelsets, l->key, len, l);
	if (!hash_added(l) || selectors_match_labelset(c, l) < 0 || vec_add(&s->labelsets, l) < 0) {
		labelset_free(c, l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}
