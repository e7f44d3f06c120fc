// SPDX-License-Identifier: Apache-2.0
#include "agent/privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

static int apply(struct err *reterr)
{
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return err_set(reterr, -EPERM, "cannot give up capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(reterr, -errno, "cannot set no_new_privs: %m");
	return 0;
}

int privileges_drop(struct err *reterr)
{
	/* NET_ADMIN: nftables, attachments. BPF, PERFMON: maps and programs. Mounting bpffs, which takes SYS_ADMIN, is
	 * over. */
	static const unsigned kept[] = { CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON };

	capng_get_caps_process();
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool keep = false;

		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			keep |= kept[i] == cap;
		if (!keep)
			capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE, cap);
	}
	return apply(reterr);
}

int privileges_drop_all(struct err *reterr)
{
	capng_clear(CAPNG_SELECT_CAPS);
	return apply(reterr);
}
