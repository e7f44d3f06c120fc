/* SPDX-License-Identifier: Apache-2.0 */
/* Times as `hubble observe` takes and prints them. */
#ifndef WEIR_CLI_TIMES_H
#define WEIR_CLI_TIMES_H

#include "lib/err.h"

/*
 * A moment: a duration back from now ("90s", "1h30m", "2d"), or RFC 3339 down to the day ("2026-01-02",
 * "2026-01-02T15:04:05.5Z", "…+01:00"; without zone: UTC). Nanoseconds since 1970. -EINVAL.
 */
int time_parse(const char *s, uint64_t now_ns, uint64_t *ret_ns);
/* "90s", "1h30m", "0.5s": nanoseconds. -EINVAL. */
int duration_parse(const char *s, uint64_t *ret_ns);

/* "StampMilli", "RFC3339Nano", …; NULL: unknown name. The layout is what time_format takes. */
const char *time_layout(const char *name);
extern const char time_layout_names[];
/* UTC, as hubble prints. buf of TIME_STRLEN. */
#define TIME_STRLEN 48
const char *time_format(const char *layout, uint64_t ns, char *buf);

#endif
