/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that empties the kernel's ring into a bounded queue. When the main loop does not keep up the queue fills, the
 * reader stops, and the ring fills: what is lost is lost in one place, where the datapath counts it.
 */
#ifndef WEIR_FLOW_READER_H
#define WEIR_FLOW_READER_H

#include "lib/err.h"
#include "weir/abi.h"

struct flow_reader;
int flow_reader_start(int ring_fd, struct flow_reader **ret_r, struct err *reterr);
/* Stops the thread; what is still in the queue is gone. */
void flow_reader_stop(struct flow_reader *r);
DEFINE_CLEANUP(struct flow_reader *, flow_reader_stop);

/* Readable when there is something in the queue. */
int flow_reader_fd(const struct flow_reader *r);
/* Up to max events, in the ring's order. */
size_t flow_reader_take(struct flow_reader *r, struct weir_event *events, size_t max);
#endif
