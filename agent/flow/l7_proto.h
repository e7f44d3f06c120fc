/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of flow.Flow that only an exchange of layer 7 has. */
#ifndef WEIR_FLOW_L7_PROTO_H
#define WEIR_FLOW_L7_PROTO_H

#include "agent/flow/extensions.h"
#include "agent/flow/l7_text.h"
#include "lib/proto/flow.pb-c.h"

#define FLOW_L7_HEADERS 4

struct flow_l7_msg {
	Flow__Layer7 l7;
	Flow__HTTP http;
	Flow__HTTPHeader header[FLOW_L7_HEADERS], *headers[FLOW_L7_HEADERS];
	Flow__DNS dns;
	struct flow_l7_list {
		char text[L7_STR_MAX + 1], *items[L7_STR_MAX / 2 + 1];
	} addrs, cnames;
	char *qtypes[1];
	Flow__TraceContext trace_context;
	Flow__TraceParent trace_parent;
	char url[L7_URL_MAX], protocol[32], size[24], trace_id[33];
	char subject[L7_URL_MAX], result[L7_STR_MAX + 32], notes[L7_STR_MAX + 128];
};

/* The message points into m, ext and r. False: out of memory. */
bool flow_l7_fill(struct flow_l7_msg *m, struct flow_ext *ext, const struct l7_record *r, Flow__Flow *flow);

/* The trace id of a traceparent into buf (33 bytes); false: it is none. */
bool flow_l7_trace_id(const struct l7_record *r, char *buf);

/* What is known of the headers of a request or answer by name (any case), in buf if it is a number; NULL: nothing. */
const char *flow_l7_header(const struct l7_record *r, const char *name, char *buf, size_t size);

#endif
