// SPDX-License-Identifier: Apache-2.0
#include "cli/agents.h"

#include "cli/flow_text.h"
#include "cli/l7_view.h"
#include "cli/observe_filter.h"
#include "cli/table.h"
#include "lib/pbjson.h"

#define NAME_SIZE 256

struct graph {
	struct tally edges; /* cells: caller, callee, protocol, what */
};

struct graph *graph_new(void)
{
	return calloc(1, sizeof(struct graph));
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	tally_clear(&g->edges);
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

static void add_tokens(struct tally_row *e, const struct l7_view *v)
{
	double in = l7_view_number(v, "gen_ai.usage.input_tokens", -1);
	double out = l7_view_number(v, "gen_ai.usage.output_tokens", -1);

	e->has_tokens |= in >= 0 || out >= 0;
	e->input += MAX(in, 0);
	e->output += MAX(out, 0);
}

static int add_exchange(struct tally *t, const Flow__Flow *f, const struct l7_view *v)
{
	const char *outcome = l7_view_str(v, "weir.outcome");
	double ms = l7_view_flag(v, "weir.long_lived") ? -1 : l7_view_number(v, "weir.latency_ms", -1);
	bool turned = l7_view_flag(v, "weir.from_server");
	char caller[NAME_SIZE], callee[NAME_SIZE];
	const char *const cells[TALLY_CELLS] = { caller, callee, l7_view_str(v, "weir.kind"), what_of(v) };
	struct tally_row *e;

	name_of(f, !turned, caller);
	name_of(f, turned, callee);
	if (tally_row(t, cells, &e) < 0)
		return -ENOMEM;
	tally_count(e, streq(outcome, "error") || streq(outcome, "tool_error") || streq(outcome, "no_answer"));
	add_tokens(e, v);
	return ms < 0 ? 0 : tally_latency(t, e, ms);
}

static bool is_agents_work(const char *kind)
{
	return streq(kind, "mcp") || streq(kind, "a2a") || streq(kind, "llm");
}

int graph_tally(struct tally *t, const Flow__Flow *f, bool agents_alone)
{
	struct l7_view v;
	const char *kind;
	int r = 0;

	if (!l7_view_open(f, &v))
		return 0;
	kind = l7_view_str(&v, "weir.kind");
	if (agents_alone ? is_agents_work(kind) : !streq(kind, "dns"))
		r = add_exchange(t, f, &v);
	l7_view_close(&v);
	return r;
}

int graph_add(struct graph *g, const Flow__Flow *f)
{
	return graph_tally(&g->edges, f, false);
}

static int add_row(struct table *t, struct tally_row *e)
{
	char calls[24], errors[24], p50[L7_DURATION_MAX] = "", p95[L7_DURATION_MAX] = "", in[24] = "", out[24] = "";
	const char *cells[] = { e->cells[0], e->cells[1], e->cells[2], e->cells[3], calls, errors, p50, p95, in, out };

	snprintf(calls, sizeof(calls), "%llu", (unsigned long long)e->count);
	snprintf(errors, sizeof(errors), "%llu", (unsigned long long)e->bad);
	if (e->latency.n) {
		l7_duration(tally_percentile(e, 50), p50);
		l7_duration(tally_percentile(e, 95), p95);
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

	tally_sort(&g->edges, TALLY_BY_KEY);
	for (struct tally_row *e = g->edges.rows; e && r == 0; e = e->hh.next)
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

	tally_sort(&g->edges, TALLY_BY_KEY);
	fputc('[', f);
	for (struct tally_row *e = g->edges.rows; e; e = e->hh.next) {
		fprintf(f, "%s{", sep);
		sep = ",\n";
		json_text(f, "caller", e->cells[0]);
		json_text(f, "callee", e->cells[1]);
		json_text(f, "protocol", e->cells[2]);
		json_text(f, "what", e->cells[3]);
		fprintf(f, "\"calls\":%llu,\"errors\":%llu", (unsigned long long)e->count, (unsigned long long)e->bad);
		if (e->latency.n)
			fprintf(f, ",\"p50_ms\":%.3f,\"p95_ms\":%.3f", tally_percentile(e, 50),
				tally_percentile(e, 95));
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

	tally_sort(&g->edges, TALLY_BY_KEY);
	fputs("digraph agents {\n\trankdir=LR;\n\tnode [shape=box];\n", f);
	for (struct tally_row *e = g->edges.rows; e; e = e->hh.next) {
		fputs("\t\"", f);
		dot_text(f, e->cells[0]);
		fputs("\" -> \"", f);
		dot_text(f, e->cells[1]);
		fputs("\" [label=\"", f);
		dot_text(f, e->cells[2]);
		fputc(' ', f);
		dot_text(f, e->cells[3]);
		fprintf(f, "\\n%llu calls, %llu errors", (unsigned long long)e->count, (unsigned long long)e->bad);
		if (e->latency.n)
			fprintf(f, ", p95 %s", l7_duration(tally_percentile(e, 95), p95));
		if (e->has_tokens)
			fprintf(f, "\\n%.0f tokens in, %.0f out", e->input, e->output);
		fprintf(f, "\"%s];\n", e->bad ? ", color=red" : "");
	}
	fputs("}\n", f);
}
