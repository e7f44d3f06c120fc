// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1 up to the consumer's calls, whose order the fake checks. What is read does not depend on how it was cut into
 * pieces; heads that come in two are never known by heart.
 * sources: agent/l7/http1.c agent/l7/http_head.c agent/l7/record.c lib/arena.c
 */
#include "test/fuzz/conversation.h"
#include "test/unit/http_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Up to the first exchange that could not be read to its end: what was read of that depends on where the piece ended.
 */
static bool same(const char *a, const char *b)
{
	while (*a || *b) {
		const char *a_end = strchrnul(a, '\n'), *b_end = strchrnul(b, '\n');

		if (memmem(a, a_end - a, "partial", 7) || memmem(a, a_end - a, "unparseable", 11))
			return true;
		if (a_end - a != b_end - b || memcmp(a, b, a_end - a) != 0)
			return false;
		a = a_end + !!*a_end;
		b = b_end + !!*b_end;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *whole;

	if (!size)
		return 0;
	fake_enough = data[0];
	fake_init();
	converse(&l7_http1, 1024 * 1024, false, data + 1, size - 1);
	whole = strdup(fake_text());
	fake_init();
	converse(&l7_http1, 1024 * 1024, true, data + 1, size - 1);
	if (!whole || !same(whole, fake_text()))
		abort();
	free(whole);
	return 0;
}
