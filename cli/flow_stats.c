// SPDX-License-Identifier: Apache-2.0
/* `weir flows stats`: what the flows of some time come to. */
#include <inttypes.h>

#include "cli/flow_groups.h"
#include "cli/flow_text.h"
#include "cli/flows.h"
#include "cli/observe_filter.h"
#include "lib/pb.h"

#define SECOND_NS 1000000000ull
#define TOP_DEFAULT 10

struct stats_args {
	struct filter_args filter; /* first: the setters of the filters have it as their args */
	struct client_address address;
	const char *input_file, *output, *since, *until;
	uint64_t last, follow_ns, top;
};

#define ARG(member) offsetof(struct stats_args, member)

static const struct cli_option own_options[] = {
	{ "last", 0, "N", "the last N matching flows (all that the server has)", cli_set_u64, ARG(last) },
	{ "since", 0, "TIME", "from then on: 5m, 2026-01-02T15:04:05Z", cli_set_str, ARG(since) },
	{ "until", 0, "TIME", "until then", cli_set_str, ARG(until) },
	{ "for", 0, "DURATION", "new flows, so long, then print", cli_set_duration, ARG(follow_ns) },
	{ "top", 0, "N", "rows of each list (10)", cli_set_u64, ARG(top) },
	CLIENT_OPTIONS(struct stats_args),
	INPUT_FILE_OPTION(struct stats_args),
	{ "output", 'o', "FORMAT", "table, json", cli_set_str, ARG(output) },
};

/* In the order in which they are shown; JSON calls them by their names. */
static const enum flow_group shown[] = { GROUP_VERDICTS, GROUP_REASONS, GROUP_PROTOCOLS, GROUP_TALKERS, GROUP_TOOLS };

struct stats {
	struct tally by[GROUP_COUNT];
	uint64_t flows, lost;
	uint64_t first_ns, last_ns; /* times of the flows */
};

static void add_time(struct stats *s, const Google__Protobuf__Timestamp *t)
{
	uint64_t ns = t ? (uint64_t)t->seconds * SECOND_NS + (uint64_t)t->nanos : 0;

	if (!ns)
		return;
	s->first_ns = s->first_ns ? MIN(s->first_ns, ns) : ns;
	s->last_ns = MAX(s->last_ns, ns);
}

static int on_message(void *userdata, const ProtobufCMessage *base)
{
	const Observer__GetFlowsResponse *msg = (const Observer__GetFlowsResponse *)base;
	struct stats *s = userdata;

	if (msg->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_LOST_EVENTS)
		s->lost += msg->lost_events->num_events_lost;
	if (msg->response_types_case != OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_FLOW)
		return 0;
	s->flows++;
	add_time(s, msg->flow->time);
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (flow_group_add(shown[i], &s->by[shown[i]], msg->flow) < 0)
			return -ENOMEM;
	return 0;
}

static int on_end(_unused_ void *userdata)
{
	return -ETIME;
}

static double rate(const struct stats *s)
{
	uint64_t ns = s->last_ns - s->first_ns;

	return ns ? (double)s->flows * (double)SECOND_NS / (double)ns : 0;
}

static uint64_t dropped(const struct stats *s)
{
	uint64_t n = 0;

	for (const struct tally_row *r = s->by[GROUP_VERDICTS].rows; r; r = r->hh.next)
		n += r->bad;
	return n;
}

static int print_table(struct stats *s, size_t top)
{
	char first[TIME_STRLEN], last[TIME_STRLEN];
	int r = 0;

	time_format(time_layout("RFC3339Milli"), s->first_ns, first);
	time_format(time_layout("RFC3339Milli"), s->last_ns, last);
	printf("Flows:   %" PRIu64, s->flows);
	if (s->last_ns)
		printf(", %s to %s, %.1f/s", first, last, rate(s));
	printf("\nDropped: %" PRIu64 " (%.1f %%)\n", dropped(s),
	       s->flows ? 100.0 * (double)dropped(s) / (double)s->flows : 0);
	if (s->lost)
		printf("Lost:    %" PRIu64 " events: the counts are too low\n", s->lost);
	for (size_t i = 0; i < ARRAY_SIZE(shown) && r == 0; i++) {
		struct tally *t = &s->by[shown[i]];

		if (!t->rows)
			continue;
		putchar('\n');
		r = flow_group_table(shown[i], t, top, false, stdout);
		if (HASH_COUNT(t->rows) > top)
			printf("... and %zu more\n", HASH_COUNT(t->rows) - top);
	}
	return r;
}

static int print_json(struct stats *s, size_t top)
{
	const double seconds = (double)(s->last_ns - s->first_ns) / (double)SECOND_NS;

	printf("{\"flows\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"lost\":%" PRIu64
	       ",\"seconds\":%.3f,\"flows_per_second\":%.3f",
	       s->flows, dropped(s), s->lost, seconds, rate(s));
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		printf(",\n\"%s\":", flow_groups[shown[i]].name);
		flow_group_json(shown[i], &s->by[shown[i]], top, stdout);
	}
	puts("}");
	return 0;
}

static int print(struct stats *s, const struct stats_args *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		tally_sort(&s->by[shown[i]], TALLY_BY_COUNT);
	if ((streq(a->output, "json") ? print_json(s, a->top) : print_table(s, a->top)) < 0)
		return cli_fail("out of memory");
	return 0;
}

static int fill_request(struct stats_args *a, Observer__GetFlowsRequest *req, struct err *reterr)
{
	int r = filter_finish(&a->filter, req, reterr);

	if (a->follow_ns && (a->since || a->until || a->last || a->input_file))
		return err_set(reterr, -EINVAL,
			       "--for is about new flows: without --since, --until, --last, --input-file");
	if (r == 0)
		r = filter_set_time("since", a->since, &req->since, reterr);
	if (r == 0)
		r = filter_set_time("until", a->until, &req->until, reterr);
	req->follow = a->follow_ns > 0;
	req->number = a->last ?: req->follow ? 0 : UINT64_MAX;
	return r;
}

static int stats_of(const struct cli_usage *usage, struct stats_args *a, Observer__GetFlowsRequest *req,
		    struct stats *s)
{
	const struct flow_query q = { .address = &a->address,
				      .file = a->input_file,
				      .request = req,
				      .on_message = on_message,
				      .tick = a->follow_ns ? on_end : NULL,
				      .tick_ms = (unsigned)MIN(a->follow_ns / 1000000, UINT32_MAX),
				      .userdata = s };
	struct err e = { 0 };
	int r = fill_request(a, req, &e), damaged;

	if (r == -EINVAL)
		return cli_wrong(usage, "%s", e.msg);
	if (r == 0)
		r = flows_get(&q, &e);
	if (r < 0 && r != -ETIME && !(r == -EBADMSG && a->input_file))
		return cli_fail("%s", *e.msg ? e.msg : strerror(-r));
	damaged = r == -EBADMSG ? cli_fail("%s", e.msg) : 0; /* the rest is shown */
	return print(s, a) ?: damaged;
}

static int with_request(const struct cli_usage *usage, struct stats_args *a)
{
	Observer__GetFlowsRequest *req = pb_new(&observer__get_flows_request__descriptor);
	struct stats s = { 0 };
	int r;

	if (!req)
		return cli_fail("out of memory");
	r = stats_of(usage, a, req, &s);
	observer__get_flows_request__free_unpacked(req, NULL);
	for (size_t i = 0; i < GROUP_COUNT; i++)
		tally_clear(&s.by[i]);
	return r;
}

static int stats(int argc, char **argv)
{
	struct cli_option options[ARRAY_SIZE(own_options) + FILTER_OPTIONS_MAX + 1] = { 0 };
	struct cli_usage usage = {
		"flows stats [-o table|json] [--since TIME] [--for DURATION] [filters]",
		"Add flows up: how many a second, verdicts, drops by reason and policy, protocols, who "
		"talks most, tools and models. Of the flows that the agent keeps, of a file, or of new ones.",
		options
	};
	struct stats_args a = { .output = "table", .top = TOP_DEFAULT };
	int n;

	_Static_assert(ARRAY_SIZE(options) <= CLI_OPTIONS_MAX, "the table is too long");
	memcpy(options, own_options, sizeof(own_options));
	filter_options(options + ARRAY_SIZE(own_options));
	n = cli_parse(&usage, argc, argv, &a);
	if (n < 0)
		n = cli_exit_status(n);
	else if (n > 0)
		n = cli_wrong(&usage, "stats takes no argument: \"%s\"", argv[0]);
	else if (!streq(a.output, "table") && !streq(a.output, "json"))
		n = cli_wrong(&usage, "--output is table or json, not \"%s\"", a.output);
	else
		n = with_request(&usage, &a);
	filter_clear(&a.filter);
	return n;
}

int cmd_flows(int argc, char **argv)
{
	static const struct cli_command commands[] = { { "stats", "add flows up", stats }, { 0 } };

	return cli_dispatch("flows", commands, argc, argv);
}
