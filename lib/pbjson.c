// SPDX-License-Identifier: Apache-2.0
#include "lib/pbjson.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "lib/proto/google.pb-c.h"

static void write_message(FILE *f, const ProtobufCMessage *msg, bool otlp);

/* Bytes that stand for themselves. */
static size_t plain_len(const char *s)
{
	size_t n = 0;

	for (unsigned char c = *s; c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && c != 0xc2; c = s[n])
		n++;
	return n;
}

static void write_escaped(FILE *f, unsigned char c)
{
	static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (size_t i = 0; i < sizeof(escapes) - 1; i += 2) {
		if (escapes[i] == (char)c) {
			fprintf(f, "\\%c", escapes[i + 1]);
			return;
		}
	}
	fprintf(f, "\\u%04x", c);
}

/* Whoever writes has the stream for itself: nothing here locks it. */
void pbjson_write_str(FILE *f, const char *s)
{
	putc_unlocked('"', f);
	for (;;) {
		size_t n = plain_len(s);
		unsigned char c = s[n], next = c ? s[n + 1] : 0;

		fwrite_unlocked(s, 1, n, f);
		s += n + 1;
		if (!c)
			break;
		if (c != 0xc2) {
			write_escaped(f, c);
		} else if (next >= 0x80 && next < 0xa0) { /* controls, too */
			write_escaped(f, next);
			s++;
		} else {
			putc_unlocked(c, f);
		}
	}
	putc_unlocked('"', f);
}

static void write_bytes(FILE *f, const ProtobufCBinaryData *b)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	putc_unlocked('"', f);
	for (size_t i = 0; i < b->len; i += 3) {
		uint32_t v = (uint32_t)b->data[i] << 16 | (i + 1 < b->len ? b->data[i + 1] : 0) << 8 |
			     (i + 2 < b->len ? b->data[i + 2] : 0);

		putc_unlocked(digits[v >> 18], f);
		putc_unlocked(digits[v >> 12 & 63], f);
		putc_unlocked(i + 1 < b->len ? digits[v >> 6 & 63] : '=', f);
		putc_unlocked(i + 2 < b->len ? digits[v & 63] : '=', f);
	}
	putc_unlocked('"', f);
}

static void write_hex(FILE *f, const ProtobufCBinaryData *b)
{
	putc_unlocked('"', f);
	for (size_t i = 0; i < b->len; i++)
		fprintf(f, "%02x", b->data[i]);
	putc_unlocked('"', f);
}

/* As few digits as give the number back. */
static void write_shortest(FILE *f, double v)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%.15g", v);
	if (strtod(buf, NULL) != v)
		snprintf(buf, sizeof(buf), "%.17g", v);
	fputs_unlocked(buf, f);
}

static void write_double(FILE *f, double v)
{
	if (isnan(v))
		fputs_unlocked("\"NaN\"", f);
	else if (isinf(v))
		fputs_unlocked(v > 0 ? "\"Infinity\"" : "\"-Infinity\"", f);
	else if (v == floor(v) && fabs(v) < 1e15)
		fprintf(f, "%.0f", v);
	else
		write_shortest(f, v);
}

static void write_timestamp(FILE *f, const Google__Protobuf__Timestamp *t)
{
	time_t seconds = t->seconds;
	char when[40];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(f, "\"%s", when);
	if (t->nanos % 1000)
		fprintf(f, ".%09d", t->nanos);
	else if (t->nanos % 1000000)
		fprintf(f, ".%06d", t->nanos / 1000);
	else if (t->nanos)
		fprintf(f, ".%03d", t->nanos / 1000000);
	fputs_unlocked("Z\"", f);
}

static void write_struct(FILE *f, const Google__Protobuf__Struct *s);

static void write_any_value(FILE *f, const Google__Protobuf__Value *v)
{
	switch (v->kind_case) {
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		write_double(f, v->number_value);
		return;
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		pbjson_write_str(f, v->string_value);
		return;
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
		fputs_unlocked(v->bool_value ? "true" : "false", f);
		return;
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		write_struct(f, v->struct_value);
		return;
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		putc_unlocked('[', f);
		for (size_t i = 0; i < v->list_value->n_values; i++) {
			fputs_unlocked(i ? "," : "", f);
			write_any_value(f, v->list_value->values[i]);
		}
		putc_unlocked(']', f);
		return;
	default:
		fputs_unlocked("null", f);
	}
}

static void write_struct(FILE *f, const Google__Protobuf__Struct *s)
{
	putc_unlocked('{', f);
	for (size_t i = 0; i < s->n_fields; i++) {
		fputs_unlocked(i ? "," : "", f);
		pbjson_write_str(f, s->fields[i]->key);
		putc_unlocked(':', f);
		if (s->fields[i]->value)
			write_any_value(f, s->fields[i]->value);
		else
			fputs_unlocked("null", f);
	}
	putc_unlocked('}', f);
}

/* A Struct is shown; of other types there is no description here, so they stay as they came. */
static void write_any(FILE *f, const Google__Protobuf__Any *any)
{
	const char *slash = strrchr(any->type_url, '/');
	Google__Protobuf__Struct *s = NULL;

	fputs_unlocked("{\"@type\":", f);
	pbjson_write_str(f, any->type_url);
	fputs_unlocked(",\"value\":", f);
	if (slash && streq(slash + 1, google__protobuf__struct__descriptor.name))
		s = google__protobuf__struct__unpack(NULL, any->value.len, any->value.data);
	if (s)
		write_struct(f, s);
	else
		write_bytes(f, &any->value);
	google__protobuf__struct__free_unpacked(s, NULL);
	putc_unlocked('}', f);
}

/* Types with a form of their own. */
static bool write_known(FILE *f, const ProtobufCMessage *msg)
{
	const ProtobufCMessageDescriptor *d = msg->descriptor;

	if (d == &google__protobuf__timestamp__descriptor)
		write_timestamp(f, (const Google__Protobuf__Timestamp *)msg);
	else if (d == &google__protobuf__struct__descriptor)
		write_struct(f, (const Google__Protobuf__Struct *)msg);
	else if (d == &google__protobuf__any__descriptor)
		write_any(f, (const Google__Protobuf__Any *)msg);
	else if (d == &google__protobuf__bool_value__descriptor)
		fputs_unlocked(((const Google__Protobuf__BoolValue *)msg)->value ? "true" : "false", f);
	else if (d == &google__protobuf__int32_value__descriptor)
		fprintf(f, "%d", ((const Google__Protobuf__Int32Value *)msg)->value);
	else if (d == &google__protobuf__uint32_value__descriptor)
		fprintf(f, "%u", ((const Google__Protobuf__UInt32Value *)msg)->value);
	else
		return false;
	return true;
}

static void write_enum(FILE *f, const ProtobufCEnumDescriptor *d, int value)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);

	if (v)
		fprintf(f, "\"%s\"", v->name);
	else
		fprintf(f, "%d", value);
}

static void write_value(FILE *f, const ProtobufCFieldDescriptor *d, const void *p, bool otlp)
{
	switch (d->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		fprintf(f, "%" PRId32, *(const int32_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		fprintf(f, "%" PRIu32, *(const uint32_t *)p);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		fprintf(f, "\"%" PRId64 "\"", *(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		fprintf(f, "\"%" PRIu64 "\"", *(const uint64_t *)p);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		write_double(f, *(const float *)p);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		write_double(f, *(const double *)p);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		fputs_unlocked(*(const protobuf_c_boolean *)p ? "true" : "false", f);
		break;
	case PROTOBUF_C_TYPE_ENUM:
		if (otlp)
			fprintf(f, "%d", *(const int *)p);
		else
			write_enum(f, d->descriptor, *(const int *)p);
		break;
	case PROTOBUF_C_TYPE_STRING:
		pbjson_write_str(f, *(char *const *)p);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		if (otlp)
			write_hex(f, p);
		else
			write_bytes(f, p);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		write_message(f, *(ProtobufCMessage *const *)p, otlp);
		break;
	}
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

/* Proto3: a field of its own that has its zero value is not there; one of a oneof is, when it is the one chosen. */
static bool is_present(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *d, const void *p)
{
	static const char zero[sizeof(ProtobufCBinaryData)];

	if (d->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)((const char *)msg + d->quantifier_offset) == d->id;
	if (d->type == PROTOBUF_C_TYPE_STRING)
		return *(char *const *)p && **(char *const *)p;
	if (d->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)p)->len > 0;
	return memcmp(p, zero, size_of(d->type)) != 0;
}

static void write_repeated(FILE *f, const ProtobufCFieldDescriptor *d, const char *array, size_t n, bool otlp)
{
	putc_unlocked('[', f);
	for (size_t i = 0; i < n; i++) {
		fputs_unlocked(i ? "," : "", f);
		write_value(f, d, array + i * size_of(d->type), otlp);
	}
	putc_unlocked(']', f);
}

static void write_name(FILE *f, const char *name, bool camel)
{
	putc_unlocked('"', f);
	for (const char *c = name; *c; c++)
		if (camel && *c == '_' && c[1])
			putc_unlocked(toupper((unsigned char)*++c), f);
		else
			putc_unlocked(*c, f);
	fputs_unlocked("\":", f);
}

static void write_message(FILE *f, const ProtobufCMessage *msg, bool otlp)
{
	const char *sep = "";

	if (write_known(f, msg))
		return;
	putc_unlocked('{', f);
	for (unsigned i = 0; i < msg->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *d = &msg->descriptor->fields[i];
		const char *p = (const char *)msg + d->offset;
		bool repeated = d->label == PROTOBUF_C_LABEL_REPEATED;
		size_t n = repeated ? *(const size_t *)((const char *)msg + d->quantifier_offset) : 0;

		if (repeated ? !n : !is_present(msg, d, p))
			continue;
		fputs_unlocked(sep, f);
		sep = ",";
		write_name(f, d->name, otlp);
		if (repeated)
			write_repeated(f, d, *(char *const *)p, n, otlp);
		else
			write_value(f, d, p, otlp);
	}
	putc_unlocked('}', f);
}

void pbjson_write(FILE *f, const ProtobufCMessage *msg)
{
	write_message(f, msg, false);
}

void pbjson_write_otlp(FILE *f, const ProtobufCMessage *msg)
{
	write_message(f, msg, true);
}
