// SPDX-License-Identifier: Apache-2.0
/* `weir watch peers`, `weir watch agent-events`: news of a server other than flows, as it comes. */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/flow_text.h"
#include "lib/pbjson.h"
#include "lib/proto/peer.pb-c.h"

struct watch_args {
	struct client_address address;
	const char *output;
	uint64_t last;
	bool follow;
};

static const struct cli_option peer_options[] = {
	CLIENT_OPTIONS(struct watch_args),
	{ "output", 'o', "FORMAT", "text, json", cli_set_str, offsetof(struct watch_args, output) },
	{ 0 },
};
static const struct cli_option event_options[] = {
	CLIENT_OPTIONS(struct watch_args),
	{ "output", 'o', "FORMAT", "text, json", cli_set_str, offsetof(struct watch_args, output) },
	{ "last", 0, "N", "begin with the last N", cli_set_u64, offsetof(struct watch_args, last) },
	{ "follow", 'f', NULL, "go on with new ones, or =false", cli_set_bool, offsetof(struct watch_args, follow) },
	{ 0 },
};

struct watcher {
	bool json;
	void (*text)(const ProtobufCMessage *msg);
};

static int on_message(void *userdata, const ProtobufCMessage *msg)
{
	const struct watcher *w = userdata;

	if (!w->json) {
		w->text(msg);
		return 0;
	}
	pbjson_write(stdout, msg);
	putchar('\n');
	return 0;
}

static int on_idle(_unused_ void *userdata)
{
	return fflush(stdout) == EOF ? -EPIPE : 0;
}

static int watch(const struct cli_usage *usage, int argc, char **argv, struct watch_args *a)
{
	int n = cli_parse(usage, argc, argv, a);

	if (n < 0)
		return n;
	if (n > 0 || (!streq(a->output, "text") && !streq(a->output, "json"))) {
		if (n > 0)
			cli_wrong(usage, "takes no argument: \"%s\"", argv[0]);
		else
			cli_wrong(usage, "--output is text or json, not \"%s\"", a->output);
		return CLI_WRONG;
	}
	return 0;
}

static int run(const struct watch_args *a, const struct client_call *what, void (*text)(const ProtobufCMessage *msg))
{
	_cleanup_(client_closep) struct client *client = NULL;
	struct watcher w = { .json = streq(a->output, "json"), .text = text };
	struct client_call call = *what;
	struct err e = { 0 };
	int r;

	call.on_message = on_message;
	call.idle = on_idle;
	call.userdata = &w;
	r = client_connect(&a->address, &client, &e);
	if (r == 0)
		r = client_call(client, &call, &e);
	if (r == -EPIPE && !*e.msg)
		return 0;
	return r < 0 ? cli_fail("%s: %s", client_server(&a->address), *e.msg ? e.msg : strerror(-r)) : 0;
}

static void print_peer(const ProtobufCMessage *msg)
{
	static const char *const change[] = { "UNKNOWN", "ADDED", "DELETED", "UPDATED" };
	const Peer__ChangeNotification *n = (const Peer__ChangeNotification *)msg;
	char name[FLOW_CELL], address[FLOW_CELL], tls[FLOW_CELL];

	printf("%-8s %s %s%s%s\n", (size_t)n->type < ARRAY_SIZE(change) ? change[n->type] : "UNKNOWN",
	       printable(n->name, name, sizeof(name)), printable(n->address, address, sizeof(address)),
	       n->tls ? " TLS " : "", n->tls ? printable(n->tls->server_name, tls, sizeof(tls)) : "");
}

static int peers(int argc, char **argv)
{
	static const struct cli_usage usage = { "watch peers [options]",
						"Print the nodes that the server tells of, and changes.",
						peer_options };
	Peer__NotifyRequest request = PEER__NOTIFY_REQUEST__INIT;
	struct client_call call = { .path = "/peer.Peer/Notify",
				    .request = &request.base,
				    .response = &peer__change_notification__descriptor };
	struct watch_args a = { .output = "text" };
	int r = watch(&usage, argc, argv, &a);

	return r < 0 ? cli_exit_status(r) : run(&a, &call, print_peer);
}

static void print_event(const ProtobufCMessage *msg)
{
	const Observer__GetAgentEventsResponse *m = (const Observer__GetAgentEventsResponse *)msg;
	const struct flow_style style = { .time_layout = time_layout("StampMilli") };
	const ProtobufCEnumValue *type;
	const Flow__AgentEvent *e = m->agent_event;
	char time[TIME_STRLEN], node[FLOW_CELL], a[FLOW_CELL], b[FLOW_CELL];

	if (!e)
		return;
	type = protobuf_c_enum_descriptor_get_value(&flow__agent_event_type__descriptor, (int)e->type);
	flow_time(&style, m->time, time);
	printf("%s [%s]: %s", time, printable(m->node_name, node, sizeof(node)), type ? type->name : "UNKNOWN");
	switch (e->notification_case) {
	case FLOW__AGENT_EVENT__NOTIFICATION_POLICY_UPDATE:
		printf(" generation %llu, %lld rules", (unsigned long long)e->policy_update->revision,
		       (long long)e->policy_update->rule_count);
		break;
	case FLOW__AGENT_EVENT__NOTIFICATION_ENDPOINT_REGENERATE:
		printf(" %s", printable(e->endpoint_regenerate->error, a, sizeof(a)));
		break;
	case FLOW__AGENT_EVENT__NOTIFICATION_ENDPOINT_UPDATE:
		printf(" %s/%s (endpoint %llu)", printable(e->endpoint_update->namespace_, a, sizeof(a)),
		       printable(e->endpoint_update->pod_name, b, sizeof(b)),
		       (unsigned long long)e->endpoint_update->id);
		break;
	default:
		break;
	}
	putchar('\n');
}

static int print_events(const struct cli_usage *usage, struct watch_args a, int argc, char **argv)
{
	Observer__GetAgentEventsRequest request = OBSERVER__GET_AGENT_EVENTS_REQUEST__INIT;
	struct client_call call = { .path = "/observer.Observer/GetAgentEvents",
				    .request = &request.base,
				    .response = &observer__get_agent_events_response__descriptor };
	int r = watch(usage, argc, argv, &a);

	request.number = a.last;
	request.follow = a.follow;
	return r < 0 ? cli_exit_status(r) : run(&a, &call, print_event);
}

static int agent_events(int argc, char **argv)
{
	static const struct cli_usage usage = { "watch agent-events [options]",
						"Print what the agent did, all that is kept and what comes: pods come "
						"and gone, policies brought into force.",
						event_options };

	return print_events(&usage, (struct watch_args){ .output = "text", .last = UINT64_MAX, .follow = true }, argc,
			    argv);
}

/* The same with the defaults that hubble has for it. */
int cmd_observe_agent_events(int argc, char **argv)
{
	static const struct cli_usage usage = {
		"observe agent-events [options]",
		"Print the latest 20 things that the agent did, in the words of `weir watch agent-events`.",
		event_options
	};

	return print_events(&usage, (struct watch_args){ .output = "text", .last = 20 }, argc, argv);
}

int cmd_watch(int argc, char **argv)
{
	static const struct cli_command commands[] = { { "peers", "the nodes that the server knows", peers },
						       { "agent-events", "what the agent itself does", agent_events },
						       { 0 } };

	return cli_dispatch("watch", commands, argc, argv);
}
