/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a program, on stderr: only main programs and the agent log; lib/ outside this file never does. */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include "lib/macro.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Level by name (error, warn, info, debug); -EINVAL for others. */
int log_level_from_str(const char *s, enum log_level *ret_level);
/* text: `LEVEL message`, with the kernel's <n> priority prefix under systemd; json: one object a line. */
void log_setup(enum log_level level, bool json);
void log_msg(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_error(...) log_msg(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
