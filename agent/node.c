// SPDX-License-Identifier: Apache-2.0
#include "agent/node.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <netlink/route/route.h>

#include "lib/log.h"

#define SETTLE_US 200000 /* a pod that comes makes a dozen messages: look once */

void node_done(struct node *n)
{
	free(n->addrs);
	*n = (struct node){};
}

static bool wanted_addr(const struct ifaddrs *ifa, struct weir_addr *ret)
{
	if (!ifa->ifa_addr || (ifa->ifa_flags & IFF_LOOPBACK))
		return false;
	if (ifa->ifa_addr->sa_family == AF_INET) {
		*ret = addr_from_v4(((struct sockaddr_in *)ifa->ifa_addr)->sin_addr.s_addr);
		return true;
	}
	if (ifa->ifa_addr->sa_family != AF_INET6)
		return false;
	memcpy(ret->b, &((struct sockaddr_in6 *)ifa->ifa_addr)->sin6_addr, 16);
	return !(ret->b[0] == 0xfe && (ret->b[1] & 0xc0) == 0x80);
}

static int compare_addr(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

static int scan_addrs(struct node *n)
{
	struct ifaddrs *list, *ifa;
	size_t max = 0;

	if (getifaddrs(&list) < 0)
		return -errno;
	for (ifa = list; ifa; ifa = ifa->ifa_next)
		max++;
	n->addrs = calloc(max + 1, sizeof(*n->addrs));
	for (ifa = list; ifa && n->addrs; ifa = ifa->ifa_next)
		n->n_addrs += wanted_addr(ifa, &n->addrs[n->n_addrs]);
	freeifaddrs(list);
	if (!n->addrs)
		return -ENOMEM;
	qsort(n->addrs, n->n_addrs, sizeof(*n->addrs), compare_addr);
	return 0;
}

static void add_uplink(struct node *n, uint32_t ifindex)
{
	size_t i = 0;

	while (i < n->n_uplinks && n->uplinks[i] < ifindex)
		i++;
	if (!ifindex || n->n_uplinks == NODE_UPLINKS_MAX || (i < n->n_uplinks && n->uplinks[i] == ifindex))
		return;
	memmove(&n->uplinks[i + 1], &n->uplinks[i], (n->n_uplinks++ - i) * sizeof(n->uplinks[0]));
	n->uplinks[i] = ifindex;
}

static void on_nexthop(struct rtnl_nexthop *nh, void *userdata)
{
	add_uplink(userdata, rtnl_route_nh_get_ifindex(nh));
}

static void on_route(struct nl_object *obj, void *userdata)
{
	struct rtnl_route *route = (struct rtnl_route *)obj;
	struct nl_addr *dst = rtnl_route_get_dst(route);

	if (rtnl_route_get_table(route) == RT_TABLE_MAIN && rtnl_route_get_type(route) == RTN_UNICAST &&
	    (!dst || nl_addr_get_prefixlen(dst) == 0))
		rtnl_route_foreach_nexthop(route, on_nexthop, userdata);
}

static int scan_default_routes(struct node *n)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct nl_cache *cache = NULL;
	int r = -ENOMEM;

	if (sock && nl_connect(sock, NETLINK_ROUTE) == 0) {
		r = rtnl_route_alloc_cache(sock, AF_UNSPEC, 0, &cache);
		if (r == 0) {
			nl_cache_foreach(cache, on_route, n);
			nl_cache_free(cache);
		} else {
			r = -EIO;
		}
	}
	nl_socket_free(sock);
	return r;
}

int node_scan(struct node *ret_n, char **names, struct err *reterr)
{
	struct node n = {};
	int r = scan_addrs(&n);

	if (r < 0)
		return err_set(reterr, r, "cannot list this node's addresses: %s", strerror(-r));
	for (char **name = names; name && *name; name++) {
		uint32_t ifindex = if_nametoindex(*name);

		if (!ifindex)
			log_warn("uplink %s does not exist (yet)", *name);
		add_uplink(&n, ifindex);
	}
	if (!names)
		r = scan_default_routes(&n);
	if (r < 0) {
		node_done(&n);
		return err_set(reterr, r, "cannot list this node's routes: %s", strerror(-r));
	}
	*ret_n = n;
	return 0;
}

struct node_watch {
	struct nl_sock *sock;
	sd_event_source *io, *timer;
	void (*changed)(void *userdata);
	void *userdata;
};

static int on_timer(sd_event_source *source, _unused_ uint64_t usec, void *userdata)
{
	struct node_watch *w = userdata;

	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	w->changed(w->userdata);
	return 0;
}

static int on_messages(_unused_ sd_event_source *source, int fd, _unused_ uint32_t revents, void *userdata)
{
	struct node_watch *w = userdata;
	int enabled = SD_EVENT_OFF;
	char buf[8192];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		; /* what changed does not matter: everything is read again */
	sd_event_source_get_enabled(w->timer, &enabled);
	if (enabled == SD_EVENT_OFF && sd_event_source_set_time_relative(w->timer, SETTLE_US) >= 0)
		sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
	return 0;
}

int node_watch_new(sd_event *event, void (*changed)(void *userdata), void *userdata, struct node_watch **ret_w,
		   struct err *reterr)
{
	_cleanup_(node_watch_freep) struct node_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_oom(reterr);
	w->changed = changed;
	w->userdata = userdata;
	w->sock = nl_socket_alloc();
	if (!w->sock || nl_connect(w->sock, NETLINK_ROUTE) < 0 ||
	    nl_socket_add_memberships(w->sock, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
				      RTNLGRP_IPV6_ROUTE, 0) < 0)
		return err_set(reterr, -EIO, "cannot watch this node's addresses and routes");
	if (sd_event_add_io(event, &w->io, nl_socket_get_fd(w->sock), EPOLLIN, on_messages, w) < 0 ||
	    sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, 0, 0, on_timer, w) < 0)
		return err_oom(reterr);
	sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	*ret_w = TAKE_PTR(w);
	return 0;
}

void node_watch_free(struct node_watch *w)
{
	sd_event_source_disable_unref(w->io);
	sd_event_source_disable_unref(w->timer);
	nl_socket_free(w->sock);
	free(w);
}
