/* SPDX-License-Identifier: Apache-2.0 */
/* Flows as `hubble observe` prints them. */
#ifndef WEIR_OBSERVE_PRINT_H
#define WEIR_OBSERVE_PRINT_H

#include "cli/flow_text.h"

enum observe_output { OUTPUT_COMPACT, OUTPUT_DICT, OUTPUT_JSON, OUTPUT_TABLE };

struct printer {
	FILE *out;
	enum observe_output output;
	struct flow_style style;
	bool node_names;
	bool silent; /* of nodes that are in trouble */
	bool begun;
	char **rows; /* table: cells, a row after the other */
	size_t n_cells;
};

/* 0 or -ENOMEM; a table is kept until printer_end. */
int printer_flow(struct printer *p, const Observer__GetFlowsResponse *msg);
void printer_end(struct printer *p);

#endif
