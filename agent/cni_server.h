/* SPDX-License-Identifier: Apache-2.0 */
/* The socket on which weir-cni tells of attachments; the exchange is described in lib/attachment.h. */
#ifndef WEIR_AGENT_CNI_SERVER_H
#define WEIR_AGENT_CNI_SERVER_H

#include <systemd/sd-event.h>

#include "lib/attachment.h"

/*
 * What the agent does with a request. add() may take *a, and then sets it to NULL; it returns 0 = answer now with the
 * state, 1 = the answer waits until cni_server_settle(), negative = an error for weir-cni, its code in *ret_code.
 */
struct cni_handler {
	void *userdata;
	int (*add)(void *userdata, struct attachment **a, int *ret_code, struct err *reterr);
	void (*del)(void *userdata, const char *key);
	/* "ready" or "waiting"; NULL: unknown */
	const char *(*state)(void *userdata, const char *key);
	/* NULL: ready; else what is wrong */
	const char *(*not_ready)(void *userdata);
};

struct cni_server;
int cni_server_new(sd_event *event, const char *run_dir, const struct cni_handler *handler, struct cni_server **ret_s,
		   struct err *reterr);
void cni_server_free(struct cni_server *s);
DEFINE_CLEANUP(struct cni_server *, cni_server_free);

/* A pass has been applied (failed == NULL) or could not be: answer everybody who waits. */
void cni_server_settle(struct cni_server *s, const char *failed);

#endif
