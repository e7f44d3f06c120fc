/* SPDX-License-Identifier: Apache-2.0 */
/* A connection whose exchanges a test tells to agent/l7/app.c, and what comes of them. */
#ifndef WEIR_TEST_APP_WORLD_H
#define WEIR_TEST_APP_WORLD_H

#include "agent/l7/http.h"
#include "test/unit.h"

struct world {
	struct l7_host host;
	struct l7_settings settings;
	struct http_app *app;
	struct l7_record *got[80];
	size_t n, split; /* split: bytes of a body at a time; 0: all */
	uint32_t again;  /* of the heads of requests */
	uint64_t now;
};

static inline void emit(struct l7_host *h, struct l7_record *r)
{
	struct world *w = h->userdata;

	ck_assert_uint_lt(w->n, ARRAY_SIZE(w->got));
	w->got[w->n++] = r;
}

static inline void begin(struct world *w, size_t split)
{
	*w = (struct world){ .split = split, .now = 1000 };
	w->host = (struct l7_host){ .settings = &w->settings, .userdata = w, .emit = emit };
	w->app = http_app_new(&w->host);
	ck_assert_ptr_nonnull(w->app);
}

static inline void forget(struct world *w)
{
	for (size_t i = 0; i < w->n; i++)
		l7_record_free(w->got[i]);
	w->n = 0;
}

static inline void end(struct world *w)
{
	http_app_free(w->app);
	ck_assert_uint_eq(w->n, 0); /* everything was looked at, nothing came late */
}

/* "name: value\nname: value" */
static inline size_t headers(char *text, struct http_header *h)
{
	size_t n = 0;

	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strstr(line, ": ");

		*colon = '\0';
		h[n++] = (struct http_header){ line, colon + 2, strlen(line), strlen(colon + 2) };
	}
	return n;
}

static inline void body(struct world *w, struct http_exchange *x, int dir, const char *text)
{
	size_t len = text ? strlen(text) : 0, step = w->split ?: len;

	for (size_t i = 0; i < len; i += step)
		if (!http_app_body(x, dir, (const uint8_t *)text + i, MIN(step, len - i), ++w->now))
			break;
}

static inline struct http_exchange *ask(struct world *w, const char *method, const char *target, const char *head,
					const char *text)
{
	char copy[1024];
	struct http_header list[32];
	struct http_head h = { .method = method,
			       .target = target,
			       .authority = "tools:8080",
			       .major = 1,
			       .minor = 1,
			       .headers = list,
			       .again = w->again };
	struct http_exchange *x;

	snprintf(copy, sizeof(copy), "%s", head);
	h.n_headers = headers(copy, list);
	x = http_app_request(w->app, &h, ++w->now);
	ck_assert_ptr_nonnull(x);
	body(w, x, 0, text);
	http_app_done(x, 0, true, ++w->now);
	return x;
}

static inline void answer(struct world *w, struct http_exchange *x, int status, const char *head, const char *text,
			  bool complete)
{
	char copy[1024];
	struct http_header list[32];
	struct http_head h = { .status = status, .major = 1, .minor = 1, .headers = list };

	snprintf(copy, sizeof(copy), "%s", head);
	h.n_headers = headers(copy, list);
	http_app_answer(x, &h, ++w->now);
	body(w, x, 1, text);
	http_app_done(x, 1, complete, ++w->now);
	http_app_close(x, 0, NULL, ++w->now);
}

#define JSON "content-type: application/json"
#define SSE "content-type: text/event-stream"
#define GRPC "content-type: application/grpc"
#define CALL(id, name) \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"}}"

static inline void exchange(struct world *w, const char *target, const char *head, const char *sent, int status,
			    const char *answer_head, const char *received)
{
	answer(w, ask(w, "POST", target, head, sent), status, answer_head, received, true);
}

/* "mcp ok mcp.method.name=tools/call …": kind, outcome and the attributes that are named, in one line. */
static inline void check(const struct world *w, size_t i, enum l7_kind kind, enum l7_outcome outcome, const char *want)
{
	char line[2048] = "", copy[2048];
	const struct l7_record *r;
	size_t n = 0;

	ck_assert_uint_lt(i, w->n);
	r = w->got[i];
	snprintf(copy, sizeof(copy), "%s", want);
	for (char *save = NULL, *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		size_t len = strcspn(word, "=");
		bool found = false;

		for (unsigned a = 0; a < r->n_attrs; a++) {
			const char *name = l7_key_name(r->attrs[a].key);

			if (strlen(name) != len || memcmp(name, word, len))
				continue;
			found = true;
			n += (size_t)(r->attrs[a].is_int ? snprintf(line + n, sizeof(line) - n, "%s%s=%ld",
								    n ? " " : "", name, (long)r->attrs[a].i)
							 : snprintf(line + n, sizeof(line) - n, "%s%s=%s", n ? " " : "",
								    name, r->attrs[a].s));
		}
		if (!found)
			n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%.*s=", n ? " " : "", (int)len, word);
	}
	ck_assert_str_eq(line, want);
	ck_assert_str_eq(l7_kind_name(r->kind), l7_kind_name(kind));
	ck_assert_str_eq(l7_outcome_name(r->outcome), l7_outcome_name(outcome));
	if (outcome == L7_OK) {
		ck_assert_uint_gt(r->first_ns, 0);
		ck_assert_uint_ge(r->last_ns, r->first_ns);
	}
}

#define for_each_split(w) for (size_t split_ = 0; split_ < 3 && (begin(w, split_), true); split_++)

#endif
