/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer's side of agent/l7/http.h for tests of those that drive it: checks the order of calls, and writes a line
 * for each exchange that is closed:
 *
 *	POST /a host {name: value} "body" <len missing> [trailer: value] done => 200 {…} "body" done; FLAGS reason
 */
#ifndef WEIR_TEST_HTTP_FAKE_H
#define WEIR_TEST_HTTP_FAKE_H

#include "agent/l7/http.h"

struct fake_message {
	bool begun, done, trailers;
	char *text;
	size_t len;
	FILE *f;
	uint64_t body;
};

struct http_exchange {
	struct http_app *app;
	struct fake_message side[2];
};

struct http_app {
	size_t n_exchanges;
	uint32_t again; /* number of the last request that came again, and its text */
	char *again_text;
};

static char *fake_log;
static size_t fake_log_len, fake_lines;
static FILE *fake_log_file;
static uint64_t fake_enough = UINT64_MAX; /* bytes of a body that the consumer wants */
static bool fake_quiet;                   /* no log */

static inline void fake_check(bool ok)
{
	if (!ok)
		abort();
}

static inline void fake_init(void)
{
	if (fake_log_file)
		fclose(fake_log_file);
	free(fake_log);
	fake_log_file = open_memstream(&fake_log, &fake_log_len);
	fake_lines = 0;
	fake_check(fake_log_file);
}

static inline void fake_done(void)
{
	if (fake_log_file)
		fclose(fake_log_file);
	free(fake_log);
	fake_log_file = NULL;
	fake_log = NULL;
}

static inline const char *fake_text(void)
{
	fflush(fake_log_file);
	return fake_log;
}

static inline void fake_headers(FILE *f, const struct http_head *head, char open, char close)
{
	if (head->n_headers)
		fprintf(f, " %c", open);
	for (size_t i = 0; i < head->n_headers; i++) {
		const struct http_header *h = &head->headers[i];

		fake_check(h->name_len == strlen(h->name) && h->value_len == strlen(h->value));
		fprintf(f, "%s%s: %s", i ? ", " : "", h->name, h->value);
	}
	if (head->n_headers)
		fputc(close, f);
}

static inline void fake_end_body(struct fake_message *m)
{
	if (m->body)
		fputc('"', m->f);
	m->body = 0;
}

static inline void fake_begin(struct fake_message *m)
{
	fake_check(!m->begun);
	m->begun = true;
	m->f = open_memstream(&m->text, &m->len);
	fake_check(m->f);
}

struct http_app *http_app_new(struct l7_host *host)
{
	(void)host;
	return calloc(1, sizeof(struct http_app));
}

void http_app_free(struct http_app *a)
{
	fake_check(a->n_exchanges == 0);
	free(a->again_text);
	free(a);
}

/* Those of one number say the same. */
static inline void fake_again(struct http_app *a, struct fake_message *m, uint32_t number)
{
	fflush(m->f);
	if (number && number == a->again)
		fake_check(strcmp(m->text, a->again_text) == 0);
	if (!number || number == a->again)
		return;
	free(a->again_text);
	a->again = number;
	a->again_text = strdup(m->text);
	fake_check(a->again_text);
}

struct http_exchange *http_app_request(struct http_app *a, const struct http_head *head, uint64_t ns)
{
	struct http_exchange *x = calloc(1, sizeof(*x));

	(void)ns;
	fake_check(x && head->method && head->target && head->authority);
	x->app = a;
	a->n_exchanges++;
	fake_begin(&x->side[0]);
	fprintf(x->side[0].f, "%s %s %s", head->method, head->target, head->authority);
	fake_headers(x->side[0].f, head, '{', '}');
	fake_again(a, &x->side[0], head->again);
	return x;
}

void http_app_answer(struct http_exchange *x, const struct http_head *head, uint64_t ns)
{
	(void)ns;
	fake_begin(&x->side[1]);
	fprintf(x->side[1].f, "%d", head->status);
	fake_headers(x->side[1].f, head, '{', '}');
}

bool http_app_body(struct http_exchange *x, int dir, const uint8_t *data, size_t len, uint64_t ns)
{
	struct fake_message *m = &x->side[dir];

	(void)ns;
	fake_check(m->begun && !m->done && !m->trailers && len);
	if (!m->body)
		fputs(" \"", m->f);
	m->body += len;
	fwrite(data, 1, len, m->f);
	return m->body < fake_enough;
}

void http_app_body_gap(struct http_exchange *x, int dir, uint64_t len, uint64_t ns)
{
	struct fake_message *m = &x->side[dir];

	(void)ns;
	fake_check(m->begun && !m->done && !m->trailers && len);
	fake_end_body(m);
	fprintf(m->f, " <%llu>", (unsigned long long)len);
}

void http_app_trailers(struct http_exchange *x, int dir, const struct http_head *trailers, uint64_t ns)
{
	struct fake_message *m = &x->side[dir];

	(void)ns;
	fake_check(m->begun && !m->done && !m->trailers);
	m->trailers = true;
	fake_end_body(m);
	fake_headers(m->f, trailers, '[', ']');
}

void http_app_left(struct http_exchange *x)
{
	if (!x->side[1].begun)
		fputs(" left", x->side[0].f);
}

void http_app_done(struct http_exchange *x, int dir, bool complete, uint64_t ns)
{
	struct fake_message *m = &x->side[dir];

	(void)ns;
	fake_check(m->begun && !m->done);
	m->done = true;
	fake_end_body(m);
	fputs(complete ? " done" : " cut", m->f);
}

void http_app_close(struct http_exchange *x, uint16_t flags, const char *reason, uint64_t ns)
{
	(void)ns;
	fake_check(!!(flags & L7_UNPARSEABLE) == !!reason || (flags & L7_PARTIAL));
	x->app->n_exchanges--;
	for (int dir = 0; dir < 2; dir++) {
		struct fake_message *m = &x->side[dir];

		if (m->begun) {
			fake_end_body(m);
			fclose(m->f);
		}
	}
	fake_lines++;
	if (!fake_quiet)
		fprintf(fake_log_file, "%s => %s;%s%s%s%s%s\n", x->side[0].text, x->side[1].text ?: "nothing",
			flags & L7_PARTIAL ? " partial" : "", flags & L7_MIDSTREAM ? " midstream" : "",
			flags & L7_UNPARSEABLE ? " unparseable" : "", reason ? ": " : "", reason ?: "");
	free(x->side[0].text);
	free(x->side[1].text);
	free(x);
}

size_t http_app_memory(const struct http_app *a)
{
	return sizeof(*a) + a->n_exchanges * sizeof(struct http_exchange);
}

void http_app_tick(struct http_app *a, uint64_t ns)
{
	(void)a;
	(void)ns;
}

#endif
