// SPDX-License-Identifier: Apache-2.0
/* Questions to a result, answered as the datapath would. */
#include "lib/policy/internal.h"

size_t ruleset_entry_pos(const struct policy_ruleset *rs, unsigned dir, uint32_t identity)
{
	size_t lo = 0, hi = rs->n_entries;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct policy_entry *e = &rs->entries[mid];

		if (e->dir < dir || (e->dir == dir && e->identity < identity))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The longest prefix that covers it. */
static const struct policy_entry *longest(const struct policy_ruleset *rs, enum weir_dir dir, uint32_t identity,
					  const struct port_spec *want)
{
	const struct policy_entry *best = NULL;

	for (size_t i = ruleset_entry_pos(rs, dir, identity); i < rs->n_entries; i++) {
		const struct policy_entry *e = &rs->entries[i];
		struct port_spec spec = { e->proto, e->prefixlen, e->port };

		if (e->dir != dir || e->identity != identity)
			break;
		if (port_spec_covers(&spec, want) && (!best || e->prefixlen > best->prefixlen))
			best = e;
	}
	return best;
}

bool policy_ruleset_lookup(const struct policy_ruleset *rs, enum weir_dir dir, uint32_t peer_identity, uint8_t proto,
			   uint16_t port, uint32_t *ret_rule)
{
	uint32_t isolated = dir == WEIR_INGRESS ? WEIR_EP_ISOLATED_INGRESS : WEIR_EP_ISOLATED_EGRESS;
	uint32_t audit = dir == WEIR_INGRESS ? WEIR_EP_AUDIT_INGRESS : WEIR_EP_AUDIT_EGRESS;
	struct port_spec want = { proto, WEIR_POLICY_PREFIX_FULL, port };
	const struct policy_entry *e;

	if (!(rs->flags & isolated)) {
		*ret_rule = WEIR_RULE_NOT_ISOLATED;
		return true;
	}
	e = longest(rs, dir, peer_identity, &want) ?: longest(rs, dir, WEIR_ID_ANY, &want);
	*ret_rule = e ? e->rule : rs->deny_rule[dir];
	return e || (rs->flags & audit);
}

const struct policy_ipcache_entry *policy_result_ipcache(const struct policy_result *r, const struct weir_addr *a)
{
	struct prefix want = prefix_of_addr(a);
	size_t lo = 0, hi = r->n_ipcache;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (prefix_cmp(&r->ipcache[mid].prefix, &want) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* Whatever covers it stands before it, the longest last. */
	while (lo-- > 0)
		if (prefix_has_addr(&r->ipcache[lo].prefix, a))
			return &r->ipcache[lo];
	return NULL;
}

const struct policy_rule *policy_result_rule(const struct policy_result *r, uint32_t number, enum weir_dir dir)
{
	size_t lo = 0, hi = r->n_rules;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct policy_rule *rule = &r->rules[mid];

		if (rule->number < number || (rule->number == number && rule->default_deny && rule->dir < dir))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == r->n_rules || r->rules[lo].number != number || (r->rules[lo].default_deny && r->rules[lo].dir != dir))
		return NULL;
	return &r->rules[lo];
}
