// SPDX-License-Identifier: Apache-2.0
#include "agent/rings.h"

#include "lib/clock.h"

#define UNKNOWN 0ull /* not looked at */
#define NONE UINT64_MAX
#define WINDOW_MIN (64u << 10)
#define SETTLE_NS 20000 /* until each CPU sees how far the others' rings are */
#define TRIES 1000      /* for a record that is being written: that takes less, unless its CPU was taken away */

int rings_map(struct rings *rs, const int *fds, size_t n, struct err *reterr)
{
	int r = 0;

	*rs = (struct rings){ .lane = calloc(n, sizeof(*rs->lane)), .time = calloc(n, sizeof(*rs->time)) };
	if (!rs->lane || !rs->time)
		return err_oom(reterr);
	for (; rs->n < n && r == 0; rs->n++)
		r = ring_map(&rs->lane[rs->n].ring, fds[rs->n], MAX(RING_WINDOW_MAX / n, WINDOW_MIN), reterr);
	return r;
}

void rings_unmap(struct rings *rs)
{
	for (size_t i = 0; i < rs->n; i++)
		ring_unmap(&rs->lane[i].ring);
	free(rs->lane);
	free(rs->time);
}

/* False: its next record is still being written. */
static bool look(struct rings *rs, size_t i)
{
	struct ring_lane *lane = rs->lane + i;

	for (int tries = 0; !ring_peek(&lane->ring, &lane->head); tries++) {
		if (!ring_has_more(&lane->ring)) {
			rs->time[i] = NONE;
			return true;
		}
		if (tries == TRIES)
			return false;
	}
	memcpy(&rs->time[i], lane->head.data, sizeof(rs->time[i]));
	return true;
}

/* The lane of the earliest record. False: what a lane's next record is cannot be told yet, and it may be that one. */
static bool earliest(struct rings *rs)
{
	size_t first = 0;

	for (size_t i = 0; i < rs->n; i++) {
		if (rs->time[i] == UNKNOWN && !look(rs, i))
			return false;
		if (rs->time[i] < rs->time[first])
			first = i;
	}
	rs->at = first;
	return true;
}

/* Later records count, too, from now on. */
static void move_on(struct rings *rs)
{
	rs->until = clock_ns(CLOCK_MONOTONIC) - SETTLE_NS;
	for (size_t i = 0; i < rs->n; i++)
		if (rs->time[i] == NONE)
			rs->time[i] = UNKNOWN;
}

bool rings_peek(struct rings *rs, struct ring_record *ret)
{
	if (rs->n == 1)
		return ring_peek(&rs->lane[0].ring, ret);
	if (!earliest(rs))
		return false;
	if (rs->time[rs->at] > rs->until) {
		move_on(rs);
		if (!earliest(rs) || rs->time[rs->at] > rs->until)
			return false;
	}
	*ret = rs->lane[rs->at].head;
	return true;
}

void rings_drop(struct rings *rs)
{
	ring_drop(&rs->lane[rs->at].ring);
	rs->time[rs->at] = UNKNOWN;
}

void rings_release(struct rings *rs)
{
	for (size_t i = 0; i < rs->n; i++)
		ring_release(&rs->lane[i].ring);
}

/* A record at hand keeps its ring from it. */
void rings_rest(struct rings *rs)
{
	for (size_t i = 0; i < rs->n; i++)
		if (rs->n == 1 || rs->time[i] == NONE)
			ring_rest(&rs->lane[i].ring);
}
