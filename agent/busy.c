// SPDX-License-Identifier: Apache-2.0
#include "agent/busy.h"

#include <inttypes.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/tc_attach.h"

#define AT_ONCE 2 /* the main loop waits meanwhile, and whoever wants the lock: 10 to 30 ms each */

static int by_name(const void *a, const void *b)
{
	const struct endpoint *const *x = a, *const *y = b;

	return strcmp((*x)->attachment->hostif, (*y)->attachment->hostif);
}

static int has_name(const void *name, const void *ep)
{
	return strcmp(name, (*(struct endpoint *const *)ep)->attachment->hostif);
}

/* NULL: out of memory. */
static struct endpoint **sort_by_name(const struct endpoints *eps, size_t *ret_n)
{
	struct endpoint **v = calloc(HASH_COUNT(eps->by_key) + 1, sizeof(*v));
	size_t n = 0;

	for (struct endpoint *ep = eps->by_key; v && ep; ep = ep->hh.next)
		v[n++] = ep;
	if (n)
		qsort(v, n, sizeof(*v), by_name);
	*ret_n = n;
	return v;
}

/* sent: what its host end has received. At the first look it counts as of the whole time that the machine has been up.
 */
static bool sends_much(struct endpoint *ep, uint64_t sent, uint64_t now, uint32_t packets)
{
	bool much = sent > ep->sent && (double)(sent - ep->sent) * 1e9 / (double)(now - ep->looked_ns) >= packets;

	ep->sent = sent;
	ep->looked_ns = now;
	return much;
}

/* "  NAME: BYTES PACKETS …" of /proc/net/dev, which takes no lock. False: it is not such a line. */
static bool read_line(char *line, const char **ret_name, uint64_t *ret_packets)
{
	char *colon = strchr(line, ':');

	if (!colon || sscanf(colon + 1, "%*u %" SCNu64, ret_packets) != 1)
		return false;
	*colon = '\0';
	*ret_name = line + strspn(line, " ");
	return true;
}

static int link_pod(struct endpoint *ep, int prog_fd)
{
	int fd = tc_link(prog_fd, ep->attachment->ifindex, true);

	if (fd == -EINVAL)
		return -EOPNOTSUPP;
	if (fd < 0)
		return 0; /* it has gone, or will be tried again */
	ep->link = fd;
	log_debug("%s: sends much, its program is attached by a link", ep->attachment->hostif);
	return 1;
}

int busy_look(struct endpoints *eps, uint32_t packets, int prog_fd)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/net/dev", "re");
	_cleanup_free_ struct endpoint **v = NULL;
	_cleanup_free_ char *line = NULL;
	uint64_t now = clock_ns(CLOCK_MONOTONIC), sent;
	size_t n = 0, size = 0;
	const char *name;
	int linked = 0, r = 0;

	v = f ? sort_by_name(eps, &n) : NULL;
	while (n && r >= 0 && getline(&line, &size, f) > 0) {
		struct endpoint **ep = read_line(line, &name, &sent) ? bsearch(name, v, n, sizeof(*v), has_name) : NULL;

		if (!ep || !sends_much(*ep, sent, now, packets) || (*ep)->link >= 0 || linked == AT_ONCE)
			continue;
		r = link_pod(*ep, prog_fd);
		linked += r > 0;
	}
	return r < 0 ? r : linked;
}
