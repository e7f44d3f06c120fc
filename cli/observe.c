// SPDX-License-Identifier: Apache-2.0
/* `weir observe`: flows, with the flags and in the formats of `hubble observe`. */
#include <strings.h>

#include "cli/flows.h"
#include "cli/observe_filter.h"
#include "cli/observe_print.h"
#include "cli/times.h"
#include "lib/pb.h"

#define LAST_DEFAULT 20

struct observe_args {
	struct filter_args filter; /* first: the setters of the filters have it as their args */
	struct client_address address;
	const char *input_file, *output, *since, *until, *time_format, *color;
	uint64_t last, first;
	bool all, follow, node_names, policy_names, numeric, ip_translation, raw_filters, silent;
	Google__Protobuf__FieldMask *mask;
};

#define ARG(member) offsetof(struct observe_args, member)

/* "source.pod_name": a field of a flow, or of what is in it. */
static bool is_field(const char *path)
{
	const ProtobufCMessageDescriptor *d = &flow__flow__descriptor;

	for (size_t len; d; path += len + (path[len] == '.')) {
		const ProtobufCFieldDescriptor *f = NULL;
		char name[64];

		len = strcspn(path, ".");
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		f = protobuf_c_message_descriptor_get_field_by_name(d, name);
		if (!f || !path[len])
			return f;
		d = f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED ? f->descriptor : NULL;
	}
	return false;
}

/* "time,verdict,source.pod_name" */
static int set_mask(_unused_ const struct cli_option *o, const char *value, void *args, struct err *reterr)
{
	struct observe_args *a = args;
	_cleanup_free_ char *copy = strdup(value);
	char *save = NULL;

	if (!a->mask)
		a->mask = pb_new(&google__protobuf__field_mask__descriptor);
	if (!copy || !a->mask)
		return err_oom(reterr);
	for (char *path = strtok_r(copy, ",", &save); path; path = strtok_r(NULL, ",", &save)) {
		if (!is_field(path))
			return err_set(reterr, -EINVAL, "\"%s\" is not a field of a flow", path);
		if (pb_append_str(&a->mask->n_paths, &a->mask->paths, path) < 0)
			return err_oom(reterr);
	}
	return 0;
}

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
	{ "field-mask", 0, "FIELDS", "of JSON: these fields alone, if the server can: time,source.pod_name", set_mask,
	  0 },
	{ "silent-errors", 's', NULL, "not a word of nodes that are in trouble", cli_set_bool, ARG(silent) },
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
	req->field_mask = TAKE_PTR(a->mask);
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
	} outputs[] = { { "compact", OUTPUT_COMPACT }, { "dict", OUTPUT_DICT },   { "json", OUTPUT_JSON },
			{ "JSON", OUTPUT_JSON },       { "jsonpb", OUTPUT_JSON }, { "tab", OUTPUT_TABLE },
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
			       .silent = a->silent,
			       .style.policy_names = a->policy_names,
			       .style.ip_translation = a->ip_translation && !a->numeric,
			       .style.time_layout = time_layout(a->time_format) };
	if (!p->style.time_layout)
		return err_set(reterr, -EINVAL, "--time-format is one of %s, not \"%s\"", time_layout_names,
			       a->time_format);
	if (p->output != OUTPUT_JSON && a->mask)
		return err_set(reterr, -EINVAL, "--field-mask is for JSON alone");
	if (p->output == OUTPUT_TABLE && a->follow)
		return err_set(reterr, -EINVAL, "a table goes not with --follow");
	return set_color(p, a->color, reterr);
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
	r = make_printer(a, &p, &e);
	if (r == 0)
		r = fill_request(a, req, &e);
	if (r < 0) {
		r = r == -EINVAL ? cli_wrong(usage, "%s", e.msg) : cli_fail("%s", e.msg);
	} else if (a->raw_filters) {
		filter_raw_print(stdout, "allowlist", req->whitelist, req->n_whitelist);
		filter_raw_print(stdout, "denylist", req->blacklist, req->n_blacklist);
	} else {
		r = stream(a, req, &p);
	}
	observer__get_flows_request__free_unpacked(req, NULL);
	return r;
}

int cmd_observe(int argc, char **argv)
{
	struct cli_option options[ARRAY_SIZE(own_options) + FILTER_OPTIONS_MAX + 1] = { 0 };
	struct cli_usage usage = { "observe [flows | agent-events] [options]",
				   "Print flows: who talked to whom, what was dropped and why.", options };
	struct observe_args a = { .output = "compact",
				  .policy_names = true,
				  .ip_translation = true,
				  .time_format = "StampMilli",
				  .color = "auto" };
	int n;

	_Static_assert(ARRAY_SIZE(options) <= CLI_OPTIONS_MAX, "the table is too long");
	if (argc > 1 && streq(argv[1], "agent-events"))
		return cmd_observe_agent_events(argc - 1, argv + 1);
	if (argc > 1 && streq(argv[1], "flows")) { /* hubble's word for what is meant without it */
		argc--;
		argv++;
	}
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
	if (a.mask)
		google__protobuf__field_mask__free_unpacked(a.mask, NULL);
	return n;
}
