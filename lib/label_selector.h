/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes label selectors in text form, over labels with Cilium's sources: "k8s:app in (a,b),!reserved:host,x=1". */
#ifndef WEIR_LABEL_SELECTOR_H
#define WEIR_LABEL_SELECTOR_H

#include "lib/err.h"

struct selector;
/* -EINVAL with the story. text must live as long as the result. */
int selector_parse(const char *text, struct selector **ret_selector, struct err *reterr);
void selector_free(struct selector *s);
DEFINE_CLEANUP(struct selector *, selector_free);
/* labels: "k8s:app=planner", "reserved:host". A key without a source, or with "any:", meets labels of every source. */
bool selector_match(const struct selector *s, char *const *labels, size_t n_labels);

#endif
