// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/track.h"

#include <netinet/in.h>
#include <sys/random.h>
#include <utlist.h>

#include "agent/l7/stream.h"
#include "lib/ct_key.h"
#include "lib/hash.h"

#define SECOND_NS 1000000000ull
#define IDLE_NS (300 * SECOND_NS)
#define IDLE_SHORT_NS \
	(15 * SECOND_NS)      /* where few packets come, or none: DNS datagrams, the ClientHello, what is ignored */
#define CONN_SHARE 8          /* no connection may have more than the share of one in so many */
#define OPEN UINT64_MAX       /* half.want: everything */
#define AHEAD (1u << 30)      /* wishes reach so far at most: sequence numbers wrap */
#define SKIP_LEAST 4096       /* fewer bytes are copied sooner than a wish is written */
#define MEASURE_BYTES 2048    /* read from a connection before its memory is measured again, and at each tick */
#define OTHER_BACK (16 << 20) /* no retransmission is so old: these are the numbers of another connection */
#define OTHER_FIRST (1 << 20)

/* One direction. */
struct half {
	struct conn *conn;
	struct stream stream;
	uint64_t want; /* everything before this position of the stream is wanted, budget or not */
	bool ended;    /* and the parser was told */
};

struct conn {
	struct weir_ct_key key; /* seeded: see find() */
	UT_hash_handle hh;
	struct conn *prev, *next; /* the least recently used first */
	struct track *track;
	struct l7_host host;
	const struct l7_proto *proto;
	void *parser; /* NULL: nothing of it is of interest */
	struct half half[2];
	struct weir_l7_want told; /* to the datapath */
	uint64_t used_ns;         /* its latest packet */
	uint64_t now_ns;          /* the parser's time, which never runs backwards */
	size_t memory;
	uint32_t unmeasured; /* bytes that were read since */
	uint8_t l7;
	uint8_t client_side; /* of the key */
	uint8_t closed;      /* directions that sent FIN, as bits; 3 by RST, too */
	bool ignored;
};

struct track {
	struct track_params params;
	struct conn *by_key, *by_use;
	struct track_stats stats;
	uint8_t seed[3];
};

/* ---- what a parser may call */

static struct half *half_of(struct l7_host *h, int dir)
{
	return &((struct conn *)h->userdata)->half[dir];
}

static uint64_t position(const struct half *half, uint64_t bytes)
{
	uint64_t pos;

	return __builtin_add_overflow(half->stream.pos, bytes, &pos) ? OPEN - 1 : MIN(pos, OPEN - 1);
}

static void on_skip(struct l7_host *h, int dir, uint64_t bytes)
{
	struct half *half = half_of(h, dir);

	half->stream.skip = bytes ? position(half, bytes) : 0;
	half->want = bytes ? 0 : OPEN;
}

static void on_want(struct l7_host *h, int dir, uint64_t bytes)
{
	struct half *half = half_of(h, dir);

	half->want = position(half, bytes);
}

static void on_ignore(struct l7_host *h)
{
	((struct conn *)h->userdata)->ignored = true;
}

static void on_emit(struct l7_host *h, struct l7_record *r)
{
	const struct track *t = ((struct conn *)h->userdata)->track;

	t->params.emit(t->params.userdata, r);
}

/* ---- what a parser gets */

static uint64_t parser_time(struct conn *c, uint64_t ns)
{
	c->now_ns = MAX(c->now_ns, ns);
	return c->now_ns;
}

static bool listens(const struct half *half)
{
	return !half->conn->ignored && !half->ended;
}

static void on_data(void *userdata, const uint8_t *data, size_t len, uint64_t ns)
{
	struct half *half = userdata;
	struct conn *c = half->conn;

	if (listens(half))
		c->proto->data(c->parser, half - c->half, data, len, parser_time(c, ns));
}

static void on_gap(void *userdata, uint64_t len, bool meant, uint64_t ns)
{
	struct half *half = userdata;
	struct conn *c = half->conn;

	if (!meant) {
		c->track->stats.gaps++;
		c->track->stats.gap_bytes += len;
	}
	if (listens(half))
		c->proto->gap(c->parser, half - c->half, len, parser_time(c, ns));
}

static struct stream_sink sink_of(struct half *half)
{
	return (struct stream_sink){ half, on_data, on_gap };
}

static void end_half(struct half *half, bool reset, uint64_t ns)
{
	struct conn *c = half->conn;

	if (half->ended)
		return;
	half->ended = true;
	stream_done(&half->stream);
	c->proto->end(c->parser, half - c->half, reset, parser_time(c, ns));
}

static void end_if_over(struct half *half, uint64_t ns)
{
	if (stream_ended(&half->stream))
		end_half(half, false, ns);
}

/* The parser goes, the connection stays: what comes of it is known to be of no interest. */
static void drop_parser(struct conn *c, uint64_t ns)
{
	if (!c->parser)
		return;
	c->host.given_up = !c->half[0].ended || !c->half[1].ended;
	end_half(&c->half[1], true, ns); /* the client has not left */
	end_half(&c->half[0], true, ns);
	c->proto->free(TAKE_PTR(c->parser));
}

/* ---- wishes */

/* One field of struct weir_l7_want should reach `left` bytes beyond next. True: it has changed. */
static bool aim(uint32_t *field, uint8_t *has, uint32_t next, uint64_t left)
{
	bool reaches = *has &&
		       (left > AHEAD ? seq_diff(*field, next) > (int32_t)(AHEAD / 2) : *field == next + (uint32_t)left);

	if (left ? reaches : !*has)
		return false;
	*has = left > 0;
	*field = next + (uint32_t)MIN(left, AHEAD);
	return true;
}

/* The last byte to be skipped is copied: it tells when the others have gone by. */
static uint64_t left_to_skip(const struct stream *s, bool told)
{
	uint64_t left = s->skip > s->pos ? s->skip - s->pos - 1 : 0;

	return told || left > SKIP_LEAST ? left : 0;
}

static void set_key(const struct conn *c, struct weir_ct_key *ret_key)
{
	*ret_key = c->key;
	memset(ret_key->pad, 0, sizeof(ret_key->pad));
}

static void wish(struct conn *c, const struct weir_l7_want *want)
{
	const struct track_params *p = &c->track->params;
	struct weir_ct_key key;

	set_key(c, &key);
	p->wish(p->userdata, &key, want);
}

static bool wishes(const struct weir_l7_want *w)
{
	return w->has_skip[0] || w->has_skip[1] || w->has_want[0] || w->has_want[1] || w->has_frame[0] ||
	       w->has_frame[1];
}

/* The datapath lost its way. True: what it is to be told has changed. */
static bool point_out_frame(struct conn *c, int dir)
{
	const struct half *half = &c->half[dir];
	struct weir_l7_want *w = &c->told;
	int side = c->client_side ^ dir;
	bool had = w->has_frame[side];
	uint32_t frame = w->frame[side];
	uint64_t left = 0;

	w->has_frame[side] = c->host.frames_lost[dir] && !half->ended && c->proto->frame &&
			     c->proto->frame(c->parser, dir, &left) && left <= AHEAD;
	w->frame[side] = w->has_frame[side] ? half->stream.next + (uint32_t)left : 0;
	return had != w->has_frame[side] || frame != w->frame[side];
}

static void tell_wishes(struct conn *c)
{
	struct weir_l7_want *w = &c->told;
	bool changed = false;

	if (w->ignored)
		return;
	for (int dir = 0; dir < 2; dir++) {
		const struct half *half = &c->half[dir];
		const struct stream *s = &half->stream;
		int side = c->client_side ^ dir;

		if (!s->started)
			continue;
		changed |= aim(&w->skip[side], &w->has_skip[side], s->next,
			       half->ended ? 0 : left_to_skip(s, w->has_skip[side]));
		changed |= aim(&w->want[side], &w->has_want[side], s->next,
			       half->ended || half->want <= s->pos ? 0 : half->want - s->pos);
		changed |= point_out_frame(c, dir);
	}
	if (changed)
		wish(c, wishes(w) ? w : NULL);
}

/* ---- connections */

/* Pods choose their ports: the seed, in bytes that are zero otherwise, keeps them from choosing the bucket. */
static struct conn *find(struct track *t, struct weir_ct_key *key)
{
	struct conn *c;

	memcpy(key->pad, t->seed, sizeof(key->pad));
	HASH_FIND(hh, t->by_key, key, sizeof(*key), c);
	return c;
}

static void set_ends(struct l7_ends *e, const struct weir_l7_excerpt *x, int dir)
{
	e->addr[dir] = x->saddr;
	e->addr[!dir] = x->daddr;
	e->port[dir] = x->sport;
	e->port[!dir] = x->dport;
	e->identity[dir] = x->identity[0];
	e->identity[!dir] = x->identity[1];
	e->proto = x->proto;
	e->v6 = x->v6;
}

/* Only of HTTP/2 the server may speak before the client was heard. */
static bool begins(const struct weir_l7_excerpt *x, int dir)
{
	return x->flags & WEIR_L7F_FIRST && (dir == 0 || x->l7 == WEIR_L7_HTTP2);
}

static struct conn *conn_new(struct track *t, const struct weir_ct_key *key, unsigned side,
			     const struct weir_l7_excerpt *x)
{
	int dir = x->flags & WEIR_L7F_REPLY ? 1 : 0;
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->key = *key;
	HASH_ADD(hh, t->by_key, key, sizeof(c->key), c);
	if (!hash_added(c)) {
		free(c);
		return NULL;
	}
	DL_APPEND(t->by_use, c);
	t->stats.connections++;
	c->track = t;
	c->l7 = x->l7;
	c->client_side = side ^ dir;
	c->unmeasured = MEASURE_BYTES;
	c->half[0].conn = c->half[1].conn = c;
	c->host = (struct l7_host){ .settings = t->params.settings,
				    .midstream = !begins(x, dir),
				    .headers_only = t->params.settings->headers_only,
				    .userdata = c,
				    .emit = on_emit,
				    .skip = on_skip,
				    .want = on_want,
				    .ignore = on_ignore };
	set_ends(&c->host.ends, x, dir);
	c->proto = t->params.proto(x->l7, x->proto);
	return c;
}

static void set_memory(struct conn *c, size_t memory)
{
	c->track->stats.memory += memory - c->memory;
	c->memory = memory;
}

static void conn_close(struct conn *c, uint64_t ns)
{
	struct track *t = c->track;

	drop_parser(c, ns);
	if (wishes(&c->told))
		wish(c, NULL);
	set_memory(c, 0);
	t->stats.connections--;
	DL_DELETE(t->by_use, c);
	HASH_DEL(t->by_key, c);
	free(c);
}

static void measure(struct conn *c)
{
	size_t memory = sizeof(*c) + c->half[0].stream.held + c->half[1].stream.held;

	if (c->parser)
		memory += c->proto->memory(c->parser);
	c->unmeasured = 0;
	set_memory(c, memory);
}

/* Nothing of it is read any more, nor need it be copied. Of TLS, and of datagrams, the datapath knows by itself. */
static void conn_ignore(struct conn *c, uint64_t ns)
{
	c->ignored = true;
	if (!c->parser)
		return;
	drop_parser(c, ns);
	measure(c);
	if (c->l7 == WEIR_L7_TLS || c->key.proto == IPPROTO_UDP)
		return;
	c->told = (struct weir_l7_want){ .ignored = 1 };
	wish(c, &c->told);
}

/* After anything has happened to it. */
static void conn_settle(struct conn *c, uint64_t ns)
{
	for (int dir = 0; c->parser && dir < 2; dir++)
		end_if_over(&c->half[dir], ns);
	if (c->closed == 3 && (!c->parser || (c->half[0].ended && c->half[1].ended))) {
		conn_close(c, ns);
		return;
	}
	if (c->unmeasured >= MEASURE_BYTES)
		measure(c);
	if (c->ignored || c->memory > c->track->params.memory_max / CONN_SHARE)
		conn_ignore(c, ns);
	tell_wishes(c);
}

static void make_room(struct track *t, const struct conn *spared, uint64_t ns)
{
	while ((t->stats.connections > t->params.connections_max || t->stats.memory > t->params.memory_max) &&
	       t->by_use != spared) {
		t->stats.evicted++;
		conn_close(t->by_use, ns);
	}
}

/* ---- excerpts */

/* The same addresses and ports, but what is known is of an earlier connection. */
static bool is_other(const struct conn *c, const struct half *half, const struct weir_l7_excerpt *x)
{
	int32_t ahead = seq_diff(x->seq, half->stream.next);

	if (c->l7 != x->l7)
		return true;
	if (!half->stream.started)
		return false;
	if (x->flags & WEIR_L7F_FIRST)
		return half->ended || ahead > OTHER_FIRST || ahead < -OTHER_FIRST;
	return ahead < -OTHER_BACK;
}

static void feed_datagram(struct conn *c, int dir, const struct weir_l7_excerpt *x, const uint8_t *data)
{
	const struct stream_sink to = sink_of(&c->half[dir]);

	if (!x->total)
		return;
	if (x->len == x->total)
		to.data(to.userdata, data, x->len, x->ts);
	else
		to.gap(to.userdata, x->total, true, x->ts);
}

/* by: the direction in which RST was sent. */
static void reset(struct conn *c, int by, uint64_t ns)
{
	for (int dir = 0; dir < 2; dir++) {
		const struct stream_sink to = sink_of(&c->half[dir]);

		if (c->half[dir].ended)
			continue;
		stream_settle(&c->half[dir].stream, ns, &to);
		end_if_over(&c->half[dir], ns);
	}
	end_half(&c->half[by], true, ns);
	end_half(&c->half[!by], true, ns);
}

static void feed_segment(struct conn *c, int dir, const struct weir_l7_excerpt *x, const uint8_t *data)
{
	struct half *half = &c->half[dir], *other = &c->half[!dir];
	const struct stream_sink to = sink_of(half), to_other = sink_of(other);
	const struct stream_piece p = { .ns = x->ts,
					.data = data,
					.seq = x->seq,
					.len = x->len,
					.total = x->total,
					.fin = x->flags & WEIR_L7F_FIN };

	if (x->flags & WEIR_L7F_ACK && !other->ended) {
		stream_ack(&other->stream, x->ack, x->ts, &to_other);
		end_if_over(other, x->ts);
	}
	c->host.frames_lost[dir] = x->flags & WEIR_L7F_LOST;
	if (!half->ended)
		stream_insert(&half->stream, &p, &to);
	if (x->flags & WEIR_L7F_RST)
		reset(c, dir, x->ts);
}

static void conn_excerpt(struct conn *c, int dir, const struct weir_l7_excerpt *x, const uint8_t *data)
{
	c->used_ns = x->ts;
	DL_DELETE(c->track->by_use, c);
	DL_APPEND(c->track->by_use, c);
	if (x->flags & WEIR_L7F_HEADERS)
		c->host.headers_only = true;
	if (x->flags & (WEIR_L7F_FIN | WEIR_L7F_RST))
		c->closed |= x->flags & WEIR_L7F_RST ? 3 : 1 << dir;
	if (!c->parser)
		return;
	if (x->proto == IPPROTO_UDP)
		feed_datagram(c, dir, x, data);
	else
		feed_segment(c, dir, x, data);
}

void track_excerpt(struct track *t, const struct weir_l7_excerpt *x, const uint8_t *data)
{
	struct weir_ct_key key;
	unsigned side = ct_key_set(&key, &x->saddr, x->sport, &x->daddr, x->dport, x->proto);
	struct conn *c = find(t, &key);

	if (c && is_other(c, &c->half[side ^ c->client_side], x)) {
		conn_close(c, x->ts);
		c = NULL;
	}
	if (!c && x->len) { /* an end alone is not worth one */
		c = conn_new(t, &key, side, x);
		if (c && c->proto)
			c->parser = c->proto->new (&c->host);
	}
	if (!c)
		return;
	c->unmeasured += x->len;
	conn_excerpt(c, side ^ c->client_side, x, data);
	conn_settle(c, x->ts);
	make_room(t, t->by_use ? t->by_use->prev : NULL, x->ts); /* the last one: it was used just now */
}

/* ---- time */

static bool is_idle(const struct conn *c, uint64_t now_ns)
{
	bool brief = c->ignored || c->l7 == WEIR_L7_TLS || c->key.proto == IPPROTO_UDP;

	if (now_ns < c->used_ns + (brief ? IDLE_SHORT_NS : IDLE_NS))
		return false;
	return !c->parser || !c->proto->pending || !c->proto->pending(c->parser);
}

static void conn_tick(struct conn *c, uint64_t now_ns)
{
	for (int dir = 0; c->parser && dir < 2; dir++) {
		const struct stream_sink to = sink_of(&c->half[dir]);

		stream_expire(&c->half[dir].stream, now_ns, &to);
	}
	if (c->parser && c->proto->tick && !c->ignored)
		c->proto->tick(c->parser, parser_time(c, now_ns));
	c->unmeasured = MEASURE_BYTES;
	if (is_idle(c, now_ns))
		conn_close(c, now_ns);
	else
		conn_settle(c, now_ns);
}

void track_tick(struct track *t, uint64_t now_ns)
{
	struct conn *c, *tmp;

	DL_FOREACH_SAFE(t->by_use, c, tmp)
	conn_tick(c, now_ns);
	make_room(t, NULL, now_ns);
}

struct track_stats track_stats(const struct track *t)
{
	return t->stats;
}

struct track *track_new(const struct track_params *params)
{
	struct track *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->params = *params;
	(void)!getrandom(t->seed, sizeof(t->seed), GRND_NONBLOCK);
	return t;
}

void track_free(struct track *t)
{
	while (t->by_use)
		conn_close(t->by_use, t->by_use->now_ns);
	free(t);
}
