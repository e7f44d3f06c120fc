/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of FlowFilter, one row each: how a value is read, how a flow is held against it. */
#ifndef WEIR_FLOW_FILTER_FIELD_H
#define WEIR_FLOW_FILTER_FIELD_H

#include <regex.h>

#include "agent/flow/face.h"
#include "agent/flow/selector.h"
#include "lib/addr.h"
#include "lib/proto/flow.pb-c.h"

/* A face of a flow, held against one value of a filter; peer: the end that the filter's field is about. */
struct filter_subject {
	const struct flow *flow;
	const struct flow_face *face;
	const struct flow_node *node;
	const struct flow_peer *peer;
	bool destination;
};

union filter_value {
	uint64_t number;
	struct prefix prefix;
	struct selector *selector;
	struct {
		const char *ns, *name; /* name: a prefix. NULL: any */
		size_t ns_len;
	} pod;
	const char *text;
	const Flow__Workload *workload;
	const Flow__EventTypeFilter *event;
	const Flow__TCPFlags *flags;
	const Flow__HTTPHeader *header;
	regex_t *regex;
};

/*
 * One field of FlowFilter: how a value is read from the message and how it is matched. Without match the field is valid
 * and meets nothing: the flows do not have what it asks for. Without parse the value is taken as it is.
 */
struct filter_field {
	unsigned number;
	bool destination;
	int (*parse)(const char *s, union filter_value *ret_value, struct err *reterr);
	bool (*match)(const union filter_value *v, const struct filter_subject *s);
};

/* NULL: not a field that lists values. */
const struct filter_field *filter_field(unsigned number);
/* Frees what parse made. */
void filter_field_clear(const struct filter_field *f, union filter_value *v);

#endif
