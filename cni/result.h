/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to stdout: one JSON document, a result in the version that was asked for or an error. */
#ifndef WEIR_CNI_RESULT_H
#define WEIR_CNI_RESULT_H

#include <jansson.h>

#include "lib/attachment.h"

/* Functions of cni/ return 0 or one of these, with the message in reterr. Below 100: the specification's. */
enum cni_code {
	CNI_BAD_VERSION = 1,
	CNI_UNKNOWN_CONTAINER = 3,
	CNI_BAD_ENV = 4,
	CNI_IO = 5,
	CNI_BAD_JSON = 6,
	CNI_BAD_CONFIG = 7,
	CNI_HOST_NETNS = 8, /* as the reference plugins have it */
	CNI_TRY_LATER = 11,
	CNI_UNAVAILABLE = 50,
	CNI_FAILED = 100,      /* the kernel or the file system said no */
	CNI_UNSUPPORTED = 101, /* a capability that weir-cni does not have was asked for */
	CNI_NO_ADDRESS = 102,
	CNI_CHECK_FAILED = 103,
	CNI_EXISTS = 104, /* this container has this interface already */
};

enum cni_version { CNI_0_1_0, CNI_0_2_0, CNI_0_3_0, CNI_0_3_1, CNI_0_4_0, CNI_1_0_0, CNI_1_1_0, CNI_VERSION_COUNT };
#define CNI_VERSION_NEWEST CNI_1_1_0

const char *cni_version_str(enum cni_version v);
/* -EINVAL: none that we speak. */
int cni_version_parse(const char *s, enum cni_version *ret_version);

/* The result of ADD. dns may be NULL. Steals nothing. NULL: out of memory. */
json_t *result_new(const struct attachment *a, enum cni_version version, const json_t *dns);

/* "10.0.0.1/24" with the length of its prefix in the 128-bit form; 128 when it has none. 0 or an enum cni_code. */
int result_address(const char *text, struct weir_addr *ret_addr, uint8_t *ret_len, struct err *reterr);
/* First address of each family in a result of the newest version; there must be one. 0 or an enum cni_code. */
int result_addresses(const json_t *result, struct weir_addr ret_addr[2], struct err *reterr);

/* All print one line to stdout; false: it could not be written. Take the reference over. */
bool result_print(json_t *result);
bool result_print_error(const char *version, int code, const char *msg, const char *details);
bool result_print_versions(const char *version);

#endif
