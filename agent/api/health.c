// SPDX-License-Identifier: Apache-2.0
/* The service grpc.health.v1.Health. An agent that answers serves: its start ends before the socket is there. */
#include "agent/api/server.h"
#include "lib/proto/health.pb-c.h"

/* `hubble status` asks for hubble.server.Observer. */
static const char *const known[] = { "", "hubble.server.Observer", "observer.Observer", "weir.v1.Agent" };

static bool is_known(const ProtobufCMessage *request)
{
	const Grpc__Health__V1__HealthCheckRequest *req = (const Grpc__Health__V1__HealthCheckRequest *)request;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(req->service, known[i]))
			return true;
	return false;
}

static int answer(struct api_call *call, Grpc__Health__V1__HealthCheckResponse__ServingStatus status)
{
	Grpc__Health__V1__HealthCheckResponse msg = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	msg.status = status;
	return api_call_send(call, &msg.base);
}

static void check(struct api_call *call, const ProtobufCMessage *request)
{
	if (!is_known(request))
		api_call_error(call, GRPC_NOT_FOUND, "unknown service");
	else if (answer(call, GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING) == 0)
		api_call_finish(call);
}

/* Stays open: the end of the agent is the next news. */
static void watch(struct api_call *call, const ProtobufCMessage *request)
{
	answer(call, is_known(request) ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
				       : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN);
}

const struct api_method api_health_methods[] = {
	{ .path = "/grpc.health.v1.Health/Check",
	  .request = &grpc__health__v1__health_check_request__descriptor,
	  .start = check },
	{ .path = "/grpc.health.v1.Health/Watch",
	  .request = &grpc__health__v1__health_check_request__descriptor,
	  .start = watch },
	{ 0 },
};
