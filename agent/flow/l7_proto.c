// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/l7_proto.h"

#include <strings.h>

static const struct {
	const char *name;
	enum l7_key key;
} headers[] = {
	{ "content-length", L7_KEY_RESPONSE_SIZE },
	{ "content-type", L7_KEY_CONTENT_TYPE },
	{ "traceparent", L7_KEY_TRACEPARENT },
	{ "user-agent", L7_KEY_USER_AGENT },
};
_Static_assert(ARRAY_SIZE(headers) == FLOW_L7_HEADERS, "room for all");

/* protobuf-c has char * where we have const char *, and wants "" where we have NULL. */
static char *text(const struct l7_record *r, enum l7_key key)
{
	const char *s = l7_record_get(r, key);

	return s ? (char *)s : (char *)protobuf_c_empty_string;
}

static const char *header_value(const struct l7_record *r, enum l7_key key, char *buf, size_t size)
{
	int64_t v = l7_record_get_int(r, key, -1);

	if (v < 0)
		return l7_record_get(r, key);
	snprintf(buf, size, "%lld", (long long)v);
	return buf;
}

const char *flow_l7_header(const struct l7_record *r, const char *name, char *buf, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		if (!strcasecmp(headers[i].name, name))
			return header_value(r, headers[i].key, buf, size);
	return NULL;
}

static void fill_headers(struct flow_l7_msg *m, const struct l7_record *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		const char *value = header_value(r, headers[i].key, m->size, sizeof(m->size));
		Flow__HTTPHeader *h = &m->header[m->http.n_headers];

		if (!value)
			continue;
		flow__httpheader__init(h);
		h->key = (char *)headers[i].name;
		h->value = (char *)value;
		m->headers[m->http.n_headers++] = h;
	}
	m->http.headers = m->headers;
}

static void fill_http(struct flow_l7_msg *m, const struct l7_record *r)
{
	flow__http__init(&m->http);
	m->http.code = (uint32_t)l7_record_get_int(r, L7_KEY_HTTP_STATUS, 0);
	m->http.method = text(r, L7_KEY_HTTP_METHOD);
	l7_url(r, m->url, sizeof(m->url));
	m->http.url = m->url;
	snprintf(m->protocol, sizeof(m->protocol), "HTTP/%.20s", text(r, L7_KEY_NETWORK_VERSION));
	m->http.protocol = m->protocol;
	fill_headers(m, r);
	m->l7.record_case = FLOW__LAYER7__RECORD_HTTP;
	m->l7.http = &m->http;
}

/* What was joined by commas, apart again. */
static size_t split(struct flow_l7_list *l, const char *s)
{
	size_t n = 0;
	char *save = NULL;

	snprintf(l->text, sizeof(l->text), "%s", s);
	for (char *w = strtok_r(l->text, ",", &save); w; w = strtok_r(NULL, ",", &save))
		l->items[n++] = w;
	return n;
}

static void fill_dns(struct flow_l7_msg *m, const struct l7_record *r)
{
	Flow__DNS *d = &m->dns;

	flow__dns__init(d);
	d->query = text(r, L7_KEY_DNS_QUERY);
	d->n_ips = split(&m->addrs, text(r, L7_KEY_DNS_ADDRS));
	d->ips = m->addrs.items;
	d->n_cnames = split(&m->cnames, text(r, L7_KEY_DNS_CNAMES));
	d->cnames = m->cnames.items;
	d->ttl = (uint32_t)l7_record_get_int(r, L7_KEY_DNS_TTL, 0);
	d->rcode = (uint32_t)l7_record_get_int(r, L7_KEY_DNS_RCODE, 0);
	d->observation_source = (char *)"capture";
	m->qtypes[0] = text(r, L7_KEY_DNS_QTYPE);
	d->n_qtypes = *m->qtypes[0] ? 1 : 0;
	d->qtypes = m->qtypes;
	m->l7.record_case = FLOW__LAYER7__RECORD_DNS;
	m->l7.dns = d;
}

bool flow_l7_trace_id(const struct l7_record *r, char *buf)
{
	static const char hex[] = "0123456789abcdef";
	const char *s = l7_record_get(r, L7_KEY_TRACEPARENT);

	if (!s || strspn(s, hex) != 2 || s[2] != '-' || strspn(s + 3, hex) != 32 || s[35] != '-' ||
	    strspn(s + 3, "0") == 32)
		return false;
	memcpy(buf, s + 3, 32);
	buf[32] = '\0';
	return true;
}

static void fill_trace_context(struct flow_l7_msg *m, const struct l7_record *r, Flow__Flow *flow)
{
	if (!flow_l7_trace_id(r, m->trace_id))
		return;
	flow__trace_context__init(&m->trace_context);
	flow__trace_parent__init(&m->trace_parent);
	m->trace_parent.trace_id = m->trace_id;
	m->trace_context.parent = &m->trace_parent;
	flow->trace_context = &m->trace_context;
}

/* To the microsecond: more is noise. */
static double milliseconds(uint64_t ns)
{
	uint64_t us = ns / 1000;

	return (double)us / 1000;
}

static Google__Protobuf__Any *fill_extensions(struct flow_l7_msg *m, struct flow_ext *ext, const struct l7_record *r)
{
	l7_subject(r, m->subject, sizeof(m->subject));
	l7_result(r, m->result, sizeof(m->result));
	l7_notes(r, m->notes, sizeof(m->notes));
	flow_ext_begin(ext);
	flow_ext_text(ext, "weir.kind", l7_kind_name(r->kind));
	flow_ext_text(ext, "weir.subject", m->subject);
	flow_ext_text(ext, "weir.result", m->result);
	flow_ext_text(ext, "weir.notes", m->notes);
	flow_ext_text(ext, "weir.outcome", l7_outcome_name(r->outcome));
	if (r->last_ns)
		flow_ext_number(ext, "weir.latency_ms", milliseconds(r->last_ns));
	if (r->first_ns)
		flow_ext_number(ext, "weir.first_ms", milliseconds(r->first_ns));
	flow_ext_flag(ext, "weir.partial", r->flags & L7_PARTIAL);
	flow_ext_flag(ext, "weir.midstream", r->flags & L7_MIDSTREAM);
	flow_ext_flag(ext, "weir.unparseable", r->flags & L7_UNPARSEABLE);
	flow_ext_flag(ext, "weir.long_lived", r->flags & L7_LONG_LIVED);
	flow_ext_flag(ext, "weir.from_server", r->flags & L7_FROM_SERVER);
	for (unsigned i = 0; i < r->n_attrs; i++) {
		const struct l7_attr *a = &r->attrs[i];

		if (a->is_int)
			flow_ext_number(ext, l7_key_name(a->key), (double)a->i);
		else
			flow_ext_text(ext, l7_key_name(a->key), a->s);
	}
	return flow_ext_end(ext);
}

bool flow_l7_fill(struct flow_l7_msg *m, struct flow_ext *ext, const struct l7_record *r, Flow__Flow *flow)
{
	flow__layer7__init(&m->l7);
	m->l7.type = l7_answered(r) ? FLOW__L7_FLOW_TYPE__RESPONSE : FLOW__L7_FLOW_TYPE__REQUEST;
	m->l7.latency_ns = r->flags & L7_LONG_LIVED ? 0 : r->last_ns;
	if (r->kind == L7_DNS)
		fill_dns(m, r);
	else if (l7_is_http(r))
		fill_http(m, r);
	fill_trace_context(m, r, flow);
	flow->type = FLOW__FLOW_TYPE__L7;
	flow->l7 = &m->l7;
	flow->extensions = fill_extensions(m, ext, r);
	return flow->extensions;
}
