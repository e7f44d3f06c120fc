/* SPDX-License-Identifier: Apache-2.0 */
/* Why packets are dropped, in Hubble's numbers and words. */
#ifndef WEIR_DROP_H
#define WEIR_DROP_H

#include "lib/macro.h"
#include "weir/abi.h"

/* Hubble's number of a reason; 0 for a number that is none of ours. */
uint32_t drop_hubble(enum weir_drop reason);
/* "Policy denied"; never NULL. */
const char *drop_text(enum weir_drop reason);
/* What `hubble observe` prints for Hubble's number, of ours and Cilium's; NULL: it prints the number. */
const char *drop_text_of_hubble(uint32_t number);

#endif
