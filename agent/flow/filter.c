// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/filter.h"

#include "agent/flow/filter_field.h"

struct flow_filter {
	const struct flow_node *node;
	struct filter_set *set;
};

int flow_filter_new(Flow__FlowFilter *const *whitelist, size_t n_whitelist, Flow__FlowFilter *const *blacklist,
		    size_t n_blacklist, const struct flow_node *node, struct flow_filter **ret_filter,
		    struct err *reterr)
{
	_cleanup_(flow_filter_freep) struct flow_filter *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_oom(reterr);
	f->node = node;
	r = filter_set_new(whitelist, n_whitelist, blacklist, n_blacklist, &flow_evaluator, &f->set, reterr);
	if (r < 0)
		return r;
	*ret_filter = TAKE_PTR(f);
	return 0;
}

void flow_filter_free(struct flow_filter *f)
{
	if (!f)
		return;
	filter_set_free(f->set);
	free(f);
}

bool flow_filter_match(const struct flow_filter *f, const struct flow *flow, struct flow_face *ret_face)
{
	struct flow_face faces[FLOW_FACES_MAX];
	struct filter_subject s = { .flow = flow, .node = f->node };
	size_t n = flow_faces(flow, faces);

	for (size_t i = 0; i < n; i++) {
		s.face = &faces[i];
		if (filter_set_match(f->set, &s)) {
			*ret_face = faces[i];
			return true;
		}
	}
	return false;
}
