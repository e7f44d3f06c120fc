// SPDX-License-Identifier: Apache-2.0
/* `weir list nodes`, `weir list namespaces`: what a server knows of. */
#include "cli/table.h"
#include "lib/proto/observer.pb-c.h"

#define SECOND 1000000000ull

static const char *state_name(Relay__NodeState state)
{
	switch (state) {
	case RELAY__NODE_STATE__NODE_CONNECTED:
		return "Connected";
	case RELAY__NODE_STATE__NODE_UNAVAILABLE:
		return "Unavailable";
	case RELAY__NODE_STATE__NODE_GONE:
		return "Gone";
	case RELAY__NODE_STATE__NODE_ERROR:
		return "Error";
	default:
		return "Unknown";
	}
}

static int add_node(struct table *t, const Observer__Node *n)
{
	char age[32], flows[64], fill[64];
	const char *cells[] = { n->name,    state_name(n->state),
				age,        flows,
				fill,       n->version,
				n->address, n->tls && n->tls->enabled ? "Enabled" : "Disabled" };
	double seconds = (double)n->uptime_ns / SECOND;

	snprintf(age, sizeof(age), "%lluh%02llum%02llus", (unsigned long long)(n->uptime_ns / SECOND / 3600),
		 (unsigned long long)(n->uptime_ns / SECOND / 60 % 60),
		 (unsigned long long)(n->uptime_ns / SECOND % 60));
	snprintf(flows, sizeof(flows), "%.2f", seconds > 0 ? (double)n->seen_flows / seconds : 0);
	snprintf(fill, sizeof(fill), "%llu/%llu (%6.2f%%)", (unsigned long long)n->num_flows,
		 (unsigned long long)n->max_flows,
		 n->max_flows ? 100.0 * (double)n->num_flows / (double)n->max_flows : 0);
	return table_add(t, cells);
}

static int print_nodes(const ProtobufCMessage *msg)
{
	static const char *const head[] = { "NAME",    "STATUS",  "AGE", "FLOWS/S", "CURRENT/MAX-FLOWS",
					    "VERSION", "ADDRESS", "TLS" };
	const Observer__GetNodesResponse *list = (const Observer__GetNodesResponse *)msg;
	struct table t = { .columns = ARRAY_SIZE(head) };
	int r = table_add(&t, head);

	for (size_t i = 0; i < list->n_nodes && r == 0; i++)
		r = add_node(&t, list->nodes[i]);
	table_print(&t, stdout);
	return r < 0 ? cli_fail("%s", strerror(-r)) : 0;
}

static int print_namespaces(const ProtobufCMessage *msg)
{
	static const char *const head[] = { "NAMESPACE", "CLUSTER" };
	const Observer__GetNamespacesResponse *list = (const Observer__GetNamespacesResponse *)msg;
	struct table t = { .columns = ARRAY_SIZE(head) };
	int r = table_add(&t, head);

	for (size_t i = 0; i < list->n_namespaces && r == 0; i++)
		r = table_add(&t, (const char *[]){ list->namespaces[i]->namespace_, list->namespaces[i]->cluster });
	table_print(&t, stdout);
	return r < 0 ? cli_fail("%s", strerror(-r)) : 0;
}

static const struct cli_option options[] = { ASK_OPTIONS, { 0 } };

static int nodes(int argc, char **argv)
{
	static const struct cli_usage usage = { "list nodes [-o text|json]",
						"List the nodes whose flows the server has.", options };
	Observer__GetNodesRequest request = OBSERVER__GET_NODES_REQUEST__INIT;

	return ask_and_print(&usage, argc, argv, "/observer.Observer/GetNodes", &request.base,
			     &observer__get_nodes_response__descriptor, print_nodes, NULL);
}

static int namespaces(int argc, char **argv)
{
	static const struct cli_usage usage = { "list namespaces [-o text|json]",
						"List the namespaces that occur in recent flows.", options };
	Observer__GetNamespacesRequest request = OBSERVER__GET_NAMESPACES_REQUEST__INIT;

	return ask_and_print(&usage, argc, argv, "/observer.Observer/GetNamespaces", &request.base,
			     &observer__get_namespaces_response__descriptor, print_namespaces, NULL);
}

int cmd_list(int argc, char **argv)
{
	static const struct cli_command commands[] = { { "nodes", "the nodes whose flows the server has", nodes },
						       { "namespaces", "the namespaces of recent flows", namespaces },
						       { 0 } };

	return cli_dispatch("list", commands, argc, argv);
}
