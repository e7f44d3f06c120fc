// SPDX-License-Identifier: Apache-2.0
#include "agent/nat_udp.h"

#include <netinet/in.h>

#include "agent/host_ip.h"
#include "lib/log.h"
#include "lib/vec.h"

void nat_udp_done(struct nat_udp_list *l)
{
	free(l->v);
	*l = (struct nat_udp_list){};
}

static int add_ports(struct nat_udp_list *l, const struct attachment *a, const struct weir_addr *pod)
{
	for (size_t i = 0; i < a->n_port_mappings && !addr_is_zero(pod); i++) {
		const struct port_mapping *pm = &a->port_mappings[i];

		if (pm->proto == IPPROTO_UDP && host_ip_of_family(&pm->host_ip, addr_is_v4(pod)) &&
		    vec_add(l, (struct nat_udp){ pm->host_ip, *pod, pm->host_port, pm->container_port }) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int list_ports(const struct endpoints *eps, struct nat_udp_list *l)
{
	for (struct endpoint *ep = eps->by_key; ep; ep = ep->hh.next)
		for (int f = 0; f < 2; f++)
			if (add_ports(l, ep->attachment, &ep->attachment->addr[f]) < 0)
				return -ENOMEM;
	return 0;
}

/* False: no UDP port's. */
static bool parse_rule(const char *line, struct nat_udp *ret)
{
	const char *port = strstr(line, " udp dport "), *to = strstr(line, " dnat ");
	const char *ip4 = strstr(line, " ip daddr "), *ip6 = strstr(line, " ip6 daddr ");
	char pod[ADDR_STRLEN], host_ip[ADDR_STRLEN];
	struct nat_udp u = {};

	if (!port || !to || sscanf(port, " udp dport %hu", &u.host_port) != 1)
		return false;
	if (sscanf(to, " dnat ip to %45[0-9.]:%hu", pod, &u.container_port) != 2 &&
	    sscanf(to, " dnat ip6 to [%45[^]]]:%hu", pod, &u.container_port) != 2)
		return false;
	if (addr_parse(pod, &u.pod) < 0)
		return false;
	if ((ip4 && sscanf(ip4, " ip daddr %45s", host_ip) == 1) ||
	    (ip6 && sscanf(ip6, " ip6 daddr %45s", host_ip) == 1))
		(void)addr_parse(host_ip, &u.host_ip);
	*ret = u;
	return true;
}

int nat_udp_parse(struct nat_udp_list *l, const char *rules)
{
	struct nat_udp u;
	size_t len;

	for (; *rules; rules += len + (rules[len] == '\n')) {
		char line[512];

		len = strcspn(rules, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, rules);
		if (parse_rule(line, &u) && vec_add(l, u) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool same_host_ip(const struct weir_addr *a, const struct weir_addr *b)
{
	return (host_ip_is_any(a) && host_ip_is_any(b)) || !addr_cmp(a, b);
}

static bool has_port(const struct nat_udp_list *l, const struct nat_udp *u)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].host_port == u->host_port && l->v[i].container_port == u->container_port &&
		    !addr_cmp(&l->v[i].pod, &u->pod) && same_host_ip(&l->v[i].host_ip, &u->host_ip))
			return true;
	return false;
}

/* What is in `from` and not in `l`. */
static int subtract(const struct nat_udp_list *from, const struct nat_udp_list *l, struct nat_udp_list *ret)
{
	for (size_t i = 0; i < from->n; i++)
		if (!has_port(l, &from->v[i]) && vec_add(ret, from->v[i]) < 0)
			return -ENOMEM;
	return 0;
}

bool nat_udp_is_stale(const struct nat_udp *u, bool gone, const struct node *node, const struct conntrack_flow *f)
{
	bool to_pod = !addr_cmp(&f->server, &u->pod);

	if (f->port != u->host_port || addr_is_v4(&f->dst) != addr_is_v4(&u->pod))
		return false;
	if (gone)
		return to_pod;
	return !(to_pod && f->server_port == u->container_port) && host_ip_meets(&u->host_ip, &f->dst) &&
	       node_has_addr(node, &f->dst);
}

struct change {
	struct nat_udp_list gone, new;
	const struct node *node;
};

static bool is_stale(const struct conntrack_flow *f, const void *userdata)
{
	const struct change *c = userdata;

	for (size_t i = 0; i < c->gone.n; i++)
		if (nat_udp_is_stale(&c->gone.v[i], true, c->node, f))
			return true;
	for (size_t i = 0; i < c->new.n; i++)
		if (nat_udp_is_stale(&c->new.v[i], false, c->node, f))
			return true;
	return false;
}

static int forget_stale(const struct nat_udp_list *were, const struct nat_udp_list *are, const struct node *node,
			struct err *reterr)
{
	struct change c = { .node = node };
	int r = 0;

	if (subtract(were, are, &c.gone) < 0 || subtract(are, were, &c.new) < 0)
		r = err_oom(reterr);
	else if (c.gone.n || c.new.n)
		r = conntrack_forget_udp(is_stale, &c, reterr);
	nat_udp_done(&c.gone);
	nat_udp_done(&c.new);
	return r;
}

void nat_udp_update(struct nat_udp_list *in_force, const struct endpoints *eps, const struct node *node)
{
	struct nat_udp_list are = {};
	struct err e = {};
	int r = list_ports(eps, &are) < 0 ? err_oom(&e) : forget_stale(in_force, &are, node, &e);

	if (r < 0)
		log_warn("UDP flows may go where host ports led before: %s", e.msg);
	nat_udp_done(in_force);
	*in_force = are;
}
