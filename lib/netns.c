// SPDX-License-Identifier: Apache-2.0
#include "lib/netns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define OWN "/proc/self/ns/net"

int netns_open(const char *path, struct err *reterr)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_set(reterr, -errno, "cannot open the network namespace %s: %m", path);
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_set(reterr, -EINVAL, "%s is not a network namespace", path);
	return TAKE_FD(fd);
}

bool netns_is_own(int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(OWN, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int netns_enter(int fd, int *ret_own, struct err *reterr)
{
	_cleanup_close_ int own = open(OWN, O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return err_set(reterr, -errno, "cannot open " OWN ": %m");
	if (setns(fd, CLONE_NEWNET) < 0)
		return err_set(reterr, -errno, "cannot enter the network namespace: %m");
	*ret_own = TAKE_FD(own);
	return 0;
}

void netns_leave(int own)
{
	if (setns(own, CLONE_NEWNET) < 0)
		abort();
	close_fd(own);
}
