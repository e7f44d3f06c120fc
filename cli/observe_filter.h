/* SPDX-License-Identifier: Apache-2.0 */
/* The filter flags of `observe`, and what is sent for them. */
#ifndef WEIR_OBSERVE_FILTER_H
#define WEIR_OBSERVE_FILTER_H

#include "cli/cli.h"
#include "cli/filter_raw.h"
#include "lib/proto/observer.pb-c.h"

/*
 * Flags that speak of either end (--pod) make two filters, one with the condition on the source, one on the
 * destination; a flow passes when either does. All other conditions are in both.
 */
struct filter_pair {
	Flow__FlowFilter *source, *destination;
	bool used, two_sided;
};

/* One list of pods for each way to name an end; namespaces are joined with them at the end. */
struct pod_names {
	size_t n_pods, n_namespaces;
	char **pods, **namespaces;
	bool all_namespaces;
};

#define FILTER_OPTIONS_MAX 84
struct filter_args {
	struct filter_pair allow, deny;
	bool not_next;                           /* --not: the next flag goes to deny */
	uint8_t ends[2][FILTER_OPTIONS_MAX / 3]; /* allow, deny; by flag: which of its three forms were used */
	struct pod_names names[2][3];            /* allow, deny; source, destination, either end */
	struct raw_filters raw[2];               /* allow, deny */
};

/* The rows of the option table: `observe` has them in front of its own. set functions expect filter_args at args. */
size_t filter_options(struct cli_option *ret_options);

/* Put everything into the request; the filters become its own. -EINVAL: flags that do not go together. */
int filter_finish(struct filter_args *a, Observer__GetFlowsRequest *request, struct err *reterr);
void filter_clear(struct filter_args *a);
/* Before filter_finish: as if the user had said --name value, too; a name that the table has, and not about pods. */
int filter_want(struct filter_args *a, const char *name, const char *value, struct err *reterr);

/* The value of --since or --until (NULL: not given) as a new timestamp of the request. -EINVAL. */
int filter_set_time(const char *option, const char *text, Google__Protobuf__Timestamp **ret, struct err *reterr);

/* Names of identities that have fixed numbers; NULL: none. */
const char *identity_name(uint32_t number);
/* "to-endpoint", by the sub-type of a trace; NULL: none. */
const char *trace_point_name(int sub_type);

#endif
