/* SPDX-License-Identifier: Apache-2.0 */
/* What a Weir agent says of an exchange of layer 7 in Flow.extensions; docs/flows.md has the table of its keys. */
#ifndef WEIR_L7_VIEW_H
#define WEIR_L7_VIEW_H

#include "lib/macro.h"
#include "lib/proto/flow.pb-c.h"

struct l7_view {
	Google__Protobuf__Struct *fields;
};

/* False: the flow is none, or from an agent that says nothing more than Hubble's. Else close it. */
bool l7_view_open(const Flow__Flow *f, struct l7_view *ret_view);
void l7_view_close(struct l7_view *v);
const char *l7_view_str(const struct l7_view *v, const char *key); /* "": it has none */
double l7_view_number(const struct l7_view *v, const char *key, double none);
bool l7_view_flag(const struct l7_view *v, const char *key);

/* "41ms", "0.4ms", "12.3s" */
#define L7_DURATION_MAX 32
const char *l7_duration(double ms, char *buf);

#endif
