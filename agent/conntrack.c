// SPDX-License-Identifier: Apache-2.0
#include "agent/conntrack.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

DEFINE_CLEANUP(struct mnl_socket *, mnl_socket_close);
DEFINE_CLEANUP(struct nf_conntrack *, nfct_destroy);

struct walk {
	conntrack_select_t select;
	const void *userdata;
	struct mnl_socket *remover; /* the other one is busy with the list */
};

static struct mnl_socket *open_socket(void)
{
	_cleanup_(mnl_socket_closep) struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	return s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0 ? TAKE_PTR(s) : NULL;
}

static struct nlmsghdr *request(char *buf, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	m->nfgen_family = family;
	m->version = NFNETLINK_V0;
	return h;
}

/* Sends, and hands each message of the answer to on_message. 0 or -1 with errno. */
static int talk(struct mnl_socket *s, const struct nlmsghdr *h, mnl_cb_t on_message, void *userdata)
{
	char buf[8192];
	ssize_t n;
	int r = MNL_CB_OK;

	if (mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
		return -1;
	while (r == MNL_CB_OK) {
		n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		r = n < 0 ? MNL_CB_ERROR : mnl_cb_run(buf, n, 0, mnl_socket_get_portid(s), on_message, userdata);
	}
	return r;
}

static struct weir_addr address(const struct nf_conntrack *ct, enum nf_conntrack_attr v4, enum nf_conntrack_attr v6)
{
	struct weir_addr a;

	if (nfct_get_attr_u8(ct, ATTR_L3PROTO) == AF_INET)
		return addr_from_v4(nfct_get_attr_u32(ct, v4));
	memcpy(a.b, nfct_get_attr(ct, v6), sizeof(a.b));
	return a;
}

static struct conntrack_flow flow_of(const struct nf_conntrack *ct)
{
	return (struct conntrack_flow){
		.dst = address(ct, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_DST),
		.server = address(ct, ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV6_SRC),
		.port = ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST)),
		.server_port = ntohs(nfct_get_attr_u16(ct, ATTR_REPL_PORT_SRC)),
	};
}

/* By its id, too: a new flow of the same addresses is another one. */
static int forget(struct mnl_socket *s, const struct nf_conntrack *ct)
{
	char buf[4096];
	struct nlmsghdr *h = request(buf, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, nfct_get_attr_u8(ct, ATTR_L3PROTO));

	if (nfct_nlmsg_build(h, ct) < 0 || talk(s, h, NULL, NULL) < 0)
		return errno == ENOENT ? MNL_CB_OK : MNL_CB_ERROR;
	return MNL_CB_OK;
}

static int on_flow(const struct nlmsghdr *h, void *userdata)
{
	_cleanup_(nfct_destroyp) struct nf_conntrack *ct = nfct_new();
	const struct walk *w = userdata;
	struct conntrack_flow f;

	if (!ct || nfct_nlmsg_parse(h, ct) < 0)
		return MNL_CB_ERROR;
	if (nfct_get_attr_u8(ct, ATTR_L4PROTO) != IPPROTO_UDP)
		return MNL_CB_OK;
	f = flow_of(ct);
	return w->select(&f, w->userdata) ? forget(w->remover, ct) : MNL_CB_OK;
}

int conntrack_forget_udp(conntrack_select_t select, const void *userdata, struct err *reterr)
{
	_cleanup_(mnl_socket_closep) struct mnl_socket *s = open_socket(), *remover = open_socket();
	struct walk w = { select, userdata, remover };
	char buf[MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg)];

	if (!s || !remover || talk(s, request(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC), on_flow, &w) < 0)
		return err_set(reterr, -errno, "cannot clear the kernel's connection tracking: %m");
	return 0;
}
