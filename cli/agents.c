// SPDX-License-Identifier: Apache-2.0
/* `weir agents`: the graph of who calls whom, made of the exchanges of layer 7 that the agent keeps. */
#include "cli/agents.h"

#include "cli/flows.h"
#include "cli/observe_filter.h"
#include "lib/pb.h"

struct agents_args {
	struct filter_args filter; /* first: the setters of the filters have it as their args */
	struct client_address address;
	const char *input_file, *output, *since, *until;
};

#define ARG(member) offsetof(struct agents_args, member)

static const struct cli_option own_options[] = {
	{ "since", 0, "TIME", "from then on: 5m, 2026-01-02T15:04:05Z", cli_set_str, ARG(since) },
	{ "until", 0, "TIME", "until then", cli_set_str, ARG(until) },
	CLIENT_OPTIONS(struct agents_args),
	INPUT_FILE_OPTION(struct agents_args),
	{ "output", 'o', "FORMAT", "table, json, dot", cli_set_str, ARG(output) },
};

static int fill_request(struct agents_args *a, Observer__GetFlowsRequest *req, struct err *reterr)
{
	int r = filter_want(&a->filter, "type", "l7", reterr);

	if (r == 0)
		r = filter_finish(&a->filter, req, reterr);
	if (r == 0)
		r = filter_set_time("since", a->since, &req->since, reterr);
	if (r == 0)
		r = filter_set_time("until", a->until, &req->until, reterr);
	req->number = UINT64_MAX;
	return r;
}

static int on_flow(void *userdata, const ProtobufCMessage *base)
{
	const Observer__GetFlowsResponse *msg = (const Observer__GetFlowsResponse *)base;

	if (msg->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_FLOW)
		return graph_add(userdata, msg->flow);
	if (msg->response_types_case == OBSERVER__GET_FLOWS_RESPONSE__RESPONSE_TYPES_LOST_EVENTS)
		fprintf(stderr, "weir: %llu events were lost: the counts are too low\n",
			(unsigned long long)msg->lost_events->num_events_lost);
	return 0;
}

static int print(struct graph *g, const char *output)
{
	if (streq(output, "json"))
		graph_print_json(g, stdout);
	else if (streq(output, "dot"))
		graph_print_dot(g, stdout);
	else if (graph_print_table(g, stdout) < 0)
		return cli_fail("out of memory");
	return 0;
}

static int agents(const struct cli_usage *usage, struct agents_args *a, Observer__GetFlowsRequest *req)
{
	_cleanup_(graph_freep) struct graph *g = graph_new();
	const struct flow_query q = {
		.address = &a->address, .file = a->input_file, .request = req, .on_message = on_flow, .userdata = g
	};
	struct err e = { 0 };
	int r = g ? fill_request(a, req, &e) : err_oom(&e), damaged;

	if (r == -EINVAL)
		return cli_wrong(usage, "%s", e.msg);
	if (r == 0)
		r = flows_get(&q, &e);
	if (r < 0 && !(r == -EBADMSG && a->input_file))
		return cli_fail("%s", *e.msg ? e.msg : strerror(-r));
	damaged = r < 0 ? cli_fail("%s", e.msg) : 0; /* the rest is shown */
	return print(g, a->output) ?: damaged;
}

static int with_request(const struct cli_usage *usage, struct agents_args *a)
{
	Observer__GetFlowsRequest *req = pb_new(&observer__get_flows_request__descriptor);
	int r;

	if (!req)
		return cli_fail("out of memory");
	r = agents(usage, a, req);
	observer__get_flows_request__free_unpacked(req, NULL);
	return r;
}

int cmd_agents(int argc, char **argv)
{
	struct cli_option options[ARRAY_SIZE(own_options) + FILTER_OPTIONS_MAX + 1] = { 0 };
	struct cli_usage usage = {
		"agents [-o table|json|dot] [--since TIME] [filters]",
		"Print who calls whom for what: agents, tools, models, services; how often, how long it "
		"takes, what fails, what tokens it costs. From the flows that the agent keeps, or a file of flows.",
		options
	};
	struct agents_args a = { .output = "table" };
	int n;

	_Static_assert(ARRAY_SIZE(options) <= CLI_OPTIONS_MAX, "the table is too long");
	memcpy(options, own_options, sizeof(own_options));
	filter_options(options + ARRAY_SIZE(own_options));
	n = cli_parse(&usage, argc, argv, &a);
	if (n < 0)
		n = cli_exit_status(n);
	else if (n > 0)
		n = cli_wrong(&usage, "agents takes no argument: \"%s\"", argv[0]);
	else if (!streq(a.output, "table") && !streq(a.output, "json") && !streq(a.output, "dot"))
		n = cli_wrong(&usage, "--output is table, json or dot, not \"%s\"", a.output);
	else
		n = with_request(&usage, &a);
	filter_clear(&a.filter);
	return n;
}
