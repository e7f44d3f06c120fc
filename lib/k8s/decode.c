// SPDX-License-Identifier: Apache-2.0
#include "lib/k8s/decode.h"

#include <time.h>

#include "lib/k8s/valid.h"

static const struct kind_info {
	const char *api_version;
	size_t size;
	void (*decode)(struct k8s_decoder *d, const struct k8s_at *root, struct k8s_object *o);
	bool (*salvage)(const json_t *doc, struct k8s_object *o); /* NULL: nothing of what is broken is kept */
} kinds[K8S_KIND_COUNT] = {
	[K8S_NAMESPACE] = { "v1", sizeof(struct k8s_namespace), k8s_decode_namespace, k8s_salvage_namespace },
	[K8S_NODE] = { "v1", sizeof(struct k8s_node), k8s_decode_node, NULL },
	[K8S_POD] = { "v1", sizeof(struct k8s_pod), k8s_decode_pod, NULL },
	[K8S_SERVICE] = { "v1", sizeof(struct k8s_service), k8s_decode_service, NULL },
	[K8S_NETWORK_POLICY] = { "networking.k8s.io/v1", sizeof(struct k8s_network_policy), k8s_decode_network_policy,
				 k8s_salvage_network_policy },
};

/* "Pod" or "PodList" (list). */
static bool find_kind(const char *name, enum k8s_kind *ret_kind, bool *ret_list)
{
	for (enum k8s_kind k = 0; k < K8S_KIND_COUNT; k++) {
		const char *known = k8s_kind_name(k);

		if (!str_prefix(name, known) || (name[strlen(known)] && !streq(name + strlen(known), "List")))
			continue;
		*ret_kind = k;
		*ret_list = name[strlen(known)];
		return true;
	}
	return false;
}

static int64_t read_time(struct k8s_decoder *d, const struct k8s_at *meta, const char *key)
{
	struct k8s_at at;
	const char *s = k8s_string(d, meta, key, &at), *end;
	struct tm tm = {};

	if (!s)
		return 0;
	end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!end) {
		k8s_bad(d, &at, "\"%.40s\" is not a time", s);
		return 0;
	}
	return timegm(&tm);
}

/* Names first: they say whose errors the following ones are. */
static void read_identity(struct k8s_decoder *d, const struct k8s_at *meta, struct k8s_decoded *obj)
{
	struct k8s_at at;
	const char *name = k8s_string(d, meta, "name", &at);
	bool good = name && (obj->kind == K8S_NAMESPACE ? k8s_valid_dns_label(name) : k8s_valid_subdomain(name));
	const char *ns;

	if (!good)
		k8s_bad(d, &at, name ? "\"%.80s\" is not a valid name" : "is missing", name);
	ns = k8s_string(d, meta, "namespace", &at);
	if (!k8s_kind_namespaced(obj->kind)) {
		if (ns && *ns)
			k8s_bad(d, &at, "a %s has no namespace", k8s_kind_name(obj->kind));
		ns = "";
	} else if (json_is_null(at.node) || !at.node || (ns && !*ns)) {
		ns = "default";
	} else if (!ns || !k8s_valid_dns_label(ns)) {
		if (ns)
			k8s_bad(d, &at, "\"%.80s\" is not a valid namespace", ns);
		good = false;
	}
	if (!good)
		return;
	obj->known = true;
	snprintf(obj->ns, sizeof(obj->ns), "%s", ns);
	snprintf(obj->name, sizeof(obj->name), "%s", name);
	snprintf(d->label, sizeof(d->label), "%s %s%s%s", k8s_kind_name(obj->kind), ns, *ns ? "/" : "", name);
}

/* Two cheap hashes: enough to tell an object from its former version. */
static int digest_text(const char *text, size_t len, void *data)
{
	uint64_t *h = data;

	for (size_t i = 0; i < len; i++) {
		h[0] = (h[0] ^ (unsigned char)text[i]) * 0x100000001b3;
		h[1] = (h[1] + (unsigned char)text[i]) * 0x9e3779b97f4a7c15;
		h[1] ^= h[1] >> 29;
	}
	return 0;
}

static void digest(const json_t *node, uint64_t ret[2])
{
	ret[0] = 0xcbf29ce484222325;
	ret[1] = 1;
	if (json_dump_callback(node, digest_text, ret, JSON_COMPACT) < 0)
		ret[0] = ret[1] = 0; /* no memory: equal to nothing */
}

/* Now that the object has a name, paths start from it and no longer from the List around it. */
static int decode_body(struct k8s_decoder *d, const json_t *node, struct k8s_decoded *obj)
{
	const struct k8s_at root = { .node = node };
	const struct k8s_at meta = { .up = &root, .key = "metadata", .node = json_object_get(node, "metadata") };
	struct k8s_object *o = calloc(1, kinds[obj->kind].size);

	if (!o)
		return -ENOMEM;
	o->refs = 1;
	o->kind = obj->kind;
	d->arena = &o->arena;
	o->ns = k8s_strdup(d, obj->ns);
	o->name = k8s_strdup(d, obj->name);
	o->created = read_time(d, &meta, "creationTimestamp");
	k8s_read_labels(d, &meta, "labels", &o->labels);
	kinds[obj->kind].decode(d, &root, o);
	digest(node, o->digest);
	d->arena = NULL;
	if (!d->oom && (!d->errors || (kinds[obj->kind].salvage && kinds[obj->kind].salvage(node, o)))) {
		obj->object = o;
		return 0;
	}
	k8s_object_unref(o);
	return d->oom ? -ENOMEM : 0;
}

static int decode_object(struct k8s_decoder *d, const struct k8s_at *root, enum k8s_kind kind, k8s_decoded_t callback,
			 void *userdata)
{
	struct k8s_decoded obj = { .kind = kind };
	struct k8s_at meta;
	int r = 0;

	if (k8s_member(d, root, "metadata", JSON_OBJECT, &meta))
		read_identity(d, &meta, &obj);
	else if (!d->errors)
		k8s_bad(d, &meta, "is missing");
	if (obj.known)
		r = decode_body(d, root->node, &obj);
	if (r < 0)
		return r;
	return callback(userdata, &obj);
}

static int decode_typed(struct k8s_decoder *d, const struct k8s_at *root, const char *kind, const char *api,
			k8s_decoded_t callback, void *userdata);

static int decode_list(struct k8s_decoder *d, const struct k8s_at *root, const char *item_kind, const char *item_api,
		       k8s_decoded_t callback, void *userdata)
{
	struct k8s_at list;
	const json_t *items = k8s_member(d, root, "items", JSON_ARRAY, &list);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < json_array_size(items); i++) {
		struct k8s_at at, here;
		const char *kind, *api;

		*d->label = 0;
		d->errors = 0;
		if (!k8s_item(d, &list, i, &at)) {
			r = callback(userdata, &(struct k8s_decoded){});
			continue;
		}
		kind = k8s_string(d, &at, "kind", &here);
		api = k8s_string(d, &at, "apiVersion", &here);
		if (item_kind && !kind && !api) { /* as the API server sends them */
			kind = item_kind;
			api = item_api;
		}
		r = decode_typed(d, &at, kind, api, callback, userdata);
	}
	return r;
}

/* NetworkPolicies of groups that once served them: to pass over them in silence would leave pods open. */
static bool was_policy(const char *kind, const char *api)
{
	return streq(kind, "NetworkPolicy") &&
	       (str_prefix(api, "extensions/") || str_prefix(api, "networking.k8s.io/"));
}

static int decode_typed(struct k8s_decoder *d, const struct k8s_at *root, const char *kind, const char *api,
			k8s_decoded_t callback, void *userdata)
{
	struct k8s_decoded unknown = {};
	enum k8s_kind k = 0;
	bool list = false, ours;

	if (!kind || !api) {
		k8s_bad(d, root, "%s is missing", kind ? "apiVersion" : "kind");
		return callback(userdata, &unknown);
	}
	if (streq(kind, "List") && streq(api, "v1"))
		return decode_list(d, root, NULL, NULL, callback, userdata);
	ours = find_kind(kind, &k, &list);
	if (ours && streq(api, kinds[k].api_version)) {
		if (list)
			return decode_list(d, root, k8s_kind_name(k), kinds[k].api_version, callback, userdata);
		return decode_object(d, root, k, callback, userdata);
	}
	if (was_policy(kind, api)) {
		k8s_bad(d, root, "a NetworkPolicy of apiVersion %.80s: write networking.k8s.io/v1", api);
		return callback(userdata, &unknown);
	}
	k8s_note(d, K8S_NOTICE, root, "%.80s (%.80s) is none of the kinds that Weir reads: skipped", kind, api);
	unknown.skipped = true;
	return callback(userdata, &unknown);
}

int k8s_decode(struct k8s_decoder *d, const json_t *doc, k8s_decoded_t callback, void *userdata)
{
	struct k8s_at root = { .node = doc }, at;
	const char *kind, *api;

	*d->label = 0;
	d->errors = 0;
	if (!json_is_object(doc)) {
		k8s_bad(d, &root, "a document that is not an object");
		return callback(userdata, &(struct k8s_decoded){});
	}
	kind = k8s_string(d, &root, "kind", &at);
	api = k8s_string(d, &root, "apiVersion", &at);
	return decode_typed(d, &root, kind, api, callback, userdata);
}
