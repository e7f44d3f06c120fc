// SPDX-License-Identifier: Apache-2.0
#include "lib/tc_attach.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "test/unit.h"
#include "test/unit/veth.h"

static char dir[64];

/* Namespaces and a bpffs that end with this test's process. False: not root. */
static bool enter(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return false;
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	strcpy(dir, "/tmp/weir-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(mount("weir-unit", dir, "bpf", 0, NULL), 0);
	link_request(RTM_NEWLINK, "one");
	return true;
}

static void leave(void)
{
	ck_assert_int_eq(umount2(dir, MNT_DETACH), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(a_filter_is_attached_replaced_and_removed)
{
	_cleanup_close_ int prog = load(), other = load();
	struct err e = {};
	uint32_t i;

	if (!enter())
		return;
	i = ifindex("one");
	for (int in = 0; in < 2; in++) {
		ck_assert_int_eq(tc_attached(i, in, NULL, NULL), -ENOENT);
		ck_assert_int_eq(tc_detach(i, in, NULL, NULL), 0);
		ck_assert_msg(tc_attach(prog, i, in, NULL, &e) == 0, "%s", e.msg);
		ck_assert_int_eq(tc_attached(i, in, NULL, NULL), 0);
		ck_assert_int_eq(tc_attach(other, i, in, NULL, NULL), 0);
	}
	ck_assert_int_eq(tc_detach(i, true, NULL, NULL), 0);
	ck_assert_int_eq(tc_attached(i, true, NULL, NULL), -ENOENT);
	ck_assert_int_eq(tc_attached(i, false, NULL, NULL), 0);
	ck_assert_int_eq(tc_attach(-1, i, true, NULL, NULL), -EBADF);
	ck_assert_int_eq(tc_attach(prog, 4711, true, NULL, NULL), -ENODEV);
	ck_assert_int_eq(tc_attached(4711, true, NULL, NULL), -ENOENT);
	ck_assert_int_eq(tc_detach(4711, true, NULL, NULL), 0);
	leave();
}
END_TEST

START_TEST(a_link_is_pinned_updated_and_outlives_its_interface_as_a_dead_pin)
{
	_cleanup_close_ int prog = load(), other = load();
	char pin[96];
	struct err e = {};
	struct stat a, b;
	uint32_t i;

	if (!enter())
		return;
	snprintf(pin, sizeof(pin), "%s/one-in", dir);
	i = ifindex("one");
	ck_assert_int_eq(tc_attached(i, true, pin, NULL), -ENOENT);
	ck_assert_msg(tc_attach(prog, i, true, pin, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(tc_attached(i, true, pin, NULL), 0);
	if (stat(pin, &a) == 0) { /* else the kernel has no TCX, and a filter stands in for it */
		ck_assert_int_eq(tc_attached(i, false, pin, NULL), -ENOENT); /* the other side */
		ck_assert_int_eq(tc_attach(other, i, true, pin, NULL), 0);
		ck_assert(stat(pin, &b) == 0 && a.st_ino == b.st_ino); /* updated, not replaced */
		link_request(RTM_DELLINK, "one");
		ck_assert_int_eq(access(pin, F_OK), 0);
		ck_assert_int_eq(tc_attached(i, true, pin, NULL), -ENOENT);
		link_request(RTM_NEWLINK, "one");
		i = ifindex("one");
		ck_assert_msg(tc_attach(prog, i, true, pin, &e) == 0, "%s", e.msg); /* over the dead one */
		ck_assert_int_eq(tc_attached(i, true, pin, NULL), 0);
	}
	ck_assert_int_eq(tc_detach(i, true, pin, NULL), 0);
	ck_assert_int_eq(tc_attached(i, true, pin, NULL), -ENOENT);
	ck_assert_int_eq(tc_detach(i, true, pin, NULL), 0);
	leave();
}
END_TEST

START_TEST(a_link_that_cannot_be_pinned_is_not_attached)
{
	_cleanup_close_ int prog = load();
	char pin[96];
	uint32_t i;

	if (!enter())
		return;
	snprintf(pin, sizeof(pin), "%s/absent/one", dir);
	i = ifindex("one");
	ck_assert_int_lt(tc_attach(prog, i, true, pin, NULL), 0);
	ck_assert_int_eq(tc_attached(i, true, pin, NULL), -ENOENT);
	leave();
}
END_TEST

UNIT_MAIN(tc_attach, a_filter_is_attached_replaced_and_removed,
	  a_link_is_pinned_updated_and_outlives_its_interface_as_a_dead_pin,
	  a_link_that_cannot_be_pinned_is_not_attached)
