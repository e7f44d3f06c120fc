/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a conversation does not depend on how it was cut into pieces; what comes byte by byte is never known
 * by heart. */
#ifndef WEIR_FUZZ_CUT_H
#define WEIR_FUZZ_CUT_H

#include "test/fuzz/conversation.h"
#include "test/unit/http_fake.h"

static inline bool cut_short(const char *line, size_t len)
{
	return memmem(line, len, "partial", 7) || memmem(line, len, "unparseable", 11);
}

/*
 * Up to the first exchange that could not be read to its end: what was read of that, or whether anything was, depends
 * on where the piece ended. both: there it ends on either side; with HTTP/1 one side may still tell of others.
 */
static inline bool cut_same(const char *a, const char *b, bool both)
{
	while (*a || *b) {
		const char *a_end = strchrnul(a, '\n'), *b_end = strchrnul(b, '\n');
		bool a_short = cut_short(a, a_end - a), b_short = cut_short(b, b_end - b);

		if (both ? (!*a || a_short) && (!*b || b_short) : a_short || b_short)
			return true;
		if (a_end - a != b_end - b || memcmp(a, b, a_end - a) != 0)
			return false;
		a = a_end + !!*a_end;
		b = b_end + !!*b_end;
	}
	return true;
}

/* The conversation, whole and in pieces; the fake's lines are compared. */
static inline void cut_converse(const struct l7_proto *proto, const uint8_t *data, size_t size)
{
	char *whole;

	fake_init();
	converse(proto, 1024 * 1024, false, data, size);
	whole = strdup(fake_text());
	fake_init();
	converse(proto, 1024 * 1024, true, data, size);
	if (!whole || !cut_same(whole, fake_text(), proto == &l7_http2))
		abort();
	free(whole);
}

#endif
