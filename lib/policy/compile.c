// SPDX-License-Identifier: Apache-2.0
/*
 * The entries of a rule set. Peers that meet the same rules get the same entries, so these are made once per
 * combination of rules and then stamped with each identity.
 */
#include "lib/policy/internal.h"

#define ENTRIES_MAX (1u << 20) /* of one rule set */
#define FULL_SHARE 4           /* with more than 1/4 of all identities new, going by selectors is cheaper */

struct pair { /* this identity is a peer of this rule */
	uint32_t number, rule;
	const struct identity *identity;
};

struct template
{
	UT_hash_handle hh;
	struct entry_list entries;
	uint32_t key[];
};

struct job {
	struct policy_compiler *c;
	struct ruleset *rs;
	enum weir_dir dir;
	VEC(struct pair) pairs;
	VEC(uint32_t) wild; /* rules without peers */
	struct port_entries any;
	bool have_any;
	struct template *templates;
	VEC(struct port_claim) claims;
	VEC(uint32_t) key; /* rules, then the label set that names ports */
};

static void job_reset(struct job *j)
{
	struct template *t, *next;

	HASH_ITER (hh, j->templates, t, next) {
		HASH_DEL(j->templates, t);
		free(t->entries.v);
		free(t);
	}
	arena_done(&j->any.arena);
	j->have_any = false;
	j->pairs.n = j->wild.n = 0;
}

static void job_done(struct job *j)
{
	job_reset(j);
	free(j->pairs.v);
	free(j->wild.v);
	free(j->claims.v);
	free(j->key.v);
}

/* ---- who is a peer of which rule ---- */

static int pair(struct job *j, const struct identity *i, size_t rule)
{
	return vec_add(&j->pairs, (struct pair){ i->pub.number, rule, i });
}

static bool is_excepted(const struct policy_peer *peer, const struct addr_class *k)
{
	for (size_t i = 0; i < peer->n_except; i++)
		if (prefix_contains(&peer->except[i]->prefix, &k->prefix))
			return true;
	return false;
}

static int pair_block(struct job *j, const struct policy_peer *peer, size_t rule)
{
	size_t first, n = classes_inside(j->c, peer->cidr, &first);
	struct addr_class **list = &j->c->by_prefix[!prefix_is_v4(&peer->cidr->prefix)].v[first];

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; !is_excepted(peer, list[i]) && k < list[i]->identities.n; k++)
			if (pair(j, list[i]->identities.v[k], rule) < 0)
				return -ENOMEM;
	return 0;
}

static int pair_labelset(struct job *j, const struct labelset *l, size_t rule)
{
	for (size_t i = 0; i < l->identities.n; i++)
		if (pair(j, l->identities.v[i], rule) < 0)
			return -ENOMEM;
	return 0;
}

static int pair_selector(struct job *j, const struct selector *s, size_t rule)
{
	for (size_t i = 0; i < s->labelsets.n; i++)
		if (pair_labelset(j, s->labelsets.v[i], rule) < 0)
			return -ENOMEM;
	return 0;
}

/* A rule for everyone with named ports means a number of its own for each pod that has the name. */
static int pair_named(struct job *j, size_t rule)
{
	for (struct labelset *l = j->c->labelsets; l; l = l->hh.next)
		if (l->has_named_ports && pair_labelset(j, l, rule) < 0)
			return -ENOMEM;
	return 0;
}

static int pair_all(struct job *j)
{
	for (size_t i = 0; i < j->rs->rules[j->dir].n; i++) {
		const struct ruleset_rule *r = &j->rs->rules[j->dir].v[i];
		int err = 0;

		if (!r->rules->n_peers && r->named)
			err = pair_named(j, i);
		for (size_t k = 0; !err && k < r->rules->n_peers; k++) {
			const struct policy_peer *p = &r->rules->peers[k];

			err = p->selector ? pair_selector(j, p->selector, i) : pair_block(j, p, i);
		}
		if (err)
			return err;
	}
	return 0;
}

static bool is_peer(const struct job *j, const struct policy_peer *p, const struct identity *i)
{
	if (p->selector)
		return i->labelset && p->selector->stamp == j->c->stamp;
	return i->class && prefix_contains(&p->cidr->prefix, &i->class->prefix) && !is_excepted(p, i->class);
}

/* The selectors that match it carry the compiler's stamp. */
static int pair_identity(struct job *j, const struct identity *i)
{
	for (size_t r = 0; r < j->rs->rules[j->dir].n; r++) {
		const struct ruleset_rule *rule = &j->rs->rules[j->dir].v[r];
		bool peer = !rule->rules->n_peers && rule->named && i->labelset && i->labelset->has_named_ports;

		for (size_t k = 0; !peer && k < rule->rules->n_peers; k++)
			peer = is_peer(j, &rule->rules->peers[k], i);
		if (peer && pair(j, i, r) < 0)
			return -ENOMEM;
	}
	return 0;
}

static struct identity *newest(const struct policy_compiler *c)
{
	return c->identities ? ELMT_FROM_HH(c->identities->hh.tbl, c->identities->hh.tbl->tail) : NULL;
}

/* Identities are numbered, and listed, in the order of their birth. */
static int pair_new(struct job *j)
{
	for (struct identity *i = newest(j->c); i && i->pub.number >= j->rs->upto; i = i->hh.prev) {
		j->c->stamp++;
		for (size_t k = 0; i->labelset && k < i->labelset->selectors.n; k++)
			i->labelset->selectors.v[k]->stamp = j->c->stamp;
		if (pair_identity(j, i) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- what they are allowed ---- */

static int claim(struct job *j, const struct port_spec *spec, unsigned policy)
{
	return vec_add(&j->claims, (struct port_claim){ *spec, policy });
}

static int claim_named(struct job *j, const struct ruleset_rule *r, const struct k8s_pod *pod)
{
	const struct k8s_policy_rule *rule = r->rules->rule;

	for (size_t i = 0; i < rule->n_ports; i++) {
		for (size_t k = 0; rule->ports[i].name && k < pod->n_ports; k++) {
			const struct k8s_port *p = &pod->ports[k];
			struct port_spec spec = { p->proto, WEIR_POLICY_PREFIX_FULL, p->port };

			if (p->name && p->proto == rule->ports[i].proto && streq(p->name, rule->ports[i].name) &&
			    claim(j, &spec, r->policy) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* l: the peer's label set when ports may be named on it, NULL. */
static int claim_rules(struct job *j, const uint32_t *rules, size_t n, const struct labelset *l)
{
	j->claims.n = 0;
	for (size_t i = 0; i < n; i++) {
		const struct ruleset_rule *r = &j->rs->rules[j->dir].v[rules[i]];

		for (size_t k = 0; k < r->n_specs; k++)
			if (claim(j, &j->rs->specs.v[r->spec + k], r->policy) < 0)
				return -ENOMEM;
		if (l && r->named && claim_named(j, r, l->pod) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int use_rule(struct job *j, const uint64_t *set, uint32_t *ret_number)
{
	struct ruleset *rs = j->rs;
	struct rule *r;

	if (vec_reserve(&rs->used, 1) < 0 || rule_get(j->c, rs->policies, set, rs->n_policies, &r) < 0)
		return -ENOMEM;
	*ret_number = r->pub.number;
	for (size_t i = 0; i < rs->used.n; i++) {
		if (rs->used.v[i] == r) {
			rule_unref(j->c, r);
			return 0;
		}
	}
	rs->used.v[rs->used.n++] = r;
	return 0;
}

static int emit(struct job *j, const struct port_entries *ports, struct entry_list *out)
{
	for (size_t i = 0; i < ports->n; i++) {
		const struct port_spec *s = &ports->v[i].spec;
		struct policy_entry e = {
			.dir = j->dir, .proto = s->proto, .prefixlen = s->prefixlen, .port = s->port
		};

		if (!ports->v[i].kept)
			continue;
		if (use_rule(j, ports->v[i].set, &e.rule) < 0 || vec_add(out, e) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int compile_any(struct job *j)
{
	for (size_t i = 0; i < j->rs->rules[j->dir].n; i++)
		if (!j->rs->rules[j->dir].v[i].rules->n_peers && vec_add(&j->wild, i) < 0)
			return -ENOMEM;
	if (claim_rules(j, j->wild.v, j->wild.n, NULL) < 0 ||
	    port_entries_compile(j->claims.v, j->claims.n, j->rs->n_policies, NULL, &j->any) < 0)
		return -ENOMEM;
	j->have_any = true;
	return 0;
}

static int template_new(struct job *j, size_t n_rules, const struct labelset *l, struct template **ret)
{
	size_t size = j->key.n * sizeof(*j->key.v);
	struct template *t = calloc(1, sizeof(*t) + size);
	struct port_entries ports;
	int r;

	if (!t)
		return -ENOMEM;
	memcpy(t->key, j->key.v, size);
	r = claim_rules(j, t->key, n_rules, l);
	if (r >= 0)
		r = port_entries_compile(j->claims.v, j->claims.n, j->rs->n_policies, &j->any, &ports);
	if (r >= 0) {
		r = emit(j, &ports, &t->entries);
		arena_done(&ports.arena);
	}
	if (r >= 0) {
		HASH_ADD_KEYPTR(hh, j->templates, t->key, size, t);
		r = hash_added(t) ? 0 : -ENOMEM;
	}
	if (r < 0) {
		free(t->entries.v);
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

/* The rules of one identity: its own (sorted, some twice) and those for everyone, each once, in order. */
static int merge_rules(struct job *j, const struct pair *p, size_t n, bool *ret_named)
{
	const struct ruleset_rule *rules = j->rs->rules[j->dir].v;
	size_t i = 0, w = 0;

	j->key.n = 0;
	*ret_named = false;
	if (vec_reserve(&j->key, n + j->wild.n + 2) < 0)
		return -ENOMEM;
	while (i < n || w < j->wild.n) {
		uint32_t rule = i < n && (w == j->wild.n || p[i].rule <= j->wild.v[w]) ? p[i].rule : j->wild.v[w];

		while (i < n && p[i].rule == rule)
			i++;
		w += w < j->wild.n && j->wild.v[w] == rule;
		*ret_named |= rules[rule].named;
		j->key.v[j->key.n++] = rule;
	}
	return 0;
}

static int emit_identity(struct job *j, const struct pair *p, size_t n, struct entry_list *out)
{
	const struct labelset *l = p->identity->labelset;
	struct template *t;
	size_t n_rules;
	bool named;

	if (merge_rules(j, p, n, &named) < 0)
		return -ENOMEM;
	n_rules = j->key.n;
	if (!named || !l || !l->has_named_ports)
		l = NULL;
	memcpy(&j->key.v[n_rules], &l, sizeof(l)); /* room for two more was reserved */
	j->key.n += sizeof(l) / sizeof(*j->key.v);
	HASH_FIND(hh, j->templates, j->key.v, j->key.n * sizeof(*j->key.v), t);
	if ((!t && template_new(j, n_rules, l, &t) < 0) || vec_reserve(out, t->entries.n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < t->entries.n; i++) {
		out->v[out->n] = t->entries.v[i];
		out->v[out->n++].identity = p->number;
	}
	return 0;
}

static int pair_cmp(const void *x, const void *y)
{
	const struct pair *a = x, *b = y;

	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

static int emit_pairs(struct job *j, struct entry_list *out)
{
	if (j->pairs.n)
		qsort(j->pairs.v, j->pairs.n, sizeof(*j->pairs.v), pair_cmp);
	for (size_t i = 0, n; i < j->pairs.n; i += n) {
		for (n = 1; i + n < j->pairs.n && j->pairs.v[i + n].number == j->pairs.v[i].number; n++)
			;
		if (emit_identity(j, &j->pairs.v[i], n, out) < 0)
			return -ENOMEM;
		if (out->n > ENTRIES_MAX)
			return -E2BIG;
	}
	return 0;
}

static int compile_direction(struct job *j, bool full, struct entry_list *out)
{
	int r = full ? pair_all(j) : pair_new(j);

	if (r < 0 || (!full && !j->pairs.n))
		return r;
	r = compile_any(j);
	if (r >= 0 && full)
		r = emit(j, &j->any, out);
	return r < 0 ? r : emit_pairs(j, out);
}

int ruleset_compile(struct policy_compiler *c, struct ruleset *rs)
{
	size_t total = HASH_COUNT(c->identities);
	bool full = !rs->upto || rs->pub->rs.too_large || (c->next_identity - rs->upto) > total / FULL_SHARE;
	struct job j = { .c = c, .rs = rs };
	struct entry_list out[2] = {};
	bool too_large;
	int r = 0;

	if (rs->upto == c->next_identity && !c->dead.n)
		return 0;
	for (size_t dir = 0; r >= 0 && dir < 2; dir++) {
		j.dir = dir;
		r = compile_direction(&j, full, &out[dir]);
		job_reset(&j);
	}
	too_large = r == -E2BIG;
	if (too_large) {
		full = true;
		out[0].n = out[1].n = 0;
		r = 0;
	}
	if (r >= 0 && (full || out[0].n || out[1].n || ruleset_has_dead(c, &rs->pub->rs)))
		r = ruleset_publish(c, rs, full, out);
	if (r >= 0) {
		rs->upto = c->next_identity;
		rs->pub->rs.too_large = too_large;
	}
	job_done(&j);
	free(out[0].v);
	free(out[1].v);
	return r;
}

int rulesets_update(struct policy_compiler *c)
{
	if (c->dead.n)
		qsort(c->dead.v, c->dead.n, sizeof(*c->dead.v), policy_cmp_number);
	for (struct ruleset *rs = c->rulesets; rs; rs = rs->hh.next)
		if (ruleset_compile(c, rs) < 0)
			return -ENOMEM;
	c->dead.n = 0;
	return 0;
}
