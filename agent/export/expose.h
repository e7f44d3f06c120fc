/* SPDX-License-Identifier: Apache-2.0 */
/* The text formats in which Prometheus reads a registry. */
#ifndef WEIR_EXPORT_EXPOSE_H
#define WEIR_EXPORT_EXPOSE_H

#include "agent/export/registry.h"

enum expose_format { EXPOSE_TEXT, EXPOSE_OPENMETRICS };

/* What the value of an Accept header likes better; NULL: there is none. */
enum expose_format expose_choose(const char *accept);
const char *expose_content_type(enum expose_format format);
/* Whether all could be written shows in ferror(f). */
void expose(struct registry *r, enum expose_format format, FILE *f);

#endif
