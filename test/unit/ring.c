// SPDX-License-Identifier: Apache-2.0
#include "agent/ring.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include "test/unit.h"

#define RECORD_MAX 16512 /* as much as an excerpt of payload */

struct pipe {
	int map, source, prog;
	uint8_t *bytes; /* the first four: how many of them are the record */
};

/* A program that puts the source's bytes into the ring. False: not allowed. */
static bool pipe_open(struct pipe *p, uint32_t size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);
	LIBBPF_OPTS(bpf_map_create_opts, mappable, .map_flags = BPF_F_MMAPABLE);
	struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 2, .src_reg = BPF_PSEUDO_MAP_VALUE },
		{},
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 3, .src_reg = 2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -E2BIG },
		{ .code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = 3, .off = 4, .imm = RECORD_MAX },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD },
		{},
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_output },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	p->map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, size, NULL);
	if (p->map == -EPERM)
		return false;
	ck_assert_int_ge(p->map, 0);
	p->source = bpf_map_create(BPF_MAP_TYPE_ARRAY, "source", sizeof(uint32_t), RECORD_MAX, 1, &mappable);
	ck_assert_int_ge(p->source, 0);
	p->bytes = mmap(NULL, RECORD_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, p->source, 0);
	ck_assert_ptr_ne(p->bytes, MAP_FAILED);
	insns[0].imm = p->source;
	insns[5].imm = p->map;
	p->prog = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "pipe", "GPL", insns, ARRAY_SIZE(insns), &opts);
	ck_assert_int_ge(p->prog, 0);
	return true;
}

static void pipe_close(struct pipe *p)
{
	munmap(p->bytes, RECORD_MAX);
	close(p->prog);
	close(p->source);
	close(p->map);
}

/* Record number i: its length and every byte of it follow from i. False: the ring is full. */
static bool write_record(struct pipe *p, uint32_t i, uint32_t max)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	uint32_t len = 8 + i * 2654435761u % (max - 8);

	memset(p->bytes, (int)(i & 0xff), len);
	memcpy(p->bytes, &len, sizeof(len));
	memcpy(p->bytes + 4, &i, sizeof(i));
	if (bpf_prog_test_run_opts(p->prog, &opts) < 0 || (opts.retval && (int)opts.retval != -EAGAIN))
		ck_abort_msg("record %u is not written: %d", i, (int)opts.retval);
	return opts.retval == 0;
}

static void check_record(const struct ring_record *rec, uint32_t i, uint32_t max)
{
	uint32_t len = 8 + i * 2654435761u % (max - 8);

	bool same = rec->len == len && !memcmp(rec->data, &len, sizeof(len)) && !memcmp(rec->data + 4, &i, sizeof(i));

	for (uint32_t k = 8; k < len && same; k++)
		same = rec->data[k] == (i & 0xff);
	ck_assert_msg(same, "record %u", i); /* one assertion: each costs a system call */
}

/* Full and empty in turn, until the ring has been gone through some times. */
static void check_ring(uint32_t size, uint32_t max)
{
	uint32_t written = 0, read = 0;
	struct ring ring = {};
	struct ring_record rec;
	struct err e = {};
	struct pipe p;

	if (!pipe_open(&p, size))
		return;
	ck_assert_msg(ring_map(&ring, p.map, &e) == 0, "%s", e.msg);
	ck_assert(!ring_next(&ring, &rec));
	ck_assert_ptr_null(ring.window);
	for (int turn = 0; turn < 5; turn++) {
		for (; write_record(&p, written, max); written++)
			;
		for (; ring_next(&ring, &rec); read++) {
			check_record(&rec, read, max);
			ring_release(&ring, &rec);
		}
		ck_assert_uint_eq(read, written);
	}
	ck_assert_uint_gt(rec.pos, 4 * (uint64_t)size - size / 2);
	ck_assert_uint_le(ring.window_len, RING_WINDOW);
	ring_unmap(&ring);
	pipe_close(&p);
}

START_TEST(records_come_whole_and_in_order)
{
	check_ring(4096, 600);
	check_ring(64 << 10, RECORD_MAX);
	check_ring(128 << 10, RECORD_MAX);
	check_ring(256 << 10, RECORD_MAX);
	check_ring(2 << 20, RECORD_MAX);
	check_ring(2 << 20, 200);
}
END_TEST

UNIT_MAIN(ring, records_come_whole_and_in_order)
