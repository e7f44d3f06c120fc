/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_SUMMARY_H
#define WEIR_FLOW_SUMMARY_H

#include "agent/flow/flow.h"

#define FLOW_SUMMARY_MAX 512
/*
 * "TCP Flags: SYN, ACK", "UDP", "ICMPv4 EchoRequest", of layer 7 what l7_summary says; empty for protocols that Cilium
 * has no words for. Valid UTF-8.
 */
void flow_summary(const struct flow *f, char *buf);

#endif
