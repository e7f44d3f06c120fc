/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datapath in the kernel: loads the programs, pins them and their maps below one folder of a bpffs, attaches them.
 *   <bpf-dir>/maps/<map>	  include/weir/abi.h
 *   <bpf-dir>/progs/<program>	  from_pod, to_pod: weir-cni attaches these; from_net, xdp_net
 *   <bpf-dir>/links/<program>_<ifindex>
 *   <bpf-dir>/uplinks/<ifindex>  an empty folder: remembers where from_net is, also when it is no link
 * Whatever is there is adopted: maps are reused, pins replaced by rename, links updated, filters replaced in place; at
 * no instant does a packet pass a hook without a program.
 */
#ifndef WEIR_AGENT_DATAPATH_H
#define WEIR_AGENT_DATAPATH_H

#include "agent/l7_rings.h"
#include "lib/err.h"
#include "weir/abi.h"

/* Entries of the maps; zero stands for the default. */
struct datapath_options {
	const char *bpf_dir;
	uint32_t ct_tcp;         /* 65536 */
	uint32_t ct_any;         /* 32768 */
	uint32_t policy;         /* 65536 */
	uint32_t ipcache;        /* 65536 */
	uint32_t frag;           /* 4096 */
	uint32_t deny;           /* 4096 */
	uint32_t ring_bytes;     /* 2 MiB; a power of two */
	uint32_t l7_ring_bytes;  /* 8 MiB: two busy CPUs fill it in 50 ms; a power of two. See l7_rings.h */
	uint32_t l7_budget;      /* bytes of payload copied for one turn of a side; 256 KiB */
	uint32_t l7_connections; /* whose budget and wishes are remembered; 16384 */
	bool l7_off;             /* payload is not read */
	uint32_t l7_default;     /* of pods that do not say: WEIR_EP_L7_FULL, … */
	bool fake_clock;         /* the time is weir_node.fake_now */
};

struct datapath;

/*
 * Mounts a bpffs where there is none: on /sys/fs/bpf when bpf_dir is below, else on bpf_dir. -EEXIST: the pinned maps
 * have other sizes or another ABI, the text says which and what to do. When the verifier refuses, the end of its log is
 * in the error.
 */
int datapath_load(const struct datapath_options *options, struct datapath **ret_dp, struct err *reterr);
/* Closes what is open here; the kernel goes on. */
void datapath_free(struct datapath *dp);
DEFINE_CLEANUP(struct datapath *, datapath_free);

/* By WEIR_MAP_..., by program name. Borrowed; -ENOENT: no such thing. */
int datapath_map_fd(const struct datapath *dp, const char *name);
int datapath_prog_fd(const struct datapath *dp, const char *name);

const struct l7_rings *datapath_l7_rings(const struct datapath *dp); /* borrowed */

/* Give a pod's interface (its host end) this agent's programs. To be called for every attachment at start: those that
 * an earlier agent or weir-cni attached are replaced in place. -ENODEV: the interface has gone. */
int datapath_attach_pod(const struct datapath *dp, uint32_t ifindex, struct err *reterr);

enum datapath_xdp { DATAPATH_XDP_OFF, DATAPATH_XDP_GENERIC, DATAPATH_XDP_NATIVE };
int datapath_attach_uplink(const struct datapath *dp, uint32_t ifindex, enum datapath_xdp xdp, struct err *reterr);
int datapath_detach_uplink(const struct datapath *dp, uint32_t ifindex, struct err *reterr);

/* WEIR_STAT_COUNT counters, each the sum over all CPUs. */
int datapath_stats(const struct datapath *dp, uint64_t ret_stats[WEIR_STAT_COUNT], struct err *reterr);

/* End the connections that are over, with their last event, and count those that are not. */
int datapath_collect(const struct datapath *dp, struct weir_gc *ret_gc, struct err *reterr);

/* 0: no such map. For the ring: its bytes. */
uint32_t datapath_max_entries(const struct datapath *dp, const char *name);

/* Bytes of kernel memory of a map; of all with NULL. */
int datapath_memory(const struct datapath *dp, const char *map, uint64_t *ret_bytes, struct err *reterr);

/* Detach and remove everything below bpf_dir, for weir-agent --cleanup: pods and uplinks are unfiltered then. 0 also
 * when there is nothing. A bpffs that datapath_load mounted on bpf_dir goes too. */
int datapath_unload(const char *bpf_dir, struct err *reterr);

#endif
