// SPDX-License-Identifier: Apache-2.0
#include "agent/ring.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>

/* With its header, padded. */
#define RECORD_SIZE(len) ((BPF_RINGBUF_HDR_SZ + (len) + 7) & ~7ull)

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
	p = mmap(NULL, ring->page, PROT_READ, MAP_SHARED, fd, (off_t)ring->page);
	if (p == MAP_FAILED)
		return err_set(reterr, -errno, "cannot map the ring: %m");
	ring->producer = p;
	ring->window_len = MIN((size_t)RING_WINDOW, 2 * ring->size);
	return 0;
}

void ring_unmap(struct ring *ring)
{
	if (ring->consumer)
		munmap((void *)ring->consumer, ring->page);
	if (ring->producer)
		munmap((void *)ring->producer, ring->page);
	if (ring->window)
		munmap((void *)ring->window, ring->window_len);
}

static bool move_window(struct ring *ring, size_t from)
{
	size_t at = MIN(from & ~(ring->page - 1), 2 * ring->size - ring->window_len);
	void *p;

	if (ring->window)
		munmap((void *)TAKE_PTR(ring->window), ring->window_len);
	p = mmap(NULL, ring->window_len, PROT_READ, MAP_SHARED, ring->fd, (off_t)(2 * ring->page + at));
	if (p == MAP_FAILED)
		return false;
	ring->window = p;
	ring->window_at = at;
	return true;
}

/* NULL: that cannot be mapped. */
static const uint8_t *look_at(struct ring *ring, uint64_t pos, size_t len)
{
	size_t from = pos & (ring->size - 1);

	if (!ring->window || from < ring->window_at || from + len > ring->window_at + ring->window_len)
		if (!move_window(ring, from) || from + len > ring->window_at + ring->window_len)
			return NULL;
	return ring->window + (from - ring->window_at);
}

/* A record: 8 bytes of header, the first four of them length and flags; all padded to 8 bytes. */
bool ring_next(struct ring *ring, struct ring_record *ret)
{
	for (;;) {
		struct ring_record rec = { .pos = *ring->consumer };
		const uint8_t *head;
		uint32_t word;

		if (rec.pos >= __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE))
			return false;
		head = look_at(ring, rec.pos, BPF_RINGBUF_HDR_SZ);
		if (!head)
			return false;
		word = __atomic_load_n((const uint32_t *)head, __ATOMIC_ACQUIRE);
		if (word & BPF_RINGBUF_BUSY_BIT)
			return false;
		rec.len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			head = look_at(ring, rec.pos, BPF_RINGBUF_HDR_SZ + rec.len);
			if (!head)
				return false;
			rec.data = head + BPF_RINGBUF_HDR_SZ;
			__builtin_prefetch(head + RECORD_SIZE(rec.len)); /* the next one */
			__builtin_prefetch(head + RECORD_SIZE(rec.len) + 64);
			*ret = rec;
			return true;
		}
		ring_release(ring, &rec);
	}
}

void ring_release(struct ring *ring, const struct ring_record *rec)
{
	__atomic_store_n(ring->consumer, rec->pos + RECORD_SIZE(rec->len), __ATOMIC_RELEASE);
}
