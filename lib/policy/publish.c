// SPDX-License-Identifier: Apache-2.0
/* A rule set's new entries beside the old ones, as a whole that replaces the old whole. */
#include "lib/policy/internal.h"

int policy_cmp_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_dead(const struct policy_compiler *c, uint32_t number)
{
	return c->dead.n && bsearch(&number, c->dead.v, c->dead.n, sizeof(number), policy_cmp_number);
}

bool ruleset_has_dead(const struct policy_compiler *c, const struct policy_ruleset *rs)
{
	for (size_t i = 0; i < c->dead.n; i++) {
		for (unsigned dir = 0; dir < 2; dir++) {
			size_t pos = ruleset_entry_pos(rs, dir, c->dead.v[i]);

			if (pos < rs->n_entries && rs->entries[pos].dir == dir &&
			    rs->entries[pos].identity == c->dead.v[i])
				return true;
		}
	}
	return false;
}

int ruleset_publish(struct policy_compiler *c, struct ruleset *rs, bool full, const struct entry_list out[2])
{
	const struct policy_ruleset *old = &rs->pub->rs;
	size_t keep = full ? 0 : old->n_entries, n = 0, from = 0;
	struct ruleset_pub *pub = malloc(sizeof(*pub) + (keep + out[0].n + out[1].n) * sizeof(*pub->entries));

	if (!pub)
		return -ENOMEM;
	pub->retired.free = rs->pub->retired.free;
	pub->rs = *old;
	for (unsigned dir = 0; dir < 2; dir++) {
		for (; from < keep && old->entries[from].dir == dir; from++)
			if (!is_dead(c, old->entries[from].identity))
				pub->entries[n++] = old->entries[from];
		if (out[dir].n)
			memcpy(&pub->entries[n], out[dir].v, out[dir].n * sizeof(*pub->entries));
		n += out[dir].n;
	}
	pub->rs.n_entries = n;
	pub->rs.entries = pub->entries;
	retire(c, &rs->pub->retired);
	rs->pub = pub;
	return 0;
}
