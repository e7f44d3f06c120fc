// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/body.h"

#include <zlib.h>

#include "agent/l7/sse.h"
#include "lib/vec.h"

#define INFLATED_MAX (32u << 20) /* bytes of a compressed body that are looked at */
#define RATIO_MAX 100            /* and how much it may grow, beyond the first 64 KiB */
#define ZLIB_MEMORY (44u << 10)
#define FIELD_MEMORY 16 /* of one field, beyond its text */
#define DATA_MAX (16u << 10)
#define EVENT_HEAD 160 /* bytes of an event that is no JSON: the endpoint of the legacy transport */

struct body {
	body_message_fn fn;
	void *userdata;
	struct json_scan scan;
	struct body_message msg;
	size_t msg_size; /* bytes of its values */
	bool keep_data;
	VEC(char) data;     /* of the message in hand */
	bool stream, fresh; /* fresh: the event in hand has no byte yet */
	struct sse sse;
	uint64_t events;
	char head[EVENT_HEAD];
	size_t head_len;
	char session[80];
	z_stream *z;
	bool deflate, member_over; /* member_over: another may follow (RFC 1952) */
	uint64_t in, out;
	const char *reason;
};

static const struct json_path paths[] = {
#define X(field, path) JSON_PATH(path),
	BODY_PATHS(X)
#undef X
};
static const uint8_t fields[] = {
#define X(field, path) BODY_##field,
	BODY_PATHS(X)
#undef X
};

static void clear_message(struct body *b)
{
	for (size_t i = 0; i < BODY_FIELD_COUNT; i++)
		free(b->msg.v[i]);
	memset(&b->msg, 0, sizeof(b->msg));
	b->msg_size = 0;
}

/* all: what there is already stays before it, as long as that is not long. */
static void set_value(struct body *b, unsigned field, const char *s, size_t len, bool all)
{
	size_t before = b->msg.v[field] ? strlen(b->msg.v[field]) : 0;
	char *v = NULL;

	if (all && before > JSON_VALUE_MAX)
		return;
	if (!all || !before)
		v = strndup(s, len);
	else if (asprintf(&v, "%s,%s", b->msg.v[field], s) < 0)
		v = NULL;
	b->msg_size -= b->msg.v[field] ? before + FIELD_MEMORY : 0;
	free(b->msg.v[field]);
	b->msg.v[field] = v;
	b->msg_size += v ? strlen(v) + FIELD_MEMORY : 0;
}

static void on_value(void *userdata, size_t path, enum json_type type, const char *s, size_t len)
{
	struct body *b = userdata;
	unsigned field = fields[path];

	if (type == JSON_TYPE_NULL && field != BODY_RESULT)
		return; /* says nothing: usage is null in all chunks but the last; but a result of null is one */
	set_value(b, field, s, len, field == BODY_FINISH);
	b->msg.type[field] = type;
	if (b->keep_data && type == JSON_TYPE_CONTAINER &&
	    (field == BODY_ARGUMENTS || (field == BODY_RESULT && b->msg.data_field != BODY_ARGUMENTS))) {
		b->msg.data_field = field;
		b->data.n = 0;
		json_scan_raw(&b->scan);
	}
}

static void on_raw(void *userdata, const char *data, size_t len)
{
	struct body *b = userdata;
	size_t n = MIN(len, DATA_MAX - b->data.n);

	if (vec_reserve(&b->data, n) < 0)
		return;
	memcpy(b->data.v + b->data.n, data, n);
	b->data.n += n;
}

static void on_message(void *userdata, bool whole)
{
	struct body *b = userdata;

	b->msg.whole = whole;
	b->msg.data = b->data.n ? b->data.v : NULL;
	b->msg.data_len = b->data.n;
	b->fn(b->userdata, &b->msg);
	b->data.n = 0;
	clear_message(b);
}

static const struct json_sink sink = {
	.paths = paths, .n_paths = ARRAY_SIZE(paths), .value = on_value, .message = on_message, .raw = on_raw
};

/* ---- events */

static void find_session(struct body *b)
{
	static const char *const names[] = { "sessionId=", "session_id=" }; /* of the SDKs of TypeScript, Python */
	const char *p = NULL;
	size_t len;

	b->head[MIN(b->head_len, sizeof(b->head) - 1)] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names) && !p; i++) {
		p = strstr(b->head, names[i]);
		p = p ? p + strlen(names[i]) : NULL;
	}
	if (!p)
		return;
	len = strcspn(p, "& \t\r\n");
	snprintf(b->session, sizeof(b->session), "%.*s", (int)len, p);
}

static void on_event_data(void *userdata, const char *data, size_t len)
{
	struct body *b = userdata;

	if (TAKE(b->fresh, false))
		b->head_len = 0;
	if (b->head_len < sizeof(b->head)) {
		size_t n = MIN(len, sizeof(b->head) - b->head_len);

		memcpy(b->head + b->head_len, data, n);
		b->head_len += n;
	}
	json_scan_feed(&b->scan, data, len);
}

static void on_event(void *userdata)
{
	struct body *b = userdata;

	json_scan_end(&b->scan);
	if (b->head_len && (b->head[0] == '/' || b->head[0] == 'h')) /* a path or a URL */
		find_session(b);
	if (b->head_len)
		b->events++;
	json_scan_init(&b->scan, &sink, b);
	b->fresh = true;
	b->head_len = 0;
}

/* ---- bytes */

static void feed_plain(struct body *b, const char *data, size_t len)
{
	if (b->stream)
		sse_feed(&b->sse, data, len);
	else
		json_scan_feed(&b->scan, data, len);
}

static bool grew_too_much(const struct body *b)
{
	return b->out > INFLATED_MAX || (b->out > 65536 && b->out / RATIO_MAX > b->in);
}

/* "deflate" is zlib's format; what is sent without its head begins with no byte that such a head may begin with. */
static void begin_compressed(struct body *b, uint8_t first)
{
	if (b->deflate && (first & 15) != Z_DEFLATED && inflateReset2(b->z, -MAX_WBITS) != Z_OK)
		b->reason = "out of memory";
}

static int inflate_some(struct body *b)
{
	uint8_t out[8192];
	size_t in = b->z->avail_in;
	int r;

	if (TAKE(b->member_over, false))
		inflateReset(b->z);
	b->z->next_out = out;
	b->z->avail_out = sizeof(out);
	r = inflate(b->z, Z_NO_FLUSH);
	b->in += in - b->z->avail_in;
	b->out += sizeof(out) - b->z->avail_out;
	feed_plain(b, (const char *)out, sizeof(out) - b->z->avail_out);
	b->member_over = r == Z_STREAM_END;
	return r;
}

static void feed_compressed(struct body *b, const uint8_t *data, size_t len)
{
	int r;

	if (!len)
		return;
	if (!b->in && !b->out)
		begin_compressed(b, data[0]);
	b->z->next_in = (uint8_t *)data;
	b->z->avail_in = (unsigned)len;
	do {
		r = inflate_some(b);
		if (grew_too_much(b))
			b->reason = "the compressed body is too large";
		else if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			b->reason = "the compressed body is damaged";
	} while (!b->reason && ((r == Z_OK && !b->z->avail_out) || (r == Z_STREAM_END && b->z->avail_in)));
}

static bool is_over(const struct body *b)
{
	return b->reason || (!b->stream && b->scan.broken);
}

bool body_feed(struct body *b, const uint8_t *data, size_t len)
{
	if (is_over(b))
		return false;
	if (b->z)
		feed_compressed(b, data, len);
	else
		feed_plain(b, (const char *)data, len);
	if (!is_over(b))
		return true;
	json_scan_break(&b->scan);
	return false;
}

void body_gap(struct body *b)
{
	json_scan_break(&b->scan);
	if (b->z)
		b->reason = "part of the compressed body is missing";
	if (b->stream && !b->reason)
		sse_skip_line(&b->sse); /* the next event is whole again */
}

void body_end(struct body *b)
{
	if (b->stream && !b->fresh)
		on_event(b);
	json_scan_end(&b->scan);
}

/* ---- life */

static bool is_deflate(const char *coding)
{
	return coding && !strcasecmp(coding, "deflate");
}

static bool is_gzip(const char *coding)
{
	return coding && (!strcasecmp(coding, "gzip") || !strcasecmp(coding, "x-gzip"));
}

static bool begins(const char *s, const char *with)
{
	return !strncasecmp(s, with, strlen(with));
}

static z_stream *inflater(void)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z && inflateInit2(z, 15 + 32) != Z_OK) { /* gzip or zlib, as its head says */
		free(z);
		return NULL;
	}
	return z;
}

struct body *body_new(const char *type, const char *coding, body_message_fn fn, void *userdata, const char **ret_reason)
{
	bool stream = begins(type, "text/event-stream"), compressed = is_gzip(coding) || is_deflate(coding);
	struct body *b;

	*ret_reason = NULL;
	if (!stream && !strcasestr(type, "json"))
		return NULL;
	if (coding && *coding && !compressed && strcasecmp(coding, "identity") != 0) {
		*ret_reason = "the body's content coding is not read";
		return NULL;
	}
	b = calloc(1, sizeof(*b));
	if (b && compressed && !(b->z = inflater()))
		b = (free(b), NULL);
	if (!b) {
		*ret_reason = "out of memory";
		return NULL;
	}
	b->fn = fn;
	b->userdata = userdata;
	b->stream = stream;
	b->deflate = is_deflate(coding);
	b->fresh = true;
	b->sse = (struct sse){ .data = on_event_data, .event = on_event, .userdata = b };
	json_scan_init(&b->scan, &sink, b);
	return b;
}

void body_free(struct body *b)
{
	if (!b)
		return;
	clear_message(b);
	free(b->data.v);
	if (b->z)
		inflateEnd(b->z);
	free(b->z);
	free(b);
}

void body_keep_data(struct body *b)
{
	b->keep_data = true;
}

const char *body_reason(const struct body *b)
{
	return b->reason;
}

uint64_t body_events(const struct body *b)
{
	return b->events;
}

bool body_is_stream(const struct body *b)
{
	return b->stream;
}

const char *body_session(const struct body *b)
{
	return b->session;
}

size_t body_memory(const struct body *b)
{
	return !b ? 0 : sizeof(*b) + b->msg_size + b->data.size + (b->z ? ZLIB_MEMORY : 0);
}
