/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls whom for what: exchanges of layer 7, added up. */
#ifndef WEIR_AGENTS_H
#define WEIR_AGENTS_H

#include "cli/tally.h"
#include "lib/proto/observer.pb-c.h"

struct graph;
struct graph *graph_new(void); /* NULL: out of memory */
void graph_free(struct graph *g);
DEFINE_CLEANUP(struct graph *, graph_free);

/* Adds what the flow tells; others than exchanges of a Weir agent, and DNS, tell nothing. 0 or -ENOMEM. */
int graph_add(struct graph *g, const Flow__Flow *f);
/* The same into a tally: cells are caller, callee, protocol, what. agents_alone: of MCP, A2A and models. */
int graph_tally(struct tally *t, const Flow__Flow *f, bool agents_alone);

/* Sorted by caller, callee, protocol, what. table: 0 or -ENOMEM. */
int graph_print_table(struct graph *g, FILE *f);
void graph_print_json(struct graph *g, FILE *f); /* one array */
void graph_print_dot(struct graph *g, FILE *f);  /* for graphviz */

#endif
