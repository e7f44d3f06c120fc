// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/2 up to the consumer's calls, whose order the fake checks.
 * sources: agent/l7/http2.c agent/l7/http2_block.c agent/l7/http2_head.c agent/l7/http_head.c agent/l7/record.c
 * lib/arena.c
 */
#include "test/fuzz/cut.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	fake_enough = data[0];
	cut_converse(&l7_http2, data + 1, size - 1);
	return 0;
}
