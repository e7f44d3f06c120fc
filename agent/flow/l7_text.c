// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/l7_text.h"

#include <stdarg.h>

struct text {
	char *buf;
	size_t size, len;
	bool full; /* something did not fit: nothing more is put */
};

/* Takes back what is left of a character that was cut: Go's protobuf refuses the whole message for it. */
static void drop_half_character(struct text *t)
{
	size_t i = t->len, tail = 0;

	while (i > 0 && tail < 3 && ((uint8_t)t->buf[i - 1] & 0xc0) == 0x80) {
		i--;
		tail++;
	}
	if (i > 0 && (uint8_t)t->buf[i - 1] >= 0xc0) {
		uint8_t lead = t->buf[i - 1];
		size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;

		if (tail < want)
			t->len = i - 1;
	}
	t->buf[t->len] = '\0';
}

static struct text text_of(char *buf, size_t size)
{
	*buf = '\0';
	return (struct text){ .buf = buf, .size = size };
}

static void put(struct text *t, const char *fmt, ...) _printf_(2, 3);
static void put(struct text *t, const char *fmt, ...)
{
	size_t room = t->size - t->len;
	va_list ap;
	int n;

	if (t->full)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	t->len += MIN((size_t)n, room - 1);
	t->full = (size_t)n >= room;
	if (t->full)
		drop_half_character(t);
}

/* One more word, if there is one. */
static void put_word(struct text *t, const char *s)
{
	if (s && *s)
		put(t, "%s%s", t->len ? " " : "", s);
}

static const char *get(const struct l7_record *r, enum l7_key key)
{
	return l7_record_get(r, key) ?: "";
}

static const char *first_of(const struct l7_record *r, const enum l7_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (*get(r, keys[i]))
			return get(r, keys[i]);
	return "";
}
#define FIRST_OF(r, ...) \
	first_of((r), (const enum l7_key[]){ __VA_ARGS__ }, ARRAY_SIZE(((const enum l7_key[]){ __VA_ARGS__ })))

bool l7_answered(const struct l7_record *r)
{
	return r->last_ns || r->first_ns || r->outcome == L7_OK || r->outcome == L7_ERROR ||
	       r->outcome == L7_TOOL_ERROR;
}

bool l7_is_http(const struct l7_record *r)
{
	return l7_record_get(r, L7_KEY_HTTP_METHOD) || l7_record_get_int(r, L7_KEY_HTTP_STATUS, 0);
}

static unsigned long long milliseconds(uint64_t ns)
{
	return ns / 1000000;
}

static bool has_latency(const struct l7_record *r)
{
	return r->last_ns && !(r->flags & L7_LONG_LIVED);
}

static void put_url(struct text *t, const struct l7_record *r)
{
	if (!l7_record_get(r, L7_KEY_HTTP_METHOD))
		return;
	put(t, "http://%s%s", get(r, L7_KEY_HTTP_HOST), get(r, L7_KEY_URL_PATH));
	if (*get(r, L7_KEY_URL_QUERY))
		put(t, "?%s", get(r, L7_KEY_URL_QUERY));
}

void l7_url(const struct l7_record *r, char *buf, size_t size)
{
	struct text t = text_of(buf, size);

	put_url(&t, r);
}

static void put_subject(struct text *t, const struct l7_record *r)
{
	switch ((enum l7_kind)r->kind) {
	case L7_HTTP:
		put_word(t, get(r, L7_KEY_HTTP_METHOD));
		put(t, "%s", t->len ? " " : "");
		put_url(t, r);
		break;
	case L7_GRPC:
	case L7_JSONRPC:
		put_word(t, get(r, L7_KEY_RPC_METHOD));
		break;
	case L7_DNS:
		put_word(t, get(r, L7_KEY_DNS_QUERY));
		put_word(t, get(r, L7_KEY_DNS_QTYPE));
		break;
	case L7_TLS:
		put_word(t, get(r, L7_KEY_TLS_SNI));
		break;
	case L7_MCP:
		put_word(t, get(r, L7_KEY_MCP_METHOD));
		put_word(t, FIRST_OF(r, L7_KEY_GEN_AI_TOOL, L7_KEY_GEN_AI_PROMPT, L7_KEY_MCP_RESOURCE));
		break;
	case L7_A2A:
		put_word(t, get(r, L7_KEY_A2A_METHOD));
		put_word(t, get(r, L7_KEY_GEN_AI_AGENT));
		break;
	case L7_LLM:
		put_word(t, get(r, L7_KEY_GEN_AI_OPERATION));
		put_word(t, FIRST_OF(r, L7_KEY_GEN_AI_MODEL, L7_KEY_GEN_AI_RESPONSE_MODEL));
		break;
	case L7_KIND_COUNT:
		break;
	}
}

void l7_subject(const struct l7_record *r, char *buf, size_t size)
{
	struct text t = text_of(buf, size);

	put_subject(&t, r);
}

/* The outcome, with what the protocol calls it. */
static void put_outcome(struct text *t, const struct l7_record *r)
{
	const char *error = get(r, L7_KEY_ERROR_TYPE);

	put_word(t, l7_outcome_name(r->outcome));
	if (r->outcome == L7_ERROR && *error)
		put(t, "(%s)", error);
}

static void put_result(struct text *t, const struct l7_record *r)
{
	const char *status = get(r, L7_KEY_RPC_STATUS);
	int64_t code = l7_record_get_int(r, L7_KEY_HTTP_STATUS, 0);

	if (r->kind == L7_HTTP && code)
		put(t, "%lld", (long long)code);
	else if (r->kind == L7_GRPC && *status)
		put_word(t, status);
	else if (r->kind == L7_DNS && r->outcome == L7_ERROR && *get(r, L7_KEY_ERROR_TYPE))
		put_word(t, get(r, L7_KEY_ERROR_TYPE));
	else if (r->kind == L7_DNS && *FIRST_OF(r, L7_KEY_DNS_ADDRS, L7_KEY_DNS_CNAMES))
		put_word(t, FIRST_OF(r, L7_KEY_DNS_ADDRS, L7_KEY_DNS_CNAMES));
	else if (r->kind == L7_TLS && r->outcome == L7_UNKNOWN)
		put_word(t, get(r, L7_KEY_TLS_ALPN)); /* nothing more is looked at */
	else
		put_outcome(t, r);
}

void l7_result(const struct l7_record *r, char *buf, size_t size)
{
	struct text t = text_of(buf, size);

	put_result(&t, r);
}

static void put_count(struct text *t, const struct l7_record *r, enum l7_key key, const char *name)
{
	int64_t v = l7_record_get_int(r, key, -1);

	if (v >= 0)
		put(t, "%s%s=%lld", t->len ? " " : "", name, (long long)v);
}

static void put_notes(struct text *t, const struct l7_record *r)
{
	if (r->kind == L7_LLM) {
		put_count(t, r, L7_KEY_GEN_AI_INPUT, "in");
		put_count(t, r, L7_KEY_GEN_AI_OUTPUT, "out");
		if (r->first_ns && l7_record_get_int(r, L7_KEY_GEN_AI_STREAM, 0))
			put(t, "%sfirst=%llums", t->len ? " " : "", milliseconds(r->first_ns));
	}
	if (r->kind == L7_A2A)
		put_word(t, get(r, L7_KEY_A2A_STATE));
	put_word(t, r->flags & L7_FROM_SERVER ? "server-asks" : "");
	put_word(t, r->flags & L7_LONG_LIVED ? "long-lived" : "");
	put_word(t, r->flags & L7_UNPARSEABLE ? "unparseable:" : r->flags & L7_PARTIAL ? "partial" : "");
	if (r->flags & L7_UNPARSEABLE)
		put_word(t, get(r, L7_KEY_REASON));
}

void l7_notes(const struct l7_record *r, char *buf, size_t size)
{
	struct text t = text_of(buf, size);

	put_notes(&t, r);
}

static void http_summary(struct text *t, const struct l7_record *r, const char *subject)
{
	const char *version = get(r, L7_KEY_NETWORK_VERSION);
	int64_t code = l7_record_get_int(r, L7_KEY_HTTP_STATUS, 0);

	put(t, "HTTP%s%s ", *version ? "/" : "", version);
	if (code)
		put(t, "%lld %llums (%s)", (long long)code, milliseconds(r->last_ns), subject);
	else
		put(t, "%s%s%s", subject, r->outcome == L7_UNKNOWN ? "" : " ",
		    r->outcome == L7_UNKNOWN ? "" : l7_outcome_name(r->outcome));
}

static const char *rcode_text(int64_t rcode, const char *otherwise)
{
	static const char *const texts[] = { "No Error",        "Format Error", "Server Failure", "Non-Existent Domain",
					     "Not Implemented", "Query Refused" };

	return rcode >= 0 && (size_t)rcode < ARRAY_SIZE(texts) ? texts[rcode] : otherwise;
}

static void dns_summary(struct text *t, const struct l7_record *r, const char *subject)
{
	const char *addrs = get(r, L7_KEY_DNS_ADDRS), *cnames = get(r, L7_KEY_DNS_CNAMES);

	if (!l7_answered(r)) {
		put(t, "DNS Query %s", subject);
		put_word(t, r->outcome == L7_NO_ANSWER ? l7_outcome_name(r->outcome) : "");
		return;
	}
	put(t, "DNS Answer");
	if (r->outcome == L7_ERROR)
		put(t, " RCode: %s", rcode_text(l7_record_get_int(r, L7_KEY_DNS_RCODE, 0), get(r, L7_KEY_ERROR_TYPE)));
	if (*addrs)
		put(t, " \"%s\"", addrs);
	if (*cnames)
		put(t, " CNAMEs: \"%s\"", cnames);
	put(t, " TTL: %lld (Query %s)", (long long)l7_record_get_int(r, L7_KEY_DNS_TTL, 0), subject);
}

void l7_summary(const struct l7_record *r, char *buf, size_t size)
{
	char subject[L7_URL_MAX + L7_STR_MAX], result[L7_STR_MAX + 32], notes[L7_STR_MAX + 128];
	struct text t = text_of(buf, size);

	l7_subject(r, subject, sizeof(subject));
	l7_notes(r, notes, sizeof(notes));
	if (r->kind == L7_HTTP && *subject) {
		http_summary(&t, r, subject);
	} else if (r->kind == L7_DNS && *subject) {
		dns_summary(&t, r, subject);
	} else {
		l7_result(r, result, sizeof(result));
		put_word(&t, l7_kind_name(r->kind));
		put_word(&t, subject);
		put_word(&t, result);
		if (has_latency(r))
			put(&t, " %llums", milliseconds(r->last_ns));
	}
	put_word(&t, notes);
}
