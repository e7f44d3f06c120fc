// SPDX-License-Identifier: Apache-2.0
/* Calls of models: which API by the path, model and tokens by the bodies. */
#include "agent/l7/app.h"

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && streq(s + n - t, tail);
}

struct api {
	const char *path; /* its end */
	const char *provider, *operation;
};
static const struct api apis[] = {
	{ "/chat/completions", "openai", "chat" },
	{ "/v1/completions", "openai", "text_completion" },
	{ "/v1/responses", "openai", "chat" },
	{ "/v1/embeddings", "openai", "embeddings" },
	{ "/v1/responses/compact", "openai", "chat" },
	{ "/openai/responses", "azure.ai.openai", "chat" }, /* the one that has no deployment in its path */
	{ "/v1/messages", "anthropic", "chat" },
	{ "/api/chat", "ollama", "chat" },
	{ "/api/generate", "ollama", "text_completion" },
	{ "/api/embed", "ollama", "embeddings" },
	{ "/api/embeddings", "ollama", "embeddings" },
	{ ":generateContent", "gcp.gemini", "generate_content" },
	{ ":streamGenerateContent", "gcp.gemini", "generate_content" },
	{ ":embedContent", "gcp.gemini", "embeddings" },
	{ ":batchEmbedContents", "gcp.gemini", "embeddings" },
	{ "/v1/interactions", "gcp.gemini", "chat" },
	{ "/v1beta/interactions", "gcp.gemini", "chat" },
	{ "/converse", "aws.bedrock", "chat" },
	{ "/converse-stream", "aws.bedrock", "chat" },
};

/* What stands between `before` and the next of `ends`. */
static void set_segment(struct l7_record *r, enum l7_key key, const char *path, const char *before, const char *ends)
{
	const char *p = strstr(path, before);

	if (p)
		l7_record_str(r, key, p + strlen(before), strcspn(p + strlen(before), ends));
}

static bool is_azure(const struct l7_record *r)
{
	const char *host = l7_record_get(r, L7_KEY_HTTP_HOST);

	return host && (ends_with(host, ".openai.azure.com") || ends_with(host, ".services.ai.azure.com"));
}

bool llm_route(struct http_exchange *x, const struct http_head *h, const char *path)
{
	struct l7_record *r = x->record;
	const struct api *api = NULL;
	const char *azure;
	bool gemini, bedrock;

	if (!streq(h->method, "POST"))
		return false;
	azure = strstr(path, "/openai/deployments/");
	for (size_t i = 0; i < ARRAY_SIZE(apis) && !api; i++)
		if (ends_with(path, apis[i].path))
			api = &apis[i];
	if (!api && azure)
		api = ends_with(path, "/embeddings") ? &apis[3] : ends_with(path, "/completions") ? &apis[1] : NULL;
	bedrock = api && streq(api->provider, "aws.bedrock");
	if (!api || (bedrock && !strstr(path, "/model/")))
		return false;
	path = strdupa(path); /* it may be the record's own, which moves */
	gemini = str_prefix(api->provider, "gcp.");
	app_set(r, L7_KEY_GEN_AI_PROVIDER,
		azure || (streq(api->provider, "openai") && is_azure(r)) ? "azure.ai.openai"
		: gemini && strstr(path, "/publishers/google/")          ? "gcp.vertex_ai"
									 : api->provider);
	app_set(r, L7_KEY_GEN_AI_OPERATION, api->operation);
	l7_record_int(r, L7_KEY_GEN_AI_STREAM,
		      ends_with(path, ":streamGenerateContent") || ends_with(path, "/converse-stream") ||
			  (streq(api->provider, "ollama") && !streq(api->operation, "embeddings")));
	if (azure)
		set_segment(r, L7_KEY_GEN_AI_MODEL, path, "/openai/deployments/", "/");
	if (gemini)
		set_segment(r, L7_KEY_GEN_AI_MODEL, path, "/models/", ":");
	if (bedrock)
		set_segment(r, L7_KEY_GEN_AI_MODEL, path, "/model/", "/");
	r->kind = L7_LLM;
	return true;
}

/* A count is no less than nothing. */
static int64_t number(const struct body_message *m, enum body_field f)
{
	int64_t n = m->v[f] ? strtoll(m->v[f], NULL, 10) : 0;

	return MAX(n, 0);
}

static int64_t sum(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static void set_number(struct l7_record *r, enum l7_key key, const struct body_message *m, enum body_field f)
{
	if (m->v[f])
		l7_record_int(r, key, number(m, f));
}

static bool is_of(const struct l7_record *r, const char *provider)
{
	return str_prefix(l7_record_get(r, L7_KEY_GEN_AI_PROVIDER) ?: "", provider);
}

/* Anthropic counts what comes from and goes to its cache apart, and may have said so before; Gemini what tools
 * answered. The convention wants the sum. */
static void set_input(struct l7_record *r, const struct body_message *m)
{
	int64_t n = number(m, BODY_TOKENS_IN);

	if (!m->v[BODY_TOKENS_IN])
		return;
	if (is_of(r, "anthropic"))
		n = sum(n, sum(l7_record_get_int(r, L7_KEY_GEN_AI_CACHE_READ, 0),
			       l7_record_get_int(r, L7_KEY_GEN_AI_CACHE_WRITE, 0)));
	if (is_of(r, "gcp."))
		n = sum(n, number(m, BODY_TOKENS_TOOLS));
	l7_record_int(r, L7_KEY_GEN_AI_INPUT, n);
}

/* Gemini counts thoughts apart; the convention wants the sum. */
static void set_output(struct l7_record *r, const struct body_message *m)
{
	int64_t apart = is_of(r, "gcp.") ? number(m, BODY_TOKENS_THOUGHT) : 0;

	if (m->v[BODY_TOKENS_OUT] || apart)
		l7_record_int(r, L7_KEY_GEN_AI_OUTPUT, sum(number(m, BODY_TOKENS_OUT), apart));
}

/* A stream tells of each choice in a message of its own. */
static void add_finish(struct l7_record *r, const char *reason)
{
	const char *before = l7_record_get(r, L7_KEY_GEN_AI_FINISH);
	char all[L7_STR_MAX];

	if (!reason)
		return;
	snprintf(all, sizeof(all), "%s%s%s", before ?: "", before ? "," : "", reason);
	app_set(r, L7_KEY_GEN_AI_FINISH, all);
}

/* After status 200, too, when the answer is a stream. "error": null is none. */
static const char *error_type(const struct body_message *m)
{
	bool some = m->v[BODY_ERROR] &&
		    (m->type[BODY_ERROR] == JSON_TYPE_CONTAINER || m->type[BODY_ERROR] == JSON_TYPE_STRING);

	if (m->v[BODY_ERROR_TYPE] && m->type[BODY_ERROR_TYPE] == JSON_TYPE_STRING)
		return m->v[BODY_ERROR_TYPE];
	if (streq(m->v[BODY_TYPE] ?: "", "error"))
		return m->v[BODY_CODE] ?: "_OTHER";
	return !some ? NULL : m->v[BODY_ERROR_CODE] ?: "_OTHER";
}

/* Some paths are those of others, too; but these two want the model named. Other servers have but one, and need no
 * name. */
void llm_asked(struct http_exchange *x)
{
	const char *provider = l7_record_get(x->record, L7_KEY_GEN_AI_PROVIDER) ?: "";
	bool read = x->body[0] && !x->partial && !x->reason;

	if (read && !l7_record_get(x->record, L7_KEY_GEN_AI_MODEL) &&
	    (streq(provider, "ollama") || streq(provider, "anthropic")))
		app_demote(x);
}

void llm_message(struct http_exchange *x, int dir, const struct body_message *m)
{
	struct l7_record *r = x->record;

	if (dir == 0) {
		app_set(r, L7_KEY_GEN_AI_MODEL, m->v[BODY_MODEL]);
		if (m->v[BODY_STREAM])
			l7_record_int(r, L7_KEY_GEN_AI_STREAM, m->type[BODY_STREAM] == JSON_TYPE_TRUE);
		return;
	}
	app_set(r, L7_KEY_GEN_AI_RESPONSE_MODEL, m->v[BODY_MODEL]);
	app_set(r, L7_KEY_GEN_AI_RESPONSE_ID,
		m->v[BODY_RESPONSE_ID]
		    ?: m->type[BODY_ID] == JSON_TYPE_STRING ? m->v[BODY_ID]
							    : NULL);
	add_finish(r, m->v[BODY_FINISH]);
	x->has_finished |= m->v[BODY_FINISH] || streq(m->v[BODY_TYPE] ?: "", "response.completed");
	app_set(r, L7_KEY_ERROR_TYPE, error_type(m));
	set_number(r, L7_KEY_GEN_AI_CACHE_READ, m, BODY_TOKENS_READ);
	set_number(r, L7_KEY_GEN_AI_CACHE_WRITE, m, BODY_TOKENS_WRITE);
	set_input(r, m);
	set_output(r, m);
	set_number(r, L7_KEY_GEN_AI_REASONING, m, BODY_TOKENS_THOUGHT);
}
