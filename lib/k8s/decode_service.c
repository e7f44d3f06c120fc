// SPDX-License-Identifier: Apache-2.0
#include "lib/k8s/decode.h"

static void add_addr(struct k8s_decoder *d, const struct k8s_at *at, struct k8s_service *s, const char *text)
{
	if (!*text || streq(text, "None")) /* not given one yet; headless */
		return;
	if (addr_parse(text, &s->addrs[s->n_addrs]) < 0)
		k8s_bad(d, at, "\"%.80s\" is not an address", text);
	else
		s->n_addrs++;
}

static void add_list(struct k8s_decoder *d, const json_t *list, const struct k8s_at *at, struct k8s_service *s)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const struct k8s_at here = { .up = at, .index = i, .node = json_array_get(list, i) };

		if (json_is_string(here.node))
			add_addr(d, &here, s, json_string_value(here.node));
		else
			k8s_bad(d, &here, "must be a string");
	}
}

/* Objects written before dual stack, and by hand, have clusterIP alone; it always is the first of clusterIPs. */
void k8s_decode_service(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o)
{
	struct k8s_service *s = (struct k8s_service *)o;
	struct k8s_at spec, cluster, external, one;
	const json_t *ips, *externals;
	const char *ip;

	if (!k8s_member(d, root, "spec", JSON_OBJECT, &spec))
		return;
	ip = k8s_string(d, &spec, "clusterIP", &one);
	ips = k8s_member(d, &spec, "clusterIPs", JSON_ARRAY, &cluster);
	externals = k8s_member(d, &spec, "externalIPs", JSON_ARRAY, &external);
	s->addrs = k8s_alloc(d, 1 + json_array_size(ips) + json_array_size(externals), sizeof(*s->addrs));
	if (!s->addrs)
		return;
	if (json_array_size(ips))
		add_list(d, ips, &cluster, s);
	else if (ip)
		add_addr(d, &one, s, ip);
	add_list(d, externals, &external, s);
}
