// SPDX-License-Identifier: Apache-2.0
/* `weir top`: where the traffic is now, on the whole screen. */
#include <inttypes.h>
#include <math.h>

#include "cli/flow_groups.h"
#include "cli/flow_text.h"
#include "cli/flows.h"
#include "cli/observe_filter.h"
#include "cli/screen.h"
#include "lib/clock.h"
#include "lib/pb.h"

#define INTERVAL_NS 2000000000ull
#define INTERVAL_MIN_MS 100
#define BATCH_ROWS 50
#define END (-ETIME) /* of the call, as we wish */

struct top_args {
	struct filter_args filter; /* first: the setters of the filters have it as their args */
	struct client_address address;
	const char *since, *sort;
	uint64_t frames, interval_ns, rows;
	bool batch;
};

#define ARG(member) offsetof(struct top_args, member)

static const struct cli_option own_options[] = {
	{ "batch", 'b', NULL, "print one screen after the other, for pipes and files", cli_set_bool, ARG(batch) },
	{ "iterations", 'n', "N", "end after N screens", cli_set_u64, ARG(frames) },
	{ "interval", 'd', "DURATION", "between screens (2s)", cli_set_duration, ARG(interval_ns) },
	{ "sort", 0, "KEY", "rate, total, bad (dropped or failed), name", cli_set_str, ARG(sort) },
	{ "rows", 0, "N", "rows of a screen (what fits; with --batch 50)", cli_set_u64, ARG(rows) },
	{ "since", 0, "TIME", "count what was since then, too: 5m, 2026-01-02T15:04:05Z", cli_set_str, ARG(since) },
	CLIENT_OPTIONS(struct top_args),
};

static const struct {
	const char *name;
	char key;
	enum tally_order order;
} orders[] = { { "rate", 'r', TALLY_BY_RATE },
	       { "total", 't', TALLY_BY_COUNT },
	       { "bad", 'b', TALLY_BY_BAD },
	       { "name", 'n', TALLY_BY_KEY } };

static const struct {
	const char *name;
	enum flow_group group;
} views[] = { { "flows", GROUP_TALKERS }, { "pods", GROUP_PODS }, { "drops", GROUP_DROPS }, { "tools", GROUP_TOOLS } };

struct top {
	const struct top_args *args;
	size_t view, order; /* of the tables above */
	struct tally tally;
	uint64_t flows, recent, lost, frames;
	double rate;
	int64_t last_ms; /* when the last interval began */
};

static int64_t now_ms(void)
{
	return (int64_t)(clock_ns(CLOCK_MONOTONIC) / 1000000);
}

static unsigned interval_ms(const struct top_args *a)
{
	return (unsigned)MIN(MAX(a->interval_ns / 1000000, INTERVAL_MIN_MS), INT32_MAX);
}

static int on_message(void *userdata, const ProtobufCMessage *base)
{
	const Observer__GetFlowsResponse *msg = (const Observer__GetFlowsResponse *)base;
	struct top *t = userdata;

	if (msg->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_LOST_EVENTS)
		t->lost += msg->lost_events->num_events_lost;
	if (msg->response_types_case != OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_FLOW)
		return 0;
	t->flows++;
	t->recent++;
	return flow_group_add(views[t->view].group, &t->tally, msg->flow);
}

/* ---- a screen as text */

static void put_head(const struct top *t, FILE *f)
{
	char server[128];

	fprintf(f, "weir top %s   %s   %" PRIu64 " flows, %.1f/s", views[t->view].name,
		printable(client_server(&t->args->address), server, sizeof(server)), t->flows, t->rate);
	if (t->lost)
		fprintf(f, ", %" PRIu64 " events lost", t->lost);
	fprintf(f, "   by %s\n", orders[t->order].name);
}

static int put_frame(struct top *t, size_t rows, FILE *f)
{
	put_head(t, f);
	tally_sort(&t->tally, orders[t->order].order);
	return flow_group_table(views[t->view].group, &t->tally, rows, true, f);
}

static int print_frame(struct top *t)
{
	int r;

	if (t->frames > 1)
		putchar('\n');
	r = put_frame(t, t->args->rows ?: BATCH_ROWS, stdout);
	if (r == 0 && fflush(stdout) == EOF)
		r = -errno;
	return r;
}

#define HEAD_LINES 2 /* ours and the table's */
#define HELP "q quit   sort: r rate  t total  b dropped or failed  n name"

static int draw_frame(struct top *t)
{
	_cleanup_free_ char *text = NULL;
	unsigned rows, columns;
	size_t len, fit;
	int r;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	screen_size(&rows, &columns);
	fit = rows > HEAD_LINES + 1 ? rows - HEAD_LINES - 1 : 0;
	r = put_frame(t, t->args->rows ? MIN(t->args->rows, fit) : fit, f);
	fputs(HELP, f);
	if (fclose(f) == EOF || r < 0)
		return -ENOMEM;
	return screen_draw(text, 1, HEAD_LINES);
}

static int show(struct top *t)
{
	return t->args->batch ? print_frame(t) : draw_frame(t);
}

/* ---- what happens */

/* Of what was before the first screen nobody knows how long it took. */
static void measure(struct top *t, int64_t now)
{
	double seconds = t->frames == 0 && t->args->since ? INFINITY : (double)MAX(now - t->last_ms, 1) / 1000;

	t->rate = (double)TAKE(t->recent, 0) / seconds;
	tally_tick(&t->tally, seconds);
	t->last_ms = now;
}

/* Also called when a signal came: then the window may have another size. */
static int on_tick(void *userdata)
{
	struct top *t = userdata;
	int64_t now = now_ms();
	int r;

	if (now - t->last_ms < interval_ms(t->args))
		return t->args->batch ? 0 : draw_frame(t);
	measure(t, now);
	t->frames++;
	r = show(t);
	return r == 0 && t->args->frames && t->frames == t->args->frames ? END : r;
}

static int on_key(struct top *t, char key)
{
	if (key == 'q' || key == 'Q')
		return END;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		if (orders[i].key == key)
			t->order = i;
	return 0;
}

static int on_input(void *userdata)
{
	struct top *t = userdata;
	char keys[64];
	ssize_t n = screen_keys(keys, sizeof(keys));
	int r = 0;

	if (n == -EINTR || n == -EAGAIN)
		return 0;
	if (n <= 0)
		return END;
	for (ssize_t i = 0; i < n && r == 0; i++)
		r = on_key(t, keys[i]);
	return r ?: draw_frame(t);
}

static int fill_request(struct top_args *a, enum flow_group group, Observer__GetFlowsRequest *req, struct err *reterr)
{
	int r = 0;

	if (group == GROUP_TOOLS)
		r = filter_want(&a->filter, "type", "l7", reterr);
	if (group == GROUP_DROPS)
		r = filter_want(&a->filter, "verdict", "DROPPED", reterr);
	if (r == 0)
		r = filter_finish(&a->filter, req, reterr);
	if (r == 0)
		r = filter_set_time("since", a->since, &req->since, reterr);
	req->follow = true;
	return r;
}

static int watch(struct top *t, const Observer__GetFlowsRequest *req)
{
	const struct flow_query q = { .address = &t->args->address,
				      .request = req,
				      .on_message = on_message,
				      .tick = on_tick,
				      .tick_ms = interval_ms(t->args),
				      .input = t->args->batch ? NULL : on_input,
				      .fd = STDIN_FILENO,
				      .userdata = t };
	struct err e = { 0 };
	int r = t->args->batch ? 0 : screen_open(&e);

	if (r < 0)
		return cli_fail("%s", e.msg);
	t->last_ms = now_ms();
	r = t->args->batch ? 0 : draw_frame(t);
	if (r == 0)
		r = flows_get(&q, &e);
	screen_close();
	if (r == END || (r == -EPIPE && !*e.msg))
		return 0;
	return r < 0 ? cli_fail("%s", *e.msg ? e.msg : strerror(-r)) : cli_fail("the server ended the flows");
}

static int with_request(const struct cli_usage *usage, struct top_args *a, struct top *t)
{
	Observer__GetFlowsRequest *req = pb_new(&observer__get_flows_request__descriptor);
	struct err e = { 0 };
	int r;

	if (!req)
		return cli_fail("out of memory");
	r = fill_request(a, views[t->view].group, req, &e);
	r = r < 0 ? cli_wrong(usage, "%s", e.msg) : watch(t, req);
	observer__get_flows_request__free_unpacked(req, NULL);
	tally_clear(&t->tally);
	return r;
}

static int top(const struct cli_usage *usage, int n, char **argv, struct top_args *a)
{
	struct top t = { .args = a };

	while (n && t.view < ARRAY_SIZE(views) && !streq(views[t.view].name, argv[0]))
		t.view++;
	if (n > 1 || t.view == ARRAY_SIZE(views))
		return cli_wrong(usage, "top shows one of flows, pods, drops, tools, not \"%s\"", argv[n - 1]);
	while (t.order < ARRAY_SIZE(orders) && !streq(orders[t.order].name, a->sort))
		t.order++;
	if (t.order == ARRAY_SIZE(orders))
		return cli_wrong(usage, "--sort is rate, total, bad or name, not \"%s\"", a->sort);
	return with_request(usage, a, &t);
}

/* The filters' rows, but for the letters that top has for itself. */
static void add_filters(struct cli_option *options)
{
	size_t n = filter_options(options);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(own_options); k++)
			if (options[i].letter && options[i].letter == own_options[k].letter)
				options[i].letter = '\0';
}

int cmd_top(int argc, char **argv)
{
	struct cli_option options[ARRAY_SIZE(own_options) + FILTER_OPTIONS_MAX + 1] = { 0 };
	struct cli_usage usage = {
		"top [flows|pods|drops|tools] [-b] [-n N] [filters]",
		"Show on the whole screen, anew every two seconds, which connections, pods, drops or tools "
		"there is most of. Keys: q ends; r, t, b, n sort by rate, total, what is dropped or failed, "
		"name.",
		options
	};
	struct top_args a = { .sort = "rate", .interval_ns = INTERVAL_NS };
	int n;

	_Static_assert(ARRAY_SIZE(options) <= CLI_OPTIONS_MAX, "the table is too long");
	memcpy(options, own_options, sizeof(own_options));
	add_filters(options + ARRAY_SIZE(own_options));
	n = cli_parse(&usage, argc, argv, &a);
	n = n < 0 ? cli_exit_status(n) : top(&usage, n, argv, &a);
	filter_clear(&a.filter);
	return n;
}
