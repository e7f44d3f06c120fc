/* SPDX-License-Identifier: Apache-2.0 */
/* How values of FlowFilter are held against flows of the store. */
#ifndef WEIR_FLOW_FILTER_FIELD_H
#define WEIR_FLOW_FILTER_FIELD_H

#include "agent/flow/face.h"
#include "lib/flow_filter.h"

/* A face of a flow; peer: the end that the filter's field is about. */
struct filter_subject {
	const struct flow *flow;
	const struct flow_face *face;
	const struct flow_node *node;
	const struct flow_peer *peer;
	bool destination;
};

extern const struct filter_evaluator flow_evaluator;

#endif
