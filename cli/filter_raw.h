/* SPDX-License-Identifier: Apache-2.0 */
/* Filters as JSON: --allowlist, --denylist, --print-raw-filters. */
#ifndef WEIR_FILTER_RAW_H
#define WEIR_FILTER_RAW_H

#include "lib/err.h"
#include "lib/proto/flow.pb-c.h"
#include "lib/vec.h"

struct raw_filters {
	size_t n, size;
	Flow__FlowFilter **v;
};

/* One FlowFilter, or several one behind the other, are added. -EINVAL. */
int filter_raw_parse(const char *text, struct raw_filters *f, struct err *reterr);
void filter_raw_clear(struct raw_filters *f);

/* YAML that --config takes: name, and a list of strings of JSON. Nothing when n is 0. */
void filter_raw_print(FILE *out, const char *name, Flow__FlowFilter *const *list, size_t n);

#endif
