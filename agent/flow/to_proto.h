/* SPDX-License-Identifier: Apache-2.0 */
/* struct flow → the API's message. One flow_msg is filled over and over: no allocation per flow. */
#ifndef WEIR_FLOW_TO_PROTO_H
#define WEIR_FLOW_TO_PROTO_H

#include "agent/flow/face.h"
#include "agent/flow/store.h"
#include "lib/proto/observer.pb-c.h"

struct flow_msg;
struct flow_msg *flow_msg_new(void); /* NULL: out of memory */
void flow_msg_free(struct flow_msg *m);
DEFINE_CLEANUP(struct flow_msg *, flow_msg_free);

/* The message points into *m, *node and *f, and is valid until m is filled again or f's store changes. NULL: out of
 * memory. */
const Observer__GetFlowsResponse *flow_msg_fill(struct flow_msg *m, const struct flow_node *node, const struct flow *f,
						const struct flow_face *face);
const Observer__GetFlowsResponse *flow_msg_fill_lost(struct flow_msg *m, const struct flow_node *node,
						     const struct flow_lost *lost);

#endif
