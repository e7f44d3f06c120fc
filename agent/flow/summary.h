/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_FLOW_SUMMARY_H
#define WEIR_FLOW_SUMMARY_H

#include "lib/macro.h"
#include "weir/abi.h"

#define FLOW_SUMMARY_MAX 96
/* "TCP Flags: SYN, ACK", "UDP", "ICMPv4 EchoRequest"; empty for protocols that Cilium has no words for. */
void flow_summary(const struct weir_event *ev, char *buf);

#endif
