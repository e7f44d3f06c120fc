// SPDX-License-Identifier: Apache-2.0
#include "cni/heap.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "test/unit.h"

START_TEST(blocks_are_aligned_apart_and_keep_what_is_written)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 4096, 65535, 65536, 65537, 1 << 20 };
	unsigned char *p[ARRAY_SIZE(sizes)][8];

	for (size_t k = 0; k < 8; k++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			p[i][k] = heap_alloc(sizes[i]);
			ck_assert_ptr_nonnull(p[i][k]);
			ck_assert_uint_eq((uintptr_t)p[i][k] % _Alignof(max_align_t), 0);
			memset(p[i][k], (int)(i * 8 + k), sizes[i]);
		}
	for (size_t k = 0; k < 8; k++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			for (size_t b = 0; b < sizes[i]; b++)
				ck_assert_uint_eq(p[i][k][b], i * 8 + k);
			heap_free(p[i][k]);
		}
	heap_free(NULL);
}
END_TEST

START_TEST(what_is_freed_is_handed_out_again)
{
	void *small = heap_alloc(20), *big = heap_alloc(40000);

	heap_free(small);
	heap_free(big);
	ck_assert_ptr_eq(heap_alloc(33000), big);
	ck_assert_ptr_eq(heap_alloc(32), small);
	ck_assert_ptr_ne(heap_alloc(32), small);
}
END_TEST

START_TEST(resizing_keeps_the_contents)
{
	char *p = heap_resize(NULL, 10);

	strcpy(p, "123456789");
	ck_assert_ptr_eq(heap_resize(p, 16), p);
	ck_assert_ptr_eq(heap_resize(p, 3), p);
	for (size_t n = 17; n < 1 << 20; n = n * 3 / 2) {
		p = heap_resize(p, n);
		ck_assert_str_eq(p, "123456789");
		p[n - 1] = 'x';
	}
	heap_free(p);
}
END_TEST

/* How a process of its own ends that does this. */
static int status_of(void (*what)(void))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		what();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void run_out_of_memory(void)
{
	const struct rlimit none = { 0, RLIM_INFINITY };
	char *p = heap_alloc(100);
	void *q = p;
	bool ok;

	strcpy(p, "kept");
	ok = setrlimit(RLIMIT_AS, &none) == 0;
	for (int i = 0; q && i < 1 << 12; i++) /* what is there already is still handed out */
		q = heap_alloc(1000);
	errno = 0;
	ok = ok && !q && !heap_alloc(1000) && errno == ENOMEM && !heap_resize(p, 70000) && streq(p, "kept");
	heap_free(p);
	_exit(ok && heap_alloc(100) == p ? 0 : 1);
}

START_TEST(without_memory_there_is_an_error_and_the_old_block_stays)
{
	char *p = heap_alloc(100);

	strcpy(p, "kept");
	errno = 0;
	ck_assert_ptr_null(heap_alloc(SIZE_MAX));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_ptr_null(heap_alloc(SIZE_MAX - 20));
	ck_assert_ptr_null(heap_alloc(PTRDIFF_MAX));
	ck_assert_ptr_null(heap_resize(p, SIZE_MAX));
	ck_assert_str_eq(p, "kept");
	ck_assert_int_eq(status_of(run_out_of_memory), 0);
}
END_TEST

static void free_twice(void)
{
	void *p = heap_alloc(10);

	heap_free(p);
	heap_free(p);
}

/* One block after the other: what runs over the first reaches the second. */
static void write_over(bool freed)
{
	char *p = heap_alloc(16), *next = heap_alloc(16);

	if (next != p + 32)
		_exit(1);
	if (freed)
		heap_free(next);
	memset(p, 'A', 20);
	if (freed)
		heap_alloc(16);
	else
		heap_free(next);
}

static void write_over_a_block(void)
{
	write_over(false);
}

static void write_over_a_freed_block(void)
{
	write_over(true);
}

START_TEST(misuse_ends_the_program)
{
	static void (*const misuses[])(void) = { free_twice, write_over_a_block, write_over_a_freed_block };

	for (size_t i = 0; i < ARRAY_SIZE(misuses); i++) {
		int status = status_of(misuses[i]);

		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%zu: %x", i, status);
	}
}
END_TEST

UNIT_MAIN(heap, blocks_are_aligned_apart_and_keep_what_is_written, what_is_freed_is_handed_out_again,
	  resizing_keeps_the_contents, without_memory_there_is_an_error_and_the_old_block_stays,
	  misuse_ends_the_program)
