// SPDX-License-Identifier: Apache-2.0
#include "agent/node.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/log.h"
#include "lib/netlink.h"

#define SETTLE_US 200000 /* a pod that comes makes a dozen messages: look once */

void node_done(struct node *n)
{
	free(n->addrs);
	*n = (struct node){};
}

static bool is_loopback(const struct weir_addr *a)
{
	return addr_is_v4(a) ? a->b[12] == 127 : IN6_IS_ADDR_LOOPBACK(a->b);
}

static bool wanted_addr(const struct ifaddrs *ifa, struct weir_addr *ret)
{
	if (!ifa->ifa_addr)
		return false;
	if (ifa->ifa_addr->sa_family == AF_INET) {
		*ret = addr_from_v4(((struct sockaddr_in *)ifa->ifa_addr)->sin_addr.s_addr);
		return !is_loopback(ret);
	}
	if (ifa->ifa_addr->sa_family != AF_INET6)
		return false;
	memcpy(ret->b, &((struct sockaddr_in6 *)ifa->ifa_addr)->sin6_addr, 16);
	return !IN6_IS_ADDR_LINKLOCAL(ret->b) && !is_loopback(ret);
}

static int compare_addr(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

bool node_has_addr(const struct node *n, const struct weir_addr *a)
{
	return is_loopback(a) || (n->n_addrs && bsearch(a, n->addrs, n->n_addrs, sizeof(*a), compare_addr));
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

/* The device of a route, or those of its next hops. */
static int on_route(const struct nlmsghdr *h, void *userdata)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	const struct nlattr *multi;

	if (h->nlmsg_type != RTM_NEWROUTE || m->rtm_dst_len || m->rtm_table != RT_TABLE_MAIN ||
	    m->rtm_type != RTN_UNICAST)
		return 0;
	add_uplink(userdata, nl_u32(nl_attr(h, sizeof(*m), RTA_OIF)));
	multi = nl_attr(h, sizeof(*m), RTA_MULTIPATH);
	if (multi) {
		const struct rtnexthop *nh = nl_data(multi);
		int left = (int)nl_len(multi);

		for (; RTNH_OK(nh, left); left -= RTNH_ALIGN(nh->rtnh_len), nh = RTNH_NEXT(nh))
			add_uplink(userdata, nh->rtnh_ifindex);
	}
	return 0;
}

static int scan_default_routes(struct node *n, struct err *reterr)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	_cleanup_close_ int fd = nl_open(reterr);
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; i < ARRAY_SIZE(families) && r >= 0; i++) {
		struct nl_batch b;
		struct rtmsg *m;

		nl_batch_init(&b);
		m = nl_begin(&b, RTM_GETROUTE, NLM_F_DUMP, sizeof(*m), "list routes");
		m->rtm_family = families[i];
		nl_tolerate(&b, EAFNOSUPPORT);
		r = nl_send(fd, &b, on_route, n, reterr);
	}
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
		r = scan_default_routes(&n, reterr);
	if (r < 0) {
		node_done(&n);
		return r;
	}
	*ret_n = n;
	return 0;
}

struct node_watch {
	int fd;
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

/*
 * What pods do to links and routes, with each that comes or goes, does not wake the agent: passed are addresses,
 * default routes, and links but for those with a name of attachment_hostif(). (The kernel writes a link's name as its
 * first attribute.)
 */
static int pass_what_matters(int fd)
{
	enum {
		DST_LEN = NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_dst_len),
		NAME = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct ifinfomsg)), /* its attribute */
		POD_NAME_LEN = NLA_HDRLEN + IFNAMSIZ,
		WEIR = 'w' << 24 | 'e' << 16 | 'i' << 8 | 'r',
	};
	/* Loads are of network byte order, netlink is of this machine's. A load beyond the end drops the message. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWLINK), 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELLINK), 2, 6),
		/* a route */
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, DST_LEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 5),
		/* a link */
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, NAME + offsetof(struct nlattr, nla_len)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(POD_NAME_LEN), 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NAME + NLA_HDRLEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WEIR, 1, 0),
		/* pass, drop */
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = { ARRAY_SIZE(code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0 ? -errno : 0;
}

int node_watch_new(sd_event *event, void (*changed)(void *userdata), void *userdata, struct node_watch **ret_w,
		   struct err *reterr)
{
	/* Bound: the kernel's own messages pass over a socket without a port. */
	static const struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
						   .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
								RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };
	_cleanup_(node_watch_freep) struct node_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_oom(reterr);
	w->changed = changed;
	w->userdata = userdata;
	w->fd = nl_open(reterr);
	if (w->fd < 0)
		return w->fd;
	if (pass_what_matters(w->fd) < 0 || bind(w->fd, (const struct sockaddr *)&groups, sizeof(groups)) < 0)
		return err_set(reterr, -errno, "cannot watch this node's addresses and routes: %m");
	if (sd_event_add_io(event, &w->io, w->fd, EPOLLIN, on_messages, w) < 0 ||
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
	close_fd(w->fd);
	free(w);
}
