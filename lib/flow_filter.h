/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FlowFilter: what its fields mean, whatever a flow is held in. Inside a filter all fields must match, of a field any
 * value; of a whitelist any filter (an empty one passes all), of a blacklist none. An evaluator says how a value is
 * held against its form of a flow: the agent's over the records of its store (agent/flow/filter.c), the CLI's over
 * messages (cli/flow_match.c). Unit tests run the same cases through both.
 */
#ifndef WEIR_LIB_FLOW_FILTER_H
#define WEIR_LIB_FLOW_FILTER_H

#include <regex.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/label_selector.h"
#include "lib/proto/flow.pb-c.h"

#define FLOW_FILTER_MAX 1000 /* filters and values of one request */

/* A value of a filter, read. */
union filter_value {
	uint64_t number;
	struct prefix prefix;
	struct selector *selector;
	struct {
		const char *ns, *name; /* name: a prefix. NULL: any */
		size_t ns_len;
	} pod;
	const char *text; /* kind and outcome of layer 7: in their own spelling */
	const Flow__Workload *workload;
	const Flow__EventTypeFilter *event;
	const Flow__TCPFlags *flags;
	const Flow__HTTPHeader *header;
	const Flow__NetworkInterface *interface;
	regex_t *regex;
};

struct filter_subject; /* a flow as the evaluator has it */
typedef bool (*filter_match_fn)(const union filter_value *v, const struct filter_subject *s);

struct filter_evaluator {
	/* The fields that are matched next are about this end. */
	void (*set_end)(struct filter_subject *s, bool destination);
	size_t n;
	const struct filter_match {
		unsigned number; /* of the field. One that is not listed is valid and meets no flow */
		filter_match_fn match;
	} * matches;
};

struct filter_set;
/* -EINVAL: reterr names list, field and value. Messages and evaluator must live as long as the result. */
int filter_set_new(Flow__FlowFilter *const *whitelist, size_t n_whitelist, Flow__FlowFilter *const *blacklist,
		   size_t n_blacklist, const struct filter_evaluator *e, struct filter_set **ret_set,
		   struct err *reterr);
void filter_set_free(struct filter_set *f);
DEFINE_CLEANUP(struct filter_set *, filter_set_free);
bool filter_set_match(const struct filter_set *f, struct filter_subject *s);

/* ---- for evaluators: values against what a flow says; NULL: it says nothing */

/* "" and prefix: any. service and pod alike. */
bool filter_match_pod(const union filter_value *v, const char *ns, const char *name);
bool filter_match_fqdn(const union filter_value *v, char *const *names, size_t n_names); /* one of them */
bool filter_match_workload(const union filter_value *v, const char *kind, const char *name);
bool filter_match_protocol(const union filter_value *v, uint8_t proto); /* of IP; layer 7 is no such */
/* "dns", "http", "kafka"; NULL: a protocol of IP. */
const char *filter_l7_protocol(const union filter_value *v);
bool filter_match_reply(const union filter_value *v, int reply, bool dropped); /* reply -1: not known */
bool filter_match_node(const union filter_value *v, const char *cluster, const char *node);
bool filter_match_status(const union filter_value *v, uint64_t code);
bool filter_match_regex(const union filter_value *v, const char *s);
/* Of either end of an exchange. */
bool filter_match_agent(const union filter_value *v, const char *workload, const char *pod);
/* The whole of s, "*" is any text. Never more steps than both lengths multiplied. */
bool filter_glob(const char *pattern, const char *s);

/* ---- of lib/flow_filter_value.c, for lib/flow_filter.c */

struct filter_field {
	unsigned number;
	bool destination;
	/* NULL: the value is taken as it is. */
	int (*parse)(const char *s, union filter_value *ret_value, struct err *reterr);
};
/* NULL: not a field that lists values. */
const struct filter_field *filter_field(unsigned number);
/* Frees what parse made. */
void filter_value_clear(const struct filter_field *f, union filter_value *v);

#endif
