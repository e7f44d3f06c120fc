/* SPDX-License-Identifier: Apache-2.0 */
/* One filter over one flow by both evaluators of FlowFilter: the agent's and the CLI's must say the same. */
#ifndef WEIR_TEST_BOTH_H
#define WEIR_TEST_BOTH_H

#include "agent/flow/filter.h"
#include "agent/flow/to_proto.h"
#include "cli/flow_match.h"
#include "test/unit.h"

/* The first face of the flow that passes as a message; false: none does. */
static _unused_ bool message_passes(const struct filter_set *set, const struct flow_node *node, const struct flow *f,
				    struct flow_face *ret_face)
{
	_cleanup_(flow_msg_freep) struct flow_msg *m = flow_msg_new();
	struct flow_face faces[FLOW_FACES_MAX];
	size_t n = flow_faces(f, faces);

	for (size_t i = 0; i < n; i++) {
		const Observer__GetFlowsResponse *msg = flow_msg_fill(m, node, f, &faces[i]);

		ck_assert_ptr_nonnull(msg);
		if (flow_match(set, msg->flow)) {
			*ret_face = faces[i];
			return true;
		}
	}
	return false;
}

/* White or black list of one filter: 1 passes, 0 does not, negative: not compiled. */
static _unused_ int passes_both(const Flow__FlowFilter *filter, bool black, const struct flow_node *node,
				const struct flow *f, struct flow_face *face, struct err *e)
{
	Flow__FlowFilter *list[] = { (Flow__FlowFilter *)filter };
	_cleanup_(flow_filter_freep) struct flow_filter *c = NULL;
	_cleanup_(filter_set_freep) struct filter_set *set = NULL;
	struct flow_face other = { 0 };
	int r = flow_filter_new(list, !black, list, black, node, &c, e);

	ck_assert_int_eq(filter_set_new(list, !black, list, black, &message_evaluator, &set, NULL), r);
	if (r < 0)
		return r;
	r = flow_filter_match(c, f, face);
	ck_assert_int_eq(message_passes(set, node, f, &other), r);
	if (r)
		ck_assert(other.type == face->type && other.sub_type == face->sub_type &&
			  other.direction == face->direction);
	return r;
}

#endif
