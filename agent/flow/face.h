/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event of the datapath is what Cilium reports as up to three: the verdict on the sender's side, the one on the
 * receiver's, the packet itself. Weir keeps one record and shows it with one of these faces: the first one that the
 * reader's filters let pass. So a plain reader sees each event once, and one that asks for drops, for verdicts or
 * for traces alone gets every event that Hubble would give him. docs/flows.md has the table.
 */
#ifndef WEIR_FLOW_FACE_H
#define WEIR_FLOW_FACE_H

#include "agent/flow/flow.h"

/* Cilium's message types, which TYPE filters name */
enum flow_face_type {
	FLOW_FACE_DROP = 1,
	FLOW_FACE_TRACE = 4,
	FLOW_FACE_VERDICT = 5,
	FLOW_FACE_L7 = 129,
};

struct flow_face {
	uint8_t type;      /* enum flow_face_type */
	uint8_t sub_type;  /* drop: Hubble's reason; trace: Cilium's observation point */
	uint8_t direction; /* Hubble's TrafficDirection: 1 ingress, 2 egress, of the pod concerned */
};

#define FLOW_FACES_MAX 3
/* At least one; the best first. */
size_t flow_faces(const struct flow *f, struct flow_face *ret_faces);

/* -1: not known, 0: with the direction of the connection, 1: against it. */
int flow_is_reply(const struct flow *f);

#endif
