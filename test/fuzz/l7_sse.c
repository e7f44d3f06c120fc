// SPDX-License-Identifier: Apache-2.0
/*
 * Server-sent events against a reader that has the whole stream before it, and in pieces that the first byte chooses.
 * sources: agent/l7/sse.c
 */
#include "agent/l7/sse.h"

#include "test/fuzz/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct events {
	struct log data, ended; /* of the event in hand; of all before it */
};

static void on_data(void *userdata, const char *data, size_t len)
{
	must(len > 0);
	log_add(&((struct events *)userdata)->data, data, len);
}

static void on_event(void *userdata)
{
	struct events *e = userdata;

	log_add(&e->ended, &e->data.text.n, sizeof(e->data.text.n));
	log_add(&e->ended, e->data.text.v, e->data.text.n);
	e->data.text.n = 0;
}

static void events_done(struct events *e)
{
	log_done(&e->data);
	log_done(&e->ended);
}

static void feed(struct events *e, const uint8_t *data, size_t size, uint8_t way)
{
	struct sse s = { .data = on_data, .event = on_event, .userdata = e };
	uint32_t state = 0;

	for (size_t n; size; data += n, size -= n) {
		n = split_next(way, &state, size);
		sse_feed(&s, (const char *)data, n);
	}
}

static void expect_line(struct events *e, const char *line, size_t len, bool *has_data)
{
	const char *colon = memchr(line, ':', len), *value = colon ? colon + 1 : line + len;
	size_t name = colon ? (size_t)(colon - line) : len;

	if (!len && *has_data) {
		on_event(e);
		*has_data = false;
	}
	if (name != 4 || memcmp(line, "data", 4) != 0)
		return;
	if (*has_data)
		log_add(&e->data, "\n", 1);
	*has_data = true;
	if (value < line + len && *value == ' ')
		value++;
	log_add(&e->data, value, (size_t)(line + len - value));
}

static void expect(struct events *e, const char *s, size_t len)
{
	const char *end = s + len, *line;
	bool has_data = false;

	if (len >= 3 && !memcmp(s, "\xef\xbb\xbf", 3))
		s += 3;
	for (line = s; s < end; s++) {
		if (*s != '\n' && *s != '\r')
			continue;
		expect_line(e, line, (size_t)(s - line), &has_data);
		if (*s == '\r' && s + 1 < end && s[1] == '\n')
			s++;
		line = s + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct events whole = {}, pieces = {}, want = {};

	if (!size)
		return 0;
	feed(&whole, data + 1, size - 1, 0);
	feed(&pieces, data + 1, size - 1, data[0]);
	expect(&want, (const char *)data + 1, size - 1);
	must(log_equal(&whole.data, &pieces.data) && log_equal(&whole.ended, &pieces.ended));
	must(log_equal(&whole.ended, &want.ended));
	events_done(&whole);
	events_done(&pieces);
	events_done(&want);
	return 0;
}
