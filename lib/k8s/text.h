/* SPDX-License-Identifier: Apache-2.0 */
/* A file of manifests as JSON trees: one decoder then serves JSON and YAML. */
#ifndef WEIR_K8S_TEXT_H
#define WEIR_K8S_TEXT_H

#include <jansson.h>

#include "lib/err.h"

#define K8S_DEPTH_MAX 100
#define K8S_ALIASED_NODES_MAX 100000 /* nodes that aliases may add in one file */

struct k8s_text_line {
	const json_t *node;
	unsigned line;
};

struct k8s_text {
	size_t n_docs, size_docs;
	json_t **docs; /* without the empty ones */
	size_t n_lines, size_lines;
	struct k8s_text_line *lines; /* YAML only */
};

/*
 * One or more documents, JSON or YAML. Plain YAML scalars become null, booleans and numbers as kubectl's reader has
 * it (YAML 1.1: yes and on are booleans, 0x10 and 010 are 16 and 8); quoted ones are strings. On failure (-EINVAL with
 * line, -ENOMEM) the documents before the fault are in ret_text: k8s_text_done() it in any case.
 */
int k8s_text_parse(const char *text, size_t len, struct k8s_text *ret_text, unsigned *reterr_line, struct err *reterr);
void k8s_text_done(struct k8s_text *t);
/* 0: unknown. */
unsigned k8s_text_line(const struct k8s_text *t, const json_t *node);

/* For the YAML reader: takes doc. */
int k8s_text_add_doc(struct k8s_text *t, json_t *doc);
int k8s_text_add_line(struct k8s_text *t, const json_t *node, unsigned line);
int k8s_yaml_parse(const char *text, size_t len, struct k8s_text *t, unsigned *reterr_line, struct err *reterr);
/* What a plain scalar stands for; NULL: no memory. */
json_t *k8s_yaml_resolve(const char *s, size_t len);

#endif
