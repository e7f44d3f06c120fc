// SPDX-License-Identifier: Apache-2.0
/* What of payload is copied for the agent. The world's budget is 4096 bytes. */
#include "test/bpf/world.h"

#include <bpf/bpf.h>

#define GET "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n"

static struct excerpt got[64];

static struct run says(const struct packet *p, int pod, uint8_t flags, uint32_t seq, const void *data, size_t len)
{
	struct packet q = *p;

	q.flags = flags;
	q.seq = seq;
	q.ack = seq ? 1 : 0;
	q.payload = data;
	q.payload_len = len;
	return from_pod(pod, &q);
}

/* A connection OPEN → SERVER:80 that is established. */
static void open_connection(struct packet *to, struct packet *back, bool v6)
{
	*to = packet_between(OPEN, SERVER, v6, IPPROTO_TCP, 40000, 80);
	*back = packet_between(SERVER, OPEN, v6, IPPROTO_TCP, 80, 40000);
	says(to, OPEN, SYN, 0, NULL, 0);
	says(back, SERVER, SYN | ACK, 0, NULL, 0);
	says(to, OPEN, ACK, 1, NULL, 0);
	ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 0);
}

static void check_first(const char *data, size_t len, bool reply, enum weir_l7 want)
{
	struct packet to, back;
	struct weir_ct ct;
	size_t n;

	world_reset();
	open_connection(&to, &back, false);
	says(reply ? &back : &to, reply ? SERVER : OPEN, ACK, 1, data, len);
	n = world_excerpts(got, ARRAY_SIZE(got));
	ck_assert(world_connection(&to, &ct));
	ck_assert_msg(ct.l7 == want, "\"%.*s\": %u", (int)len, data, ct.l7);
	ck_assert_uint_eq(n, want != WEIR_L7_IGNORED);
	if (!n)
		return;
	ck_assert_uint_eq(got[0].x.l7, want);
	ck_assert_uint_eq(got[0].x.len, len);
	ck_assert_uint_eq(got[0].x.total, len);
	ck_assert_uint_eq(got[0].x.seq, 2);
	ck_assert_uint_eq(got[0].x.flags, WEIR_L7F_FIRST | WEIR_L7F_ACK | (reply ? WEIR_L7F_REPLY : 0));
	ck_assert_mem_eq(got[0].data, data, len);
}

START_TEST(the_first_payload_decides)
{
	check_first(GET, strlen(GET), false, WEIR_L7_HTTP1);
	check_first("G", 1, false, WEIR_L7_HTTP1);
	check_first("PATCH / ", 8, false, WEIR_L7_HTTP1);
	check_first("HTTP/1.1 200 OK\r\n", 17, true, WEIR_L7_HTTP1);
	check_first("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, false, WEIR_L7_HTTP2);
	check_first("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64", 15, true, WEIR_L7_HTTP2);
	check_first("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64", 15, false, WEIR_L7_IGNORED); /* a client must not */
	check_first("\x16\3\1\0\x50\1\0\0\x4c", 9, false, WEIR_L7_TLS);
	check_first("\x16\3\1\0\x50\2\0\0\x4c", 9, false, WEIR_L7_IGNORED);
	check_first("SSH-2.0-OpenSSH\r\n", 17, true, WEIR_L7_IGNORED);
	check_first("POSSIBLY", 8, false, WEIR_L7_IGNORED);
	check_first("PROPFIND /a HTTP/1.1\r\n", 22, false, WEIR_L7_HTTP1);
	check_first("PURGE /a HTTP/1.1\r\n", 19, false, WEIR_L7_HTTP1);
	check_first("LOCK /", 6, false, WEIR_L7_HTTP1);
	check_first("\r\nGET / HTTP/1.1\r\n", 18, false, WEIR_L7_HTTP1); /* empty lines before it are passed over */
	check_first("\r\n\r\nPOST", 8, false, WEIR_L7_HTTP1);
	check_first("\r\n", 2, false, WEIR_L7_HTTP1);
	check_first("\0", 1, false, WEIR_L7_IGNORED);
	check_first("\nGET / HTTP/1.1\r\n", 17, false, WEIR_L7_HTTP1);
	check_first("\r\n\r\n\r\n\r\n", 8, false, WEIR_L7_IGNORED);
	check_first("\r\nSSH-2.0", 9, false, WEIR_L7_IGNORED);
	check_first("\r\nGET / HTTP/1.1\r\n", 18, true, WEIR_L7_IGNORED);
	check_first("CONNECT a:1 HTTP/1.1\r\n", 22, false, WEIR_L7_HTTP1);
	check_first("CONNECT\naccept-version:1.2\n", 27, false, WEIR_L7_IGNORED); /* STOMP */
	check_first("CONNECT\r\n", 9, false, WEIR_L7_IGNORED);
}
END_TEST

/* Whichever comes first out of the ring: two CPUs may have put them in. */
START_TEST(each_side_tells_that_it_begins)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings[] = "\0\0\0\4\0\0\0\0";
	struct packet to, back;
	struct weir_ct ct;

	for_each_family(v6)
	{
		world_reset();
		open_connection(&to, &back, v6);
		says(&to, OPEN, ACK, 1, preface, 24);
		says(&back, SERVER, ACK, 1, settings, 9);
		says(&to, OPEN, ACK, 25, settings, 9);
		says(&back, SERVER, ACK, 10, settings, 9);
		ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 4);
		for (int i = 0; i < 4; i++)
			ck_assert_uint_eq(!!(got[i].x.flags & WEIR_L7F_FIRST), i < 2);
		ck_assert(world_connection(&to, &ct));
		ck_assert_uint_eq(ct.spoke, 3);
	}
}
END_TEST

START_TEST(what_is_ignored_stays_so)
{
	struct packet to, back;

	open_connection(&to, &back, true);
	says(&to, OPEN, ACK, 1, "SSH-2.0-", 8);
	says(&to, OPEN, ACK, 9, GET, strlen(GET));
	says(&to, OPEN, FIN | ACK, 9 + strlen(GET), NULL, 0);
	ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 0);
	ck_assert_uint_eq(world_stat(WEIR_STAT_L7_LOST), 0);
}
END_TEST

START_TEST(a_turn_has_its_budget)
{
	static char data[1000];
	struct packet to, back;
	uint32_t copied = 0;
	size_t n;

	memset(data, 'x', sizeof(data));
	for_each_family(v6)
	{
		world_reset();
		open_connection(&to, &back, v6);
		says(&to, OPEN, ACK, 1, GET, strlen(GET));
		for (uint32_t i = 0; i < 10; i++)
			says(&back, SERVER, ACK, 1 + i * sizeof(data), data, sizeof(data));
		n = world_excerpts(got, ARRAY_SIZE(got));
		copied = 0;
		for (size_t i = 1; i < n; i++) {
			ck_assert_uint_eq(got[i].x.seq, 2 + copied);
			copied += got[i].x.len;
		}
		ck_assert_uint_eq(copied, 4096);
		ck_assert_uint_eq(got[n - 1].x.total, 1000); /* it tells where the packet ended */
		/* the client speaks, and the server has a new one */
		says(&to, OPEN, ACK, 1 + strlen(GET), GET, strlen(GET));
		says(&back, SERVER, ACK, 10001, data, sizeof(data));
		n = world_excerpts(got, ARRAY_SIZE(got));
		ck_assert_uint_eq(n, 2);
		ck_assert_uint_eq(got[1].x.len, 1000);
		/* the end is told, with payload or without */
		says(&back, SERVER, FIN | ACK, 11001, NULL, 0);
		says(&to, OPEN, FIN | ACK, 1 + 2 * strlen(GET), "x", 1);
		n = world_excerpts(got, ARRAY_SIZE(got));
		ck_assert_uint_eq(n, 2);
		ck_assert(got[0].x.len == 0 && got[0].x.flags & WEIR_L7F_FIN);
		ck_assert(got[1].x.len == 1 && got[1].x.flags & WEIR_L7F_FIN);
	}
}
END_TEST

START_TEST(the_agent_s_wishes_count)
{
	static char data[1000];
	struct packet to, back;
	struct weir_l7_want want = {};
	struct weir_ct_key key;
	size_t n;

	open_connection(&to, &back, false);
	says(&to, OPEN, ACK, 1, GET, strlen(GET));
	says(&back, SERVER, ACK, 1, data, sizeof(data));
	world_excerpts(got, ARRAY_SIZE(got));
	ck_assert_int_eq(bpf_map_get_next_key(world_map(WEIR_MAP_CT_TCP), NULL, &key), 0);
	for (int side = 0; side < 2; side++) { /* SERVER's, whichever that is; OPEN says nothing more */
		want.has_skip[side] = 1;
		want.skip[side] = 2 + 2500;
	}
	ck_assert_int_eq(bpf_map_update_elem(world_map(WEIR_MAP_L7_WANT), &key, &want, BPF_ANY), 0);
	for (uint32_t i = 1; i < 10; i++)
		says(&back, SERVER, ACK, 1 + i * sizeof(data), data, sizeof(data));
	n = world_excerpts(got, ARRAY_SIZE(got));
	ck_assert_uint_eq(got[0].x.seq, 2 + 2500);
	ck_assert_uint_eq(got[0].x.len, 500);
	ck_assert_uint_eq(got[n - 1].x.seq + got[n - 1].x.len, 2 + 2500 + 4096); /* a new budget from there */
	want.has_want[0] = want.has_want[1] = 1;
	want.want[0] = want.want[1] = 2 + 10500;
	ck_assert_int_eq(bpf_map_update_elem(world_map(WEIR_MAP_L7_WANT), &key, &want, BPF_ANY), 0);
	says(&back, SERVER, ACK, 10001, data, sizeof(data));
	n = world_excerpts(got, ARRAY_SIZE(got));
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(got[0].x.len, 500);
}
END_TEST

/* ---- frames of HTTP/2 */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static struct packet h2_to, h2_back;
static uint8_t h2_sent[64 << 10]; /* what the server said */
static bool h2_has[64 << 10];     /* of that, what was copied */
static uint32_t h2_len;

static void h2_frame(uint8_t type, uint32_t len, char fill)
{
	uint8_t *b = h2_sent + h2_len;

	ck_assert_uint_le(h2_len + 9 + len, sizeof(h2_sent));
	memset(b, 0, 9);
	b[0] = len >> 16;
	b[1] = len >> 8;
	b[2] = len;
	b[3] = type;
	b[8] = 1;
	memset(b + 9, fill, len);
	h2_len += 9 + len;
}

static void h2_begin(bool v6)
{
	open_connection(&h2_to, &h2_back, v6);
	h2_len = 0;
	memset(h2_has, 0, sizeof(h2_has));
	says(&h2_to, OPEN, ACK, 1, PREFACE, 24);
	ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 1);
	ck_assert_uint_eq(got[0].x.len, 24);
}

static void h2_say(uint32_t from, uint32_t len)
{
	says(&h2_back, SERVER, ACK, 1 + from, h2_sent + from, len);
}

static bool seq_follows(const struct weir_l7_excerpt *a, const struct weir_l7_excerpt *b)
{
	return (a->flags & WEIR_L7F_REPLY) == (b->flags & WEIR_L7F_REPLY) && a->seq < b->seq;
}

/* What was copied agrees with what was said. Returns flags of all excerpts together. */
static uint8_t h2_look(void)
{
	size_t n = world_excerpts(got, ARRAY_SIZE(got));
	uint8_t flags = 0;

	for (size_t i = 0; i < n; i++) {
		const struct weir_l7_excerpt *x = &got[i].x;

		flags |= x->flags;
		for (uint32_t k = 0; x->flags & WEIR_L7F_REPLY && k < x->len; k++) {
			ck_assert_uint_eq(got[i].data[k], h2_sent[x->seq - 2 + k]);
			h2_has[x->seq - 2 + k] = true;
		}
		ck_assert_uint_ge(x->total, x->len);
		/* Between a packet's records no other packet's piece is missing, whatever comes in between. */
		if (i && seq_follows(&got[i - 1].x, x))
			ck_assert_uint_eq(got[i - 1].x.seq + got[i - 1].x.total, x->seq);
	}
	return flags;
}

static uint32_t h2_count(uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (; from < to; from++)
		n += h2_has[from];
	return n;
}

/* HEADERS, then a body far beyond the budget in frames of `body` bytes, then trailers, in packets of `size`. */
static void long_body(uint32_t size, uint32_t body)
{
	int n = 30000 / body;
	uint32_t end;

	h2_begin(false);
	h2_frame(1, 100, 'h');
	for (int i = 0; i < n; i++)
		h2_frame(0, body, 'd');
	h2_frame(1, 50, 't');
	end = h2_len;
	for (uint32_t at = 0; at < end; at += size) {
		h2_say(at, end - at < size ? end - at : size);
		ck_assert(!(h2_look() & WEIR_L7F_LOST));
	}
	ck_assert_uint_eq(h2_count(0, 109), 109);
	for (int i = 0; i < n; i++) {
		uint32_t at = 109 + i * (body + 9);

		ck_assert_msg(h2_count(at, at + 9) == 9, "size %u, frame %d", size, i);
		if (at > 4096)
			ck_assert_uint_eq(h2_count(at + 9, at + 9 + body), 0);
	}
	ck_assert_uint_eq(h2_count(9, 4096), 4096 - 9);
	ck_assert_uint_eq(h2_count(end - 59, end), 59);
	world_reset();
}

START_TEST(frame_heads_are_never_left_out)
{
	static const uint32_t sizes[] = { 1400, 1003, 100, 113, 7, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		long_body(sizes[i], 3000);
	long_body(1400, 300); /* several holes in a packet, and so several records */
}
END_TEST

START_TEST(each_headers_has_its_budget)
{
	h2_begin(true);
	for (int i = 0; i < 5; i++) {
		uint32_t at = h2_len;

		h2_frame(1, 20, 'h');
		h2_frame(0, 1200, 'd');
		h2_frame(0, 1200, 'd');
		h2_frame(0, 1200, 'd');
		for (; at < h2_len; at += 1213)
			h2_say(at, h2_len - at < 1213 ? h2_len - at : 1213);
		h2_look();
	}
	ck_assert_uint_eq(h2_count(0, h2_len), h2_len);
	/* WINDOW_UPDATE of the other side brings none, its DATA does */
	for (int i = 0; i < 4; i++) {
		uint32_t at = h2_len;

		h2_frame(0, 1200, 'd');
		h2_say(at, 1209);
		says(&h2_to, OPEN, ACK, 25 + i * 13, "\0\0\4\10\0\0\0\0\0\0\0\1\0", 13);
		h2_look();
	}
	ck_assert_uint_lt(h2_count(h2_len - 1200, h2_len), 1200);
	says(&h2_to, OPEN, ACK, 25 + 4 * 13, "\0\0\1\0\0\0\0\0\1x", 10);
	h2_frame(0, 1200, 'd');
	h2_say(h2_len - 1209, 1209);
	h2_look();
	ck_assert_uint_eq(h2_count(h2_len - 1209, h2_len), 1209);
}
END_TEST

/* Either side's first payload may come before the other's is handled: they must not undo one another. */
START_TEST(both_sides_may_greet)
{
	h2_begin(false);
	h2_frame(4, 6, 's');
	h2_say(0, 15);
	h2_look();
	ck_assert_uint_eq(h2_count(0, 15), 15);
	says(&h2_to, OPEN, ACK, 25, "\0\0\0\4\1\0\0\0\0", 9);
	ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 1);
	ck_assert_uint_eq(got[0].x.len, 9);
	ck_assert(!(got[0].x.flags & WEIR_L7F_LOST));
}
END_TEST

START_TEST(a_lost_packet_loses_the_frames_until_the_agent_tells)
{
	struct weir_l7_want want = {};
	struct weir_ct_key key;
	uint32_t at;

	h2_begin(false);
	h2_frame(1, 100, 'h');
	h2_frame(0, 500, 'd');
	h2_frame(0, 500, 'd');
	h2_say(0, 109);
	ck_assert(!(h2_look() & WEIR_L7F_LOST));
	h2_say(609, 518); /* and the one before it comes late */
	ck_assert(h2_look() & WEIR_L7F_LOST);
	h2_say(109, 500);
	h2_look();
	h2_frame(0, 700, 'd');
	h2_say(1127, 709);
	ck_assert(h2_look() & WEIR_L7F_LOST);
	ck_assert_uint_eq(h2_count(0, h2_len), h2_len);
	ck_assert_int_eq(bpf_map_get_next_key(world_map(WEIR_MAP_L7_FRAMES), NULL, &key), 0);
	at = h2_len;
	want.has_frame[0] = want.has_frame[1] = 1;
	want.frame[0] = want.frame[1] = 2 + at;
	ck_assert_int_eq(bpf_map_update_elem(world_map(WEIR_MAP_L7_WANT), &key, &want, BPF_ANY), 0);
	h2_frame(0, 700, 'd');
	h2_say(at, 709);
	ck_assert(!(h2_look() & WEIR_L7F_LOST));
	h2_say(1127, 709); /* again */
	ck_assert(!(h2_look() & WEIR_L7F_LOST));
	ck_assert_uint_eq(h2_count(0, h2_len), h2_len);
}
END_TEST

START_TEST(what_the_agent_ignores_is_not_copied)
{
	const struct weir_l7_want want = { .ignored = 1 };
	uint32_t seq = 1 + strlen(GET);
	struct packet to, back;
	struct weir_ct_key key;
	struct weir_ct ct;

	open_connection(&to, &back, false);
	says(&to, OPEN, ACK, 1, GET, strlen(GET));
	ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 1);
	ck_assert_int_eq(bpf_map_get_next_key(world_map(WEIR_MAP_CT_TCP), NULL, &key), 0);
	ck_assert_int_eq(bpf_map_update_elem(world_map(WEIR_MAP_L7_WANT), &key, &want, BPF_ANY), 0);
	for (int i = 0; i < WEIR_L7_LOOK_EVERY; i++, seq += strlen(GET))
		says(&to, OPEN, ACK, seq, GET, strlen(GET));
	ck_assert_uint_lt(world_excerpts(got, ARRAY_SIZE(got)), WEIR_L7_LOOK_EVERY);
	ck_assert(world_connection(&to, &ct));
	ck_assert_uint_eq(ct.l7, WEIR_L7_IGNORED);
	says(&back, SERVER, ACK, 1, "HTTP/1.1 ", 9);
	for (int i = 0; i < WEIR_L7_LOOK_EVERY; i++, seq += strlen(GET))
		says(&to, OPEN, ACK, seq, GET, strlen(GET));
	ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 0);
}
END_TEST

/* Nor may a wish for an earlier connection between the same ports concern a later one, whatever it is. */
START_TEST(what_was_ignored_before_is_not_now)
{
	static const uint16_t ports[] = { 80, 53 };
	const struct weir_l7_want want = { .ignored = 1 };

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		struct packet p = packet_between(OPEN, OPEN2, false, IPPROTO_TCP, 40000, ports[i]);
		struct weir_ct_key key;

		world_reset();
		p.flags = SYN;
		from_pod(OPEN, &p);
		ck_assert_int_eq(bpf_map_get_next_key(world_map(WEIR_MAP_CT_TCP), NULL, &key), 0);
		ck_assert_int_eq(bpf_map_update_elem(world_map(WEIR_MAP_L7_WANT), &key, &want, BPF_ANY), 0);
		for (uint32_t k = 0; k < 2 * WEIR_L7_LOOK_EVERY; k++) {
			p.flags = ACK;
			p.seq = 1 + k * strlen(GET);
			p.payload = GET;
			p.payload_len = strlen(GET);
			from_pod(OPEN, &p);
		}
		ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 2 * WEIR_L7_LOOK_EVERY);
	}
}
END_TEST

START_TEST(dns_is_copied_whole)
{
	struct packet to = packet_between(OPEN, SERVER, false, IPPROTO_UDP, 5000, 53);
	struct packet other = packet_between(OPEN2, OPEN, false, IPPROTO_UDP, 5000, 54);

	to.payload = other.payload = "query";
	to.payload_len = other.payload_len = 5;
	from_pod(OPEN, &to);
	from_pod(OPEN2, &other);
	ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 1);
	ck_assert_uint_eq(got[0].x.l7, WEIR_L7_DNS);
	ck_assert_uint_eq(got[0].x.proto, IPPROTO_UDP);
	ck_assert_uint_eq(got[0].x.identity[0], 1000 + OPEN);
	ck_assert_mem_eq(got[0].data, "query", 5);
}
END_TEST

START_TEST(pods_may_opt_out)
{
	struct packet to, back;

	world_set_side(SERVER, 0, RULESET(SERVER), WEIR_EP_READY | WEIR_EP_ISOLATED_INGRESS | WEIR_EP_L7_OFF);
	open_connection(&to, &back, false);
	says(&to, OPEN, ACK, 1, GET, strlen(GET));
	ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 0);
	world_reset();
	world_set_side(OPEN, 0, RULESET(OPEN), WEIR_EP_READY | WEIR_EP_L7_HEADERS);
	open_connection(&to, &back, false);
	says(&to, OPEN, ACK, 1, GET, strlen(GET));
	ck_assert_uint_eq(world_excerpts(got, ARRAY_SIZE(got)), 1);
	ck_assert(got[0].x.flags & WEIR_L7F_HEADERS);
}
END_TEST

START_TEST(a_full_ring_is_counted)
{
	static char data[1000];
	uint64_t made = world_stat(WEIR_STAT_L7), lost = world_stat(WEIR_STAT_L7_LOST);
	struct packet to, back;
	size_t n;

	open_connection(&to, &back, false);
	for (uint32_t i = 0; i < 60; i++) /* turn by turn, each within its budget */
		says(i & 1 ? &back : &to, i & 1 ? SERVER : OPEN, ACK, 1 + i / 2 * 1000, i ? data : "GET / HTTP/1.1\r\n",
		     i ? 1000 : 16);
	n = world_excerpts(got, ARRAY_SIZE(got));
	made = world_stat(WEIR_STAT_L7) - made;
	lost = world_stat(WEIR_STAT_L7_LOST) - lost;
	ck_assert_uint_eq(made, 60);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(n + lost, made);
}
END_TEST

TCase *tests_l7(void)
{
	TCase *tc = tcase_create("l7");

	tcase_add_test(tc, the_first_payload_decides);
	tcase_add_test(tc, each_side_tells_that_it_begins);
	tcase_add_test(tc, what_is_ignored_stays_so);
	tcase_add_test(tc, a_turn_has_its_budget);
	tcase_add_test(tc, the_agent_s_wishes_count);
	tcase_add_test(tc, frame_heads_are_never_left_out);
	tcase_add_test(tc, each_headers_has_its_budget);
	tcase_add_test(tc, both_sides_may_greet);
	tcase_add_test(tc, a_lost_packet_loses_the_frames_until_the_agent_tells);
	tcase_add_test(tc, what_the_agent_ignores_is_not_copied);
	tcase_add_test(tc, what_was_ignored_before_is_not_now);
	tcase_add_test(tc, dns_is_copied_whole);
	tcase_add_test(tc, pods_may_opt_out);
	tcase_add_test(tc, a_full_ring_is_counted);
	return tc;
}
