/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small node for program test runs: the real objects, loaded by the agent's own loader with the fake clock, in a
 * network namespace of its own. Pod N has 10.0.0.N and fd00::N, identity 1000 + N, slot N, interface weir.N.
 */
#ifndef WEIR_TEST_BPF_WORLD_H
#define WEIR_TEST_BPF_WORLD_H

#include <check.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "agent/datapath.h"
#include "test/bpf/packet.h"

enum who {
	OPEN = 1, /* no policy selects it */
	SERVER,   /* ingress: TCP 80 from OPEN (rule 100), UDP 53 from anybody (rule 101) */
	LOCKED,   /* both directions isolated, nothing allowed */
	AUDITED,  /* as LOCKED, by audit policies alone */
	ORPHAN,   /* an interface that the agent does not know yet */
	OPEN2,    /* a second one without policy */
	N_PODS,
	WORLD = 100, /* 203.0.113.1, 2001:db8::1 */
	HOST = 101,  /* 192.0.2.1, fd01::1 */
};
#define RULESET(pod) (20u + (pod))

/* Interfaces that are no pod's. */
enum { UPLINK = 1 /* the loopback device stands for it */, SIDE_DOOR = 77 /* no program there */ };

struct run {
	int act;
	size_t n; /* events */
	struct weir_event ev[64];
	uint8_t frame[FRAME_MAX]; /* as it went out */
};

int world_start(const char *bpf_dir, struct err *reterr);
void world_stop(const char *bpf_dir);

/* Everything as at the beginning: no connections, the pods above, generation 10. */
void world_reset(void);
/* How many events wait in the ring; they are gone then. */
size_t world_read_ring(void);

/* What was copied of payload since the last call. */
struct excerpt {
	struct weir_l7_excerpt x;
	uint8_t data[WEIR_L7_LARGE];
};
size_t world_excerpts(struct excerpt *ret, size_t max);
void world_wait(unsigned seconds);
void world_set_generation(uint32_t gen);
uint32_t world_ifindex(int pod);
int world_map(const char *name);
int world_prog(const char *name);
uint64_t world_stat(unsigned index);
void world_set_side(int pod, unsigned side, uint32_t ruleset, uint32_t flags);
void world_set_ready(int pod, bool ready);
void world_allow(uint32_t ruleset, enum weir_dir dir, uint32_t peer, uint8_t proto, uint16_t port, uint32_t rule);
/* The entry of that packet's connection; false: none. */
bool world_connection(const struct packet *p, struct weir_ct *ret_ct);
size_t world_connections(void);

struct weir_addr addr_of(int who, bool v6);
/* A packet with the addresses and MACs of who sends it. */
struct packet packet_between(int from, int to, bool v6, uint8_t proto, uint16_t sport, uint16_t dport);

/* One test run. iif: the interface it came in by, 0 = of the node's own making. */
struct run run_frame(const char *prog, uint32_t ifindex, uint32_t iif, const uint8_t *frame, size_t len);
/* On the wire instead, for frames that test runs refuse: sent by the pod's end of its veth. Waits for a drop's event.
 */
struct run run_wire(int pod, const uint8_t *frame, size_t len);
struct run run_packet_fd(int prog, uint32_t ifindex, const struct packet *p);
struct run from_pod(int pod, const struct packet *p);
struct run to_pod(int pod, uint32_t iif, const struct packet *p);
struct run from_net(const struct packet *p);
/* What the agent does every few seconds: what fell silent ends. */
struct run world_collect(struct weir_gc *ret_gc);

/* It went on: to that pod's namespace (0: to the stack), with an event of that type or none (0). */
#define ck_passed(r, to, type) check_passed(&(r), to, type, __LINE__)
/* Dropped, counted under this reason, with one event that says so. */
#define ck_dropped(r, why) check_dropped(&(r), why, #why, __LINE__)
void check_passed(const struct run *r, int to, int type, int line);
void check_dropped(const struct run *r, enum weir_drop why, const char *name, int line);

#define for_each_family(v6) for (int v6 = 0; v6 < 2; v6++)

TCase *tests_policy(void);
TCase *tests_life(void);
TCase *tests_forged(void);
TCase *tests_malformed(void);
TCase *tests_limits(void);
TCase *tests_l7(void);
TCase *tests_maps(void);

#endif
