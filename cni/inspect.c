// SPDX-License-Identifier: Apache-2.0
#include "cni/inspect.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "lib/netlink.h"
#include "lib/netns.h"

int inspect_open(int netns, struct err *reterr)
{
	int own, fd, r = netns_enter(netns, &own, reterr);

	if (r < 0)
		return r;
	fd = nl_open(reterr);
	netns_leave(own);
	return fd;
}

static int take_link(const struct nlmsghdr *h, void *userdata)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	struct link_state *l = userdata;
	const struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	l->ifindex = i->ifi_index;
	l->up = i->ifi_flags & IFF_UP;
	l->mtu = nl_u32(nl_attr(h, sizeof(*i), IFLA_MTU));
	l->peer = nl_u32(nl_attr(h, sizeof(*i), IFLA_LINK));
	l->master = nl_u32(nl_attr(h, sizeof(*i), IFLA_MASTER));
	a = nl_attr(h, sizeof(*i), IFLA_ADDRESS);
	if (a && nl_len(a) == 6)
		memcpy(l->mac, nl_data(a), 6);
	a = nl_attr(h, sizeof(*i), IFLA_IFNAME);
	if (a && nl_len(a) <= sizeof(l->name))
		memcpy(l->name, nl_data(a), nl_len(a));
	a = nl_attr_in(nl_attr(h, sizeof(*i), IFLA_LINKINFO), IFLA_INFO_KIND);
	l->veth = a && nl_len(a) >= 4 && memcmp(nl_data(a), "veth", 4) == 0;
	return 0;
}

int inspect_link(int fd, const char *name, uint32_t ifindex, struct link_state *ret_link, struct err *reterr)
{
	struct link_state l = {};
	struct ifinfomsg *i;
	struct nl_batch b;
	int r;

	nl_batch_init(&b);
	i = nl_begin(&b, RTM_GETLINK, 0, sizeof(*i), "find the interface");
	i->ifi_index = ifindex;
	if (name)
		nl_put_str(&b, IFLA_IFNAME, name);
	r = nl_send(fd, &b, take_link, &l, reterr);
	if (r == 0)
		*ret_link = l;
	return r;
}

struct wanted {
	uint32_t ifindex;
	const struct weir_addr *addr;
	uint8_t len;
	const struct route *route;
	bool found;
};

static bool same_addr(const struct nlattr *at, const struct weir_addr *a)
{
	bool v4 = addr_is_v4(a);

	return at && nl_len(at) == (v4 ? 4 : 16) && memcmp(nl_data(at), a->b + (v4 ? 12 : 0), nl_len(at)) == 0;
}

/* Length of a prefix as the kernel counts it. */
static unsigned bits(const struct weir_addr *a, uint8_t len)
{
	return addr_is_v4(a) ? len - 96u : len;
}

static uint8_t family(const struct weir_addr *a)
{
	return addr_is_v4(a) ? AF_INET : AF_INET6;
}

static int take_address(const struct nlmsghdr *h, void *userdata)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct wanted *w = userdata;

	if (h->nlmsg_type != RTM_NEWADDR || m->ifa_index != w->ifindex || m->ifa_prefixlen != bits(w->addr, w->len))
		return 0;
	w->found |= same_addr(nl_attr(h, sizeof(*m), IFA_LOCAL) ?: nl_attr(h, sizeof(*m), IFA_ADDRESS), w->addr);
	return 0;
}

static int take_route(const struct nlmsghdr *h, void *userdata)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	struct wanted *w = userdata;
	const struct route *r = w->route;
	unsigned len = bits(&r->dst.addr, r->dst.len);
	uint8_t type = r->table == RT_TABLE_LOCAL ? RTN_LOCAL : RTN_UNICAST;

	if (h->nlmsg_type != RTM_NEWROUTE || nl_u32(nl_attr(h, sizeof(*m), RTA_TABLE)) != r->table ||
	    m->rtm_type != type || m->rtm_dst_len != len ||
	    (r->ifindex && nl_u32(nl_attr(h, sizeof(*m), RTA_OIF)) != r->ifindex))
		return 0;
	w->found |= (!len || same_addr(nl_attr(h, sizeof(*m), RTA_DST), &r->dst.addr)) &&
		    (addr_is_zero(&r->gateway) || same_addr(nl_attr(h, sizeof(*m), RTA_GATEWAY), &r->gateway));
	return 0;
}

static int search(int fd, struct nl_batch *b, nl_msg_t take, struct wanted *w, struct err *reterr)
{
	int r = nl_send(fd, b, take, w, reterr);

	return r < 0 ? r : w->found ? 0 : -ENOENT;
}

int inspect_address(int fd, uint32_t ifindex, const struct weir_addr *a, uint8_t len, struct err *reterr)
{
	struct wanted w = { .ifindex = ifindex, .addr = a, .len = len };
	struct ifaddrmsg *m;
	struct nl_batch b;

	nl_batch_init(&b);
	m = nl_begin(&b, RTM_GETADDR, NLM_F_DUMP, sizeof(*m), "list addresses");
	m->ifa_family = family(a);
	return search(fd, &b, take_address, &w, reterr);
}

int inspect_route(int fd, const struct route *route, struct err *reterr)
{
	struct wanted w = { .route = route };
	struct rtmsg *m;
	struct nl_batch b;

	nl_batch_init(&b);
	m = nl_begin(&b, RTM_GETROUTE, NLM_F_DUMP, sizeof(*m), "list routes");
	m->rtm_family = family(&route->dst.addr);
	return search(fd, &b, take_route, &w, reterr);
}
