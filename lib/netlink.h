/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink by hand: requests are put one after another into a batch and go to the kernel in one system call; it
 * works through them in order and answers before that call returns. Only the last asks for an acknowledgement,
 * because errors are always reported. A failed request does not stop those after it: callers roll back.
 */
#ifndef WEIR_NETLINK_H
#define WEIR_NETLINK_H

#include <linux/netlink.h>

#include "lib/err.h"
#include "lib/macro.h"

#define NL_BATCH_MSGS 16

struct nl_batch {
	size_t len;
	unsigned n;
	bool full;            /* something did not fit: sending fails with -EMSGSIZE */
	struct nlmsghdr *msg; /* the request being built */
	struct {
		const char *what; /* "add a route": for the error */
		int tolerated;    /* this errno is fine */
	} info[NL_BATCH_MSGS];
	_Alignas(NLMSG_ALIGNTO) char buf[4096];
};

/* Close-on-exec rtnetlink socket of the current network namespace, or a negative errno. */
int nl_open(struct err *reterr);

static inline void nl_batch_init(struct nl_batch *b)
{
	b->len = b->n = 0;
	b->full = false;
}

/* A further request. Returns its zeroed body. `what` must outlive the batch. */
void *nl_begin(struct nl_batch *b, uint16_t type, uint16_t flags, size_t body, const char *what);
/* The request begun last may fail with this (positive) errno. */
void nl_tolerate(struct nl_batch *b, int err);

void nl_put(struct nl_batch *b, uint16_t type, const void *data, size_t len);
void nl_put_u32(struct nl_batch *b, uint16_t type, uint32_t v);
void nl_put_str(struct nl_batch *b, uint16_t type, const char *s);
/* An attribute that holds attributes: begins with `body` zeroed bytes (e.g. of a struct ifinfomsg). */
size_t nl_nest(struct nl_batch *b, uint16_t type, size_t body);
void nl_nest_end(struct nl_batch *b, size_t nest);

/* IPv4 settings of an interface: IPV4_DEVCONF_… of linux/ip.h. */
struct nl_inet_conf {
	uint16_t setting;
	uint32_t value;
};
/* A further request, which sets them. */
void nl_put_inet_conf(struct nl_batch *b, uint32_t ifindex, const struct nl_inet_conf *v, size_t n, const char *what);

/* Called for each message that the kernel returns; a negative return value ends nl_send with it. */
typedef int (*nl_msg_t)(const struct nlmsghdr *h, void *userdata);
/* Sends, and waits for the end of the answers. Returns the first error of the first failing request, with the kernel's
 * words. */
int nl_send(int fd, struct nl_batch *b, nl_msg_t msg, void *userdata, struct err *reterr);

/* Attribute of that type in a message whose fixed body has `body` bytes, or NULL. */
const struct nlattr *nl_attr(const struct nlmsghdr *h, size_t body, uint16_t type);
const struct nlattr *nl_attr_in(const struct nlattr *nest, uint16_t type);
static inline const void *nl_data(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}
static inline size_t nl_len(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}
uint32_t nl_u32(const struct nlattr *a); /* 0 when a is NULL or short */

/*
 * Whether addresses of 127.0.0.0/8 may pass this interface (net.ipv4.conf.NAME.route_localnet), as the node's own
 * packets do that NAT sends from there to a pod. 0 also when the interface is gone.
 */
int nl_route_localnet(int fd, uint32_t ifindex, bool on, struct err *reterr);

/* Index of the interface of that name in the namespace of a socket of any kind; -ENODEV: none. */
int nl_ifindex(int fd, const char *name);

#endif
