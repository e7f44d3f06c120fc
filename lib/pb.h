/* SPDX-License-Identifier: Apache-2.0 */
/* Building protobuf-c messages that protobuf_c_message_free_unpacked() frees again. */
#ifndef WEIR_PB_H
#define WEIR_PB_H

#include <protobuf-c/protobuf-c.h>

#include "lib/macro.h"

/* A new, initialised message; NULL: out of memory. */
void *pb_new(const ProtobufCMessageDescriptor *d);
/*
 * A new message at the end of a repeated field: e = pb_append(&msg->n_endpoints, &msg->endpoints, &…__descriptor).
 * NULL: out of memory.
 */
void *pb_append(size_t *n, void *array, const ProtobufCMessageDescriptor *d);
int pb_append_str(size_t *n, char ***array, const char *s); /* 0 or -ENOMEM */
/* Replaces a string field; NULL makes it empty. 0 or -ENOMEM. */
int pb_set_str(char **field, const char *s);

#endif
