#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Containers outside Kubernetes: ctr gives them no name, podman a name and no namespace. They are open, until a Pod object without a
# namespace has their name.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe

eventually() { local i; for ((i = 0; i < 30; i++)); do "$@" && return 0; sleep 0.1; done; return 1; }
eventually_not() { local i; for ((i = 0; i < 30; i++)); do "$@" || return 0; sleep 0.1; done; return 1; }
objects() { cat >"$TMP/n/objects/$1.tmp" && mv "$TMP/n/objects/$1.tmp" "$TMP/n/objects/$1"; }
reach() { in_pod "$1" "$PROBE" tcp "$web" 80 300; }
state() { weir n endpoint list -o json | jq -r --arg pod "$1" '.endpoints[] | select(.pod == $pod) | "\(.namespace) \(.state)"'; }

node_up n '["10.26.0.0/24"]'
pod_manifest a/web '{}' | objects namesake.json
agent_start n || { not_ok "the agent starts"; done_testing; }
web=$(pod_add n /web) && pod_add n /client >/dev/null && pod_add n / >/dev/null
background /web "$PROBE" serve 80
check "a name alone is in the namespace default, and waits for nothing" test "$(state web)" = "default READY"
check "it is reached by others" eventually reach /client
check "and by what has no name" reach /

{
	pod_manifest default/web '{}' | jq -c 'del(.metadata.namespace)'
	pod_manifest default/client '{"app":"client"}' | jq -c 'del(.metadata.namespace)'
	jq -nc '{apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: {name: "web"},
		spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: "client"}}}]}]}}'
} | objects pods.json
check "a Pod object of its name brings policies" eventually_not reach /
check "and lets in whom they allow" reach /client
check "flows tell the name" grep -q 'default/client:.* -> default/web:80' <(weir n observe --last 20)
agent_stop "$AGENT_PID" KILL
agent_start n || not_ok "the agent starts again"
check "a restart knows it" test "$(state web)" = "default READY"
check_not "and its policies" reach /
rm "$TMP/n/objects/pods.json"
check "without the object it is open again" eventually reach /
pod_del n /web && pod_del n /client && pod_del n /
done_testing
