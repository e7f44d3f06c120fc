/* SPDX-License-Identifier: Apache-2.0 */
/* FlowFilter over flows as messages: what a server does with a request's filters, done here for flows of a file. */
#ifndef WEIR_FLOW_MATCH_H
#define WEIR_FLOW_MATCH_H

#include "lib/flow_filter.h"

extern const struct filter_evaluator message_evaluator;

/* set: made by filter_set_new with message_evaluator. */
bool flow_match(const struct filter_set *set, const Flow__Flow *f);

#endif
