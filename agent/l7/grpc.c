// SPDX-License-Identifier: Apache-2.0
#include "agent/l7/grpc.h"

/* Who is told of the message in hand; NULL: nobody, or it is compressed. */
static grpc_message_fn callback(const struct grpc_stream *s)
{
	return s->head[0] == 0 ? s->on_message : s->head[0] == GRPC_TRAILERS ? s->on_trailers : NULL;
}

static void tell(struct grpc_stream *s)
{
	if (callback(s) && s->n_kept)
		callback(s)(s->userdata, s->kept, s->n_kept);
	s->n_kept = 0;
}

static void keep(struct grpc_stream *s, const uint8_t *data, size_t len)
{
	size_t n = MIN(len, (size_t)GRPC_MESSAGE_KEPT - s->n_kept);

	if (!callback(s) || !n)
		return;
	if (!s->kept)
		s->kept = malloc(GRPC_MESSAGE_KEPT);
	if (!s->kept)
		return;
	memcpy(s->kept + s->n_kept, data, n);
	s->n_kept += (uint32_t)n;
}

static void begin(struct grpc_stream *s)
{
	s->have = 0;
	s->unread |= s->on_message && s->head[0] == 1;
	s->messages += !(s->head[0] & GRPC_TRAILERS);
	s->left = (uint32_t)s->head[1] << 24 | (uint32_t)s->head[2] << 16 | (uint32_t)s->head[3] << 8 | s->head[4];
}

void grpc_stream_feed(struct grpc_stream *s, const uint8_t *data, size_t len)
{
	while (len && !s->lost) {
		size_t n = MIN(len, (size_t)s->left);

		if (!s->left) {
			s->head[s->have++] = *data++;
			len--;
			if (s->have == sizeof(s->head))
				begin(s);
			continue;
		}
		keep(s, data, n);
		s->left -= (uint32_t)n;
		data += n;
		len -= n;
		if (!s->left)
			tell(s);
	}
}

/* What is behind the hole in a message is not looked at: it would stand in the wrong place. Trailers say nothing by
 * halves. */
void grpc_stream_gap(struct grpc_stream *s, uint64_t len)
{
	if (s->lost || !len)
		return;
	if (s->left && s->head[0] & GRPC_TRAILERS) {
		s->lost = true;
		return;
	}
	tell(s);
	s->head[0] = 1;
	s->lost = len > s->left;
	s->left -= s->lost ? s->left : (uint32_t)len;
}

void grpc_stream_done(struct grpc_stream *s)
{
	free(s->kept);
	s->kept = NULL;
}

/* ---- protobuf */

static bool take_varint(const uint8_t *msg, size_t len, size_t *pos, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && *pos < len; shift += 7) {
		uint8_t b = msg[(*pos)++];

		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

bool pb_next(const uint8_t *msg, size_t len, size_t *pos, struct pb_field *ret)
{
	enum { VARINT, FIXED64, BYTES, FIXED32 = 5 };
	uint64_t tag, n;

	if (!take_varint(msg, len, pos, &tag) || !(tag >> 3) || tag >> 3 > UINT32_MAX)
		return false;
	*ret = (struct pb_field){ .number = (uint32_t)(tag >> 3), .type = tag & 7 };
	switch (ret->type) {
	case VARINT:
		return take_varint(msg, len, pos, &ret->v);
	case FIXED64:
	case FIXED32:
		n = ret->type == FIXED64 ? 8 : 4;
		break;
	case BYTES:
		if (take_varint(msg, len, pos, &n))
			break;
		return false;
	default:
		return false;
	}
	ret->data = msg + *pos;
	ret->whole = n;
	ret->len = MIN(n, (uint64_t)(len - *pos));
	*pos += ret->len;
	return true;
}
