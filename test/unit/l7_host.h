/* SPDX-License-Identifier: Apache-2.0 */
/* A host for parsers under test: keeps the records that they emit, and answers for how they use it. */
#ifndef WEIR_TEST_L7_HOST_H
#define WEIR_TEST_L7_HOST_H

#include <arpa/inet.h>
#include <netinet/in.h>

#include "agent/l7/proto.h"

struct test_host {
	struct l7_host host;
	struct l7_settings settings;
	struct l7_record *records[1024];
	size_t n;
	unsigned ignored;
};

static inline void test_host_emit(struct l7_host *h, struct l7_record *r)
{
	struct test_host *t = h->userdata;

	if (t->n == ARRAY_SIZE(t->records))
		abort(); /* more records than any test makes */
	t->records[t->n++] = r;
}

static inline void test_host_bytes(struct l7_host *h, int dir, uint64_t bytes)
{
	(void)h;
	(void)dir;
	(void)bytes;
}

static inline void test_host_ignore(struct l7_host *h)
{
	((struct test_host *)h->userdata)->ignored++;
}

static inline void test_host_init(struct test_host *t)
{
	*t = (struct test_host){ .host = { .ends = { .port = { htons(40000), htons(80) }, .proto = IPPROTO_TCP },
					   .emit = test_host_emit,
					   .skip = test_host_bytes,
					   .want = test_host_bytes,
					   .ignore = test_host_ignore } };
	t->host.settings = &t->settings;
	t->host.userdata = t;
}

static inline void test_host_clear(struct test_host *t)
{
	for (size_t i = 0; i < t->n; i++)
		l7_record_free(t->records[i]);
	t->n = 0;
}

#endif
