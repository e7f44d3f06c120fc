// SPDX-License-Identifier: Apache-2.0
/* `weir observe`: flows, with the flags and in the formats of `hubble observe`. */
#include <strings.h>

#include "cli/flows.h"
#include "cli/observe_filter.h"
#include "cli/observe_print.h"
#include "cli/times.h"
#include "lib/pb.h"
#include "lib/pbjson.h"

#define LAST_DEFAULT 20

struct observe_args {
	struct filter_args filter; /* first: the setters of the filters have it as their args */
	struct client_address address;
	const char *input_file, *output, *since, *until, *time_format, *color;
	uint64_t last, first;
	bool all, follow, node_names, policy_names, numeric, ip_translation, raw_filters;
};

#define ARG(member) offsetof(struct observe_args, member)

static const struct cli_option own_options[] = {
	{ "follow", 'f', NULL, "go on with new flows", cli_set_bool, ARG(follow) },
	{ "last", 0, "N", "the last N matching flows (20 when nothing else limits)", cli_set_u64, ARG(last) },
	{ "first", 0, "N", "the first N matching flows", cli_set_u64, ARG(first) },
	{ "all", 0, NULL, "all flows that the server has", cli_set_bool, ARG(all) },
	{ "since", 0, "TIME", "from then on: 5m, 2026-01-02T15:04:05Z", cli_set_str, ARG(since) },
	{ "until", 0, "TIME", "until then", cli_set_str, ARG(until) },
	CLIENT_OPTIONS(struct observe_args),
	INPUT_FILE_OPTION(struct observe_args),
	{ "output", 'o', "FORMAT", "compact, dict, json, jsonpb, table", cli_set_str, ARG(output) },
	{ "print-node-name", 0, NULL, "print the node's name", cli_set_bool, ARG(node_names) },
	{ "print-policy-names", 0, NULL, "print the policies that decided (on; =false)", cli_set_bool,
	  ARG(policy_names) },
	{ "numeric", 0, NULL, "print addresses, not names", cli_set_bool, ARG(numeric) },
	{ "ip-translation", 0, NULL, "print names for addresses (on; =false)", cli_set_bool, ARG(ip_translation) },
	{ "time-format", 0, "NAME", "StampMilli, RFC3339, RFC3339Milli, RFC3339Nano, ...", cli_set_str,
	  ARG(time_format) },
	{ "color", 0, "WHEN", "auto, always, never", cli_set_str, ARG(color) },
	{ "print-raw-filters", 0, NULL, "print what would be sent, send nothing", cli_set_bool, ARG(raw_filters) },
};

static int fill_request(struct observe_args *a, Observer__GetFlowsRequest *req, struct err *reterr)
{
	int r;

	if (a->first && (a->last || a->all))
		return err_set(reterr, -EINVAL, "--first goes not with --last or --all");
	if (a->first && a->follow)
		return err_set(reterr, -EINVAL, "--first goes not with --follow");
	if (a->last && a->all)
		return err_set(reterr, -EINVAL, "--last goes not with --all");
	r = filter_set_time("since", a->since, &req->since, reterr);
	if (r == 0)
		r = filter_set_time("until", a->until, &req->until, reterr);
	if (r == 0)
		r = filter_finish(&a->filter, req, reterr);
	req->follow = a->follow;
	req->first = a->first > 0;
	req->number = a->all ? UINT64_MAX : MAX(a->first, a->last);
	if (!req->number && !a->follow && !a->since && !a->until && !a->input_file)
		req->number = LAST_DEFAULT;
	return r;
}

static int set_color(struct printer *p, const char *when, struct err *reterr)
{
	const char *no = getenv("NO_COLOR");

	if (streq(when, "auto"))
		p->style.color = isatty(STDOUT_FILENO) && !(no && *no);
	else if (streq(when, "always"))
		p->style.color = true;
	else if (!streq(when, "never"))
		return err_set(reterr, -EINVAL, "--color is auto, always or never, not \"%s\"", when);
	if (p->output == OUTPUT_TABLE)
		p->style.color = false;
	return 0;
}

static int make_printer(const struct observe_args *a, struct printer *p, struct err *reterr)
{
	static const struct {
		const char *name;
		enum observe_output output;
	} outputs[] = { { "compact", OUTPUT_COMPACT },
			{ "dict", OUTPUT_DICT },
			{ "json", OUTPUT_JSON },
			{ "jsonpb", OUTPUT_JSON },
			{ "table", OUTPUT_TABLE } };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(outputs); i++)
		if (streq(outputs[i].name, a->output))
			break;
	if (i == ARRAY_SIZE(outputs))
		return err_set(reterr, -EINVAL, "--output is compact, dict, json, jsonpb or table, not \"%s\"",
			       a->output);
	*p = (struct printer){ .out = stdout,
			       .output = outputs[i].output,
			       .node_names = a->node_names,
			       .style.policy_names = a->policy_names,
			       .style.ip_translation = a->ip_translation && !a->numeric,
			       .style.time_layout = time_layout(a->time_format) };
	if (!p->style.time_layout)
		return err_set(reterr, -EINVAL, "--time-format is one of %s, not \"%s\"", time_layout_names,
			       a->time_format);
	if (p->output == OUTPUT_TABLE && a->follow)
		return err_set(reterr, -EINVAL, "a table goes not with --follow");
	return set_color(p, a->color, reterr);
}

/* As `hubble observe` prints them: YAML with a JSON string for each filter. */
static void print_filters(const char *name, Flow__FlowFilter *const *list, size_t n)
{
	if (n)
		printf("%s:\n", name);
	for (size_t i = 0; i < n; i++) {
		fputs("    - '", stdout);
		pbjson_write(stdout, &list[i]->base);
		fputs("'\n", stdout);
	}
}

static int on_flow(void *userdata, const ProtobufCMessage *msg)
{
	return printer_flow(userdata, (const Observer__GetFlowsResponse *)msg);
}

/* Nobody waits for a buffer to fill up, and `| head` ends the call. */
static int on_idle(_unused_ void *userdata)
{
	return fflush(stdout) == EOF ? -EPIPE : 0;
}

static int stream(const struct observe_args *a, const Observer__GetFlowsRequest *req, struct printer *p)
{
	const struct flow_query q = { .address = &a->address,
				      .file = a->input_file,
				      .request = req,
				      .on_message = on_flow,
				      .idle = on_idle,
				      .userdata = p };
	struct err e = { 0 };
	int r = flows_get(&q, &e);

	printer_end(p);
	if (r == -EPIPE && !*e.msg)
		return 0;
	return r < 0 ? cli_fail("%s", *e.msg ? e.msg : strerror(-r)) : 0;
}

static int observe(const struct cli_usage *usage, struct observe_args *a)
{
	Observer__GetFlowsRequest *req = pb_new(&observer__get_flows_request__descriptor);
	struct err e = { 0 };
	struct printer p;
	int r;

	if (!req)
		return cli_fail("out of memory");
	r = fill_request(a, req, &e);
	if (r == 0)
		r = make_printer(a, &p, &e);
	if (r < 0) {
		r = r == -EINVAL ? cli_wrong(usage, "%s", e.msg) : cli_fail("%s", e.msg);
	} else if (a->raw_filters) {
		print_filters("allowlist", req->whitelist, req->n_whitelist);
		print_filters("denylist", req->blacklist, req->n_blacklist);
	} else {
		r = stream(a, req, &p);
	}
	observer__get_flows_request__free_unpacked(req, NULL);
	return r;
}

int cmd_observe(int argc, char **argv)
{
	struct cli_option options[ARRAY_SIZE(own_options) + FILTER_OPTIONS_MAX + 1] = { 0 };
	struct cli_usage usage = { "observe [options]", "Print flows: who talked to whom, what was dropped and why.",
				   options };
	struct observe_args a = { .output = "compact",
				  .policy_names = true,
				  .ip_translation = true,
				  .time_format = "StampMilli",
				  .color = "auto" };
	int n;

	memcpy(options, own_options, sizeof(own_options));
	filter_options(options + ARRAY_SIZE(own_options));
	n = cli_parse(&usage, argc, argv, &a);
	if (n < 0)
		n = cli_exit_status(n);
	else if (n > 0)
		n = cli_wrong(&usage, "observe takes no argument: \"%s\"", argv[0]);
	else
		n = observe(&usage, &a);
	filter_clear(&a.filter);
	return n;
}
