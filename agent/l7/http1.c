// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1.x. llhttp, strict, reads heads and chunks; bodies of known length never pass through it. Exchanges stand in
 * line for their answers: the n-th answer is that of the n-th request.
 *
 * After a loss in which a message may have begun the count is gone. Answers to requests that were seen before are still
 * told by it; a later request is paired again only when nothing can be outstanding: no exchange waits, the server has
 * said nothing since the request began, and this client has not pipelined so far. A direction whose framing is lost
 * takes it up again where the talk turns to it, because a body that quotes a message would look like one anywhere else.
 */
#include <llhttp.h>

#include "agent/l7/http_head.h"
#include "lib/pool.h"

#define SKIP_MIN 4096   /* less is cheaper to read than to skip */
#define WANT_AFTER 8192 /* the kernel's budget is larger */
#define WANT_STEP (64 * 1024)
#define SKIP_ENDLESS (1 << 30) /* of a body that ends with the connection; sequence numbers have 32 bits */
#define MEMO_MAX 1024          /* bytes of a head that may be known by heart */
#define MEMO_TRIES 8           /* heads of the same length that turn out to differ, until no more are learned */

struct exchange {
	struct exchange *next;
	struct http_exchange *x; /* NULL: not reported */
	uint64_t start_ns;
	uint16_t flags;
	bool head, connect, hold; /* HEAD; CONNECT; what the client sends next depends on the answer */
	bool done[2];
};

enum step {
	HEAD,
	LENGTH, /* bodies: Content-Length, chunks and trailers, until the connection ends */
	CHUNKS,
	UNTIL_END,
	HELD, /* after CONNECT or Upgrade */
	LOST,
	OVER,
};

/*
 * The last head that came in one piece. Those who poll send the same bytes again and again, and are answered in the
 * same way: what was read of them is known then.
 */
struct memo {
	bool read; /* what it says is known; else the head came once, and only its bytes are */
	struct http_builder builder;
	struct http_head head;
	llhttp_t llhttp; /* as it stood after it */
	bool used;       /* since the last tick */
	size_t len;
	uint8_t raw[];
};

struct side {
	struct h1 *c;
	struct exchange *x; /* whose message is being read, or NULL */
	llhttp_t llhttp;
	struct http_builder head; /* or trailers */
	struct memo *memo;        /* or NULL */
	const char *reason;       /* why a callback stopped llhttp */
	uint64_t left;            /* LENGTH */
	uint64_t lines;           /* bytes of the head so far */
	uint64_t seen, wanted_on; /* bytes of the body; asked for beyond what has come */
	uint64_t start_ns, last_ns;
	size_t memo_len; /* of the last head that came in one piece */
	enum step step;
	uint8_t dir;
	uint8_t memo_tries;
	uint8_t last;   /* byte of the head */
	bool stale;     /* llhttp stands after the last message */
	bool begun;     /* HEAD: more than empty lines */
	bool line_done; /* HEAD: what was read of the first line is whole */
	bool doubtful;  /* HEAD: where a message may begin after a loss; no error before it proves to be one */
	bool in_chunk;  /* its data and the line end after it */
	bool trailing;  /* CHUNKS: after the last one */
	bool discard;   /* what llhttp passes is no byte of the wire */
	bool wanted, skipped;
};

struct h1 {
	struct l7_host *host;
	struct http_app *app;
	struct side side[2];
	struct exchange *first, **last; /* all that are open; only the last may have been answered already */
	size_t n_open;
	size_t early; /* answers that came before their requests */
	uint32_t n_learned;
	uint64_t ns;
	int8_t talked; /* direction of the last bytes; -1: none yet */
	bool lost;     /* requests may be missing */
	bool pipelined;
	bool over; /* ignored */
};

/* All connections are read on one thread. */
static struct pool exchanges = POOL(sizeof(struct exchange), 256);

static void forget_memo(struct side *s)
{
	if (!s->memo)
		return;
	http_builder_done(&s->memo->builder);
	free(TAKE_PTR(s->memo));
}

static void begin_message(struct side *s)
{
	http_builder_clear(&s->head);
	s->step = HEAD;
	s->stale = true;
	s->begun = s->line_done = s->doubtful = s->in_chunk = s->trailing = false;
	s->last = 0;
	s->lines = 0;
	s->reason = NULL;
}

static void close_exchange(struct h1 *c, struct exchange *x, uint16_t flags, const char *reason)
{
	struct exchange **at = &c->first;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	if (!x->next)
		c->last = at;
	c->n_open--;
	for (int dir = 0; dir < 2; dir++) {
		if (c->side[dir].x == x)
			c->side[dir].x = NULL;
	}
	if (x->x)
		http_app_close(x->x, x->flags | flags, reason, c->ns);
	pool_give(&exchanges, x);
}

static void close_all(struct h1 *c, uint16_t flags)
{
	while (c->first) {
		struct exchange *x = c->first;

		for (int dir = 0; dir < 2; dir++) {
			if (x->x && c->side[dir].x == x)
				http_app_done(x->x, dir, false, c->ns);
		}
		close_exchange(c, x, flags, NULL);
	}
}

static void ignore(struct h1 *c)
{
	close_all(c, L7_PARTIAL);
	for (int dir = 0; dir < 2; dir++) {
		http_builder_done(&c->side[dir].head);
		forget_memo(&c->side[dir]);
		c->side[dir].step = OVER;
	}
	c->over = true;
	c->host->ignore(c->host);
}

static struct exchange *unanswered(const struct h1 *c)
{
	return c->first && !c->first->done[1] ? c->first : NULL;
}

/* Is it unknown which answer will be that of the request that is being read, or has it passed already? */
static bool answer_lost(struct h1 *c, const struct side *req)
{
	struct side *answers = &c->side[1];

	if (c->early) {
		c->early--;
		return true;
	}
	if (!c->lost)
		return false;
	if (c->first || c->pipelined || answers->last_ns > req->start_ns || answers->step == OVER)
		return true;
	c->lost = false;
	if (answers->step != HEAD || answers->begun) {
		begin_message(answers);
		answers->doubtful = true;
	}
	return false;
}

static struct exchange *new_exchange(struct side *s, const struct http_head *head)
{
	struct h1 *c = s->c;
	bool lost = answer_lost(c, s);
	struct exchange *x = pool_take(&exchanges);

	if (!x)
		return NULL;
	*x = (struct exchange){ .x = http_app_request(c->app, head, s->start_ns),
				.start_ns = s->start_ns,
				.flags = (c->host->midstream ? L7_MIDSTREAM : 0) | (lost ? L7_PARTIAL : 0),
				.done[1] = lost,
				.head = s->llhttp.method == HTTP_HEAD,
				.connect = s->llhttp.method == HTTP_CONNECT,
				.hold = s->llhttp.upgrade && !lost };
	*c->last = x;
	c->last = &x->next;
	c->n_open++;
	s->x = x;
	return x;
}

static void seal(struct side *s, struct http_head *ret_head)
{
	*ret_head = (struct http_head){ .status = s->llhttp.status_code,
					.major = s->llhttp.http_major,
					.minor = s->llhttp.http_minor };
	http_builder_seal(&s->head, ret_head);
}

/* A request whose head breaks off is reported with what was read of it. */
static struct exchange *broken_request(struct side *s)
{
	struct http_head head;

	if (!s->begun)
		return NULL;
	seal(s, &head);
	return new_exchange(s, &head);
}

/* The next message of this direction may begin anywhere. */
static void lose(struct side *s)
{
	struct h1 *c = s->c;
	struct exchange *x = s->x;

	if (s->dir == 0 && !x && s->step == HEAD && s->line_done)
		x = broken_request(s);
	if (s->dir == 1) {
		close_all(c, L7_PARTIAL);
	} else if (x) {
		x->flags |= L7_PARTIAL;
		x->done[0] = true;
		s->x = NULL;
		if (x->x)
			http_app_done(x->x, 0, false, c->ns);
		if (x->done[1])
			close_exchange(c, x, 0, NULL);
	}
	begin_message(s);
	s->step = LOST;
	c->lost = true;
	c->early = 0;
}

/* This direction cannot be read: against the standard, or read differently by different readers. reason NULL: out of
 * memory. */
static void fail(struct side *s, const char *reason)
{
	struct h1 *c = s->c;
	struct exchange *x = s->x;

	if (!x && s->step == HEAD)
		x = s->dir == 0 ? broken_request(s) : unanswered(c);
	if (!x && s->dir == 1 && c->lost) {
		lose(s); /* of an answer that nobody waits for: it was read without its request */
		return;
	}
	if (x)
		close_exchange(c, x, reason ? L7_UNPARSEABLE : L7_PARTIAL, reason);
	ignore(c);
}

/* ---- what llhttp finds */

static int stop(struct side *s, int r)
{
	if (r < 0)
		s->reason = r == -E2BIG ? "too many or too large headers" : NULL;
	return r < 0 ? HPE_USER : 0;
}

static int on_begin(llhttp_t *p)
{
	struct side *s = p->data;

	s->begun = true;
	s->start_ns = s->c->ns;
	return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
	struct side *s = p->data;
	const char *method = llhttp_method_name(p->method);

	if (!s->head.headers.n) {
		int r = http_builder_name(&s->head, ":method", 7)
			    ?: http_builder_value(&s->head, method, strlen(method));

		r = r ?: http_builder_name(&s->head, ":path", 5);
		if (r < 0)
			return stop(s, r);
	}
	return stop(s, http_builder_value(&s->head, at, len));
}

static int on_version(llhttp_t *p)
{
	struct side *s = p->data;

	s->line_done = true;
	s->doubtful = false;
	return 0;
}

static int on_name(llhttp_t *p, const char *at, size_t len)
{
	struct side *s = p->data;

	return stop(s, http_builder_name(&s->head, at, len));
}

static int on_value(llhttp_t *p, const char *at, size_t len)
{
	struct side *s = p->data;

	return stop(s, http_builder_value(&s->head, at, len));
}

static int on_headers_end(llhttp_t *p)
{
	(void)p;
	return HPE_PAUSED;
}

static int on_chunk(llhttp_t *p)
{
	struct side *s = p->data;

	s->in_chunk = p->content_length > 0;
	s->skipped = false;
	return s->in_chunk ? 0 : HPE_PAUSED; /* trailers are read like a head */
}

static int on_chunk_end(llhttp_t *p)
{
	((struct side *)p->data)->in_chunk = false;
	return 0;
}

static int on_end(llhttp_t *p)
{
	(void)p;
	return HPE_PAUSED;
}

static void take_body(struct side *s, const uint8_t *data, size_t len)
{
	s->seen += len;
	if (s->x && s->x->x)
		s->wanted = http_app_body(s->x->x, s->dir, data, len, s->c->ns);
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
	struct side *s = p->data;

	if (!s->discard && len)
		take_body(s, (const uint8_t *)at, len);
	return 0;
}

static const llhttp_settings_t callbacks = {
	.on_message_begin = on_begin,
	.on_url = on_url,
	.on_version_complete = on_version,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_end,
	.on_chunk_header = on_chunk,
	.on_chunk_complete = on_chunk_end,
	.on_body = on_body,
	.on_message_complete = on_end,
};

/* Every two bytes that are neighbours; without a branch, so that the compiler looks at many at a time. */
static const char *bad_lines(const uint8_t *data, size_t len)
{
	uint8_t alone = 0, folded = 0;

	for (size_t i = 1; i < len; i++) {
		alone |= (data[i] == '\n') & (data[i - 1] != '\r');
		folded |= (data[i - 1] == '\n') & ((data[i] == ' ') | (data[i] == '\t'));
	}
	return alone ? "line that ends in LF alone" : folded ? "header folded into several lines" : NULL;
}

/* What llhttp lets through: lines that end in LF alone (version 8), and headers that go on in the next line. */
static const char *check_lines(struct side *s, const uint8_t *data, size_t len)
{
	if (!len)
		return NULL;
	s->lines += len;
	if (s->lines > HTTP_HEAD_MAX)
		return "head of more than 64 KiB";
	if (s->last == '\n' && (*data == ' ' || *data == '\t'))
		return "header folded into several lines";
	if (*data == '\n' && s->last != '\r')
		return "line that ends in LF alone";
	s->last = data[len - 1];
	return bad_lines(data, len);
}

/* ---- messages */

static void message_done(struct side *s, bool complete)
{
	struct h1 *c = s->c;
	struct exchange *x = TAKE_PTR(s->x);

	begin_message(s);
	if (!x)
		return;
	x->done[s->dir] = true;
	if (x->x)
		http_app_done(x->x, s->dir, complete, c->ns);
	if (s->dir == 0 && x->hold)
		s->step = HELD;
	if (s->dir == 1 && x->next && x->next->start_ns < c->ns)
		c->pipelined = true;
	if (x->done[0] && x->done[1])
		close_exchange(c, x, 0, NULL);
}

static void begin_body(struct side *s, enum step step)
{
	http_builder_clear(&s->head);
	s->left = step == LENGTH ? s->llhttp.content_length : 0;
	if (step == HEAD || (step == LENGTH && !s->left)) {
		message_done(s, true);
		return;
	}
	s->step = step;
	s->seen = s->wanted_on = 0;
	s->skipped = false;
	s->wanted = s->x && s->x->x && !s->c->host->headers_only;
	if (step == CHUNKS)
		llhttp_resume(&s->llhttp);
}

static bool several_hosts(const struct http_head *head)
{
	const struct http_header *host = http_head_get(head, "host");
	struct http_head rest = {};

	if (!host)
		return false;
	rest.headers = host + 1;
	rest.n_headers = head->headers + head->n_headers - rest.headers;
	return http_head_get(&rest, "host");
}

static const char *bad_request(const struct llhttp__internal_s *p, const struct http_head *head)
{
	if (p->method >= HTTP_PRI && p->method <= HTTP_FLUSH)
		return "not HTTP";
	if ((p->flags & F_TRANSFER_ENCODING) && !(p->flags & F_CHUNKED))
		return "Transfer-Encoding of a request does not end in chunked";
	return several_hosts(head) ? "more than one Host" : NULL;
}

static const char *bad_head(const struct side *s, const struct http_head *head)
{
	const struct http_header *te = http_head_get(head, "transfer-encoding");

	if (head->major != 1)
		return "not HTTP/1";
	if (head->minor == 0 && te)
		return "Transfer-Encoding in HTTP/1.0";
	/* llhttp refuses both at once, but takes an empty one for none. */
	if (te && !te->value_len)
		return "empty Transfer-Encoding";
	return s->dir == 0 ? bad_request(&s->llhttp, head) : NULL;
}

static void take_request(struct side *s, const struct http_head *head)
{
	struct h1 *c = s->c;
	struct exchange *x = new_exchange(s, head);

	if (!x) {
		ignore(c);
		return;
	}
	if (c->n_open > HTTP_PENDING_MAX) {
		fail(s, "too many requests without an answer");
		return;
	}
	if (x->connect)
		begin_body(s, HEAD);
	else
		begin_body(s, s->llhttp.flags & F_CHUNKED ? CHUNKS : LENGTH);
}

static enum step answer_body(const struct side *s, const struct exchange *x, int status)
{
	if (status == 204 || status == 304 || (x && x->head))
		return HEAD;
	if (s->llhttp.flags & F_CHUNKED)
		return CHUNKS;
	if (s->llhttp.flags & F_TRANSFER_ENCODING)
		return UNTIL_END;
	return s->llhttp.flags & F_CONTENT_LENGTH ? LENGTH : UNTIL_END;
}

/* What the client sends after it is HTTP as before. */
static void release(struct exchange *x, struct side *requests)
{
	x->hold = false;
	if (requests->step == HELD)
		begin_message(requests);
}

static void take_answer(struct side *s, const struct http_head *head)
{
	struct h1 *c = s->c;
	struct exchange *x = unanswered(c);
	bool switches = head->status == 101 || (x && x->connect && head->status / 100 == 2);

	if (head->status / 100 == 1 && !switches) {
		begin_message(s);
		return;
	}
	s->x = x;
	if (x && x->x)
		http_app_answer(x->x, head, s->start_ns);
	if (switches) {
		message_done(s, true);
		if (x && c->first == x)
			close_exchange(c, x, 0, NULL);
		ignore(c);
		return;
	}
	if (!x && !c->lost && ++c->early > HTTP_PENDING_MAX) {
		ignore(c);
		return;
	}
	if (x && x->hold)
		release(x, &c->side[0]);
	begin_body(s, answer_body(s, x, head->status));
}

static void take_message(struct side *s, const struct http_head *head)
{
	if (s->dir == 0)
		take_request(s, head);
	else
		take_answer(s, head);
}

/* ---- heads that come again */

static bool at_begin(const struct side *s)
{
	return s->step == HEAD && !s->begun && !s->lines && !s->doubtful;
}

static bool is_known(const struct side *s, const uint8_t *data, size_t len)
{
	const struct memo *m = s->memo;

	return m && len >= m->len && memcmp(m->raw, data, m->len) == 0;
}

/* A head of len bytes was read at once. Two of the same length in a row may be the same. */
static void learn_bytes(struct side *s, const uint8_t *data, size_t len)
{
	bool again = s->memo_len == len;

	s->memo_len = len;
	if (!again || len > MEMO_MAX || s->memo_tries == MEMO_TRIES || is_known(s, data, len))
		return;
	forget_memo(s);
	s->memo = malloc(sizeof(*s->memo) + len);
	if (!s->memo)
		return;
	s->memo_tries++;
	*s->memo = (struct memo){ .len = len, .used = true };
	memcpy(s->memo->raw, data, len);
}

/* The bytes that were read are known already: so is what they say, from now on. */
static void learn_head(struct side *s, const struct http_head *head)
{
	struct memo *m = s->memo;

	m->read = true;
	m->head = *head;
	m->head.again = ++s->c->n_learned;
	m->llhttp = s->llhttp;
	m->builder = s->head;
	s->head = (struct http_builder){};
}

/* Returns how many bytes were taken. */
static size_t recall(struct side *s)
{
	struct memo *m = s->memo;
	size_t len = m->len;

	s->begun = s->line_done = m->used = true;
	s->stale = false;
	s->start_ns = s->c->ns;
	s->memo_tries = 0;
	s->llhttp = m->llhttp;
	take_message(s, &m->head);
	return len;
}

static void take_head(struct side *s, bool known)
{
	struct http_head head;
	const char *bad;

	seal(s, &head);
	bad = bad_head(s, &head);
	if (bad && s->doubtful)
		lose(s);
	else if (bad)
		fail(s, bad);
	if (bad)
		return;
	if (known)
		learn_head(s, &head);
	take_message(s, &head);
}

static void take_trailers(struct side *s)
{
	struct http_head trailers = {};

	if (s->head.headers.n && s->x && s->x->x) {
		http_builder_seal(&s->head, &trailers);
		http_app_trailers(s->x->x, s->dir, &trailers, s->c->ns);
	}
	message_done(s, true);
}

static void llhttp_paused(struct side *s, bool known)
{
	if (s->step == HEAD) {
		take_head(s, known);
	} else if (s->trailing) {
		take_trailers(s);
	} else {
		s->trailing = true;
		s->last = 0;
		s->lines = 0;
		llhttp_resume(&s->llhttp);
	}
}

/* Returns how many bytes were taken. */
static size_t run_llhttp(struct side *s, const uint8_t *data, size_t len)
{
	bool begins = at_begin(s), known = begins && is_known(s, data, len);
	const char *bad = NULL;
	llhttp_errno_t e;
	size_t n;

	if (TAKE(s->stale, false))
		llhttp_reset(&s->llhttp);
	e = llhttp_execute(&s->llhttp, (const char *)data, len);
	n = e == HPE_OK ? len : (size_t)(llhttp_get_error_pos(&s->llhttp) - (const char *)data);

	if (e != HPE_OK && e != HPE_PAUSED)
		bad = e == HPE_USER ? s->reason : llhttp_get_error_reason(&s->llhttp);
	else if (s->step == HEAD || s->trailing)
		bad = check_lines(s, data, n);
	if (!bad && (e == HPE_OK || e == HPE_PAUSED)) {
		if (e == HPE_PAUSED && begins)
			learn_bytes(s, data, n);
		if (e == HPE_PAUSED)
			llhttp_paused(s, known);
		return n;
	}
	if (s->step == HEAD && s->doubtful)
		lose(s);
	else
		fail(s, bad);
	return len;
}

static size_t take_length(struct side *s, const uint8_t *data, size_t len)
{
	size_t n = MIN(len, s->left);

	s->left -= n;
	take_body(s, data, n);
	if (!s->left)
		message_done(s, true);
	return n;
}

static size_t take(struct side *s, const uint8_t *data, size_t len)
{
	switch (s->step) {
	case HEAD:
		if (s->memo && s->memo->read && at_begin(s) && is_known(s, data, len))
			return recall(s);
		return run_llhttp(s, data, len);
	case CHUNKS:
		return run_llhttp(s, data, len);
	case LENGTH:
		return take_length(s, data, len);
	case UNTIL_END:
		take_body(s, data, len);
		return len;
	case HELD:
		lose(s);
		return len;
	case LOST:
	case OVER:
		break;
	}
	return len;
}

/* ---- what the kernel need not copy, or must */

static void ask(struct side *s)
{
	struct l7_host *host = s->c->host;
	uint64_t rest = UINT64_MAX;

	if (s->step == LENGTH)
		rest = s->left;
	else if (s->step != UNTIL_END && s->step != CHUNKS)
		return;
	if (s->wanted) {
		if ((s->seen < WANT_AFTER && (s->step != LENGTH || rest < WANT_AFTER)) ||
		    s->wanted_on >= MIN(rest, (uint64_t)WANT_STEP / 2))
			return;
		s->wanted_on = MIN(rest, (uint64_t)WANT_STEP);
		host->want(host, s->dir, s->wanted_on);
		return;
	}
	if (s->step == CHUNKS)
		rest = s->in_chunk ? s->llhttp.content_length : 0;
	if (s->skipped || rest < SKIP_MIN)
		return;
	s->skipped = true;
	host->skip(host, s->dir, MIN(rest, (uint64_t)SKIP_ENDLESS));
}

static void count_wanted(struct side *s, uint64_t len)
{
	s->wanted_on -= MIN(s->wanted_on, len);
}

/* ---- struct l7_proto */

static void h1_data(void *p, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct h1 *c = p;
	struct side *s = &c->side[dir];
	bool turn = c->talked != dir && ns >= c->side[!dir].last_ns;

	if (c->over || !len)
		return;
	c->ns = ns;
	c->talked = dir;
	count_wanted(s, len);
	if (s->step == LOST && turn) {
		begin_message(s);
		s->doubtful = true;
	}
	while (len && !c->over) {
		size_t n = take(s, data, len);

		data += n;
		len -= n;
	}
	s->last_ns = ns;
	if (!c->over)
		ask(s);
}

static void body_gap(struct side *s, uint64_t len)
{
	s->seen += len;
	if (s->x && s->x->x)
		http_app_body_gap(s->x->x, s->dir, len, s->c->ns);
}

/* llhttp counts a chunk down itself; its last missing byte must pass through, for llhttp to see the end. */
static void chunk_gap(struct side *s, uint64_t len)
{
	body_gap(s, len);
	s->llhttp.content_length -= len - 1;
	s->discard = true;
	run_llhttp(s, (const uint8_t *)"", 1);
	s->discard = false;
}

static void length_gap(struct side *s, uint64_t len)
{
	uint64_t n = MIN(len, s->left);

	body_gap(s, n);
	s->left -= n;
	if (!s->left)
		message_done(s, true);
	if (len > n)
		lose(s);
}

static void h1_gap(void *p, int dir, uint64_t len, uint64_t ns)
{
	struct h1 *c = p;
	struct side *s = &c->side[dir];

	if (c->over || !len)
		return;
	c->ns = ns;
	c->talked = dir;
	count_wanted(s, len);
	if (s->step == LENGTH)
		length_gap(s, len);
	else if (s->step == UNTIL_END)
		body_gap(s, len);
	else if (s->step == CHUNKS && s->in_chunk && len <= s->llhttp.content_length)
		chunk_gap(s, len);
	else if (s->step != LOST && s->step != OVER)
		lose(s);
	s->last_ns = ns;
	if (!c->over)
		ask(s);
}

static void h1_end(void *p, int dir, bool reset, uint64_t ns)
{
	struct h1 *c = p;
	struct side *s = &c->side[dir];

	if (c->over)
		return;
	c->ns = ns;
	for (struct exchange *x = dir == 0 ? c->first : NULL; x; x = x->next)
		if (x->x)
			http_app_left(x->x);
	if (s->step == UNTIL_END || s->x)
		message_done(s, s->step == UNTIL_END && !reset);
	begin_message(s);
	s->step = OVER;
	if (dir == 1 || reset)
		close_all(c, 0);
}

static void h1_free(void *p)
{
	struct h1 *c = p;

	close_all(c, L7_PARTIAL);
	for (int dir = 0; dir < 2; dir++) {
		http_builder_done(&c->side[dir].head);
		forget_memo(&c->side[dir]);
	}
	http_app_free(c->app);
	free(c);
}

static void *h1_new(struct l7_host *host)
{
	struct h1 *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->app = http_app_new(host);
	if (!c->app) {
		free(c);
		return NULL;
	}
	c->host = host;
	c->last = &c->first;
	c->talked = -1;
	c->lost = host->midstream;
	for (int dir = 0; dir < 2; dir++) {
		struct side *s = &c->side[dir];

		llhttp_init(&s->llhttp, dir == 0 ? HTTP_REQUEST : HTTP_RESPONSE, &callbacks);
		s->llhttp.data = s;
		s->c = c;
		s->dir = dir;
		s->step = host->midstream ? LOST : HEAD;
	}
	return c;
}

static bool h1_pending(const void *p)
{
	const struct h1 *c = p;

	return c->first;
}

static void h1_tick(void *p, uint64_t ns)
{
	struct h1 *c = p;

	if (c->over)
		return;
	for (int dir = 0; dir < 2; dir++) {
		struct side *s = &c->side[dir];

		http_builder_trim(&s->head);
		if (s->memo && !TAKE(s->memo->used, false))
			forget_memo(s);
	}
	http_app_tick(c->app, ns);
}

static size_t h1_memory(const void *p)
{
	const struct h1 *c = p;

	size_t n = sizeof(*c) + c->n_open * sizeof(struct exchange) + http_app_memory(c->app);

	for (int dir = 0; dir < 2; dir++) {
		const struct side *s = &c->side[dir];

		n += http_builder_memory(&s->head);
		if (s->memo)
			n += sizeof(*s->memo) + s->memo->len + http_builder_memory(&s->memo->builder);
	}
	return n;
}

const struct l7_proto l7_http1 = {
	.name = "http1",
	.new = h1_new,
	.free = h1_free,
	.data = h1_data,
	.gap = h1_gap,
	.end = h1_end,
	.pending = h1_pending,
	.tick = h1_tick,
	.memory = h1_memory,
};
