/* SPDX-License-Identifier: Apache-2.0 */
/* The folders of the datapath in bpffs. bpffs allows no dot in names. */
#ifndef WEIR_AGENT_DATAPATH_FS_H
#define WEIR_AGENT_DATAPATH_FS_H

#include "lib/err.h"

/* The caller frees; NULL: out of memory. */
char *path_in(const char *bpf_dir, const char *folder, const char *name);
char *link_path(const char *bpf_dir, const char *program, uint32_t ifindex);
char *uplink_path(const char *bpf_dir, uint32_t ifindex);

/* A bpffs with our folders below bpf_dir; what is there stays. */
int bpffs_prepare(const char *bpf_dir, struct err *reterr);

/* Each name in <bpf-dir>/<folder>, until fn fails; 0 also when there is no such folder. fn may remove the name. */
int for_each_in(const char *bpf_dir, const char *folder,
		int (*fn)(const char *name, void *userdata, struct err *reterr), void *userdata, struct err *reterr);

int detach_uplink(const char *bpf_dir, uint32_t ifindex, struct err *reterr);

/* The kernel's own figure for a map; where it leaves out what is in a ring (before Linux 6.4), at least that. */
int fd_memlock(int fd, uint64_t *ret_bytes);

#endif
