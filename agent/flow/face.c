// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/face.h"

#include "lib/drop.h"

enum { DIR_INGRESS = 1, DIR_EGRESS = 2 };
enum { SUB_TO_ENDPOINT = 0, SUB_TO_STACK = 3 };

int flow_is_reply(const struct flow *f)
{
	if (f->ev.type == WEIR_EV_NEW || f->ev.type == WEIR_EV_L7)
		return 0;
	if (!(f->ev.flags & WEIR_EVF_KNOWN_DIR))
		return -1;
	return !!(f->ev.flags & WEIR_EVF_REPLY);
}

static struct flow_face verdict_face(enum weir_dir dir)
{
	return (struct flow_face){ FLOW_FACE_VERDICT, 0, dir == WEIR_INGRESS ? DIR_INGRESS : DIR_EGRESS };
}

/* A packet to a pod belongs to a connection that this pod accepted, unless it is a reply; from a pod, the other way. */
static struct flow_face trace_face(const struct flow *f)
{
	bool to_pod = f->ev.flags & WEIR_EVF_TO_POD;
	bool reply = flow_is_reply(f) == 1;

	return (struct flow_face){ FLOW_FACE_TRACE, to_pod ? SUB_TO_ENDPOINT : SUB_TO_STACK,
				   to_pod != reply ? DIR_INGRESS : DIR_EGRESS };
}

static size_t drop_faces(const struct flow *f, struct flow_face *faces)
{
	enum weir_dir dir = f->ev.flags & WEIR_EVF_INGRESS ? WEIR_INGRESS : WEIR_EGRESS;
	struct flow_face verdict = verdict_face(dir);
	size_t n = 0;

	if (f->ev.reason == WEIR_DROP_POLICY)
		faces[n++] = verdict;
	faces[n++] = (struct flow_face){ FLOW_FACE_DROP, drop_hubble(f->ev.reason), verdict.direction };
	return n;
}

static bool judged(const struct flow *f, enum weir_dir dir)
{
	return f->rule[dir] && f->rule[dir]->n_policies;
}

/* The side that would have denied comes first, else the receiver's. */
static size_t new_faces(const struct flow *f, struct flow_face *faces)
{
	enum weir_dir first = f->ev.rule[WEIR_EGRESS] & WEIR_RULE_DEFAULT_DENY ? WEIR_EGRESS : WEIR_INGRESS;
	size_t n = 0;

	if (judged(f, first))
		faces[n++] = verdict_face(first);
	if (judged(f, !first))
		faces[n++] = verdict_face(!first);
	faces[n++] = trace_face(f);
	return n;
}

/* Request and answer in one; seen by the pod that answers, if it is here. */
static struct flow_face l7_face(const struct flow *f)
{
	return (struct flow_face){ FLOW_FACE_L7, 0, f->dst->ep_id ? DIR_INGRESS : DIR_EGRESS };
}

size_t flow_faces(const struct flow *f, struct flow_face *ret_faces)
{
	switch (f->ev.type) {
	case WEIR_EV_DROP:
		return drop_faces(f, ret_faces);
	case WEIR_EV_NEW:
		return new_faces(f, ret_faces);
	case WEIR_EV_L7:
		ret_faces[0] = l7_face(f);
		return 1;
	default:
		ret_faces[0] = trace_face(f);
		return 1;
	}
}
