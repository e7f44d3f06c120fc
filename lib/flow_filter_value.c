// SPDX-License-Identifier: Apache-2.0
/* The fields of FlowFilter, one row each: how a value is read; and how a value is held against what a flow says. */
#include <ctype.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <strings.h>

#include "lib/flow_filter.h"

#define REGEX_MAX 256

static int parse_ip(const char *s, union filter_value *ret, struct err *reterr)
{
	struct weir_addr a;

	if (addr_parse(s, &a) == 0)
		ret->prefix = prefix_of_addr(&a);
	else if (prefix_parse(s, &ret->prefix) < 0)
		return err_set(reterr, -EINVAL, "\"%s\" is neither an address nor a prefix", s);
	return 0;
}

/* ns/prefix, ns/, /prefix, prefix (of namespace default); "/", which `hubble -A` sends, means any end, pod or not. */
static int parse_pod(const char *s, union filter_value *ret, struct err *reterr)
{
	const char *slash = strchr(s, '/');

	if (!*s)
		return err_set(reterr, -EINVAL, "\"%s\" names no pod", s);
	if (slash) {
		ret->pod.ns = slash == s ? NULL : s;
		ret->pod.ns_len = slash - s;
		ret->pod.name = slash + 1;
	} else {
		ret->pod.ns = "default";
		ret->pod.ns_len = strlen("default");
		ret->pod.name = s;
	}
	return 0;
}

static int parse_selector(const char *s, union filter_value *ret, struct err *reterr)
{
	return selector_parse(s, &ret->selector, reterr);
}

static int parse_port(const char *s, union filter_value *ret, struct err *reterr)
{
	char *end;

	ret->number = strtoul(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end || ret->number > 65535)
		return err_set(reterr, -EINVAL, "\"%s\" is not a port", s);
	return 0;
}

#define NO_NUMBER UINT16_MAX /* a protocol of layer 7 */
static const struct protocol {
	const char *name;
	uint16_t number, also;
} protocols[] = {
	{ "tcp", IPPROTO_TCP, IPPROTO_TCP },      { "udp", IPPROTO_UDP, IPPROTO_UDP },
	{ "sctp", IPPROTO_SCTP, IPPROTO_SCTP },   { "icmp", IPPROTO_ICMP, IPPROTO_ICMPV6 },
	{ "icmpv4", IPPROTO_ICMP, IPPROTO_ICMP }, { "icmpv6", IPPROTO_ICMPV6, IPPROTO_ICMPV6 },
	{ "igmp", IPPROTO_IGMP, IPPROTO_IGMP },   { "vrrp", 112, 112 },
	{ "dns", NO_NUMBER, NO_NUMBER },          { "http", NO_NUMBER, NO_NUMBER },
	{ "kafka", NO_NUMBER, NO_NUMBER },
};

static int parse_protocol(const char *s, union filter_value *ret, struct err *reterr)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (!strcasecmp(protocols[i].name, s)) {
			ret->number = i;
			return 0;
		}
	return err_set(reterr, -EINVAL, "\"%s\" is not a protocol", s);
}

static int parse_http_status(const char *s, union filter_value *ret, struct err *reterr)
{
	size_t digits = strspn(s, "0123456789");

	ret->text = s;
	if ((digits == 3 && !s[3]) || (digits >= 1 && digits <= 2 && streq(s + digits, "+")))
		return 0;
	return err_set(reterr, -EINVAL, "\"%s\" is not an HTTP status code or its first digits and \"+\"", s);
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

/* From a "[" to the last byte of the set. In it "]" may come first, and [:class:] holds one. */
static const char *skip_brackets(const char *s)
{
	s += s[1] == '^' ? 2 : 1;
	if (*s == ']')
		s++;
	for (; *s && *s != ']'; s++) {
		const char *end = *s == '[' && s[1] && strchr(":.=", s[1]) ? strstr(s + 2, (char[]){ s[1], ']', 0 })
									   : NULL;

		if (end)
			s = end + 1;
	}
	return *s ? s : s - 1;
}

#define GROUPS_MAX 32 /* in each other */
#define PLUS_MAX 3    /* the same */

/*
 * glibc compiles what a "+" repeats twice: repetitions in repetitions would cost memory by the power of two. As with
 * RE2, none stands right behind another.
 */
static int check_repetitions(const char *s, struct err *reterr)
{
	unsigned plus[GROUPS_MAX + 1] = {}, depth = 0, last = 0; /* in a group so far; in what stands before */
	bool repeated = false;

	for (; *s; s++) {
		bool repeats = strchr("*+?", *s);

		if (repeats && repeated)
			return err_set(reterr, -EINVAL, "bad repetition operator: \"%.2s\"", s - 1);
		repeated = repeats;
		last = repeats ? last + (*s == '+') : 0;
		if (*s == '\\' && s[1]) {
			s++;
		} else if (*s == '[') {
			s = skip_brackets(s);
		} else if (*s == '(') {
			if (++depth > GROUPS_MAX)
				return err_set(reterr, -EINVAL, "more than %d groups in each other", GROUPS_MAX);
			plus[depth] = 0;
		} else if (*s == ')' && depth) {
			last = plus[depth--];
		}
		plus[depth] = MAX(plus[depth], last);
		if (last > PLUS_MAX)
			return err_set(reterr, -EINVAL, "more than %d repetitions in each other", PLUS_MAX);
	}
	return 0;
}

/*
 * Regular expressions as Hubble's clients write them, RE2's: matched anywhere. What both RE2 and POSIX know, and \d; no
 * counted repetitions, no references, none of (?…), because the matcher must not cost more than the text is long.
 */
static int parse_regex(const char *s, union filter_value *ret, struct err *reterr)
{
	_cleanup_free_ regex_t *regex = calloc(1, sizeof(*regex));
	char posix[REGEX_MAX], why[128];
	int r;

	if (!regex)
		return err_oom(reterr);
	r = translate(s, posix, sizeof(posix), reterr);
	if (r >= 0)
		r = check_repetitions(posix, reterr);
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

static void clear_regex(union filter_value *v)
{
	regfree(v->regex);
	free(v->regex);
}

/* One of the words, in its own spelling. */
static const char *word_of(const char *const *words, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(words[i], s))
			return words[i];
	return NULL;
}

static int parse_l7_kind(const char *s, union filter_value *ret, struct err *reterr)
{
	static const char *const kinds[] = { "http", "grpc", "dns", "tls", "mcp", "a2a", "llm", "jsonrpc" };

	ret->text = word_of(kinds, ARRAY_SIZE(kinds), s);
	return ret->text
		   ? 0
		   : err_set(reterr, -EINVAL, "\"%s\" is none of http, grpc, dns, tls, mcp, a2a, llm, jsonrpc", s);
}

static int parse_l7_outcome(const char *s, union filter_value *ret, struct err *reterr)
{
	static const char *const outcomes[] = { "ok",        "error",   "tool_error", "no_answer",
						"cancelled", "unknown", "oneway" };

	ret->text = word_of(outcomes, ARRAY_SIZE(outcomes), s);
	return ret->text ? 0
			 : err_set(reterr, -EINVAL,
				   "\"%s\" is none of ok, error, tool_error, no_answer, cancelled, unknown, oneway", s);
}

static const struct filter_field fields[] = {
	{ 1, false, parse_ip }, /* source_ip, destination_ip */
	{ 3, true, parse_ip },
	{ 34, false, parse_ip }, /* source_ip_xlated */
	{ 2, false, parse_pod },
	{ 4, true, parse_pod },
	{ 7, false, NULL }, /* fqdn */
	{ 8, true, NULL },
	{ 10, false, parse_selector }, /* labels */
	{ 11, true, parse_selector },
	{ 16, false, parse_pod }, /* service */
	{ 17, true, parse_pod },
	{ 26, false, NULL }, /* workload */
	{ 27, true, NULL },
	{ 37, false, NULL }, /* cluster_name */
	{ 38, true, NULL },
	{ 30, false, NULL }, /* traffic_direction */
	{ 5, false, NULL },  /* verdict */
	{ 33, false, NULL }, /* drop_reason_desc */
	{ 35, false, NULL }, /* interface */
	{ 6, false, NULL },  /* event_type */
	{ 9, false, parse_http_status },
	{ 12, false, parse_protocol },
	{ 13, false, parse_port },
	{ 14, true, parse_port },
	{ 15, false, NULL },        /* reply */
	{ 18, false, parse_regex }, /* dns_query */
	{ 19, false, NULL },        /* identity */
	{ 20, true, NULL },
	{ 21, false, NULL },           /* http_method */
	{ 22, false, parse_regex },    /* http_path */
	{ 31, false, parse_regex },    /* http_url */
	{ 32, false, NULL },           /* http_header */
	{ 23, false, NULL },           /* tcp_flags */
	{ 24, false, NULL },           /* node_name */
	{ 36, false, parse_selector }, /* node_labels */
	{ 25, false, NULL },           /* ip_version */
	{ 28, false, NULL },           /* trace_id */
	{ 29, false, NULL },           /* uuid */
	{ 39, false, NULL },           /* ip_trace_id */
	{ 40, false, NULL },           /* encrypted */
	{ 1001, false, parse_l7_kind },
	{ 1002, false, NULL }, /* l7_tool */
	{ 1003, false, NULL }, /* l7_mcp_method */
	{ 1004, false, NULL }, /* l7_agent */
	{ 1005, false, parse_l7_outcome },
};

const struct filter_field *filter_field(unsigned number)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].number == number)
			return &fields[i];
	return NULL;
}

void filter_value_clear(const struct filter_field *f, union filter_value *v)
{
	if (f->parse == parse_selector)
		selector_free(v->selector);
	else if (f->parse == parse_regex)
		clear_regex(v);
}

bool filter_match_pod(const union filter_value *v, const char *ns, const char *name)
{
	if (!v->pod.ns && !*v->pod.name)
		return true;
	if (!ns || (v->pod.ns && (strlen(ns) != v->pod.ns_len || memcmp(ns, v->pod.ns, v->pod.ns_len) != 0)))
		return false;
	return !*v->pod.name || (name && str_prefix(name, v->pod.name));
}

/* Of a DNS name, without its last dot. */
static void fold(const char *s, char *buf, size_t size)
{
	size_t n = 0;

	for (; n < size - 1 && s[n]; n++)
		buf[n] = (char)tolower((unsigned char)s[n]);
	buf[n] = '\0';
	if (n && buf[n - 1] == '.')
		buf[n - 1] = '\0';
}

bool filter_match_fqdn(const union filter_value *v, char *const *names, size_t n_names)
{
	char pattern[256], name[256];

	fold(v->text, pattern, sizeof(pattern));
	for (size_t i = 0; i < n_names; i++) {
		fold(names[i], name, sizeof(name));
		if (filter_glob(pattern, name))
			return true;
	}
	return false;
}

bool filter_match_workload(const union filter_value *v, const char *kind, const char *name)
{
	const Flow__Workload *w = v->workload;

	return name && (!*w->name || streq(w->name, name)) && (!*w->kind || (kind && streq(w->kind, kind)));
}

bool filter_match_protocol(const union filter_value *v, uint8_t proto)
{
	return protocols[v->number].number == proto || protocols[v->number].also == proto;
}

const char *filter_l7_protocol(const union filter_value *v)
{
	return protocols[v->number].number == NO_NUMBER ? protocols[v->number].name : NULL;
}

/* A flow whose direction is not known counts as no reply when it was dropped, and as neither when it was not. */
bool filter_match_reply(const union filter_value *v, int reply, bool dropped)
{
	if (reply < 0)
		return dropped && !v->number;
	return reply == (v->number != 0);
}

/* A glob over "node" or "cluster/node"; the cluster of a bare node is called default. */
bool filter_match_node(const union filter_value *v, const char *cluster, const char *node)
{
	const char *slash = strchr(v->text, '/'), *pattern = slash ? slash + 1 : v->text;
	char wanted[256] = "default";

	if (slash)
		snprintf(wanted, sizeof(wanted), "%.*s", (int)(slash - v->text), v->text);
	return fnmatch(wanted, cluster, 0) == 0 && (!*pattern || fnmatch(pattern, node, 0) == 0);
}

bool filter_match_status(const union filter_value *v, uint64_t code)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)code);
	return code && strncmp(text, v->text, strspn(v->text, "0123456789")) == 0;
}

bool filter_match_regex(const union filter_value *v, const char *s)
{
	return s && regexec(v->regex, s, 0, NULL, 0) == 0;
}

bool filter_match_agent(const union filter_value *v, const char *workload, const char *pod)
{
	return filter_glob(v->text, workload) || filter_glob(v->text, pod) ||
	       (pod && *v->text && str_prefix(pod, v->text));
}

bool filter_glob(const char *pattern, const char *s)
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
