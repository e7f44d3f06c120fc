// SPDX-License-Identifier: Apache-2.0
/*
 * What a packet costs: nanoseconds by program test runs, over an empty program, in turn with the least program
 * (least.bpf.c), medians of rounds. packet BPF-DIR [REGEX] prints rows as JSON lines.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/in.h>
#include <regex.h>
#include <sched.h>
#include <time.h>

#include "agent/datapath.h"
#include "count.skel.h"
#include "least.skel.h"
#include "pod.skel.h"
#include "test/bpf/packet.h"

#define ROUNDS 15
#define FLOWS 30000 /* others in the connection maps */
#define PODS 200    /* in the ipcache */
#define RULESETS 20 /* of ten rules each */

enum { SENDER = 1, RECEIVER = 2 };
static const uint8_t MAC[6] = { 2, 0, 0, 0, 0, 1 }; /* of all, so that a delivered frame can be sent again */

struct bench {
	struct datapath *dp;
	struct least *least;
	struct count *count;
	struct pod *forgetful; /* the same programs, which do not remember what was judged */
	uint32_t ifindex[3];
};

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void set(int fd, const void *key, const void *val)
{
	if (bpf_map_update_elem(fd, key, val, BPF_ANY) < 0)
		die("cannot fill a map");
}

static struct weir_addr pod_addr(unsigned n, bool v6)
{
	struct weir_addr a = addr_from_v4(htonl(0x0a000000 + n));

	if (v6)
		a = (struct weir_addr){ .w = { htonl(0xfd000000), 0, 0, htonl(n) } };
	return a;
}

/* ---- the node: two pods with policy on both sides, and what else a node has */

static void add_pod(const struct bench *b, uint32_t slot)
{
	struct weir_ep ep = { .ifindex = b->ifindex[slot], .addr = { pod_addr(slot, false), pod_addr(slot, true) } };

	memcpy(ep.mac, MAC, 6);
	memcpy(ep.host_mac, MAC, 6);
	for (int side = 0; side < WEIR_SIDES; side++)
		ep.side[side] =
		    (struct weir_ep_side){ slot,
					   WEIR_EP_READY | WEIR_EP_ISOLATED_INGRESS | WEIR_EP_ISOLATED_EGRESS,
					   { 1000 + slot, 1000 + slot } };
	set(datapath_map_fd(b->dp, WEIR_MAP_EP), &slot, &ep);
	set(datapath_map_fd(b->dp, WEIR_MAP_EP_IF), &ep.ifindex, &slot);
}

static void add_rules(const struct bench *b)
{
	struct weir_policy_val v = { .rule = 100 };

	for (uint32_t set_no = 1; set_no <= RULESETS; set_no++)
		for (uint32_t i = 0; i < 10; i++) {
			struct weir_policy_key k = {
				WEIR_POLICY_PREFIX_FULL, set_no, 1001 + i, i & 1, IPPROTO_TCP, htons(80)
			};

			set(datapath_map_fd(b->dp, WEIR_MAP_POLICY), &k, &v);
		}
	for (uint8_t dir = 0; dir < 2; dir++) {
		struct weir_policy_key k = { WEIR_POLICY_PREFIX_FULL,
					     dir == WEIR_EGRESS ? SENDER : RECEIVER,
					     1000 + (dir == WEIR_EGRESS ? RECEIVER : SENDER),
					     dir,
					     IPPROTO_TCP,
					     htons(80) };

		set(datapath_map_fd(b->dp, WEIR_MAP_POLICY), &k, &v);
	}
}

static void add_identities(const struct bench *b)
{
	int fd = datapath_map_fd(b->dp, WEIR_MAP_IPCACHE);

	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct weir_lpm_key k = { .prefixlen = v6 ? 0 : 96,
					  .addr = v6 ? (struct weir_addr){} : addr_from_v4(0) };

		set(fd, &k, &(struct weir_ipcache){ .identity = { WEIR_ID_WORLD, WEIR_ID_WORLD } });
		for (unsigned n = 1; n <= PODS; n++) {
			struct weir_ipcache v = { .identity = { 1000 + n, 1000 + n }, .slot = n <= RECEIVER ? n : 0 };

			k = (struct weir_lpm_key){ 128, pod_addr(n, v6) };
			set(fd, &k, &v);
		}
	}
}

static void add_flows(const struct bench *b)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		bool v6 = i & 1;
		struct weir_ct_key k = { .addr = { pod_addr(1000 + i, v6), pod_addr(2, v6) }, .proto = IPPROTO_TCP };

		set(datapath_map_fd(b->dp, WEIR_MAP_CT_TCP), &k, &(struct weir_ct){});
	}
}

static void fill_node(const struct bench *b)
{
	struct weir_node node = { .gen = 2, .abi = WEIR_ABI_VERSION };

	set(datapath_map_fd(b->dp, WEIR_MAP_NODE), &(uint32_t){ 0 }, &node);
	add_pod(b, SENDER);
	add_pod(b, RECEIVER);
	add_rules(b);
	add_identities(b);
	add_flows(b);
}

static int least_map(const struct bench *b, const char *name)
{
	return bpf_object__find_map_fd_by_name(b->least->obj, name);
}

static void fill_least(const struct bench *b)
{
	struct {
		uint32_t saddr, daddr;
		uint16_t sport, dport;
		uint32_t proto;
	} k4 = { htonl(0x0a000001), htonl(0x0a000002), htons(40000), htons(80), IPPROTO_TCP };
	struct {
		struct weir_addr saddr, daddr;
		uint16_t sport, dport;
		uint32_t proto;
	} k6 = { pod_addr(1, true), pod_addr(2, true), htons(40000), htons(80), IPPROTO_TCP };
	struct {
		uint32_t ifindex;
		uint8_t macs[12];
	} receiver = { .ifindex = b->ifindex[RECEIVER] };
	uint64_t counters[3] = {};

	for (unsigned i = 0; i <= FLOWS; i++) {
		set(least_map(b, "flows4"), &k4, counters);
		set(least_map(b, "flows6"), &k6, counters);
		k4.saddr = htonl(0x0b000000 + i);
		k6.saddr = pod_addr(1000 + i, true);
	}
	for (unsigned i = 0; i < 200; i++) {
		uint32_t a4 = htonl(0x0a000002 + i);
		struct weir_addr a6 = pod_addr(2 + i, true);

		set(least_map(b, "receivers4"), &a4, &receiver);
		set(least_map(b, "receivers6"), &a6, &receiver);
	}
}

/* ---- measuring */

static struct packet tcp(bool v6, bool reply, uint16_t port, uint8_t flags)
{
	struct packet p = { .src = pod_addr(SENDER, v6),
			    .dst = pod_addr(RECEIVER, v6),
			    .proto = IPPROTO_TCP,
			    .sport = 40000,
			    .dport = port,
			    .flags = flags };

	memcpy(p.smac, MAC, 6);
	memcpy(p.dmac, MAC, 6);
	return reply ? packet_reply(&p, flags) : p;
}

/* ns a run. want: the action that it must return. */
static double run(int prog, uint32_t ifindex, const struct packet *p, int repeat, uint32_t want)
{
	uint8_t frame[FRAME_MAX];
	struct __sk_buff ctx = { .ifindex = ifindex, .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .repeat = repeat);
	struct timespec a, z;

	o.data_size_in = packet_build(p, frame);
	clock_gettime(CLOCK_MONOTONIC, &a);
	if (bpf_prog_test_run_opts(prog, &o) < 0)
		die("test run");
	clock_gettime(CLOCK_MONOTONIC, &z);
	if (o.retval != want) {
		fprintf(stderr, "test run returned %u, not %u\n", o.retval, want);
		exit(1);
	}
	return ((z.tv_sec - a.tv_sec) * 1e9 + (z.tv_nsec - a.tv_nsec)) / repeat;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double v[ROUNDS])
{
	qsort(v, ROUNDS, sizeof(*v), compare);
	return v[ROUNDS / 2];
}

/* Events that an earlier round left would fill the ring. */
static int discard(void *userdata _unused_, void *data _unused_, size_t len _unused_)
{
	return 0;
}

static void empty_ring(const struct bench *b)
{
	struct ring_buffer *ring = ring_buffer__new(datapath_map_fd(b->dp, WEIR_MAP_EVENTS), discard, NULL, NULL);

	if (!ring || ring_buffer__consume(ring) < 0)
		die("ring");
	ring_buffer__free(ring);
}

struct row {
	const char *name;
	bool v6, reply;
	uint16_t port;
	uint32_t act;
	bool first;    /* as if each packet were the first of its kind */
	int repeat;    /* so many events fit into the ring */
	double target; /* 0: none */
	const char *note;
};

/* Look-ups of one such packet, by the counting twin of the program: the fewest and the most of some runs. */
static void count_lookups(const struct bench *b, const struct row *r, const struct packet *p, uint64_t ret_n[2])
{
	uint32_t from = b->ifindex[r->reply ? RECEIVER : SENDER];

	ret_n[0] = ret_n[1] = r->first ? 0 : UINT64_MAX;
	for (int i = 0; i < 10; i++) {
		__u64 *n = b->count->bss->lookups;

		n[0] = n[1] = 0;
		run(bpf_program__fd(b->count->progs.from_pod), from, p, 1, r->act);
		if ((n[0] < ret_n[0]) != r->first) {
			ret_n[0] = n[0];
			ret_n[1] = n[1];
		}
		usleep(r->first ? 10000 : 0);
	}
}

static unsigned instructions(int prog)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog, &info, &len) < 0)
		die("program info");
	return info.xlated_prog_len / 8;
}

static void print_row(const struct row *r, double value, double peer, const uint64_t n[2], unsigned insns)
{
	char target[64] = "\"target\":null,\"met\":null";

	if (r->target > 0)
		snprintf(target, sizeof(target), "\"target\":%.1f,\"met\":%s", r->target,
			 value / peer <= r->target ? "true" : "false");
	printf("{\"row\":\"%s\",\"unit\":\"ns\",\"peer\":\"least "
	       "program\",\"peer_value\":%.1f,\"value\":%.1f,\"ratio\":%.2f,"
	       "%s,\"better\":\"lower\",\"note\":\"%" PRIu64 " look-ups in hashes and tries, %" PRIu64
	       " in arrays; program of %u "
	       "instructions; %s\"}\n",
	       r->name, peer, value, value / peer, target, n[0], n[1], insns, r->note);
	fflush(stdout);
}

static void measure(const struct bench *b, const struct row *r)
{
	int weir = r->first ? bpf_program__fd(b->forgetful->progs.from_pod) : datapath_prog_fd(b->dp, "from_pod");
	int least = bpf_program__fd(r->v6 ? b->least->progs.least6 : b->least->progs.least4);
	int nothing = bpf_program__fd(b->least->progs.nothing);
	struct packet p = tcp(r->v6, r->reply, r->port, r->act == TC_ACT_SHOT ? SYN : ACK),
		      plain = tcp(r->v6, false, 80, ACK);
	uint32_t from = b->ifindex[r->reply ? RECEIVER : SENDER];
	double ours[ROUNDS], theirs[ROUNDS];
	uint64_t n[2];

	for (int i = 0; i < ROUNDS; i++) {
		double base = run(nothing, from, &p, 100000, TC_ACT_OK);

		theirs[i] = run(least, b->ifindex[SENDER], &plain, 100000, TC_ACT_REDIRECT) - base;
		ours[i] = run(weir, from, &p, r->repeat, r->act) - base;
		empty_ring(b);
	}
	count_lookups(b, r, &p, n);
	empty_ring(b);
	print_row(r, median(ours), median(theirs), n, instructions(weir));
}

/* ---- */

static void share_maps(const struct bench *b, struct bpf_object *obj)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, obj) if (!bpf_map__is_internal(m) &&
					     bpf_map__reuse_fd(m, datapath_map_fd(b->dp, bpf_map__name(m))) < 0)
	    die("cannot share a map");
}

static void open_all(struct bench *b, const char *bpf_dir)
{
	struct datapath_options o = { .bpf_dir = bpf_dir };
	struct err err;

	if (unshare(CLONE_NEWNET) < 0 ||
	    system("ip link add w1 type veth peer name p1 && ip link add w2 type veth peer name p2"))
		die("cannot make interfaces");
	b->ifindex[SENDER] = if_nametoindex("w1");
	b->ifindex[RECEIVER] = if_nametoindex("w2");
	if (datapath_load(&o, &b->dp, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	b->least = least__open_and_load();
	b->count = count__open();
	b->forgetful = pod__open();
	if (!b->least || !b->count || !b->forgetful)
		die("cannot open the programs to compare with");
	share_maps(b, b->count->obj);
	share_maps(b, b->forgetful->obj);
	b->forgetful->rodata->cfg_remember = false;
	if (count__load(b->count) < 0 || pod__load(b->forgetful) < 0)
		die("cannot load the programs to compare with");
}

/* The connections whose packets are measured. */
static void establish(const struct bench *b)
{
	int from_pod = datapath_prog_fd(b->dp, "from_pod");

	for (int v6 = 0; v6 < 2; v6++) {
		struct packet syn = tcp(v6, false, 80, SYN), ack = tcp(v6, true, 80, ACK);

		run(from_pod, b->ifindex[SENDER], &syn, 1, TC_ACT_REDIRECT);
		run(from_pod, b->ifindex[RECEIVER], &ack, 1, TC_ACT_REDIRECT);
	}
}

int main(int argc, char **argv)
{
	static const struct row rows[] = {
		{ "packet established pod->pod", false, false, 80, TC_ACT_REDIRECT, false, 300000, 2.3,
		  "Cilium, quoted: 886 ns = 9.3 x its least" },
		{ "packet reply", false, true, 80, TC_ACT_REDIRECT, false, 300000, 2.3, "Cilium, quoted: 602 ns" },
		{ "packet policy drop with event", false, false, 81, TC_ACT_SHOT, false, 60000, 2.9,
		  "denied before in the same tick; Cilium, quoted: 278 ns" },
		{ "packet policy drop with event, first in its tick", false, false, 81, TC_ACT_SHOT, true, 60000, 0,
		  "200 addresses, 20 rule sets of 10 rules" },
		{ "packet established pod->pod IPv6", true, false, 80, TC_ACT_REDIRECT, false, 300000, 2.3,
		  "no figure of Cilium's" },
		{ "packet reply IPv6", true, true, 80, TC_ACT_REDIRECT, false, 300000, 2.3, "no figure of Cilium's" },
		{ "packet policy drop with event IPv6", true, false, 81, TC_ACT_SHOT, false, 60000, 2.9,
		  "denied before in the same tick" },
	};
	struct bench b = {};
	cpu_set_t cpu;
	regex_t re;

	if (argc < 2 || regcomp(&re, argc > 2 ? argv[2] : ".", REG_EXTENDED | REG_NOSUB))
		return 2;
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	open_all(&b, argv[1]);
	fill_node(&b);
	fill_least(&b);
	establish(&b);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (regexec(&re, rows[i].name, 0, NULL, 0) == 0)
			measure(&b, &rows[i]);
	pod__destroy(b.forgetful);
	count__destroy(b.count);
	least__destroy(b.least);
	datapath_free(b.dp);
	datapath_unload(argv[1], NULL);
	regfree(&re);
	return 0;
}
