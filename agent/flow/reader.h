/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that takes struct weir_event from the kernel's ring. */
#ifndef WEIR_FLOW_READER_H
#define WEIR_FLOW_READER_H

#include "agent/feed.h"
#include "weir/abi.h"

/* The feed's elements are struct weir_event, in the ring's order. */
int flow_reader_start(int ring_fd, struct feed **ret_f, struct err *reterr);

#endif
