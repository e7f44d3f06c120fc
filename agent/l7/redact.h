/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that is to be recorded, without what only its owner should read. */
#ifndef WEIR_L7_REDACT_H
#define WEIR_L7_REDACT_H

#include "lib/macro.h"

/*
 * json[len], an object or a list that may be cut off at its end, as compact text: the value of each key that matches
 * one of the patterns (fnmatch(3), letters of any case; NULL ends them) is "[redacted]", at any depth, and in strings
 * that are JSON or have objects in their text, too. What was cut off ends in "…". What looks like an object and cannot
 * be read comes as "[unreadable]" with all that follows it in its string: nobody can tell what is in it. The caller
 * frees it; NULL: out of memory.
 */
char *redact(const char *json, size_t len, char *const *patterns);

#endif
