// SPDX-License-Identifier: Apache-2.0
/*
 * DNS over UDP and TCP. A query waits in a short list for the answer with its id and its question, so that neither a
 * repeated answer nor one that nobody asked for makes a record. Other opcodes than QUERY are left alone.
 */
#include <arpa/inet.h>
#include <ctype.h>

#include "agent/l7/cursor.h"
#include "agent/l7/proto.h"
#include "lib/vec.h"

#define PENDING_MAX 256
#define ANSWER_WITHIN_NS (5 * 1000000000ull)
#define NAME_WIRE_MAX 255
#define NAME_JUMPS_MAX 127 /* a name has no more labels: each may end in one pointer */
#define NAME_TEXT_MAX (4 * NAME_WIRE_MAX + 2)

enum { CLASS_IN = 1, TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, TYPE_OPT = 41 };

struct name {
	size_t len;
	uint8_t wire[NAME_WIRE_MAX]; /* labels, lower case, uncompressed, with the empty one */
};

struct head {
	uint16_t id, flags, questions, answers, authorities, additionals;
};

struct question {
	struct name name;
	uint16_t type, class;
};

struct query {
	uint16_t id;
	struct question question;
	struct l7_record *record;
};

/* Of one direction of a TCP connection: a message and the two bytes of length before it. */
struct framing {
	uint8_t prefix[2];
	size_t have_prefix;
	uint8_t *buf;
	size_t have, want, size;
};

struct dns {
	struct l7_host *host;
	VEC(struct query *) pending; /* the oldest first */
	struct framing framing[2];
	bool asked; /* a query was seen */
	bool told;  /* that something could not be read: once per connection */
	bool lossy; /* an answer may have come that was not seen */
	bool over;  /* the server says no more */
	bool ignored;
};

/* What the sections of an answer say. Lists keep whole elements only. */
struct list {
	char text[L7_STR_MAX + 1];
	size_t len;
	bool full;
};

struct answer {
	unsigned rcode;
	bool has_ttl;
	uint32_t ttl;
	struct list addrs, cnames;
};

static void *dns_new(struct l7_host *host)
{
	struct dns *d = calloc(1, sizeof(*d));

	if (d)
		d->host = host;
	return d;
}

static void query_free(struct query *q)
{
	l7_record_free(q->record);
	free(q);
}
DEFINE_CLEANUP(struct query *, query_free);

static void dns_free(void *p)
{
	struct dns *d = p;

	for (size_t i = 0; i < d->pending.n; i++)
		query_free(d->pending.v[i]);
	free(d->pending.v);
	free(d->framing[0].buf);
	free(d->framing[1].buf);
	free(d);
}

static size_t dns_memory(const void *p)
{
	const struct dns *d = p;

	/* a record waits with each query: its attributes are the name and little else */
	return sizeof(*d) + d->pending.size * sizeof(*d->pending.v) + d->framing[0].size + d->framing[1].size +
	       d->pending.n * (sizeof(struct query) + sizeof(struct l7_record) + L7_STR_MAX);
}

/* ---- names */

/*
 * Reads the name at the cursor and leaves the cursor behind it. Pointers must go back to before the part that they
 * continue, as every compressor makes them: so they cannot loop.
 */
static bool read_name(struct cursor *c, struct name *ret)
{
	size_t begin = c->pos, pos = begin, behind = 0;
	unsigned jumps = 0;

	ret->len = 0;
	for (;;) {
		uint8_t b = pos < c->len ? c->data[pos] : 0x80;

		if (b >= 0xc0 && pos + 1 < c->len) {
			size_t to = (size_t)(b & 0x3f) << 8 | c->data[pos + 1];

			if (to >= begin || ++jumps > NAME_JUMPS_MAX)
				return false;
			behind = behind ?: pos + 2;
			pos = begin = to;
			continue;
		}
		if (b > 63 || pos + 1 + b > c->len || ret->len + 1 + b > sizeof(ret->wire))
			return false;
		ret->wire[ret->len] = b;
		for (size_t i = 1; i <= b; i++)
			ret->wire[ret->len + i] = (uint8_t)tolower(c->data[pos + i]);
		ret->len += 1 + (size_t)b;
		pos += 1 + (size_t)b;
		if (!b)
			break;
	}
	c->pos = behind ?: pos;
	return true;
}

/* In the form of zone files: a point or backslash of a label is escaped; what is not printable, and the comma that
 * joins names, is \DDD. */
static size_t name_to_text(const struct name *name, char *buf)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < name->len; i += 1 + (size_t)name->wire[i]) {
		for (size_t j = 1; j <= name->wire[i]; j++) {
			uint8_t b = name->wire[i + j];

			if (b == '.' || b == '\\')
				n += (size_t)snprintf(buf + n, sizeof("\\."), "\\%c", b);
			else if (b > ' ' && b < 0x7f && b != ',')
				buf[n++] = (char)b;
			else
				n += (size_t)snprintf(buf + n, sizeof("\\ddd"), "\\%03u", b);
		}
		buf[n++] = '.';
	}
	if (!n)
		buf[n++] = '.';
	buf[n] = '\0';
	return n;
}

static const char *type_name(uint16_t type, char *buf, size_t size)
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = { { 1, "A" },      { 2, "NS" },     { 5, "CNAME" },   { 6, "SOA" },   { 12, "PTR" },
		      { 15, "MX" },    { 16, "TXT" },   { 28, "AAAA" },   { 33, "SRV" },  { 35, "NAPTR" },
		      { 43, "DS" },    { 46, "RRSIG" }, { 48, "DNSKEY" }, { 52, "TLSA" }, { 64, "SVCB" },
		      { 65, "HTTPS" }, { 251, "IXFR" }, { 252, "AXFR" },  { 255, "ANY" }, { 257, "CAA" } };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].type == type)
			return names[i].name;
	snprintf(buf, size, "TYPE%u", type);
	return buf;
}

static const char *rcode_name(unsigned rcode, char *buf, size_t size)
{
	static const char *const names[] = { "NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
					     "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE" };

	if (rcode < ARRAY_SIZE(names))
		return names[rcode];
	if (rcode == 16)
		return "BADVERS";
	if (rcode == 23)
		return "BADCOOKIE";
	snprintf(buf, size, "RCODE%u", rcode);
	return buf;
}

/* ---- messages */

static struct head read_head(struct cursor *c)
{
	struct head h = { .id = cursor_u16(c) };

	h.flags = cursor_u16(c);
	h.questions = cursor_u16(c);
	h.answers = cursor_u16(c);
	h.authorities = cursor_u16(c);
	h.additionals = cursor_u16(c);
	return h;
}

static bool is_answer(const struct head *h)
{
	return h->flags & 0x8000;
}

static bool is_truncated(const struct head *h)
{
	return h->flags & 0x0200;
}

static unsigned opcode(const struct head *h)
{
	return h->flags >> 11 & 15;
}

static bool read_question(struct cursor *c, struct question *ret)
{
	if (!read_name(c, &ret->name))
		return false;
	ret->type = cursor_u16(c);
	ret->class = cursor_u16(c);
	return !c->bad;
}

static void list_add(struct list *l, const char *text, size_t len)
{
	bool comma = l->len > 0;

	if (l->len + comma + len >= sizeof(l->text)) {
		l->full = true;
		return;
	}
	if (comma)
		l->text[l->len++] = ',';
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

/* A: 4 bytes, AAAA: 16; a CNAME may be compressed, so it is read in the whole message. */
static bool read_data(struct cursor *c, uint16_t type, size_t len, struct answer *a)
{
	char text[NAME_TEXT_MAX];
	struct cursor name_at = *c;
	const uint8_t *data = cursor_take(c, len);
	struct name name;

	if (!data || (type == TYPE_A && len != 4) || (type == TYPE_AAAA && len != 16))
		return false;
	if (type == TYPE_CNAME) {
		if (!read_name(&name_at, &name) || name_at.pos != c->pos)
			return false;
		list_add(&a->cnames, text, name_to_text(&name, text));
	} else if (type == TYPE_A || type == TYPE_AAAA) {
		inet_ntop(type == TYPE_A ? AF_INET : AF_INET6, data, text, sizeof(text));
		list_add(&a->addrs, text, strlen(text));
	}
	return true;
}

/* One resource record of the section of answers, or one of the others, of which OPT alone matters. */
static bool read_rr(struct cursor *c, bool in_answers, struct answer *a)
{
	struct name owner;
	uint16_t type, class;
	uint32_t ttl;
	size_t len;

	if (!read_name(c, &owner))
		return false;
	type = cursor_u16(c);
	class = cursor_u16(c);
	ttl = cursor_u32(c);
	len = cursor_u16(c);
	if (!in_answers) {
		if (type == TYPE_OPT)
			a->rcode |= ttl >> 24 << 4; /* EDNS: the upper bits */
		cursor_take(c, len);
		return !c->bad;
	}
	if (ttl > INT32_MAX) /* RFC 2181: as if zero */
		ttl = 0;
	a->ttl = a->has_ttl ? MIN(a->ttl, ttl) : ttl;
	a->has_ttl = true;
	return read_data(c, class == CLASS_IN ? type : 0, len, a);
}

/* NULL, or why the answer is not whole. */
static const char *read_answer(struct cursor *c, const struct head *h, struct answer *a)
{
	size_t n = (size_t)h->answers + h->authorities + h->additionals;

	a->rcode = h->flags & 15;
	for (size_t i = 0; i < n; i++)
		if (!read_rr(c, i < h->answers, a))
			return is_truncated(h) ? "the answer is truncated (TC)" : "a record of the answer is malformed";
	if (is_truncated(h))
		return "the answer is truncated (TC)";
	return a->addrs.full || a->cnames.full ? "more answers than are kept" : NULL;
}

/* ---- records */

static struct l7_record *new_record(struct dns *d, uint64_t ns)
{
	struct l7_record *r = l7_record_new(L7_DNS, &d->host->ends);

	if (!r)
		return NULL;
	r->start_ns = ns;
	r->outcome = L7_UNKNOWN;
	r->flags |= d->host->midstream ? L7_MIDSTREAM : 0;
	l7_record_str(r, L7_KEY_NETWORK_PROTOCOL, "dns", 3);
	return r;
}

static struct l7_record *new_query_record(struct dns *d, const struct question *q, uint64_t ns)
{
	struct l7_record *r = new_record(d, ns);
	char text[NAME_TEXT_MAX], buf[16];
	const char *type = type_name(q->type, buf, sizeof(buf));

	if (!r)
		return NULL;
	l7_record_str(r, L7_KEY_DNS_QUERY, text, name_to_text(&q->name, text));
	l7_record_str(r, L7_KEY_DNS_QTYPE, type, strlen(type));
	return r;
}

static void set_reason(struct l7_record *r, uint16_t flags, const char *reason)
{
	r->flags |= flags;
	l7_record_str(r, L7_KEY_REASON, reason, strlen(reason));
}

/* Something that is no DNS, or not as the standard wants it. */
static void unparseable(struct dns *d, const char *reason, uint64_t ns)
{
	struct l7_record *r = d->told ? NULL : new_record(d, ns);

	d->told = true;
	if (!r)
		return;
	set_reason(r, L7_UNPARSEABLE, reason);
	d->host->emit(d->host, r);
}

static struct l7_record *take_pending(struct dns *d, size_t i)
{
	struct query *q = d->pending.v[i];
	struct l7_record *r = TAKE_PTR(q->record);

	query_free(q);
	memmove(d->pending.v + i, d->pending.v + i + 1, (--d->pending.n - i) * sizeof(*d->pending.v));
	return r;
}

/* The oldest query gets no answer, or none that could be seen. */
static void give_up(struct dns *d, const char *reason)
{
	struct l7_record *r = take_pending(d, 0);

	r->outcome = reason ? L7_UNKNOWN : L7_NO_ANSWER;
	if (reason)
		set_reason(r, L7_PARTIAL, reason);
	d->host->emit(d->host, r);
}

static void give_up_all(struct dns *d)
{
	const char *reason = d->lossy            ? "bytes of the connection are missing"
			     : d->host->given_up ? "the connection was read no further"
						 : NULL;

	while (d->pending.n)
		give_up(d, reason);
}

static void report_answer(struct dns *d, struct l7_record *r, const struct head *h, struct cursor *c)
{
	struct answer a = { 0 };
	const char *reason = read_answer(c, h, &a), *error;
	char buf[16];

	r->outcome = a.rcode ? L7_ERROR : L7_OK;
	error = rcode_name(a.rcode, buf, sizeof(buf));
	l7_record_int(r, L7_KEY_DNS_RCODE, a.rcode);
	l7_record_str(r, L7_KEY_ERROR_TYPE, error, a.rcode ? strlen(error) : 0);
	l7_record_str(r, L7_KEY_DNS_ADDRS, a.addrs.text, a.addrs.len);
	l7_record_str(r, L7_KEY_DNS_CNAMES, a.cnames.text, a.cnames.len);
	if (a.has_ttl)
		l7_record_int(r, L7_KEY_DNS_TTL, a.ttl);
	if (reason)
		set_reason(r, L7_PARTIAL, reason);
	d->host->emit(d->host, r);
}

/* ---- conversation */

static bool same_question(const struct question *a, const struct question *b)
{
	return a->type == b->type && a->class == b->class && a->name.len == b->name.len &&
	       memcmp(a->name.wire, b->name.wire, a->name.len) == 0;
}

/* question NULL: an answer that does not repeat it, as refusals may. Returns pending.n for none. */
static size_t find(const struct dns *d, uint16_t id, const struct question *question)
{
	size_t i = 0;

	for (; i < d->pending.n; i++) {
		const struct query *q = d->pending.v[i];

		if (q->id == id && (!question || same_question(&q->question, question)))
			break;
	}
	return i;
}

static void on_query(struct dns *d, uint16_t id, const struct question *question, uint64_t ns)
{
	_cleanup_(query_freep) struct query *q = NULL;

	d->asked = true;
	if (find(d, id, question) < d->pending.n)
		return; /* asked again, because the answer is late */
	if (d->pending.n == PENDING_MAX)
		give_up(d, "too many queries wait for an answer");
	q = calloc(1, sizeof(*q));
	if (!q)
		return;
	*q = (struct query){ .id = id, .question = *question, .record = new_query_record(d, question, ns) };
	if (q->record && vec_add(&d->pending, q) == 0)
		TAKE_PTR(q);
}

static void on_answer(struct dns *d, const struct head *h, const struct question *question, struct cursor *c,
		      uint64_t ns)
{
	size_t i = find(d, h->id, question);
	struct l7_record *r;

	if (i < d->pending.n) {
		r = take_pending(d, i);
		r->first_ns = r->last_ns = ns > r->start_ns ? ns - r->start_ns : 1;
	} else if (d->host->midstream && !d->asked && question) {
		r = new_query_record(d, question, ns); /* its query came before the connection was seen */
		if (r)
			set_reason(r, L7_PARTIAL, "the query was not seen");
	} else {
		return;
	}
	if (r)
		report_answer(d, r, h, c);
}

static void on_message(struct dns *d, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct cursor c = { .data = data, .len = len };
	struct head h = read_head(&c);
	struct question q;

	if (c.bad)
		return unparseable(d, "shorter than the header of a message", ns);
	if (opcode(&h) != 0)
		return;
	if (is_answer(&h) != (dir == 1))
		return unparseable(d, dir ? "the server asks" : "the client answers", ns);
	if (h.questions > 1)
		return unparseable(d, "more than one question", ns);
	if (h.questions && !read_question(&c, &q))
		return unparseable(d, "the question is malformed", ns);
	if (dir == 1)
		on_answer(d, &h, h.questions ? &q : NULL, &c, ns);
	else if (h.questions)
		on_query(d, h.id, &q, ns);
}

static void dns_tick(void *p, uint64_t ns)
{
	struct dns *d = p;

	while (d->pending.n && ns >= d->pending.v[0]->record->start_ns + ANSWER_WITHIN_NS)
		give_up(d, d->lossy ? "bytes of the connection are missing" : NULL);
}

static void dns_end(void *p, int dir, bool reset, uint64_t ns)
{
	struct dns *d = p;

	(void)ns;
	d->over |= dir == 1 || reset;
	if (d->over)
		give_up_all(d);
}

/* ---- UDP */

static void dns_udp_data(void *p, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	on_message(p, dir, data, len, ns);
}

static void dns_udp_gap(void *p, int dir, uint64_t len, uint64_t ns)
{
	struct dns *d = p;

	(void)dir;
	(void)ns;
	d->lossy |= len > 0;
}

/* ---- TCP */

static void ignore(struct dns *d)
{
	d->ignored = true;
	give_up_all(d);
	d->host->ignore(d->host);
}

/* Room for `more` bytes of the message; it grows with what comes, not with what is announced. */
static bool reserve(struct framing *f, size_t more)
{
	size_t size = MIN(f->want, MAX(f->have + more, 2 * f->size));
	uint8_t *p;

	if (f->have + more <= f->size)
		return true;
	p = realloc(f->buf, size);
	if (!p)
		return false;
	f->buf = p;
	f->size = size;
	return true;
}

static size_t take_message(struct dns *d, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct framing *f = &d->framing[dir];

	len = MIN(len, f->want - f->have);
	if (!reserve(f, len)) {
		d->lossy = true;
		ignore(d);
		return len;
	}
	memcpy(f->buf + f->have, data, len);
	f->have += len;
	if (f->have == f->want) {
		on_message(d, dir, f->buf, f->have, ns);
		f->have_prefix = f->have = 0;
	}
	return len;
}

static size_t take_prefix(struct dns *d, int dir, uint8_t byte, uint64_t ns)
{
	struct framing *f = &d->framing[dir];

	f->prefix[f->have_prefix++] = byte;
	if (f->have_prefix < sizeof(f->prefix))
		return 1;
	f->want = (size_t)f->prefix[0] << 8 | f->prefix[1];
	if (!f->want) {
		unparseable(d, "a message of no length", ns);
		d->lossy = true;
		ignore(d);
	}
	return 1;
}

static void dns_tcp_data(void *p, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct dns *d = p;

	if (d->host->midstream && !d->ignored && len) {
		unparseable(d, "the connection's beginning was not seen", ns);
		ignore(d);
	}
	while (len && !d->ignored) {
		size_t n = d->framing[dir].have_prefix < sizeof(d->framing[dir].prefix)
			       ? take_prefix(d, dir, *data, ns)
			       : take_message(d, dir, data, len, ns);

		data += n;
		len -= n;
	}
}

/* Where the next message begins is not known any more. */
static void dns_tcp_gap(void *p, int dir, uint64_t len, uint64_t ns)
{
	struct dns *d = p;

	(void)dir;
	if (!len || d->ignored)
		return;
	if (!d->pending.n)
		unparseable(d, "bytes of the connection are missing", ns);
	d->lossy = true;
	ignore(d);
}

#define DNS_PROTO(data_, gap_)                                                                                   \
	{                                                                                                        \
		.name = "dns", .new = dns_new, .free = dns_free, .data = (data_), .gap = (gap_), .end = dns_end, \
		.tick = dns_tick, .memory = dns_memory,                                                          \
	}

const struct l7_proto l7_dns_udp = DNS_PROTO(dns_udp_data, dns_udp_gap);
const struct l7_proto l7_dns_tcp = DNS_PROTO(dns_tcp_data, dns_tcp_gap);
