#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Maps that are too small: the pods whose rules or addresses do not fit are cut off, the others are not, and everybody is told.
# When there is room again they come back by themselves.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe

node_up n '["10.25.0.0/24"]'
echo '{"policyMax":8}' >"$TMP/n/agent.json"
{ namespace_manifest a; for p in client small large; do pod_manifest a/$p "{\"app\":\"$p\"}"; done; } >"$TMP/n/objects/o.json"
policy() { # NODE NS/APP PORTS-JSON
	local file="$TMP/$1/objects/${2##*/}"
	jq -nc --arg ns "${2%%/*}" --arg app "${2##*/}" --argjson ports "$3" '{apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy",
		metadata: {namespace: $ns, name: $app}, spec: {podSelector: {matchLabels: {app: $app}}, ingress: [{ports: $ports}]}}' \
		>"$file.tmp" && mv "$file.tmp" "$file.json"
}
policy n a/small '[{"port":80}]'
agent_start n || { not_ok "the agent starts"; done_testing; }
pod_add n a/client >/dev/null && small=$(pod_add n a/small) && large=$(pod_add n a/large)
background a/small "$PROBE" serve 80
background a/large "$PROBE" serve 80
sleep 0.3
check "before, all is well" in_pod a/client "$PROBE" tcp "$large" 80
policy n a/large "$(jq -nc '[range(20) | {port: (80 + . * 2)}]')"
sleep 0.5
check_not "a pod whose rules do not fit is cut off" in_pod a/client "$PROBE" tcp "$large" 80 300
check "but for its own node" in_node n "$PROBE" tcp "$large" 80
check "another pod is not" in_pod a/client "$PROBE" tcp "$small" 80
status=$(weir n status); code=$?
check "weir status says so" grep -q 'do not fit into the policy map' <<<"$status"
check "and exits 1" test $code = 1
check "the log says so" grep -q 'do not fit into the policy map' "$TMP/n/agent.log"
policy n a/large '[{"port":80}]'
sleep 1.5
check "with room again it comes back by itself" in_pod a/client "$PROBE" tcp "$large" 80
check "and weir status is content" quietly weir n status

# ipcache: 0.0.0.0/0, ::/0 and the node's own address, four pods, and one entry that is never used
node_up m '["10.27.0.0/24"]'
echo '{"ipcacheMax":8}' >"$TMP/m/agent.json"
{ namespace_manifest b; for p in client server late; do pod_manifest b/$p "{\"app\":\"$p\"}"; done; } >"$TMP/m/objects/o.json"
for ((i = 1; i <= 5; i++)); do
	pod_manifest b/peer$i '{}' | jq -c ".spec.nodeName = \"other\" | .status.podIP = \"10.28.0.$i\""
done >"$TMP/m/peers.json"
agent_start m || { not_ok "the second agent starts"; done_testing; }
pod_add m b/client >/dev/null && server=$(pod_add m b/server)
background b/server "$PROBE" serve 80
cp "$TMP/m/peers.json" "$TMP/m/objects/peers.tmp" && mv "$TMP/m/objects/peers.tmp" "$TMP/m/objects/peers.json"
sleep 0.5
check "with more peers than the ipcache holds, pods of the node go on" in_pod b/client "$PROBE" tcp "$server" 80
status=$(weir m status); code=$?
check "weir status tells how many it does not" grep -q '3 address(es) do not fit into the ipcache' <<<"$status"
check "and exits 1" test $code = 1
late=$(pod_add m b/late)
background b/late "$PROBE" serve 80
sleep 0.3
check_not "a pod that comes now is cut off" in_pod b/client "$PROBE" tcp "$late" 80 300
check "but for its own node" in_node m "$PROBE" tcp "$late" 80
check "and is known to wait" test "$(weir m endpoint list -o json | grep -ci waiting)" = 1
policy m b/server '[{"port":81}]'
sleep 0.5
check_not "new policies come into force" in_pod b/client "$PROBE" tcp "$server" 80 300
sleep 2
check "the log tells each number once" test "$(grep -c '4 address(es) do not fit into the ipcache' "$TMP/m/agent.log")" = 1
rm "$TMP/m/objects/peers.json"
sleep 1.5
check "with room again the pod comes back by itself" in_pod b/client "$PROBE" tcp "$late" 80
check "and weir status has nothing to say of it" test -z "$(weir m status | grep 'do not fit')"

bpftool map freeze pinned "$(bpf_dir m)/maps/weir_ipcache"
policy m b/late '[{"port":81}]'
pod_manifest b/peer '{}' | jq -c '.spec.nodeName = "other" | .status.podIP = "10.28.0.9"' >"$TMP/m/objects/peer.json"
sleep 1.5
check "when a map cannot be written, the former policy stays in force" in_pod b/client "$PROBE" tcp "$late" 80
in_pod b/client "$PROBE" udp 203.0.113.9 9 300
sleep 0.5
check "flows go on to be told" grep -q 'b/client.*203.0.113.9' <(weir m observe --last 20)
check "weir status says so" grep -q 'the former policy stays in force' <(weir m status)
done_testing
