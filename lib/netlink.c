// SPDX-License-Identifier: Apache-2.0
#include "lib/netlink.h"

#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int nl_open(struct err *reterr)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), on = 1;

	if (fd < 0)
		return err_set(reterr, -errno, "cannot open a netlink socket: %m");
	/* Only the text of errors depends on it. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	return fd;
}

/* Room for len more bytes in the request being built, zeroed and aligned; NULL: full. */
static void *reserve(struct nl_batch *b, size_t len)
{
	char *p = b->buf + b->len;

	if (b->full || NLMSG_ALIGN(len) > sizeof(b->buf) - b->len) {
		b->full = true;
		return NULL;
	}
	memset(p, 0, NLMSG_ALIGN(len));
	b->len += NLMSG_ALIGN(len);
	b->msg->nlmsg_len = b->buf + b->len - (char *)b->msg;
	return p;
}

void *nl_begin(struct nl_batch *b, uint16_t type, uint16_t flags, size_t body, const char *what)
{
	static char nowhere[256]; /* so that callers may fill a body that did not fit */

	if (b->n == NL_BATCH_MSGS || sizeof(b->buf) - b->len < NLMSG_SPACE(body)) {
		b->full = true;
		return nowhere;
	}
	b->msg = (struct nlmsghdr *)(b->buf + b->len);
	reserve(b, NLMSG_HDRLEN + body);
	b->msg->nlmsg_type = type;
	b->msg->nlmsg_flags = NLM_F_REQUEST | flags;
	b->msg->nlmsg_seq = b->n;
	b->info[b->n].what = what;
	b->info[b->n++].tolerated = 0;
	return NLMSG_DATA(b->msg);
}

void nl_tolerate(struct nl_batch *b, int err)
{
	b->info[b->n - 1].tolerated = err;
}

void nl_put(struct nl_batch *b, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = reserve(b, NLA_HDRLEN + len);

	if (!a)
		return;
	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy((char *)a + NLA_HDRLEN, data, len);
}

void nl_put_u32(struct nl_batch *b, uint16_t type, uint32_t v)
{
	nl_put(b, type, &v, sizeof(v));
}

void nl_put_str(struct nl_batch *b, uint16_t type, const char *s)
{
	nl_put(b, type, s, strlen(s) + 1);
}

size_t nl_nest(struct nl_batch *b, uint16_t type, size_t body)
{
	size_t at = b->len;
	struct nlattr *a = reserve(b, NLA_HDRLEN + body);

	if (a)
		a->nla_type = type;
	return at;
}

void nl_nest_end(struct nl_batch *b, size_t nest)
{
	if (!b->full)
		((struct nlattr *)(b->buf + nest))->nla_len = b->len - nest;
}

void nl_put_inet_conf(struct nl_batch *b, uint32_t ifindex, const struct nl_inet_conf *v, size_t n, const char *what)
{
	struct ifinfomsg *i = nl_begin(b, RTM_NEWLINK, 0, sizeof(*i), what);
	size_t spec, inet, list;

	i->ifi_index = ifindex;
	spec = nl_nest(b, IFLA_AF_SPEC, 0);
	inet = nl_nest(b, AF_INET, 0);
	list = nl_nest(b, IFLA_INET_CONF, 0);
	for (size_t k = 0; k < n; k++)
		nl_put_u32(b, v[k].setting, v[k].value);
	nl_nest_end(b, list);
	nl_nest_end(b, inet);
	nl_nest_end(b, spec);
}

static const struct nlattr *find(const char *p, size_t len, uint16_t type)
{
	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const struct nlattr *)p;
		size_t step = NLA_ALIGN(a->nla_len);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			return NULL;
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		if (step >= len)
			return NULL;
		p += step;
		len -= step;
	}
	return NULL;
}

const struct nlattr *nl_attr(const struct nlmsghdr *h, size_t body, uint16_t type)
{
	size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(body);

	return h->nlmsg_len < skip ? NULL : find((const char *)h + skip, h->nlmsg_len - skip, type);
}

const struct nlattr *nl_attr_in(const struct nlattr *nest, uint16_t type)
{
	return nest ? find(nl_data(nest), nl_len(nest), type) : NULL;
}

uint32_t nl_u32(const struct nlattr *a)
{
	uint32_t v = 0;

	if (a && nl_len(a) >= sizeof(v))
		memcpy(&v, nl_data(a), sizeof(v));
	return v;
}

/* What the kernel said beside the number, or NULL. */
static const char *extack(const struct nlmsghdr *h, const struct nlmsgerr *e)
{
	size_t skip = sizeof(*e);
	const struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(e->msg.nlmsg_len) - NLMSG_HDRLEN;
	a = nl_attr(h, skip, NLMSGERR_ATTR_MSG);
	return a && nl_len(a) && !((const char *)nl_data(a))[nl_len(a) - 1] ? nl_data(a) : NULL;
}

/* An acknowledgement or an error; remembers the first that is not tolerated. */
static int answer(const struct nl_batch *b, const struct nlmsghdr *h, int first, struct err *reterr)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);
	const char *words;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) || h->nlmsg_seq >= b->n)
		return first ?: err_set(reterr, -EBADMSG, "malformed answer from the kernel");
	if (!e->error || first || b->info[h->nlmsg_seq].tolerated == -e->error)
		return first;
	words = extack(h, e);
	return err_set(reterr, e->error, "cannot %s: %m%s%s", b->info[h->nlmsg_seq].what, words ? ": " : "",
		       words ?: "");
}

/* One datagram of answers. *ret_done: the last request has been answered. */
static int datagram(const struct nl_batch *b, const char *p, size_t len, nl_msg_t msg, void *userdata, bool *done,
		    struct err *reterr, int first)
{
	for (const struct nlmsghdr *h = (const struct nlmsghdr *)p; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		int r;

		if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
			if (h->nlmsg_type == NLMSG_ERROR)
				first = answer(b, h, first, reterr);
			*done |= h->nlmsg_seq == b->n - 1;
		} else if (msg && !first) {
			r = msg(h, userdata);
			if (r < 0)
				first = err_set(reterr, r, "cannot %s: %m", b->info[b->n - 1].what);
		}
	}
	return first;
}

/* The flags of a dump have other meanings in requests that change something. */
static bool is_dump(const struct nlmsghdr *h)
{
	return (h->nlmsg_type & 3) == (RTM_GETLINK & 3) && (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

int nl_send(int fd, struct nl_batch *b, nl_msg_t msg, void *userdata, struct err *reterr)
{
	_Alignas(NLMSG_ALIGNTO) char buf[16384];
	bool done = false;
	int first = 0;

	if (!b->n && !b->full)
		return 0;
	if (b->full)
		return err_set(reterr, -EMSGSIZE, "netlink requests do not fit");
	if (!is_dump(b->msg))
		b->msg->nlmsg_flags |= NLM_F_ACK;
	if (send(fd, b->buf, b->len, 0) < 0)
		return err_set(reterr, -errno, "cannot send to netlink: %m");
	while (!done) {
		/* Answers are there when send() returns; each recv() of a dump makes the next part. */
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno != EINTR)
			return err_set(reterr, -errno, "cannot read from netlink: %m");
		if (n > 0)
			first = datagram(b, buf, n, msg, userdata, &done, reterr, first);
	}
	return first;
}

int nl_route_localnet(int fd, uint32_t ifindex, bool on, struct err *reterr)
{
	const struct nl_inet_conf conf = { IPV4_DEVCONF_ROUTE_LOCALNET, on };
	struct nl_batch b;

	nl_batch_init(&b);
	nl_put_inet_conf(&b, ifindex, &conf, 1, "set route_localnet");
	nl_tolerate(&b, ENODEV);
	return nl_send(fd, &b, NULL, NULL, reterr);
}

int nl_ifindex(int fd, const char *name)
{
	struct ifreq req = {};

	if (strlen(name) >= sizeof(req.ifr_name))
		return -ENODEV;
	strcpy(req.ifr_name, name);
	return ioctl(fd, SIOCGIFINDEX, &req) < 0 ? -errno : req.ifr_ifindex;
}
