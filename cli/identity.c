// SPDX-License-Identifier: Apache-2.0
/* `weir identity list`: the numbers that stand for label sets. */
#include "cli/table.h"
#include "lib/proto/weir.pb-c.h"

static int add_identity(struct table *t, const Weir__V1__Identity *id)
{
	char number[12], references[12], labels[512] = "";
	const char *cells[] = { number, id->kind, id->namespace_, references, labels };
	size_t len = 0;

	snprintf(number, sizeof(number), "%u", id->number);
	snprintf(references, sizeof(references), "%u", id->references);
	for (size_t i = 0; i < id->n_labels && len < sizeof(labels); i++)
		len += (size_t)snprintf(labels + len, sizeof(labels) - len, "%s%s", i ? "," : "", id->labels[i]);
	return table_add(t, cells);
}

static int print_identities(const ProtobufCMessage *msg)
{
	static const char *const head[] = { "IDENTITY", "KIND", "NAMESPACE", "ADDRESSES", "LABELS" };
	const Weir__V1__ListIdentitiesResponse *list = (const Weir__V1__ListIdentitiesResponse *)msg;
	struct table t = { .columns = ARRAY_SIZE(head) };
	int r = table_add(&t, head);

	for (size_t i = 0; i < list->n_identities && r == 0; i++)
		r = add_identity(&t, list->identities[i]);
	table_print(&t, stdout);
	return r < 0 ? cli_fail("%s", strerror(-r)) : 0;
}

static int list(int argc, char **argv)
{
	static const struct cli_option options[] = { ASK_OPTIONS, { 0 } };
	static const struct cli_usage usage = { "identity list [-o text|json]",
						"List the identities in use: which labels each number stands for.",
						options };
	Weir__V1__ListIdentitiesRequest request = WEIR__V1__LIST_IDENTITIES_REQUEST__INIT;

	return ask_and_print(&usage, argc, argv, "/weir.v1.Agent/ListIdentities", &request.base,
			     &weir__v1__list_identities_response__descriptor, print_identities, NULL);
}

int cmd_identity(int argc, char **argv)
{
	static const struct cli_command commands[] = { { "list", "the identities in use", list }, { 0 } };

	return cli_dispatch("identity", commands, argc, argv);
}
