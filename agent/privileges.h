/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_AGENT_PRIVILEGES_H
#define WEIR_AGENT_PRIVILEGES_H

#include "lib/err.h"

/*
 * After start: keep only the capabilities that the loop needs, and never gain any again. Of the calling thread. No
 * thread may execute a program, mount, change namespaces and the like from then on.
 */
int privileges_drop(struct err *reterr);
/* For a thread that reads what pods send: keep none. */
int privileges_drop_all(struct err *reterr);

#endif
