/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange of layer 7 in words. All write valid UTF-8 with a final NUL, cut to size. */
#ifndef WEIR_FLOW_L7_TEXT_H
#define WEIR_FLOW_L7_TEXT_H

#include "agent/l7/record.h"

#define L7_URL_MAX (3 * L7_STR_MAX + 16)

/* Whether an answer was seen. */
bool l7_answered(const struct l7_record *r);
/* Whether it went over HTTP and the head of a message was read, whatever was in it. */
bool l7_is_http(const struct l7_record *r);
/* "http://host/path?query"; empty for what is no HTTP. */
void l7_url(const struct l7_record *r, char *buf, size_t size);
/* What was asked for: "GET http://host/path", "tools/call execute_sql", "chat gpt-5", "example.com. A". */
void l7_subject(const struct l7_record *r, char *buf, size_t size);
/* What came of it: "200", "NOT_FOUND", "10.0.0.1", "tool_error", "error(-32602)", "no_answer". */
void l7_result(const struct l7_record *r, char *buf, size_t size);
/* What else is worth a glance: "in=1200 out=340 first=80ms", "partial"; often empty. */
void l7_notes(const struct l7_record *r, char *buf, size_t size);
/* The whole on one line, HTTP and DNS in Cilium's words: "HTTP/1.1 200 12ms (GET http://host/path)". */
void l7_summary(const struct l7_record *r, char *buf, size_t size);

#endif
