// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/names.h"

#include "lib/hash.h"

#define SECOND_NS 1000000000ull

struct names_key {
	struct weir_addr client, addr;
};

struct names_entry {
	struct names_key key;
	struct flow_names *names;
	uint64_t until_ns;
	UT_hash_handle hh;
};

struct names {
	struct names_entry *by_key; /* the oldest first: uthash keeps the order of insertion */
};

struct names *names_new(void)
{
	return calloc(1, sizeof(struct names));
}

static void drop(struct names *n, struct names_entry *e)
{
	HASH_DEL(n->by_key, e);
	flow_names_unref(e->names);
	free(e);
}

void names_free(struct names *n)
{
	while (n->by_key)
		drop(n, n->by_key);
	free(n);
}

static struct names_entry *find(const struct names *n, const struct weir_addr *client, const struct weir_addr *addr)
{
	struct names_key key = { *client, *addr };
	struct names_entry *e;

	HASH_FIND(hh, n->by_key, &key, sizeof(key), e);
	return e;
}

/* Flows may have the old set: it stays as it is, and a new one takes its place. The latest name stands first. */
static struct flow_names *with_name(const struct flow_names *old, const char *name)
{
	struct flow_names *new = calloc(1, sizeof(*new));

	if (!new)
		return NULL;
	new->refs = 1;
	new->name[0] = strdup(name);
	new->n = new->name[0] ? 1 : 0;
	for (size_t i = 0; old && i < old->n && new->n &&new->n < FLOW_NAMES_MAX; i++) {
		if (streq(old->name[i], name))
			continue;
		new->name[new->n] = strdup(old->name[i]);
		if (!new->name[new->n])
			break;
		new->n++;
	}
	if (new->n)
		return new;
	flow_names_unref(new);
	return NULL;
}

void names_learn(struct names *n, const struct weir_addr *client, const struct weir_addr *addr, const char *name,
		 uint32_t ttl_sec, uint64_t now_ns)
{
	struct names_entry *e = find(n, client, addr), *new = calloc(1, sizeof(*new));
	bool stale = e && e->until_ns < now_ns;

	if (!new)
		return;
	*new = (struct names_entry){ .key = { *client, *addr },
				     .names = e && !stale && streq(e->names->name[0], name)
						  ? flow_names_ref(e->names)
						  : with_name(e && !stale ? e->names : NULL, name),
				     .until_ns = now_ns + MAX(ttl_sec, (uint32_t)NAMES_KEPT_SEC) * SECOND_NS };
	if (e)
		drop(n, e);
	if (HASH_COUNT(n->by_key) >= NAMES_MAX)
		drop(n, n->by_key);
	if (new->names)
		HASH_ADD(hh, n->by_key, key, sizeof(new->key), new);
	if (!new->names || !hash_added(new)) {
		flow_names_unref(new->names);
		free(new);
	}
}

struct flow_names *names_get(struct names *n, const struct weir_addr *client, const struct weir_addr *addr,
			     uint64_t now_ns)
{
	struct names_entry *e = n->by_key ? find(n, client, addr) : NULL;

	if (!e)
		return NULL;
	if (e->until_ns >= now_ns)
		return flow_names_ref(e->names);
	drop(n, e);
	return NULL;
}
