/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a pod's payload is read, in the words of the annotation weir.io/l7 and of the agent's configuration. */
#ifndef WEIR_LIB_L7_WISH_H
#define WEIR_LIB_L7_WISH_H

#include "lib/macro.h"
#include "weir/abi.h"

#define L7_WISH_WORDS "\"full\", \"headers\" or \"off\""

/* WEIR_EP_L7_FULL, _HEADERS or _OFF; 0: it is none of these words. */
static inline uint32_t l7_wish(const char *word)
{
	return streq(word, "full")      ? WEIR_EP_L7_FULL
	       : streq(word, "headers") ? WEIR_EP_L7_HEADERS
	       : streq(word, "off")     ? WEIR_EP_L7_OFF
					: 0;
}

#endif
