// SPDX-License-Identifier: Apache-2.0
/* DNS; the first byte says whether the rest is a script for UDP ('u') or TCP. sources: agent/l7/dns.c agent/l7/record.c
 */
#include "test/fuzz/conversation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		converse(data[0] == 'u' ? &l7_dns_udp : &l7_dns_tcp, 512 * 1024, false, data + 1, size - 1);
	return 0;
}
