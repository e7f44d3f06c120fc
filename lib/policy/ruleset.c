// SPDX-License-Identifier: Apache-2.0
/* Which policies apply to a label set, and the rule set that stands for them. */
#include "lib/policy/internal.h"

void ruleset_unref(struct policy_compiler *c, struct ruleset *rs)
{
	if (!rs || --rs->refs)
		return;
	if (rs->hh.tbl)
		HASH_DEL(c->rulesets, rs);
	for (size_t i = 0; i < rs->n_policies; i++)
		policy_unref(c, rs->policies[i]);
	for (size_t i = 0; i < rs->used.n; i++)
		rule_unref(c, rs->used.v[i]);
	rule_unref(c, rs->deny[0]);
	rule_unref(c, rs->deny[1]);
	if (rs->pub)
		retire(c, &rs->pub->retired);
	free(rs->policies);
	free(rs->rules[0].v);
	free(rs->rules[1].v);
	free(rs->specs.v);
	free(rs->used.v);
	free(rs->key);
	free(rs);
}

static int by_name(const void *a, const void *b)
{
	const struct policy *x = *(struct policy *const *)a, *y = *(struct policy *const *)b;

	return strcmp(x->np->o.name, y->np->o.name); /* they are of one namespace */
}

/* The policies that select it, sorted, without references. */
static int select_policies(const struct labelset *l, struct policy ***ret, size_t *ret_n)
{
	struct policy **v;
	size_t n = 0;

	for (size_t i = 0; i < l->selectors.n; i++)
		n += l->selectors.v[i]->subjects.n;
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < l->selectors.n; i++)
		for (size_t k = 0; k < l->selectors.v[i]->subjects.n; k++)
			v[n++] = l->selectors.v[i]->subjects.v[k];
	if (n)
		qsort(v, n, sizeof(*v), by_name);
	*ret = v;
	*ret_n = n;
	return 0;
}

static int resolve_name(const struct k8s_pod *pod, const struct k8s_policy_port *port, struct ruleset *rs)
{
	for (size_t i = 0; i < pod->n_ports; i++) {
		const struct k8s_port *p = &pod->ports[i];
		struct port_spec spec = { p->proto, WEIR_POLICY_PREFIX_FULL, p->port };

		if (p->name && p->proto == port->proto && streq(p->name, port->name) && vec_add(&rs->specs, spec) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_port(struct ruleset *rs, const struct k8s_policy_port *port)
{
	if (vec_reserve(&rs->specs, PORT_PREFIXES_MAX) < 0)
		return -ENOMEM;
	if (port->first == 0 && port->last == UINT16_MAX)
		rs->specs.v[rs->specs.n++] = (struct port_spec){ port->proto, WEIR_POLICY_PREFIX_PROTO, 0 };
	else
		rs->specs.n += port_range_split(port->first, port->last, port->proto, &rs->specs.v[rs->specs.n]);
	return 0;
}

/* A named port is a number of the pod that is connected to: of the selected pod for ingress, of the peer for egress. */
static int add_rule(struct ruleset *rs, enum weir_dir dir, unsigned policy, const struct policy_rules *rules,
		    const struct k8s_pod *pod)
{
	const struct k8s_policy_rule *rule = rules->rule;
	struct ruleset_rule r = { .rules = rules, .policy = policy, .spec = rs->specs.n };
	static const struct port_spec everything = { 0, WEIR_POLICY_PREFIX_ANY, 0 };
	int err = rule->n_ports ? 0 : vec_add(&rs->specs, everything);

	for (size_t i = 0; !err && i < rule->n_ports; i++) {
		if (!rule->ports[i].name)
			err = add_port(rs, &rule->ports[i]);
		else if (dir == WEIR_INGRESS)
			err = resolve_name(pod, &rule->ports[i], rs);
		else
			r.named = true;
	}
	if (err)
		return err;
	r.n_specs = rs->specs.n - r.spec;
	return vec_add(&rs->rules[dir], r);
}

/*
 * In each direction: where a policy isolates and is enforced, policies in audit mode do not count; where only these
 * isolate, what they do not allow is reported and passes.
 */
static int add_direction(struct ruleset *rs, enum weir_dir dir, const struct k8s_pod *pod, uint32_t *flags)
{
	_cleanup_free_ uint64_t *isolating = calloc((rs->n_policies + 63) / 64 + 1, sizeof(*isolating));
	bool enforced = false, audited = false;

	if (!isolating)
		return -ENOMEM;
	for (size_t i = 0; i < rs->n_policies; i++) {
		enforced |= rs->policies[i]->np->isolates[dir] && !rs->policies[i]->np->audit;
		audited |= rs->policies[i]->np->isolates[dir] && rs->policies[i]->np->audit;
	}
	if (!enforced && !audited)
		return 0;
	for (size_t i = 0; i < rs->n_policies; i++) {
		const struct policy *p = rs->policies[i];

		if (!p->np->isolates[dir] || p->np->audit == enforced)
			continue;
		isolating[i / 64] |= UINT64_C(1) << i % 64;
		for (size_t k = 0; k < p->np->n_rules[dir]; k++)
			if (add_rule(rs, dir, i, &p->rules[dir][k], pod) < 0)
				return -ENOMEM;
	}
	*flags |= dir == WEIR_INGRESS ? WEIR_EP_ISOLATED_INGRESS : WEIR_EP_ISOLATED_EGRESS;
	if (!enforced)
		*flags |= dir == WEIR_INGRESS ? WEIR_EP_AUDIT_INGRESS : WEIR_EP_AUDIT_EGRESS;
	return rule_new(rs->policies, isolating, rs->n_policies, &rs->deny[dir]);
}

/* The policies, the ports that their rules come to, and which rule has how many of them. */
static int make_key(struct ruleset *rs)
{
	size_t specs = rs->specs.n * sizeof(*rs->specs.v), rules = rs->rules[0].n + rs->rules[1].n;
	char *p = malloc(rs->n_policies * sizeof(uint64_t) + specs + rules * sizeof(size_t) + 1);

	if (!p)
		return -ENOMEM;
	rs->key = p;
	for (size_t i = 0; i < rs->n_policies; i++)
		p = mempcpy(p, &rs->policies[i]->version, sizeof(uint64_t));
	if (specs)
		p = mempcpy(p, rs->specs.v, specs);
	for (size_t dir = 0; dir < 2; dir++)
		for (size_t i = 0; i < rs->rules[dir].n; i++)
			p = mempcpy(p, &rs->rules[dir].v[i].n_specs, sizeof(size_t));
	rs->key_len = p - rs->key;
	return 0;
}

static void pub_free(struct retired *r)
{
	free((struct ruleset_pub *)r);
}

/* Without entries as yet, and not in the table. */
static int ruleset_new(const struct labelset *l, struct ruleset **ret)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));
	struct ruleset_pub *pub = calloc(1, sizeof(*pub));

	*ret = rs;
	if (!rs || !pub)
		goto oom;
	rs->refs = 1;
	rs->pub = pub;
	pub->retired.free = pub_free;
	pub->rs.flags = WEIR_EP_READY;
	if (select_policies(l, &rs->policies, &rs->n_policies) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < rs->n_policies; i++)
		rs->policies[i]->refs++;
	for (enum weir_dir dir = WEIR_EGRESS; dir <= WEIR_INGRESS; dir++)
		if (add_direction(rs, dir, l->pod, &pub->rs.flags) < 0)
			return -ENOMEM;
	return make_key(rs);
oom:
	free(rs);
	free(pub);
	*ret = NULL;
	return -ENOMEM;
}

static int ruleset_number(struct policy_compiler *c, struct ruleset *rs)
{
	HASH_ADD_KEYPTR(hh, c->rulesets, rs->key, rs->key_len, rs);
	if (!hash_added(rs))
		return -ENOMEM;
	rs->number = c->next_ruleset++;
	rs->pub->rs.number = rs->number;
	for (size_t dir = 0; dir < 2; dir++) {
		if (!rs->deny[dir])
			continue;
		rs->deny[dir]->pub.number = rs->number | WEIR_RULE_DEFAULT_DENY;
		rs->deny[dir]->pub.default_deny = true;
		rs->deny[dir]->pub.dir = dir;
		rs->pub->rs.deny_rule[dir] = rs->number | WEIR_RULE_DEFAULT_DENY;
	}
	return 0;
}

static int assign(struct policy_compiler *c, struct labelset *l)
{
	struct ruleset *rs, *known;
	int r = ruleset_new(l, &rs);

	if (r < 0) {
		ruleset_unref(c, rs);
		return r;
	}
	HASH_FIND(hh, c->rulesets, rs->key, rs->key_len, known);
	if (known) {
		known->refs++;
		ruleset_unref(c, rs);
		rs = known;
	} else if (ruleset_number(c, rs) < 0) {
		ruleset_unref(c, rs);
		return -ENOMEM;
	}
	ruleset_unref(c, l->ruleset);
	l->ruleset = rs;
	l->policy_gen = c->policy_gen;
	return 0;
}

static void drop_holder(struct policy_compiler *c, size_t i)
{
	struct labelset *l = c->holders.v[i];

	c->holders.v[i] = c->holders.v[--c->holders.n];
	ruleset_unref(c, l->ruleset);
	l->ruleset = NULL;
	labelset_unref(c, l);
}

void rulesets_clear(struct policy_compiler *c)
{
	while (c->holders.n)
		drop_holder(c, c->holders.n - 1);
	free(c->holders.v);
	free(c->wanted.v);
}

/* Those that are wanted first: a pod that was relabelled finds the rule set that its former label set still holds. */
int rulesets_assign(struct policy_compiler *c)
{
	if (vec_reserve(&c->holders, c->wanted.n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < c->wanted.n; i++) {
		struct labelset *l = c->wanted.v[i];
		bool held = l->ruleset;

		if (held && l->policy_gen == c->policy_gen)
			continue;
		if (assign(c, l) < 0)
			return -ENOMEM;
		if (held)
			continue;
		l->refs++;
		c->holders.v[c->holders.n++] = l;
	}
	for (size_t i = c->holders.n; i-- > 0;)
		if (c->holders.v[i]->wanted != c->run)
			drop_holder(c, i);
	return 0;
}
