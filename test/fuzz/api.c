// SPDX-License-Identifier: Apache-2.0
/*
 * The API server behind a real connection. The first byte of the input says what the rest is: raw bytes after the
 * connection preface, or a call's method, and then the second byte how large the DATA frames are in which the body
 * comes. Of the body, the first byte says whether the rest is a message that is to be put into a frame of gRPC, or
 * such frames themselves. After it flows are added, and the server must still be able to end clean.
 * sources: agent/api/agent_service.c agent/api/call.c agent/api/conn.c agent/api/events.c agent/api/get_flows.c
 * agent/api/health.c agent/api/observer.c agent/api/peer.c agent/api/reflection.c agent/api/server.c agent/l7/grpc.c
 * agent/flow/flow.c agent/flow/store.c agent/flow/face.c agent/flow/filter.c agent/flow/extensions.c
 * agent/flow/filter_field.c agent/flow/filter_l7.c agent/flow/l7_proto.c agent/flow/l7_text.c lib/label_selector.c
 * lib/flow_filter.c lib/flow_filter_value.c agent/flow/summary.c agent/flow/to_proto.c agent/l7/record.c lib/addr.c
 * lib/drop.c lib/err.c lib/grpc.c lib/log.c lib/pb.c lib/tls.c build/gen/lib/proto/flow.pb-c.c
 * build/gen/lib/proto/google.pb-c.c build/gen/lib/proto/health.pb-c.c build/gen/lib/proto/observer.pb-c.c
 * build/gen/lib/proto/peer.pb-c.c build/gen/lib/proto/reflection.pb-c.c build/gen/lib/proto/relay.pb-c.c
 * build/gen/lib/proto/weir.pb-c.c
 */
#include <fcntl.h>
#include <sys/socket.h>

#include "agent/api/server.h"
#include "test/unit/l7_flows.h"

#define METHODS 16 /* and room for more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int status(void *userdata, Weir__V1__StatusResponse *msg, struct err *reterr)
{
	(void)userdata;
	msg->pid = 1;
	return reterr ? 0 : -EINVAL;
}

static int endpoints(void *userdata, Weir__V1__ListEndpointsResponse *msg, struct err *reterr)
{
	return userdata || msg->n_endpoints || !reterr ? -EINVAL : 0;
}

static int identities(void *userdata, Weir__V1__ListIdentitiesResponse *msg, struct err *reterr)
{
	return userdata || msg->n_identities || !reterr ? -EINVAL : 0;
}

static void add_flow(struct flow_store *store)
{
	struct flow f =
	    new_flow(new_peer(256, "default", "client", "k8s:app=client"), new_peer(2, NULL, NULL, "reserved:world"));

	f.rule[WEIR_INGRESS] = new_rule(true, "deny-all");
	f.ev.type = WEIR_EV_DROP;
	f.ev.verdict = WEIR_DROPPED;
	f.ev.reason = WEIR_DROP_POLICY;
	flow_store_add(store, &f);
}

static void add_exchange(struct flow_store *store, struct l7_record *r)
{
	struct flow f = flow_of(r);

	flow_store_add(store, &f);
}

static void put_frame(int fd, uint8_t type, uint8_t flags, const uint8_t *payload, size_t len)
{
	uint8_t head[9] = { (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type, flags, 0, 0, 0, 1 };

	(void)!write(fd, head, sizeof(head));
	(void)!write(fd, payload, len);
}

/* Every method that the server has, and one that it has not. */
static const char *method(size_t i)
{
	static const struct api_method *const services[] = { api_observer_methods, api_peer_methods, api_health_methods,
							     api_agent_methods, api_reflection_methods };

	for (size_t k = 0; k < ARRAY_SIZE(services); k++) {
		for (const struct api_method *m = services[k]; m->path; m++) {
			if (!i--)
				return m->path;
		}
	}
	return "/no.such.Service/Method";
}

static void put_call(int fd, const char *path, size_t step, const uint8_t *body, size_t len)
{
	static const char type[] = "application/grpc";
	size_t n = 7, path_len = strlen(path);
	uint8_t headers[128] = {
		0x83, 0x86, 0x01, 1, 'x', 0x04, (uint8_t)path_len
	}; /* POST, http, :authority, :path */

	memcpy(headers + n, path, path_len);
	n += path_len;
	headers[n++] = 0x0f; /* content-type: index 31 */
	headers[n++] = 0x10;
	headers[n++] = sizeof(type) - 1;
	memcpy(headers + n, type, sizeof(type) - 1);
	put_frame(fd, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, headers, n + sizeof(type) - 1);
	for (size_t i = 0; i < len; i += step)
		put_frame(fd, NGHTTP2_DATA, 0, body + i, MIN(step, len - i));
	put_frame(fd, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, NULL, 0);
}

/* The message after its gRPC head. */
static void put_message(int fd, const char *path, size_t step, const uint8_t *message, size_t len)
{
	uint8_t body[5 + 30000] = { 0, 0, 0, (uint8_t)(len >> 8), (uint8_t)len };

	memcpy(body + 5, message, len);
	put_call(fd, path, step, body, 5 + len);
}

static void run(sd_event *event)
{
	for (int i = 0; i < 100 && sd_event_run(event, 0) > 0; i++)
		;
}

static void converse(struct api_server *server, const uint8_t *data, size_t size)
{
	static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0 || api_conn_new(server, fd[0], NULL) < 0)
		abort();
	(void)!write(fd[1], hello, sizeof(hello)); /* with the NUL: the ninth byte of the frame */
	if (size > 2 && data[0] < 128)
		(data[2] & 1 ? put_message : put_call)(fd[1], method(data[0] % METHODS), data[1] + 1, data + 3,
						       size - 3);
	else if (size && data[0] >= 128)
		(void)!write(fd[1], data + 1, size - 1);
	run(server->event);
	add_flow(server->config.store);
	run(server->event);
	close(fd[1]);
	run(server->event);
	if (server->n_conns)
		abort(); /* a connection outlived its client */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct flow_store *store;
	static struct api_server *server;
	static struct agent_events events;
	static sd_event *event;
	static char dir[] = "/tmp/weir-fuzz-XXXXXX";
	struct err e;

	if (!server) {
		struct api_config config = { .run_dir = mkdtemp(dir),
					     .node = { "node-1", 1 },
					     .events = &events,
					     .backend = { NULL, status, endpoints, identities, NULL } };

		if (sd_event_new(&event) < 0 || flow_store_new(100, &store) < 0)
			abort();
		config.store = store;
		if (api_server_new(event, &config, &server, &e) < 0)
			abort();
		unlink(server->path); /* nobody else connects, and nothing is left behind */
		rmdir(dir);
		for (int i = 0; i < 90; i++)
			add_flow(store);
		for (int i = 0; i < 2; i++) {
			add_exchange(store, http(200 + i));
			add_exchange(store, dns(i));
			add_exchange(store, tool_call(L7_TOOL_ERROR));
			add_exchange(store, chat());
		}
	}
	if (size < 30000) /* more than the socket takes at once would be cut anywhere */
		converse(server, data, size);
	return 0;
}
