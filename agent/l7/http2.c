// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/2: an own walk over the frames, nghttp2 for HPACK. Header blocks are inflated as they come, nothing but nine
 * bytes of a frame's head and small payloads is kept. HPACK has state: a connection of which anything but the payload
 * of DATA and of frames without meaning is missing cannot be read any more, nor one whose beginning was not seen.
 */
#include "agent/l7/http2_block.h"
#include "lib/hash.h"

#define STREAMS_MAX 1024          /* open at once */
#define SETTINGS_PENDING_MAX 1000 /* frames not acknowledged yet; servers bear no more */
#define CONTINUATIONS_MAX 32      /* per header block */
#define RESETS_MAX 1000           /* streams that the client resets before an answer: at once, and per second below */
#define RESETS_PER_SECOND 33
#define SKIP_MIN 4096
#define WANT_AFTER 8192
#define WANT_STEP (64 * 1024)
#define FRAME_HEAD 9
#define NO_TABLE UINT32_MAX

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct stream {
	UT_hash_handle hh;
	uint32_t id;
	struct http_exchange *x;     /* NULL: not reported */
	uint64_t length[2], body[2]; /* content-length, HTTP2_NO_LENGTH: not said; bytes of DATA */
	bool answered, done[2], unwanted[2];
	bool head;    /* HEAD: the answer's length is that of what is not sent */
	bool connect; /* CONNECT: behind the answer is a tunnel, for whatever it is */
};

enum part {
	PREFACE,
	HEAD,
	SMALL, /* payload that is collected: settings, RST_STREAM, GOAWAY, what stands before a header block */
	BLOCK, /* of headers */
	DATA,
	REST, /* padding, and payload without meaning */
};

struct side {
	struct http2_block block;
	struct http_head head; /* of the last block */
	uint64_t length;       /* its content-length, if it is sound */
	bool sound;            /* it was found to be a well-formed request or answer */
	uint64_t start_ns;     /* of the block */
	uint64_t since_want, wanted_on;
	size_t n_small, want_small; /* collected of the part, and its length */
	enum part part;
	uint32_t left, rest; /* of BLOCK or DATA; of the payload after it */
	uint32_t id, block_id, promised;
	uint32_t frame_max;   /* what the other side allows this one */
	VEC(uint32_t) tables; /* sizes announced by this side and not acknowledged yet */
	uint32_t table;       /* of the SETTINGS frame being read */
	unsigned continuations;
	uint8_t type, flags;
	bool in_block, block_ends_stream, skipped;
	bool interested; /* in the payload of DATA that came last */
	uint8_t small[FRAME_HEAD];
};

struct h2 {
	struct l7_host *host;
	struct http_app *app;
	struct side side[2];
	struct stream *streams, *spare; /* spare: of one that was closed, for the next */
	struct stream none;             /* the first of streams: a table without elements would be freed */
	uint32_t last_id;
	uint32_t resets;
	uint64_t resets_ns, ns;
	bool over;
};

#define FOR_EACH_STREAM(c, st, following) \
	for (st = (c)->none.hh.next; st && ((following) = st->hh.next, true); st = (following))

static void close_stream(struct h2 *c, struct stream *st, uint16_t flags, const char *reason)
{
	HASH_DEL(c->streams, st);
	if (st->x)
		http_app_close(st->x, flags, reason, c->ns);
	free(c->spare);
	c->spare = st;
}

static void done(struct h2 *c, struct stream *st, int dir, bool complete)
{
	if (st->x && !st->done[dir] && (dir == 0 || st->answered))
		http_app_done(st->x, dir, complete, c->ns);
	st->done[dir] = true;
}

static void cut_stream(struct h2 *c, struct stream *st, uint16_t flags)
{
	done(c, st, 0, false);
	done(c, st, 1, false);
	close_stream(c, st, flags, NULL);
}

static void close_all(struct h2 *c, uint16_t flags)
{
	struct stream *st, *next;

	FOR_EACH_STREAM(c, st, next)
	cut_stream(c, st, flags);
}

static void free_sides(struct h2 *c)
{
	free(TAKE_PTR(c->spare));
	for (int dir = 0; dir < 2; dir++) {
		struct side *s = &c->side[dir];

		http2_block_done(&s->block);
		free(s->tables.v);
		s->tables.v = NULL;
	}
}

static void ignore(struct h2 *c)
{
	close_all(c, L7_PARTIAL);
	free_sides(c);
	c->over = true;
	c->host->ignore(c->host);
}

static struct stream *find(struct h2 *c, uint32_t id)
{
	struct stream *st;

	HASH_FIND(hh, c->streams, &id, sizeof(id), st);
	return id ? st : NULL;
}

/* NULL: out of memory. */
static struct stream *new_stream(struct h2 *c, struct side *s, const struct http_head *head)
{
	struct stream *st = c->spare ? TAKE_PTR(c->spare) : malloc(sizeof(*st));

	if (!st)
		return NULL;
	*st = (struct stream){ .id = s->block_id,
			       .length = { HTTP2_NO_LENGTH, HTTP2_NO_LENGTH },
			       .head = streq(head->method, "HEAD"),
			       .connect = streq(head->method, "CONNECT") };
	HASH_ADD(hh, c->streams, id, sizeof(st->id), st);
	if (!hash_added(st)) {
		free(st);
		return NULL;
	}
	st->x = http_app_request(c->app, head, s->start_ns);
	st->unwanted[0] = st->unwanted[1] = c->host->headers_only;
	return st;
}

/* A record of no stream: nothing more of the connection is read, and why. */
static void tell_failure(struct h2 *c, struct side *s, const char *reason)
{
	struct http_head head = { .method = "", .target = "", .authority = "", .major = 2 };
	bool request = s == &c->side[0] && s->in_block && s->block_id > c->last_id;
	struct http_exchange *x;

	if (request)
		http_builder_seal(&s->block.head, &head);
	x = http_app_request(c->app, &head, request ? s->start_ns : c->ns);
	if (x)
		http_app_close(x, L7_UNPARSEABLE, reason, c->ns);
}

/* The connection cannot be read; the stream whose frame this is says why. reason NULL: out of memory. */
static void fail(struct h2 *c, int dir, const char *reason)
{
	struct side *s = &c->side[dir];
	struct stream *st = find(c, s->in_block ? s->block_id : s->id);

	if (st)
		close_stream(c, st, reason ? L7_UNPARSEABLE : L7_PARTIAL, reason);
	else if (reason)
		tell_failure(c, s, reason);
	ignore(c);
}

/* ---- header blocks */

/* An answer without a body may tell the length that it would have. */
static bool has_wrong_length(const struct stream *st, int dir)
{
	bool none = dir == 1 && !st->body[1];

	return st->length[dir] != HTTP2_NO_LENGTH && st->length[dir] != st->body[dir] && !(none && st->head);
}

static void end_stream(struct h2 *c, struct stream *st, int dir)
{
	if (has_wrong_length(st, dir)) {
		close_stream(c, st, L7_UNPARSEABLE, "content-length is not the length of the data");
		return;
	}
	done(c, st, dir, true);
	if (st->done[0] && st->done[1])
		close_stream(c, st, 0, NULL);
}

static void take_request(struct h2 *c, struct side *s, const struct http_head *head)
{
	const char *bad = s->sound ? NULL
				   : http2_malformed_request(&s->block.head, head, s->block.malformed, &s->length);
	struct stream *st;

	if (s->block_id <= c->last_id || s->block_id % 2 == 0) {
		if (s->block_id % 2 == 0)
			fail(c, 0, "request on a stream of the server");
		return; /* else of a stream that is closed: only the table counts */
	}
	c->last_id = s->block_id;
	s->sound = !bad;
	st = new_stream(c, s, head);
	if (!st) {
		ignore(c);
		return;
	}
	st->length[0] = s->length;
	if (bad)
		close_stream(c, st, L7_UNPARSEABLE, bad);
	else if (HASH_COUNT(c->streams) - 1 > STREAMS_MAX)
		close_stream(c, st, L7_PARTIAL, "too many open streams");
	else if (s->block_ends_stream)
		end_stream(c, st, 0);
}

static void take_trailers(struct h2 *c, int dir, struct stream *st, const struct http_head *head)
{
	struct side *s = &c->side[dir];
	const char *bad = http2_malformed_trailers(&s->block.head, head, s->block.malformed);

	if (!bad && !s->block_ends_stream)
		bad = "trailers that are none";
	if (bad) {
		close_stream(c, st, L7_UNPARSEABLE, bad);
		return;
	}
	if (st->x && head->n_headers)
		http_app_trailers(st->x, dir, head, c->ns);
	end_stream(c, st, dir);
}

static void take_answer(struct h2 *c, struct stream *st, const struct http_head *head)
{
	struct side *s = &c->side[1];
	const char *bad = s->sound ? NULL
				   : http2_malformed_answer(&s->block.head, head, s->block.malformed, &s->length);

	s->sound = !bad;
	if (bad) {
		close_stream(c, st, L7_UNPARSEABLE, bad);
		return;
	}
	if (head->status < 200 && !s->block_ends_stream)
		return;
	st->answered = true;
	if (head->status != 304)
		st->length[1] = s->length;
	if (st->x)
		http_app_answer(st->x, head, s->start_ns);
	if (s->block_ends_stream) {
		end_stream(c, st, 1);
	} else if (st->connect && head->status / 100 == 2) {
		done(c, st, 0, true);
		done(c, st, 1, true);
		close_stream(c, st, 0, NULL);
	}
}

static void seal(struct side *s)
{
	s->head = (struct http_head){ .major = 2 };
	http_builder_seal(&s->block.head, &s->head);
	s->head.status = http2_status(&s->block.head);
	s->head.protocol = http_builder_pseudo(&s->block.head, ":protocol");
	s->sound = false;
}

static void take_head(struct h2 *c, int dir)
{
	struct side *s = &c->side[dir];
	struct stream *st = find(c, s->block_id);

	if (!s->block.again)
		seal(s);
	s->head.again = s->block.again ? s->block.known.number : 0;
	if (s->promised) /* a pushed answer is not asked for: nobody's exchange */
		;
	else if (dir == 0 && !st)
		take_request(c, s, &s->head);
	else if (st && st->done[dir])
		close_stream(c, st, L7_UNPARSEABLE, "headers after the end of the stream");
	else if (st && dir == 1 && !st->answered)
		take_answer(c, st, &s->head);
	else if (st)
		take_trailers(c, dir, st, &s->head);
}

static void take_block(struct h2 *c, int dir, const uint8_t *data, size_t len)
{
	struct side *s = &c->side[dir];
	bool final = len == s->left && (s->flags & NGHTTP2_FLAG_END_HEADERS), oom;
	const char *bad = http2_block_add(&s->block, data, len, final, &oom);

	s->left -= len;
	if (bad) {
		fail(c, dir, oom ? NULL : bad);
		return;
	}
	if (final) {
		s->in_block = false;
		take_head(c, dir);
		http2_block_end(&s->block);
	}
}

/* ---- frames */

static void begin_part(struct side *s, enum part part, size_t want_small)
{
	s->part = part;
	s->n_small = 0;
	s->want_small = want_small;
}

static void end_frame(struct side *s)
{
	begin_part(s, HEAD, FRAME_HEAD);
}

static void set_rest(struct side *s)
{
	if (s->rest)
		s->part = REST;
	else
		end_frame(s);
}

static void begin_block(struct h2 *c, struct side *s, uint32_t promised)
{
	s->in_block = true;
	s->block_id = s->id;
	s->promised = promised;
	s->block_ends_stream = s->type == NGHTTP2_HEADERS && (s->flags & NGHTTP2_FLAG_END_STREAM);
	s->continuations = 0;
	s->start_ns = c->ns;
	http2_block_begin(&s->block);
}

static const char *bad_frame(const struct side *s, uint32_t len, int dir)
{
	bool stream = s->type == NGHTTP2_DATA || s->type == NGHTTP2_HEADERS || s->type == NGHTTP2_RST_STREAM ||
		      s->type == NGHTTP2_PRIORITY || s->type == NGHTTP2_CONTINUATION || s->type == NGHTTP2_PUSH_PROMISE;
	bool connection = s->type == NGHTTP2_SETTINGS || s->type == NGHTTP2_PING || s->type == NGHTTP2_GOAWAY;

	if (len > s->frame_max)
		return "frame larger than allowed";
	if (s->in_block != (s->type == NGHTTP2_CONTINUATION) || (s->in_block && s->id != s->block_id))
		return "header block interrupted";
	if ((stream && !s->id) || (connection && s->id))
		return "frame on the wrong stream";
	if (s->type == NGHTTP2_PUSH_PROMISE && dir == 0)
		return "push by the client";
	if ((s->type == NGHTTP2_RST_STREAM || s->type == NGHTTP2_WINDOW_UPDATE) && len != 4)
		return "frame of the wrong size";
	if ((s->type == NGHTTP2_PING && len != 8) || (s->type == NGHTTP2_PRIORITY && len != 5) ||
	    (s->type == NGHTTP2_GOAWAY && len < 8) || (s->type == NGHTTP2_SETTINGS && len % 6))
		return "frame of the wrong size";
	if (s->type == NGHTTP2_SETTINGS && (s->flags & NGHTTP2_FLAG_ACK) && len)
		return "frame of the wrong size";
	return NULL;
}

/* What the other side announced first and this one now acknowledges is in force for this one's header blocks. */
static const char *settings_acked(struct h2 *c, int dir)
{
	struct side *other = &c->side[!dir];
	uint32_t size;

	if (!other->tables.n)
		return "SETTINGS acknowledged that were not sent";
	size = other->tables.v[0];
	other->tables.n--;
	memmove(other->tables.v, other->tables.v + 1, other->tables.n * sizeof(*other->tables.v));
	if (size != NO_TABLE && http2_block_set_table(&c->side[dir].block, size) < 0)
		return "HPACK cannot be decoded";
	return NULL;
}

static const char *settings_end(struct side *s)
{
	if (s->tables.n == SETTINGS_PENDING_MAX || vec_add(&s->tables, s->table) < 0)
		return "too many SETTINGS without an acknowledgement";
	end_frame(s);
	return NULL;
}

/* Bytes before the header block or the data: length of the padding, priority, promised stream. */
static size_t prefix_len(const struct side *s)
{
	size_t n = s->flags & NGHTTP2_FLAG_PADDED ? 1 : 0;

	if (s->type == NGHTTP2_CONTINUATION)
		return 0;
	if (s->type == NGHTTP2_HEADERS && (s->flags & NGHTTP2_FLAG_PRIORITY))
		n += 5;
	return s->type == NGHTTP2_PUSH_PROMISE ? n + 4 : n;
}

static void end_data(struct h2 *c, int dir)
{
	struct side *s = &c->side[dir];
	struct stream *st = find(c, s->id);

	if (s->flags & NGHTTP2_FLAG_END_STREAM)
		s->interested = false;
	if (st && (s->flags & NGHTTP2_FLAG_END_STREAM) && !st->done[dir])
		end_stream(c, st, dir);
	set_rest(s);
}

/* The payload of DATA, HEADERS, PUSH_PROMISE and CONTINUATION after its prefix. */
static const char *begin_payload(struct h2 *c, int dir)
{
	struct side *s = &c->side[dir];
	uint32_t pad = s->want_small && (s->flags & NGHTTP2_FLAG_PADDED) ? s->small[0] : 0;

	if (pad > s->rest)
		return "padding longer than its frame";
	s->left = s->rest - pad;
	s->rest = pad;
	if (s->type == NGHTTP2_DATA) {
		s->part = DATA;
		s->skipped = false;
		if (!s->left)
			end_data(c, dir);
		return NULL;
	}
	if (s->type == NGHTTP2_CONTINUATION) {
		if (++s->continuations > CONTINUATIONS_MAX)
			return "too many CONTINUATION frames";
	} else {
		begin_block(c, s, s->type == NGHTTP2_PUSH_PROMISE);
	}
	s->part = BLOCK;
	if (!s->left)
		take_block(c, dir, s->small, 0);
	if (!c->over && !s->left)
		set_rest(s);
	return NULL;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static const char *begin_frame(struct h2 *c, int dir, const uint8_t head[FRAME_HEAD])
{
	struct side *s = &c->side[dir];
	uint32_t len = be32(head) >> 8;
	const char *bad;
	size_t prefix;

	s->type = head[3];
	s->flags = head[4];
	s->id = be32(head + 5) & 0x7fffffff;
	bad = bad_frame(s, len, dir);
	if (bad)
		return bad;
	s->rest = len;
	switch (s->type) {
	case NGHTTP2_DATA:
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION:
	case NGHTTP2_PUSH_PROMISE:
		prefix = prefix_len(s);
		if (prefix > len)
			return "frame of the wrong size";
		s->rest -= prefix;
		begin_part(s, SMALL, prefix);
		return prefix ? NULL : begin_payload(c, dir);
	case NGHTTP2_SETTINGS:
		if (s->flags & NGHTTP2_FLAG_ACK) {
			end_frame(s);
			return settings_acked(c, dir);
		}
		s->table = NO_TABLE;
		begin_part(s, SMALL, 6);
		return len ? NULL : settings_end(s);
	case NGHTTP2_RST_STREAM:
	case NGHTTP2_GOAWAY:
		begin_part(s, SMALL, s->type == NGHTTP2_GOAWAY ? 8 : 4);
		s->rest -= s->want_small;
		return NULL;
	default:
		set_rest(s);
		return NULL;
	}
}

static const char *take_setting(struct h2 *c, int dir)
{
	struct side *s = &c->side[dir];
	unsigned id = s->small[0] << 8 | s->small[1];
	uint32_t value = be32(s->small + 2);

	if (id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE)
		s->table = MIN(value, NO_TABLE - 1);
	if (id == NGHTTP2_SETTINGS_MAX_FRAME_SIZE) {
		if (value < 16384 || value > 0xffffff)
			return "SETTINGS_MAX_FRAME_SIZE out of range";
		c->side[!dir].frame_max = MAX(c->side[!dir].frame_max, value);
	}
	s->rest -= 6;
	begin_part(s, SMALL, 6);
	return s->rest ? NULL : settings_end(s);
}

/* Streams that the client opens and resets in no time cost it nothing: bounded here as nghttp2 bounds them. */
static bool too_many_resets(struct h2 *c)
{
	uint64_t passed = (c->ns - MIN(c->ns, c->resets_ns)) * RESETS_PER_SECOND / 1000000000;

	if (passed) {
		c->resets -= MIN((uint64_t)c->resets, passed);
		c->resets_ns = c->ns;
	}
	return ++c->resets > RESETS_MAX;
}

static const char *take_reset(struct h2 *c, int dir)
{
	struct side *s = &c->side[dir];
	struct stream *st = find(c, s->id);

	set_rest(s);
	if (!st)
		return NULL;
	if (dir == 0 && !st->answered && too_many_resets(c))
		return "too many streams reset";
	if (dir == 0 && st->x)
		http_app_left(st->x);
	cut_stream(c, st, 0);
	return NULL;
}

/* What the server will not look at is never answered. */
static void take_goaway(struct h2 *c, int dir)
{
	struct side *s = &c->side[dir];
	uint32_t last = be32(s->small) & 0x7fffffff;
	struct stream *st, *next;

	set_rest(s);
	if (dir == 0)
		return;
	FOR_EACH_STREAM(c, st, next)
	{
		if (st->id > last)
			cut_stream(c, st, 0);
	}
}

static const char *take_small(struct h2 *c, int dir)
{
	struct side *s = &c->side[dir];

	if (s->part == HEAD)
		return begin_frame(c, dir, s->small);
	switch (s->type) {
	case NGHTTP2_SETTINGS:
		return take_setting(c, dir);
	case NGHTTP2_RST_STREAM:
		return take_reset(c, dir);
	case NGHTTP2_GOAWAY:
		take_goaway(c, dir);
		return NULL;
	default:
		return begin_payload(c, dir);
	}
}

static size_t collect(struct h2 *c, int dir, const uint8_t *data, size_t len)
{
	struct side *s = &c->side[dir];
	size_t n = MIN(len, s->want_small - s->n_small);
	const char *bad;

	if (s->part == HEAD && n == FRAME_HEAD) { /* in one piece: mostly */
		bad = begin_frame(c, dir, data);
	} else {
		memcpy(s->small + s->n_small, data, n);
		s->n_small += n;
		bad = s->n_small == s->want_small ? take_small(c, dir) : NULL;
	}
	if (bad)
		fail(c, dir, bad);
	return n;
}

static struct stream *data_stream(struct h2 *c, int dir)
{
	struct stream *st = find(c, c->side[dir].id);

	if (st && (st->done[dir] || (dir == 1 && !st->answered))) {
		close_stream(c, st, L7_UNPARSEABLE, "data outside of a message");
		return NULL;
	}
	return st;
}

static size_t take_data(struct h2 *c, int dir, const uint8_t *data, size_t len)
{
	struct side *s = &c->side[dir];
	struct stream *st = data_stream(c, dir);
	size_t n = MIN(len, s->left);

	if (st)
		st->body[dir] += n;
	if (st && (!st->x || !http_app_body(st->x, dir, data, n, c->ns)))
		st->unwanted[dir] = true;
	s->interested = st && !st->unwanted[dir];
	s->left -= n;
	if (!s->left)
		end_data(c, dir);
	return n;
}

static size_t take_preface(struct h2 *c, const uint8_t *data, size_t len)
{
	struct side *s = &c->side[0];
	size_t n = MIN(len, s->want_small - s->n_small);

	if (memcmp(preface + s->n_small, data, n) != 0) {
		ignore(c);
		return len;
	}
	s->n_small += n;
	if (s->n_small == s->want_small)
		end_frame(s);
	return n;
}

static size_t take(struct h2 *c, int dir, const uint8_t *data, size_t len)
{
	struct side *s = &c->side[dir];
	size_t n;

	switch (s->part) {
	case PREFACE:
		return take_preface(c, data, len);
	case HEAD:
	case SMALL:
		return collect(c, dir, data, len);
	case BLOCK:
		n = MIN(len, s->left);
		take_block(c, dir, data, n);
		if (!c->over && !s->left)
			set_rest(s);
		return n;
	case DATA:
		return take_data(c, dir, data, len);
	case REST:
		break;
	}
	n = MIN(len, s->rest);
	s->rest -= n;
	if (!s->rest)
		end_frame(s);
	return n;
}

/* The kernel's budget is for DATA alone, as long as the kernel can follow the frames: a long body that is of interest
 * needs more, one that is of none may be left out. */
static void ask(struct h2 *c, int dir)
{
	struct side *s = &c->side[dir];
	struct stream *st = s->part == DATA ? find(c, s->id) : NULL;
	uint64_t rest = (uint64_t)s->left + s->rest;

	if (s->part == DATA && (!st || st->unwanted[dir])) {
		if (!s->skipped && rest >= SKIP_MIN)
			c->host->skip(c->host, dir, rest);
		s->skipped = true;
		return;
	}
	if (!s->interested && !c->host->frames_lost[dir])
		return;
	if (s->since_want < WANT_AFTER || s->wanted_on >= WANT_STEP / 2)
		return;
	s->wanted_on = WANT_STEP;
	c->host->want(c->host, dir, WANT_STEP);
}

static void count(struct h2 *c, int dir, uint64_t len)
{
	struct side *s = &c->side[dir];

	s->since_want += len;
	s->wanted_on -= MIN(s->wanted_on, len);
	c->side[!dir].since_want = 0; /* the talk turned: a new budget */
}

/* ---- struct l7_proto */

static void h2_data(void *p, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct h2 *c = p;

	if (c->over || !len)
		return;
	c->ns = ns;
	if (c->host->midstream) {
		ignore(c);
		return;
	}
	count(c, dir, len);
	while (len && !c->over) {
		size_t n = take(c, dir, data, len);

		data += n;
		len -= n;
	}
	if (!c->over)
		ask(c, dir);
}

static uint64_t data_gap(struct h2 *c, int dir, uint64_t len)
{
	struct side *s = &c->side[dir];
	struct stream *st = data_stream(c, dir);
	uint64_t n = MIN(len, (uint64_t)s->left);

	if (st)
		st->body[dir] += n;
	if (st && st->x)
		http_app_body_gap(st->x, dir, n, c->ns);
	s->left -= n;
	if (!s->left)
		end_data(c, dir);
	return n;
}

static void h2_gap(void *p, int dir, uint64_t len, uint64_t ns)
{
	struct h2 *c = p;
	struct side *s = &c->side[dir];

	if (c->over || !len)
		return;
	c->ns = ns;
	count(c, dir, len);
	if (s->part == DATA)
		len -= data_gap(c, dir, len);
	if (len && s->part == REST && len <= s->rest) {
		s->rest -= len;
		if (!s->rest)
			end_frame(s);
		len = 0;
	}
	if (len)
		ignore(c);
	else
		ask(c, dir);
}

static void h2_end(void *p, int dir, bool reset, uint64_t ns)
{
	struct stream *st, *next;
	struct h2 *c = p;

	if (c->over)
		return;
	c->ns = ns;
	FOR_EACH_STREAM(c, st, next)
	{
		if (dir == 0 && st->x)
			http_app_left(st->x);
	}
	if (dir == 1 || reset)
		close_all(c, 0);
}

static void h2_free(void *p)
{
	struct h2 *c = p;

	close_all(c, L7_PARTIAL);
	free_sides(c);
	HASH_CLEAR(hh, c->streams);
	if (c->app)
		http_app_free(c->app);
	free(c);
}

static void *h2_new(struct l7_host *host)
{
	struct h2 *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->host = host;
	HASH_ADD(hh, c->streams, id, sizeof(c->none.id), &c->none);
	if (!hash_added(&c->none)) {
		free(c);
		return NULL;
	}
	c->app = http_app_new(host);
	for (int dir = 0; dir < 2; dir++) {
		struct side *s = &c->side[dir];

		s->frame_max = 16384;
		begin_part(s, dir == 0 ? PREFACE : HEAD, dir == 0 ? sizeof(preface) - 1 : FRAME_HEAD);
		if (c->app && http2_block_init(&s->block) == 0)
			continue;
		h2_free(c);
		return NULL;
	}
	return c;
}

static bool h2_pending(const void *p)
{
	const struct h2 *c = p;

	return c->none.hh.next;
}

static bool h2_frame(const void *p, int dir, uint64_t *ret_left)
{
	const struct h2 *c = p;
	const struct side *s = &c->side[dir];

	switch (s->part) {
	case HEAD: /* once it has begun, it is behind */
		*ret_left = 0;
		return !s->n_small;
	case PREFACE:
	case SMALL:
		*ret_left = s->type == NGHTTP2_SETTINGS ? s->rest - s->n_small : s->want_small - s->n_small + s->rest;
		return true;
	case BLOCK:
	case DATA:
		*ret_left = (uint64_t)s->left + s->rest;
		return true;
	case REST:
		break;
	}
	*ret_left = s->rest;
	return true;
}

static void h2_tick(void *p, uint64_t ns)
{
	struct h2 *c = p;

	if (c->over)
		return;
	for (int dir = 0; dir < 2; dir++)
		http2_block_tick(&c->side[dir].block);
	http_app_tick(c->app, ns);
}

static size_t h2_memory(const void *p)
{
	const struct h2 *c = p;
	size_t n = sizeof(*c) + http_app_memory(c->app) + HASH_COUNT(c->streams) * sizeof(struct stream);

	for (int dir = 0; dir < 2; dir++)
		n += http2_block_memory(&c->side[dir].block) + c->side[dir].tables.size * sizeof(uint32_t);
	return n + HASH_OVERHEAD(hh, c->streams);
}

const struct l7_proto l7_http2 = {
	.name = "http2",
	.new = h2_new,
	.free = h2_free,
	.data = h2_data,
	.gap = h2_gap,
	.end = h2_end,
	.frame = h2_frame,
	.pending = h2_pending,
	.tick = h2_tick,
	.memory = h2_memory,
};
