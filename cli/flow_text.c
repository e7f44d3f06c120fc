// SPDX-License-Identifier: Apache-2.0
#include "cli/flow_text.h"

#include <ctype.h>

#include "cli/l7_view.h"
#include "cli/observe_filter.h"
#include "lib/drop.h"

#define CYAN "36"
#define YELLOW "33"
#define MAGENTA "35"
#define GREEN "32"
#define RED "31"

/* Marks that make what follows read backwards: U+202A to U+202E, U+2066 to U+2069. 0: it is none. */
static unsigned direction_mark(const char *s)
{
	unsigned char third = s[0] == '\xe2' && s[1] ? s[2] : 0;

	if (third >= 0xaa && third <= 0xae && s[1] == '\x80')
		return 0x2000 | (third & 0x3fu);
	return third >= 0xa6 && third <= 0xa9 && s[1] == '\x81' ? 0x2040 | (third & 0x3fu) : 0;
}

const char *printable(const char *s, char *buf, size_t size)
{
	size_t n = 0;

	for (; *s && n + 5 <= size; s++) {
		unsigned char c = *s, next = s[1];
		unsigned mark = direction_mark(s);

		if (mark && n + 7 > size)
			break;
		if (mark) {
			n += (size_t)snprintf(buf + n, size - n, "\\u%04x", mark);
			s += 2;
		} else if (c == 0x1b)
			n += (size_t)snprintf(buf + n, size - n, "^[");
		else if (c == '\r' || c == '\n' || c == '\t')
			n += (size_t)snprintf(buf + n, size - n, "\\%c", c == '\r' ? 'r' : c == '\n' ? 'n' : 't');
		else if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(buf + n, size - n, "\\x%02x", c);
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0) /* C1 controls: ESC in one character */
			n += (size_t)snprintf(buf + n, size - n, "\\x%02x", (unsigned char)*++s);
		else
			buf[n++] = (char)c;
	}
	buf[n] = '\0';
	return buf;
}

static const char *paint(const struct flow_style *p, const char *color, const char *s, char *buf, size_t size)
{
	snprintf(buf, size,
		 p->color ? "\033[%s"
			    "m%s\033[0m"
			  : "%s%s",
		 p->color ? color : "", s);
	return buf;
}

uint32_t flow_port(const Flow__Flow *f, bool source)
{
	if (!f->l4)
		return 0;
	switch (f->l4->protocol_case) {
	case FLOW__LAYER4__PROTOCOL_TCP:
		return source ? f->l4->tcp->source_port : f->l4->tcp->destination_port;
	case FLOW__LAYER4__PROTOCOL_UDP:
		return source ? f->l4->udp->source_port : f->l4->udp->destination_port;
	case FLOW__LAYER4__PROTOCOL_SCTP:
		return source ? f->l4->sctp->source_port : f->l4->sctp->destination_port;
	default:
		return 0;
	}
}

static void join_names(char *const *names, size_t n, char *buf, size_t size)
{
	size_t len = 0;

	*buf = '\0';
	for (size_t i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? "," : "", names[i]);
}

void flow_host(const struct flow_style *p, const Flow__Flow *f, bool source, char *buf, size_t size)
{
	const Flow__Endpoint *ep = source ? f->source : f->destination;
	const Flow__Service *svc = source ? f->source_service : f->destination_service;
	size_t n_names = source ? f->n_source_names : f->n_destination_names;
	const char *addr = f->ip         ? (source ? f->ip->source : f->ip->destination)
			   : f->ethernet ? (source ? f->ethernet->source : f->ethernet->destination)
					 : "";
	char raw[FLOW_CELL];

	snprintf(raw, sizeof(raw), "%s", addr);
	if (p->ip_translation && ep && *ep->pod_name)
		snprintf(raw, sizeof(raw), "%s%s%s", ep->namespace_, *ep->namespace_ ? "/" : "", ep->pod_name);
	else if (p->ip_translation && svc && *svc->name)
		snprintf(raw, sizeof(raw), "%s%s%s", svc->namespace_, *svc->namespace_ ? "/" : "", svc->name);
	else if (p->ip_translation && n_names)
		join_names(source ? f->source_names : f->destination_names, n_names, raw, sizeof(raw));
	printable(raw, buf, size);
}

/* With the port when there is one. */
static void put_host(const struct flow_style *p, const Flow__Flow *f, bool source, char *buf, size_t size)
{
	char raw[FLOW_CELL], host[FLOW_CELL], number[12], port[32];
	uint32_t n = flow_port(f, source);

	flow_host(p, f, source, host, sizeof(host));
	if (n) {
		bool brackets = strchr(host, ':');

		snprintf(number, sizeof(number), "%u", n);
		snprintf(raw, sizeof(raw), "%s%.200s%s:%s", brackets ? "[" : "", host, brackets ? "]" : "",
			 paint(p, YELLOW, number, port, sizeof(port)));
		paint(p, CYAN, raw, buf, size);
	} else {
		paint(p, CYAN, host, buf, size);
	}
}

static void put_identity(const struct flow_style *p, const Flow__Endpoint *ep, char *buf, size_t size)
{
	uint32_t id = ep ? ep->identity : 0;
	char text[48];

	if (identity_name(id))
		snprintf(text, sizeof(text), "(%s)", identity_name(id));
	else
		snprintf(text, sizeof(text), "(ID:%u)", id);
	paint(p, MAGENTA, text, buf, size);
}

static const char *enum_name(const ProtobufCEnumDescriptor *d, int value, char *buf, size_t size)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);

	if (v)
		snprintf(buf, size, "%s", v->name);
	else
		snprintf(buf, size, "%d", value);
	return buf;
}

static void put_l7_type(const Flow__Flow *f, const struct l7_view *v, char *buf, size_t size)
{
	const Flow__Layer7 *l7 = f->l7;
	const char *proto = v->fields                                       ? l7_view_str(v, "weir.kind")
			    : l7->record_case == FLOW__LAYER7__RECORD_HTTP  ? "http"
			    : l7->record_case == FLOW__LAYER7__RECORD_DNS   ? "dns"
			    : l7->record_case == FLOW__LAYER7__RECORD_KAFKA ? "kafka"
									    : "l7";
	const char *source = l7->record_case == FLOW__LAYER7__RECORD_DNS ? l7->dns->observation_source : "";
	char raw[FLOW_CELL], kind[32];

	enum_name(&flow__l7_flow_type__descriptor, (int)l7->type, kind, sizeof(kind));
	for (char *c = kind; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	snprintf(raw, sizeof(raw), "%s-%s%s%s", proto, kind, *source ? " " : "", source);
	printable(raw, buf, size);
}

static void put_type(const Flow__Flow *f, const struct l7_view *v, char *buf, size_t size)
{
	static const char *const match_types[] = { "none", "L3-Only",  "L3-L4",     "L4-Only",
						   "all",  "L3-Proto", "Proto-Only" };
	int type = f->event_type ? f->event_type->type : 0, sub = f->event_type ? f->event_type->sub_type : 0;
	const char *name = NULL;
	char direction[40];

	if (f->l7) {
		put_l7_type(f, v, buf, size);
		return;
	}
	if (type == 5) {
		name = f->policy_match_type < ARRAY_SIZE(match_types) ? match_types[f->policy_match_type] : "unknown";
		snprintf(buf, size, "policy-verdict:%s %s", name,
			 enum_name(&flow__traffic_direction__descriptor, (int)f->traffic_direction, direction,
				   sizeof(direction)));
		return;
	}
	if (type == 1)
		name = drop_text_of_hubble((uint32_t)sub);
	else if (type == 4)
		name = trace_point_name(sub);
	if (name)
		snprintf(buf, size, "%s", name);
	else if (type == 1 || type == 4)
		snprintf(buf, size, "%d", sub);
	else
		snprintf(buf, size, "UNKNOWN");
}

static void put_verdict_word(const struct flow_style *p, const Flow__Flow *f, char *buf, size_t size)
{
	bool judged = f->event_type && f->event_type->type == 5;
	char word[40];

	enum_name(&flow__verdict__descriptor, (int)f->verdict, word, sizeof(word));
	switch (f->verdict) {
	case FLOW__VERDICT__FORWARDED:
	case FLOW__VERDICT__REDIRECTED:
		paint(p, GREEN, judged ? "ALLOWED" : word, buf, size);
		break;
	case FLOW__VERDICT__DROPPED:
	case FLOW__VERDICT__ERROR:
		paint(p, RED, judged ? "DENIED" : word, buf, size);
		break;
	case FLOW__VERDICT__AUDIT:
		paint(p, YELLOW, judged ? "AUDITED" : word, buf, size);
		break;
	case FLOW__VERDICT__TRACED:
	case FLOW__VERDICT__TRANSLATED:
		paint(p, YELLOW, word, buf, size);
		break;
	default:
		snprintf(buf, size, "%s", word);
	}
}

static void put_policies(char *buf, size_t size, const char *before, size_t n, Flow__Policy *const *list)
{
	const char *sep = before;
	size_t len = 0;

	for (size_t i = 0; i < n && len < size; i++) {
		char name[FLOW_CELL], kind[64];

		if (!*list[i]->name || !*list[i]->kind)
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%s (%s)", sep,
					printable(list[i]->name, name, sizeof(name)),
					printable(list[i]->kind, kind, sizeof(kind)));
		sep = ", ";
	}
}

/* The policies of the direction that the flow speaks of, with what goes before the first one. */
static void put_decided(const Flow__Flow *f, const char *before, char *buf, size_t size)
{
	bool ingress = f->traffic_direction == FLOW__TRAFFIC_DIRECTION__INGRESS;

	*buf = '\0';
	if (f->verdict != FLOW__VERDICT__DROPPED && f->verdict != FLOW__VERDICT__AUDIT)
		put_policies(buf, size, before, ingress ? f->n_ingress_allowed_by : f->n_egress_allowed_by,
			     ingress ? f->ingress_allowed_by : f->egress_allowed_by);
	else
		put_policies(buf, size, before, ingress ? f->n_ingress_denied_by : f->n_egress_denied_by,
			     ingress ? f->ingress_denied_by : f->egress_denied_by);
}

/* On a trace nothing is decided. */
static void put_verdict(const struct flow_style *p, const Flow__Flow *f, char *buf, size_t size)
{
	size_t len;

	put_verdict_word(p, f, buf, size);
	len = strlen(buf);
	if (p->policy_names && !(f->event_type && f->event_type->type == 4))
		put_decided(f, " BY ", buf + len, size - len);
}

void flow_policies(const Flow__Flow *f, char *buf, size_t size)
{
	put_decided(f, "", buf, size);
}

void flow_drop_reason(const Flow__Flow *f, char *buf, size_t size)
{
	uint32_t number = f->drop_reason_desc ? (uint32_t)f->drop_reason_desc : f->drop_reason;
	const char *text = drop_text_of_hubble(number);

	if (text)
		snprintf(buf, size, "%s", text);
	else
		enum_name(&flow__drop_reason__descriptor, (int)number, buf, size);
}

void flow_time(const struct flow_style *p, const Google__Protobuf__Timestamp *t, char *buf)
{
	if (t)
		time_format(p->time_layout, (uint64_t)t->seconds * 1000000000 + (uint64_t)t->nanos, buf);
	else
		strcpy(buf, "N/A");
}

static void put_summary(const Flow__Flow *f, char *buf, size_t size)
{
	char raw[FLOW_CELL], trace[48] = "", auth[48] = "";

	if (f->ip_trace_id && f->ip_trace_id->trace_id)
		snprintf(trace, sizeof(trace), "IP Trace ID: %llu; ", (unsigned long long)f->ip_trace_id->trace_id);
	if (f->auth_type)
		enum_name(&flow__auth_type__descriptor, (int)f->auth_type, auth, sizeof(auth));
	snprintf(raw, sizeof(raw), "%s%s%s%s", trace, f->summary, *auth ? "; " : "", auth);
	printable(raw, buf, size);
}

static const char *outcome_color(const char *outcome)
{
	return streq(outcome, "ok") || streq(outcome, "oneway")          ? GREEN
	       : streq(outcome, "error") || streq(outcome, "tool_error") ? RED
									 : YELLOW;
}

/* "mcp tools/call execute_sql  tool_error  41ms", with what else is worth a glance behind it. */
static void put_exchange(const struct flow_style *p, const Flow__Flow *f, const struct l7_view *v, struct flow_text *l)
{
	double ms = l7_view_flag(v, "weir.long_lived") ? -1 : l7_view_number(v, "weir.latency_ms", -1);
	bool turned = l7_view_flag(v, "weir.from_server");
	char raw[FLOW_CELL], kind[32], subject[FLOW_CELL], result[FLOW_CELL], painted[FLOW_CELL + 16], notes[FLOW_CELL],
	    duration[L7_DURATION_MAX];

	flow_host(p, f, !turned, raw, sizeof(raw));
	paint(p, CYAN, raw, l->caller, sizeof(l->caller));
	flow_host(p, f, turned, raw, sizeof(raw));
	paint(p, CYAN, raw, l->callee, sizeof(l->callee));
	printable(l7_view_str(v, "weir.kind"), kind, sizeof(kind));
	printable(l7_view_str(v, "weir.subject"), subject, sizeof(subject));
	printable(l7_view_str(v, "weir.result"), result, sizeof(result));
	printable(l7_view_str(v, "weir.notes"), notes, sizeof(notes));
	paint(p, outcome_color(l7_view_str(v, "weir.outcome")), result, painted, sizeof(painted));
	snprintf(l->exchange, sizeof(l->exchange), "%s%s%s%s%s%s%s%s%s", kind, *subject ? " " : "", subject,
		 *result ? "  " : "", *result ? painted : "", ms < 0 ? "" : "  ",
		 ms < 0 ? "" : l7_duration(ms, duration), *notes ? "  " : "", notes);
}

void flow_text(const struct flow_style *p, const Flow__Flow *f, struct flow_text *l)
{
	struct l7_view v = { 0 };

	if (l7_view_open(f, &v))
		put_exchange(p, f, &v, l);
	flow_time(p, f->time, l->time);
	printable(f->node_name, l->node, sizeof(l->node));
	put_host(p, f, true, l->source, sizeof(l->source));
	put_host(p, f, false, l->destination, sizeof(l->destination));
	put_identity(p, f->source, l->source_id, sizeof(l->source_id));
	put_identity(p, f->destination, l->destination_id, sizeof(l->destination_id));
	put_type(f, &v, l->type, sizeof(l->type));
	l7_view_close(&v);
	put_verdict(p, f, l->verdict, sizeof(l->verdict));
	put_summary(f, l->summary, sizeof(l->summary));
	l->arrow = !f->is_reply ? "<>" : f->is_reply->value ? "<-" : "->";
}

/* Has neither time nor node, as hubble prints it. */
void flow_text_lost(const Observer__GetFlowsResponse *msg, struct flow_text *l)
{
	const Flow__LostEvent *lost = msg->lost_events;

	enum_name(&flow__lost_event_source__descriptor, (int)lost->source, l->source, sizeof(l->source));
	strcpy(l->type, "EVENTS LOST");
	snprintf(l->summary, sizeof(l->summary), "CPU(%d) - %llu", lost->cpu ? lost->cpu->value : 0,
		 (unsigned long long)lost->num_events_lost);
}
