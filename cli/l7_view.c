// SPDX-License-Identifier: Apache-2.0
#include "cli/l7_view.h"

bool l7_view_open(const Flow__Flow *f, struct l7_view *ret_view)
{
	const Google__Protobuf__Any *any = f->type == FLOW__FLOW_TYPE__L7 ? f->extensions : NULL;
	const char *slash = any ? strrchr(any->type_url, '/') : NULL;
	struct l7_view v = { 0 };

	if (!slash || !streq(slash + 1, google__protobuf__struct__descriptor.name))
		return false;
	v.fields = google__protobuf__struct__unpack(NULL, any->value.len, any->value.data);
	if (!v.fields || !*l7_view_str(&v, "weir.kind")) {
		l7_view_close(&v);
		return false;
	}
	*ret_view = v;
	return true;
}

void l7_view_close(struct l7_view *v)
{
	google__protobuf__struct__free_unpacked(TAKE_PTR(v->fields), NULL);
}

static const Google__Protobuf__Value *find(const struct l7_view *v, const char *key,
					   Google__Protobuf__Value__KindCase kind)
{
	for (size_t i = 0; i < v->fields->n_fields; i++) {
		const Google__Protobuf__Struct__FieldsEntry *e = v->fields->fields[i];

		if (streq(e->key, key))
			return e->value && e->value->kind_case == kind ? e->value : NULL;
	}
	return NULL;
}

const char *l7_view_str(const struct l7_view *v, const char *key)
{
	const Google__Protobuf__Value *value = find(v, key, GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE);

	return value ? value->string_value : "";
}

double l7_view_number(const struct l7_view *v, const char *key, double none)
{
	const Google__Protobuf__Value *value = find(v, key, GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE);

	return value ? value->number_value : none;
}

bool l7_view_flag(const struct l7_view *v, const char *key)
{
	const Google__Protobuf__Value *value = find(v, key, GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE);

	return value && value->bool_value;
}

const char *l7_duration(double ms, char *buf)
{
	snprintf(buf, L7_DURATION_MAX, ms < 9.95 ? "%.1fms" : "%.0fms", ms);
	if (ms >= 9999.5)
		snprintf(buf, L7_DURATION_MAX, "%.1fs", ms / 1000);
	return buf;
}
