// SPDX-License-Identifier: Apache-2.0
#include "agent/ring.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#define MOVES_MAX 3      /* of the window: 20 MB/s */
#define RELEASE_PARTS 64 /* of the ring are given back at a time */
/* With its header, padded. */
#define RECORD_SIZE(len) ((BPF_RINGBUF_HDR_SZ + (len) + 7) & ~7ull)

int ring_map(struct ring *ring, int fd, size_t window, struct err *reterr)
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
	ring->pos = *ring->consumer;
	p = mmap(NULL, ring->page, PROT_READ, MAP_SHARED, fd, (off_t)ring->page);
	if (p == MAP_FAILED)
		return err_set(reterr, -errno, "cannot map the ring: %m");
	ring->producer = p;
	ring->window_len = ring->window_least = MIN(window, 2 * ring->size);
	return 0;
}

static void close_window(struct ring *ring)
{
	if (ring->window)
		munmap((void *)TAKE_PTR(ring->window), ring->window_len);
}

void ring_unmap(struct ring *ring)
{
	if (ring->consumer)
		munmap((void *)ring->consumer, ring->page);
	if (ring->producer)
		munmap((void *)ring->producer, ring->page);
	close_window(ring);
}

static bool open_window(struct ring *ring, size_t from, size_t len)
{
	size_t at;
	void *p;

	close_window(ring);
	len = MIN(len, 2 * ring->size);
	at = MIN(from & ~(ring->page - 1), 2 * ring->size - len);
	p = mmap(NULL, len, PROT_READ, MAP_SHARED, ring->fd, (off_t)(2 * ring->page + at));
	if (p == MAP_FAILED)
		return false;
	ring->window = p;
	ring->window_at = at;
	ring->window_len = len;
	return true;
}

static bool move_window(struct ring *ring, size_t from)
{
	if (ring->moves++ >= MOVES_MAX && open_window(ring, 0, ring->size + ring->window_least))
		return true;
	return open_window(ring, from, ring->window_least);
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

void ring_release(struct ring *ring)
{
	if (*ring->consumer != ring->pos)
		__atomic_store_n(ring->consumer, ring->pos, __ATOMIC_RELEASE);
}

bool ring_has_more(struct ring *ring)
{
	if (ring->pos < ring->seen)
		return true;
	ring->seen = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	if (ring->pos < ring->seen)
		return true;
	ring->moves = 0;
	return false;
}

/* A record: 8 bytes of header, the first four of them length and flags; all padded to 8 bytes. */
bool ring_peek(struct ring *ring, struct ring_record *ret)
{
	while (ring_has_more(ring)) {
		const uint8_t *head = look_at(ring, ring->pos, BPF_RINGBUF_HDR_SZ);
		uint32_t word = head ? __atomic_load_n((const uint32_t *)head, __ATOMIC_ACQUIRE) : BPF_RINGBUF_BUSY_BIT;
		uint32_t len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (word & BPF_RINGBUF_BUSY_BIT)
			return false;
		ring->next = RECORD_SIZE(len);
		if (word & BPF_RINGBUF_DISCARD_BIT) {
			ring_drop(ring);
			continue;
		}
		head = look_at(ring, ring->pos, BPF_RINGBUF_HDR_SZ + len);
		if (!head)
			return false;
		if (ring->pos + ring->next < ring->seen) {
			__builtin_prefetch(head + ring->next);
			__builtin_prefetch(head + ring->next + 64);
		}
		*ret = (struct ring_record){ .len = len, .data = head + BPF_RINGBUF_HDR_SZ };
		return true;
	}
	return false;
}

void ring_drop(struct ring *ring)
{
	ring->pos += ring->next;
	if (ring->pos - *ring->consumer >= ring->size / RELEASE_PARTS)
		ring_release(ring);
}

void ring_rest(struct ring *ring)
{
	if (ring->window_len > ring->window_least)
		close_window(ring);
}
