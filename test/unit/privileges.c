// SPDX-License-Identifier: Apache-2.0
#include "agent/privileges.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "test/unit.h"

#define BIT(cap) (UINT64_C(1) << (cap))
#define KEPT (BIT(CAP_NET_ADMIN) | BIT(CAP_PERFMON) | BIT(CAP_BPF))

struct caps {
	uint64_t effective, permitted, inheritable;
};

/* Of the calling thread, by the kernel and not by the library that the code under test asks. */
static struct caps get(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {};

	ck_assert_int_eq(syscall(SYS_capget, &h, d), 0);
	return (struct caps){ d[0].effective | (uint64_t)d[1].effective << 32,
			      d[0].permitted | (uint64_t)d[1].permitted << 32,
			      d[0].inheritable | (uint64_t)d[1].inheritable << 32 };
}

static void set(uint64_t effective, uint64_t inheritable)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { effective, effective, inheritable },
					       { effective >> 32, effective >> 32, inheritable >> 32 } };

	ck_assert_int_eq(syscall(SYS_capset, &h, d), 0);
}

static void has(uint64_t want)
{
	struct caps c = get();

	ck_assert_uint_eq(c.effective, want);
	ck_assert_uint_eq(c.permitted, want);
	ck_assert_uint_eq(c.inheritable & ~want, 0);
	ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
}

/* False: not root, there is nothing to give up. */
static bool is_root(void)
{
	return (get().permitted & (KEPT | BIT(CAP_SYS_CHROOT))) == (KEPT | BIT(CAP_SYS_CHROOT));
}

START_TEST(three_capabilities_stay)
{
	struct err e;

	if (!is_root())
		return;
	set(get().permitted, get().permitted);
	ck_assert_int_eq(privileges_drop(&e), 0);
	has(KEPT);
	ck_assert(chroot("/") < 0 && errno == EPERM);
	ck_assert(unshare(CLONE_NEWUTS) < 0 && errno == EPERM); /* takes CAP_SYS_ADMIN */
	ck_assert_int_eq(privileges_drop(&e), 0);               /* again is no mistake */
	has(KEPT);
}
END_TEST

static void *reader(_unused_ void *unused)
{
	struct err e;

	ck_assert_int_eq(privileges_drop_all(&e), 0);
	has(0);
	ck_assert(unshare(CLONE_NEWUTS) < 0 && errno == EPERM);
	return NULL;
}

static atomic_int step;

/* Tries what is forbidden, and something else, once the other thread has dropped. */
static void *bystander(_unused_ void *unused)
{
	char *const argv[] = { "true", NULL };

	step = 1;
	while (step != 2)
		sched_yield();
	ck_assert(execv("/bin/true", argv) < 0 && errno == EPERM);
	ck_assert(syscall(SYS_setns, -1, 0) < 0 && errno == EPERM); /* else EBADF */
	ck_assert_int_gt(syscall(SYS_gettid), 0);
	return NULL;
}

START_TEST(no_thread_executes_anything)
{
	struct err e;
	pthread_t t;

	if (!is_root())
		return;
	ck_assert_int_eq(pthread_create(&t, NULL, bystander, NULL), 0);
	while (step != 1)
		sched_yield();
	ck_assert_int_eq(privileges_drop(&e), 0);
	step = 2;
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert(mount("none", "/", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	ck_assert(syscall(SYS_open_by_handle_at, -1, NULL, 0) < 0 && errno == EPERM);
	ck_assert_int_eq(pthread_create(&t, NULL, reader, NULL), 0); /* threads it may have */
	ck_assert_int_eq(pthread_join(t, NULL), 0);
}
END_TEST

START_TEST(none_is_taken_that_was_not_there)
{
	struct err e;

	if (!is_root())
		return;
	set(BIT(CAP_BPF) | BIT(CAP_CHOWN), 0);
	ck_assert_int_eq(privileges_drop(&e), 0);
	has(BIT(CAP_BPF));
}
END_TEST

START_TEST(a_thread_gives_up_its_own)
{
	struct caps before = get();
	pthread_t t;

	if (!is_root())
		return;
	ck_assert_int_eq(pthread_create(&t, NULL, reader, NULL), 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_uint_eq(get().effective, before.effective);
	ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}
END_TEST

UNIT_MAIN(privileges, three_capabilities_stay, no_thread_executes_anything, none_is_taken_that_was_not_there,
	  a_thread_gives_up_its_own)
