// SPDX-License-Identifier: Apache-2.0
#include "agent/datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/datapath_fs.h"
#include "gc.skel.h"
#include "lib/tc_attach.h"
#include "net.skel.h"
#include "pod.skel.h"
#include "xdp.skel.h"

enum { OBJ_POD, OBJ_NET, OBJ_XDP, OBJ_GC, N_OBJECTS };

struct datapath {
	char *bpf_dir;
	struct pod *pod;
	struct net *net;
	struct xdp *xdp;
	struct gc *gc;
	struct l7_rings rings;
};

static struct bpf_object *object(const struct datapath *dp, int i)
{
	switch (i) {
	case OBJ_POD:
		return dp->pod->obj;
	case OBJ_NET:
		return dp->net->obj;
	case OBJ_XDP:
		return dp->xdp->obj;
	default:
		return dp->gc->obj;
	}
}

/* ---- libbpf's words: the last of them explain a failure */

static char words[512];

/* Appends, and drops from the front what does not fit: of the verifier's log the end says what is wrong. */
static int keep_words(enum libbpf_print_level level, const char *fmt, va_list args)
{
	_cleanup_free_ char *text = NULL;
	size_t have = strlen(words), len, cut;
	const char *tail;

	if (level != LIBBPF_WARN || vasprintf(&text, fmt, args) < 0)
		return 0;
	len = strlen(text);
	tail = len < sizeof(words) ? text : text + len - sizeof(words) + 1;
	len = strlen(tail);
	cut = have + len < sizeof(words) ? 0 : have + len - sizeof(words) + 1;
	memmove(words, words + cut, have - cut);
	memcpy(words + have - cut, tail, len + 1);
	return 0;
}

static int load_error(struct err *reterr, int r, const char *what)
{
	for (char *c = words; *c; c++)
		if (*c == '\n')
			*c = c[1] ? '|' : '\0';
	return err_set(reterr, r, "cannot load the %s programs: %s: …%s", what, strerror(-r), words);
}

/* ---- opening: settings, sizes, pins */

static uint32_t ticks_per_sec(void)
{
	struct timespec res;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &res) < 0 || res.tv_nsec < 1)
		return 250;
	return (1000000000 + res.tv_nsec / 2) / res.tv_nsec;
}

#define CONFIGURE(skel, options)                                                           \
	do {                                                                               \
		(skel)->rodata->cfg_fake_clock = (options)->fake_clock;                    \
		(skel)->rodata->cfg_ticks_per_sec = ticks_per_sec();                       \
		(skel)->rodata->cfg_wakeup_bytes = ring_bytes(options) / 8;                \
		(skel)->rodata->cfg_l7 = !(options)->l7_off;                               \
		(skel)->rodata->cfg_l7_default = (options)->l7_default ?: WEIR_EP_L7_FULL; \
		(skel)->rodata->cfg_l7_budget = (options)->l7_budget ?: 256 << 10;         \
	} while (0)

static uint32_t ring_bytes(const struct datapath_options *o)
{
	return o->ring_bytes ?: 2 << 20;
}

static int open_objects(struct datapath *dp, const struct datapath_options *o, struct err *reterr)
{
	dp->pod = pod__open();
	dp->net = dp->pod ? net__open() : NULL;
	dp->xdp = dp->net ? xdp__open() : NULL;
	dp->gc = dp->xdp ? gc__open() : NULL;
	if (!dp->gc)
		return load_error(reterr, -errno, "BPF");
	CONFIGURE(dp->pod, o);
	CONFIGURE(dp->net, o);
	CONFIGURE(dp->xdp, o);
	CONFIGURE(dp->gc, o);
	return 0;
}

static uint32_t map_size(const struct datapath_options *o, const char *name)
{
	const struct {
		const char *name;
		uint32_t wanted, fallback;
	} sizes[] = {
		{ WEIR_MAP_CT_TCP, o->ct_tcp, 65536 },
		{ WEIR_MAP_CT_ANY, o->ct_any, 32768 },
		{ WEIR_MAP_POLICY, o->policy, 65536 },
		{ WEIR_MAP_IPCACHE, o->ipcache, 65536 },
		{ WEIR_MAP_FRAG, o->frag, 4096 },
		{ WEIR_MAP_DENY, o->deny, 4096 },
		{ WEIR_MAP_EVENTS, o->ring_bytes, 2 << 20 },
		{ WEIR_MAP_L7_RINGS, libbpf_num_possible_cpus(), 1 },
		{ WEIR_MAP_L7_FRAMES, o->l7_connections, 16384 },
		{ WEIR_MAP_L7_WANT, o->l7_connections, 16384 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (streq(name, sizes[i].name))
			return sizes[i].wanted ?: sizes[i].fallback;
	return 0;
}

static bool is_shared(const struct bpf_map *map)
{
	return !bpf_map__is_internal(map);
}

/* A map that is pinned already must be what we would have made; libbpf then takes it over by its path. */
static int check_pinned(const struct bpf_map *map, const char *path, struct err *reterr)
{
	_cleanup_close_ int fd = bpf_obj_get(path);
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(reterr, -errno, "cannot open %s: %m", path);
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return err_set(reterr, -errno, "cannot inspect %s: %m", path);
	if (info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
	    info.value_size == bpf_map__value_size(map) && info.max_entries == bpf_map__max_entries(map) &&
	    info.map_flags == bpf_map__map_flags(map))
		return 0;
	return err_set(reterr, -EEXIST,
		       "%s has type %u, key %u, value %u, %u entries, flags %#x; wanted are type %u, key %u, value %u, "
		       "%u entries, "
		       "flags %#x: use the former sizes or remove the datapath first (weir-agent --cleanup)",
		       path, info.type, info.key_size, info.value_size, info.max_entries, info.map_flags,
		       bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map), bpf_map__max_entries(map),
		       bpf_map__map_flags(map));
}

static int check_abi(const char *bpf_dir, struct err *reterr)
{
	_cleanup_free_ char *path = path_in(bpf_dir, "maps", WEIR_MAP_NODE);
	_cleanup_close_ int fd = path ? bpf_obj_get(path) : -1;
	struct weir_node node;
	uint32_t zero = 0;

	if (!path)
		return err_oom(reterr);
	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, &node) < 0 || !node.abi || node.abi == WEIR_ABI_VERSION)
		return 0;
	return err_set(
	    reterr, -EEXIST,
	    "the maps below %s have ABI %u, this agent has %u: remove the datapath first (weir-agent --cleanup)",
	    bpf_dir, node.abi, WEIR_ABI_VERSION);
}

static int prepare_map(struct bpf_map *map, const struct datapath_options *o, struct err *reterr)
{
	uint32_t size = map_size(o, bpf_map__name(map));
	_cleanup_free_ char *path = path_in(o->bpf_dir, "maps", bpf_map__name(map));
	int r = size ? bpf_map__set_max_entries(map, size) : 0;

	if (!path)
		return err_oom(reterr);
	if (r == 0)
		r = bpf_map__set_pin_path(map, path);
	if (r < 0)
		return err_set(reterr, r, "cannot set up map %s: %s", bpf_map__name(map), strerror(-r));
	return check_pinned(map, path, reterr);
}

static int prepare(struct datapath *dp, const struct datapath_options *o, struct err *reterr)
{
	struct bpf_map *map;
	int r = check_abi(o->bpf_dir, reterr);

	for (int i = 0; r == 0 && i < N_OBJECTS; i++)
		bpf_object__for_each_map(map, object(dp, i)) if (r == 0 && is_shared(map))
		    r = prepare_map(map, o, reterr);
	return r;
}

static int load_objects(struct datapath *dp, struct err *reterr)
{
	static const char *const what[N_OBJECTS] = { "pod", "network", "XDP", "collecting" };

	for (int i = 0; i < N_OBJECTS; i++) {
		int r = bpf_object__load(object(dp, i));

		if (r < 0)
			return load_error(reterr, r, what[i]);
	}
	return 0;
}

/* ---- programs: pinned under another name, then renamed over the former */

static int pin_program(const char *bpf_dir, const char *name, int fd, struct err *reterr)
{
	_cleanup_free_ char *path = path_in(bpf_dir, "progs", name), *temp = NULL;

	if (!path || asprintf(&temp, "%s_new", path) < 0)
		return err_oom(reterr);
	unlink(temp); /* of an agent that was killed here */
	if (bpf_obj_pin(fd, temp) < 0)
		return err_set(reterr, -errno, "cannot pin %s: %m", temp);
	if (rename(temp, path) < 0)
		return err_set(reterr, -errno, "cannot rename %s to %s: %m", temp, path);
	return 0;
}

static int pin_programs(const struct datapath *dp, struct err *reterr)
{
	struct bpf_program *prog;
	int r = 0;

	for (int i = 0; r == 0 && i < N_OBJECTS; i++)
		bpf_object__for_each_program(prog, object(dp, i)) if (r == 0)
		    r = pin_program(dp->bpf_dir, bpf_program__name(prog), bpf_program__fd(prog), reterr);
	return r;
}

/* On this uplink sources are looked at. */
static int guard(const struct datapath *dp, uint32_t ifindex, struct err *reterr)
{
	uint32_t no_slot = 0;

	if (bpf_map_update_elem(datapath_map_fd(dp, WEIR_MAP_EP_IF), &ifindex, &no_slot, BPF_ANY) < 0)
		return err_set(reterr, -errno, "cannot write to map " WEIR_MAP_EP_IF ": %m");
	return 0;
}

static void unguard(const struct datapath *dp, uint32_t ifindex)
{
	int fd = datapath_map_fd(dp, WEIR_MAP_EP_IF);
	uint32_t slot;

	/* The number may be a pod's by now. */
	if (bpf_map_lookup_elem(fd, &ifindex, &slot) == 0 && slot == 0)
		bpf_map_delete_elem(fd, &ifindex);
}

/* What an earlier agent attached to uplinks gets the new programs at once; pods follow with datapath_attach_pod. */
static int adopt_link(const char *name, void *userdata, struct err *reterr)
{
	const struct datapath *dp = userdata;
	const char *prog = str_prefix(name, "xdp_net_") ? "xdp_net" : "from_net";
	_cleanup_free_ char *path = path_in(dp->bpf_dir, "links", name);
	_cleanup_close_ int fd = path ? bpf_obj_get(path) : -1;

	if (!path)
		return err_oom(reterr);
	if (fd < 0 || bpf_link_update(fd, datapath_prog_fd(dp, prog), NULL) == 0)
		return 0;
	if (errno == ENOLINK) /* its interface has gone */
		return unlink(path) < 0 ? -errno : 0;
	return err_set(reterr, -errno, "cannot update %s: %m", path);
}

static int adopt_uplink(const char *name, void *userdata, struct err *reterr)
{
	const struct datapath *dp = userdata;
	uint32_t ifindex = strtoul(name, NULL, 10);
	_cleanup_free_ char *pin = link_path(dp->bpf_dir, "from_net", ifindex);

	if (!pin)
		return err_oom(reterr);
	if (access(pin, F_OK) == 0 || tc_attached(ifindex, true, NULL, NULL) < 0)
		return 0;
	return tc_attach(datapath_prog_fd(dp, "from_net"), ifindex, true, NULL, reterr);
}

static int adopt(struct datapath *dp, struct err *reterr)
{
	int r = for_each_in(dp->bpf_dir, "links", adopt_link, dp, reterr);

	return r < 0 ? r : for_each_in(dp->bpf_dir, "uplinks", adopt_uplink, dp, reterr);
}

int datapath_load(const struct datapath_options *o, struct datapath **ret_dp, struct err *reterr)
{
	_cleanup_(datapath_freep) struct datapath *dp = calloc(1, sizeof(*dp));
	int r;

	if (!dp || !(dp->bpf_dir = strdup(o->bpf_dir)))
		return err_oom(reterr);
	words[0] = '\0';
	libbpf_set_print(keep_words);
	r = bpffs_prepare(o->bpf_dir, reterr);
	if (r < 0)
		return r;
	r = open_objects(dp, o, reterr);
	if (r < 0)
		return r;
	r = prepare(dp, o, reterr);
	if (r < 0)
		return r;
	r = load_objects(dp, reterr);
	if (r < 0)
		return r;
	r = l7_rings_open(datapath_map_fd(dp, WEIR_MAP_L7_RINGS), o->l7_ring_bytes ?: 8 << 20, &dp->rings, reterr);
	if (r < 0)
		return r;
	r = pin_programs(dp, reterr);
	if (r < 0)
		return r;
	r = adopt(dp, reterr);
	if (r < 0)
		return r;
	*ret_dp = TAKE_PTR(dp);
	return 0;
}

void datapath_free(struct datapath *dp)
{
	pod__destroy(dp->pod);
	net__destroy(dp->net);
	xdp__destroy(dp->xdp);
	gc__destroy(dp->gc);
	l7_rings_close(&dp->rings);
	free(dp->bpf_dir);
	free(dp);
}

/* ---- access */

int datapath_map_fd(const struct datapath *dp, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(dp->pod->obj, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

int datapath_prog_fd(const struct datapath *dp, const char *name)
{
	for (int i = 0; i < N_OBJECTS; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(object(dp, i), name);

		if (prog)
			return bpf_program__fd(prog);
	}
	return -ENOENT;
}

const struct l7_rings *datapath_l7_rings(const struct datapath *dp)
{
	return &dp->rings;
}

int datapath_attach_pod(const struct datapath *dp, uint32_t ifindex, struct err *reterr)
{
	int r = tc_attach(datapath_prog_fd(dp, "from_pod"), ifindex, true, NULL, reterr);

	return r < 0 ? r : tc_attach(datapath_prog_fd(dp, "to_pod"), ifindex, false, NULL, reterr);
}

/* The pinned link when it is alive on that interface. */
static int open_xdp_link(const char *pin, uint32_t ifindex)
{
	_cleanup_close_ int fd = bpf_obj_get(pin);
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	return info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == ifindex ? TAKE_FD(fd) : -ENOENT;
}

/* An attached program is updated in the mode in which it is. */
static int attach_xdp(const struct datapath *dp, uint32_t ifindex, enum datapath_xdp mode, struct err *reterr)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == DATAPATH_XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	_cleanup_free_ char *pin = link_path(dp->bpf_dir, "xdp_net", ifindex);
	_cleanup_close_ int fd = pin && mode != DATAPATH_XDP_OFF ? open_xdp_link(pin, ifindex) : -1;
	int prog = datapath_prog_fd(dp, "xdp_net");

	if (!pin)
		return err_oom(reterr);
	if (fd >= 0)
		return bpf_link_update(fd, prog, NULL) < 0 ? err_set(reterr, -errno, "cannot update %s: %m", pin) : 0;
	if (unlink(pin) < 0 && errno != ENOENT)
		return err_set(reterr, -errno, "cannot remove %s: %m", pin);
	if (mode == DATAPATH_XDP_OFF)
		return 0;
	fd = bpf_link_create(prog, ifindex, BPF_XDP, &opts);
	if (fd < 0)
		return err_set(reterr, -errno, "cannot attach the XDP program to interface %u: %m", ifindex);
	return bpf_obj_pin(fd, pin) < 0 ? err_set(reterr, -errno, "cannot pin %s: %m", pin) : 0;
}

int datapath_attach_uplink(const struct datapath *dp, uint32_t ifindex, enum datapath_xdp xdp, struct err *reterr)
{
	_cleanup_free_ char *pin = link_path(dp->bpf_dir, "from_net", ifindex),
			    *mark = uplink_path(dp->bpf_dir, ifindex);
	int r;

	if (!pin || !mark)
		return err_oom(reterr);
	if (mkdir(mark, 0700) < 0 && errno != EEXIST)
		return err_set(reterr, -errno, "cannot make %s: %m", mark);
	r = tc_attach(datapath_prog_fd(dp, "from_net"), ifindex, true, pin, reterr);
	if (r < 0)
		return r;
	r = guard(dp, ifindex, reterr);
	return r < 0 ? r : attach_xdp(dp, ifindex, xdp, reterr);
}

int datapath_detach_uplink(const struct datapath *dp, uint32_t ifindex, struct err *reterr)
{
	unguard(dp, ifindex);
	return detach_uplink(dp->bpf_dir, ifindex, reterr);
}

int datapath_stats(const struct datapath *dp, uint64_t ret_stats[WEIR_STAT_COUNT], struct err *reterr)
{
	int fd = datapath_map_fd(dp, WEIR_MAP_STATS), cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *v = cpus > 0 ? calloc(cpus, sizeof(*v)) : NULL;

	if (!v)
		return err_oom(reterr);
	for (uint32_t i = 0; i < WEIR_STAT_COUNT; i++) {
		if (bpf_map_lookup_elem(fd, &i, v) < 0)
			return err_set(reterr, -errno, "cannot read the datapath's counters: %m");
		ret_stats[i] = 0;
		for (int cpu = 0; cpu < cpus; cpu++)
			ret_stats[i] += v[cpu];
	}
	return 0;
}

int datapath_collect(const struct datapath *dp, struct weir_gc *ret_gc, struct err *reterr)
{
	struct weir_gc gc = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &gc, .ctx_size_in = sizeof(gc)); /* written back */

	if (bpf_prog_test_run_opts(datapath_prog_fd(dp, "collect"), &opts) < 0 || opts.retval)
		return err_set(reterr, -errno, "cannot run the collecting program: %m");
	*ret_gc = gc;
	return 0;
}

uint32_t datapath_max_entries(const struct datapath *dp, const char *name)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(dp->pod->obj, name);

	return map ? bpf_map__max_entries(map) : 0;
}

/* With the maps that it holds. */
static int memory_of(const struct datapath *dp, const struct bpf_map *map, uint64_t *ret)
{
	size_t n = streq(bpf_map__name(map), WEIR_MAP_L7_RINGS) ? dp->rings.n : 0;
	int r = fd_memlock(bpf_map__fd(map), ret);

	for (size_t i = 0; i < n && r == 0; i++) {
		uint64_t one = 0;

		r = fd_memlock(dp->rings.fd[i], &one);
		*ret += one;
	}
	return r;
}

int datapath_memory(const struct datapath *dp, const char *name, uint64_t *ret_bytes, struct err *reterr)
{
	uint64_t sum = 0, one;
	struct bpf_map *map;
	bool found = false;

	bpf_object__for_each_map(map, dp->pod->obj)
	{
		if (!is_shared(map) || (name && !streq(name, bpf_map__name(map))))
			continue;
		if (memory_of(dp, map, &one) < 0)
			return err_set(reterr, -EIO, "the kernel does not tell the memory of map %s",
				       bpf_map__name(map));
		sum += one;
		found = true;
	}
	if (!found)
		return err_set(reterr, -ENOENT, "no map %s", name);
	*ret_bytes = sum;
	return 0;
}
