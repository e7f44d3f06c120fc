/* SPDX-License-Identifier: Apache-2.0 */
/* Flows of a server, or of a file of JSON lines as the exporters and `observe -o jsonpb` write them. */
#ifndef WEIR_CLI_FLOWS_H
#define WEIR_CLI_FLOWS_H

#include "cli/client.h"
#include "lib/proto/observer.pb-c.h"

/* A row for tables of commands that have `const char *input_file` in their arguments. */
#define INPUT_FILE_OPTION(type)                                                                                       \
	{                                                                                                             \
		"input-file", 0, "FILE", "flows from a file of JSON lines, also .gz; - for stdin; not from a server", \
		    cli_set_str, offsetof(type, input_file)                                                           \
	}

struct flow_query {
	const struct client_address *address;
	const char *file; /* NULL: ask the server */
	const Observer__GetFlowsRequest *request;
	/* Both as struct client_call has them. */
	int (*on_message)(void *userdata, const ProtobufCMessage *msg);
	int (*idle)(void *userdata);
	int (*tick)(void *userdata); /* these only of a server */
	unsigned tick_ms;
	int (*input)(void *userdata);
	int fd;
	void *userdata;
};

/*
 * The answer to the request, message by message. A file is read to its end, follow is not heeded; lines that cannot be
 * read are told on stderr and passed over, and the end is -EBADMSG then.
 */
int flows_get(const struct flow_query *q, struct err *reterr);

#endif
