/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects from a folder of manifests: read at start, then live on every change of a file. A copy of each file as it was
 * when nothing was wrong with it is kept: a file that is broken when the agent starts gets its last good objects from
 * there, as one that breaks while the agent runs keeps them.
 */
#ifndef WEIR_AGENT_OBJECTS_H
#define WEIR_AGENT_OBJECTS_H

#include <systemd/sd-event.h>

#include "lib/k8s/store.h"

struct objects;
/* keep_dir: for the copies; made when missing. changed() is called when something was read after the start. */
int objects_new(sd_event *event, const char *dir, const char *keep_dir, struct k8s_store *store,
		void (*changed)(void *userdata), void *userdata, struct objects **ret_o, struct err *reterr);
void objects_free(struct objects *o);
DEFINE_CLEANUP(struct objects *, objects_free);

/* What is wrong with the folder and its files as they are now. */
void objects_each_problem(const struct objects *o, void (*tell)(void *userdata, const struct k8s_problem *p),
			  void *userdata);

#endif
