/* SPDX-License-Identifier: Apache-2.0 */
/* The commands; each in a file of its own. They return 0 or an enum cni_code. */
#ifndef WEIR_CNI_CMD_H
#define WEIR_CNI_CMD_H

#include "cni/conf.h"

/* In conf: environment and stdin are read and checked; netns is open where the command needs it, else -1. */
int cmd_add(struct conf *c, int netns, struct err *reterr);
int cmd_del(struct conf *c, int netns, struct err *reterr);
int cmd_check(struct conf *c, int netns, struct err *reterr);
int cmd_gc(struct conf *c, int netns, struct err *reterr);
int cmd_status(struct conf *c, int netns, struct err *reterr);

/* ADD behind another plugin: enforce policy on the interface that it made. */
int chain_add(struct conf *c, int netns, struct err *reterr);

/*
 * Remove what an attachment consists of, the record last and only when all else has gone. a: its record, NULL when
 * there is none that can be read. Every step is tried; the first error is returned. host: netlink socket, -1 where
 * there is no link of ours.
 */
int teardown(const struct conf *c, int host, const char *key, const struct attachment *a, struct err *reterr);

/* A new record of this request: names, netns, MACs and pod set. NULL: out of memory. */
struct attachment *attachment_for(struct conf *c);
/* The agent is told last. Away is fine unless there are port mappings, which nobody else would apply. */
int announce(const struct conf *c, const struct attachment *a, struct err *reterr);

#endif
