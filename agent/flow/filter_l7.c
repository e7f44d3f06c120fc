// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/filter_l7.h"

#include <strings.h>

#include "agent/flow/l7_proto.h"

static const char *get(const struct filter_subject *s, enum l7_key key)
{
	return s->flow->l7 ? l7_record_get(s->flow->l7, key) : NULL;
}

bool match_http_status(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->l7 && filter_match_status(v, (uint64_t)l7_record_get_int(s->flow->l7, L7_KEY_HTTP_STATUS, 0));
}

bool match_http_method(const union filter_value *v, const struct filter_subject *s)
{
	const char *method = get(s, L7_KEY_HTTP_METHOD);

	return method && !strcasecmp(method, v->text);
}

bool match_http_path(const union filter_value *v, const struct filter_subject *s)
{
	return filter_match_regex(v, get(s, L7_KEY_URL_PATH));
}

bool match_http_url(const union filter_value *v, const struct filter_subject *s)
{
	char url[L7_URL_MAX];

	if (!get(s, L7_KEY_HTTP_METHOD))
		return false;
	l7_url(s->flow->l7, url, sizeof(url));
	return filter_match_regex(v, url);
}

bool match_http_header(const union filter_value *v, const struct filter_subject *s)
{
	char buf[24];
	const char *value = s->flow->l7 ? flow_l7_header(s->flow->l7, v->header->key, buf, sizeof(buf)) : NULL;

	return value && streq(value, v->header->value);
}

bool match_dns_query(const union filter_value *v, const struct filter_subject *s)
{
	return filter_match_regex(v, get(s, L7_KEY_DNS_QUERY));
}

bool match_trace_id(const union filter_value *v, const struct filter_subject *s)
{
	char id[33];

	return s->flow->l7 && flow_l7_trace_id(s->flow->l7, id) && streq(id, v->text);
}

bool match_l7_protocol(const char *name, const struct filter_subject *s)
{
	const struct l7_record *r = s->flow->l7;

	if (!r)
		return false;
	return streq(name, "dns") ? r->kind == L7_DNS : streq(name, "http") && l7_is_http(r);
}

bool match_l7_kind(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->l7 && streq(l7_kind_name(s->flow->l7->kind), v->text);
}

bool match_l7_outcome(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->l7 && streq(l7_outcome_name(s->flow->l7->outcome), v->text);
}

bool match_l7_tool(const union filter_value *v, const struct filter_subject *s)
{
	return filter_glob(v->text, get(s, L7_KEY_GEN_AI_TOOL));
}

bool match_l7_mcp_method(const union filter_value *v, const struct filter_subject *s)
{
	return filter_glob(v->text, get(s, L7_KEY_MCP_METHOD));
}

bool match_l7_agent(const union filter_value *v, const struct filter_subject *s)
{
	const struct flow *f = s->flow;

	return f->l7 && (filter_glob(v->text, get(s, L7_KEY_GEN_AI_AGENT)) ||
			 filter_match_agent(v, f->src->workload_name, f->src->pod_name) ||
			 filter_match_agent(v, f->dst->workload_name, f->dst->pod_name));
}
