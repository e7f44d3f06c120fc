// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/store.h"

#define GATHER_NS 1000000000ull
#define NOTES_MAX 64 /* a reader that is so many losses behind misses the oldest; totals stay exact */

struct note {
	uint64_t before; /* belongs in front of this flow */
	struct flow_lost lost;
};

struct flow_store {
	size_t capacity, l7_bytes;
	uint64_t first, next;
	struct flow *ring;
	struct note notes[NOTES_MAX];
	uint64_t next_note;
	uint64_t lost[FLOW_LOSS_STORE + 1];
	void (*wake)(void *userdata);
	void *userdata;
};

static void drop_oldest(struct flow_store *s)
{
	struct flow *f = &s->ring[s->first++ % s->capacity];

	s->l7_bytes -= f->l7 ? l7_record_memory(f->l7) : 0;
	flow_clear(f);
}

int flow_store_new(size_t capacity, struct flow_store **ret_store)
{
	_cleanup_(flow_store_freep) struct flow_store *s = calloc(1, sizeof(*s));

	if (!s || capacity == 0)
		return s ? -EINVAL : -ENOMEM;
	s->ring = calloc(capacity, sizeof(*s->ring));
	if (!s->ring)
		return -ENOMEM;
	s->capacity = capacity;
	s->first = s->next = 1;
	*ret_store = TAKE_PTR(s);
	return 0;
}

void flow_store_free(struct flow_store *s)
{
	if (!s)
		return;
	while (s->first < s->next)
		drop_oldest(s);
	free(s->ring);
	free(s);
}

static void wake(struct flow_store *s)
{
	void (*f)(void *userdata) = TAKE_PTR(s->wake);

	if (f)
		f(s->userdata);
}

void flow_store_arm(struct flow_store *s, void (*f)(void *userdata), void *userdata)
{
	s->wake = f;
	s->userdata = userdata;
}

void flow_store_add(struct flow_store *s, const struct flow *f)
{
	struct flow *slot = &s->ring[s->next % s->capacity];

	if (s->next - s->first == s->capacity)
		drop_oldest(s);
	*slot = *f;
	slot->seq = s->next++;
	s->l7_bytes += f->l7 ? l7_record_memory(f->l7) : 0;
	while (s->l7_bytes > FLOW_STORE_L7_MAX)
		drop_oldest(s);
	wake(s);
}

uint64_t flow_store_first(const struct flow_store *s)
{
	return s->first;
}

uint64_t flow_store_next(const struct flow_store *s)
{
	return s->next;
}

size_t flow_store_capacity(const struct flow_store *s)
{
	return s->capacity;
}

uint64_t flow_store_lost(const struct flow_store *s, enum flow_loss kind)
{
	return s->lost[kind];
}

const struct flow *flow_store_get(const struct flow_store *s, uint64_t seq)
{
	return seq >= flow_store_first(s) && seq < s->next ? &s->ring[seq % s->capacity] : NULL;
}

static uint64_t first_note(const struct flow_store *s)
{
	return s->next_note > NOTES_MAX ? s->next_note - NOTES_MAX : 0;
}

/* A clock that was set back closes a note, too. */
static bool note_is_open(const struct note *n, uint64_t now_ns)
{
	return now_ns >= n->lost.first_ns && now_ns - n->lost.first_ns < GATHER_NS;
}

bool flow_store_gathering(const struct flow_store *s, uint64_t now_ns)
{
	return s->next_note && note_is_open(&s->notes[(s->next_note - 1) % NOTES_MAX], now_ns);
}

static struct note *open_note(struct flow_store *s, enum flow_loss kind, uint64_t now_ns)
{
	for (uint64_t i = s->next_note; i > first_note(s); i--) {
		struct note *n = &s->notes[(i - 1) % NOTES_MAX];

		if (!note_is_open(n, now_ns))
			return NULL;
		if (n->lost.kind == kind)
			return n;
	}
	return NULL;
}

void flow_store_note_loss(struct flow_store *s, enum flow_loss kind, uint64_t count, int cpu, uint64_t now_ns)
{
	struct note *n;

	if (!count)
		return;
	s->lost[kind] += count;
	n = open_note(s, kind, now_ns);
	if (n) {
		n->lost.count += count;
		n->lost.last_ns = now_ns;
		if (n->lost.cpu != cpu)
			n->lost.cpu = -1;
	} else {
		s->notes[s->next_note++ % NOTES_MAX] = (struct note){ s->next, { kind, count, cpu, now_ns, now_ns } };
	}
	wake(s);
}

struct flow_cursor flow_cursor_at(const struct flow_store *s, uint64_t seq, uint64_t now_ns)
{
	struct flow_cursor c = { .next = MAX(seq, flow_store_first(s)), .note = first_note(s) };

	/* What was lost before the first flow's place is no loss to this reader; who waits for new flows has no flow
	 * yet. */
	for (; c.note < s->next_note; c.note++) {
		const struct note *n = &s->notes[c.note % NOTES_MAX];

		if (n->before > c.next || (n->before == c.next && c.next < s->next) || note_is_open(n, now_ns))
			break;
	}
	return c;
}

static struct flow_item overrun(struct flow_store *s, struct flow_cursor *c, uint64_t now_ns)
{
	struct flow_item item = { .kind = FLOW_ITEM_LOST };

	item.lost = (struct flow_lost){ FLOW_LOSS_STORE, c->overrun, -1, c->reported ? c->reported : now_ns, now_ns };
	s->lost[FLOW_LOSS_STORE] += c->overrun;
	c->overrun = 0;
	c->reported = now_ns;
	return item;
}

struct flow_item flow_cursor_read(struct flow_store *s, struct flow_cursor *c, uint64_t now_ns, bool final)
{
	uint64_t first = flow_store_first(s);
	const struct note *n;

	if (c->next < first) {
		c->overrun += first - c->next;
		c->next = first;
	}
	if (c->overrun && (final || c->next == s->next || now_ns - c->reported >= GATHER_NS))
		return overrun(s, c, now_ns);
	c->note = MAX(c->note, first_note(s));
	n = &s->notes[c->note % NOTES_MAX];
	if (c->note < s->next_note && n->before <= c->next && (final || !note_is_open(n, now_ns))) {
		c->note++;
		return (struct flow_item){ .kind = FLOW_ITEM_LOST, .lost = n->lost };
	}
	if (c->next == s->next)
		return (struct flow_item){ .kind = FLOW_ITEM_NONE };
	return (struct flow_item){ .kind = FLOW_ITEM_FLOW, .flow = &s->ring[c->next++ % s->capacity] };
}
