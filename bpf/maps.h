/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps, as include/weir/abi.h describes them; the loader sets the sizes and pins them by name. What only user
 * space writes is read-only for programs.
 */
#ifndef WEIR_BPF_MAPS_H
#define WEIR_BPF_MAPS_H

#include "bpf/config.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct weir_node);
} weir_node SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WEIR_EP_MAX);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct weir_ep);
} weir_ep SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEIR_EP_MAX);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, __u32);
} weir_ep_if SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
	__type(key, struct weir_lpm_key);
	__type(value, struct weir_ipcache);
} weir_ipcache SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
	__type(key, struct weir_policy_key);
	__type(value, struct weir_policy_val);
} weir_policy SEC(".maps");

/* TCP has a map of its own, so that floods of datagrams cannot evict it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct weir_ct_key);
	__type(value, struct weir_ct);
} weir_ct_tcp SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct weir_ct_key);
	__type(value, struct weir_ct);
} weir_ct_any SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct weir_frag_key);
	__type(value, struct weir_frag);
} weir_frag SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct weir_lpm_key);
	__type(value, struct weir_deny);
} weir_deny SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_STAT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} weir_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 << 20);
} weir_events SEC(".maps");

/* A ring for each CPU: two that write into one wait for its lock. The agent makes them, see weir/abi.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
	    values, struct {
		    __uint(type, BPF_MAP_TYPE_RINGBUF);
		    __uint(max_entries, 4096);
	    });
} weir_l7_rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct weir_ct_key);
	__type(value, struct weir_l7_frames);
} weir_l7_frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct weir_ct_key);
	__type(value, struct weir_l7_want);
} weir_l7_want SEC(".maps");

/* What policy said in this tick, see judged.h: the programs' own. */
#define JUDGED_BITS 8

struct judged {
	struct weir_addr daddr;
	__u32 gen, tick;
	__be16 dport;
	__u16 from, to; /* slots of sender and receiver */
	__u8 proto;
	__u8 verdict;   /* 0 or an enum weir_drop */
	__u32 identity; /* of the receiver */
	__u32 rule[2];
	__u8 audit, dir;
	__u16 pad;
} __attribute__((aligned(8)));

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << JUDGED_BITS);
	__type(key, __u32);
	__type(value, struct judged);
} weir_judged SEC(".maps");

static __always_inline const struct weir_node *node_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&weir_node, &zero);
}

static __always_inline const struct weir_ep *ep_get(__u32 slot)
{
	return bpf_map_lookup_elem(&weir_ep, &slot);
}

static __always_inline __u32 now_ticks(const struct weir_node *node)
{
	return cfg_fake_clock ? node->fake_now : (__u32)bpf_jiffies64();
}

/* Returns what this CPU counted before. */
static __always_inline __u64 stat_add(__u32 index, __u64 n)
{
	__u64 *v = bpf_map_lookup_elem(&weir_stats, &index);

	return v ? __sync_fetch_and_add(v, n) : 0;
}

#endif
