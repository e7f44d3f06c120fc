// SPDX-License-Identifier: Apache-2.0
#include "lib/pb.h"
#include "lib/pbjson.h"

#define DEPTH_MAX 16

static int read_message(const json_t *json, const ProtobufCMessageDescriptor *d, int depth, ProtobufCMessage **ret,
			struct err *reterr);

/* "source_pod" is also found by "sourcePod". */
static bool is_name(const char *proto, const char *json)
{
	if (streq(proto, json))
		return true;
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
	for (unsigned i = 0; i < d->n_fields; i++)
		if (is_name(d->fields[i].name, name))
			return &d->fields[i];
	return NULL;
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

static int read_enum(const json_t *json, const ProtobufCEnumDescriptor *d, int *ret, struct err *reterr)
{
	const char *name = json_string_value(json);
	const ProtobufCEnumValue *v = name ? protobuf_c_enum_descriptor_get_value_by_name(d, name) : NULL;
	uint64_t number;

	if (name && !v)
		return err_set(reterr, -EINVAL, "\"%s\" is no %s", name, d->short_name);
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

static int read_value(const json_t *json, const ProtobufCFieldDescriptor *d, int depth, void *ret, struct err *reterr)
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
		return read_enum(json, d->descriptor, ret, reterr);
	case PROTOBUF_C_TYPE_STRING:
		return read_string(json, ret, reterr);
	case PROTOBUF_C_TYPE_MESSAGE:
		return read_message(json, d->descriptor, depth + 1, ret, reterr);
	default:
		return err_set(reterr, -EINVAL, "cannot be given in JSON");
	}
}

static int read_list(const json_t *json, const ProtobufCFieldDescriptor *d, int depth, uint8_t *msg, struct err *reterr)
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
		int r = read_value(json_array_get(json, i), d, depth, values + i * size, reterr);

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

static int read_field(const json_t *json, const ProtobufCFieldDescriptor *d, int depth, uint8_t *msg,
		      struct err *reterr)
{
	int r;

	if (is_given(d, msg))
		return err_set(reterr, -EEXIST, "given twice");
	if (d->label == PROTOBUF_C_LABEL_REPEATED)
		return read_list(json, d, depth, msg, reterr);
	r = read_value(json, d, depth, msg + d->offset, reterr);
	if (r == 0 && d->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		*(uint32_t *)(msg + d->quantifier_offset) = d->id;
	return r;
}

static int read_message(const json_t *json, const ProtobufCMessageDescriptor *d, int depth, ProtobufCMessage **ret,
			struct err *reterr)
{
	ProtobufCMessage *msg;
	const char *key;
	json_t *value;
	int r = 0;

	if (!json_is_object(json) || depth > DEPTH_MAX)
		return err_set(reterr, -EINVAL, "must be an object");
	msg = pb_new(d);
	if (!msg)
		return err_oom(reterr);
	json_object_foreach ((json_t *)json, key, value) {
		const ProtobufCFieldDescriptor *f = find_field(d, key);

		r = f ? read_field(value, f, depth, (uint8_t *)msg, reterr) : err_set(reterr, -EINVAL, "unknown field");
		if (r < 0) {
			err_prefix(reterr, r, "%s", key);
			break;
		}
	}
	if (r < 0)
		protobuf_c_message_free_unpacked(msg, NULL);
	else
		*ret = msg;
	return r;
}

int pbjson_read(const json_t *json, const ProtobufCMessageDescriptor *d, ProtobufCMessage **ret, struct err *reterr)
{
	return read_message(json, d, 0, ret, reterr);
}
