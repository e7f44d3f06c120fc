// SPDX-License-Identifier: Apache-2.0
#include "lib/pb.h"
#include "lib/pbjson.h"
#include "lib/proto/google.pb-c.h"
#include "lib/rfc3339.h"

#define DEPTH_MAX 16
#define SECOND 1000000000ull

/* Where in the message we are, and what was passed over; unknown NULL: nothing may be. */
struct at {
	int depth;
	struct err *unknown;
};

static int read_message(const json_t *json, const ProtobufCMessageDescriptor *d, struct at at, ProtobufCMessage **ret,
			struct err *reterr);

/* The first thing that is not known, when such things are passed over. */
static int pass_over(struct at at, struct err *reterr)
{
	if (!at.unknown)
		return -EINVAL;
	if (!*at.unknown->msg)
		*at.unknown = *reterr;
	return 0;
}

/* "sourcePod" for "source_pod". */
static bool is_camel_case(const char *proto, const char *json)
{
	for (; *proto && *json; proto++, json++) {
		char want = *proto;

		if (want == '_' && proto[1])
			want = (char)(*++proto >= 'a' && *proto <= 'z' ? *proto - 'a' + 'A' : *proto);
		if (*json != want)
			return false;
	}
	return !*proto && !*json;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *d, const char *name)
{
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(d, name);

	for (unsigned i = 0; i < d->n_fields && !f; i++)
		if (is_camel_case(d->fields[i].name, name))
			f = &d->fields[i];
	return f;
}

/* Numbers may come as strings, as protobuf writes wide ones. */
static int read_integer(const json_t *json, int64_t min, uint64_t max, uint64_t *ret, struct err *reterr)
{
	const char *s = json_string_value(json);
	long long v = json_integer_value(json);
	char *end;

	if (s) {
		errno = 0;
		if (*s == '-') {
			v = strtoll(s, &end, 10);
		} else {
			*ret = strtoull(s, &end, 10);
			if (!errno && end != s && !*end && *ret <= max)
				return 0;
			return err_set(reterr, -EINVAL, "\"%s\" is not a number that fits", s);
		}
		if (errno || *end)
			return err_set(reterr, -EINVAL, "\"%s\" is not a number that fits", s);
	} else if (!json_is_integer(json)) {
		return err_set(reterr, -EINVAL, "must be a number");
	}
	if (v < min || (v > 0 && (uint64_t)v > max))
		return err_set(reterr, -EINVAL, "%lld is out of range", v);
	*ret = (uint64_t)v;
	return 0;
}

static int read_enum(const json_t *json, const ProtobufCEnumDescriptor *d, struct at at, int *ret, struct err *reterr)
{
	const char *name = json_string_value(json);
	const ProtobufCEnumValue *v = name ? protobuf_c_enum_descriptor_get_value_by_name(d, name) : NULL;
	uint64_t number;

	if (name && !v) {
		err_set(reterr, -EINVAL, "\"%s\" is no %s", name, d->short_name);
		return pass_over(at, reterr);
	}
	if (v) {
		*ret = v->value;
		return 0;
	}
	if (read_integer(json, INT32_MIN, INT32_MAX, &number, reterr) < 0)
		return -EINVAL;
	*ret = (int)number;
	return 0;
}

static size_t value_size(const ProtobufCFieldDescriptor *d)
{
	switch (d->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	default:
		return 4;
	}
}

static int read_string(const json_t *json, char **ret, struct err *reterr)
{
	char *s;

	if (!json_is_string(json))
		return err_set(reterr, -EINVAL, "must be a string");
	s = strdup(json_string_value(json));
	if (!s)
		return err_oom(reterr);
	*ret = s;
	return 0;
}

static int read_value(const json_t *json, const ProtobufCFieldDescriptor *d, struct at at, void *ret,
		      struct err *reterr)
{
	uint64_t number = 0;
	int r;

	switch (d->type) {
	case PROTOBUF_C_TYPE_BOOL:
		if (!json_is_boolean(json))
			return err_set(reterr, -EINVAL, "must be true or false");
		*(protobuf_c_boolean *)ret = json_is_true(json);
		return 0;
	case PROTOBUF_C_TYPE_INT32:
		r = read_integer(json, INT32_MIN, INT32_MAX, &number, reterr);
		*(int32_t *)ret = (int32_t)number;
		return r;
	case PROTOBUF_C_TYPE_UINT32:
		r = read_integer(json, 0, UINT32_MAX, &number, reterr);
		*(uint32_t *)ret = (uint32_t)number;
		return r;
	case PROTOBUF_C_TYPE_INT64:
		r = read_integer(json, INT64_MIN, INT64_MAX, &number, reterr);
		*(int64_t *)ret = (int64_t)number;
		return r;
	case PROTOBUF_C_TYPE_UINT64:
		return read_integer(json, 0, UINT64_MAX, ret, reterr);
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)ret = json_number_value(json);
		return json_is_number(json) ? 0 : err_set(reterr, -EINVAL, "must be a number");
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(json, d->descriptor, at, ret, reterr);
	case PROTOBUF_C_TYPE_STRING:
		return read_string(json, ret, reterr);
	case PROTOBUF_C_TYPE_MESSAGE:
		at.depth++;
		return read_message(json, d->descriptor, at, ret, reterr);
	default:
		return err_set(reterr, -EINVAL, "cannot be given in JSON");
	}
}

static int read_list(const json_t *json, const ProtobufCFieldDescriptor *d, struct at at, uint8_t *msg,
		     struct err *reterr)
{
	size_t *n = (size_t *)(msg + d->quantifier_offset), size = value_size(d);
	uint8_t *values;

	if (!json_is_array(json))
		return err_set(reterr, -EINVAL, "must be a list");
	if (!json_array_size(json))
		return 0;
	values = calloc(json_array_size(json), size);
	if (!values)
		return err_oom(reterr);
	*(void **)(msg + d->offset) = values;
	for (size_t i = 0; i < json_array_size(json); i++) {
		int r = read_value(json_array_get(json, i), d, at, values + i * size, reterr);

		if (r < 0)
			return err_prefix(reterr, r, "[%zu]", i);
		*n = i + 1;
	}
	return 0;
}

/* Under its two names, say. */
static bool is_given(const ProtobufCFieldDescriptor *d, const uint8_t *msg)
{
	const void *p;

	if (d->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)(msg + d->quantifier_offset) > 0;
	if (d->type != PROTOBUF_C_TYPE_STRING && d->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	p = *(void *const *)(msg + d->offset);
	return p && p != d->default_value;
}

static int read_field(const json_t *json, const ProtobufCFieldDescriptor *d, struct at at, uint8_t *msg,
		      struct err *reterr)
{
	int r;

	if (json_is_null(json))
		return 0;
	if (is_given(d, msg))
		return err_set(reterr, -EEXIST, "given twice");
	if (d->label == PROTOBUF_C_LABEL_REPEATED)
		return read_list(json, d, at, msg, reterr);
	r = read_value(json, d, at, msg + d->offset, reterr);
	if (r == 0 && d->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		*(uint32_t *)(msg + d->quantifier_offset) = d->id;
	return r;
}

/* ---- types with a form of their own */

static int read_timestamp(const json_t *json, Google__Protobuf__Timestamp *t, struct err *reterr)
{
	const char *s = json_string_value(json);
	uint64_t ns;

	if (!s || rfc3339_parse(s, &ns) < 0)
		return err_set(reterr, -EINVAL, "must be a time");
	t->seconds = (int64_t)(ns / SECOND);
	t->nanos = (int32_t)(ns % SECOND);
	return 0;
}

static int read_any_value(const json_t *json, struct at at, Google__Protobuf__Value *v, struct err *reterr)
{
	switch (json_typeof(json)) {
	case JSON_NULL:
		v->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		v->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
		v->bool_value = json_is_true(json);
		return 0;
	case JSON_INTEGER:
	case JSON_REAL:
		v->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
		v->number_value = json_number_value(json);
		return 0;
	case JSON_STRING:
		v->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
		return read_string(json, &v->string_value, reterr);
	case JSON_ARRAY:
		v->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
		return read_message(json, &google__protobuf__list_value__descriptor, at,
				    (ProtobufCMessage **)&v->list_value, reterr);
	default:
		v->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
		return read_message(json, &google__protobuf__struct__descriptor, at,
				    (ProtobufCMessage **)&v->struct_value, reterr);
	}
}

static int read_struct(const json_t *json, struct at at, Google__Protobuf__Struct *s, struct err *reterr)
{
	const char *key;
	json_t *value;
	int r = 0;

	if (!json_is_object(json))
		return err_set(reterr, -EINVAL, "must be an object");
	json_object_foreach ((json_t *)json, key, value) {
		Google__Protobuf__Struct__FieldsEntry *e =
		    pb_append(&s->n_fields, &s->fields, &google__protobuf__struct__fields_entry__descriptor);

		if (!e || pb_set_str(&e->key, key) < 0)
			return err_oom(reterr);
		r = read_message(value, &google__protobuf__value__descriptor, at, (ProtobufCMessage **)&e->value,
				 reterr);
		if (r < 0)
			return err_prefix(reterr, r, "%s", key);
	}
	return 0;
}

static int read_value_list(const json_t *json, struct at at, Google__Protobuf__ListValue *l, struct err *reterr)
{
	for (size_t i = 0; i < json_array_size(json); i++) {
		Google__Protobuf__Value *v = pb_append(&l->n_values, &l->values, &google__protobuf__value__descriptor);
		int r = v ? read_any_value(json_array_get(json, i), at, v, reterr) : err_oom(reterr);

		if (r < 0)
			return err_prefix(reterr, r, "[%zu]", i);
	}
	return 0;
}

/* A Struct is taken over; of other types there is no description here, so the type's name alone is. */
static int read_any(const json_t *json, struct at at, Google__Protobuf__Any *any, struct err *reterr)
{
	const char *type = json_string_value(json_object_get(json, "@type")), *slash = type ? strrchr(type, '/') : NULL;
	ProtobufCMessage *s = NULL;
	int r;

	if (!slash)
		return err_set(reterr, -EINVAL, "@type: must be the address of a type");
	if (pb_set_str(&any->type_url, type) < 0)
		return err_oom(reterr);
	if (!streq(slash + 1, google__protobuf__struct__descriptor.name))
		return 0;
	r = read_message(json_object_get(json, "value"), &google__protobuf__struct__descriptor, at, &s, reterr);
	if (r < 0)
		return err_prefix(reterr, r, "value");
	any->value.len = protobuf_c_message_get_packed_size(s);
	any->value.data = malloc(any->value.len + 1);
	if (any->value.data)
		protobuf_c_message_pack(s, any->value.data);
	protobuf_c_message_free_unpacked(s, NULL);
	return any->value.data ? 0 : err_oom(reterr);
}

/* False: an object of fields, as most are. */
static bool read_known(const json_t *json, struct at at, ProtobufCMessage *msg, int *ret_r, struct err *reterr)
{
	const ProtobufCMessageDescriptor *d = msg->descriptor;

	at.depth++;
	if (d == &google__protobuf__timestamp__descriptor)
		*ret_r = read_timestamp(json, (Google__Protobuf__Timestamp *)msg, reterr);
	else if (d == &google__protobuf__value__descriptor)
		*ret_r = read_any_value(json, at, (Google__Protobuf__Value *)msg, reterr);
	else if (d == &google__protobuf__struct__descriptor)
		*ret_r = read_struct(json, at, (Google__Protobuf__Struct *)msg, reterr);
	else if (d == &google__protobuf__list_value__descriptor)
		*ret_r = read_value_list(json, at, (Google__Protobuf__ListValue *)msg, reterr);
	else if (d == &google__protobuf__any__descriptor)
		*ret_r = read_any(json, at, (Google__Protobuf__Any *)msg, reterr);
	else if (d == &google__protobuf__bool_value__descriptor || d == &google__protobuf__int32_value__descriptor ||
		 d == &google__protobuf__uint32_value__descriptor)
		*ret_r = read_value(json, &d->fields[0], at, (uint8_t *)msg + d->fields[0].offset, reterr);
	else
		return false;
	return true;
}

static int read_fields(const json_t *json, struct at at, ProtobufCMessage *msg, struct err *reterr)
{
	const char *key;
	json_t *value;

	if (!json_is_object(json))
		return err_set(reterr, -EINVAL, "must be an object");
	json_object_foreach ((json_t *)json, key, value) {
		const ProtobufCFieldDescriptor *f = find_field(msg->descriptor, key);
		int r;

		if (f) {
			r = read_field(value, f, at, (uint8_t *)msg, reterr);
		} else {
			err_set(reterr, -EINVAL, "unknown field");
			err_prefix(reterr, -EINVAL, "%s", key);
			r = pass_over(at, reterr);
			if (r < 0)
				return r;
		}
		if (r < 0)
			return err_prefix(reterr, r, "%s", key);
	}
	return 0;
}

static int read_message(const json_t *json, const ProtobufCMessageDescriptor *d, struct at at, ProtobufCMessage **ret,
			struct err *reterr)
{
	ProtobufCMessage *msg;
	int r;

	if (!json || at.depth > DEPTH_MAX)
		return err_set(reterr, -EINVAL, json ? "is too deep" : "is missing");
	msg = pb_new(d);
	if (!msg)
		return err_oom(reterr);
	if (!read_known(json, at, msg, &r, reterr))
		r = read_fields(json, at, msg, reterr);
	if (r < 0)
		protobuf_c_message_free_unpacked(msg, NULL);
	else
		*ret = msg;
	return r;
}

int pbjson_read(const json_t *json, const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret, struct err *reterr)
{
	return read_message(json, d, (struct at){ 0 }, ret, reterr);
}

int pbjson_read_lenient(const json_t *json, const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret,
			struct err *ret_unknown, struct err *reterr)
{
	struct err e = { 0 };
	struct at at = { .unknown = ret_unknown };

	*ret_unknown->msg = '\0';
	return read_message(json, d, at, ret, reterr ?: &e);
}
