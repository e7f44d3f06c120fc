/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events (WHATWG HTML, "event stream interpretation"): bytes in any pieces → the data of each event in
 * pieces. Lines end with LF, CRLF or CR; several data lines are joined by a newline; comments, other fields and a byte
 * order mark are passed over.
 */
#ifndef WEIR_L7_SSE_H
#define WEIR_L7_SSE_H

#include "lib/macro.h"

struct sse {
	void (*data)(void *userdata, const char *data, size_t len);
	void (*event)(void *userdata); /* the event that data was for is over; only called when there was some */
	void *userdata;
	char field[8]; /* beginning of a line */
	uint8_t field_len;
	uint8_t state;
	bool begun, has_data, had_line, after_cr; /* begun: the first line is over */
};

void sse_feed(struct sse *s, const char *data, size_t len);
/* Bytes are missing: the rest of this line means nothing. */
void sse_skip_line(struct sse *s);

#endif
