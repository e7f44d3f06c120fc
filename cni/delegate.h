/* SPDX-License-Identifier: Apache-2.0 */
/* Another IPAM plugin, run as the specification says: same environment, same stdin, found in CNI_PATH. */
#ifndef WEIR_CNI_DELEGATE_H
#define WEIR_CNI_DELEGATE_H

#include "cni/conf.h"

/* command: CNI_COMMAND for the plugin. The plugin's own error code and message come back, naming it. */
int delegate_run(const struct conf *c, const char *command, json_t **ret_result, struct err *reterr);
/* ADD: first address of each family, and the result's dns (borrowed from *ret_result, NULL: none). */
int delegate_add(const struct conf *c, struct weir_addr ret_addr[2], json_t **ret_result, struct err *reterr);

#endif
