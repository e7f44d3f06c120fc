// SPDX-License-Identifier: Apache-2.0
/* `weir endpoint list`: the pods of the node, as the datapath knows them. */
#include "cli/table.h"
#include "lib/proto/weir.pb-c.h"

static const char *state_text(Weir__V1__EndpointState state)
{
	return state == WEIR__V1__ENDPOINT_STATE__READY     ? "ready"
	       : state == WEIR__V1__ENDPOINT_STATE__WAITING ? "waiting"
							    : "?";
}

static const char *enforcement_text(Weir__V1__Enforcement e)
{
	return e == WEIR__V1__ENFORCEMENT__ENFORCED ? "enforced" : e == WEIR__V1__ENFORCEMENT__AUDIT ? "audit" : "none";
}

static int add_endpoint(struct table *t, const Weir__V1__Endpoint *e)
{
	char id[12], identity[28], ruleset[12], pod[520], addr[120];
	const char *cells[] = { id,
				pod,
				addr,
				identity,
				state_text(e->state),
				enforcement_text(e->ingress),
				enforcement_text(e->egress),
				ruleset,
				e->host_interface };

	snprintf(id, sizeof(id), "%u", e->id);
	snprintf(pod, sizeof(pod), "%s%s%s", e->namespace_, *e->namespace_ ? "/" : "",
		 *e->pod ? e->pod : e->container_id);
	snprintf(addr, sizeof(addr), "%s%s%s", e->ipv4, *e->ipv4 && *e->ipv6 ? "," : "", e->ipv6);
	if (e->identity_v4 && e->identity_v6 && e->identity_v4 != e->identity_v6)
		snprintf(identity, sizeof(identity), "%u,%u", e->identity_v4, e->identity_v6);
	else
		snprintf(identity, sizeof(identity), "%u", e->identity_v4 ? e->identity_v4 : e->identity_v6);
	snprintf(ruleset, sizeof(ruleset), "%u", e->ruleset);
	return table_add(t, cells);
}

static int print_endpoints(const ProtobufCMessage *msg)
{
	static const char *const head[] = { "ID",      "POD",    "ADDRESS", "IDENTITY", "STATE",
					    "INGRESS", "EGRESS", "RULESET", "INTERFACE" };
	const Weir__V1__ListEndpointsResponse *list = (const Weir__V1__ListEndpointsResponse *)msg;
	struct table t = { .columns = ARRAY_SIZE(head) };
	int r = table_add(&t, head);

	for (size_t i = 0; i < list->n_endpoints && r == 0; i++)
		r = add_endpoint(&t, list->endpoints[i]);
	table_print(&t, stdout);
	return r < 0 ? cli_fail("%s", strerror(-r)) : 0;
}

static int list(int argc, char **argv)
{
	static const struct cli_option options[] = { ASK_OPTIONS, { 0 } };
	static const struct cli_usage usage = {
		"endpoint list [-o text|json]",
		"List the pods of this node: addresses, identity, whether policy is in force.", options
	};
	Weir__V1__ListEndpointsRequest request = WEIR__V1__LIST_ENDPOINTS_REQUEST__INIT;

	return ask_and_print(&usage, argc, argv, "/weir.v1.Agent/ListEndpoints", &request.base,
			     &weir__v1__list_endpoints_response__descriptor, print_endpoints, NULL);
}

int cmd_endpoint(int argc, char **argv)
{
	static const struct cli_command commands[] = { { "list", "the pods of this node", list }, { 0 } };

	return cli_dispatch("endpoint", commands, argc, argv);
}
