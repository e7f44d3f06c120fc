/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of FlowFilter that only exchanges of layer 7 can meet; rows of the table in filter_field.c. */
#ifndef WEIR_FLOW_FILTER_L7_H
#define WEIR_FLOW_FILTER_L7_H

#include "agent/flow/filter_field.h"

bool match_http_status(const union filter_value *v, const struct filter_subject *s);
bool match_http_method(const union filter_value *v, const struct filter_subject *s);
bool match_http_path(const union filter_value *v, const struct filter_subject *s);
bool match_http_url(const union filter_value *v, const struct filter_subject *s);
bool match_http_header(const union filter_value *v, const struct filter_subject *s);
bool match_dns_query(const union filter_value *v, const struct filter_subject *s);
bool match_trace_id(const union filter_value *v, const struct filter_subject *s);
bool match_l7_protocol(const char *name, const struct filter_subject *s); /* "http", "dns" */
bool match_l7_kind(const union filter_value *v, const struct filter_subject *s);
bool match_l7_tool(const union filter_value *v, const struct filter_subject *s);
bool match_l7_mcp_method(const union filter_value *v, const struct filter_subject *s);
bool match_l7_agent(const union filter_value *v, const struct filter_subject *s);
bool match_l7_outcome(const union filter_value *v, const struct filter_subject *s);

#endif
