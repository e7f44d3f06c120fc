// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Weir's own pod programs, compiled once more with every map look-up counted: [0] hashes and tries, [1] arrays. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

__u64 lookups[2];

#define IS(map, other) ((void *)(map) == (void *)&(other))
#define IS_ARRAY(map) (IS(map, weir_node) || IS(map, weir_ep) || IS(map, weir_stats) || IS(map, weir_judged))
#define bpf_map_lookup_elem(map, key) (lookups[IS_ARRAY(map)]++, bpf_map_lookup_elem(map, key))

#include "bpf/pod.bpf.c"
