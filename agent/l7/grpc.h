/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages in one direction of a gRPC call. Of each the beginning is kept: what is looked for (identifiers, states)
 * has low field numbers, and encoders write fields in their order.
 */
#ifndef WEIR_L7_GRPC_H
#define WEIR_L7_GRPC_H

#include "lib/macro.h"

#define GRPC_MESSAGE_KEPT 2048 /* bytes of a message */
#define GRPC_TRAILERS 0x80     /* of gRPC-Web: what follows is not a message, but trailers as text */

typedef void (*grpc_message_fn)(void *userdata, const uint8_t *data, size_t len);

struct grpc_stream {
	uint64_t messages; /* that began */
	uint32_t left;     /* bytes of the message that have not come */
	uint32_t n_kept;
	uint8_t head[5], have;
	bool lost;     /* a hole hid where messages begin */
	bool unread;   /* of a message that is compressed */
	uint8_t *kept; /* NULL: nothing is looked into, or out of memory */
	/* The beginning of a message that is not compressed; all of it when it is no longer than GRPC_MESSAGE_KEPT.
	 * NULL: only count. */
	grpc_message_fn on_message, on_trailers;
	void *userdata;
};

void grpc_stream_feed(struct grpc_stream *s, const uint8_t *data, size_t len);
void grpc_stream_gap(struct grpc_stream *s, uint64_t len);
void grpc_stream_done(struct grpc_stream *s);

/*
 * One field of a protobuf message. Numbers of wire type 0 are in v; of type 2 data and len. len is what is there: less
 * than `whole` when the message was cut off.
 */
struct pb_field {
	uint32_t number;
	uint8_t type;
	uint64_t v;
	const uint8_t *data;
	size_t len, whole;
};
/* The field at *pos, which moves behind it. False: there is no more, or what follows is no protobuf. */
bool pb_next(const uint8_t *msg, size_t len, size_t *pos, struct pb_field *ret);

#endif
