/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and label selectors, by the rules of apimachinery's labels.Requirement. */
#ifndef WEIR_K8S_SELECTOR_H
#define WEIR_K8S_SELECTOR_H

#include "lib/macro.h"

struct k8s_label {
	const char *key, *value;
};

struct k8s_labels {
	size_t n;
	struct k8s_label *v; /* sorted by key, each key once */
	bool unreadable;     /* there may be others: nothing is said of a key that is not among these */
};

enum k8s_operator { K8S_IN, K8S_NOT_IN, K8S_EXISTS, K8S_DOES_NOT_EXIST };

struct k8s_requirement {
	const char *key;
	enum k8s_operator op;
	size_t n_values; /* matchLabels: IN with one value */
	const char **values;
};

/* All requirements must hold; none: matches everything. */
struct k8s_selector {
	size_t n;
	struct k8s_requirement *v;
};

const char *k8s_labels_get(const struct k8s_labels *l, const char *key); /* NULL: no such key */
bool k8s_labels_equal(const struct k8s_labels *a, const struct k8s_labels *b);
void k8s_labels_sort(struct k8s_labels *l);
bool k8s_selector_matches(const struct k8s_selector *s, const struct k8s_labels *l);
int k8s_operator_parse(const char *name, enum k8s_operator *ret_op);
const char *k8s_operator_name(enum k8s_operator op);
/* As `kubectl get -l` takes it: "app=web,tier in (a,b),!old"; "" for the empty selector. Returns the length wanted. */
size_t k8s_selector_to_str(const struct k8s_selector *s, char *buf, size_t size);

#endif
