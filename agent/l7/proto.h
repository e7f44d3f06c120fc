/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between reassembly and parsers. Parsers do no I/O, know no clock and no thread: bytes and times go in, records and
 * wishes come out. One parser object per connection; dir 0 = client → server, 1 = server → client.
 */
#ifndef WEIR_L7_PROTO_H
#define WEIR_L7_PROTO_H

#include "agent/l7/record.h"

/* Set once for the process by the configuration ("l7" in agent.json); parsers only read it. */
struct l7_settings {
	bool headers_only;   /* bodies are not looked into */
	bool record_query;   /* URL_QUERY */
	bool record_session; /* session ids in clear text, not hashed */
	bool record_tools;   /* GEN_AI_ARGUMENTS, GEN_AI_RESULT */
	char *const *redact; /* patterns for redact(); needed with record_tools */
};

/* What a parser may call. The object belongs to the connection and outlives the parser. */
struct l7_host {
	struct l7_ends ends;
	const struct l7_settings *settings;
	bool midstream;      /* the connection's beginning was not seen */
	bool headers_only;   /* of this connection: settings or the pod's annotation */
	bool frames_lost[2]; /* WEIR_L7F_LOST */
	bool given_up;       /* with end(): no end was seen, the connection is only read no further */
	void *userdata;
	/* A finished record; ownership goes with it. */
	void (*emit)(struct l7_host *h, struct l7_record *r);
	/*
	 * The next `bytes` bytes of this direction, counted from the end of what was delivered, are of no interest:
	 * they need not be copied, and come as l7_proto.gap(); what was copied already, and the last of them (it tells
	 * when), come as data(). bytes 0 takes it back: everything from now on is wanted (a long stream that the
	 * kernel's budget would cut off).
	 */
	void (*skip)(struct l7_host *h, int dir, uint64_t bytes);
	void (*want)(struct l7_host *h, int dir, uint64_t bytes);
	/* Nothing of this connection is of interest any more. The parser gets no more calls but end() and free(). */
	void (*ignore)(struct l7_host *h);
};

struct l7_proto {
	const char *name;
	/* NULL: out of memory; the connection is ignored. */
	void *(*new)(struct l7_host *h);
	void (*free)(void *p);
	/* The next bytes in order. ns: CLOCK_MONOTONIC when they passed. The parser keeps what it needs: data is gone
	 * afterwards. */
	void (*data)(void *p, int dir, const uint8_t *data, size_t len, uint64_t ns);
	/* len bytes in order that are not there: lost, beyond the budget, or skipped on request. */
	void (*gap)(void *p, int dir, uint64_t len, uint64_t ns);
	/* This direction is over. reset: by RST or because the connection was given up. Both directions end before
	 * free(). */
	void (*end)(void *p, int dir, bool reset, uint64_t ns);
	/* HTTP/2: how many bytes of this direction are left before the next frame. False: not known. NULL: there are
	 * none. */
	bool (*frame)(const void *p, int dir, uint64_t *ret_left);
	/* A message waits for its end or its answer: being idle is no reason to drop the connection. NULL: never. */
	bool (*pending)(const void *p);
	/* Every second or so: requests older than a minute without an answer may be given up. May be NULL. */
	void (*tick)(void *p, uint64_t ns);
	/* Bytes of memory that this parser holds now, itself included; for the limits. */
	size_t (*memory)(const void *p);
};

extern const struct l7_proto l7_http1, l7_http2, l7_tls, l7_dns_tcp;
/* One datagram of DNS over UDP; state: one of l7_dns_udp_new(), for the connection. */
extern const struct l7_proto l7_dns_udp; /* data() gets one whole datagram at a time */

#endif
