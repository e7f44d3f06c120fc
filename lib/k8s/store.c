// SPDX-License-Identifier: Apache-2.0
#include "lib/k8s/store.h"

#include "lib/k8s/decode.h"

struct source {
	struct source *next;
	char name[];
};

/* An object as one source has it, or had it when it was last good there. */
struct definition {
	struct definition *next;
	const char *source;
	struct k8s_object *object;
	uint64_t load; /* the load that saw it last */
};

struct entry {
	struct k8s_entry pub;
	struct definition *definitions; /* sorted by source: the first is in force, whichever came first */
	char names[];
};

struct table {
	size_t n, size;
	const struct k8s_entry **v; /* members of struct entry, sorted */
	uint64_t changes;
};

struct k8s_store {
	struct table tables[K8S_KIND_COUNT];
	struct source *sources;
	uint64_t version, load;
};

struct k8s_store *k8s_store_new(void)
{
	return calloc(1, sizeof(struct k8s_store));
}

static struct entry *entry_of(const struct k8s_entry *e)
{
	return (struct entry *)e;
}

/* Takes it out of the list. */
static void definition_free(struct definition **at)
{
	struct definition *d = *at;

	*at = d->next;
	k8s_object_unref(d->object);
	free(d);
}

static void entry_free(struct entry *e)
{
	while (e->definitions)
		definition_free(&e->definitions);
	free(e);
}

void k8s_store_free(struct k8s_store *s)
{
	struct source *next;

	if (!s)
		return;
	for (size_t k = 0; k < K8S_KIND_COUNT; k++) {
		for (size_t i = 0; i < s->tables[k].n; i++)
			entry_free(entry_of(s->tables[k].v[i]));
		free(s->tables[k].v);
	}
	for (struct source *src = s->sources; src; src = next) {
		next = src->next;
		free(src);
	}
	free(s);
}

/* Where the name is or would be. */
static size_t table_pos(const struct table *t, const char *ns, const char *name, bool *ret_found)
{
	size_t lo = 0, hi = t->n;

	*ret_found = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(t->v[mid]->ns, ns) ?: strcmp(t->v[mid]->name, name);

		if (!c)
			*ret_found = true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void changed(struct k8s_store *s, enum k8s_kind kind, struct entry *e)
{
	e->pub.version = ++s->version;
	s->tables[kind].changes++;
}

/* The entry of that name, made if need be; NULL when out of memory. */
static struct entry *table_get(struct table *t, const char *ns, const char *name)
{
	bool found;
	size_t pos = table_pos(t, ns, name, &found), ns_len = strlen(ns) + 1, name_len = strlen(name) + 1;
	struct entry *e;

	if (found)
		return entry_of(t->v[pos]);
	if (t->n == t->size) {
		size_t size = t->size ? t->size * 2 : 16;
		const struct k8s_entry **v = realloc(t->v, size * sizeof(*v));

		if (!v)
			return NULL;
		t->v = v;
		t->size = size;
	}
	e = calloc(1, sizeof(*e) + ns_len + name_len);
	if (!e)
		return NULL;
	e->pub.ns = memcpy(e->names, ns, ns_len);
	e->pub.name = memcpy(e->names + ns_len, name, name_len);
	memmove(&t->v[pos + 1], &t->v[pos], (t->n - pos) * sizeof(*t->v));
	t->v[pos] = &e->pub;
	t->n++;
	return e;
}

static bool is_registered(const struct k8s_entry *e)
{
	return !addr_is_zero(&e->addr[0]) || !addr_is_zero(&e->addr[1]);
}

/* Drop entries that hold nothing any more. */
static void table_sweep(struct table *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i]->object || is_registered(t->v[i]))
			t->v[n++] = t->v[i];
		else
			entry_free(entry_of(t->v[i]));
	}
	t->n = n;
}

/* Where the definition of this source is (true), or would be. */
static bool find_definition(struct entry *e, const char *source, struct definition ***ret_at)
{
	struct definition **at = &e->definitions;

	while (*at && strcmp((*at)->source, source) < 0)
		at = &(*at)->next;
	*ret_at = at;
	return *at && streq((*at)->source, source);
}

/* Puts the first definition in force. */
static void settle(struct k8s_store *s, enum k8s_kind kind, struct entry *e)
{
	const struct definition *d = e->definitions;

	if (e->pub.object == (d ? d->object : NULL))
		return;
	e->pub.object = d ? d->object : NULL;
	e->pub.source = d ? d->source : NULL;
	changed(s, kind, e);
}

/* Sources' names are few and live as long as the store, so that entries can point to them. */
static const char *intern_source(struct k8s_store *s, const char *name)
{
	struct source *src;

	for (src = s->sources; src; src = src->next)
		if (streq(src->name, name))
			return src->name;
	src = malloc(sizeof(*src) + strlen(name) + 1);
	if (!src)
		return NULL;
	strcpy(src->name, name);
	src->next = s->sources;
	s->sources = src;
	return src->name;
}

/* Objects of this source that the load numbered `load` has not seen; 0: all of it. */
static void remove_unseen(struct k8s_store *s, const char *source, uint64_t load)
{
	for (size_t k = 0; k < K8S_KIND_COUNT; k++) {
		struct table *t = &s->tables[k];

		for (size_t i = 0; i < t->n; i++) {
			struct entry *e = entry_of(t->v[i]);
			struct definition **at;

			if (!find_definition(e, source, &at) || (load && (*at)->load == load))
				continue;
			definition_free(at);
			settle(s, k, e);
		}
		table_sweep(t);
	}
}

void k8s_store_remove_source(struct k8s_store *s, const char *source)
{
	remove_unseen(s, source, 0);
}

struct load {
	struct k8s_store *store;
	const char *source;
	struct k8s_decoder decoder;
	bool unreadable; /* something in it could not even be named: it may be any of the former objects */
};

static bool is_broken(const struct k8s_object *o)
{
	return o->labels.unreadable ||
	       (o->kind == K8S_NETWORK_POLICY && ((const struct k8s_network_policy *)o)->broken);
}

static bool is_same(const struct k8s_object *a, const struct k8s_object *b)
{
	return !memcmp(a->digest, b->digest, sizeof(a->digest)) && (a->digest[0] | a->digest[1]) &&
	       is_broken(a) == is_broken(b);
}

static int add_definition(struct definition **at, const struct load *l)
{
	struct definition *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->next = *at;
	d->source = l->source;
	d->load = l->store->load;
	*at = d;
	return 0;
}

static int put(struct load *l, struct k8s_decoded *obj)
{
	struct k8s_store *s = l->store;
	struct entry *e = table_get(&s->tables[obj->kind], obj->ns, obj->name);
	struct definition **at, *known;

	if (!e)
		return -ENOMEM;
	known = find_definition(e, l->source, &at) ? *at : NULL;
	if (known && known->load == s->load) {
		k8s_bad(&l->decoder, NULL, "is defined twice in this file; the first definition stays");
		return 0;
	}
	if (known)
		known->load = s->load;
	if (!obj->object || (known && is_broken(obj->object) && !is_broken(known->object)))
		return 0; /* what was there before stays in force */
	if (known && is_same(known->object, obj->object))
		return 0;
	if (!known && add_definition(at, l) < 0)
		return -ENOMEM;
	k8s_object_unref((*at)->object);
	(*at)->object = k8s_object_ref(obj->object);
	settle(s, obj->kind, e);
	return 0;
}

static int on_decoded(void *userdata, struct k8s_decoded *obj)
{
	struct load *l = userdata;
	int r = 0;

	if (obj->known)
		r = put(l, obj);
	else if (!obj->skipped)
		l->unreadable = true;
	k8s_object_unref(obj->object);
	return r;
}

static void report_syntax(struct load *l, unsigned line, const struct err *e)
{
	_cleanup_free_ char *where = NULL;
	char *text;

	if (line && asprintf(&where, ":%u", line) < 0)
		where = NULL;
	if (asprintf(&text, "%s%s: %s", l->source, where ?: "", e->msg) < 0)
		text = NULL;
	k8s_problems_add(l->decoder.problems, K8S_ERROR, line, text);
	l->unreadable = true;
}

bool k8s_is_manifest(const char *name)
{
	static const char *const endings[] = { ".json", ".yaml", ".yml" };
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t n = strlen(endings[i]);

		if (name[0] != '.' && len > n && streq(name + len - n, endings[i]))
			return true;
	}
	return false;
}

int k8s_store_load_file(struct k8s_store *s, const char *source, const char *text, size_t len,
			struct k8s_problems *problems)
{
	struct k8s_text parsed;
	struct load l = { .store = s,
			  .source = intern_source(s, source),
			  .decoder = { .source = source, .text = &parsed, .problems = problems } };
	struct err e;
	unsigned line;
	int r;

	if (!l.source)
		return -ENOMEM;
	s->load++;
	r = k8s_text_parse(text, len, &parsed, &line, &e);
	if (r == -EINVAL) {
		report_syntax(&l, line, &e);
		r = 0;
	}
	for (size_t i = 0; r >= 0 && i < parsed.n_docs; i++)
		r = k8s_decode(&l.decoder, parsed.docs[i], on_decoded, &l);
	k8s_text_done(&parsed);
	if (r >= 0 && !l.unreadable)
		remove_unseen(s, source, s->load);
	for (size_t k = 0; k < K8S_KIND_COUNT; k++)
		table_sweep(&s->tables[k]); /* names that got no object */
	return r < 0 ? r : 0;
}

static void report_duplicates(enum k8s_kind kind, const struct entry *e, struct k8s_problems *problems)
{
	for (const struct definition *d = e->definitions; d && d->next; d = d->next) {
		char *text;

		if (asprintf(&text, "%s: %s %s%s%s: is defined in %s already; that definition counts", d->next->source,
			     k8s_kind_name(kind), e->pub.ns, *e->pub.ns ? "/" : "", e->pub.name, e->pub.source) < 0)
			text = NULL;
		k8s_problems_add(problems, K8S_ERROR, 0, text);
	}
}

void k8s_store_duplicates(const struct k8s_store *s, struct k8s_problems *problems)
{
	for (enum k8s_kind k = 0; k < K8S_KIND_COUNT; k++)
		for (size_t i = 0; i < s->tables[k].n; i++)
			report_duplicates(k, entry_of(s->tables[k].v[i]), problems);
}

int k8s_store_set_pod_address(struct k8s_store *s, const char *ns, const char *name, const struct weir_addr addr[2])
{
	bool zero = addr_is_zero(&addr[0]) && addr_is_zero(&addr[1]);
	struct entry *e;

	if (zero && !k8s_store_find(s, K8S_POD, ns, name)) {
		bool found;
		size_t pos = table_pos(&s->tables[K8S_POD], ns, name, &found);

		if (!found)
			return 0;
		e = entry_of(s->tables[K8S_POD].v[pos]);
	} else {
		e = table_get(&s->tables[K8S_POD], ns, name);
	}
	if (!e)
		return -ENOMEM;
	if (memcmp(e->pub.addr, addr, sizeof(e->pub.addr)) != 0) {
		memcpy(e->pub.addr, addr, sizeof(e->pub.addr));
		changed(s, K8S_POD, e);
	}
	if (zero && !e->pub.object)
		table_sweep(&s->tables[K8S_POD]);
	return 0;
}

uint64_t k8s_store_changes(const struct k8s_store *s, enum k8s_kind kind)
{
	return s->tables[kind].changes;
}

size_t k8s_store_list(const struct k8s_store *s, enum k8s_kind kind, const struct k8s_entry *const **ret_entries)
{
	*ret_entries = s->tables[kind].v;
	return s->tables[kind].n;
}

const struct k8s_entry *k8s_store_find(const struct k8s_store *s, enum k8s_kind kind, const char *ns, const char *name)
{
	bool found;
	size_t pos = table_pos(&s->tables[kind], ns, name, &found);

	return found && s->tables[kind].v[pos]->object ? s->tables[kind].v[pos] : NULL;
}

const struct weir_addr *k8s_entry_pod_addr(const struct k8s_entry *e)
{
	return is_registered(e) ? e->addr : ((const struct k8s_pod *)e->object)->addr;
}
