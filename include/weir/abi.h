/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/*
 * The contract between the BPF programs and user space: everything in the pinned maps and in the ring.
 * No other header is shared. Every struct is explicitly padded, its size asserted at the end of this file;
 * all integers are host order except where a type says be16 or a field is an address.
 *
 * A change to any struct here needs a new WEIR_ABI_VERSION: the agent refuses to adopt pinned maps of another.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <linux/types.h>

#define WEIR_ABI_VERSION 5

/* Names of maps, also their pin names below <bpf-dir>/maps/. Programs are pinned as <bpf-dir>/progs/<name>.
 * At most 15 bytes: the kernel's limit. Links (of uplinks; pods have filters, see lib/tc_attach.h) are pinned as
 * <bpf-dir>/links/<program>_<ifindex>. bpffs refuses dots in names. */
#define WEIR_MAP_NODE "weir_node"
#define WEIR_MAP_EP "weir_ep"
#define WEIR_MAP_EP_IF "weir_ep_if"
#define WEIR_MAP_IPCACHE "weir_ipcache"
#define WEIR_MAP_POLICY "weir_policy"
#define WEIR_MAP_CT_TCP "weir_ct_tcp"
#define WEIR_MAP_CT_ANY "weir_ct_any"
#define WEIR_MAP_FRAG "weir_frag"
#define WEIR_MAP_DENY "weir_deny"
#define WEIR_MAP_STATS "weir_stats"
#define WEIR_MAP_EVENTS "weir_events"
#define WEIR_MAP_L7_RINGS "weir_l7_rings"
#define WEIR_MAP_L7_FRAMES "weir_l7_frames"
#define WEIR_MAP_L7_WANT "weir_l7_want"
/* And weir_judged, which is the programs' own: see bpf/judged.h. */

/* An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d. One form for both families everywhere. */
struct weir_addr {
	union {
		__u8 b[16];
		__be32 w[4];
	};
};

/* ---- node: array of one, the switch that makes a policy change atomic ---- */

/*
 * Everything that policy decides exists on two sides. The writer fills the side that is not in force, then stores
 * gen + 1: from that instant every program reads the other side, and every connection whose verdict was
 * cached under the old generation is judged anew on its next packet. Side in force = gen & 1.
 */
struct weir_node {
	__u32 gen;
	__u32 abi;       /* WEIR_ABI_VERSION of the agent that wrote this */
	__u32 next_rule; /* first rule number that no connection entry can carry yet (for a restarted agent) */
	__u32 fake_now;  /* the clock in ticks when the programs were loaded with cfg_fake_clock (tests) */
};
#define WEIR_SIDES 2

/* ---- endpoints ---- */

/* Slot 0 is never used: "not a pod of this node". Slots are given out by the agent, at most WEIR_EP_MAX - 1. */
#define WEIR_EP_MAX 4096

enum weir_ep_side_flags {
	WEIR_EP_READY = 1 << 0,            /* has been given its policy; without it only its own host may talk to it */
	WEIR_EP_ISOLATED_INGRESS = 1 << 1, /* look-ups are needed, a miss denies */
	WEIR_EP_ISOLATED_EGRESS = 1 << 2,
	WEIR_EP_AUDIT_INGRESS = 1 << 3, /* isolated by audit policies alone: a miss is reported AUDIT and passes */
	WEIR_EP_AUDIT_EGRESS = 1 << 4,
	WEIR_EP_L7_OFF = 1 << 5,     /* annotation weir.io/l7: "off": new connections of this pod are not captured */
	WEIR_EP_L7_HEADERS = 1 << 6, /* "headers": captured, excerpts say WEIR_L7F_HEADERS */
	WEIR_EP_L7_FULL = 1 << 7,    /* "full": captured, whatever the agent's default is */
};

struct weir_ep_side {
	__u32 ruleset;     /* number of the rule set, part of the policy key; 0 = none */
	__u32 flags;       /* enum weir_ep_side_flags */
	__u32 identity[2]; /* of its IPv4 and of its IPv6 address ([0] v4, [1] v6) */
};

/* Array WEIR_MAP_EP, index = slot. */
struct weir_ep {
	__u32 ifindex; /* host end of the veth; 0 = free slot */
	__u32 pad;
	struct weir_addr addr[2]; /* [0] IPv4 (mapped), [1] IPv6; all zero = has none */
	__u8 mac[6];      /* of the pod's interface; with host_mac in the order of the header of what is delivered */
	__u8 host_mac[6]; /* of the host end: source of what is delivered */
	__u32 pad2;
	struct weir_ep_side side[WEIR_SIDES];
};

/* Hash WEIR_MAP_EP_IF: __u32 ifindex of the host end -> __u32 slot; of an uplink where from_net runs -> 0. */

/* ---- ipcache: LPM trie, address -> identity ---- */

struct weir_lpm_key {
	__u32 prefixlen; /* of the 128-bit form: an IPv4 /n is 96 + n */
	struct weir_addr addr;
};

enum weir_ipcache_flags {
	WEIR_IPC_HOST = 1 << 0, /* an address of this node: always allowed to reach its pods */
};

/* The map always holds ::/0 and ::ffff:0:0/96, so that no IPv6 prefix ever answers for an IPv4 address. */
struct weir_ipcache {
	__u32 identity[WEIR_SIDES];
	__u16 slot;  /* endpoint slot when the address is a pod of this node, else 0 */
	__u16 flags; /* enum weir_ipcache_flags */
};

/* Identities with fixed numbers: Cilium's. Others are given out by the agent from WEIR_ID_FIRST on. */
enum weir_identity {
	WEIR_ID_ANY = 0, /* in a policy key: any peer. In a flow: unknown */
	WEIR_ID_HOST = 1,
	WEIR_ID_WORLD = 2,
	WEIR_ID_UNMANAGED = 3,
	WEIR_ID_HEALTH = 4,
	WEIR_ID_INIT = 5,
	WEIR_ID_REMOTE_NODE = 6,
	WEIR_ID_FIRST = 256,
};

/* ---- policy: one LPM trie for the node ---- */

enum weir_dir {
	WEIR_EGRESS = 0,
	WEIR_INGRESS = 1,
};

/*
 * Ordered so that what must match exactly comes first and what may be wild last: rule set, peer, direction are
 * always compared whole; the protocol whole or not at all; of the port any number of leading bits (a port
 * range is a few prefixes). Two look-ups: the peer's identity, then WEIR_ID_ANY. A hit allows.
 */
struct weir_policy_key {
	__u32 prefixlen; /* WEIR_POLICY_PREFIX_... */
	__u32 ruleset;
	__u32 identity;
	__u8 dir;
	__u8 proto;
	__be16 port; /* destination port of the connection; 0 for protocols without ports */
};
#define WEIR_POLICY_PREFIX_ANY 72   /* every protocol, ICMP too */
#define WEIR_POLICY_PREFIX_PROTO 80 /* every port of a protocol; + n leading bits of the port */
#define WEIR_POLICY_PREFIX_FULL 96

struct weir_policy_val {
	__u32 rule;  /* number that the agent turns into the policies that allow this */
	__u32 flags; /* 0 */
};

/*
 * A rule number in an event says who decided. Allowed: the value's rule, or WEIR_RULE_NOT_ISOLATED. Denied or
 * audited: the rule set's number with WEIR_RULE_DEFAULT_DENY: the policies that isolate the pod in that direction.
 */
#define WEIR_RULE_NONE 0         /* this side was not judged here (not a pod of this node) */
#define WEIR_RULE_NOT_ISOLATED 1 /* no policy selects the pod in this direction */
#define WEIR_RULE_HOST 2         /* traffic of the pod's own node */
#define WEIR_RULE_FIRST 16
#define WEIR_RULE_DEFAULT_DENY 0x80000000u

/* ---- connections: LRU hashes WEIR_MAP_CT_TCP and WEIR_MAP_CT_ANY ---- */

/* Ordered, so that both directions meet one entry: side 0 has the smaller (address, port) by ct_order() of
 * bpf/conntrack.h: the words of the address as the machine loads them, last word first. Who sends an ICMP echo has
 * its identifier for a port, who answers 0; protocols without ports carry 0. */
struct weir_ct_key {
	struct weir_addr addr[2];
	__be16 port[2];
	__u8 proto;
	__u8 pad[3];
};

enum weir_ct_state {
	WEIR_CT_INITIATOR = 1 << 0, /* which side of the key opened the connection: 0 or 1 */
	WEIR_CT_CLOSED = 1 << 1, /* both sides have sent FIN, or one RST: END was reported, late packets pass shortly */
	WEIR_CT_DENIED =
	    1 << 2,             /* cut by a later policy: both directions are dropped until a SYN or a new generation */
	WEIR_CT_AUDIT = 1 << 3, /* allowed only because a policy is in audit mode */
	WEIR_CT_VIA_STACK =
	    1 << 4,            /* came through the host's stack (NAT may stand between): replies go back that way */
	WEIR_CT_HOST = 1 << 5, /* opened by this node's own stack */
};

struct weir_ct {
	__u64 bytes[2];   /* sent by side 0, by side 1; whole frames */
	__u64 packets[2]; /* as the kernel passed them: a segmentation-offloaded one counts once */
	__u32 gen;        /* generation under which it was judged */
	__u32 last_seen;  /* ticks */
	__u32 last_event; /* ticks: when this entry was last reported; when it was closed */
	__u32 state;      /* enum weir_ct_state */
	__u16 slot[2];    /* endpoint slot of side 0, of side 1; 0 = not a pod of this node */
	__u8 seen[2];  /* TCP: of SYN, FIN, RST those seen from side 0, from side 1; ICMP: the initiator's first type */
	__u8 l7;       /* enum weir_l7: what its payload is */
	__u8 spoke;    /* sides that have sent payload, as bits; of connections that are not WEIR_L7_IGNORED */
	__u32 created; /* ticks */
	__u32 identity[2]; /* of side 0, of side 1 */
	__u32 rule[2];     /* by enum weir_dir: what decided the initiator's egress, the responder's ingress */
	__u32 rtt_us; /* TCP: from the SYN to its answer, here; before the answer: when the SYN came. 0: not known */
	/*
	 * Each time that the talk turns (payload of one side after payload of the other) the sender may be copied for
	 * cfg_l7_budget bytes: enough for most messages, and no endless body. Of HTTP/2 the talk turns with HEADERS or
	 * DATA, each HEADERS begins a new budget, and nothing but DATA is ever left out.
	 */
	__u32 l7_until[2]; /* sequence number up to which side 0, side 1 is copied */
	__u8 l7_talking;   /* side that sent payload last, WEIR_L7_NOBODY: none so far */
	__u8 pad[3];
};

/* What the program `collect` (run by the agent, not by packets) found: connections alive, by map, and how many it
 * ended. */
struct weir_gc {
	__u32 now; /* ticks */
	__u32 tcp, any, ended;
};

/* Hash WEIR_MAP_FRAG (LRU): ports of a datagram whose first fragment has passed. */
struct weir_frag_key {
	struct weir_addr saddr, daddr;
	__be32 id;
	__u8 proto;
	__u8 pad[3];
};
struct weir_frag {
	__be16 sport, dport;
};

/* ---- deny list of the node: LPM WEIR_MAP_DENY, key struct weir_lpm_key, for packets that come from outside ---- */
struct weir_deny {
	__u64 packets;
	__u64 bytes;
};

/* ---- why a packet was dropped; lib/drop.h has the texts and Hubble's numbers ---- */
#define WEIR_DROP_REASONS(X)                                                       \
	/* name, Hubble's number, text */                                          \
	X(NONE, 0, "not dropped")                                                  \
	X(POLICY, 133, "Policy denied")                                            \
	X(SRC_MAC, 130, "Invalid source mac")                                      \
	X(SRC_IP, 132, "Invalid source ip")                                        \
	X(NOT_READY, 203, "Endpoint policy program not available")                 \
	X(MALFORMED, 134, "Invalid packet")                                        \
	X(TRUNCATED, 135, "CT: Truncated or invalid header")                       \
	X(L3_PROTO, 139, "Unsupported L3 protocol")                                \
	X(L4_PROTO, 142, "Unknown L4 protocol")                                    \
	X(EXTHDR, 156, "Invalid IPv6 extension header")                            \
	X(VLAN, 182, "VLAN traffic disallowed by VLAN filter")                     \
	X(FRAG_NO_FIRST, 175, "First logical datagram fragment not found")         \
	X(FRAG_BAD, 157, "IP fragmentation not supported")                         \
	X(CT_FULL, 155, "CT: Map insertion failed")                                \
	X(ICMP_FORBIDDEN, 176, "Forbidden ICMPv6 message")                         \
	X(ICMP_UNRELATED, 163, "Unknown connection tracking state")                \
	X(MARTIAN, 151, "Stale or unroutable IP")                                  \
	X(DENY_LIST, 181, "Policy denied by denylist")                             \
	X(NO_CONFIG, 165, "No configuration available to perform policy decision") \
	X(WRITE, 141, "Error writing to packet")

enum weir_drop {
#define X(name, hubble, text) WEIR_DROP_##name,
	WEIR_DROP_REASONS(X)
#undef X
	    WEIR_DROP_COUNT
};

/* ---- per-CPU counters: per-CPU array WEIR_MAP_STATS of __u64, index below ---- */
enum weir_stat {
	WEIR_STAT_EVENTS = 0,  /* events generated: == put into the ring + WEIR_STAT_EVENTS_LOST, exactly */
	WEIR_STAT_EVENTS_LOST, /* the ring was full */
	WEIR_STAT_FORWARDED,   /* packets let through for which no connection entry is kept */
	WEIR_STAT_CT_FULL,     /* connection entries that could not be written */
	WEIR_STAT_L7,          /* excerpts generated: == put into the ring + WEIR_STAT_L7_LOST, exactly */
	WEIR_STAT_L7_LOST,     /* the ring was full */
	WEIR_STAT_L7_BYTES,    /* payload bytes copied into the ring */
	WEIR_STAT_DROP = 16,   /* + enum weir_drop: packets dropped for that reason */
	WEIR_STAT_COUNT = WEIR_STAT_DROP + 48,
};

/* ---- flow events: ring buffer WEIR_MAP_EVENTS, records of struct weir_event ---- */
enum weir_event_type {
	WEIR_EV_NEW = 1, /* first packet of a connection, allowed or audited */
	WEIR_EV_FLAGS,   /* SYN, FIN or RST, not seen before in that direction */
	WEIR_EV_ACTIVE,  /* at most one each five seconds while packets flow */
	WEIR_EV_END,     /* both FINs or a RST; with totals */
	WEIR_EV_DROP,
	WEIR_EV_L7, /* made by the agent of what it read in payload; never in the ring */
};

enum weir_verdict {
	WEIR_FORWARDED = 1,
	WEIR_DROPPED = 2,
	WEIR_AUDIT = 4, /* Hubble's numbers */
};

enum weir_point {
	WEIR_FROM_POD = 0,
	WEIR_TO_POD,
	WEIR_FROM_NET,
	WEIR_XDP,
};

enum weir_event_flags {
	WEIR_EVF_REPLY = 1 << 0,     /* the packet goes against the direction of the connection */
	WEIR_EVF_KNOWN_DIR = 1 << 1, /* WEIR_EVF_REPLY means something: the connection is known */
	WEIR_EVF_TO_POD = 1 << 2,    /* delivered to a pod of this node (else: to the stack) */
	WEIR_EVF_INGRESS = 1 << 3,   /* a drop: the receiver's side denied (else the sender's) */
	WEIR_EVF_RELATED = 1 << 4,   /* an ICMP error about the connection */
	WEIR_EVF_FRAGMENT = 1 << 5,
};

/* Addresses, ports and identities are the packet's: source is who sent this packet, replies included. */
struct weir_event {
	__u64 ts; /* CLOCK_MONOTONIC, ns; of a drop CLOCK_MONOTONIC_COARSE: the time of the last tick */
	struct weir_addr saddr, daddr;
	__be16 sport, dport; /* ICMP: sport = type, dport = code */
	__u8 proto;          /* IPPROTO_... */
	__u8 type;           /* enum weir_event_type */
	__u8 verdict;        /* enum weir_verdict */
	__u8 reason;         /* enum weir_drop */
	__u32 src_identity, dst_identity;
	__u32 rule[2]; /* by enum weir_dir */
	__u8
	    tcp_flags; /* of this packet, as on the wire: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128 */
	__u8 flags;    /* enum weir_event_flags */
	__u8 point;    /* enum weir_point */
	__u8 pad;
	__u32 duration_ms; /* since the connection began; 0 on NEW and DROP */
	__u32 packets[2];  /* totals of the connection: [0] by its initiator, [1] by the responder */
	__u64 bytes[2];
	__u32 rtt_us; /* TCP: from the initiator's SYN to the answer, at the hook that saw both; 0: not known */
	__u32 pad2;
};

/* ---- payload: WEIR_MAP_L7_RINGS, a ring buffer for each possible CPU; those that were not there when the rings were
 * made share the others'. Records of struct weir_l7_excerpt and `len` bytes after it ---- */

/* In weir_ct.l7. Decided by the first payload of either side; stays. */
enum weir_l7 {
	WEIR_L7_UNDECIDED = 0,
	WEIR_L7_IGNORED, /* costs nothing any more */
	WEIR_L7_HTTP1,
	WEIR_L7_HTTP2, /* the client's preface was seen */
	WEIR_L7_TLS,   /* until the ClientHello was copied (at most WEIR_L7_HELLO_MAX bytes of the client), then IGNORED
			*/
	WEIR_L7_DNS,   /* port 53, UDP and TCP */
	WEIR_L7_MASK = 0x0f,
	WEIR_L7_HEADERS = 0x10, /* flag beside it: one of the pods wants its headers read, not its bodies */
};
#define WEIR_L7_HELLO_MAX 4096
#define WEIR_L7_NOBODY 0xff

enum weir_l7_flags {
	WEIR_L7F_REPLY = 1 << 0, /* sent by the responder of the connection (struct weir_ct's initiator is the other) */
	WEIR_L7F_FIRST = 1 << 1, /* the first payload of its sender, on a connection that was seen from its SYN on */
	WEIR_L7F_FIN = 1 << 2,   /* the sender sends nothing after seq + total */
	WEIR_L7F_RST = 1 << 3,
	WEIR_L7F_HEADERS = 1 << 4, /* WEIR_L7_HEADERS */
	WEIR_L7F_ACK = 1 << 5,     /* `ack` is set */
	WEIR_L7F_LOST = 1 << 6,    /* HTTP/2: where the next frame begins is not known here, see weir_l7_want.frame */
};

/*
 * Payload of one packet, or a part of it: a large packet makes several records, and those of other packets that pass
 * on other CPUs may come between. What was not copied (budget, skipped) shows as a hole in the sequence numbers that
 * the record before it covers with its total; the last one of a packet says with seq and total how far the sender is.
 * len 0: nothing copied, but something to know: FIN, RST.
 */
struct weir_l7_excerpt {
	__u64 ts;                      /* CLOCK_MONOTONIC, ns: when the record had its place in the ring */
	struct weir_addr saddr, daddr; /* of the packet */
	__be16 sport, dport;
	__u32 seq;   /* TCP: of the first byte copied (host order); UDP: 0 */
	__u32 len;   /* bytes that follow this header */
	__u32 total; /* TCP payload from seq to the packet's next record, or to its end; >= len. UDP: of the datagram */
	__u32 identity[2]; /* of sender and receiver */
	__u8 proto;        /* IPPROTO_TCP, IPPROTO_UDP */
	__u8 l7;           /* enum weir_l7, without flags */
	__u8 flags;        /* enum weir_l7_flags */
	__u8 v6;
	__u32 ack; /* TCP, host order: the sender has received everything of the other direction before this */
};
/* Sizes of a whole record, header included: the least that fits. Bytes after `len` are not set. */
#define WEIR_L7_TINY 256
#define WEIR_L7_SMALL 512
#define WEIR_L7_MEDIUM 2048
#define WEIR_L7_LARGE 16384

/* What of the frame of HTTP/2 at hand is copied. */
enum weir_l7_frame {
	WEIR_L7_FRAME_LOST, /* nobody knows where the next one begins */
	WEIR_L7_FRAME_WHOLE,
	WEIR_L7_FRAME_BODY, /* DATA, or larger than what carries headers: its head, and as much as the budget allows */
};

/*
 * LRU hash WEIR_MAP_L7_FRAMES, key struct weir_ct_key, the programs' own: connections of HTTP/2, over whose frames'
 * heads they walk.
 */
struct weir_l7_frames {
	__u32 start;   /* of side 0: tells a connection from a later one between the same ports */
	__u32 next[2]; /* sequence number of side i's next frame */
	__u32 body[2]; /* and of the payload of the one before it */
	__u32 head[2]; /* bytes of a frame's head that were seen, the first is the highest: */
	__u8 have[2];  /* so many, less than 4 */
	__u8 kind[2];  /* enum weir_l7_frame */
};

/*
 * LRU hash WEIR_MAP_L7_WANT, key struct weir_ct_key, written by the agent. Of side i: nothing before skip[i] is copied
 * (bytes that follow are, up to skip[i] + cfg_l7_budget, whether the turn's budget is used up or not); with
 * has_want[i], everything up to want[i] is. Of HTTP/2 that concerns payload of DATA alone, and skip[i] brings no
 * budget. frame[i]: where a frame begins, for programs that lost their way. ignored: the connection is none that can be
 * read; they look for that with every WEIR_L7_LOOK_EVERY packets of a side, and copy nothing more of it.
 */
#define WEIR_L7_LOOK_EVERY 8 /* a power of two */
struct weir_l7_want {
	__u32 skip[2];
	__u32 want[2];
	__u32 frame[2];
	__u8 has_skip[2], has_want[2], has_frame[2]; /* 0: the field means nothing */
	__u8 ignored;
	__u8 pad;
};

/* Settings fixed when the programs are loaded: `const volatile` variables in .rodata, see bpf/config.h. */

#ifdef __cplusplus
#define WEIR_ASSERT static_assert
#else
#define WEIR_ASSERT _Static_assert
#endif
WEIR_ASSERT(sizeof(struct weir_addr) == 16, "addr");
WEIR_ASSERT(sizeof(struct weir_node) == 16, "node");
WEIR_ASSERT(sizeof(struct weir_ep_side) == 16, "ep_side");
WEIR_ASSERT(sizeof(struct weir_ep) == 88, "ep");
WEIR_ASSERT(sizeof(struct weir_lpm_key) == 20, "lpm_key");
WEIR_ASSERT(sizeof(struct weir_ipcache) == 12, "ipcache");
WEIR_ASSERT(sizeof(struct weir_policy_key) == 16, "policy_key");
WEIR_ASSERT(sizeof(struct weir_policy_val) == 8, "policy_val");
WEIR_ASSERT(sizeof(struct weir_ct_key) == 40, "ct_key");
WEIR_ASSERT(sizeof(struct weir_ct) == 96, "ct");
WEIR_ASSERT(sizeof(struct weir_frag_key) == 40, "frag_key");
WEIR_ASSERT(sizeof(struct weir_event) == 104, "event");
WEIR_ASSERT(sizeof(struct weir_l7_excerpt) == 72, "l7_excerpt");
WEIR_ASSERT(sizeof(struct weir_l7_frames) == 32, "l7_frames");
WEIR_ASSERT(sizeof(struct weir_l7_want) == 32, "l7_want");
WEIR_ASSERT(WEIR_STAT_DROP + WEIR_DROP_COUNT <= WEIR_STAT_COUNT, "stats");
#endif
