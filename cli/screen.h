/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole terminal, by the sequences that every one of them knows. Between open and close there are keys without
 * Enter and a second screen; whatever ends the process but SIGKILL gives the terminal back as it was, and so does
 * a stop by SIGTSTP until it goes on.
 */
#ifndef WEIR_SCREEN_H
#define WEIR_SCREEN_H

#include "lib/err.h"

/* -ENOTTY: stdin or stdout is no terminal. */
int screen_open(struct err *reterr);
void screen_close(void);
void screen_size(unsigned *ret_rows, unsigned *ret_columns);
/*
 * Shows the lines of the text, cut to what fits. Those numbered bold_from up to bold_to, from 0, are bold. 0 or a
 * negative errno.
 */
int screen_draw(const char *text, unsigned bold_from, unsigned bold_to);
/* Keys that were pressed: how many were read into buf; 0: the terminal is gone. Negative errno. */
ssize_t screen_keys(char *buf, size_t size);

#endif
