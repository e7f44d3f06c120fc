#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pods that send much get a TCX link in front of their filter: the same is allowed and denied, no connection breaks when the
# link comes, nor when it goes with the agent.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe

are_busy() {
	local i
	for ((i = 0; i < 150; i++)); do
		[ "$(weir n status -o json | jq -r '.endpoints_busy // 0')" = "$1" ] && return 0
		sleep 0.2
	done
	return 1
}

node_up n '["10.29.0.0/24","fd00:29::/64"]'
{ namespace_manifest a; pod_manifest a/client '{}'; pod_manifest a/server '{"app":"server"}'; } >"$TMP/n/objects/o.json"
cat >"$TMP/n/objects/p.yaml" <<-EOF
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {namespace: a, name: server}
	spec:
	  podSelector: {matchLabels: {app: server}}
	  ingress: [{ports: [{port: 80}]}]
EOF
echo '{"busyPackets":20}' >"$TMP/n/agent.json"
agent_start n || { not_ok "the agent starts"; done_testing; }
mapfile -t server < <(pod_add n a/server)
pod_add n a/client >/dev/null || { not_ok "pods are added"; done_testing; }
background a/server "$PROBE" serve 80
background a/server "$PROBE" serve 81
sleep 0.3
descriptors=$(find "/proc/$AGENT_PID/fd" -type l | wc -l)
in_pod a/client timeout 100 "$PROBE" hold "${server[0]}" 80 50 20 >"$TMP/tcp4" 2>&1 & tcp4=$!
in_pod a/client timeout 100 "$PROBE" hold "${server[1]}" 80 50 20 >"$TMP/tcp6" 2>&1 & tcp6=$!
in_pod a/client timeout 100 "$PROBE" never "${server[0]}" 81 50 >"$TMP/never" 2>&1 & never=$!
check "both pods are found to be busy" are_busy 2
check "in words, too" grep -q '2 ready, 0 waiting; 2 busy' <(weir n status)
check "what was allowed is" in_pod a/client "$PROBE" tcp "${server[0]}" 80
check "over IPv6, too" in_pod a/client "$PROBE" tcp "${server[1]}" 80
check_not "what was denied is" in_pod a/client "$PROBE" tcp "${server[1]}" 81 200
check "and is told" grep -q 'a/client.*a/server:81.*DENIED BY server' <(weir n observe --last 1 --to-port 81 --verdict DROPPED)
agent_stop "$AGENT_PID" KILL
check "what was allowed is, without the agent" in_pod a/client "$PROBE" tcp "${server[0]}" 80
check_not "what was denied is, without the agent" in_pod a/client "$PROBE" tcp "${server[1]}" 81 200
agent_start n || { not_ok "the agent starts again"; done_testing; }
check "both pods are busy again" are_busy 2
check "20 TCP connections over IPv4 live on" wait $tcp4
check "20 TCP connections over IPv6 live on" wait $tcp6
check "what is denied stays denied" wait $never
check "pods go" pod_del n a/client
check "they go" pod_del n a/server
check "their links are closed" are_busy 0
check "no descriptor is left" test "$(find "/proc/$AGENT_PID/fd" -type l | wc -l)" -le "$descriptors"
done_testing
