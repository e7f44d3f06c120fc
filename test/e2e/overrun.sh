#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# More events than the ring holds: what was seen and what was lost add up to what was generated, to the last one.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe

node_up n '["10.23.0.0/24"]'
{ namespace_manifest a; pod_manifest a/client '{}'; pod_manifest a/server '{}'; } >"$TMP/n/objects/o.json"
cat >"$TMP/n/objects/p.yaml" <<-EOF
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {namespace: a, name: deny}
	spec: {podSelector: {}}
EOF
echo '{"eventsBytes":65536}' >"$TMP/n/agent.json"
agent_start n || { not_ok "the agent starts"; done_testing; }
server=$(pod_add n a/server) && pod_add n a/client >/dev/null || { not_ok "pods are added"; done_testing; }
sleep 0.3
kill -STOP "$AGENT_PID" # the reader could be fast enough
check "200,000 datagrams are sent" test "$(in_pod a/client "$PROBE" burst "$server" 9 200000)" = 200000
kill -CONT "$AGENT_PID"
sleep 3
status=$(weir n status -o json)
generated=$(jq -r '.events_generated | tonumber' <<<"$status")
lost=$(jq -r '(.events_lost // 0) | tonumber' <<<"$status")
seen=$(jq -r '.store_seen | tonumber' <<<"$status")
echo "# generated $generated, seen $seen, lost $lost"
check "every drop made an event" test "$generated" -ge 200000
check "the ring was overrun" test "$lost" -gt 0
check "seen + lost == generated" test $((seen + lost)) = "$generated"
for ((i = 0; i < 30; i++)); do # losses are gathered for a second
	weir n observe --all >"$TMP/observed"
	grep -q 'EVENTS LOST' "$TMP/observed" && break
	sleep 0.2
done
check "followers are told of the loss" grep -qE 'EVENTS LOST: .*[1-9]' "$TMP/observed"
done_testing
