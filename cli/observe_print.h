/* SPDX-License-Identifier: Apache-2.0 */
/* Flows as `hubble observe` prints them. */
#ifndef WEIR_OBSERVE_PRINT_H
#define WEIR_OBSERVE_PRINT_H

#include "lib/macro.h"
#include "lib/proto/observer.pb-c.h"

enum observe_output { OUTPUT_COMPACT, OUTPUT_DICT, OUTPUT_JSON, OUTPUT_TABLE };

struct printer {
	FILE *out;
	enum observe_output output;
	bool color, node_names, policy_names, ip_translation;
	const char *time_layout; /* of cli/times.h */
	bool begun;
	char **rows; /* table: cells, a row after the other */
	size_t n_cells;
};

/* 0 or -ENOMEM; a table is kept until printer_end. */
int printer_flow(struct printer *p, const Observer__GetFlowsResponse *msg);
void printer_end(struct printer *p);

/* s without anything that a terminal obeys: ESC becomes ^[, others \r, \n, \x07. In buf, cut to its size. */
const char *printable(const char *s, char *buf, size_t size);

#endif
