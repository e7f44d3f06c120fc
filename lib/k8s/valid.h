/* SPDX-License-Identifier: Apache-2.0 */
/* Names as the API server takes them. */
#ifndef WEIR_K8S_VALID_H
#define WEIR_K8S_VALID_H

#include "lib/macro.h"

bool k8s_valid_label_key(const char *s);   /* [DNS subdomain /] name of at most 63 */
bool k8s_valid_label_value(const char *s); /* at most 63, may be empty */
bool k8s_valid_subdomain(const char *s);   /* names of objects */
bool k8s_valid_dns_label(const char *s);   /* names of namespaces */
bool k8s_valid_port_name(const char *s);   /* at most 15, lower case, with a letter */

#endif
