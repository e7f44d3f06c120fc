// SPDX-License-Identifier: Apache-2.0
/* Full maps, a full ring, missing configuration; that what is counted is exact; the loader's own life. */
#include "test/bpf/world.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "lib/tc_attach.h"
#include "pod.skel.h"

START_TEST(events_seen_and_lost_are_all_events)
{
	struct packet p = packet_between(OPEN, LOCKED, false, IPPROTO_UDP, 1, 2);
	uint8_t frame[FRAME_MAX];
	size_t len = packet_build(&p, frame);
	struct __sk_buff ctx = { .ifindex = world_ifindex(OPEN) };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 5000);
	uint64_t generated = world_stat(WEIR_STAT_EVENTS), lost = world_stat(WEIR_STAT_EVENTS_LOST);
	uint64_t drops = world_stat(WEIR_STAT_DROP + WEIR_DROP_POLICY);
	size_t seen;

	ck_assert_int_eq(bpf_prog_test_run_opts(world_prog("from_pod"), &opts), 0);
	seen = world_read_ring();
	generated = world_stat(WEIR_STAT_EVENTS) - generated;
	lost = world_stat(WEIR_STAT_EVENTS_LOST) - lost;
	ck_assert_uint_eq(generated, 5000);
	ck_assert_uint_gt(seen, 500);
	ck_assert_uint_gt(lost, 1000);
	ck_assert_uint_eq(seen + lost, generated);
	ck_assert_uint_eq(world_stat(WEIR_STAT_DROP + WEIR_DROP_POLICY) - drops, 5000);
}
END_TEST

/* An LRU map makes room; one that cannot stands for the kernel's own failures. */
START_TEST(a_connection_that_cannot_be_kept_is_dropped)
{
	static const char *const shared[] = { WEIR_MAP_NODE,   WEIR_MAP_EP,   WEIR_MAP_EP_IF, WEIR_MAP_IPCACHE,
					      WEIR_MAP_POLICY, WEIR_MAP_FRAG, WEIR_MAP_STATS, WEIR_MAP_EVENTS };
	struct packet p = packet_between(OPEN, OPEN2, false, IPPROTO_UDP, 1, 2);
	uint64_t full = world_stat(WEIR_STAT_CT_FULL), drops = world_stat(WEIR_STAT_DROP + WEIR_DROP_CT_FULL);
	struct pod *skel = pod__open();

	ck_assert_ptr_nonnull(skel);
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		struct bpf_map *m = bpf_object__find_map_by_name(skel->obj, shared[i]);

		ck_assert_int_eq(bpf_map__reuse_fd(m, world_map(shared[i])), 0);
	}
	skel->rodata->cfg_fake_clock = true;
	bpf_map__set_type(skel->maps.weir_ct_any, BPF_MAP_TYPE_HASH);
	bpf_map__set_max_entries(skel->maps.weir_ct_any, 2);
	ck_assert_int_eq(pod__load(skel), 0);
	for (int i = 0; i < 5; i++) {
		struct run r;

		p.sport = 100 + i;
		r = run_packet_fd(bpf_program__fd(skel->progs.from_pod), world_ifindex(OPEN), &p);
		if (i < 2)
			ck_passed(r, OPEN2, WEIR_EV_NEW);
		else
			ck_dropped(r, WEIR_DROP_CT_FULL);
	}
	ck_assert_uint_eq(world_stat(WEIR_STAT_CT_FULL) - full, 3);
	ck_assert_uint_eq(world_stat(WEIR_STAT_DROP + WEIR_DROP_CT_FULL) - drops, 3);
	pod__destroy(skel);
}
END_TEST

START_TEST(without_configuration_nothing_passes)
{
	struct packet p = packet_between(OPEN, OPEN2, false, IPPROTO_UDP, 1, 2);
	struct weir_node other = { .gen = 10, .abi = WEIR_ABI_VERSION + 1 };
	struct run r;

	ck_assert_int_eq(bpf_map_update_elem(world_map(WEIR_MAP_NODE), &(uint32_t){ 0 }, &other, BPF_ANY), 0);
	r = from_pod(OPEN, &p);
	ck_dropped(r, WEIR_DROP_NO_CONFIG);
	r = to_pod(OPEN2, 0, &p);
	ck_dropped(r, WEIR_DROP_NO_CONFIG);
	r = from_net(&p);
	ck_dropped(r, WEIR_DROP_NO_CONFIG);
}
END_TEST

START_TEST(the_deny_list_counts_by_prefix)
{
	struct weir_lpm_key k = { .prefixlen = 96 + 24 };
	struct packet p = packet_between(WORLD, OPEN, false, IPPROTO_UDP, 1, 2), other = p;
	uint64_t drops = world_stat(WEIR_STAT_DROP + WEIR_DROP_DENY_LIST);
	struct weir_deny v = {};
	uint8_t frame[FRAME_MAX];
	size_t len;

	addr_parse("203.0.113.0", &k.addr);
	ck_assert_int_eq(bpf_map_update_elem(world_map(WEIR_MAP_DENY), &k, &v, BPF_ANY), 0);
	len = packet_build(&p, frame);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(run_frame("xdp_net", 0, 0, frame, len).act, XDP_DROP);
	addr_parse("203.0.114.1", &other.src);
	len = packet_build(&other, frame);
	ck_assert_int_eq(run_frame("xdp_net", 0, 0, frame, len).act, XDP_PASS);
	len = packet_build(&p, frame);
	ck_assert_int_eq(bpf_map_lookup_elem(world_map(WEIR_MAP_DENY), &k, &v), 0);
	ck_assert_uint_eq(v.packets, 3);
	ck_assert_uint_eq(v.bytes, 3 * len);
	ck_assert_uint_eq(world_stat(WEIR_STAT_DROP + WEIR_DROP_DENY_LIST) - drops, 3);
	for (size_t tags = 1; tags < 4; tags++) { /* whoever puts tags in front is the same sender */
		memmove(frame + 18, frame + 14, len + (tags - 1) * 4 - 14);
		memcpy(frame + 12, (uint8_t[]){ 0x81, 0, 0, 0, 8, 0 }, 6);
		if (tags > 1)
			memcpy(frame + 16, (uint8_t[]){ 0x81, 0 }, 2);
		ck_assert_int_eq(run_frame("xdp_net", 0, 0, frame, len + tags * 4).act, XDP_DROP);
	}
	ck_assert_uint_eq(world_stat(WEIR_STAT_DROP + WEIR_DROP_DENY_LIST) - drops, 5);
	p.src = other.src;
	p.vlan = 0x8100;
	len = packet_build(&p, frame);
	ck_assert_int_eq(run_frame("xdp_net", 0, 0, frame, len).act, XDP_PASS);
}
END_TEST

static uint32_t pinned_id(const char *dir, const char *name)
{
	struct bpf_link_info link = {};
	struct bpf_prog_info prog = {};
	struct bpf_map_info map = {};
	uint32_t len;
	char path[256];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	if (str_prefix(name, "links/")) {
		len = sizeof(link);
		ck_assert_int_eq(bpf_obj_get_info_by_fd(fd, &link, &len), 0);
		return link.prog_id;
	}
	if (str_prefix(name, "progs/")) {
		len = sizeof(prog);
		ck_assert_int_eq(bpf_obj_get_info_by_fd(fd, &prog, &len), 0);
		return prog.id;
	}
	len = sizeof(map);
	ck_assert_int_eq(bpf_obj_get_info_by_fd(fd, &map, &len), 0);
	return map.id;
}

/* The program on an uplink is the pinned one: as a link, or, where the kernel has no TCX links, as a filter. */
static void check_uplink(const char *dir, uint32_t ifindex)
{
	char link[64], path[256];

	snprintf(link, sizeof(link), "links/from_net_%u", ifindex);
	snprintf(path, sizeof(path), "%s/%s", dir, link);
	if (access(path, F_OK) == 0)
		ck_assert_uint_eq(pinned_id(dir, link), pinned_id(dir, "progs/from_net"));
	else
		ck_assert_int_eq(tc_attached(ifindex, true, NULL, NULL), 0);
}

START_TEST(a_second_loader_adopts_the_first)
{
	char dir[] = "/tmp/weir-bpf-XXXXXX", bpf_dir[64], xdp[64];
	struct datapath_options o = {
		.ct_tcp = 128, .ct_any = 128, .ring_bytes = 4096, .l7_ring_bytes = 1 << 20, .bpf_dir = bpf_dir
	};
	struct datapath *first, *second;
	uint32_t map, prog;
	struct err err = {};
	uint64_t bytes;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(bpf_dir, sizeof(bpf_dir), "%s/bpf", dir);
	ck_assert_msg(datapath_load(&o, &first, &err) == 0, "%s", err.msg);
	ck_assert_msg(datapath_attach_uplink(first, world_ifindex(1), DATAPATH_XDP_GENERIC, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(datapath_memory(first, NULL, &bytes, NULL), 0);
	ck_assert_uint_gt(bytes, 100000);
	ck_assert_int_eq(datapath_memory(first, WEIR_MAP_L7_RINGS, &bytes, NULL), 0);
	ck_assert_uint_ge(bytes, o.l7_ring_bytes);
	datapath_free(first);
	map = pinned_id(bpf_dir, "maps/weir_ct_tcp");
	prog = pinned_id(bpf_dir, "progs/from_net");
	check_uplink(bpf_dir, world_ifindex(1));
	o.ct_tcp = 256;
	ck_assert_int_eq(datapath_load(&o, &second, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.msg, "weir_ct_tcp"));
	o.ct_tcp = 128;
	ck_assert_msg(datapath_load(&o, &second, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(pinned_id(bpf_dir, "maps/weir_ct_tcp"), map);
	ck_assert_uint_ne(pinned_id(bpf_dir, "progs/from_net"), prog);
	check_uplink(bpf_dir, world_ifindex(1));
	snprintf(xdp, sizeof(xdp), "links/xdp_net_%u", world_ifindex(1));
	ck_assert_uint_eq(pinned_id(bpf_dir, xdp), pinned_id(bpf_dir, "progs/xdp_net"));
	ck_assert_int_eq(datapath_attach_pod(second, world_ifindex(2), &err), 0);
	ck_assert_int_eq(datapath_attach_pod(second, world_ifindex(2), &err), 0);
	ck_assert_int_eq(datapath_detach_uplink(second, world_ifindex(1), &err), 0);
	datapath_free(second);
	ck_assert_msg(datapath_unload(bpf_dir, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(datapath_unload(bpf_dir, &err), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

TCase *tests_limits(void)
{
	const TTest *const tests[] = {
		events_seen_and_lost_are_all_events,  a_connection_that_cannot_be_kept_is_dropped,
		without_configuration_nothing_passes, the_deny_list_counts_by_prefix,
		a_second_loader_adopts_the_first,
	};
	TCase *tc = tcase_create("limits");

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	return tc;
}
