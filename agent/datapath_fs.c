// SPDX-License-Identifier: Apache-2.0
#include "agent/datapath_fs.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "agent/datapath.h"
#include "lib/tc_attach.h"

#define BPFFS "/sys/fs/bpf"

static const char *const folders[] = { "maps", "progs", "links", "uplinks" };

char *path_in(const char *bpf_dir, const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s/%s", bpf_dir, folder, name) < 0 ? NULL : path;
}

char *link_path(const char *bpf_dir, const char *program, uint32_t ifindex)
{
	char *path;

	return asprintf(&path, "%s/links/%s_%u", bpf_dir, program, ifindex) < 0 ? NULL : path;
}

char *uplink_path(const char *bpf_dir, uint32_t ifindex)
{
	char *path;

	return asprintf(&path, "%s/uplinks/%u", bpf_dir, ifindex) < 0 ? NULL : path;
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

static int make_folders(const char *path, struct err *reterr)
{
	_cleanup_free_ char *p = strdup(path);

	if (!p)
		return err_oom(reterr);
	for (char *slash = p;; *slash = '/') {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(p, 0700) < 0 && errno != EEXIST)
			return err_set(reterr, -errno, "cannot make %s: %m", p);
		if (!slash)
			return 0;
	}
}

static int mount_bpffs(const char *where, struct err *reterr)
{
	if (is_bpffs(where))
		return 0;
	if (mount("bpf", where, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "mode=0700") < 0)
		return err_set(reterr, -errno, "cannot mount a bpffs on %s: %m", where);
	return 0;
}

int bpffs_prepare(const char *bpf_dir, struct err *reterr)
{
	bool standard = str_prefix(bpf_dir, BPFFS "/");
	int r = standard ? mount_bpffs(BPFFS, reterr) : 0;

	if (r == 0)
		r = make_folders(bpf_dir, reterr);
	if (r == 0 && !standard)
		r = mount_bpffs(bpf_dir, reterr);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++) {
		_cleanup_free_ char *path = path_in(bpf_dir, "", folders[i]);

		if (!path)
			return err_oom(reterr);
		r = make_folders(path, reterr);
	}
	return r;
}

int for_each_in(const char *bpf_dir, const char *folder,
		int (*fn)(const char *name, void *userdata, struct err *reterr), void *userdata, struct err *reterr)
{
	_cleanup_free_ char *path = path_in(bpf_dir, "", folder);
	struct dirent **names;
	int n = path ? scandir(path, &names, NULL, alphasort) : -1, r = 0;

	if (!path)
		return err_oom(reterr);
	if (n < 0)
		return errno == ENOENT ? 0 : err_set(reterr, -errno, "cannot read %s: %m", path);
	for (int i = 0; i < n; i++) {
		if (r == 0 && names[i]->d_name[0] != '.')
			r = fn(names[i]->d_name, userdata, reterr);
		free(names[i]);
	}
	free(names);
	return r;
}

int detach_uplink(const char *bpf_dir, uint32_t ifindex, struct err *reterr)
{
	_cleanup_free_ char *tc = link_path(bpf_dir, "from_net", ifindex),
			    *xdp = link_path(bpf_dir, "xdp_net", ifindex);
	_cleanup_free_ char *mark = uplink_path(bpf_dir, ifindex);
	int r;

	if (!tc || !xdp || !mark)
		return err_oom(reterr);
	if (unlink(xdp) < 0 && errno != ENOENT)
		return err_set(reterr, -errno, "cannot remove %s: %m", xdp);
	r = tc_detach(ifindex, true, tc, reterr);
	if (r < 0)
		return r;
	return rmdir(mark) < 0 && errno != ENOENT ? err_set(reterr, -errno, "cannot remove %s: %m", mark) : 0;
}

int fd_memlock(int fd, uint64_t *ret_bytes)
{
	uint64_t type = 0, entries = 0;
	char path[64], line[128];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "map_type: %" SCNu64, &type) == 1 ||
		    sscanf(line, "max_entries: %" SCNu64, &entries) == 1)
			continue;
		if (sscanf(line, "memlock: %" SCNu64, ret_bytes) != 1)
			continue;
		if (type == BPF_MAP_TYPE_RINGBUF)
			*ret_bytes = MAX(*ret_bytes, entries);
		return 0;
	}
	return -ENODATA;
}

/* ---- the end of everything */

static int unload_uplink(const char *name, void *userdata, struct err *reterr)
{
	return detach_uplink(userdata, strtoul(name, NULL, 10), reterr);
}

struct removal {
	const char *bpf_dir, *folder;
};

static int remove_pin(const char *name, void *userdata, struct err *reterr)
{
	const struct removal *rm = userdata;
	_cleanup_free_ char *path = path_in(rm->bpf_dir, rm->folder, name);

	if (!path)
		return err_oom(reterr);
	return unlink(path) < 0 && errno != ENOENT ? err_set(reterr, -errno, "cannot remove %s: %m", path) : 0;
}

/* Before the programs go, which keep pods from the node's 127.0.0.0/8, so does what would lead there. */
static int detach_pod(int nl, uint32_t ifindex, struct err *reterr)
{
	int r = nl_route_localnet(nl, ifindex, false, reterr);

	if (r == 0)
		r = tc_detach(ifindex, true, NULL, reterr);
	return r ?: tc_detach(ifindex, false, NULL, reterr);
}

/* Pods have no links: the endpoint map knows where the programs are. */
static int detach_pods(const char *bpf_dir, struct err *reterr)
{
	_cleanup_free_ char *path = path_in(bpf_dir, "maps", WEIR_MAP_EP);
	_cleanup_close_ int fd = path ? bpf_obj_get(path) : -1;
	_cleanup_close_ int nl = nl_open(reterr);
	struct weir_ep ep;
	int r = 0;

	if (!path)
		return err_oom(reterr);
	if (nl < 0)
		return nl;
	for (uint32_t slot = 1; r == 0 && fd >= 0 && slot < WEIR_EP_MAX; slot++)
		if (bpf_map_lookup_elem(fd, &slot, &ep) == 0 && ep.ifindex)
			r = detach_pod(nl, ep.ifindex, reterr);
	return r;
}

static int remove_folder(const char *bpf_dir, const char *folder, struct err *reterr)
{
	struct removal rm = { .bpf_dir = bpf_dir, .folder = folder };
	_cleanup_free_ char *path = path_in(bpf_dir, "", folder);
	int r;

	if (!path)
		return err_oom(reterr);
	r = for_each_in(bpf_dir, folder, remove_pin, &rm, reterr);
	if (r < 0)
		return r;
	return rmdir(path) < 0 && errno != ENOENT ? err_set(reterr, -errno, "cannot remove %s: %m", path) : 0;
}

int datapath_unload(const char *bpf_dir, struct err *reterr)
{
	int r;

	if (!is_bpffs(bpf_dir))
		return 0;
	r = for_each_in(bpf_dir, "uplinks", unload_uplink, (void *)bpf_dir, reterr);
	if (r == 0)
		r = detach_pods(bpf_dir, reterr);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++)
		r = remove_folder(bpf_dir, folders[i], reterr);
	if (r < 0)
		return r;
	if (rmdir(bpf_dir) == 0)
		return 0;
	if (errno != EBUSY) /* a mount point is */
		return err_set(reterr, -errno, "cannot remove %s: %m", bpf_dir);
	if (umount2(bpf_dir, 0) < 0)
		return err_set(reterr, -errno, "cannot unmount %s: %m", bpf_dir);
	return rmdir(bpf_dir) < 0 ? err_set(reterr, -errno, "cannot remove %s: %m", bpf_dir) : 0;
}
