/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects in force, by kind, namespace and name, each with the source (file) that defined it. Loading a source
 * again replaces what came from it before:
 *  - an object that vanished from the source is removed, unless the source could not be read to its end;
 *  - an object that is broken now keeps its last good version;
 *  - a new NetworkPolicy that is broken isolates the pods that it selects and allows nothing, as far as that much can
 *    be read (struct k8s_network_policy.broken), so that a mistake never opens what was to be closed;
 *  - a new Namespace that is broken has its name and labels that nobody knows: no selector meets it by what it lacks;
 *  - of an object that several sources define, the definition of the source whose name sorts first is in force,
 *    whichever was loaded first; the next one takes over when it goes.
 */
#ifndef WEIR_K8S_STORE_H
#define WEIR_K8S_STORE_H

#include "lib/k8s/object.h"
#include "lib/k8s/problem.h"

struct k8s_store;
struct k8s_store *k8s_store_new(void);
void k8s_store_free(struct k8s_store *s);
DEFINE_CLEANUP(struct k8s_store *, k8s_store_free);

/* Is it a file of manifests, by its name? */
bool k8s_is_manifest(const char *name);
/*
 * All objects of one file (JSON or YAML, several documents, Lists). source is its name in messages and for later calls.
 * 0 also when some of it is broken: then problems->n_errors > 0. -ENOMEM: some objects may be loaded, none is lost;
 * load again.
 */
int k8s_store_load_file(struct k8s_store *s, const char *source, const char *text, size_t len,
			struct k8s_problems *problems);
/* The file is gone: so are its objects. */
void k8s_store_remove_source(struct k8s_store *s, const char *source);
/* Definitions that are not in force because another source has one, too: an error each, which names both. */
void k8s_store_duplicates(const struct k8s_store *s, struct k8s_problems *problems);

/*
 * The addresses under which the CNI registered a pod ([0] IPv4, [1] IPv6), which count in place of those in the
 * manifest; both zero: registered no longer. The pod's manifest may come before or after.
 */
int k8s_store_set_pod_address(struct k8s_store *s, const char *ns, const char *name, const struct weir_addr addr[2]);

/* Moves whenever an object of this kind (or a pod's registered address) came, went or changed. */
uint64_t k8s_store_changes(const struct k8s_store *s, enum k8s_kind kind);

struct k8s_entry {
	struct k8s_object *object; /* NULL: a pod that is registered but has no manifest */
	const char *source;        /* NULL then */
	const char *ns, *name;
	struct weir_addr addr[2]; /* registered; all zero = not */
	uint64_t version;         /* unique in the store; another one after each change */
};

/* Sorted by namespace, then name. Valid until the store is changed. */
size_t k8s_store_list(const struct k8s_store *s, enum k8s_kind kind, const struct k8s_entry *const **ret_entries);
/* NULL: no such object. */
const struct k8s_entry *k8s_store_find(const struct k8s_store *s, enum k8s_kind kind, const char *ns, const char *name);
/* The addresses in force: registered, else of the manifest. */
const struct weir_addr *k8s_entry_pod_addr(const struct k8s_entry *e);

#endif
