/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces of the test's own namespace, and programs for them. */
#ifndef WEIR_TEST_VETH_H
#define WEIR_TEST_VETH_H

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/syscall.h>

#include "lib/netlink.h"
#include "test/unit.h"

/* A program that passes everything; each has an id of its own. */
static inline int load(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SCHED_CLS, .insns = (uintptr_t)insns, .insn_cnt = 2 };

	attr.license = (uintptr_t) "GPL";
	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static inline void link_request(uint16_t type, const char *name)
{
	_cleanup_close_ int fd = nl_open(NULL);
	struct nl_batch b;
	size_t info;

	nl_batch_init(&b);
	nl_begin(&b, type, type == RTM_NEWLINK ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof(struct ifinfomsg), "link");
	nl_put_str(&b, IFLA_IFNAME, name);
	if (type == RTM_NEWLINK) {
		info = nl_nest(&b, IFLA_LINKINFO, 0);
		nl_put_str(&b, IFLA_INFO_KIND, "veth");
		nl_nest_end(&b, info);
	}
	ck_assert_int_eq(nl_send(fd, &b, NULL, NULL, NULL), 0);
}

static inline uint32_t ifindex(const char *name)
{
	_cleanup_close_ int fd = nl_open(NULL);

	return nl_ifindex(fd, name);
}

#endif
