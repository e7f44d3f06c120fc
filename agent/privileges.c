// SPDX-License-Identifier: Apache-2.0
#include "agent/privileges.h"

#include <cap-ng.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

static int apply(struct err *reterr)
{
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return err_set(reterr, -EPERM, "cannot give up capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(reterr, -errno, "cannot set no_new_privs: %m");
	return 0;
}

/* What the agent never does, and who takes it over would: run something else, look into others, change the system. */
static const int forbidden[] = {
	SYS_execve,       SYS_execveat,      SYS_process_vm_readv,  SYS_process_vm_writev,
	SYS_mount,        SYS_umount2,       SYS_move_mount,        SYS_open_tree,
	SYS_fsopen,       SYS_fsmount,       SYS_pivot_root,        SYS_chroot,
	SYS_setns,        SYS_unshare,       SYS_open_by_handle_at, SYS_init_module,
	SYS_finit_module, SYS_delete_module, SYS_kexec_load,        SYS_kexec_file_load,
	SYS_reboot,       SYS_swapon,        SYS_swapoff,           SYS_add_key,
	SYS_request_key,  SYS_keyctl,        SYS_io_uring_setup,    SYS_userfaultfd,
	SYS_pidfd_getfd,
#ifndef __SANITIZE_ADDRESS__ /* whose search for leaks begins with it */
	SYS_ptrace,
#endif
};

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define OTHER_ABI 0x40000000 /* x32: the same calls by other numbers */
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#define OTHER_ABI 0x7fffffff
#else
#define ARCH 0 /* not known what seccomp calls it: nothing is forbidden */
#define OTHER_ABI 0
#endif

/* Of all threads, and for good. */
static int forbid(struct err *reterr)
{
	enum { HEAD = 4, N = ARRAY_SIZE(forbidden), DENY = HEAD + N + 1 };
	struct sock_filter f[DENY + 1] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, DENY - 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_ABI, DENY - 4, 0),
		[DENY - 1] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		[DENY] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	const struct sock_fprog prog = { ARRAY_SIZE(f), f };

	if (!ARCH)
		return 0;
	for (int i = 0; i < N; i++)
		f[HEAD + i] =
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (__u32)forbidden[i], (__u8)(N - i), 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) != 0)
		return err_set(reterr, -errno ?: -EPERM, "cannot forbid system calls: %m");
	return 0;
}

int privileges_drop(struct err *reterr)
{
	/* NET_ADMIN: nftables, attachments. BPF, PERFMON: maps and programs. Mounting bpffs and opening rings by their
	 * numbers, which take SYS_ADMIN, are over. */
	static const unsigned kept[] = { CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON };
	int r;

	capng_get_caps_process();
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool keep = false;

		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			keep |= kept[i] == cap;
		if (!keep)
			capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE, cap);
	}
	r = apply(reterr);
	return r < 0 ? r : forbid(reterr);
}

int privileges_drop_all(struct err *reterr)
{
	capng_clear(CAPNG_SELECT_CAPS);
	return apply(reterr);
}
