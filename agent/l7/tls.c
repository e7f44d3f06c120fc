// SPDX-License-Identifier: Apache-2.0
/*
 * The ClientHello of a TLS connection: the name that the client asks for and the protocols that it offers, no more. One
 * record per connection; its outcome is unknown, because nothing after the ClientHello is looked at.
 */
#include <ctype.h>

#include "agent/l7/cursor.h"
#include "agent/l7/proto.h"

#define RECORD_HEADER 5
#define RECORD_MAX (16 * 1024)
#define HANDSHAKE_HEADER 4
#define HELLO_MAX (16 * 1024)
#define NAME_MAX_LEN 255

enum { TYPE_HANDSHAKE = 22, CLIENT_HELLO = 1, EXT_SERVER_NAME = 0, EXT_ALPN = 16 };

struct tls {
	struct l7_host *host;
	bool done;
	uint64_t start_ns;
	uint8_t head[RECORD_HEADER]; /* of the record that is being read */
	size_t have_head, record_left;
	uint8_t *hello; /* its handshake header, then its body; what came in several records put together */
	size_t have, size;
};

/* What a ClientHello says. */
struct hello {
	char name[NAME_MAX_LEN + 1];
	char alpn[L7_STR_MAX + 1];
	size_t alpn_len;
	bool has_name, has_alpn;
};

static void *tls_new(struct l7_host *host)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (t)
		t->host = host;
	return t;
}

static void tls_free(void *p)
{
	struct tls *t = p;

	free(t->hello);
	free(t);
}

static size_t tls_memory(const void *p)
{
	const struct tls *t = p;

	return sizeof(*t) + t->size;
}

/* Values that clients sprinkle in so that nobody comes to rely on a fixed list (RFC 8701). */
static bool is_grease(const uint8_t *name, size_t len)
{
	return len == 2 && name[0] == name[1] && (name[0] & 0x0f) == 0x0a;
}

static const char *read_server_name(struct cursor c, struct hello *h)
{
	struct cursor list = cursor_sub(&c, cursor_u16(&c));
	uint8_t type = cursor_u8(&list);
	size_t len = cursor_u16(&list);
	const uint8_t *name = cursor_take(&list, len);

	if (!name || cursor_left(&list) || cursor_left(&c) || type != 0 || !len || len > NAME_MAX_LEN)
		return "the server name is malformed";
	if (h->has_name)
		return "two server names";
	h->has_name = true;
	for (size_t i = 0; i < len; i++)
		h->name[i] = (char)tolower(name[i]);
	return NULL;
}

static void add_alpn(struct hello *h, const uint8_t *name, size_t len)
{
	bool comma = h->alpn_len > 0;

	if (is_grease(name, len) || h->alpn_len + comma + len >= sizeof(h->alpn))
		return;
	if (comma)
		h->alpn[h->alpn_len++] = ',';
	memcpy(h->alpn + h->alpn_len, name, len);
	h->alpn_len += len;
}

static const char *read_alpn(struct cursor c, struct hello *h)
{
	struct cursor list = cursor_sub(&c, cursor_u16(&c));

	if (list.bad || !list.len || cursor_left(&c))
		return "the list of protocols is malformed";
	if (h->has_alpn)
		return "two lists of protocols";
	h->has_alpn = true;
	while (cursor_left(&list)) {
		size_t len = cursor_u8(&list);
		const uint8_t *name = cursor_take(&list, len);

		if (!name || !len)
			return "the list of protocols is malformed";
		add_alpn(h, name, len);
	}
	return NULL;
}

/*
 * NULL, or what is wrong. A ClientHello of which only the beginning is there (cut) is read as far as whole extensions
 * go.
 */
static const char *read_extensions(struct cursor c, bool cut, struct hello *h)
{
	const char *wrong = NULL;

	while (cursor_left(&c) && !wrong) {
		uint16_t type = cursor_u16(&c);
		struct cursor body = cursor_sub(&c, cursor_u16(&c));

		if (body.bad)
			return cut ? NULL : "an extension is longer than the ClientHello";
		if (type == EXT_SERVER_NAME)
			wrong = read_server_name(body, h);
		else if (type == EXT_ALPN)
			wrong = read_alpn(body, h);
	}
	return wrong;
}

static const char *read_hello(struct cursor c, bool cut, struct hello *h)
{
	size_t len;

	cursor_take(&c, 2 + 32); /* version, random */
	len = cursor_u8(&c);
	if (len > 32)
		return "the session id is too long";
	cursor_take(&c, len);
	len = cursor_u16(&c);
	if (len % 2)
		return "an odd number of bytes of cipher suites";
	cursor_take(&c, len);
	cursor_take(&c, cursor_u8(&c)); /* compression methods */
	if (c.bad)
		return cut ? NULL : "the ClientHello is too short";
	if (!cursor_left(&c))
		return NULL; /* before TLS 1.2 there need not be extensions */
	len = cursor_u16(&c);
	if (c.bad || (cut ? len < cursor_left(&c) : len != cursor_left(&c)))
		return cut && c.bad ? NULL : "the extensions do not fill the ClientHello";
	return read_extensions(c, cut, h);
}

static void report(struct tls *t, const struct hello *h, uint16_t flags, const char *reason)
{
	struct l7_record *r = l7_record_new(L7_TLS, &t->host->ends);

	t->done = true;
	if (r) {
		r->outcome = L7_UNKNOWN;
		r->flags |= flags | (t->host->midstream ? L7_MIDSTREAM : 0);
		r->start_ns = t->start_ns;
		l7_record_str(r, L7_KEY_NETWORK_PROTOCOL, "tls", 3);
		l7_record_str(r, L7_KEY_TLS_SNI, h->name, strlen(h->name));
		l7_record_str(r, L7_KEY_TLS_ALPN, h->alpn, h->alpn_len);
		l7_record_str(r, L7_KEY_REASON, reason, reason ? strlen(reason) : 0);
		t->host->emit(t->host, r);
	}
	t->host->ignore(t->host);
}

static void unparseable(struct tls *t, const char *reason)
{
	report(t, &(struct hello){ 0 }, L7_UNPARSEABLE, reason);
}

/* cut: why nothing more will come, NULL for a whole ClientHello. */
static void finish(struct tls *t, const char *cut)
{
	struct cursor c = { .data = t->hello, .len = t->have };
	struct hello h = { 0 };
	const char *wrong;

	cursor_take(&c, HANDSHAKE_HEADER);
	wrong = c.bad ? cut : read_hello(c, cut, &h);
	if (wrong)
		unparseable(t, wrong);
	else
		report(t, &h, cut ? L7_PARTIAL : 0, cut);
}

/* Bytes that the handshake message has as a whole; its header must be there. */
static size_t hello_size(const struct tls *t)
{
	return HANDSHAKE_HEADER + ((size_t)t->hello[1] << 16 | (size_t)t->hello[2] << 8 | t->hello[3]);
}

static bool reserve(struct tls *t, size_t size)
{
	uint8_t *p = size > t->size ? realloc(t->hello, size) : t->hello;

	if (!p)
		return false;
	t->hello = p;
	t->size = MAX(t->size, size);
	return true;
}

/* Bytes of the handshake message: first its header, then as much as that says. Returns how many were taken. */
static size_t take_handshake(struct tls *t, const uint8_t *data, size_t len)
{
	size_t want = t->have < HANDSHAKE_HEADER ? HANDSHAKE_HEADER : hello_size(t);

	len = MIN(len, want - t->have);
	if (!reserve(t, want)) {
		unparseable(t, "out of memory");
		return len;
	}
	memcpy(t->hello + t->have, data, len);
	t->have += len;
	if (t->have < HANDSHAKE_HEADER)
		return len;
	if (t->hello[0] != CLIENT_HELLO)
		unparseable(t, "the first message is no ClientHello");
	else if (hello_size(t) > HELLO_MAX)
		unparseable(t, "the ClientHello is too long");
	else if (t->have == hello_size(t))
		finish(t, NULL);
	return len;
}

static size_t take_record_header(struct tls *t, const uint8_t *data, size_t len)
{
	len = MIN(len, RECORD_HEADER - t->have_head);
	memcpy(t->head + t->have_head, data, len);
	t->have_head += len;
	if (t->have_head < RECORD_HEADER)
		return len;
	t->record_left = (size_t)t->head[3] << 8 | t->head[4];
	if (t->head[0] != TYPE_HANDSHAKE || t->head[1] != 3)
		unparseable(t, "the first record is no handshake of TLS");
	else if (!t->record_left || t->record_left > RECORD_MAX)
		unparseable(t, "a record of a length that TLS does not allow");
	return len;
}

static void tls_data(void *p, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct tls *t = p;

	if (dir == 0 && len && !t->start_ns)
		t->start_ns = ns;
	while (dir == 0 && len && !t->done) {
		size_t n;

		if (t->have_head < RECORD_HEADER) {
			n = take_record_header(t, data, len);
		} else {
			n = take_handshake(t, data, MIN(len, t->record_left));
			t->record_left -= n;
			if (!t->record_left)
				t->have_head = 0;
		}
		data += n;
		len -= n;
	}
}

static void tls_gap(void *p, int dir, uint64_t len, uint64_t ns)
{
	struct tls *t = p;

	if (dir != 0 || !len || t->done)
		return;
	if (!t->start_ns)
		t->start_ns = ns;
	finish(t, "the rest of the ClientHello is missing");
}

static void tls_end(void *p, int dir, bool reset, uint64_t ns)
{
	struct tls *t = p;

	(void)reset;
	(void)ns;
	if (dir == 0 && t->start_ns && !t->done)
		finish(t, "the connection ended in the ClientHello");
}

const struct l7_proto l7_tls = {
	.name = "tls",
	.new = tls_new,
	.free = tls_free,
	.data = tls_data,
	.gap = tls_gap,
	.end = tls_end,
	.memory = tls_memory,
};
