/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any protobuf message as JSON on one line, by protobuf's own mapping with the names of the .proto files: 64-bit
 * numbers are strings, times RFC 3339, enums names, wrappers plain values; what has its default is left out.
 */
#ifndef WEIR_PBJSON_H
#define WEIR_PBJSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "lib/err.h"

void pbjson_write(FILE *f, const ProtobufCMessage *msg);
/* As OTLP wants it: names in lowerCamelCase, enums as numbers, bytes (ids) in hex. */
void pbjson_write_otlp(FILE *f, const ProtobufCMessage *msg);
/* A JSON string with its quotes. */
void pbjson_write_str(FILE *f, const char *s);

/*
 * The way back: names as in the .proto files or in camelCase, no bytes. null is a field's default; of an Any that holds
 * no Struct the type alone is kept. The caller frees *ret with protobuf_c_message_free_unpacked. -EINVAL: reterr names
 * the field and what is wrong.
 */
int pbjson_read(const json_t *json, const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret, struct err *reterr);
/*
 * For what a newer program may have written: fields and names of enums that are not known are passed over; ret_unknown
 * has the first one, or "".
 */
int pbjson_read_lenient(const json_t *json, const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret,
			struct err *ret_unknown, struct err *reterr);

#endif
