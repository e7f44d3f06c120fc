/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_RFC3339_H
#define WEIR_RFC3339_H

#include "lib/macro.h"

/*
 * "2026-01-02T15:04:05.5Z", "…+01:00"; less precise down to the day, without zone: UTC. Nanoseconds since 1970;
 * -EINVAL, also for what is before or does not fit.
 */
int rfc3339_parse(const char *s, uint64_t *ret_ns);

#endif
