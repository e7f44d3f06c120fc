/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flow.extensions: what Hubble has no fields for, as a google.protobuf.Struct, because its clients refuse to print
 * types that they do not know. Filled over and over: begin, put, end. Keys and texts are not copied.
 */
#ifndef WEIR_FLOW_EXTENSIONS_H
#define WEIR_FLOW_EXTENSIONS_H

#include "agent/l7/record.h"
#include "lib/proto/google.pb-c.h"

#define FLOW_EXT_MAX (L7_KEY_COUNT + 16)

struct flow_ext {
	Google__Protobuf__Struct fields;
	Google__Protobuf__Struct__FieldsEntry entry[FLOW_EXT_MAX], *list[FLOW_EXT_MAX];
	Google__Protobuf__Value value[FLOW_EXT_MAX];
	Google__Protobuf__Any any;
	uint8_t *buf;
	size_t size;
};

void flow_ext_begin(struct flow_ext *e);
void flow_ext_number(struct flow_ext *e, const char *key, double v);
void flow_ext_text(struct flow_ext *e, const char *key, const char *s); /* NULL and "" are left out */
void flow_ext_flag(struct flow_ext *e, const char *key, bool set);      /* false is left out */
Google__Protobuf__Any *flow_ext_end(struct flow_ext *e);                /* NULL: out of memory */
void flow_ext_clear(struct flow_ext *e);

#endif
