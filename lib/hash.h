/* SPDX-License-Identifier: Apache-2.0 */
/* uthash that survives a failed allocation: after HASH_ADD…, hash_added(elem) says whether it is in the table. */
#ifndef WEIR_LIB_HASH_H
#define WEIR_LIB_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define hash_added(elem) ((elem)->hh.tbl != NULL)

#endif
