// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/reader.h"

static void on_record(struct feed *f, const struct ring_record *rec, _unused_ void *userdata)
{
	if (rec->len >= sizeof(struct weir_event))
		feed_push(f, rec->data, sizeof(struct weir_event));
}

int flow_reader_start(int ring_fd, struct feed **ret_f, struct err *reterr)
{
	const struct feed_params p = {
		.ring_fds = &ring_fd,
		.n_rings = 1,
		.record = on_record,
	};
	_cleanup_(feed_freep) struct feed *f = NULL;
	int r = feed_new(&p, &f, reterr);

	if (r >= 0)
		r = feed_start(f, reterr);
	if (r < 0)
		return r;
	*ret_f = TAKE_PTR(f);
	return 0;
}
