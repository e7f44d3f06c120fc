/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Settings: constants of the datapath, and the switches that the loader sets before it loads (read-only data). */
#ifndef WEIR_BPF_CONFIG_H
#define WEIR_BPF_CONFIG_H

#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "weir/abi.h"

/* The clock is weir_node.fake_now, so that tests need not wait. */
const volatile bool cfg_fake_clock = false;
/* CONFIG_HZ of the running kernel. */
const volatile __u32 cfg_ticks_per_sec = 250;
/* The reader of the ring is woken each time so many bytes more are waiting; a power of two. */
const volatile __u32 cfg_wakeup_bytes = 1 << 20;

/* Payload of HTTP, DNS, TLS is copied for the agent: at all; bytes of a side's turn to speak. */
const volatile bool cfg_l7 = true;
const volatile __u32 cfg_l7_default = WEIR_EP_L7_FULL; /* for pods that do not say: WEIR_EP_L7_… */
const volatile __u32 cfg_l7_budget = 256 << 10;

/* See judged.h; the benchmark measures without, too. */
const volatile bool cfg_remember = true;

#define ACTIVE_SEC 5  /* a connection with traffic is reported that often */
#define IDLE_SEC 120  /* a connection of anything but TCP is over after such a silence */
#define LINGER_SEC 10 /* how long late packets of a closed TCP connection pass */
#define EXTHDR_MAX 8  /* IPv6 extension headers that are walked */

char _license[] SEC("license") = "Dual BSD/GPL";

#endif
