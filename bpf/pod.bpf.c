// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The host end of a pod's veth: what the pod sends (TC ingress) and what the host's stack sends it (TC egress). */
#include "bpf/pod.h"

SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	struct packet p = { .point = WEIR_FROM_POD };
	bool plain = parse_plain(skb, &p);
	struct weir_ct *ct = plain ? ct_find(&p) : NULL;
	int act = ct ? pod_sends_known(skb, &p, ct) : MISS;

	return act == MISS ? pod_sends(skb, &p, plain, ct) : act;
}

SEC("tc")
int to_pod(struct __sk_buff *skb)
{
	struct packet p = { .point = WEIR_TO_POD };

	return pod_receives(skb, &p, parse_plain(skb, &p));
}
