// SPDX-License-Identifier: Apache-2.0
#include "test/bpf/world.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <time.h>

static struct datapath *dp;
static struct ring_buffer *ring;
static struct ring_buffer *l7_ring;
static struct excerpt *excerpts;
static size_t n_excerpts, excerpts_max;
static struct run *filling;
static uint32_t ticks;

static int on_event(void *userdata _unused_, void *data, size_t len)
{
	ck_assert_uint_eq(len, sizeof(struct weir_event));
	if (filling) {
		ck_assert_uint_lt(filling->n, ARRAY_SIZE(filling->ev));
		memcpy(&filling->ev[filling->n++], data, len);
	}
	return 0;
}

static int on_excerpt(void *userdata _unused_, void *data, size_t len)
{
	struct excerpt *e = excerpts + n_excerpts;

	if (!excerpts)
		return 0;
	ck_assert_uint_lt(n_excerpts, excerpts_max);
	memcpy(&e->x, data, sizeof(e->x));
	ck_assert_uint_le(sizeof(e->x) + e->x.len, len);
	memcpy(e->data, (uint8_t *)data + sizeof(e->x), e->x.len);
	n_excerpts++;
	return 0;
}

size_t world_excerpts(struct excerpt *ret, size_t max)
{
	excerpts = ret;
	excerpts_max = max;
	n_excerpts = 0;
	ck_assert_int_ge(ring_buffer__consume(l7_ring), 0);
	excerpts = NULL;
	return n_excerpts;
}

int world_start(const char *bpf_dir, struct err *reterr)
{
	struct datapath_options o = { .bpf_dir = bpf_dir,
				      .fake_clock = true,
				      .ring_bytes = 64 << 10,
				      .l7_ring_bytes = 64 << 10,
				      .l7_budget = 4096 };
	struct timespec res;
	cpu_set_t one_cpu;
	const struct l7_rings *rings;
	char cmd[192];
	int r;

	/* Excerpts are written and read in one ring, so in order. */
	CPU_ZERO(&one_cpu);
	CPU_SET(sched_getcpu(), &one_cpu);
	if (sched_setaffinity(0, sizeof(one_cpu), &one_cpu) < 0)
		return err_set(reterr, -errno, "cannot stay on one CPU: %m");

	if (unshare(CLONE_NEWNET) < 0)
		return err_set(reterr, -errno, "cannot make a network namespace: %m");
	/* No neighbour discovery of the test's own. */
	if (system("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6") != 0)
		return err_set(reterr, -EIO, "cannot disable IPv6");
	for (int i = 1; i < N_PODS; i++) {
		snprintf(
		    cmd, sizeof(cmd),
		    "ip link add weir.%d type veth peer name peer.%d; ip link set weir.%d up; ip link set peer.%d up",
		    i, i, i, i);
		if (system(cmd) != 0)
			return err_set(reterr, -EIO, "%s failed", cmd);
	}
	clock_getres(CLOCK_MONOTONIC_COARSE, &res);
	ticks = (1000000000 + res.tv_nsec / 2) / res.tv_nsec;
	r = datapath_load(&o, &dp, reterr);
	if (r < 0)
		return r;
	ring = ring_buffer__new(world_map(WEIR_MAP_EVENTS), on_event, NULL, NULL);
	rings = datapath_l7_rings(dp);
	for (size_t i = 0; i < rings->n; i++)
		if (!l7_ring)
			l7_ring = ring_buffer__new(rings->fd[i], on_excerpt, NULL, NULL);
		else if (ring_buffer__add(l7_ring, rings->fd[i], on_excerpt, NULL) < 0)
			return err_set(reterr, -errno, "cannot open a ring: %m");
	return ring && l7_ring ? 0 : err_set(reterr, -errno, "cannot open the ring: %m");
}

void world_stop(const char *bpf_dir)
{
	struct err err;

	ring_buffer__free(ring);
	ring_buffer__free(l7_ring);
	if (dp)
		datapath_free(dp);
	if (datapath_unload(bpf_dir, &err) < 0)
		fprintf(stderr, "# %s\n", err.msg);
}

size_t world_read_ring(void)
{
	int n = ring_buffer__consume(ring);

	ck_assert_int_ge(n, 0);
	return n;
}

int world_map(const char *name)
{
	return datapath_map_fd(dp, name);
}

int world_prog(const char *name)
{
	return datapath_prog_fd(dp, name);
}

static void map_set(const char *name, const void *key, const void *val)
{
	ck_assert_msg(bpf_map_update_elem(world_map(name), key, val, BPF_ANY) == 0, "%s: %s", name, strerror(errno));
}

static size_t map_clear(const char *name)
{
	uint8_t key[64];
	size_t n = 0;

	while (bpf_map_get_next_key(world_map(name), NULL, key) == 0 && bpf_map_delete_elem(world_map(name), key) == 0)
		n++;
	return n;
}

uint32_t world_ifindex(int pod)
{
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "weir.%d", pod);
	return if_nametoindex(name);
}

uint64_t world_stat(unsigned index)
{
	uint64_t stats[WEIR_STAT_COUNT];

	ck_assert_int_eq(datapath_stats(dp, stats, NULL), 0);
	return stats[index];
}

/* ---- contents */

static struct weir_node node;

static void write_node(void)
{
	map_set(WEIR_MAP_NODE, &(uint32_t){ 0 }, &node);
}

void world_wait(unsigned seconds)
{
	node.fake_now += seconds * ticks;
	write_node();
}

void world_set_generation(uint32_t gen)
{
	node.gen = gen;
	write_node();
}

struct weir_addr addr_of(int who, bool v6)
{
	struct weir_addr a;
	char s[32];

	if (who == WORLD || who == HOST)
		addr_parse(who == WORLD ? (v6 ? "2001:db8::1" : "203.0.113.1") : v6 ? "fd01::1" : "192.0.2.1", &a);
	else {
		snprintf(s, sizeof(s), v6 ? "fd00::%d" : "10.0.0.%d", who);
		addr_parse(s, &a);
	}
	return a;
}

static void set_mac(uint8_t mac[6], uint8_t kind, uint8_t who)
{
	memcpy(mac, (uint8_t[]){ 2, 0, 0, 0, kind, who }, 6);
}

static struct weir_ep endpoint(int pod)
{
	struct weir_ep ep;

	ck_assert_int_eq(bpf_map_lookup_elem(world_map(WEIR_MAP_EP), &(uint32_t){ pod }, &ep), 0);
	return ep;
}

void world_set_side(int pod, unsigned side, uint32_t ruleset, uint32_t flags)
{
	struct weir_ep ep = endpoint(pod);

	ep.side[side].ruleset = ruleset;
	ep.side[side].flags = flags;
	map_set(WEIR_MAP_EP, &(uint32_t){ pod }, &ep);
}

void world_set_ready(int pod, bool ready)
{
	struct weir_ep ep = endpoint(pod);

	for (int side = 0; side < WEIR_SIDES; side++)
		ep.side[side].flags = ready ? ep.side[side].flags | WEIR_EP_READY
					    : ep.side[side].flags & ~WEIR_EP_READY;
	map_set(WEIR_MAP_EP, &(uint32_t){ pod }, &ep);
}

void world_allow(uint32_t ruleset, enum weir_dir dir, uint32_t peer, uint8_t proto, uint16_t port, uint32_t rule)
{
	struct weir_policy_key k = {
		.prefixlen = port    ? WEIR_POLICY_PREFIX_FULL
			     : proto ? WEIR_POLICY_PREFIX_PROTO
				     : WEIR_POLICY_PREFIX_ANY,
		.ruleset = ruleset,
		.identity = peer,
		.dir = dir,
		.proto = proto,
		.port = htons(port),
	};

	map_set(WEIR_MAP_POLICY, &k, &(struct weir_policy_val){ .rule = rule });
	node.fake_now++; /* within one tick a verdict may be remembered */
	write_node();
}

static void set_identity(const char *prefix, struct weir_addr addr, uint32_t identity, uint16_t slot, uint16_t flags)
{
	struct weir_lpm_key k = { .prefixlen = 128, .addr = addr };
	struct weir_ipcache v = { .identity = { identity, identity }, .slot = slot, .flags = flags };
	struct prefix p;

	if (prefix) {
		ck_assert_int_eq(prefix_parse(prefix, &p), 0);
		k.prefixlen = p.len;
		k.addr = p.addr;
	}
	map_set(WEIR_MAP_IPCACHE, &k, &v);
}

static void add_pod(int pod, uint32_t flags)
{
	uint32_t slot = pod, identity = 1000 + pod;
	struct weir_ep ep = { .ifindex = world_ifindex(pod), .addr = { addr_of(pod, false), addr_of(pod, true) } };

	set_mac(ep.mac, 1, pod);
	set_mac(ep.host_mac, 2, pod);
	for (int side = 0; side < WEIR_SIDES; side++)
		ep.side[side] = (struct weir_ep_side){ RULESET(pod), WEIR_EP_READY | flags, { identity, identity } };
	map_set(WEIR_MAP_EP, &slot, &ep);
	map_set(WEIR_MAP_EP_IF, &ep.ifindex, &slot);
	for_each_family(v6) set_identity(NULL, addr_of(pod, v6), identity, slot, 0);
}

static void clear_all(void)
{
	static const char *const names[] = { WEIR_MAP_CT_TCP, WEIR_MAP_CT_ANY,    WEIR_MAP_FRAG,
					     WEIR_MAP_POLICY, WEIR_MAP_IPCACHE,   WEIR_MAP_DENY,
					     WEIR_MAP_EP_IF,  WEIR_MAP_L7_FRAMES, WEIR_MAP_L7_WANT };
	struct weir_ep none = {};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		map_clear(names[i]);
	for (uint32_t slot = 0; slot < N_PODS; slot++)
		map_set(WEIR_MAP_EP, &slot, &none);
	ring_buffer__consume(ring);
	excerpts = NULL; /* only emptied */
	ring_buffer__consume(l7_ring);
}

void world_reset(void)
{
	clear_all();
	node = (struct weir_node){ .gen = 10, .abi = WEIR_ABI_VERSION, .fake_now = 1000000 };
	write_node();
	set_identity("0.0.0.0/0", (struct weir_addr){}, WEIR_ID_WORLD, 0, 0);
	set_identity("::/0", (struct weir_addr){}, WEIR_ID_WORLD, 0, 0);
	for_each_family(v6) set_identity(NULL, addr_of(HOST, v6), WEIR_ID_HOST, 0, WEIR_IPC_HOST);
	map_set(WEIR_MAP_EP_IF, &(uint32_t){ UPLINK }, &(uint32_t){ 0 });
	add_pod(OPEN, 0);
	add_pod(OPEN2, 0);
	add_pod(SERVER, WEIR_EP_ISOLATED_INGRESS);
	add_pod(LOCKED, WEIR_EP_ISOLATED_INGRESS | WEIR_EP_ISOLATED_EGRESS);
	add_pod(AUDITED,
		WEIR_EP_ISOLATED_INGRESS | WEIR_EP_ISOLATED_EGRESS | WEIR_EP_AUDIT_INGRESS | WEIR_EP_AUDIT_EGRESS);
	world_allow(RULESET(SERVER), WEIR_INGRESS, 1000 + OPEN, IPPROTO_TCP, 80, 100);
	world_allow(RULESET(SERVER), WEIR_INGRESS, WEIR_ID_ANY, IPPROTO_UDP, 53, 101);
}

static bool connection_in(const char *map, const struct packet *p, struct weir_ct *ret_ct)
{
	struct weir_ct_key k, *prev = NULL;

	for (; bpf_map_get_next_key(world_map(map), prev, &k) == 0; prev = &k) {
		int s = addr_cmp(&k.addr[0], &p->src) == 0 && k.port[0] == htons(p->sport) ? 0 : 1;

		if (k.proto == p->proto && addr_cmp(&k.addr[s], &p->src) == 0 && addr_cmp(&k.addr[!s], &p->dst) == 0 &&
		    k.port[s] == htons(p->sport) && k.port[!s] == htons(p->dport))
			return bpf_map_lookup_elem(world_map(map), &k, ret_ct) == 0;
	}
	return false;
}

bool world_connection(const struct packet *p, struct weir_ct *ret_ct)
{
	return connection_in(p->proto == IPPROTO_TCP ? WEIR_MAP_CT_TCP : WEIR_MAP_CT_ANY, p, ret_ct);
}

static size_t map_count(const char *name)
{
	uint8_t key[64];
	size_t n = 0;

	for (void *prev = NULL; bpf_map_get_next_key(world_map(name), prev, key) == 0; prev = key)
		n++;
	return n;
}

size_t world_connections(void)
{
	return map_count(WEIR_MAP_CT_TCP) + map_count(WEIR_MAP_CT_ANY);
}

/* ---- runs */

struct packet packet_between(int from, int to, bool v6, uint8_t proto, uint16_t sport, uint16_t dport)
{
	struct packet p = {
		.src = addr_of(from, v6), .dst = addr_of(to, v6), .proto = proto, .sport = sport, .dport = dport
	};

	if (v6 && proto == IPPROTO_ICMP)
		p.proto = IPPROTO_ICMPV6;
	if (p.proto == IPPROTO_TCP)
		p.flags = SYN;
	if (p.proto == IPPROTO_ICMP || p.proto == IPPROTO_ICMPV6) {
		p.icmp_type = v6 ? 128 : 8;
		p.dport = p.sport;
	}
	set_mac(p.smac, 1, from);
	set_mac(p.dmac, 2, from);
	return p;
}

static struct run run_fd(int prog, bool xdp, uint32_t ifindex, uint32_t iif, const uint8_t *frame, size_t len)
{
	struct run r = {};
	struct __sk_buff ctx = { .ifindex = ifindex, .ingress_ifindex = iif };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .data_out = r.frame,
		    .data_size_out = sizeof(r.frame), .ctx_in = xdp ? NULL : &ctx,
		    .ctx_size_in = xdp ? 0 : sizeof(ctx));

	ring_buffer__consume(ring);
	ck_assert_msg(bpf_prog_test_run_opts(prog, &opts) == 0, "test run with %zu bytes: %s", len, strerror(errno));
	r.act = opts.retval;
	filling = &r;
	ring_buffer__consume(ring);
	filling = NULL;
	return r;
}

struct run world_collect(struct weir_gc *ret_gc)
{
	struct run r = {};

	ring_buffer__consume(ring);
	ck_assert_int_eq(datapath_collect(dp, ret_gc, NULL), 0);
	filling = &r;
	ring_buffer__consume(ring);
	filling = NULL;
	return r;
}

struct run run_frame(const char *prog, uint32_t ifindex, uint32_t iif, const uint8_t *frame, size_t len)
{
	return run_fd(world_prog(prog), streq(prog, "xdp_net"), ifindex, iif, frame, len);
}

struct run run_wire(int pod, const uint8_t *frame, size_t len)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	struct run r = {};
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "peer.%d", pod);
	to.sll_ifindex = if_nametoindex(name);
	ck_assert_int_eq(datapath_attach_pod(dp, world_ifindex(pod), NULL), 0);
	ring_buffer__consume(ring);
	ck_assert_msg(sendto(fd, frame, len, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)len,
		      "sending %zu bytes: %s", len, strerror(errno));
	filling = &r;
	for (int i = 0; i < 1000 && !r.n; i++) {
		ring_buffer__consume(ring);
		usleep(r.n ? 0 : 1000);
	}
	filling = NULL;
	r.act = r.n ? TC_ACT_SHOT : -1;
	return r;
}

struct run run_packet_fd(int prog, uint32_t ifindex, const struct packet *p)
{
	uint8_t frame[FRAME_MAX];

	return run_fd(prog, false, ifindex, ifindex, frame, packet_build(p, frame));
}

struct run from_pod(int pod, const struct packet *p)
{
	return run_packet_fd(world_prog("from_pod"), world_ifindex(pod), p);
}

struct run to_pod(int pod, uint32_t iif, const struct packet *p)
{
	uint8_t frame[FRAME_MAX];

	return run_frame("to_pod", world_ifindex(pod), iif, frame, packet_build(p, frame));
}

struct run from_net(const struct packet *p)
{
	uint8_t frame[FRAME_MAX];

	return run_frame("from_net", UPLINK, UPLINK, frame, packet_build(p, frame));
}

void check_passed(const struct run *r, int to, int type, int line)
{
	uint8_t macs[12];

	ck_assert_msg(r->act == (to ? TC_ACT_REDIRECT : TC_ACT_OK), "line %d: action %d, reason %d", line, r->act,
		      r->n ? r->ev[0].reason : -1);
	ck_assert_msg(r->n == !!type && (!type || r->ev[0].type == type), "line %d: %zu events, type %d", line, r->n,
		      r->n ? r->ev[0].type : 0);
	set_mac(macs, 1, to);
	set_mac(macs + 6, 2, to);
	ck_assert_msg(!to || memcmp(r->frame, macs, sizeof(macs)) == 0, "line %d: MAC addresses of the wrong pod",
		      line);
}

void check_dropped(const struct run *r, enum weir_drop why, const char *name, int line)
{
	ck_assert_msg(r->act == TC_ACT_SHOT, "line %d: action %d instead of a drop for %s", line, r->act, name);
	ck_assert_msg(r->n == 1 && r->ev[0].type == WEIR_EV_DROP && r->ev[0].verdict == WEIR_DROPPED &&
			  r->ev[0].reason == why,
		      "line %d: reason %d instead of %s", line, r->n ? r->ev[0].reason : -1, name);
}
