/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers at an address, by the A2A agent card that was fetched from there: later calls of that agent get its name.
 * An agent names itself; nobody names another: a card counts for the address and port that served it, as long as the
 * same identity has them, and for what lies below the folder that /.well-known was in.
 */
#ifndef WEIR_L7_CARDS_H
#define WEIR_L7_CARDS_H

#include "agent/l7/record.h"

#define CARDS_MAX 1024 /* beyond, the least recently used goes, of the same address if there is one */

struct cards;
struct cards *cards_new(void); /* NULL: out of memory */
void cards_free(struct cards *c);
DEFINE_CLEANUP(struct cards *, cards_free);

/* A record that is complete but not packed yet: a card is remembered, a call over A2A gets the callee's name and
 * version. */
void cards_apply(struct cards *c, struct l7_record *r);

#endif
