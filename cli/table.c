// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include "cli/flow_text.h"
#include "lib/pbjson.h"

#define CELL 512

int table_add(struct table *t, const char *const *cells)
{
	char **all = realloc(t->cells, (t->n + t->columns) * sizeof(*all));
	char buf[CELL];

	if (!all)
		return -ENOMEM;
	t->cells = all;
	for (size_t i = 0; i < t->columns; i++) {
		all[t->n] = strdup(cells[i] && *cells[i] ? printable(cells[i], buf, sizeof(buf)) : "-");
		if (!all[t->n++])
			return -ENOMEM;
	}
	return 0;
}

void table_print(struct table *t, FILE *f)
{
	for (size_t i = 0; i < t->n; i++) {
		size_t width = 0;

		for (size_t k = i % t->columns; k < t->n; k += t->columns)
			width = MAX(width, strlen(t->cells[k]));
		if (i % t->columns == t->columns - 1)
			fprintf(f, "%s\n", t->cells[i]);
		else
			fprintf(f, "%-*s", (int)width + 3, t->cells[i]);
	}
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(TAKE_PTR(t->cells));
	t->n = 0;
}

static int complain(const char *server, int r, const struct err *e)
{
	return cli_fail("%s: %s", server, *e->msg ? e->msg : strerror(-r));
}

int ask_and_print(const struct cli_usage *usage, int argc, char **argv, const char *path,
		  const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
		  int (*text)(const ProtobufCMessage *msg), int (*judge)(const ProtobufCMessage *msg))
{
	_cleanup_(client_closep) struct client *client = NULL;
	struct ask_args a = { .output = "text" };
	ProtobufCMessage *msg = NULL;
	struct err e = { 0 };
	int r = cli_parse(usage, argc, argv, &a);

	if (r < 0)
		return cli_exit_status(r);
	if (r > 0)
		return cli_wrong(usage, "takes no argument: \"%s\"", argv[0]);
	if (!streq(a.output, "text") && !streq(a.output, "json"))
		return cli_wrong(usage, "--output is text or json, not \"%s\"", a.output);
	r = client_connect(&a.address, &client, &e);
	if (r == 0)
		r = client_ask(client, path, request, response, &msg, &e);
	if (r < 0)
		return complain(client_server(&a.address), r, &e);
	r = 0;
	if (streq(a.output, "json")) {
		pbjson_write(stdout, msg);
		putchar('\n');
	} else {
		r = text(msg);
	}
	if (r == 0 && judge)
		r = judge(msg);
	protobuf_c_message_free_unpacked(msg, NULL);
	return r;
}
