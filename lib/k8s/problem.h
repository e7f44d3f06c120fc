/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a file of manifests: a list, because its author wants to hear of everything at once. */
#ifndef WEIR_K8S_PROBLEM_H
#define WEIR_K8S_PROBLEM_H

#include "lib/macro.h"

enum k8s_severity { K8S_ERROR, K8S_WARNING, K8S_NOTICE };

struct k8s_problem {
	enum k8s_severity severity;
	unsigned line; /* 0: unknown */
	/* "FILE:LINE: KIND NS/NAME: PATH: what", each part as far as known */
	char *text;
};

struct k8s_problems {
	size_t n, size;
	struct k8s_problem *v;
	size_t n_errors; /* also those that found no place in v */
	size_t n_lost;   /* beyond K8S_PROBLEMS_MAX, or no memory */
};
#define K8S_PROBLEMS_MAX 1000

/* Never fails: what finds no place is counted. Takes text (malloc'ed; NULL: no memory was left for it). */
void k8s_problems_add(struct k8s_problems *p, enum k8s_severity severity, unsigned line, char *text);
void k8s_problems_done(struct k8s_problems *p);
const char *k8s_severity_name(enum k8s_severity s);

#endif
