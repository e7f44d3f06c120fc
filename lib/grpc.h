/* SPDX-License-Identifier: Apache-2.0 */
/* What gRPC puts on top of HTTP/2, for both ends and without I/O: messages in DATA frames, statuses, deadlines. */
#ifndef WEIR_GRPC_H
#define WEIR_GRPC_H

#include "lib/err.h"

enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};
/* "InvalidArgument", as gRPC's own tools print it; "Code(n)" is the caller's for NULL. */
const char *grpc_status_name(int status);

/* "12S", "500m": at most eight digits and a unit of HMSmun. -EINVAL. */
int grpc_timeout_parse(const char *s, size_t len, uint64_t *ret_usec);

/* grpc-message is percent-encoded. ret has room for size bytes with the final NUL; what does not fit is cut. */
void grpc_message_encode(const char *s, char *ret, size_t size);
void grpc_message_decode(const char *s, size_t len, char *ret, size_t size);

/* Every message is preceded by these: a compressed flag and the length. */
#define GRPC_PREFIX 5
void grpc_prefix_put(uint8_t *buf, uint32_t len);

/* Cuts the bytes of DATA frames into messages. */
struct grpc_reader {
	size_t max; /* longest message taken */
	/* The data is valid during the call. A negative value stops the reader. */
	int (*on_message)(void *userdata, const uint8_t *data, size_t len);
	void *userdata;
	uint8_t *buf; /* a message that is not complete, with its prefix */
	size_t have, cap;
};
/*
 * 0, or negative: -ENOTSUP: a compressed message; -EMSGSIZE: longer than max; -EPROTO: a bad prefix; -ENOMEM; what
 * on_message returned. The reader is of no use after an error.
 */
int grpc_reader_feed(struct grpc_reader *r, const uint8_t *data, size_t len);
void grpc_reader_clear(struct grpc_reader *r);
/* True in the middle of a message. */
static inline bool grpc_reader_partial(const struct grpc_reader *r)
{
	return r->have > 0;
}

#endif
