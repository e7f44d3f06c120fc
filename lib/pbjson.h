/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any protobuf message as JSON on one line, by protobuf's own mapping with the names of the .proto files: 64-bit
 * numbers are strings, times RFC 3339, enums names, wrappers plain values; what has its default is left out.
 */
#ifndef WEIR_PBJSON_H
#define WEIR_PBJSON_H

#include <protobuf-c/protobuf-c.h>

#include "lib/macro.h"

void pbjson_write(FILE *f, const ProtobufCMessage *msg);
/* A JSON string with its quotes. */
void pbjson_write_str(FILE *f, const char *s);

#endif
