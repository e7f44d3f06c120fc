// SPDX-License-Identifier: Apache-2.0
#include "lib/fs.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int fs_mkdir_p(const char *path, mode_t mode)
{
	_cleanup_free_ char *p = strdup(path);

	if (!p)
		return -ENOMEM;
	for (char *s = p + 1; (s = strchr(s, '/')); *s++ = '/') {
		*s = 0;
		if (mkdir(p, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_dir(const char *dir, bool make)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), r;

	if (fd >= 0 || errno != ENOENT || !make)
		return fd < 0 ? -errno : fd;
	r = fs_mkdir_p(dir, 0700);
	if (r < 0)
		return r;
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int temp_name(const char *name, char temp[256])
{
	return snprintf(temp, 256, ".%s", name) >= 256 ? -ENAMETOOLONG : 0;
}

static int write_temp(int dir, const char *temp, const void *data, size_t len, bool exclusive)
{
	_cleanup_close_ int fd =
	    openat(dir, temp, O_WRONLY | O_CREAT | O_CLOEXEC | (exclusive ? O_EXCL : O_TRUNC), 0600);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, data, len);
	if (n == (ssize_t)len)
		return 0;
	n = n < 0 ? -errno : -ENOSPC;
	unlinkat(dir, temp, 0);
	return n;
}

int fs_write(const char *dir, const char *name, const void *data, size_t len, bool exclusive, struct err *reterr)
{
	_cleanup_close_ int fd = -1;
	char temp[256];
	int r = temp_name(name, temp);

	if (r == 0)
		fd = r = open_dir(dir, true);
	if (fd >= 0)
		r = write_temp(fd, temp, data, len, exclusive);
	if (r == 0 && syscall(SYS_renameat2, fd, temp, fd, name, exclusive ? RENAME_NOREPLACE : 0) < 0) {
		r = -errno;
		unlinkat(fd, temp, 0);
	}
	return r < 0 ? err_set(reterr, r, "cannot write %s/%s: %m", dir, name) : 0;
}

int fs_remove(const char *dir, const char *name, struct err *reterr)
{
	_cleanup_close_ int fd = open_dir(dir, false);
	char temp[256];
	int r = temp_name(name, temp);

	if (fd < 0 || r < 0)
		return fd == -ENOENT ? 0 : err_set(reterr, MIN(fd, r), "cannot remove %s/%s: %m", dir, name);
	if ((unlinkat(fd, temp, 0) < 0 && errno != ENOENT) || (unlinkat(fd, name, 0) < 0 && errno != ENOENT))
		return err_set(reterr, -errno, "cannot remove %s/%s: %m", dir, name);
	return 0;
}

int fs_read_fd(int fd, size_t max, char **ret_data, size_t *ret_len)
{
	_cleanup_free_ char *buf = NULL;
	size_t len = 0, size = 0;
	ssize_t n;

	do {
		if (len == size) {
			size_t bigger = size ? size * 2 : 4096;
			char *p = realloc(buf, bigger + 1);

			if (!p)
				return -ENOMEM;
			buf = p;
			size = bigger;
		}
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += MAX(n, 0);
		if (len > max)
			return -EFBIG;
	} while (n);
	buf[len] = 0;
	*ret_data = TAKE_PTR(buf);
	*ret_len = len;
	return 0;
}
