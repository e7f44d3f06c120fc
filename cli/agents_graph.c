// SPDX-License-Identifier: Apache-2.0
#include "cli/agents.h"

#include "cli/flow_text.h"
#include "cli/l7_view.h"
#include "cli/observe_filter.h"
#include "cli/table.h"
#include "lib/hash.h"
#include "lib/pbjson.h"
#include "lib/vec.h"

#define NAME_SIZE 256

struct edge {
	char *key; /* the four texts, apart by bytes that no name has */
	char *caller, *callee, *protocol, *what;
	uint64_t calls, errors;
	double input, output; /* tokens */
	bool has_tokens;
	VEC(double) latency; /* ms, of what has one */
	UT_hash_handle hh;
};

struct graph {
	struct edge *edges;
};

struct graph *graph_new(void)
{
	return calloc(1, sizeof(struct graph));
}

static void edge_free(struct edge *e)
{
	free(e->key);
	free(e->caller);
	free(e->callee);
	free(e->protocol);
	free(e->what);
	free(e->latency.v);
	free(e);
}
DEFINE_CLEANUP(struct edge *, edge_free);

void graph_free(struct graph *g)
{
	struct edge *e, *tmp;

	HASH_ITER (hh, g->edges, e, tmp) {
		HASH_DEL(g->edges, e);
		edge_free(e);
	}
	free(g);
}

/* namespace/workload, else namespace/pod, else a DNS name, else who the identity says it is, else the address. */
static void name_of(const Flow__Flow *f, bool source, char *buf)
{
	const Flow__Endpoint *ep = source ? f->source : f->destination;
	size_t n_names = source ? f->n_source_names : f->n_destination_names;
	const char *pod = !ep ? "" : ep->n_workloads && *ep->workloads[0]->name ? ep->workloads[0]->name : ep->pod_name;
	const char *addr = !f->ip ? "" : source ? f->ip->source : f->ip->destination;

	if (*pod)
		snprintf(buf, NAME_SIZE, "%s/%s", ep->namespace_, pod);
	else if (n_names)
		snprintf(buf, NAME_SIZE, "%s", source ? f->source_names[0] : f->destination_names[0]);
	else if (ep && ep->identity && identity_name(ep->identity))
		snprintf(buf, NAME_SIZE, "%s", identity_name(ep->identity));
	else
		snprintf(buf, NAME_SIZE, "%s", addr);
}

/* Few enough to be counted: of HTTP the method, of the others what was asked for. */
static const char *what_of(const struct l7_view *v)
{
	if (streq(l7_view_str(v, "weir.kind"), "http"))
		return l7_view_str(v, "http.request.method");
	return l7_view_str(v, "weir.subject");
}

static struct edge *edge_new(const char *key, const char *caller, const char *callee, const char *protocol,
			     const char *what)
{
	_cleanup_(edge_freep) struct edge *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->key = strdup(key);
	e->caller = strdup(caller);
	e->callee = strdup(callee);
	e->protocol = strdup(protocol);
	e->what = strdup(what);
	return e->key && e->caller && e->callee && e->protocol && e->what ? TAKE_PTR(e) : NULL;
}

static struct edge *edge_of(struct graph *g, const Flow__Flow *f, const struct l7_view *v)
{
	bool turned = l7_view_flag(v, "weir.from_server");
	const char *protocol = l7_view_str(v, "weir.kind"), *what = what_of(v);
	char caller[NAME_SIZE], callee[NAME_SIZE];
	_cleanup_free_ char *key = NULL;
	struct edge *e;

	name_of(f, !turned, caller);
	name_of(f, turned, callee);
	if (asprintf(&key, "%s\1%s\1%s\1%s", caller, callee, protocol, what) < 0) {
		key = NULL;
		return NULL;
	}
	HASH_FIND_STR(g->edges, key, e);
	if (e)
		return e;
	e = edge_new(key, caller, callee, protocol, what);
	if (!e)
		return NULL;
	HASH_ADD_KEYPTR(hh, g->edges, e->key, strlen(e->key), e);
	if (!hash_added(e)) {
		edge_free(e);
		return NULL;
	}
	return e;
}

static void add_tokens(struct edge *e, const struct l7_view *v)
{
	double in = l7_view_number(v, "gen_ai.usage.input_tokens", -1);
	double out = l7_view_number(v, "gen_ai.usage.output_tokens", -1);

	e->has_tokens |= in >= 0 || out >= 0;
	e->input += MAX(in, 0);
	e->output += MAX(out, 0);
}

static int add_exchange(struct graph *g, const Flow__Flow *f, const struct l7_view *v)
{
	const char *outcome = l7_view_str(v, "weir.outcome");
	double ms = l7_view_number(v, "weir.latency_ms", -1);
	struct edge *e;

	if (streq(l7_view_str(v, "weir.kind"), "dns"))
		return 0;
	e = edge_of(g, f, v);
	if (!e)
		return -ENOMEM;
	e->calls++;
	e->errors += streq(outcome, "error") || streq(outcome, "tool_error") || streq(outcome, "no_answer");
	add_tokens(e, v);
	return ms >= 0 && !l7_view_flag(v, "weir.long_lived") ? vec_add(&e->latency, ms) : 0;
}

int graph_add(struct graph *g, const Flow__Flow *f)
{
	struct l7_view v;
	int r;

	if (!l7_view_open(f, &v))
		return 0;
	r = add_exchange(g, f, &v);
	l7_view_close(&v);
	return r;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Nearest rank, of sorted values. */
static double percentile(const struct edge *e, unsigned p)
{
	return e->latency.v[(e->latency.n * p + 99) / 100 - 1];
}

static int by_key(const struct edge *a, const struct edge *b)
{
	return strcmp(a->key, b->key);
}

static void sort(struct graph *g)
{
	HASH_SORT(g->edges, by_key);
	for (struct edge *e = g->edges; e; e = e->hh.next)
		if (e->latency.n)
			qsort(e->latency.v, e->latency.n, sizeof(*e->latency.v), by_value);
}

static int add_row(struct table *t, const struct edge *e)
{
	char calls[24], errors[24], p50[L7_DURATION_MAX] = "", p95[L7_DURATION_MAX] = "", in[24] = "", out[24] = "";
	const char *cells[] = { e->caller, e->callee, e->protocol, e->what, calls, errors, p50, p95, in, out };

	snprintf(calls, sizeof(calls), "%llu", (unsigned long long)e->calls);
	snprintf(errors, sizeof(errors), "%llu", (unsigned long long)e->errors);
	if (e->latency.n) {
		l7_duration(percentile(e, 50), p50);
		l7_duration(percentile(e, 95), p95);
	}
	if (e->has_tokens) {
		snprintf(in, sizeof(in), "%.0f", e->input);
		snprintf(out, sizeof(out), "%.0f", e->output);
	}
	return table_add(t, cells);
}

int graph_print_table(struct graph *g, FILE *f)
{
	static const char *const head[] = { "CALLER", "CALLEE", "PROTOCOL", "WHAT",      "CALLS",
					    "ERRORS", "P50",    "P95",      "TOKENS IN", "TOKENS OUT" };
	struct table t = { .columns = ARRAY_SIZE(head) };
	int r = table_add(&t, head);

	sort(g);
	for (struct edge *e = g->edges; e && r == 0; e = e->hh.next)
		r = add_row(&t, e);
	table_print(&t, f);
	return r;
}

static void json_text(FILE *f, const char *key, const char *value)
{
	fprintf(f, "\"%s\":", key);
	pbjson_write_str(f, value);
	fputc(',', f);
}

void graph_print_json(struct graph *g, FILE *f)
{
	const char *sep = "";

	sort(g);
	fputc('[', f);
	for (struct edge *e = g->edges; e; e = e->hh.next) {
		fprintf(f, "%s{", sep);
		sep = ",\n";
		json_text(f, "caller", e->caller);
		json_text(f, "callee", e->callee);
		json_text(f, "protocol", e->protocol);
		json_text(f, "what", e->what);
		fprintf(f, "\"calls\":%llu,\"errors\":%llu", (unsigned long long)e->calls,
			(unsigned long long)e->errors);
		if (e->latency.n)
			fprintf(f, ",\"p50_ms\":%.3f,\"p95_ms\":%.3f", percentile(e, 50), percentile(e, 95));
		if (e->has_tokens)
			fprintf(f, ",\"input_tokens\":%.0f,\"output_tokens\":%.0f", e->input, e->output);
		fputc('}', f);
	}
	fputs("]\n", f);
}

/* Inside quotes of dot, where a backslash escapes and \n breaks the line. */
static void dot_text(FILE *f, const char *s)
{
	char buf[4 * NAME_SIZE];

	for (s = printable(s, buf, sizeof(buf)); *s; s++)
		fprintf(f, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
}

void graph_print_dot(struct graph *g, FILE *f)
{
	char p95[L7_DURATION_MAX];

	sort(g);
	fputs("digraph agents {\n\trankdir=LR;\n\tnode [shape=box];\n", f);
	for (struct edge *e = g->edges; e; e = e->hh.next) {
		fputs("\t\"", f);
		dot_text(f, e->caller);
		fputs("\" -> \"", f);
		dot_text(f, e->callee);
		fputs("\" [label=\"", f);
		dot_text(f, e->protocol);
		fputc(' ', f);
		dot_text(f, e->what);
		fprintf(f, "\\n%llu calls, %llu errors", (unsigned long long)e->calls, (unsigned long long)e->errors);
		if (e->latency.n)
			fprintf(f, ", p95 %s", l7_duration(percentile(e, 95), p95));
		if (e->has_tokens)
			fprintf(f, "\\n%.0f tokens in, %.0f out", e->input, e->output);
		fprintf(f, "\"%s];\n", e->errors ? ", color=red" : "");
	}
	fputs("}\n", f);
}
