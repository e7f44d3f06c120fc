/* SPDX-License-Identifier: Apache-2.0 */
/* Text in aligned columns, three spaces apart, and the parts that the listing commands share. */
#ifndef WEIR_CLI_TABLE_H
#define WEIR_CLI_TABLE_H

#include <protobuf-c/protobuf-c.h>

#include "cli/cli.h"
#include "cli/client.h"

struct table {
	size_t columns, n;
	char **cells;
};

/* One row: `columns` strings (NULL and "" show as "-"), made harmless to a terminal. 0 or -ENOMEM. */
int table_add(struct table *t, const char *const *cells);
/* Prints and empties it. */
void table_print(struct table *t, FILE *f);

/* What all commands that ask the agent take. */
struct ask_args {
	struct client_address address;
	const char *output; /* text, json */
};
#define ASK_OPTIONS                                                                                   \
	CLIENT_OPTIONS(struct ask_args),                                                              \
	{                                                                                             \
		"output", 'o', "FORMAT", "text, json", cli_set_str, offsetof(struct ask_args, output) \
	}

/* Parse the options, ask, print JSON or call text. Returns the exit status: what judge says (NULL: 0) if all went well.
 */
int ask_and_print(const struct cli_usage *usage, int argc, char **argv, const char *path,
		  const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response,
		  int (*text)(const ProtobufCMessage *msg), int (*judge)(const ProtobufCMessage *msg));

#endif
