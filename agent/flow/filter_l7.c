// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/filter_l7.h"

#include <strings.h>

#include "agent/flow/l7_proto.h"

#define REGEX_MAX 256

static const char *get(const struct filter_subject *s, enum l7_key key)
{
	return s->flow->l7 ? l7_record_get(s->flow->l7, key) : NULL;
}

int parse_http_status(const char *s, union filter_value *ret, struct err *reterr)
{
	size_t digits = strspn(s, "0123456789");

	ret->text = s;
	if ((digits == 3 && !s[3]) || (digits >= 1 && digits <= 2 && streq(s + digits, "+")))
		return 0;
	return err_set(reterr, -EINVAL, "\"%s\" is not an HTTP status code or its first digits and \"+\"", s);
}

bool match_http_status(const union filter_value *v, const struct filter_subject *s)
{
	char code[24];

	if (!s->flow->l7 || !l7_record_get_int(s->flow->l7, L7_KEY_HTTP_STATUS, 0))
		return false;
	snprintf(code, sizeof(code), "%lld", (long long)l7_record_get_int(s->flow->l7, L7_KEY_HTTP_STATUS, 0));
	return strncmp(code, v->text, strspn(v->text, "0123456789")) == 0;
}

bool match_http_method(const union filter_value *v, const struct filter_subject *s)
{
	const char *method = get(s, L7_KEY_HTTP_METHOD);

	return method && !strcasecmp(method, v->text);
}

/* RE2's name of a class that POSIX has only brackets for; NULL: none. */
static const char *class_of(char c)
{
	return c == 'd' ? "[0-9]" : c == 'D' ? "[^0-9]" : NULL;
}

/* Into POSIX's words; what it cannot match in bounded time is refused. size: room enough for the text and one class
 * more. */
static int translate(const char *s, char *buf, size_t size, struct err *reterr)
{
	bool in_brackets = false;
	size_t n = 0;

	for (; *s && n + sizeof("[^0-9]") < size; s++) {
		const char *class = !in_brackets && *s == '\\' ? class_of(s[1]) : NULL;

		if (!in_brackets && *s == '\\' && s[1] >= '1' && s[1] <= '9')
			return err_set(reterr, -EINVAL, "references are not supported: \"%s\"", s);
		if (!in_brackets && (*s == '{' || (*s == '(' && s[1] == '?')))
			return err_set(reterr, -EINVAL, "{n} and (?...) are not supported: \"%s\"", s);
		if (class)
			n += strlen(strcpy(buf + n, class));
		else
			buf[n++] = *s;
		if (!in_brackets && *s == '\\' && s[1]) {
			s++;
			if (!class)
				buf[n++] = *s;
		} else {
			in_brackets = in_brackets ? *s != ']' : *s == '[';
		}
	}
	buf[n] = '\0';
	return *s ? err_set(reterr, -EINVAL, "the expression is too long") : 0;
}

int parse_regex(const char *s, union filter_value *ret, struct err *reterr)
{
	_cleanup_free_ regex_t *regex = calloc(1, sizeof(*regex));
	char posix[REGEX_MAX], why[128];
	int r;

	if (!regex)
		return err_oom(reterr);
	r = translate(s, posix, sizeof(posix), reterr);
	if (r < 0)
		return r;
	r = regcomp(regex, posix, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, regex, why, sizeof(why));
		return err_set(reterr, -EINVAL, "\"%s\" is no regular expression: %s", s, why);
	}
	ret->regex = TAKE_PTR(regex);
	return 0;
}

void clear_regex(union filter_value *v)
{
	regfree(v->regex);
	free(v->regex);
}

static bool regex_match(const union filter_value *v, const char *s)
{
	return s && regexec(v->regex, s, 0, NULL, 0) == 0;
}

bool match_http_path(const union filter_value *v, const struct filter_subject *s)
{
	return regex_match(v, get(s, L7_KEY_URL_PATH));
}

bool match_http_url(const union filter_value *v, const struct filter_subject *s)
{
	char url[L7_URL_MAX];

	if (!get(s, L7_KEY_HTTP_METHOD))
		return false;
	l7_url(s->flow->l7, url, sizeof(url));
	return regex_match(v, url);
}

bool match_http_header(const union filter_value *v, const struct filter_subject *s)
{
	char buf[24];
	const char *value = s->flow->l7 ? flow_l7_header(s->flow->l7, v->header->key, buf, sizeof(buf)) : NULL;

	return value && streq(value, v->header->value);
}

bool match_dns_query(const union filter_value *v, const struct filter_subject *s)
{
	return regex_match(v, get(s, L7_KEY_DNS_QUERY));
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

int parse_l7_kind(const char *s, union filter_value *ret, struct err *reterr)
{
	for (unsigned i = 1; i < L7_KIND_COUNT; i++)
		if (!strcasecmp(l7_kind_name(i), s)) {
			ret->number = i;
			return 0;
		}
	return err_set(reterr, -EINVAL, "\"%s\" is none of http, grpc, dns, tls, mcp, a2a, llm, jsonrpc", s);
}

int parse_l7_outcome(const char *s, union filter_value *ret, struct err *reterr)
{
	for (unsigned i = 1; l7_outcome_name(i); i++)
		if (!strcasecmp(l7_outcome_name(i), s)) {
			ret->number = i;
			return 0;
		}
	return err_set(reterr, -EINVAL,
		       "\"%s\" is none of ok, error, tool_error, no_answer, cancelled, unknown, oneway", s);
}

bool match_l7_kind(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->l7 && s->flow->l7->kind == v->number;
}

bool match_l7_outcome(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->l7 && s->flow->l7->outcome == v->number;
}

/* "*" is any text. Never more steps than both lengths multiplied. */
static bool glob(const char *pattern, const char *s)
{
	const char *star = NULL, *from = NULL;

	if (!s)
		return false;
	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			from = s;
		} else if (*pattern == *s) {
			pattern++;
			s++;
		} else if (star) {
			pattern = star;
			s = ++from;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

bool match_l7_tool(const union filter_value *v, const struct filter_subject *s)
{
	return glob(v->text, get(s, L7_KEY_GEN_AI_TOOL));
}

bool match_l7_mcp_method(const union filter_value *v, const struct filter_subject *s)
{
	return glob(v->text, get(s, L7_KEY_MCP_METHOD));
}

static bool is_agent(const char *value, const struct flow_peer *p)
{
	return glob(value, p->workload_name) || glob(value, p->pod_name) ||
	       (p->pod_name && *value && str_prefix(p->pod_name, value));
}

bool match_l7_agent(const union filter_value *v, const struct filter_subject *s)
{
	return s->flow->l7 && (glob(v->text, get(s, L7_KEY_GEN_AI_AGENT)) || is_agent(v->text, s->flow->src) ||
			       is_agent(v->text, s->flow->dst));
}
