// SPDX-License-Identifier: Apache-2.0
/*
 * Excerpts in any order and with any numbers, for a parser that keeps books: it must see each direction once, in order
 * and to its end, and the limits must hold. A line of input: PORT SENDER SEQ MISSING ACK FLAGS TEXT, e.g. "1 c 1000 0 0
 * F GET"; SENDER c or s; FLAGS of "FfrAU-": first, FIN, RST, ack, UDP. "t SECONDS" lets time go by. In TEXT, S skips, W
 * wants, O wants all, I ignores, M takes memory. sources: agent/l7/track.c agent/l7/stream.c agent/l7/record.c
 */
#include "agent/l7/track.h"

#include <arpa/inet.h>
#include <netinet/in.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY_MAX 20000u
#define CONNECTIONS_MAX 4u

struct book {
	struct l7_host *host;
	uint64_t ns;
	size_t memory;
	unsigned over; /* directions, as bits */
	bool ignored;
};

static unsigned books;

static void must(bool b)
{
	if (!b)
		abort();
}

static void *book_new(struct l7_host *h)
{
	struct book *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	*b = (struct book){ .host = h, .memory = 100 };
	books++;
	return b;
}

static void book_free(void *p)
{
	const struct book *b = p;

	must(b->over == 3);
	books--;
	free(p);
}

static void listen_to(struct book *b, int dir, size_t len, uint64_t ns)
{
	must(!b->ignored && !(b->over & 1 << dir) && ns >= b->ns && len > 0);
	b->ns = ns;
}

static void book_data(void *p, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct book *b = p;

	listen_to(b, dir, len, ns);
	for (size_t i = 0; i < len && !b->ignored; i++) {
		if (data[i] == 'S')
			b->host->skip(b->host, dir, i & 1 ? UINT64_MAX : 20000);
		else if (data[i] == 'O')
			b->host->skip(b->host, dir, 0);
		else if (data[i] == 'W')
			b->host->want(b->host, dir, i & 1 ? UINT64_MAX : 20000);
		else if (data[i] == 'M')
			b->memory += 500;
		else if (data[i] == 'I') {
			b->ignored = true;
			b->host->ignore(b->host);
		}
	}
}

static void book_gap(void *p, int dir, uint64_t len, uint64_t ns)
{
	listen_to(p, dir, len, ns);
}

static void book_end(void *p, int dir, _unused_ bool reset, _unused_ uint64_t ns)
{
	struct book *b = p;

	must(!(b->over & 1 << dir));
	b->over |= 1 << dir;
}

static size_t book_memory(const void *p)
{
	return ((const struct book *)p)->memory;
}

static const struct l7_proto book = { .name = "book",
				      .new = book_new,
				      .free = book_free,
				      .data = book_data,
				      .gap = book_gap,
				      .end = book_end,
				      .memory = book_memory };

static const struct l7_proto *proto_of(_unused_ enum weir_l7 l7, _unused_ uint8_t ipproto)
{
	return &book;
}

static void on_emit(_unused_ void *userdata, struct l7_record *r)
{
	l7_record_free(r);
}

static void on_wish(_unused_ void *userdata, const struct weir_ct_key *key, const struct weir_l7_want *want)
{
	must(!key->pad[0] && !key->pad[1] && !key->pad[2]);
	must(!want || want->has_skip[0] || want->has_skip[1] || want->has_want[0] || want->has_want[1] ||
	     want->has_frame[0] || want->has_frame[1] || (want->ignored && key->proto == IPPROTO_TCP));
}

static unsigned flags_of(const char *s)
{
	unsigned flags = 0;

	for (; *s; s++)
		flags |= *s == 'F'   ? WEIR_L7F_FIRST
			 : *s == 'f' ? WEIR_L7F_FIN
			 : *s == 'r' ? WEIR_L7F_RST
			 : *s == 'A' ? WEIR_L7F_ACK
				     : 0;
	return flags;
}

static void step(struct track *t, const char *line, uint64_t *ns)
{
	unsigned port, seq, missing, ack, seconds;
	char sender, flags[8], text[1024] = "";
	struct weir_l7_excerpt x;
	int dir;

	if (sscanf(line, "t %u", &seconds) == 1) {
		*ns += seconds % 400 * 1000000000ull;
		track_tick(t, *ns);
		return;
	}
	if (sscanf(line, "%u %c %u %u %u %7s %1023s", &port, &sender, &seq, &missing, &ack, flags, text) < 6)
		return;
	dir = sender == 's';
	x = (struct weir_l7_excerpt){
		.ts = *ns,
		.sport = htons(dir ? 80 : port),
		.dport = htons(dir ? port : 80),
		.seq = seq,
		.len = strlen(text),
		.total = strlen(text) + missing % 70000,
		.proto = strchr(flags, 'U') ? IPPROTO_UDP : IPPROTO_TCP,
		.l7 = WEIR_L7_HTTP1,
		.flags = flags_of(flags) | (dir ? WEIR_L7F_REPLY : 0),
		.ack = ack,
	};
	*ns += 1000000;
	track_excerpt(t, &x, (const uint8_t *)text);
	must(track_stats(t).connections <= CONNECTIONS_MAX && track_stats(t).memory <= MEMORY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct l7_settings settings;
	const struct track_params p = { .settings = &settings,
					.memory_max = MEMORY_MAX,
					.connections_max = CONNECTIONS_MAX,
					.proto = proto_of,
					.emit = on_emit,
					.wish = on_wish };
	struct track *t = track_new(&p);
	char *script = strndup((const char *)data, size), *rest = script, *line;
	uint64_t ns = 1000000000;

	must(t && script);
	while ((line = strsep(&rest, "\n")))
		step(t, line, &ns);
	track_free(t);
	must(books == 0);
	free(script);
	return 0;
}
