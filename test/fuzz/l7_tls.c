// SPDX-License-Identifier: Apache-2.0
/* ClientHellos. sources: agent/l7/tls.c agent/l7/record.c */
#include "test/fuzz/conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	converse(&l7_tls, 17 * 1024, false, data, size);
	return 0;
}
