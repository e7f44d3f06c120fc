#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the agent under load, 20 times: no connection breaks, what is denied stays denied, ADD and DEL go on working.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe
ROUNDS=20

node_up n '["10.21.0.0/24","fd00:21::/64"]'
{ namespace_manifest a; pod_manifest a/client '{"app":"client"}'; pod_manifest a/server '{"app":"server"}'
  pod_manifest a/intruder '{"app":"intruder"}'; pod_manifest a/late '{"app":"client"}'; } >"$TMP/n/objects/o.json"
cat >"$TMP/n/objects/p.yaml" <<-EOF
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {namespace: a, name: server}
	spec:
	  podSelector: {matchLabels: {app: server}}
	  ingress: [{from: [{podSelector: {matchLabels: {app: client}}}]}]
EOF
agent_start n || { not_ok "the agent starts"; done_testing; }
mapfile -t server < <(pod_add n a/server)
pod_add n a/client >/dev/null && pod_add n a/intruder >/dev/null || { not_ok "pods are added"; done_testing; }
background a/server "$PROBE" serve 80
sleep 0.3
check "the client is allowed" in_pod a/client "$PROBE" tcp "${server[0]}" 80
check_not "the intruder is denied" in_pod a/intruder "$PROBE" tcp "${server[0]}" 80 200
before=$(in_node n bpftool -j map show pinned "$(bpf_dir n)/maps/weir_ct_tcp" | jq .id)

seconds=$((ROUNDS * 2 + 10))
in_pod a/client timeout $((seconds + 20)) "$PROBE" hold "${server[0]}" 80 $seconds 50 >"$TMP/tcp4" 2>&1 & tcp4=$!
in_pod a/client timeout $((seconds + 20)) "$PROBE" hold "${server[1]}" 80 $seconds 50 >"$TMP/tcp6" 2>&1 & tcp6=$!
in_pod a/client timeout $((seconds + 20)) "$PROBE" holdudp "${server[0]}" 80 $seconds >"$TMP/udp" 2>&1 & udp=$!
in_pod a/intruder timeout $((seconds + 20)) "$PROBE" never "${server[0]}" 80 $seconds >"$TMP/never" 2>&1 & never=$!
sleep 1
away=0
for ((i = 0; i < ROUNDS; i++)); do
	agent_stop "$AGENT_PID" KILL
	if pod_add n a/late >/dev/null && in_node n ping -c1 -W1 -q "$(in_pod a/late ip -4 -o addr show eth0 | awk '{sub("/.*","",$4); print $4}')" >/dev/null &&
		! in_pod a/late "$PROBE" tcp "${server[0]}" 80 50; then
		away=$((away + 1))
	fi
	if [ $((i % 2)) = 0 ]; then pod_del n a/late || away=-99; fi
	agent_start n || { not_ok "the agent starts again (round $i)"; done_testing; }
	if [ $((i % 2)) = 1 ]; then
		in_pod a/late "$PROBE" tcp "${server[0]}" 80 2000 || away=-99
		pod_del n a/late || away=-99
	fi
done
check "$ROUNDS times killed: ADD and DEL succeed meanwhile, the new pod is its host's only until the agent is back" test $away = $ROUNDS
check "50 TCP connections over IPv4 live on" wait $tcp4
check "50 TCP connections over IPv6 live on" wait $tcp6
check "UDP goes on" wait $udp
check "what is denied stays denied" wait $never
echo "# round trips: $(cat "$TMP/tcp4") IPv4, $(cat "$TMP/tcp6") IPv6; UDP: $(cat "$TMP/udp") (failed); denied tries: $(cat "$TMP/never")"
after=$(in_node n bpftool -j map show pinned "$(bpf_dir n)/maps/weir_ct_tcp" | jq .id)
check "the maps are the same ones" test "$before" = "$after"
done_testing
