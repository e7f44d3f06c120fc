// SPDX-License-Identifier: Apache-2.0
#include "agent/ring.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>

int ring_map(struct ring *ring, int fd, struct err *reterr)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	void *p;

	ring->fd = fd;
	ring->page = sysconf(_SC_PAGESIZE);
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return err_set(reterr, -errno, "cannot inspect the ring: %m");
	ring->size = info.max_entries;
	p = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_set(reterr, -errno, "cannot map the ring: %m");
	ring->consumer = p;
	p = mmap(NULL, ring->page + ring->size, PROT_READ, MAP_SHARED, fd, ring->page);
	if (p == MAP_FAILED)
		return err_set(reterr, -errno, "cannot map the ring: %m");
	ring->shared = p;
	return 0;
}

void ring_unmap(struct ring *ring)
{
	if (ring->consumer)
		munmap((void *)ring->consumer, ring->page);
	if (ring->shared)
		munmap((void *)ring->shared, ring->page + ring->size);
}

/* A record: 8 bytes of header, the first four of them length and flags; all padded to 8 bytes. */
bool ring_next(struct ring *ring, struct ring_record *ret)
{
	const uint8_t *data = ring->shared + ring->page;

	for (;;) {
		struct ring_record rec = { .pos = *ring->consumer };
		uint32_t word;

		if (rec.pos >= __atomic_load_n((const uint64_t *)ring->shared, __ATOMIC_ACQUIRE))
			return false;
		word = __atomic_load_n((const uint32_t *)(data + (rec.pos & (ring->size - 1))), __ATOMIC_ACQUIRE);
		if (word & BPF_RINGBUF_BUSY_BIT)
			return false;
		rec.len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			*ret = rec;
			return true;
		}
		ring_release(ring, &rec);
	}
}

const void *ring_read(const struct ring *ring, const struct ring_record *rec, size_t at, size_t len, void *buf)
{
	const uint8_t *data = ring->shared + ring->page;
	size_t from = (rec->pos + BPF_RINGBUF_HDR_SZ + at) & (ring->size - 1);
	size_t first = ring->size - from;

	if (len <= first)
		return data + from;
	memcpy(buf, data + from, first);
	memcpy((uint8_t *)buf + first, data, len - first);
	return buf;
}

void ring_release(struct ring *ring, const struct ring_record *rec)
{
	__atomic_store_n(ring->consumer, rec->pos + ((rec->len + BPF_RINGBUF_HDR_SZ + 7) & ~7ull), __ATOMIC_RELEASE);
}
