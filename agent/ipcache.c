// SPDX-License-Identifier: Apache-2.0
#include "agent/ipcache.h"

#include <bpf/bpf.h>

static int read_size(int fd, size_t *ret)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	*ret = info.max_entries;
	return 0;
}

static int read_ranges(struct ipcache *c, uint32_t side)
{
	const void *key;
	void *val;

	c->in_force.v = calloc(c->shadow.n + 1, sizeof(*c->in_force.v));
	if (!c->in_force.v)
		return -ENOMEM;
	for (size_t i = 0; shadow_next(&c->shadow, &i, &key, &val);) {
		const struct weir_lpm_key *k = key;

		if (k->prefixlen < 128)
			c->in_force.v[c->in_force.n++] = (struct ipcache_range){
				.prefix = { k->addr, k->prefixlen },
				.identity = ((struct weir_ipcache *)val)->identity[side],
			};
	}
	return 0;
}

int ipcache_read(struct ipcache *c, int fd, uint32_t side, struct err *reterr)
{
	int r;

	*c = (struct ipcache){ .fd = fd };
	shadow_init(&c->shadow, sizeof(struct weir_lpm_key), sizeof(struct weir_ipcache));
	r = read_size(fd, &c->max);
	if (r < 0)
		return err_set(reterr, r, "cannot read the size of a map: %m");
	r = shadow_read(&c->shadow, fd, reterr);
	if (r < 0)
		return r;
	return read_ranges(c, side) < 0 ? err_oom(reterr) : 0;
}

void ipcache_done(struct ipcache *c)
{
	shadow_done(&c->shadow);
	free(c->in_force.v);
	free(c->coming.v);
}

static uint32_t covering(const struct ipcache_ranges *r, const struct prefix *p)
{
	uint32_t identity = WEIR_ID_WORLD;
	int best = -1;

	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].prefix.len > best && prefix_contains(&r->v[i].prefix, p)) {
			best = r->v[i].prefix.len;
			identity = r->v[i].identity;
		}
	return identity;
}

static int list_ranges(const struct policy_result *result, struct ipcache_ranges *r)
{
	free(r->v);
	r->n = 0;
	r->v = calloc(result->n_ipcache + 1, sizeof(*r->v));
	if (!r->v)
		return -ENOMEM;
	for (size_t i = 0; i < result->n_ipcache; i++)
		if (result->ipcache[i].prefix.len < 128)
			r->v[r->n++] = (struct ipcache_range){ result->ipcache[i].prefix, result->ipcache[i].identity };
	return 0;
}

/* All but one: before Linux 6.13 a full trie takes no new value for a key that it has, either. */
static bool has_room(const struct ipcache *c, size_t more)
{
	return c->shadow.n + more < c->max;
}

/*
 * Sets the side that is not in force, keeps the other. A new key says there what the range around it says. One that
 * finds no room is counted.
 */
static int write_address(struct ipcache *c, const struct prefix *p, uint32_t identity, uint16_t slot, uint16_t flags,
			 bool *changed)
{
	struct weir_lpm_key key = prefix_to_lpm(p);
	struct weir_ipcache *old = shadow_get(&c->shadow, &key), val = { .slot = slot, .flags = flags };

	if (!old && !has_room(c, 1)) {
		c->n_unfit++;
		return 0;
	}
	val.identity[c->side] = identity;
	val.identity[!c->side] = old ? old->identity[!c->side] : covering(&c->in_force, p);
	if (!old || old->slot != slot || old->flags != flags || val.identity[!c->side] != identity)
		*changed = true;
	c->n_marked += !old || shadow_mark_of(&c->shadow, old) != c->pass; /* two endpoints may have one address */
	if (old && !memcmp(old, &val, sizeof(val))) {
		shadow_mark(&c->shadow, old, c->pass);
		return 0;
	}
	if (bpf_map_update_elem(c->fd, &key, &val, BPF_ANY) < 0)
		return -errno;
	return shadow_set(&c->shadow, &key, &val, c->pass);
}

static int by_prefix(const void *key, const void *elem)
{
	return prefix_cmp(key, &((const struct policy_ipcache_entry *)elem)->prefix);
}

/* Those that no Pod object has. */
static int write_endpoint_addresses(struct ipcache *c, const struct policy_result *result, const struct endpoints *eps,
				    bool *changed)
{
	int r = 0;

	for (struct endpoint *ep = eps->by_key; ep && r >= 0; ep = ep->hh.next)
		for (int f = 0; f < 2 && r >= 0; f++) {
			struct prefix p = prefix_of_addr(&ep->attachment->addr[f]);

			if (!addr_is_zero(&p.addr) &&
			    !bsearch(&p, result->ipcache, result->n_ipcache, sizeof(*result->ipcache), by_prefix))
				r = write_address(c, &p, covering(&c->coming, &p), ep->slot, 0, changed);
		}
	return r;
}

/* Keys that nobody wants any more say on the coming side what the range around them says, until they are swept. */
static int write_vanishing(struct ipcache *c, bool *changed)
{
	const void *key;
	void *val;

	if (c->n_marked == c->shadow.n) /* none */
		return 0;
	for (size_t i = 0; shadow_next(&c->shadow, &i, &key, &val);) {
		const struct weir_lpm_key *k = key;
		struct prefix p = { k->addr, k->prefixlen };
		struct weir_ipcache v = *(struct weir_ipcache *)val;

		if (shadow_mark_of(&c->shadow, val) == c->pass)
			continue;
		v.identity[c->side] = covering(&c->coming, &p);
		v.slot = v.flags = 0;
		if (!memcmp(&v, val, sizeof(v)))
			continue;
		if (bpf_map_update_elem(c->fd, key, &v, BPF_ANY) < 0)
			return -errno;
		*(struct weir_ipcache *)val = v;
		*changed = true;
	}
	return 0;
}

/* Slots by address, for the endpoints of this node: what a pass over thousands of addresses asks each of. */
struct local_addr {
	struct weir_addr addr;
	uint32_t slot;
};

static int local_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct weir_addr));
}

struct local_addrs {
	size_t n;
	struct local_addr *v;
};

static int local_addrs(const struct endpoints *eps, struct local_addrs *ret)
{
	ret->n = 0;
	ret->v = calloc(HASH_COUNT(eps->by_key) * 2 + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (struct endpoint *ep = eps->by_key; ep; ep = ep->hh.next)
		for (int f = 0; f < 2; f++)
			if (!addr_is_zero(&ep->attachment->addr[f]))
				ret->v[ret->n++] = (struct local_addr){ ep->attachment->addr[f], ep->slot };
	qsort(ret->v, ret->n, sizeof(*ret->v), local_cmp);
	return 0;
}

/* Who gets room first when there is not enough. */
enum rank { RANK_POLICY, RANK_LOCAL, RANK_PEER, RANK_ANY };

static enum rank rank_of(const struct policy_ipcache_entry *e)
{
	return e->named || e->flags ? RANK_POLICY : e->pod && e->pod->ruleset ? RANK_LOCAL : RANK_PEER;
}

/* Neither the prefix, if it is a range, nor the range around it is any that policies mean. */
static void close_around(struct ipcache_ranges *ranges, const struct prefix *p)
{
	struct ipcache_range *around = NULL;

	for (size_t i = 0; i < ranges->n; i++) { /* sorted: the longest comes last */
		struct ipcache_range *r = &ranges->v[i];

		if (!prefix_cmp(&r->prefix, p))
			r->identity = WEIR_ID_WORLD;
		else if (prefix_contains(&r->prefix, p))
			around = r;
	}
	if (around)
		around->identity = WEIR_ID_WORLD;
}

/*
 * The addresses of a prefix that finds no room would pass for others of the range around it, which a policy may allow
 * but for this prefix. So that range is closed, too.
 */
static void close_unfit(struct ipcache *c, const struct policy_result *result)
{
	size_t more = 0;

	for (size_t i = 0; i < result->n_ipcache; i++) {
		const struct policy_ipcache_entry *e = &result->ipcache[i];
		struct weir_lpm_key key = prefix_to_lpm(&e->prefix);

		if (rank_of(e) != RANK_POLICY || shadow_get(&c->shadow, &key))
			continue;
		if (has_room(c, more + 1))
			more++;
		else if (e->named)
			close_around(&c->coming, &e->prefix);
	}
}

static int write_listed(struct ipcache *c, const struct policy_result *result, const struct local_addrs *local,
			enum rank rank, bool *changed)
{
	size_t n_ranges = 0;
	int r = 0;

	for (size_t i = 0; i < result->n_ipcache && r >= 0; i++) {
		const struct policy_ipcache_entry *e = &result->ipcache[i];
		uint32_t identity = e->prefix.len < 128 ? c->coming.v[n_ranges++].identity : e->identity;
		const struct local_addr *l = NULL;

		if (rank != RANK_ANY && rank_of(e) != rank)
			continue;
		if (e->pod && e->pod->ruleset) /* local */
			l = bsearch(&e->prefix.addr, local->v, local->n, sizeof(*local->v), local_cmp);
		r = write_address(c, &e->prefix, identity, l ? l->slot : 0, e->flags, changed);
	}
	return r;
}

static int write_all_listed(struct ipcache *c, const struct policy_result *result, const struct local_addrs *local,
			    bool *changed)
{
	int r = 0;

	if (has_room(c, result->n_ipcache)) /* whatever of it is new */
		return write_listed(c, result, local, RANK_ANY, changed);
	close_unfit(c, result);
	for (enum rank rank = 0; rank < RANK_ANY && r >= 0; rank++)
		r = write_listed(c, result, local, rank, changed);
	return r;
}

int ipcache_write(struct ipcache *c, const struct policy_result *result, const struct endpoints *eps, uint32_t side,
		  uint32_t pass, bool *changed)
{
	struct local_addrs local;
	int r;

	c->side = side;
	c->pass = pass;
	c->n_marked = c->n_unfit = 0;
	r = list_ranges(result, &c->coming);
	if (r < 0)
		return r;
	r = local_addrs(eps, &local);
	if (r < 0)
		return r;
	r = write_all_listed(c, result, &local, changed);
	free(local.v);
	if (r >= 0)
		r = write_endpoint_addresses(c, result, eps, changed);
	return r < 0 ? r : write_vanishing(c, changed);
}

bool ipcache_has(struct ipcache *c, const struct weir_addr *a)
{
	const struct prefix p = prefix_of_addr(a);
	struct weir_lpm_key key = prefix_to_lpm(&p);

	return shadow_get(&c->shadow, &key);
}

uint32_t ipcache_around(const struct ipcache *c, const struct weir_addr *a)
{
	const struct prefix p = prefix_of_addr(a);

	return covering(&c->coming, &p);
}

void ipcache_switched(struct ipcache *c)
{
	free(c->in_force.v);
	c->in_force = c->coming;
	c->coming = (struct ipcache_ranges){};
}

void ipcache_sweep(struct ipcache *c)
{
	shadow_sweep(&c->shadow, c->fd, c->pass);
}
