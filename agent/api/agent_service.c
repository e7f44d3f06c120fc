// SPDX-License-Identifier: Apache-2.0
/* The service weir.v1.Agent: what the backend tells. */
#include "agent/api/server.h"
#include "lib/pb.h"

static const struct api_backend *backend_of(const struct api_call *call)
{
	return &call->conn->server->config.backend;
}

/* Sends what the backend has filled, or its error; frees the message. */
static void answer(struct api_call *call, ProtobufCMessage *msg, int r, const struct err *e)
{
	if (r < 0)
		api_call_error(call, GRPC_INTERNAL, "%s", *e->msg ? e->msg : strerror(-r));
	else if (api_call_send(call, msg) == 0)
		api_call_finish(call);
	if (msg)
		protobuf_c_message_free_unpacked(msg, NULL);
}

static void status(struct api_call *call, _unused_ const ProtobufCMessage *request)
{
	Weir__V1__StatusResponse *msg = pb_new(&weir__v1__status_response__descriptor);
	struct err e = { 0 };

	answer(call, (ProtobufCMessage *)msg,
	       msg ? backend_of(call)->status(backend_of(call)->userdata, msg, &e) : -ENOMEM, &e);
}

static void list_endpoints(struct api_call *call, _unused_ const ProtobufCMessage *request)
{
	Weir__V1__ListEndpointsResponse *msg = pb_new(&weir__v1__list_endpoints_response__descriptor);
	struct err e = { 0 };

	answer(call, (ProtobufCMessage *)msg,
	       msg ? backend_of(call)->endpoints(backend_of(call)->userdata, msg, &e) : -ENOMEM, &e);
}

static void list_identities(struct api_call *call, _unused_ const ProtobufCMessage *request)
{
	Weir__V1__ListIdentitiesResponse *msg = pb_new(&weir__v1__list_identities_response__descriptor);
	struct err e = { 0 };

	answer(call, (ProtobufCMessage *)msg,
	       msg ? backend_of(call)->identities(backend_of(call)->userdata, msg, &e) : -ENOMEM, &e);
}

const struct api_method api_agent_methods[] = {
	{ .path = "/weir.v1.Agent/Status", .request = &weir__v1__status_request__descriptor, .start = status },
	{ .path = "/weir.v1.Agent/ListEndpoints",
	  .request = &weir__v1__list_endpoints_request__descriptor,
	  .start = list_endpoints },
	{ .path = "/weir.v1.Agent/ListIdentities",
	  .request = &weir__v1__list_identities_request__descriptor,
	  .start = list_identities },
	{ 0 },
};
