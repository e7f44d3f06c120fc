#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A policy map that is too small: the pods whose rules do not fit are cut off, the others are not, and everybody is told. When there
# is room again they come back by themselves.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe

node_up n '["10.25.0.0/24"]'
echo '{"policyMax":8}' >"$TMP/n/agent.json"
{ namespace_manifest a; for p in client small large; do pod_manifest a/$p "{\"app\":\"$p\"}"; done; } >"$TMP/n/objects/o.json"
policy() { # NAME APP PORTS-JSON
	jq -nc --arg n "$1" --arg app "$2" --argjson ports "$3" '{apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy",
		metadata: {namespace: "a", name: $n}, spec: {podSelector: {matchLabels: {app: $app}}, ingress: [{ports: $ports}]}}' \
		>"$TMP/n/objects/$1.tmp" && mv "$TMP/n/objects/$1.tmp" "$TMP/n/objects/$1.json"
}
policy small small '[{"port":80}]'
agent_start n || { not_ok "the agent starts"; done_testing; }
pod_add n a/client >/dev/null && small=$(pod_add n a/small) && large=$(pod_add n a/large)
background a/small "$PROBE" serve 80
background a/large "$PROBE" serve 80
sleep 0.3
check "before, all is well" in_pod a/client "$PROBE" tcp "$large" 80
policy large large "$(jq -nc '[range(20) | {port: (80 + . * 2)}]')"
sleep 0.5
check_not "a pod whose rules do not fit is cut off" in_pod a/client "$PROBE" tcp "$large" 80 300
check "but for its own node" in_node n "$PROBE" tcp "$large" 80
check "another pod is not" in_pod a/client "$PROBE" tcp "$small" 80
status=$(weir n status); code=$?
check "weir status says so" grep -q 'do not fit into the policy map' <<<"$status"
check "and exits 1" test $code = 1
check "the log says so" grep -q 'do not fit into the policy map' "$TMP/n/agent.log"
policy large large '[{"port":80}]'
sleep 1.5
check "with room again it comes back by itself" in_pod a/client "$PROBE" tcp "$large" 80
check "and weir status is content" weir n status >/dev/null
done_testing
