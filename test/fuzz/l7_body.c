// SPDX-License-Identifier: Apache-2.0
/*
 * Bodies: what is compressed says the same as what is plain, pieces make no difference, and a bomb ends early.
 * First byte: bits 0 and 1 the coding (0 identity, 1 gzip, 2 deflate as they stand, 3: plain bytes, compressed here),
 * bit 2 an event stream, bits 3 and 4 how to compress (gzip, zlib, deflate without head, two members of gzip), bit 5 a
 * gap after the first piece. Second byte: the pieces. sources: agent/l7/body.c agent/l7/json_scan.c agent/l7/sse.c
 */
#include "agent/l7/body.h"

#include <zlib.h>

#include "test/fuzz/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY_MAX (64 * 1024)

struct run {
	struct log log;
	bool ended; /* no message may come any more */
	const char *reason;
	uint64_t events;
};

static void on_message(void *userdata, const struct body_message *m)
{
	struct run *r = userdata;

	must(!r->ended);
	for (size_t i = 0; i < BODY_FIELD_COUNT; i++) {
		uint8_t head[2] = { (uint8_t)i, m->type[i] };

		if (!m->v[i])
			continue;
		must(strlen(m->v[i]) <= JSON_VALUE_MAX && m->type[i] <= JSON_TYPE_CONTAINER &&
		     m->type[i] != JSON_TYPE_NULL);
		log_add(&r->log, head, sizeof(head));
		log_add(&r->log, m->v[i], strlen(m->v[i]) + 1);
	}
	log_add(&r->log, m->whole ? "\xff\1" : "\xff\2", 2);
}

static void run(struct run *r, bool stream, const char *coding, const uint8_t *data, size_t size, uint8_t way, bool gap)
{
	const char *reason;
	struct body *b = body_new(stream ? "text/event-stream" : "application/json", coding, on_message, r, &reason);
	uint32_t state = 0;
	bool more = true;

	must(b && !reason);
	for (size_t n; size; data += n, size -= n) {
		bool wants;

		n = split_next(way, &state, size);
		wants = body_feed(b, data, n);

		must(more || !wants); /* once it said so it is over */
		more = wants;
		if (gap)
			body_gap(b);
		gap = false;
		must(body_memory(b) <= MEMORY_MAX && strlen(body_session(b)) < 80);
	}
	r->reason = body_reason(b);
	r->events = body_events(b);
	body_end(b);
	r->ended = true;
	body_free(b);
}

static size_t compress_part(uint8_t *to, size_t room, const uint8_t *data, size_t size, int bits)
{
	z_stream z = {
		.next_in = (uint8_t *)data, .avail_in = (unsigned)size, .next_out = to, .avail_out = (unsigned)room
	};

	must(deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	must(deflate(&z, Z_FINISH) == Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static void compare_compressed(const uint8_t *data, size_t size, unsigned how, bool stream, uint8_t way)
{
	static const int bits[] = { 31, 15, -15, 31 };
	const char *coding = how == 0 || how == 3 ? "gzip" : "deflate";
	struct run plain = {}, packed = {};
	size_t room = size * 2 + 200, first = how == 3 ? size / 2 : size, n;
	uint8_t *to = malloc(room);

	must(to);
	n = compress_part(to, room, data, first, bits[how]);
	if (how == 3)
		n += compress_part(to + n, room - n, data + first, size - first, bits[how]);
	run(&plain, stream, "identity", data, size, 0, false);
	run(&packed, stream, coding, to, n, way, false);
	must(packed.reason || (log_equal(&plain.log, &packed.log) && plain.events == packed.events));
	must(!packed.reason || size > 65536);
	log_done(&plain.log);
	log_done(&packed.log);
	free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const codings[] = { NULL, "gzip", "deflate" };
	struct run whole = {}, pieces = {};
	bool stream, gap;
	unsigned coding;

	if (size < 2)
		return 0;
	coding = data[0] & 3;
	stream = data[0] & 4;
	gap = data[0] & 32;
	if (coding == 3) {
		compare_compressed(data + 2, size - 2, data[0] >> 3 & 3, stream, data[1]);
		return 0;
	}
	run(&whole, stream, codings[coding], data + 2, size - 2, 0, false);
	run(&pieces, stream, codings[coding], data + 2, size - 2, data[1], gap);
	must(gap || whole.reason || (log_equal(&whole.log, &pieces.log) && whole.events == pieces.events));
	log_done(&whole.log);
	log_done(&pieces.log);
	return 0;
}
