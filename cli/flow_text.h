/* SPDX-License-Identifier: Apache-2.0 */
/* A flow in words: the parts of which every output format of `observe` is made. */
#ifndef WEIR_FLOW_TEXT_H
#define WEIR_FLOW_TEXT_H

#include "cli/times.h"
#include "lib/macro.h"
#include "lib/proto/observer.pb-c.h"

struct flow_style {
	bool color, policy_names, ip_translation;
	const char *time_layout; /* of cli/times.h */
};

#define FLOW_CELL 320

/* What every format shows of one flow, already harmless to a terminal. */
struct flow_text {
	char time[TIME_STRLEN], node[FLOW_CELL], source[FLOW_CELL], destination[FLOW_CELL], type[FLOW_CELL],
	    verdict[2048], summary[FLOW_CELL];
	char source_id[64], destination_id[64];
	const char *arrow; /* NULL: no flow but a loss */
	/* An exchange of layer 7 of which a Weir agent tells: caller, callee, the rest. Else "". */
	char caller[FLOW_CELL + 16], callee[FLOW_CELL + 16], exchange[4 * FLOW_CELL];
};

void flow_text(const struct flow_style *style, const Flow__Flow *f, struct flow_text *ret);
void flow_text_lost(const Observer__GetFlowsResponse *msg, struct flow_text *ret);
/* namespace/pod, else service, else DNS names, else address. */
void flow_host(const struct flow_style *style, const Flow__Flow *f, bool source, char *buf, size_t size);
uint32_t flow_port(const Flow__Flow *f, bool source); /* 0: none */
/* "a (NetworkPolicy), b (NetworkPolicy)": who decided, in the direction that the flow speaks of. "" when nobody did. */
void flow_policies(const Flow__Flow *f, char *buf, size_t size);
void flow_drop_reason(const Flow__Flow *f, char *buf, size_t size);
/* "N/A" when there is none. buf of TIME_STRLEN. */
void flow_time(const struct flow_style *style, const Google__Protobuf__Timestamp *t, char *buf);

/*
 * s without anything that a terminal obeys: ESC becomes ^[, others \r, \n, \x07, what turns the direction of writing
 * \u202e. In buf, cut to its size.
 */
const char *printable(const char *s, char *buf, size_t size);

#endif
