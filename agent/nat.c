// SPDX-License-Identifier: Apache-2.0
#include "agent/nat.h"

#include <libmnl/libmnl.h>
#include <netinet/in.h>
#include <nftables/libnftables.h>

/* Behind <netinet/in.h>, or both define the same. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "agent/host_ip.h"
#include "lib/netlink.h"

int nat_init(struct nat *n, const struct config *c, struct err *reterr)
{
	uint32_t h = 2166136261u;

	*n = (struct nat){};
	if (streq(c->run_dir, "/run/weir")) {
		n->table = strdup("weir");
	} else { /* several agents side by side: each its own table */
		for (const char *p = c->run_dir; *p; p++)
			h = (h ^ (uint8_t)*p) * 16777619u;
		if (asprintf(&n->table, "weir_%08x", h) < 0)
			n->table = NULL;
	}
	return n->table ? 0 : err_oom(reterr);
}

void nat_done(struct nat *n)
{
	free(n->table);
	free(n->applied);
	nat_udp_done(&n->udp);
	*n = (struct nat){};
}

static const char *proto_name(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : proto == IPPROTO_UDP ? "udp" : "sctp";
}

static void put_exclude(FILE *f, const struct prefix_list *l, bool v4)
{
	const char *sep = "";
	char buf[PREFIX_STRLEN];

	fprintf(f, " set keep%d { type ipv%d_addr; flags interval; auto-merge;", v4 ? 4 : 6, v4 ? 4 : 6);
	for (size_t i = 0; i < l->n; i++)
		if (prefix_is_v4(&l->v[i]) == v4) {
			fprintf(f, "%s %s", *sep ? sep : " elements = {", prefix_to_str(&l->v[i], buf));
			sep = ",";
		}
	fprintf(f, "%s }\n", *sep ? " };" : "");
}

static void put_mapping(FILE *f, const struct port_mapping *pm, const struct weir_addr *pod)
{
	const char *ip = addr_is_v4(pod) ? "ip" : "ip6";
	char a[ADDR_STRLEN], h[ADDR_STRLEN];
	bool v4 = addr_is_v4(pod);

	if (!host_ip_of_family(&pm->host_ip, v4))
		return;
	fprintf(f, "  fib daddr type local ");
	if (!host_ip_is_any(&pm->host_ip))
		fprintf(f, "%s daddr %s ", ip, addr_to_str(&pm->host_ip, h));
	fprintf(f, "meta nfproto ipv%d %s dport %u dnat %s to %s%s%s:%u\n", v4 ? 4 : 6, proto_name(pm->proto),
		pm->host_port, ip, v4 ? "" : "[", addr_to_str(pod, a), v4 ? "" : "]", pm->container_port);
}

static void put_mappings(FILE *f, const struct endpoints *eps)
{
	for (struct endpoint *ep = eps->by_key; ep; ep = ep->hh.next)
		for (size_t i = 0; i < ep->attachment->n_port_mappings; i++)
			for (int k = 0; k < 2; k++)
				if (!addr_is_zero(&ep->attachment->addr[k]))
					put_mapping(f, &ep->attachment->port_mappings[i], &ep->attachment->addr[k]);
}

/*
 * A pod that calls its own host port comes back to itself, and so does what the node sends from its loopback addresses:
 * only with the node's address will the answers come back here.
 */
static void put_hairpin(FILE *f, const struct endpoints *eps)
{
	char a[ADDR_STRLEN];

	for (struct endpoint *ep = eps->by_key; ep; ep = ep->hh.next) {
		if (!ep->attachment->n_port_mappings)
			continue;
		/* Another interface under the same address is a change: see route_loopback(). */
		fprintf(f, "  # interface %u\n", ep->attachment->ifindex);
		for (int k = 0; k < 2; k++)
			if (!addr_is_zero(&ep->attachment->addr[k])) {
				addr_to_str(&ep->attachment->addr[k], a);
				fprintf(f,
					k ? "  ip6 saddr %s ip6 daddr %s masquerade\n"
					  : "  ip saddr { %s, 127.0.0.0/8 } ip daddr %s masquerade\n",
					a, a);
			}
	}
}

char *nat_rules(const struct nat *n, const struct config *c, const struct endpoints *eps)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f, "add table inet %s\ndelete table inet %s\ntable inet %s {\n", n->table, n->table, n->table);
	put_exclude(f, &c->masquerade_exclude, true);
	put_exclude(f, &c->masquerade_exclude, false);
	fprintf(f, " chain hostports {\n");
	put_mappings(f, eps);
	/* Loopback addresses are the node's own: what comes in for them finds no way. From ::1 none leads to a pod. */
	fprintf(f, " }\n"
		   " chain prerouting { type nat hook prerouting priority dstnat;\n"
		   "  ip daddr 127.0.0.0/8 return\n"
		   "  jump hostports\n"
		   " }\n"
		   " chain output { type nat hook output priority -100;\n"
		   "  ip6 daddr ::1 return\n"
		   "  jump hostports\n"
		   " }\n"
		   " chain postrouting { type nat hook postrouting priority srcnat;\n");
	put_hairpin(f, eps);
	if (c->masquerade)
		fprintf(f, "  iifname \"weir*\" oifname != \"weir*\" ip daddr != @keep4 masquerade fully-random\n"
			   "  iifname \"weir*\" oifname != \"weir*\" ip6 daddr != @keep6 masquerade fully-random\n");
	fprintf(f, " }\n}\n");
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/*
 * So that the node reaches host ports by its loopback addresses. Nobody else reaches those: the programs of these
 * interfaces see to it.
 */
static int route_loopback(const struct endpoints *eps, struct err *reterr)
{
	_cleanup_close_ int fd = nl_open(reterr);
	int r = fd < 0 ? fd : 0;

	for (struct endpoint *ep = eps->by_key; ep && r >= 0; ep = ep->hh.next)
		if (ep->attachment->n_port_mappings && !addr_is_zero(&ep->attachment->addr[0]))
			r = nl_route_localnet(fd, ep->attachment->ifindex, true, reterr);
	return r;
}

/* ret_output: what it prints, unless NULL; the caller frees. */
static int run(const char *text, char **ret_output, struct err *reterr)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int r = 0;

	if (!nft)
		return err_oom(reterr);
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	if (nft_run_cmd_from_buffer(nft, text) != 0)
		r = err_set(reterr, -EIO, "nftables: %.400s", nft_ctx_get_error_buffer(nft));
	else if (ret_output && !(*ret_output = strdup(nft_ctx_get_output_buffer(nft))))
		r = err_oom(reterr);
	nft_ctx_free(nft);
	return r;
}

/* The ports of an earlier agent, some of which may have gone since. */
static int adopt_udp(struct nat *n, struct err *reterr)
{
	_cleanup_free_ char *list = NULL, *rules = NULL;

	if (asprintf(&list, "list chain inet %s hostports", n->table) < 0)
		return err_oom(reterr);
	nat_udp_done(&n->udp);
	if (run(list, &rules, NULL) < 0) /* there was none */
		return 0;
	return nat_udp_parse(&n->udp, rules) < 0 ? err_oom(reterr) : 0;
}

int nat_apply(struct nat *n, const struct config *c, const struct endpoints *eps, const struct node *node,
	      struct err *reterr)
{
	_cleanup_free_ char *text = nat_rules(n, c, eps);
	int r;

	if (!text)
		return err_oom(reterr);
	if (n->applied && streq(n->applied, text))
		return 0;
	r = n->applied ? 0 : adopt_udp(n, reterr);
	if (r >= 0)
		r = run(text, NULL, reterr);
	if (r >= 0)
		r = route_loopback(eps, reterr);
	if (r < 0)
		return r;
	nat_udp_update(&n->udp, eps, node);
	free(n->applied);
	n->applied = TAKE_PTR(text);
	return 0;
}

DEFINE_CLEANUP(struct mnl_socket *, mnl_socket_close);

/* Asked every second: by one small message, not by libnftables. */
static bool table_is_missing(const char *name)
{
	_cleanup_(mnl_socket_closep) struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	char buf[4096];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	ssize_t n;

	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE;
	h->nlmsg_flags = NLM_F_REQUEST;
	m->nfgen_family = NFPROTO_INET;
	m->version = NFNETLINK_V0;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, name);
	if (!s || mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
		return false;
	n = mnl_socket_recvfrom(s, buf, sizeof(buf));
	return n >= 0 && mnl_cb_run(buf, n, 0, 0, NULL, NULL) < 0 && errno == ENOENT;
}

bool nat_was_removed(struct nat *n)
{
	if (!n->applied || !table_is_missing(n->table))
		return false;
	free(TAKE_PTR(n->applied));
	nat_udp_done(&n->udp); /* whoever asked meanwhile was not led to a pod */
	return true;
}

static bool same_host_port(const struct port_mapping *a, const struct port_mapping *b)
{
	return a->proto == b->proto && a->host_port == b->host_port && host_ip_meets(&a->host_ip, &b->host_ip);
}

int nat_check(const struct endpoints *eps, const struct attachment *a, struct err *reterr)
{
	for (struct endpoint *ep = eps->by_key; ep; ep = ep->hh.next) {
		const struct attachment *o = ep->attachment;

		if (streq(o->container_id, a->container_id))
			continue;
		for (size_t i = 0; i < a->n_port_mappings; i++)
			for (size_t j = 0; j < o->n_port_mappings; j++)
				if (same_host_port(&a->port_mappings[i], &o->port_mappings[j]))
					return err_set(reterr, -EADDRINUSE, "host port %u/%s is taken by %s/%s",
						       a->port_mappings[i].host_port,
						       proto_name(a->port_mappings[i].proto), o->pod_namespace ?: "",
						       o->pod_name ?: o->container_id);
	}
	return 0;
}

int nat_remove(struct nat *n, struct err *reterr)
{
	char text[128];

	snprintf(text, sizeof(text), "add table inet %s\ndelete table inet %s\n", n->table, n->table);
	return run(text, NULL, reterr);
}
