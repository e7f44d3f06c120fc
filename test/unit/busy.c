// SPDX-License-Identifier: Apache-2.0
#include "agent/busy.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/tc_attach.h"
#include "test/unit/veth.h"

static struct endpoints *eps;
static int prog;

/* Its host end is up, its other end named veth0, veth1, … by the kernel. */
static struct endpoint *add(const char *hostif)
{
	struct attachment *a = calloc(1, sizeof(*a));
	struct endpoint *ep;

	link_request(RTM_NEWLINK, hostif);
	ck_assert_ptr_nonnull(a);
	a->container_id = strdup(hostif);
	a->ifname = strdup("eth0");
	snprintf(a->hostif, sizeof(a->hostif), "%s", hostif);
	a->ifindex = ifindex(hostif);
	ck_assert_int_eq(endpoints_add(eps, &a, &ep, NULL), 0);
	ck_assert_int_eq(ep->link, -1);
	return ep;
}

static void up(const char *name)
{
	_cleanup_close_ int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { .ifr_flags = IFF_UP };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	ck_assert_int_eq(ioctl(s, SIOCSIFFLAGS, &r), 0);
}

static void sends(const char *name, int packets)
{
	_cleanup_close_ int s = socket(AF_PACKET, SOCK_RAW, 0);
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)ifindex(name) };
	uint8_t frame[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x88, 0xb5 };

	for (int i = 0; i < packets; i++)
		ck_assert_int_eq(sendto(s, frame, sizeof(frame), 0, (void *)&to, sizeof(to)), sizeof(frame));
}

/* False: not root, or a kernel without such links. */
static bool enter(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return false;
	eps = calloc(1, sizeof(*eps));
	prog = load();
	fd = tc_link(prog, 1, true);
	if (fd < 0)
		puts("# this kernel has no TCX links");
	else
		close(fd);
	return fd >= 0;
}

static void leave(void)
{
	endpoints_done(eps);
	free(eps);
	close(prog);
}

START_TEST(who_sends_much_gets_a_link)
{
	struct endpoint *ep;
	int link;

	if (!enter())
		return;
	ep = add("one");
	up("one");
	up("veth0");
	sends("veth0", 100);
	ck_assert_int_eq(busy_look(eps, 1000, prog), 0); /* little, since the machine is up */
	ck_assert_int_eq(busy_look(eps, 1000, prog), 0); /* nothing more */
	sends("veth0", 100);
	ck_assert_int_eq(busy_look(eps, UINT32_MAX, prog), 0);
	ck_assert_int_eq(ep->link, -1);
	sends("veth0", 100);
	ck_assert_int_eq(busy_look(eps, 1000, prog), 1);
	link = ep->link;
	ck_assert_int_ge(link, 0);
	sends("veth0", 100);
	ck_assert_int_eq(busy_look(eps, 1000, prog), 0); /* it has one */
	ck_assert_int_eq(ep->link, link);
	ck_assert(endpoints_remove(eps, ep->key));
	ck_assert(fcntl(link, F_GETFD) < 0 && errno == EBADF);
	leave();
}
END_TEST

START_TEST(a_few_at_a_time)
{
	static const char *const host[] = { "b", "d", "a", "c" }, *const other[] = { "veth0", "veth1", "veth2",
										     "veth3" };

	if (!enter())
		return;
	for (int i = 0; i < 4; i++) {
		add(host[i]);
		up(host[i]);
		up(other[i]);
	}
	for (int look = 0; look < 5; look++) {
		for (int i = 0; i < 4; i++)
			sends(other[i], i == 3 ? 0 : 100);
		ck_assert_int_eq(busy_look(eps, 1000, prog), look == 1 ? 2 : look == 2 ? 1 : 0);
	}
	ck_assert_int_eq(endpoints_find(eps, "c:eth0")->link, -1);
	leave();
}
END_TEST

START_TEST(an_interface_that_has_gone_gets_none)
{
	struct endpoint *ep;

	if (!enter())
		return;
	ep = add("one");
	up("one");
	up("veth0");
	ck_assert_int_eq(busy_look(eps, 1000, prog), 0);
	sends("veth0", 100);
	ep->attachment->ifindex = 4711;
	ck_assert_int_eq(busy_look(eps, 1000, prog), 0);
	ck_assert_int_eq(ep->link, -1);
	link_request(RTM_DELLINK, "one");
	ck_assert_int_eq(busy_look(eps, 1000, prog), 0);
	leave();
}
END_TEST

UNIT_MAIN(busy, who_sends_much_gets_a_link, a_few_at_a_time, an_interface_that_has_gone_gets_none)
