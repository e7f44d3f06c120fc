// SPDX-License-Identifier: Apache-2.0
#include "lib/drop.h"

struct text {
	uint32_t number;
	const char *text;
};

static const struct text own[] = {
#define X(name, hubble, text) [WEIR_DROP_##name] = { hubble, text },
	WEIR_DROP_REASONS(X)
#undef X
};
_Static_assert(ARRAY_SIZE(own) == WEIR_DROP_COUNT, "a drop reason has no text");

/* Reasons that only a Cilium agent gives. */
static const struct text cilium[] = {
	{ 136, "Fragmentation needed" },
	{ 137, "CT: Unknown L4 protocol" },
	{ 150, "Unknown L3 target address" },
	{ 158, "Service backend not found" },
	{ 164, "Local host is unreachable" },
	{ 169, "FIB lookup failed" },
	{ 196, "TTL exceeded" },
	{ 198, "Rate limited" },
	{ 202, "Host datapath not ready" },
};

uint32_t drop_hubble(enum weir_drop reason)
{
	return reason < ARRAY_SIZE(own) ? own[reason].number : 0;
}

const char *drop_text(enum weir_drop reason)
{
	return reason < ARRAY_SIZE(own) ? own[reason].text : "unknown reason";
}

const char *drop_text_of_hubble(uint32_t number)
{
	for (size_t i = 1; i < ARRAY_SIZE(own); i++)
		if (own[i].number == number)
			return own[i].text;
	for (size_t i = 0; i < ARRAY_SIZE(cilium); i++)
		if (cilium[i].number == number)
			return cilium[i].text;
	return NULL;
}
