// SPDX-License-Identifier: Apache-2.0
/*
 * NetworkPolicy, networking.k8s.io/v1. A field that the API does not know is an error anywhere in spec: `form:` for
 * `from:`, dropped in silence, would allow everyone.
 */
#include <netinet/in.h>

#include "lib/k8s/decode.h"
#include "lib/k8s/valid.h"
#include "weir/abi.h"

#define KEYS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void read_values(struct k8s_decoder *d, const struct k8s_at *at, struct k8s_requirement *r)
{
	struct k8s_at list;
	const json_t *values = k8s_member(d, at, "values", JSON_ARRAY, &list);
	size_t n = json_array_size(values);

	if (r->op == K8S_EXISTS || r->op == K8S_DOES_NOT_EXIST) {
		if (n)
			k8s_bad(d, &list, "must not be given with %s", k8s_operator_name(r->op));
		return;
	}
	if (!n) {
		k8s_bad(d, &list, "must be given with %s", k8s_operator_name(r->op));
		return;
	}
	r->values = k8s_alloc(d, n, sizeof(*r->values));
	for (size_t i = 0; r->values && i < n; i++) {
		struct k8s_at here = { .up = &list, .index = i, .node = json_array_get(values, i) };
		const char *s = json_string_value(here.node);

		if (!s || !k8s_valid_label_value(s))
			k8s_bad(d, &here, s ? "\"%.80s\" is not a valid label value" : "must be a string", s);
		else if ((r->values[r->n_values] = k8s_strdup(d, s)))
			r->n_values++;
	}
}

static void read_expression(struct k8s_decoder *d, const struct k8s_at *at, struct k8s_selector *s)
{
	struct k8s_requirement *r = &s->v[s->n];
	struct k8s_at here;
	const char *key, *op;

	k8s_only(d, at, KEYS("key", "operator", "values"));
	key = k8s_string(d, at, "key", &here);
	if (!key || !k8s_valid_label_key(key))
		k8s_bad(d, &here, key ? "\"%.80s\" is not a valid label key" : "is missing", key);
	op = k8s_string(d, at, "operator", &here);
	if (!op || k8s_operator_parse(op, &r->op) < 0) {
		k8s_bad(d, &here, op ? "\"%.40s\" is none of In, NotIn, Exists, DoesNotExist" : "is missing", op);
		return;
	}
	read_values(d, at, r);
	r->key = key ? k8s_strdup(d, key) : NULL;
	s->n += !!r->key;
}

static void add_match_labels(struct k8s_decoder *d, const struct k8s_labels *l, struct k8s_selector *s)
{
	for (size_t i = 0; i < l->n; i++) {
		const char **value = k8s_alloc(d, 1, sizeof(*value));

		if (!value)
			return;
		*value = l->v[i].value;
		s->v[s->n++] =
		    (struct k8s_requirement){ .key = l->v[i].key, .op = K8S_IN, .n_values = 1, .values = value };
	}
}

struct k8s_selector *k8s_read_selector(struct k8s_decoder *d, const struct k8s_at *up, const char *key)
{
	struct k8s_at at, list, item;
	struct k8s_selector *s;
	struct k8s_labels labels;
	const json_t *exprs;
	size_t max;

	if (!k8s_member(d, up, key, JSON_OBJECT, &at))
		return NULL;
	k8s_only(d, &at, KEYS("matchLabels", "matchExpressions"));
	k8s_read_labels(d, &at, "matchLabels", &labels);
	exprs = k8s_member(d, &at, "matchExpressions", JSON_ARRAY, &list);
	max = labels.n + json_array_size(exprs);
	s = k8s_alloc(d, 1, sizeof(*s));
	if (!s || !max)
		return s;
	s->v = k8s_alloc(d, max, sizeof(*s->v));
	if (!s->v)
		return s;
	add_match_labels(d, &labels, s);
	for (size_t i = 0; i < json_array_size(exprs); i++)
		if (k8s_item(d, &list, i, &item))
			read_expression(d, &item, s);
	return s;
}

/* The number of bits as it is written: ::ffff:10.0.0.0/104 and 10.0.0.0/8 are one block and 104 > 8. */
static unsigned written_len(const char *text, const struct prefix *p)
{
	return strchr(text, ':') ? p->len : p->len - 96u;
}

static void read_except(struct k8s_decoder *d, const struct k8s_at *block, const char *cidr, struct k8s_peer *peer)
{
	struct k8s_at list;
	const json_t *excepts = k8s_member(d, block, "except", JSON_ARRAY, &list);
	size_t n = json_array_size(excepts);

	if (!n)
		return;
	peer->except = k8s_alloc(d, n, sizeof(*peer->except));
	for (size_t i = 0; peer->except && i < n; i++) {
		struct k8s_at here = { .up = &list, .index = i, .node = json_array_get(excepts, i) };
		const char *s = json_string_value(here.node);
		struct prefix *p = &peer->except[peer->n_except];

		if (!s || prefix_parse(s, p) < 0)
			k8s_bad(d, &here, s ? "\"%.80s\" is not a CIDR" : "must be a string", s);
		else if (!prefix_has_addr(&peer->cidr, &p->addr) || written_len(cidr, &peer->cidr) >= written_len(s, p))
			k8s_bad(d, &here, "%.80s is not a part of cidr %.80s, smaller than it", s, cidr);
		else
			peer->n_except++;
	}
}

static void read_block(struct k8s_decoder *d, const struct k8s_at *block, struct k8s_peer *peer)
{
	struct k8s_at at;
	const char *cidr = k8s_string(d, block, "cidr", &at);

	peer->is_block = true;
	k8s_only(d, block, KEYS("cidr", "except"));
	if (!cidr || prefix_parse(cidr, &peer->cidr) < 0)
		k8s_bad(d, &at, cidr ? "\"%.80s\" is not a CIDR" : "is missing", cidr);
	else
		read_except(d, block, cidr, peer);
}

static void read_peer(struct k8s_decoder *d, const struct k8s_at *at, struct k8s_peer *peer)
{
	struct k8s_at block;

	k8s_only(d, at, KEYS("podSelector", "namespaceSelector", "ipBlock"));
	peer->pod_selector = k8s_read_selector(d, at, "podSelector");
	peer->ns_selector = k8s_read_selector(d, at, "namespaceSelector");
	if (k8s_member(d, at, "ipBlock", JSON_OBJECT, &block)) {
		if (peer->pod_selector || peer->ns_selector)
			k8s_bad(d, at, "ipBlock stands alone: it cannot be given with a selector");
		read_block(d, &block, peer);
	} else if (!peer->pod_selector && !peer->ns_selector) {
		k8s_bad(d, at, "must have podSelector, namespaceSelector or ipBlock");
	}
}

static void read_end_port(struct k8s_decoder *d, const struct k8s_at *at, const struct k8s_at *port,
			  struct k8s_policy_port *p)
{
	struct k8s_at here;
	const json_t *v = k8s_member(d, at, "endPort", JSON_INTEGER, &here);
	json_int_t n = json_integer_value(v);

	if (!v)
		return;
	if (!json_is_integer(port->node))
		k8s_bad(d, &here, "must not be given without a number for port");
	else if (n < p->first || n < 1 || n > UINT16_MAX)
		k8s_bad(d, &here, "%lld is not a port from %u to 65535", (long long)n, p->first);
	else
		p->last = n;
}

static void read_policy_port(struct k8s_decoder *d, const struct k8s_at *at, struct k8s_policy_port *p)
{
	struct k8s_at here, port = { .up = at, .key = "port", .node = json_object_get(at->node, "port") };
	const char *proto, *name = json_string_value(port.node);

	k8s_only(d, at, KEYS("protocol", "port", "endPort"));
	proto = k8s_string(d, at, "protocol", &here);
	if (k8s_proto_parse(proto ?: "TCP", &p->proto) < 0)
		k8s_bad(d, &here, "\"%.20s\" is none of TCP, UDP, SCTP", proto);
	p->first = 0;
	p->last = UINT16_MAX;
	if (json_is_integer(port.node)) {
		json_int_t n = json_integer_value(port.node);

		if (n < 1 || n > UINT16_MAX)
			k8s_bad(d, &port, "%lld is not a port", (long long)n);
		else
			p->first = p->last = n;
	} else if (name) {
		if (!k8s_valid_port_name(name))
			k8s_bad(d, &port, "\"%.40s\" is neither a number nor the name of a port", name);
		p->name = k8s_strdup(d, name);
	} else if (port.node && !json_is_null(port.node)) {
		k8s_bad(d, &port, "must be a number or the name of a port");
	}
	read_end_port(d, at, &port, p);
}

static void read_rule(struct k8s_decoder *d, const struct k8s_at *at, const char *peers_key,
		      struct k8s_policy_rule *rule)
{
	struct k8s_at list, item;
	const json_t *v;

	k8s_only(d, at, KEYS("ports", peers_key));
	v = k8s_member(d, at, peers_key, JSON_ARRAY, &list);
	if (json_array_size(v))
		rule->peers = k8s_alloc(d, json_array_size(v), sizeof(*rule->peers));
	for (size_t i = 0; rule->peers && i < json_array_size(v); i++)
		if (k8s_item(d, &list, i, &item))
			read_peer(d, &item, &rule->peers[rule->n_peers++]);
	v = k8s_member(d, at, "ports", JSON_ARRAY, &list);
	if (json_array_size(v))
		rule->ports = k8s_alloc(d, json_array_size(v), sizeof(*rule->ports));
	for (size_t i = 0; rule->ports && i < json_array_size(v); i++)
		if (k8s_item(d, &list, i, &item))
			read_policy_port(d, &item, &rule->ports[rule->n_ports++]);
}

/* Returns how many rules are written, which is more than are kept when the direction is not isolated. */
static size_t read_rules(struct k8s_decoder *d, const struct k8s_at *spec, enum weir_dir dir,
			 struct k8s_network_policy *p)
{
	struct k8s_at list, item;
	const json_t *v = k8s_member(d, spec, dir == WEIR_INGRESS ? "ingress" : "egress", JSON_ARRAY, &list);
	struct k8s_policy_rule *rules;

	if (!json_array_size(v))
		return 0;
	rules = k8s_alloc(d, json_array_size(v), sizeof(*rules));
	for (size_t i = 0; rules && i < json_array_size(v); i++)
		if (k8s_item(d, &list, i, &item))
			read_rule(d, &item, dir == WEIR_INGRESS ? "from" : "to", &rules[i]);
	p->rules[dir] = rules;
	p->n_rules[dir] = json_array_size(v);
	return p->n_rules[dir];
}

static void read_types(struct k8s_decoder *d, const struct k8s_at *spec, struct k8s_network_policy *p)
{
	struct k8s_at list;
	const json_t *types = k8s_member(d, spec, "policyTypes", JSON_ARRAY, &list);

	if (!json_array_size(types)) {
		p->isolates[WEIR_INGRESS] = true;
		p->isolates[WEIR_EGRESS] = p->n_rules[WEIR_EGRESS];
		return;
	}
	if (json_array_size(types) > 2)
		k8s_bad(d, &list, "has more than two entries");
	for (size_t i = 0; i < json_array_size(types); i++) {
		struct k8s_at here = { .up = &list, .index = i, .node = json_array_get(types, i) };
		const char *s = json_string_value(here.node);

		if (s && streq(s, "Ingress"))
			p->isolates[WEIR_INGRESS] = true;
		else if (s && streq(s, "Egress"))
			p->isolates[WEIR_EGRESS] = true;
		else
			k8s_bad(d, &here, s ? "\"%.40s\" is neither Ingress nor Egress" : "must be a string", s);
	}
}

static void drop_unused_rules(struct k8s_decoder *d, const struct k8s_at *spec, struct k8s_network_policy *p)
{
	for (enum weir_dir dir = WEIR_EGRESS; dir <= WEIR_INGRESS; dir++) {
		const char *key = dir == WEIR_INGRESS ? "ingress" : "egress";
		struct k8s_at at = { .up = spec, .key = key, .node = json_object_get(spec->node, key) };

		if (p->isolates[dir] || !p->n_rules[dir])
			continue;
		k8s_note(d, K8S_WARNING, &at, "has no effect: policyTypes does not name %s",
			 dir == WEIR_INGRESS ? "Ingress" : "Egress");
		p->n_rules[dir] = 0;
	}
}

static void read_audit(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_network_policy *p)
{
	struct k8s_at meta, map, at;
	const char *s;

	if (!k8s_member(d, root, "metadata", JSON_OBJECT, &meta) ||
	    !k8s_member(d, &meta, "annotations", JSON_OBJECT, &map))
		return;
	s = k8s_string(d, &map, "weir.io/audit", &at);
	p->audit = s && streq(s, "true");
	if (s && !p->audit && !streq(s, "false"))
		k8s_note(d, K8S_WARNING, &at, "\"%.40s\" is neither \"true\" nor \"false\": the policy is enforced", s);
}

void k8s_decode_network_policy(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o)
{
	static const char *const known[] = { "apiVersion", "kind", "metadata", "spec", "status", NULL };
	struct k8s_network_policy *p = (struct k8s_network_policy *)o;
	struct k8s_at spec;

	k8s_only(d, root, known);
	read_audit(d, root, p);
	if (k8s_member(d, root, "spec", JSON_OBJECT, &spec)) {
		k8s_only(d, &spec, KEYS("podSelector", "ingress", "egress", "policyTypes"));
		p->pod_selector = k8s_read_selector(d, &spec, "podSelector");
	}
	if (!p->pod_selector) /* absent and null: every pod of the namespace */
		p->pod_selector = k8s_alloc(d, 1, sizeof(*p->pod_selector));
	read_rules(d, &spec, WEIR_INGRESS, p);
	read_rules(d, &spec, WEIR_EGRESS, p);
	read_types(d, &spec, p);
	drop_unused_rules(d, &spec, p);
}

/* Would the selector be read without an error? Its text is read again, with the complaints thrown away. */
static bool selector_readable(const json_t *spec)
{
	struct k8s_problems ignored = {};
	struct arena arena = {};
	struct k8s_decoder d = { .source = "", .problems = &ignored, .arena = &arena };
	struct k8s_at at = { .node = spec };

	k8s_read_selector(&d, &at, "podSelector");
	k8s_problems_done(&ignored);
	arena_done(&arena);
	return !d.errors && !d.oom;
}

bool k8s_salvage_network_policy(const json_t *doc, struct k8s_object *o)
{
	struct k8s_network_policy *p = (struct k8s_network_policy *)o;
	const json_t *spec = json_object_get(doc, "spec"), *egress = json_object_get(spec, "egress");

	if ((spec && !json_is_object(spec) && !json_is_null(spec)) || !p->pod_selector || !selector_readable(spec))
		return false;
	/* A field with a typing error may have been meant as any other. */
	if (!p->isolates[WEIR_INGRESS] && !p->isolates[WEIR_EGRESS])
		p->isolates[WEIR_INGRESS] = p->isolates[WEIR_EGRESS] = true;
	if (!json_array_size(json_object_get(spec, "policyTypes")) && egress && !json_is_null(egress) &&
	    !(json_is_array(egress) && !json_array_size(egress)))
		p->isolates[WEIR_EGRESS] = true;
	p->n_rules[WEIR_INGRESS] = p->n_rules[WEIR_EGRESS] = 0;
	p->audit = false;
	p->broken = true;
	return true;
}
