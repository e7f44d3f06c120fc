/* SPDX-License-Identifier: Apache-2.0 */
/* What flows are added up by: `weir flows stats` shows most of it once, `weir top` one of it over and over. */
#ifndef WEIR_FLOW_GROUPS_H
#define WEIR_FLOW_GROUPS_H

#include "cli/table.h"
#include "cli/tally.h"
#include "lib/proto/observer.pb-c.h"

enum flow_group {
	GROUP_VERDICTS,
	GROUP_REASONS, /* drops by reason and policy */
	GROUP_PROTOCOLS,
	GROUP_TALKERS, /* who talks to whom, whoever speaks */
	GROUP_PODS,    /* each flow counts for both ends */
	GROUP_DROPS,   /* who is dropped to whom, why */
	GROUP_TOOLS,   /* exchanges of MCP, A2A and models */
	GROUP_COUNT,
};

struct flow_group_info {
	const char *name;
	const char *cells[TALLY_CELLS]; /* headings; NULL: no such cell */
	const char *count, *bad;        /* headings; bad NULL: nothing is bad, or all is */
	bool latency;
};
extern const struct flow_group_info flow_groups[GROUP_COUNT];

/* 0 or -ENOMEM; a flow that does not belong to the group counts nothing. */
int flow_group_add(enum flow_group g, struct tally *t, const Flow__Flow *f);

/* The sorted rows as a table with headings, at most max; rates: with how many a second. 0 or -ENOMEM. */
int flow_group_table(enum flow_group g, struct tally *t, size_t max, bool rates, FILE *f);
/* [{"verdict":"FORWARDED","flows":7},…]: the headings in lower case. */
void flow_group_json(enum flow_group g, struct tally *t, size_t max, FILE *f);

#endif
