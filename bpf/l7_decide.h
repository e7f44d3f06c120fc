/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a connection is, by its first payload and by what its pods wish. */
#ifndef WEIR_BPF_L7_DECIDE_H
#define WEIR_BPF_L7_DECIDE_H

#include "bpf/maps.h"
#include "bpf/parse.h"

static __always_inline __u32 word(const __u8 *b)
{
	return (__u32)b[0] << 24 | (__u32)b[1] << 16 | (__u32)b[2] << 8 | b[3];
}
#define WORD(a, b, c, d) ((__u32)(a) << 24 | (__u32)(b) << 16 | (__u32)(c) << 8 | (d))

static __always_inline bool is_http1_start(__u32 w)
{
	return w == WORD('G', 'E', 'T', ' ') || w == WORD('P', 'O', 'S', 'T') || w == WORD('H', 'T', 'T', 'P') ||
	       w == WORD('P', 'U', 'T', ' ') || w == WORD('H', 'E', 'A', 'D') || w == WORD('D', 'E', 'L', 'E') ||
	       w == WORD('O', 'P', 'T', 'I') || w == WORD('P', 'A', 'T', 'C') || w == WORD('C', 'O', 'N', 'N') ||
	       w == WORD('T', 'R', 'A', 'C');
}

/* WebDAV, and what caches understand. */
static __always_inline bool is_http1_more(__u32 w)
{
	return w == WORD('P', 'R', 'O', 'P') || w == WORD('M', 'K', 'C', 'O') || w == WORD('C', 'O', 'P', 'Y') ||
	       w == WORD('M', 'O', 'V', 'E') || w == WORD('L', 'O', 'C', 'K') || w == WORD('U', 'N', 'L', 'O') ||
	       w == WORD('R', 'E', 'P', 'O') || w == WORD('S', 'E', 'A', 'R') || w == WORD('M', 'K', 'C', 'A') ||
	       w == WORD('M', 'E', 'R', 'G') || w == WORD('C', 'H', 'E', 'C') || w == WORD('P', 'U', 'R', 'G');
}

/* STOMP has a CONNECT of its own: there the line ends behind it. */
static __always_inline bool is_stomp(__u64 v)
{
	__u8 next = v;

	return v >> 8 == ((__u64)WORD(0, 'C', 'O', 'N') << 32 | WORD('N', 'E', 'C', 'T')) &&
	       (next == '\n' || next == '\r');
}

/* Less than a word: whoever sends a byte at a time still is read. The parser gives up soon if it is something else. */
static __always_inline __u8 decide_short(__u8 first)
{
	if (first == 0x16)
		return WEIR_L7_TLS;
	return first == 'G' || first == 'P' || first == 'H' || first == 'D' || first == 'O' || first == 'C' ||
		       first == 'T'
		   ? WEIR_L7_HTTP1
		   : WEIR_L7_IGNORED;
}

/* A server of HTTP/2 may greet before the client does, with SETTINGS: length, type 4, no flags, stream 0. */
static __always_inline bool is_settings(const __u8 *b)
{
	return !b[0] && !b[1] && b[3] == 4 && !b[4] && !b[5] && !b[6] && !b[7];
}

/* b: the first len bytes, at most 8, zeros behind. */
static __always_inline __u8 l7_decide(const __u8 *b, __u32 len, bool reply)
{
	__u64 v = (__u64)word(b) << 32 | word(b + 4);
	__u32 w, empty = 0;

	/* Servers pass over empty lines before a request. */
	for (; empty < 4 && !reply && len && (v >> 56 == '\r' || v >> 56 == '\n'); empty++, len--)
		v <<= 8;
	w = v >> 32;
	if (len < 4) /* of three and less the first alone is there */
		return empty && !w ? WEIR_L7_HTTP1 : decide_short(v >> 56);
	if (is_stomp(v))
		return WEIR_L7_IGNORED;
	if (is_http1_start(w) || is_http1_more(w))
		return WEIR_L7_HTTP1;
	if (w == WORD('P', 'R', 'I', ' '))
		return WEIR_L7_HTTP2;
	if (b[0] == 0x16 && b[1] == 3 && (len < 6 || b[5] == 1))
		return WEIR_L7_TLS;
	if (reply && len == 8 && is_settings(b))
		return WEIR_L7_HTTP2;
	return WEIR_L7_IGNORED;
}

/* What an entry begins with. ports: of the responder. */
static __always_inline __u8 l7_initial(__u8 proto, __be16 dport)
{
	if (!cfg_l7)
		return WEIR_L7_IGNORED;
	if ((proto == IPPROTO_TCP || proto == IPPROTO_UDP) && dport == bpf_htons(53))
		return WEIR_L7_DNS;
	return proto == IPPROTO_TCP ? WEIR_L7_UNDECIDED : WEIR_L7_IGNORED;
}

static __always_inline __u32 l7_wishes(__u32 slot, __u32 gen)
{
	const struct weir_ep *ep = slot ? ep_get(slot) : NULL;

	return ep ? ep->side[gen & 1].flags & (WEIR_EP_L7_OFF | WEIR_EP_L7_HEADERS | WEIR_EP_L7_FULL) : 0;
}

/* The pods' own wishes: either end's no is a no. Where neither says anything the agent's default counts. */
static __always_inline __u8 l7_of_pods(__u8 l7, const __u16 slot[2], __u32 gen)
{
	__u32 wishes = (l7_wishes(slot[0], gen) | l7_wishes(slot[1], gen)) ?: cfg_l7_default;

	if (l7 == WEIR_L7_IGNORED || wishes & WEIR_EP_L7_OFF)
		return WEIR_L7_IGNORED;
	return wishes & WEIR_EP_L7_HEADERS ? l7 | WEIR_L7_HEADERS : l7;
}

#endif
