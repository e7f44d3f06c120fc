/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of FlowFilter that only exchanges of layer 7 can meet; rows of the table in filter_field.c. */
#ifndef WEIR_FLOW_FILTER_L7_H
#define WEIR_FLOW_FILTER_L7_H

#include "agent/flow/filter_field.h"

int parse_http_status(const char *s, union filter_value *ret, struct err *reterr);
bool match_http_status(const union filter_value *v, const struct filter_subject *s);
bool match_http_method(const union filter_value *v, const struct filter_subject *s);
bool match_http_path(const union filter_value *v, const struct filter_subject *s);
bool match_http_url(const union filter_value *v, const struct filter_subject *s);
bool match_http_header(const union filter_value *v, const struct filter_subject *s);
bool match_dns_query(const union filter_value *v, const struct filter_subject *s);
bool match_trace_id(const union filter_value *v, const struct filter_subject *s);
bool match_l7_protocol(const char *name, const struct filter_subject *s); /* "http", "dns" */

/*
 * Regular expressions as Hubble's clients write them, RE2's: matched anywhere. What both RE2 and POSIX know, and \d; no
 * counted repetitions, no references, none of (?…), because the matcher must not cost more than the text is long.
 */
int parse_regex(const char *s, union filter_value *ret, struct err *reterr);
void clear_regex(union filter_value *v);

int parse_l7_kind(const char *s, union filter_value *ret, struct err *reterr);
int parse_l7_outcome(const char *s, union filter_value *ret, struct err *reterr);
bool match_l7_kind(const union filter_value *v, const struct filter_subject *s);
bool match_l7_tool(const union filter_value *v, const struct filter_subject *s);
bool match_l7_mcp_method(const union filter_value *v, const struct filter_subject *s);
bool match_l7_agent(const union filter_value *v, const struct filter_subject *s);
bool match_l7_outcome(const union filter_value *v, const struct filter_subject *s);

#endif
