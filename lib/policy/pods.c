// SPDX-License-Identifier: Apache-2.0
/* Pods and their addresses, and who has an address when several claim it. */
#include "lib/policy/internal.h"

#define SPLICE_MAX 64 /* changed pods up to which the address list is patched and not sorted anew */

void pod_free(struct retired *r)
{
	struct pod *p = (struct pod *)r;

	k8s_object_unref(&p->pod->o);
	free(p);
}

/* Its names are in the last result: the memory stays until the next. */
static void pod_drop(struct policy_compiler *c, struct pod *p)
{
	identity_unref(p->identity[0]);
	identity_unref(p->identity[1]);
	labelset_unref(c, p->labelset);
	retire(c, &p->retired);
}

static bool is_plain(const struct k8s_pod *p)
{
	return !p->host_network && !p->finished;
}

static int pod_new(struct policy_compiler *c, const struct k8s_entry *e, struct space *space, struct pod **ret)
{
	struct pod *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->pod = (struct k8s_pod *)e->object;
	if (is_plain(p->pod) && labelset_get(c, space, p->pod, &p->labelset) < 0) {
		free(p);
		return -ENOMEM;
	}
	k8s_object_ref(e->object);
	p->retired.free = pod_free;
	p->version = e->version;
	memcpy(p->addr, k8s_entry_pod_addr(e), sizeof(p->addr));
	p->registered = k8s_entry_pod_addr(e) == e->addr;
	*ret = p;
	return 0;
}

/* Pods come sorted by namespace: it is looked up once for all of them. */
struct cursor {
	struct policy_compiler *c;
	struct space *space;
	bool spaces_changed;
};

static int enter_space(struct cursor *cur, const char *ns)
{
	if (cur->space && streq(cur->space->name, ns))
		return 0;
	space_unref(cur->c, cur->space);
	cur->space = NULL;
	return space_current(cur->c, ns, &cur->space);
}

/* 1: the pod that was known under this name is up to date. */
static int is_current(struct cursor *cur, const struct pod *p, const struct k8s_entry *e)
{
	int r;

	if (p->version != e->version)
		return 0;
	if (!cur->spaces_changed || !p->labelset)
		return 1;
	r = enter_space(cur, e->ns);
	return r < 0 ? r : cur->space == p->labelset->space;
}

static int compare(const struct pod *p, const struct k8s_entry *e)
{
	return strcmp(p->pod->o.ns, e->ns) ?: strcmp(p->pod->o.name, e->name);
}

struct changes {
	VEC(struct pod *) list, added, removed;
};

static int take_pod(struct cursor *cur, struct changes *ch, const struct k8s_entry *e, struct pod *old)
{
	int r = old ? is_current(cur, old, e) : 0;
	struct pod *p = old;

	if (r < 0 || vec_reserve(&ch->added, 1) < 0 || (old && vec_reserve(&ch->removed, 1) < 0))
		return -ENOMEM;
	if (r == 0) {
		if (enter_space(cur, e->ns) < 0 || pod_new(cur->c, e, cur->space, &p) < 0)
			return -ENOMEM;
		ch->added.v[ch->added.n++] = p;
		if (old)
			ch->removed.v[ch->removed.n++] = old;
	}
	ch->list.v[ch->list.n++] = p; /* reserved at the start */
	return 0;
}

/* Both lists are sorted by name. */
static int collect(struct policy_compiler *c, struct changes *ch, bool spaces_changed)
{
	struct cursor cur = { .c = c, .spaces_changed = spaces_changed };
	const struct k8s_entry *const *entries;
	size_t n = k8s_store_list(c->store, K8S_POD, &entries), old = 0;
	int r = vec_reserve(&ch->list, n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct pod *known = NULL;

		if (!entries[i]->object)
			continue;
		while (r >= 0 && old < c->pods.n) {
			int cmp = c->pods.v[old]->version == entries[i]->version ? 0
										 : compare(c->pods.v[old], entries[i]);

			if (cmp > 0)
				break;
			if (cmp == 0) {
				known = c->pods.v[old++];
				break;
			}
			r = vec_add(&ch->removed, c->pods.v[old++]);
		}
		if (r >= 0)
			r = take_pod(&cur, ch, entries[i], known);
	}
	while (r >= 0 && old < c->pods.n)
		r = vec_add(&ch->removed, c->pods.v[old++]);
	space_unref(c, cur.space);
	return r;
}

/*
 * Who has an address that several pods claim: the one that is registered under it here, the one that is not on its way
 * out, the youngest, the one whose manifest came last.
 */
static int precedence(const struct pod *a, const struct pod *b)
{
	if (a->registered != b->registered)
		return a->registered ? -1 : 1;
	if (a->pod->terminating != b->pod->terminating)
		return a->pod->terminating ? 1 : -1;
	if (a->pod->o.created != b->pod->o.created)
		return a->pod->o.created > b->pod->o.created ? -1 : 1;
	return a->version > b->version ? -1 : a->version < b->version;
}

static int cmp_addr(const void *x, const void *y)
{
	const struct addr_entry *a = x, *b = y;

	return addr_cmp(&a->addr, &b->addr) ?: precedence(a->pod, b->pod);
}

static size_t addr_pos(const struct policy_compiler *c, const struct addr_entry *e)
{
	size_t lo = 0, hi = c->by_addr.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (cmp_addr(&c->by_addr.v[mid], e) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void splice_addrs(struct policy_compiler *c, struct pod *p, bool add)
{
	for (size_t v = 0; p->labelset && v < 2; v++) {
		struct addr_entry e = { p->addr[v], p };
		size_t pos;

		if (addr_is_zero(&e.addr))
			continue;
		pos = addr_pos(c, &e);
		if (add) {
			memmove(&c->by_addr.v[pos + 1], &c->by_addr.v[pos], (c->by_addr.n - pos) * sizeof(e));
			c->by_addr.v[pos] = e;
			c->by_addr.n++;
		} else {
			c->by_addr.n--;
			memmove(&c->by_addr.v[pos], &c->by_addr.v[pos + 1], (c->by_addr.n - pos) * sizeof(e));
		}
	}
}

static void sort_addrs(struct policy_compiler *c)
{
	c->by_addr.n = 0;
	for (size_t i = 0; i < c->pods.n; i++)
		for (size_t v = 0; c->pods.v[i]->labelset && v < 2; v++)
			if (!addr_is_zero(&c->pods.v[i]->addr[v]))
				c->by_addr.v[c->by_addr.n++] =
				    (struct addr_entry){ c->pods.v[i]->addr[v], c->pods.v[i] };
	if (c->by_addr.n)
		qsort(c->by_addr.v, c->by_addr.n, sizeof(*c->by_addr.v), cmp_addr);
}

static void commit(struct policy_compiler *c, struct changes *ch)
{
	bool splice = ch->added.n + ch->removed.n <= SPLICE_MAX;

	for (size_t i = 0; splice && i < ch->removed.n; i++)
		splice_addrs(c, ch->removed.v[i], false);
	for (size_t i = 0; splice && i < ch->added.n; i++)
		splice_addrs(c, ch->added.v[i], true);
	for (size_t i = 0; i < ch->removed.n; i++)
		pod_drop(c, ch->removed.v[i]);
	free(c->pods.v);
	c->pods.v = ch->list.v;
	c->pods.n = ch->list.n;
	c->pods.size = ch->list.size;
	if (!splice)
		sort_addrs(c);
}

int pods_sync(struct policy_compiler *c)
{
	uint64_t pods = k8s_store_changes(c->store, K8S_POD) + 1,
		 spaces = k8s_store_changes(c->store, K8S_NAMESPACE) + 1;
	struct changes ch = {};
	int r;

	if (c->seen[K8S_POD] == pods && c->seen[K8S_NAMESPACE] == spaces)
		return 0;
	r = collect(c, &ch, c->seen[K8S_NAMESPACE] != spaces);
	if (r >= 0)
		r = vec_reserve(&c->by_addr, 2 * ch.added.n);
	if (r >= 0 && ch.added.n + ch.removed.n > SPLICE_MAX && c->by_addr.size < 2 * ch.list.n)
		r = vec_reserve(&c->by_addr, 2 * ch.list.n - c->by_addr.n);
	if (r >= 0) {
		commit(c, &ch);
		c->seen[K8S_POD] = pods;
		c->seen[K8S_NAMESPACE] = spaces;
	} else {
		for (size_t i = 0; i < ch.added.n; i++)
			pod_drop(c, ch.added.v[i]);
		free(ch.list.v);
	}
	free(ch.added.v);
	free(ch.removed.v);
	return r;
}

static int identify(struct policy_compiler *c, struct pod *p)
{
	for (size_t v = 0; v < 2; v++) {
		struct identity *i;

		if (addr_is_zero(&p->addr[v]))
			continue;
		if (identity_get(c, p->labelset, 0, class_of(c, &p->addr[v]), &i) < 0)
			return -ENOMEM;
		identity_unref(p->identity[v]);
		p->identity[v] = i;
	}
	p->class_gen = c->class_gen;
	return 0;
}

int pods_identify(struct policy_compiler *c)
{
	for (size_t i = 0; i < c->pods.n; i++) {
		struct pod *p = c->pods.v[i];

		if (!p->labelset)
			continue;
		if (p->class_gen != c->class_gen && identify(c, p) < 0)
			return -ENOMEM;
		if (!p->asked)
			p->local = !c->is_local || c->is_local(c->userdata, p->pod->o.ns, p->pod->o.name);
		p->asked = true;
		if (!p->local || p->labelset->wanted == c->run)
			continue;
		if (vec_add(&c->wanted, p->labelset) < 0)
			return -ENOMEM;
		p->labelset->wanted = c->run;
	}
	return 0;
}

void pods_clear(struct policy_compiler *c)
{
	for (size_t i = 0; i < c->pods.n; i++)
		pod_drop(c, c->pods.v[i]);
	free(c->pods.v);
	free(c->by_addr.v);
}
