/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CLI_POLICY_H
#define WEIR_CLI_POLICY_H

#include "cli/policy_world.h"

int cmd_policy_explain(int argc, char **argv);
int cmd_policy_matrix(int argc, char **argv);

/* Read and compile, with what is wrong on stderr. 0, or 1 when there were errors; w->result is NULL when there is no
 * answer to be had at all. world_done(w) in any case. */
int policy_load_world(const char *objects, struct world *w);

#endif
