// SPDX-License-Identifier: Apache-2.0
/*
 * Ports that policies allow, as prefixes for the map. A look-up finds the longest prefix and nothing else, so every
 * prefix carries all policies that allow it: its own and those of the prefixes around it.
 */
#include "lib/policy/internal.h"

size_t port_range_split(uint16_t first, uint16_t last, uint8_t proto, struct port_spec *ret)
{
	uint32_t port = first;
	size_t n = 0;

	while (port <= last) {
		unsigned bits = port ? MIN((unsigned)__builtin_ctz(port), 16u) : 16;

		while (port + (1u << bits) - 1 > last)
			bits--;
		ret[n++] = (struct port_spec){ proto, WEIR_POLICY_PREFIX_FULL - bits, port };
		port += 1u << bits;
	}
	return n;
}

/* Order in which a prefix stands behind those around it. */
static int spec_cmp(const struct port_spec *a, const struct port_spec *b)
{
	bool any_a = a->prefixlen < WEIR_POLICY_PREFIX_PROTO, any_b = b->prefixlen < WEIR_POLICY_PREFIX_PROTO;

	if (any_a || any_b)
		return (int)any_b - (int)any_a;
	return (int)a->proto - b->proto ?: (int)a->port - b->port ?: (int)a->prefixlen - b->prefixlen;
}

static int claim_cmp(const void *x, const void *y)
{
	return spec_cmp(&((const struct port_claim *)x)->spec, &((const struct port_claim *)y)->spec);
}

struct frame { /* a prefix around the one at hand */
	const struct port_entry *entry;
	bool kept_above; /* it or one around it is kept */
};

/* What the second look-up finds for these ports; NULL: nothing. */
static const uint64_t *any_set(const struct port_entries *any, const struct port_spec *spec)
{
	const uint64_t *set = NULL;

	for (size_t i = 0; any && i < any->n; i++) /* the longest comes last */
		if (port_spec_covers(&any->v[i].spec, spec))
			set = any->v[i].set;
	return set;
}

static void decide(struct port_entry *e, const struct frame *up, const struct port_entries *any, size_t words)
{
	const uint64_t *without = up && up->kept_above ? up->entry->set : any_set(any, &e->spec);

	e->kept = !without || memcmp(without, e->set, words * sizeof(*e->set)) != 0;
}

static int add_entry(struct port_entries *ret, const struct port_claim *claims, size_t n, size_t words,
		     const struct frame *up)
{
	struct port_entry *e = &ret->v[ret->n];

	e->spec = claims->spec;
	e->set = arena_alloc(&ret->arena, words, sizeof(*e->set));
	if (!e->set)
		return -ENOMEM;
	if (up)
		memcpy(e->set, up->entry->set, words * sizeof(*e->set));
	for (size_t i = 0; i < n; i++)
		e->set[claims[i].policy / 64] |= UINT64_C(1) << claims[i].policy % 64;
	ret->n++;
	return 0;
}

int port_entries_compile(struct port_claim *claims, size_t n, size_t n_policies, const struct port_entries *any,
			 struct port_entries *ret)
{
	struct frame stack[2 + 17]; /* every protocol, one protocol, 1 to 16 bits of the port */
	size_t depth = 0, words = (n_policies + 63) / 64;

	*ret = (struct port_entries){};
	ret->v = arena_alloc(&ret->arena, n, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	if (n)
		qsort(claims, n, sizeof(*claims), claim_cmp);
	for (size_t i = 0, same; i < n; i += same) {
		struct port_entry *e = &ret->v[ret->n];
		const struct frame *up;

		for (same = 1; i + same < n && !spec_cmp(&claims[i].spec, &claims[i + same].spec); same++)
			;
		while (depth && !port_spec_covers(&stack[depth - 1].entry->spec, &claims[i].spec))
			depth--;
		up = depth ? &stack[depth - 1] : NULL;
		if (add_entry(ret, &claims[i], same, words, up) < 0) {
			arena_done(&ret->arena);
			return -ENOMEM;
		}
		decide(e, up, any, words);
		stack[depth++] = (struct frame){ e, e->kept || (up && up->kept_above) };
	}
	return 0;
}
