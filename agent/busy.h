/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods that send much. A TCX link costs each packet 45 ns less than the filter that every pod's interface has, but it
 * comes and goes with the RTNL lock held for an RCU grace period (lib/tc_attach.h). So only where it pays a link is put
 * in front of the filter. It is not pinned: it ends with the agent, or with the interface, and the filter goes on.
 */
#ifndef WEIR_AGENT_BUSY_H
#define WEIR_AGENT_BUSY_H

#include "agent/endpoint.h"

/*
 * To be called from time to time: compares what each pod has sent with what it had at the last look, and attaches
 * prog_fd (borrowed) where that were so many packets a second, to a few at a time. Returns how many; -EOPNOTSUPP: this
 * kernel has no such links, it need not be called again.
 */
int busy_look(struct endpoints *eps, uint32_t packets, int prog_fd);

#endif
