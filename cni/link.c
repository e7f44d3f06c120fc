// SPDX-License-Identifier: Apache-2.0
#include "cni/link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/netlink.h"
#include "lib/netns.h"
#include "lib/tc_attach.h"

#define NEW (NLM_F_CREATE | NLM_F_EXCL)

void link_close_progs(struct link_progs *p)
{
	close_fd(p->from_pod);
	close_fd(p->to_pod);
}

static int open_prog(const char *bpf_dir, const char *name, int *ret_fd, struct err *reterr)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/progs/%s", bpf_dir, name) >= PATH_MAX)
		return err_set(reterr, -ENAMETOOLONG, "%s is too long", bpf_dir);
	*ret_fd = tc_open_pin(path);
	return *ret_fd < 0 ? err_set(reterr, *ret_fd, "cannot open the program %s: %m", path) : 0;
}

int link_open_progs(const char *bpf_dir, struct link_progs *ret_progs, struct err *reterr)
{
	struct link_progs p = LINK_NO_PROGS;
	int r = open_prog(bpf_dir, "from_pod", &p.from_pod, reterr);

	r = r ?: open_prog(bpf_dir, "to_pod", &p.to_pod, reterr);
	if (r < 0)
		link_close_progs(&p);
	else
		*ret_progs = p;
	return r;
}

/* ---- requests; what names them in errors */

/* One queue, of which more are never used: the kernel would make room for as many as there may be processors, at each
 * end, 1.4 KiB apiece. */
static void put_end(struct nl_batch *b, const char *name, const uint8_t mac[6], uint32_t mtu)
{
	nl_put_str(b, IFLA_IFNAME, name);
	nl_put(b, IFLA_ADDRESS, mac, 6);
	nl_put_u32(b, IFLA_MTU, mtu);
	nl_put_u32(b, IFLA_NUM_TX_QUEUES, 1);
	nl_put_u32(b, IFLA_NUM_RX_QUEUES, 1);
}

static void put_pair(struct nl_batch *b, const struct attachment *a, int netns)
{
	size_t info, data, peer;

	nl_begin(b, RTM_NEWLINK, NEW, sizeof(struct ifinfomsg), "create the veth pair");
	put_end(b, a->hostif, a->host_mac, a->mtu);
	info = nl_nest(b, IFLA_LINKINFO, 0);
	nl_put_str(b, IFLA_INFO_KIND, "veth");
	data = nl_nest(b, IFLA_INFO_DATA, 0);
	peer = nl_nest(b, VETH_INFO_PEER, sizeof(struct ifinfomsg));
	put_end(b, a->ifname, a->mac, a->mtu);
	nl_put_u32(b, IFLA_NET_NS_FD, netns);
	nl_nest_end(b, peer);
	nl_nest_end(b, data);
	nl_nest_end(b, info);
}

static struct ifinfomsg *put_link(struct nl_batch *b, uint32_t ifindex, const char *what)
{
	struct ifinfomsg *i = nl_begin(b, RTM_NEWLINK, 0, sizeof(*i), what);

	i->ifi_index = ifindex;
	return i;
}

static void put_up(struct nl_batch *b, uint32_t ifindex, const char *what)
{
	struct ifinfomsg *i = put_link(b, ifindex, what);

	i->ifi_flags = i->ifi_change = IFF_UP;
}

/* No link-local address: nothing to detect duplicates of, nothing that a pod could talk to. */
static void put_inet6_conf(struct nl_batch *b, uint32_t ifindex)
{
	uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
	size_t spec, inet6;

	put_link(b, ifindex, "configure IPv6 on the host end");
	nl_tolerate(b, EAFNOSUPPORT); /* no IPv6 on this host; matters only to pods that have it, see put_address() */
	spec = nl_nest(b, IFLA_AF_SPEC, 0);
	inet6 = nl_nest(b, AF_INET6, 0);
	nl_put(b, IFLA_INET6_ADDR_GEN_MODE, &mode, 1);
	nl_nest_end(b, inet6);
	nl_nest_end(b, spec);
}

static const void *raw(const struct weir_addr *a)
{
	return addr_is_v4(a) ? &a->b[12] : a->b;
}

static size_t raw_len(const struct weir_addr *a)
{
	return addr_is_v4(a) ? 4 : 16;
}

static uint8_t af(const struct weir_addr *a)
{
	return addr_is_v4(a) ? AF_INET : AF_INET6;
}

static void put_address(struct nl_batch *b, uint32_t ifindex, const struct weir_addr *a)
{
	struct ifaddrmsg *m = nl_begin(b, RTM_NEWADDR, NEW, sizeof(*m), "add the pod's address");

	m->ifa_family = af(a);
	m->ifa_prefixlen = raw_len(a) * 8;
	m->ifa_index = ifindex;
	nl_put(b, IFA_LOCAL, raw(a), raw_len(a));
	nl_put(b, IFA_ADDRESS, raw(a), raw_len(a));
	if (!addr_is_v4(a))
		nl_put_u32(b, IFA_FLAGS, IFA_F_NODAD);
}

/* To that address on the link, or (everything) by way of it. */
static void put_route(struct nl_batch *b, uint32_t ifindex, const struct weir_addr *a, bool everything,
		      const char *what)
{
	struct rtmsg *m = nl_begin(b, RTM_NEWROUTE, NEW, sizeof(*m), what);

	m->rtm_family = af(a);
	m->rtm_dst_len = everything ? 0 : raw_len(a) * 8;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_BOOT;
	m->rtm_scope = !everything && addr_is_v4(a) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	nl_put(b, everything ? RTA_GATEWAY : RTA_DST, raw(a), raw_len(a));
	nl_put_u32(b, RTA_OIF, ifindex);
}

static void put_neighbour(struct nl_batch *b, uint32_t ifindex, const struct weir_addr *a, const uint8_t mac[6])
{
	struct ndmsg *m = nl_begin(b, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*m), "add the neighbour");

	m->ndm_family = af(a);
	m->ndm_ifindex = ifindex;
	m->ndm_state = NUD_PERMANENT;
	nl_put(b, NDA_DST, raw(a), raw_len(a));
	nl_put(b, NDA_LLADDR, mac, 6);
}

/* ---- sysctls: what netlink cannot set */

/* Writes only what is not so yet: some of these take locks, or walk every interface. */
static int set_sysctl(const char *path, char value)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	char now;

	if (fd < 0)
		return -errno;
	if (pread(fd, &now, 1, 0) == 1 && now == value)
		return 0;
	return pwrite(fd, &value, 1, 0) < 0 ? -errno : 0;
}

static int set_ipv6_sysctl(const char *ifname, const char *name, char value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", ifname, name);
	return set_sysctl(path, value);
}

static int host_sysctls(const struct attachment *a, struct err *reterr)
{
	bool v6 = !addr_is_zero(&a->addr[1]);
	int r = addr_is_zero(&a->addr[0]) ? 0 : set_sysctl("/proc/sys/net/ipv4/ip_forward", '1');

	if (r < 0)
		return err_set(reterr, r, "cannot turn on net.ipv4.ip_forward: %m");
	r = set_ipv6_sysctl(a->hostif, "accept_ra",
			    '0'); /* without advertisements there is no autoconfiguration either */
	if (r == -ENOENT && !v6)
		return 0; /* no IPv6 on this host, none wanted */
	if (r < 0)
		return err_set(reterr, r, "cannot set accept_ra of %s: %m", a->hostif);
	if (v6) {
		r = set_ipv6_sysctl("all", "forwarding", '1');
		r = r
			?: set_ipv6_sysctl(a->hostif, "forwarding",
					   '1'); /* inherited, unless somebody changed "default" */
	}
	return r < 0 ? err_set(reterr, r, "cannot turn on IPv6 forwarding: %m") : 0;
}

/* ---- the two ends */

int link_attach(int host, uint32_t ifindex, const struct link_progs *progs, struct err *reterr)
{
	struct nl_batch b;

	nl_batch_init(&b);
	tc_put_clsact(&b, ifindex);
	tc_put_filter(&b, ifindex, true, progs->from_pod);
	tc_put_filter(&b, ifindex, false, progs->to_pod);
	return nl_send(host, &b, NULL, NULL, reterr);
}

static int wire_host(int host, const struct attachment *a, struct err *reterr)
{
	/* It routes, and the programs check sources better than rp_filter. */
	static const struct nl_inet_conf conf[] = {
		{ IPV4_DEVCONF_FORWARDING, 1 },       { IPV4_DEVCONF_RP_FILTER, 0 },
		{ IPV4_DEVCONF_ACCEPT_REDIRECTS, 0 }, { IPV4_DEVCONF_SEND_REDIRECTS, 0 },
		{ IPV4_DEVCONF_PROXY_ARP, 0 },        { IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE, 0 },
	};
	struct nl_batch b;
	int r = host_sysctls(a, reterr);

	if (r < 0)
		return r;
	nl_batch_init(&b);
	nl_put_inet_conf(&b, a->ifindex, conf, ARRAY_SIZE(conf), "configure the host end");
	put_inet6_conf(&b, a->ifindex);
	put_up(&b, a->ifindex, "bring up the host end");
	for (int f = 0; f < 2; f++)
		if (!addr_is_zero(&a->addr[f])) {
			put_route(&b, a->ifindex, &a->addr[f], false, "add the host's route to the pod");
			put_neighbour(&b, a->ifindex, &a->addr[f], a->mac);
		}
	return nl_send(host, &b, NULL, NULL, reterr);
}

static int wire_pod(int pod, const struct attachment *a, struct err *reterr)
{
	static const char *const gateways[2] = { LINK_GATEWAY4, LINK_GATEWAY6 };
	int ifindex = nl_ifindex(pod, a->ifname), r;
	struct nl_batch b;

	if (ifindex < 0)
		return err_set(reterr, ifindex, "cannot find %s in the pod: %m", a->ifname);
	nl_batch_init(&b);
	put_up(&b, ifindex, "bring up the pod's end");
	for (int f = 0; f < 2; f++) {
		struct weir_addr gateway;

		if (addr_is_zero(&a->addr[f]))
			continue;
		(void)addr_parse(gateways[f], &gateway);
		put_address(&b, ifindex, &a->addr[f]);
		if (f == 0) /* fe80::/10 is on every link anyway */
			put_route(&b, ifindex, &gateway, false, "add the route to the gateway");
		put_route(&b, ifindex, &gateway, true, "add the default route");
		put_neighbour(&b, ifindex, &gateway, a->host_mac);
	}
	r = nl_send(pod, &b, NULL, NULL, reterr);
	if (r == -EEXIST)
		return err_prefix(reterr, r, "another network of the pod has its default route already");
	return r;
}

/* A netlink socket in the pod's namespace, where IPv6 is on if the pod is to have it (some runtimes turn it off). */
static int open_pod(int netns, const struct attachment *a, struct err *reterr)
{
	int own, pod, r = netns_enter(netns, &own, reterr);

	if (r < 0)
		return r;
	pod = nl_open(reterr);
	if (!addr_is_zero(&a->addr[1]))
		r = set_ipv6_sysctl(a->ifname, "disable_ipv6", '0');
	netns_leave(own);
	if (r < 0 && pod >= 0) {
		close_fd(pod);
		return err_set(reterr, r, "cannot turn on IPv6 in the pod: %m");
	}
	return pod;
}

int link_add(int host, int netns, const struct link_progs *progs, struct attachment *a, struct err *reterr)
{
	_cleanup_close_ int pod = -1;
	struct nl_batch b;
	int r;

	nl_batch_init(&b);
	put_pair(&b, a, netns);
	r = nl_send(host, &b, NULL, NULL, reterr);
	if (r < 0)
		return r;
	r = nl_ifindex(host, a->hostif);
	if (r < 0)
		return err_set(reterr, r, "cannot find %s: %m", a->hostif);
	a->ifindex = r;
	r = link_attach(host, a->ifindex, progs, reterr);
	r = r ?: wire_host(host, a, reterr);
	if (r < 0)
		return r;
	pod = open_pod(netns, a, reterr);
	return pod < 0 ? pod : wire_pod(pod, a, reterr);
}

int link_del(int host, const char *hostif, struct err *reterr)
{
	struct nl_batch b;

	nl_batch_init(&b);
	nl_begin(&b, RTM_DELLINK, 0, sizeof(struct ifinfomsg), "remove the veth pair");
	nl_tolerate(&b, ENODEV);
	nl_put_str(&b, IFLA_IFNAME, hostif);
	return nl_send(host, &b, NULL, NULL, reterr);
}

/* ---- the uplink */

static int take_oif(const struct nlmsghdr *h, void *userdata)
{
	if (h->nlmsg_type == RTM_NEWROUTE)
		*(uint32_t *)userdata = nl_u32(nl_attr(h, sizeof(struct rtmsg), RTA_OIF));
	return 0;
}

/* The interface of the route to an address that only a default route leads to; 0: none. */
static uint32_t uplink(int host, const char *far)
{
	struct weir_addr a;
	uint32_t oif = 0;
	struct nl_batch b;
	struct rtmsg *m;

	(void)addr_parse(far, &a);
	nl_batch_init(&b);
	m = nl_begin(&b, RTM_GETROUTE, 0, sizeof(*m), "find the uplink");
	m->rtm_family = af(&a);
	m->rtm_dst_len = raw_len(&a) * 8;
	nl_put(&b, RTA_DST, raw(&a), raw_len(&a));
	return nl_send(host, &b, take_oif, &oif, NULL) < 0 ? 0 : oif;
}

#define LOOPBACK 1 /* in every network namespace */

uint32_t link_uplink_mtu(int host)
{
	struct ifreq req = {};
	/* For documentation: only a default route leads there, or it is this node's own by mistake. */
	static const char *const far[] = { "192.0.2.1", "198.51.100.1", "2001:db8::1" };
	uint32_t oif = 0;

	for (size_t i = 0; i < ARRAY_SIZE(far) && oif <= LOOPBACK; i++)
		oif = uplink(host, far[i]);
	req.ifr_ifindex = oif;
	if (oif <= LOOPBACK || ioctl(host, SIOCGIFNAME, &req) < 0 || ioctl(host, SIOCGIFMTU, &req) < 0)
		return 1500;
	return MIN(req.ifr_mtu, 65535);
}
