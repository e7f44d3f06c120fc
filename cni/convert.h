/* SPDX-License-Identifier: Apache-2.0 */
/* Results of every version, by way of the newest: what sets the versions apart is known here alone. */
#ifndef WEIR_CNI_CONVERT_H
#define WEIR_CNI_CONVERT_H

#include "cni/result.h"

/* Both change the result in place. To the newest version, from whichever it is in; 0 or an enum cni_code when it cannot
 * be understood. A result that is no object stays as it is. */
int convert_to_newest(json_t *result, struct err *reterr);
/* From the newest version. What the elder one has no place for is left out. */
void convert_from_newest(json_t *result, enum cni_version version);

#endif
