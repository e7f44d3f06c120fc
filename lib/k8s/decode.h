/* SPDX-License-Identifier: Apache-2.0 */
/* From JSON trees to objects, refusing what the API server refuses and taking what it takes. */
#ifndef WEIR_K8S_DECODE_H
#define WEIR_K8S_DECODE_H

#include "lib/k8s/object.h"
#include "lib/k8s/problem.h"
#include "lib/k8s/text.h"

/* What a document, or an item of a List, turned out to be. */
struct k8s_decoded {
	bool known;   /* kind, ns and name are filled: a kind that Weir reads, with a usable name */
	bool skipped; /* another kind: none of Weir's business */
	enum k8s_kind kind;
	char ns[64], name[254];
	struct k8s_object *object; /* NULL when broken; a broken Namespace or NetworkPolicy may still give one */
};

/* A file on its way through the decoder. */
struct k8s_decoder {
	const char *source;
	const struct k8s_text *text; /* for line numbers, NULL */
	struct k8s_problems *problems;
	bool oom;
	/* of the object at hand */
	char label[360]; /* "NetworkPolicy demo/web", "" before its name is known */
	unsigned errors;
	struct arena *arena;
};

/*
 * Where in the object the decoder stands, for messages: a chain on the stack. A key, or an index when key is NULL.
 */
struct k8s_at {
	const struct k8s_at *up;
	const char *key;
	size_t index;
	const json_t *node;
};

/* Calls back for each object of a document, List items one by one. Returns -ENOMEM or what the callback returned < 0.
 */
typedef int (*k8s_decoded_t)(void *userdata, struct k8s_decoded *obj);
int k8s_decode(struct k8s_decoder *d, const json_t *doc, k8s_decoded_t callback, void *userdata);

/* ---- for the decoders of the kinds ---- */

/* Report something about the value at hand; k8s_bad() counts as an error of the object and returns -EINVAL. */
int k8s_bad(struct k8s_decoder *d, const struct k8s_at *at, const char *fmt, ...) _printf_(3, 4);
void k8s_note(struct k8s_decoder *d, enum k8s_severity sev, const struct k8s_at *at, const char *fmt, ...)
    _printf_(4, 5);

/* A member of an object, of one type. NULL when absent, null or (reported) of another type. at_ is filled for it. */
const json_t *k8s_member(struct k8s_decoder *d, const struct k8s_at *up, const char *key, json_type type,
			 struct k8s_at *at);
const char *k8s_string(struct k8s_decoder *d, const struct k8s_at *up, const char *key, struct k8s_at *at);
bool k8s_bool(struct k8s_decoder *d, const struct k8s_at *up, const char *key);
/* Keys that are not in the list are errors. */
void k8s_only(struct k8s_decoder *d, const struct k8s_at *at, const char *const *keys);
/* An item of a list: an object, NULL stands for {} and others are reported (false). */
bool k8s_item(struct k8s_decoder *d, const struct k8s_at *list, size_t i, struct k8s_at *at);
/* Allocation in the object; on failure NULL, and d->oom is set. */
void *k8s_alloc(struct k8s_decoder *d, size_t n, size_t size);
char *k8s_strdup(struct k8s_decoder *d, const char *s);
void k8s_read_labels(struct k8s_decoder *d, const struct k8s_at *up, const char *key, struct k8s_labels *ret);
/* up: the object that has the selector. NULL when absent. */
struct k8s_selector *k8s_read_selector(struct k8s_decoder *d, const struct k8s_at *up, const char *key);

/* Each fills the part after struct k8s_object; errors are in d->errors. */
void k8s_decode_namespace(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o);
void k8s_decode_service(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o);
void k8s_decode_node(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o);
void k8s_decode_pod(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o);
void k8s_decode_network_policy(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o);
/* After errors: keep what isolates. False when not even that much is readable. */
bool k8s_salvage_network_policy(const json_t *doc, struct k8s_object *o);
/* After errors: keep the name, and that the labels are not known. */
bool k8s_salvage_namespace(const json_t *doc, struct k8s_object *o);

#endif
