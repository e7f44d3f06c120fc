/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives a parser of agent/l7 with a script. The first byte is 'm' for a connection whose beginning was not seen; then
 * steps: 'c' LENGTH BYTES from the client, 's' LENGTH BYTES from the server, 'C' or 'S' LENGTH a gap, 'f', 'F' the
 * client or the server ends, 'r' reset, 't' SECONDS go by. LENGTH is two bytes, big endian. Anything else ends the
 * script.
 */
#ifndef WEIR_FUZZ_CONVERSATION_H
#define WEIR_FUZZ_CONVERSATION_H

#include "agent/l7/proto.h"

struct conversation {
	struct l7_host host;
	const struct l7_proto *proto;
	void *parser;
	size_t memory_max;
	uint64_t ns;
	bool ignored, over[2];
	bool split; /* what is said comes byte by byte */
};

/* The promises of record.h hold for whatever is emitted. */
static inline void conversation_emit(struct l7_host *h, struct l7_record *r)
{
	struct conversation *c = h->userdata;

	if (!r->kind || r->kind >= L7_KIND_COUNT || !l7_outcome_name(r->outcome) || r->start_ns > c->ns)
		abort();
	if ((r->flags & L7_UNPARSEABLE) && !l7_record_get(r, L7_KEY_REASON))
		abort();
	for (unsigned i = 0; i < r->n_attrs; i++)
		if (r->attrs[i].key >= L7_KEY_COUNT || (!r->attrs[i].is_int && strlen(r->attrs[i].s) > L7_STR_MAX))
			abort();
	l7_record_free(r);
}

static inline void conversation_bytes(struct l7_host *h, int dir, uint64_t bytes)
{
	(void)h;
	(void)dir;
	(void)bytes;
}

static inline void conversation_ignore(struct l7_host *h)
{
	((struct conversation *)h->userdata)->ignored = true;
}

static inline void conversation_end(struct conversation *c, int dir, bool reset)
{
	if (!c->over[dir])
		c->proto->end(c->parser, dir, reset, c->ns);
	c->over[dir] = true;
}

static inline void conversation_say(struct conversation *c, int dir, const uint8_t *data, size_t len)
{
	if (!c->split)
		c->proto->data(c->parser, dir, data, len, c->ns);
	for (size_t i = 0; c->split && i < len && !c->ignored; i++)
		c->proto->data(c->parser, dir, data + i, 1, c->ns);
}

/* Bytes or a gap; returns how much of the script that was. */
static inline size_t conversation_bytes_step(struct conversation *c, uint8_t op, const uint8_t *data, size_t size)
{
	bool gap = op == 'C' || op == 'S';
	int dir = op == 's' || op == 'S';
	size_t len = size >= 2 ? (size_t)data[0] << 8 | data[1] : 0;

	if (size < 2)
		return size;
	if (!gap)
		len = MIN(len, size - 2);
	if (c->over[dir] || c->ignored)
		return gap ? 2 : 2 + len;
	if (gap)
		c->proto->gap(c->parser, dir, len, c->ns);
	else
		conversation_say(c, dir, data + 2, len);
	return gap ? 2 : 2 + len;
}

static inline size_t conversation_step(struct conversation *c, const uint8_t *data, size_t size)
{
	c->ns += 1000;
	switch (data[0]) {
	case 'c':
	case 's':
	case 'C':
	case 'S':
		return 1 + conversation_bytes_step(c, data[0], data + 1, size - 1);
	case 'f':
	case 'F':
		conversation_end(c, data[0] == 'F', false);
		return 1;
	case 'r':
		conversation_end(c, 0, true);
		conversation_end(c, 1, true);
		return 1;
	case 't':
		c->ns += size > 1 ? data[1] * 1000000000ull : 0;
		if (c->proto->tick && !c->ignored)
			c->proto->tick(c->parser, c->ns);
		return MIN(size, (size_t)2);
	default:
		return size;
	}
}

static inline void converse(const struct l7_proto *proto, size_t memory_max, bool split, const uint8_t *data,
			    size_t size)
{
	static const struct l7_settings settings;
	struct conversation c = { .proto = proto, .memory_max = memory_max, .ns = 1000000000, .split = split };

	c.host = (struct l7_host){ .settings = &settings,
				   .midstream = size && data[0] == 'm',
				   .userdata = &c,
				   .emit = conversation_emit,
				   .skip = conversation_bytes,
				   .want = conversation_bytes,
				   .ignore = conversation_ignore };
	c.parser = proto->new (&c.host);
	if (!c.parser)
		abort();
	for (size_t i = MIN(size, (size_t)1); i < size; i += conversation_step(&c, data + i, size - i))
		if (proto->memory(c.parser) > memory_max)
			abort();
	conversation_end(&c, 0, false);
	conversation_end(&c, 1, false);
	proto->free(c.parser);
}

#endif
