// SPDX-License-Identifier: Apache-2.0
/*
 * Server reflection: clients ask what services there are, and for the descriptors of files by name or by a symbol that
 * is defined there. The descriptors are what protoc made of lib/proto at build time.
 */
#include "agent/api/server.h"
#include "agent/l7/grpc.h"
#include "lib/proto/reflection.pb-c.h"

#define SERVICES_MAX 64
#define NAME_MAX_LEN 128

static const uint8_t descriptors[] = {
#include "lib/proto/descriptors.inc"
};

/* Numbers of fields in google/protobuf/descriptor.proto. */
enum { SET_FILE = 1 };
enum { FILE_NAME = 1, FILE_PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { MESSAGE_NESTED = 3, MESSAGE_ENUM = 4 };
enum { SERVICE_METHOD = 2 };
enum { NAME = 1 }; /* of each of them */

struct bytes {
	const uint8_t *data;
	size_t len;
};

static bool next(struct bytes msg, size_t *pos, struct pb_field *f)
{
	return pb_next(msg.data, msg.len, pos, f);
}

/* The first field of that number, empty if there is none. */
static struct bytes get(struct bytes msg, uint32_t number)
{
	struct pb_field f;

	for (size_t pos = 0; next(msg, &pos, &f);) {
		if (f.number == number && f.type == 2)
			return (struct bytes){ f.data, f.len };
	}
	return (struct bytes){};
}

static bool next_file(size_t *pos, struct bytes *ret)
{
	struct pb_field f;

	while (next((struct bytes){ descriptors, sizeof(descriptors) }, pos, &f)) {
		if (f.number != SET_FILE)
			continue;
		*ret = (struct bytes){ f.data, f.len };
		return true;
	}
	return false;
}

static bool equals(struct bytes b, const char *s, size_t len)
{
	return b.len == len && !memcmp(b.data, s, len);
}

/* Whether what defines itself by `field` in msg, and what is nested there, has that name. */
static bool defines(struct bytes msg, uint32_t field, const char *symbol)
{
	size_t len = strcspn(symbol, ".");
	const char *rest = symbol[len] ? symbol + len + 1 : NULL;
	bool message = field == FILE_MESSAGE || field == MESSAGE_NESTED;
	struct pb_field f;

	for (size_t pos = 0; next(msg, &pos, &f);) {
		struct bytes inner = { f.data, f.len };

		if (f.number != field || f.type != 2 || !equals(get(inner, NAME), symbol, len))
			continue;
		if (!rest)
			return true;
		if (message)
			return defines(inner, MESSAGE_NESTED, rest) || defines(inner, MESSAGE_ENUM, rest);
		return field == FILE_SERVICE && defines(inner, SERVICE_METHOD, rest);
	}
	return false;
}

static bool file_defines(struct bytes file, const char *symbol)
{
	struct bytes package = get(file, FILE_PACKAGE);

	if (package.len) {
		if (strlen(symbol) <= package.len || memcmp(symbol, package.data, package.len) != 0 ||
		    symbol[package.len] != '.')
			return false;
		symbol += package.len + 1;
	}
	return defines(file, FILE_MESSAGE, symbol) || defines(file, FILE_ENUM, symbol) ||
	       defines(file, FILE_SERVICE, symbol);
}

static bool find_named(const char *name, struct bytes *ret)
{
	for (size_t pos = 0; next_file(&pos, ret);) {
		if (equals(get(*ret, FILE_NAME), name, strlen(name)))
			return true;
	}
	return false;
}

static bool find_defining(const char *symbol, struct bytes *ret)
{
	for (size_t pos = 0; next_file(&pos, ret);) {
		if (file_defines(*ret, symbol))
			return true;
	}
	return false;
}

/* ---- answers */

typedef Grpc__Reflection__V1__ServerReflectionRequest request_t;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_t;

static response_t response_to(const request_t *r)
{
	response_t msg = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;

	msg.valid_host = r->host;
	msg.original_request = (request_t *)r;
	return msg;
}

static void answer_error(struct api_call *call, const request_t *r, enum grpc_status code, const char *what)
{
	Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
	response_t msg = response_to(r);

	error.error_code = code;
	error.error_message = (char *)what;
	msg.message_response_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	msg.error_response = &error;
	api_call_send(call, &msg.base);
}

static void answer_file(struct api_call *call, const request_t *r, struct bytes file)
{
	Grpc__Reflection__V1__FileDescriptorResponse files = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
	ProtobufCBinaryData data = { file.len, (uint8_t *)file.data };
	response_t msg = response_to(r);

	files.n_file_descriptor_proto = 1;
	files.file_descriptor_proto = &data;
	msg.message_response_case =
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	msg.file_descriptor_response = &files;
	api_call_send(call, &msg.base);
}

struct services {
	Grpc__Reflection__V1__ServiceResponse msg[SERVICES_MAX], *v[SERVICES_MAX];
	char name[SERVICES_MAX][NAME_MAX_LEN];
	size_t n;
};

/* Those of a file that the server really has. */
static void add_services(struct services *s, struct bytes file)
{
	struct bytes package = get(file, FILE_PACKAGE);
	struct pb_field f;

	for (size_t pos = 0; next(file, &pos, &f) && s->n < SERVICES_MAX;) {
		struct bytes name = get((struct bytes){ f.data, f.len }, NAME);
		char *out = s->name[s->n];

		if (f.number != FILE_SERVICE)
			continue;
		snprintf(out, NAME_MAX_LEN, "%.*s.%.*s", (int)package.len, (const char *)package.data, (int)name.len,
			 (const char *)name.data);
		if (!api_has_service(out))
			continue;
		s->msg[s->n] = (Grpc__Reflection__V1__ServiceResponse)GRPC__REFLECTION__V1__SERVICE_RESPONSE__INIT;
		s->msg[s->n].name = out;
		s->v[s->n] = &s->msg[s->n];
		s->n++;
	}
}

static void answer_services(struct api_call *call, const request_t *r)
{
	Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
	response_t msg = response_to(r);
	struct services s = {};
	struct bytes file;

	for (size_t pos = 0; next_file(&pos, &file);)
		add_services(&s, file);
	list.n_service = s.n;
	list.service = s.v;
	msg.message_response_case =
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	msg.list_services_response = &list;
	api_call_send(call, &msg.base);
}

static void answer(struct api_call *call, const ProtobufCMessage *request)
{
	const request_t *r = (const request_t *)request;
	struct bytes file;

	switch (r->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		answer_services(call, r);
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		if (find_named(r->file_by_filename, &file))
			answer_file(call, r, file);
		else
			answer_error(call, r, GRPC_NOT_FOUND, "no such file");
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		if (find_defining(r->file_containing_symbol, &file))
			answer_file(call, r, file);
		else
			answer_error(call, r, GRPC_NOT_FOUND, "no such symbol");
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
		answer_error(call, r, GRPC_NOT_FOUND, "no message here has extensions");
		return;
	default:
		answer_error(call, r, GRPC_INVALID_ARGUMENT, "nothing is asked");
	}
}

const struct api_method api_reflection_methods[] = {
	{ .path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	  .request = &grpc__reflection__v1__server_reflection_request__descriptor,
	  .message = answer },
	{ .path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", /* the same messages */
	  .request = &grpc__reflection__v1__server_reflection_request__descriptor,
	  .message = answer },
	{ 0 },
};
