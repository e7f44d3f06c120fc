// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/extensions.h"

void flow_ext_begin(struct flow_ext *e)
{
	google__protobuf__struct__init(&e->fields);
	e->fields.fields = e->list;
}

static Google__Protobuf__Value *add(struct flow_ext *e, const char *key)
{
	size_t i = e->fields.n_fields++;

	google__protobuf__struct__fields_entry__init(&e->entry[i]);
	google__protobuf__value__init(&e->value[i]);
	e->entry[i].key = (char *)key;
	e->entry[i].value = &e->value[i];
	e->list[i] = &e->entry[i];
	return &e->value[i];
}

void flow_ext_number(struct flow_ext *e, const char *key, double v)
{
	Google__Protobuf__Value *value = add(e, key);

	value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
	value->number_value = v;
}

void flow_ext_text(struct flow_ext *e, const char *key, const char *s)
{
	Google__Protobuf__Value *value = s && *s ? add(e, key) : NULL;

	if (!value)
		return;
	value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
	value->string_value = (char *)s;
}

void flow_ext_flag(struct flow_ext *e, const char *key, bool set)
{
	Google__Protobuf__Value *value = set ? add(e, key) : NULL;

	if (!value)
		return;
	value->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
	value->bool_value = true;
}

Google__Protobuf__Any *flow_ext_end(struct flow_ext *e)
{
	size_t size = google__protobuf__struct__get_packed_size(&e->fields);

	if (size > e->size) {
		uint8_t *buf = realloc(e->buf, size);

		if (!buf)
			return NULL;
		e->buf = buf;
		e->size = size;
	}
	google__protobuf__any__init(&e->any);
	e->any.type_url = (char *)"type.googleapis.com/google.protobuf.Struct";
	e->any.value.data = e->buf;
	e->any.value.len = google__protobuf__struct__pack(&e->fields, e->buf);
	return &e->any;
}

void flow_ext_clear(struct flow_ext *e)
{
	free(TAKE_PTR(e->buf));
	e->size = 0;
}
