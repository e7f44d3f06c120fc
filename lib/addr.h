/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and prefixes, both families in one form: struct weir_addr of include/weir/abi.h. */
#ifndef WEIR_LIB_ADDR_H
#define WEIR_LIB_ADDR_H

#include "lib/macro.h"
#include "weir/abi.h"

/* A prefix in the 128-bit form: an IPv4 /n has len 96 + n. Host bits are zero. */
struct prefix {
	struct weir_addr addr;
	uint8_t len;
};

#define ADDR_STRLEN 46
#define MAC_STRLEN 18
#define PREFIX_STRLEN 50

bool addr_is_v4(const struct weir_addr *a);
bool addr_is_zero(const struct weir_addr *a); /* all 16 bytes: "none" */
int addr_cmp(const struct weir_addr *a, const struct weir_addr *b);
struct weir_addr addr_from_v4(uint32_t be);

/* "10.0.0.1", "fd00::1"; IPv4 octets with leading zeros are decimal. -EINVAL otherwise. An IPv6 text of the
 * form ::ffff:a.b.c.d is IPv4. */
int addr_parse(const char *s, struct weir_addr *ret_addr);
/* Writes into buf (ADDR_STRLEN) and returns it. */
const char *addr_to_str(const struct weir_addr *a, char *buf);

/*
 * CIDR text as the API server stores it: host bits are cleared, leading zeros in octets and in the length are
 * decimal, upper-case hex is fine. -EINVAL: not a CIDR.
 */
int prefix_parse(const char *s, struct prefix *ret_prefix);
const char *prefix_to_str(const struct prefix *p, char *buf); /* PREFIX_STRLEN */
bool prefix_is_v4(const struct prefix *p);
int prefix_cmp(const struct prefix *a, const struct prefix *b); /* by address, then shorter first */
/* Same family, and every address of b is in a. ::/0 does not contain 0.0.0.0/0. */
bool prefix_contains(const struct prefix *a, const struct prefix *b);
bool prefix_has_addr(const struct prefix *p, const struct weir_addr *a);
struct prefix prefix_of_addr(const struct weir_addr *a); /* its /128 */
struct weir_lpm_key prefix_to_lpm(const struct prefix *p);

const char *mac_to_str(const uint8_t mac[6], char *buf); /* MAC_STRLEN */

#endif
