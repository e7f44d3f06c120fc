// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/cards.h"

#include "lib/hash.h"

struct card_key {
	struct weir_addr addr;
	uint32_t port;
};

struct card {
	struct card_key key;
	char *name, *version; /* NULL: the card has none */
	UT_hash_handle hh;
};

struct cards {
	struct card *by_key; /* the oldest first: uthash keeps the order of insertion */
};

struct cards *cards_new(void)
{
	return calloc(1, sizeof(struct cards));
}

static void drop(struct cards *c, struct card *card)
{
	HASH_DEL(c->by_key, card);
	free(card->name);
	free(card->version);
	free(card);
}

void cards_free(struct cards *c)
{
	while (c->by_key)
		drop(c, c->by_key);
	free(c);
}

static struct card *find(const struct cards *c, const struct l7_record *r, struct card_key *ret_key)
{
	struct card *card;

	*ret_key = (struct card_key){ .addr = r->ends.addr[1], .port = r->ends.port[1] };
	HASH_FIND(hh, c->by_key, ret_key, sizeof(*ret_key), card);
	return card;
}

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

static void remember(struct cards *c, const struct l7_record *r)
{
	struct card_key key;
	struct card *card = find(c, r, &key);

	if (card)
		drop(c, card);
	if (HASH_COUNT(c->by_key) == CARDS_MAX)
		drop(c, c->by_key);
	card = calloc(1, sizeof(*card));
	if (!card)
		return;
	card->key = key;
	HASH_ADD(hh, c->by_key, key, sizeof(card->key), card);
	if (!hash_added(card)) {
		free(card);
		return;
	}
	card->name = copy(l7_record_get(r, L7_KEY_GEN_AI_AGENT));
	card->version = copy(l7_record_get(r, L7_KEY_GEN_AI_AGENT_VERSION));
}

static void set(struct l7_record *r, enum l7_key key, const char *s)
{
	if (s)
		l7_record_str(r, key, s, strlen(s));
}

void cards_apply(struct cards *c, struct l7_record *r)
{
	const struct card *card;
	struct card_key key;

	if (l7_record_get(r, L7_KEY_GEN_AI_AGENT)) {
		if (r->outcome == L7_OK)
			remember(c, r);
		return;
	}
	card = r->kind == L7_A2A && !(r->flags & L7_FROM_SERVER) ? find(c, r, &key) : NULL;
	if (!card)
		return;
	set(r, L7_KEY_GEN_AI_AGENT, card->name);
	set(r, L7_KEY_GEN_AI_AGENT_VERSION, card->version);
}
