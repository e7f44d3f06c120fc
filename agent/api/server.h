/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the API server: server → connections → calls. */
#ifndef WEIR_API_SERVER_H
#define WEIR_API_SERVER_H

#include <nghttp2/nghttp2.h>

#include "agent/api/api.h"
#include "agent/flow/to_proto.h"
#include "lib/grpc.h"

#define API_CONNS_MAX 256             /* at once; more are turned away */
#define API_STREAMS_MAX 100           /* at once on a connection */
#define API_REQUEST_MAX (256 * 1024)  /* bytes of a request message */
#define API_BATCH (16 * 1024)         /* a call gathers about so much before it goes out */
#define API_WAITING_MAX (1024 * 1024) /* bytes of answers that a stream of requests may leave unread */
#define API_RESETS_MAX 1000           /* streams that a client may reset within ten seconds */

struct api_conn;
struct api_call;

struct api_server {
	struct api_config config;
	sd_event *event;
	sd_event_source *wake, *second; /* now, and a little later */
	struct api_listener {
		int fd;
		sd_event_source *source;
	} listener[2];           /* Unix, TCP */
	char *path;              /* of the Unix socket */
	struct tls_context *tls; /* of the TCP listener; NULL: plain text */
	struct api_conn *conns;
	size_t n_conns;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint64_t node_changes;
	struct flow_msg *msg;
	uint8_t *scratch; /* API_SCRATCH bytes for writing */
};
#define API_SCRATCH (64 * 1024)

/* Let calls that wait for flows, or that have given way to others, go on in the next round of the loop. */
void api_server_wake(struct api_server *s);

struct api_conn {
	struct api_server *server;
	struct api_conn *prev, *next;
	int fd;
	sd_event_source *io;
	struct tls *tls;           /* NULL: plain text */
	sd_event_source *deadline; /* for the TLS handshake; NULL: it is over */
	nghttp2_session *session;
	struct api_call *calls;
	uint8_t *rest; /* what the socket did not take yet */
	size_t rest_len, rest_pos;
	uint64_t resets_since; /* CLOCK_MONOTONIC, ns */
	unsigned resets;
};

/* Takes fd. tls: NULL for plain text. */
int api_conn_new(struct api_server *s, int fd, struct tls_context *tls);
void api_conn_free(struct api_conn *c);
/* Let its waiting calls go on and write. May free c. */
void api_conn_wake(struct api_conn *c);
/* Write what there is. May free c. */
void api_conn_flush(struct api_conn *c);

struct api_method {
	const char *path;
	const ProtobufCMessageDescriptor *request;
	/* The request, which the call owns, is there. Answers by api_call_finish or api_call_error. */
	void (*start)(struct api_call *call, const ProtobufCMessage *request);
	/* There is room: api_call_send what there is, about API_BATCH bytes. NULL: nothing comes by itself. */
	void (*pull)(struct api_call *call);
	void (*stop)(struct api_call *call); /* frees call->data; NULL: there is none */
	/* In place of start, for a stream of requests: each as it comes, valid during the call. */
	void (*message)(struct api_call *call, const ProtobufCMessage *request);
};

struct api_call {
	struct api_conn *conn;
	struct api_call *prev, *next;
	int32_t stream;
	const struct api_method *method; /* NULL: no such method */
	ProtobufCMessage *request;
	void *data; /* the method's */
	sd_event_source *timer;
	struct grpc_reader reader;
	int http_status; /* what the request's headers are worth: 200, 405, 415 */
	bool bad_encoding, started, answering, finished, remote_closed;
	bool waiting; /* the last pull gave nothing */
	uint8_t *out; /* messages on their way */
	size_t out_len, out_pos, out_cap;
	enum grpc_status status;
	char message[512];
};

struct api_call *api_call_new(struct api_conn *c, int32_t stream);
void api_call_free(struct api_call *call);
void api_call_header(struct api_call *call, const char *name, size_t namelen, const char *value, size_t valuelen);
void api_call_data(struct api_call *call, const uint8_t *data, size_t len);
void api_call_end(struct api_call *call); /* the client has sent all */

/* Queue a message; the first one begins the answer. -ENOMEM also ends the call. */
int api_call_send(struct api_call *call, const ProtobufCMessage *msg);
void api_call_finish(struct api_call *call);
void api_call_error(struct api_call *call, enum grpc_status status, const char *fmt, ...) _printf_(3, 4);

/* The services; each table ends with a NULL path. */
void api_get_flows(struct api_call *call, const ProtobufCMessage *request);
void api_get_flows_pull(struct api_call *call);
void api_get_flows_stop(struct api_call *call);
void api_get_agent_events(struct api_call *call, const ProtobufCMessage *request);
void api_get_agent_events_pull(struct api_call *call);
void api_get_agent_events_stop(struct api_call *call);
extern const struct api_method api_observer_methods[], api_peer_methods[], api_health_methods[], api_agent_methods[],
    api_reflection_methods[];
bool api_has_service(const char *name); /* "observer.Observer" */

#endif
