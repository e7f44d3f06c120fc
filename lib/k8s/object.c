// SPDX-License-Identifier: Apache-2.0
#include "lib/k8s/object.h"

#include <netinet/in.h>

struct k8s_object *k8s_object_ref(struct k8s_object *o)
{
	o->refs++;
	return o;
}

void k8s_object_unref(struct k8s_object *o)
{
	if (!o || --o->refs)
		return;
	arena_done(&o->arena);
	free(o);
}

static const char *const kind_names[K8S_KIND_COUNT] = {
	[K8S_NAMESPACE] = "Namespace",          [K8S_NODE] = "Node", [K8S_POD] = "Pod", [K8S_SERVICE] = "Service",
	[K8S_NETWORK_POLICY] = "NetworkPolicy",
};

const char *k8s_kind_name(enum k8s_kind kind)
{
	return kind_names[kind];
}

bool k8s_kind_namespaced(enum k8s_kind kind)
{
	return kind == K8S_POD || kind == K8S_SERVICE || kind == K8S_NETWORK_POLICY;
}

static const struct {
	const char *name;
	uint8_t proto;
} protos[] = { { "TCP", IPPROTO_TCP }, { "UDP", IPPROTO_UDP }, { "SCTP", IPPROTO_SCTP } };

const char *k8s_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	return NULL;
}

int k8s_proto_parse(const char *name, uint8_t *ret_proto)
{
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		if (streq(protos[i].name, name)) {
			*ret_proto = protos[i].proto;
			return 0;
		}
	}
	return -EINVAL;
}
