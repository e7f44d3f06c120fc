// SPDX-License-Identifier: Apache-2.0
#include "agent/l7_rings.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "test/unit.h"

#define LEAST (256u << 10)

static struct l7_rings rings;
static struct err err;

static uint32_t id_of(int fd)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	ck_assert_int_eq(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

/* With so many slots. -EPERM: not allowed. */
static int new_map(uint32_t slots)
{
	int inner = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "inner", 0, 0, 4096, NULL), map;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = inner);

	if (inner == -EPERM)
		return inner;
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "map", sizeof(uint32_t), sizeof(uint32_t), slots, &opts);
	ck_assert_int_ge(map, 0);
	close(inner);
	return map;
}

static void open_rings(int map, uint32_t bytes)
{
	ck_assert_msg(l7_rings_open(map, bytes, &rings, &err) == 0, "%s", err.msg);
}

/* What is in the slot. */
static uint32_t id_at(int map, uint32_t slot)
{
	uint32_t id;

	ck_assert_int_eq(bpf_map_lookup_elem(map, &slot, &id), 0);
	return id;
}

static uint32_t online(void)
{
	return (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

START_TEST(each_cpu_has_one_and_later_ones_share)
{
	uint32_t n = online(), slots = 2 * n + 1;
	int map = new_map(slots);

	if (map < 0)
		return;
	open_rings(map, LEAST);
	ck_assert_uint_eq(rings.n, n);
	for (uint32_t i = 0; i < slots; i++)
		ck_assert_uint_eq(id_at(map, i), id_of(rings.fd[i % n]));
	for (uint32_t i = 1; i < n; i++)
		ck_assert_uint_ne(id_at(map, i), id_at(map, 0));
	l7_rings_close(&rings);
	close(map);
}
END_TEST

START_TEST(what_is_there_is_adopted)
{
	uint32_t n = online(), slots = 2 * n, ids[2];
	int map = new_map(slots);

	if (map < 0)
		return;
	open_rings(map, LEAST);
	ids[0] = id_of(rings.fd[0]);
	ids[1] = id_of(rings.fd[n - 1]);
	l7_rings_close(&rings);
	open_rings(map, LEAST);
	ck_assert_uint_eq(rings.n, n);
	ck_assert_uint_eq(id_of(rings.fd[0]), ids[0]);
	ck_assert_uint_eq(id_of(rings.fd[n - 1]), ids[1]);

	/* As if there had been one CPU. */
	for (uint32_t i = 1; i < slots; i++)
		ck_assert_int_eq(bpf_map_update_elem(map, &i, &rings.fd[0], BPF_ANY), 0);
	l7_rings_close(&rings);
	open_rings(map, LEAST);
	ck_assert_uint_eq(rings.n, 1);
	ck_assert_uint_eq(id_of(rings.fd[0]), ids[0]);
	l7_rings_close(&rings);
	close(map);
}
END_TEST

START_TEST(half_a_set_is_made_anew)
{
	uint32_t slots = 2 * online(), last = slots - 1, id;
	int map = new_map(slots);

	if (map < 0)
		return;
	open_rings(map, LEAST);
	id = id_of(rings.fd[0]);
	l7_rings_close(&rings);
	ck_assert_int_eq(bpf_map_delete_elem(map, &last), 0);
	open_rings(map, LEAST);
	ck_assert_uint_eq(rings.n, online());
	for (uint32_t i = 0; i < slots; i++)
		ck_assert_uint_ne(id_at(map, i), id);
	l7_rings_close(&rings);
	close(map);
}
END_TEST

START_TEST(another_size_is_refused)
{
	int map = new_map(online());

	if (map < 0)
		return;
	open_rings(map, LEAST);
	l7_rings_close(&rings);
	ck_assert_int_eq(l7_rings_open(map, 512 << 20, &rings, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.msg, "--cleanup"));
	l7_rings_close(&rings);
	open_rings(map, LEAST);
	l7_rings_close(&rings);
	close(map);
}
END_TEST

/* A share of all, but not too small, unless all are. */
START_TEST(sizes_are_shares)
{
	const struct {
		uint32_t bytes, each; /* where there are two CPUs */
	} sizes[] = { { 8 << 20, 4 << 20 }, { 512 << 10, LEAST }, { LEAST, LEAST }, { 4096, 4096 } };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int map = new_map(2);
		struct bpf_map_info info = {};
		uint32_t len = sizeof(info);

		if (map < 0)
			return;
		open_rings(map, sizes[i].bytes);
		ck_assert_int_eq(bpf_obj_get_info_by_fd(rings.fd[0], &info, &len), 0);
		ck_assert_uint_eq(info.max_entries, online() > 1 ? sizes[i].each : sizes[i].bytes);
		l7_rings_close(&rings);
		close(map);
	}
}
END_TEST

UNIT_MAIN(l7_rings, each_cpu_has_one_and_later_ones_share, what_is_there_is_adopted, half_a_set_is_made_anew,
	  another_size_is_refused, sizes_are_shares)
