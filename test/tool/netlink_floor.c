// SPDX-License-Identifier: Apache-2.0
/*
 * netlink_floor: the least work of a CNI plugin, for the CNI benchmark: what the kernel must do for a pod's link and no
 * more. No configuration, no address management, no record, no roll-back. netlink_floor nop starts and ends
 *   netlink_floor add HOSTIF NETNS IPV4 [PROGS]     veth pair with its peer in NETNS, both up, address, routes,
 *                                                   neighbours; with PROGS also PROGS/from_pod and PROGS/to_pod
 * attached netlink_floor del HOSTIF One request and one answer at a time, as plain programs do it.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static union {
	struct nlmsghdr h;
	char bytes[2048];
} req;

static void *begin(int type, int flags, size_t body)
{
	memset(&req, 0, sizeof(req));
	req.h.nlmsg_len = NLMSG_LENGTH(body);
	req.h.nlmsg_type = type;
	req.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return NLMSG_DATA(&req.h);
}

static struct rtattr *put(int type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(req.bytes + NLMSG_ALIGN(req.h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	req.h.nlmsg_len = (char *)a - req.bytes + RTA_ALIGN(a->rta_len);
	return a;
}

static void end(struct rtattr *nest)
{
	nest->rta_len = req.bytes + req.h.nlmsg_len - (char *)nest;
}

static void talk(int fd, const char *what)
{
	char buf[4096];
	struct nlmsghdr *h = (struct nlmsghdr *)buf;
	struct nlmsgerr *e = NLMSG_DATA(h);

	if (send(fd, &req, req.h.nlmsg_len, 0) < 0 || recv(fd, buf, sizeof(buf), 0) < 0 ||
	    h->nlmsg_type != NLMSG_ERROR || e->error) {
		fprintf(stderr, "netlink_floor: %s failed\n", what);
		exit(1);
	}
}

static int nl_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static void pair(int fd, const char *hostif, int netns, const unsigned char *host_mac, const unsigned char *pod_mac)
{
	struct rtattr *info, *data, *peer;

	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	put(IFLA_IFNAME, hostif, strlen(hostif) + 1);
	put(IFLA_ADDRESS, host_mac, 6);
	info = put(IFLA_LINKINFO, NULL, 0);
	put(IFLA_INFO_KIND, "veth", 5);
	data = put(IFLA_INFO_DATA, NULL, 0);
	peer = put(VETH_INFO_PEER, NULL, 0);
	req.h.nlmsg_len += sizeof(struct ifinfomsg);
	put(IFLA_IFNAME, "eth0", 5);
	put(IFLA_ADDRESS, pod_mac, 6);
	put(IFLA_NET_NS_FD, &netns, 4);
	end(peer);
	end(data);
	end(info);
	talk(fd, "veth");
}

static void up(int fd, int ifindex)
{
	struct ifinfomsg *i = begin(RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = ifindex;
	i->ifi_flags = i->ifi_change = IFF_UP;
	talk(fd, "up");
}

static void address(int fd, int ifindex, in_addr_t ip)
{
	struct ifaddrmsg *m = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));

	m->ifa_family = AF_INET;
	m->ifa_prefixlen = 32;
	m->ifa_index = ifindex;
	put(IFA_LOCAL, &ip, 4);
	talk(fd, "address");
}

static void route(int fd, int ifindex, in_addr_t dst, in_addr_t gateway)
{
	struct rtmsg *m = begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = dst ? 32 : 0;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_BOOT;
	m->rtm_scope = dst ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	if (dst)
		put(RTA_DST, &dst, 4);
	else
		put(RTA_GATEWAY, &gateway, 4);
	put(RTA_OIF, &ifindex, 4);
	talk(fd, "route");
}

static void neighbour(int fd, int ifindex, in_addr_t ip, const unsigned char *mac)
{
	struct ndmsg *m = begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*m));

	m->ndm_family = AF_INET;
	m->ndm_ifindex = ifindex;
	m->ndm_state = NUD_PERMANENT;
	put(NDA_DST, &ip, 4);
	put(NDA_LLADDR, mac, 6);
	talk(fd, "neighbour");
}

static void qdisc(int fd, int ifindex)
{
	struct tcmsg *m = begin(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));

	m->tcm_ifindex = ifindex;
	m->tcm_parent = TC_H_CLSACT;
	m->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	put(TCA_KIND, "clsact", 7);
	talk(fd, "qdisc");
}

static void filter(int fd, int ifindex, unsigned side, const char *progs, const char *name)
{
	char path[512];
	union bpf_attr attr = { .pathname = (unsigned long)path };
	unsigned flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct rtattr *options;
	struct tcmsg *m;
	int prog;

	snprintf(path, sizeof(path), "%s/%s", progs, name);
	prog = syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	m = begin(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));
	m->tcm_ifindex = ifindex;
	m->tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
	m->tcm_handle = 1;
	m->tcm_info = TC_H_MAKE(1 << 16, htons(ETH_P_ALL));
	put(TCA_KIND, "bpf", 4);
	options = put(TCA_OPTIONS, NULL, 0);
	put(TCA_BPF_FD, &prog, 4);
	put(TCA_BPF_NAME, name, strlen(name) + 1);
	put(TCA_BPF_FLAGS, &flags, 4);
	end(options);
	talk(fd, "filter");
	close(prog);
}

static void add(const char *hostif, const char *netns, in_addr_t ip, const char *progs)
{
	unsigned char host_mac[6] = { 0x0a }, pod_mac[6] = { 0x0e };
	in_addr_t gateway = inet_addr("169.254.1.1");
	int ns = open(netns, O_RDONLY | O_CLOEXEC), host = nl_socket(), pod, host_index, pod_index;

	memcpy(host_mac + 2, &ip, 4);
	memcpy(pod_mac + 2, &ip, 4);
	pair(host, hostif, ns, host_mac, pod_mac);
	host_index = if_nametoindex(hostif);
	if (progs) {
		qdisc(host, host_index);
		filter(host, host_index, TC_H_MIN_INGRESS, progs, "from_pod");
		filter(host, host_index, TC_H_MIN_EGRESS, progs, "to_pod");
	}
	up(host, host_index);
	route(host, host_index, ip, 0);
	neighbour(host, host_index, ip, pod_mac);
	setns(ns, CLONE_NEWNET);
	pod = nl_socket();
	pod_index = if_nametoindex("eth0");
	up(pod, pod_index);
	address(pod, pod_index, ip);
	route(pod, pod_index, gateway, 0);
	route(pod, pod_index, 0, gateway);
	neighbour(pod, pod_index, gateway, host_mac);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "nop"))
		return 0;
	if (argc >= 5 && !strcmp(argv[1], "add")) {
		add(argv[2], argv[3], inet_addr(argv[4]), argc > 5 ? argv[5] : NULL);
		return 0;
	}
	if (argc != 3 || strcmp(argv[1], "del"))
		return 2;
	begin(RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	put(IFLA_IFNAME, argv[2], strlen(argv[2]) + 1);
	talk(nl_socket(), "del");
	return 0;
}
