// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/cards.h"

#include <sys/random.h>

#include "lib/hash.h"

#define FOLDER_MAX 120

struct card_key {
	struct weir_addr addr;
	__be16 port;
	uint8_t seed[6];         /* pods choose folders */
	char folder[FOLDER_MAX]; /* below which the agent is; zeros behind */
};

struct card {
	struct card_key key;
	uint32_t identity;    /* of who had the address */
	char *name, *version; /* NULL: the card has none */
	UT_hash_handle hh;
};

struct cards {
	struct card *by_key; /* the one that was used least recently first: uthash keeps the order of insertion */
	uint8_t seed[6];
};

struct cards *cards_new(void)
{
	struct cards *c = calloc(1, sizeof(*c));

	if (c)
		(void)!getrandom(c->seed, sizeof(c->seed), GRND_NONBLOCK);
	return c;
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

static struct card_key key_of(const struct cards *c, const struct l7_record *r)
{
	struct card_key key = { .addr = r->ends.addr[1], .port = r->ends.port[1] };

	memcpy(key.seed, c->seed, sizeof(key.seed));
	return key;
}

/* The card of that very folder. One that another had served at this address is forgotten. */
static struct card *find(struct cards *c, const struct card_key *key, uint32_t identity)
{
	struct card *card;

	HASH_FIND(hh, c->by_key, key, sizeof(*key), card);
	if (!card || card->identity == identity)
		return card;
	drop(c, card);
	return NULL;
}

/* Takes the card; NULL: out of memory. */
static struct card *add(struct cards *c, struct card *card)
{
	HASH_ADD(hh, c->by_key, key, sizeof(card->key), card);
	if (hash_added(card))
		return card;
	free(card->name);
	free(card->version);
	free(card);
	return NULL;
}

/* Of this address, if it has one: who serves many does not make others forgotten. */
static struct card *least_recently_used(const struct cards *c, const struct weir_addr *addr)
{
	struct card *card = c->by_key;

	while (card && memcmp(&card->key.addr, addr, sizeof(*addr)) != 0)
		card = card->hh.next;
	return card ?: c->by_key;
}

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

static void remember(struct cards *c, const struct l7_record *r)
{
	const char *path = l7_record_get(r, L7_KEY_URL_PATH) ?: "", *end = strstr(path, "/.well-known/");
	struct card_key key = key_of(c, r);
	struct card *card;

	if (!end || end - path >= FOLDER_MAX)
		return;
	memcpy(key.folder, path, (size_t)(end - path));
	card = find(c, &key, r->ends.identity[1]);
	if (card)
		drop(c, card);
	if (HASH_COUNT(c->by_key) == CARDS_MAX)
		drop(c, least_recently_used(c, &key.addr));
	card = calloc(1, sizeof(*card));
	if (!card)
		return;
	card->key = key;
	card->identity = r->ends.identity[1];
	card->name = copy(l7_record_get(r, L7_KEY_GEN_AI_AGENT));
	card->version = copy(l7_record_get(r, L7_KEY_GEN_AI_AGENT_VERSION));
	add(c, card);
}

/* Takes the last name off. Returns the length that is left. */
static size_t cut(char *folder, size_t len)
{
	const char *slash = memrchr(folder, '/', len);
	size_t left = slash ? (size_t)(slash - folder) : 0;

	memset(folder + left, 0, len - left);
	return left;
}

/* Of the agent whose folder is the longest that the path is, or lies in. */
static const struct card *find_callee(struct cards *c, const struct l7_record *r)
{
	const char *path = l7_record_get(r, L7_KEY_URL_PATH) ?: "";
	struct card_key key = key_of(c, r);
	size_t len = strnlen(path, FOLDER_MAX - 1);
	struct card *card;

	memcpy(key.folder, path, len);
	if (path[len])
		len = cut(key.folder, len); /* within a name */
	while (!(card = find(c, &key, r->ends.identity[1])) && len)
		len = cut(key.folder, len);
	if (!card)
		return NULL;
	HASH_DEL(c->by_key, card);
	return add(c, card);
}

static void set(struct l7_record *r, enum l7_key key, const char *s)
{
	if (s)
		l7_record_str(r, key, s, strlen(s));
}

void cards_apply(struct cards *c, struct l7_record *r)
{
	const struct card *card;

	if (l7_record_get(r, L7_KEY_GEN_AI_AGENT)) {
		if (r->outcome == L7_OK)
			remember(c, r);
		return;
	}
	card = r->kind == L7_A2A && !(r->flags & L7_FROM_SERVER) ? find_callee(c, r) : NULL;
	if (!card)
		return;
	set(r, L7_KEY_GEN_AI_AGENT, card->name);
	set(r, L7_KEY_GEN_AI_AGENT_VERSION, card->version);
}
