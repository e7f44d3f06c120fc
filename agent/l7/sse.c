// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/sse.h"

enum { FIELD, SPACE, DATA, IGNORE };

static bool is_data(const struct sse *s)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t skip = !s->begun && s->field_len >= 3 && !memcmp(s->field, mark, 3) ? 3 : 0;

	return s->field_len == skip + 4 && !memcmp(s->field + skip, "data", 4);
}

static void begin_data(struct sse *s)
{
	if (s->had_line)
		s->data(s->userdata, "\n", 1);
	s->has_data = true;
}

static void end_line(struct sse *s)
{
	bool empty = s->state == FIELD && !s->field_len, bare = s->state == FIELD && is_data(s);

	if (empty && s->has_data) {
		s->event(s->userdata);
		s->has_data = s->had_line = false;
	}
	if (bare)
		begin_data(s);
	if (bare || s->state == SPACE || s->state == DATA) /* "data:" or "data" alone is an empty line of data */
		s->had_line = true;
	s->state = FIELD;
	s->field_len = 0;
	s->begun = true;
}

static void on_field(struct sse *s, char c)
{
	if (c == ':') {
		bool data = is_data(s);

		s->state = data ? SPACE : IGNORE;
		if (data)
			begin_data(s);
	} else if (s->field_len < sizeof(s->field)) {
		s->field[s->field_len++] = c;
	}
}

void sse_feed(struct sse *s, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool lf_of_crlf = TAKE(s->after_cr, false) && data[i] == '\n';
		size_t from = i;

		if (lf_of_crlf)
			continue;
		if (data[i] == '\n' || data[i] == '\r') {
			s->after_cr = data[i] == '\r';
			end_line(s);
		} else if (s->state == FIELD) {
			on_field(s, data[i]);
		} else if (s->state == SPACE && data[i] == ' ') {
			s->state = DATA;
		} else if (s->state != IGNORE) {
			s->state = DATA;
			while (i < len && data[i] != '\n' && data[i] != '\r')
				i++;
			s->data(s->userdata, data + from, i - from);
			i--;
		}
	}
}

void sse_skip_line(struct sse *s)
{
	s->state = IGNORE;
	s->has_data = true;
}
