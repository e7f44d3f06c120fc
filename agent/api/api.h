/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server: gRPC on <run-dir>/hubble.sock and, when asked, on TCP. Everything runs on the caller's event loop;
 * readers that are slow or gone cost memory for one message each and slow nobody.
 */
#ifndef WEIR_API_H
#define WEIR_API_H

#include <systemd/sd-event.h>

#include "agent/api/events.h"
#include "agent/flow/store.h"
#include "lib/err.h"
#include "lib/proto/weir.pb-c.h"
#include "lib/tls.h"

struct api_node {
	const char *name;      /* valid until the agent's objects change */
	struct weir_addr addr; /* all zero: not known */
};

/*
 * What the agent tells about itself. Each fills a message that has been initialised: strings and arrays by malloc
 * (lib/pb.h helps), the server frees them. A negative errno becomes the status INTERNAL with the story in reterr.
 */
struct api_backend {
	void *userdata;
	int (*status)(void *userdata, Weir__V1__StatusResponse *msg, struct err *reterr);
	int (*endpoints)(void *userdata, Weir__V1__ListEndpointsResponse *msg, struct err *reterr);
	int (*identities)(void *userdata, Weir__V1__ListIdentitiesResponse *msg, struct err *reterr);
	/* The i-th node of the cluster that is known, in the order of names. False: there are no more. NULL: none is.
	 */
	bool (*node)(void *userdata, size_t i, struct api_node *ret);
};

struct api_config {
	const char *run_dir;
	const char *listen;          /* "127.0.0.1:4244", "[::1]:4244"; NULL: Unix socket only */
	struct tls_files tls;        /* for listen; cert NULL: plain text, which only loopback addresses may have … */
	bool plaintext;              /* … unless this is set */
	struct flow_node node;       /* name must outlive the server */
	struct flow_store *store;    /* must outlive the server */
	struct agent_events *events; /* must outlive the server, which sets wake */
	struct api_backend backend;
};

#define API_SOCK_NAME "hubble.sock"

struct api_server;
int api_server_new(sd_event *event, const struct api_config *config, struct api_server **ret_server,
		   struct err *reterr);
/* Ends every call with UNAVAILABLE and removes the socket. */
void api_server_free(struct api_server *s);
DEFINE_CLEANUP(struct api_server *, api_server_free);
/* backend.node has something new to say. */
void api_server_nodes_changed(struct api_server *s);

#endif
