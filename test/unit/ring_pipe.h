/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of the kernel's, and a program that writes to it. */
#ifndef TEST_UNIT_RING_PIPE_H
#define TEST_UNIT_RING_PIPE_H

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

/* The record that is in p->bytes. False: the ring is full. */
static bool pipe_write(struct pipe *p)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_prog_test_run_opts(p->prog, &opts) < 0 || (opts.retval && (int)opts.retval != -EAGAIN))
		ck_abort_msg("a record is not written: %d", (int)opts.retval);
	return opts.retval == 0;
}

#endif
