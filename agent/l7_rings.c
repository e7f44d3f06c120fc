// SPDX-License-Identifier: Apache-2.0
#include "agent/l7_rings.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "weir/abi.h"

#define LEAST (256u << 10) /* what a CPU writes in 5 ms */

static int entries_of(int fd, uint32_t *ret, struct err *reterr)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return err_set(reterr, -errno, "cannot inspect map " WEIR_MAP_L7_RINGS " or what it holds: %m");
	*ret = info.max_entries;
	return 0;
}

/* Of each of n. */
static uint32_t size_of(uint32_t bytes, size_t n)
{
	uint32_t share = bytes;

	for (; n > 1; n = (n + 1) / 2)
		share /= 2;
	return MAX(share, MIN(bytes, LEAST));
}

static int check_size(int fd, uint32_t size, struct err *reterr)
{
	uint32_t is = 0;
	int r = entries_of(fd, &is, reterr);

	if (r < 0 || is == size)
		return r;
	return err_set(reterr, -EEXIST,
		       "the rings of map " WEIR_MAP_L7_RINGS " have %u bytes, wanted are %u: use the former size or "
		       "remove the datapath first (weir-agent --cleanup)",
		       is, size);
}

static int adopt(int map, uint32_t slots, uint32_t bytes, struct l7_rings *rings, struct err *reterr)
{
	uint32_t id, first = 0;
	int r = 0;

	for (uint32_t cpu = 0; cpu < slots; cpu++) {
		int fd;

		if (bpf_map_lookup_elem(map, &cpu, &id) < 0)
			return err_set(reterr, -errno, "cannot read map " WEIR_MAP_L7_RINGS ": %m");
		if (cpu && id == first)
			break;
		first = first ?: id;
		fd = bpf_map_get_fd_by_id(id);
		if (fd < 0)
			return err_set(reterr, -errno, "cannot open a ring of map " WEIR_MAP_L7_RINGS ": %m");
		rings->fd[rings->n++] = fd;
	}
	for (size_t i = 0; i < rings->n && r == 0; i++)
		r = check_size(rings->fd[i], size_of(bytes, rings->n), reterr);
	return r;
}

static int make(int map, uint32_t slots, uint32_t bytes, struct l7_rings *rings, struct err *reterr)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t n = MIN(MAX(online, 1), slots);

	for (uint32_t cpu = 0; cpu < slots; cpu++) {
		if (cpu < n) {
			int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "weir_l7_ring", 0, 0, size_of(bytes, n), NULL);

			if (fd < 0)
				return err_set(reterr, -errno, "cannot make a ring of map " WEIR_MAP_L7_RINGS ": %m");
			rings->fd[rings->n++] = fd;
		}
		if (bpf_map_update_elem(map, &cpu, &rings->fd[cpu % n], BPF_ANY) < 0)
			return err_set(reterr, -errno, "cannot write to map " WEIR_MAP_L7_RINGS ": %m");
	}
	return 0;
}

int l7_rings_open(int map, uint32_t bytes, struct l7_rings *ret, struct err *reterr)
{
	uint32_t slots, last, id;
	int r = entries_of(map, &slots, reterr);

	if (r < 0)
		return r;
	*ret = (struct l7_rings){ .fd = calloc(slots, sizeof(*ret->fd)) };
	if (!ret->fd)
		return err_oom(reterr);
	last = slots - 1; /* made from the first to the last */
	return bpf_map_lookup_elem(map, &last, &id) == 0 ? adopt(map, slots, bytes, ret, reterr)
							 : make(map, slots, bytes, ret, reterr);
}

void l7_rings_close(struct l7_rings *rings)
{
	for (size_t i = 0; i < rings->n; i++)
		close_fd(rings->fd[i]);
	free(rings->fd);
}
