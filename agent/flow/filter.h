/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of the API over flows in the store: compiled once per request, then matched without building messages. */
#ifndef WEIR_FLOW_FILTER_H
#define WEIR_FLOW_FILTER_H

#include "agent/flow/face.h"
#include "lib/flow_filter.h"

struct flow_filter;
/* -EINVAL: reterr names field and value. The messages must live as long as the result. */
int flow_filter_new(Flow__FlowFilter *const *whitelist, size_t n_whitelist, Flow__FlowFilter *const *blacklist,
		    size_t n_blacklist, const struct flow_node *node, struct flow_filter **ret_filter,
		    struct err *reterr);
void flow_filter_free(struct flow_filter *f);
DEFINE_CLEANUP(struct flow_filter *, flow_filter_free);

/* False: filtered out. Else the first face with which the flow passes. */
bool flow_filter_match(const struct flow_filter *f, const struct flow *flow, struct flow_face *ret_face);

#endif
