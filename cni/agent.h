/* SPDX-License-Identifier: Apache-2.0 */
/* What weir-cni says to weir-agent; the protocol is in lib/attachment.h. */
#ifndef WEIR_CNI_AGENT_H
#define WEIR_CNI_AGENT_H

#include "cni/conf.h"

/* Each returns 0, AGENT_AWAY (reterr says how), or the code of the agent's own error. */
#define AGENT_AWAY (-1)

int agent_add(const struct conf *c, const struct attachment *a, struct err *reterr);
int agent_del(const struct conf *c, const char *key, struct err *reterr);
int agent_check(const struct conf *c, const char *key, struct err *reterr);
/* Also the agent's reason why it is not ready, as code 50. */
int agent_status(const struct conf *c, struct err *reterr);

#endif
