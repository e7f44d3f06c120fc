#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Who reaches whom over real sockets: pods of one node, the node itself, and the world behind an uplink; live changes of policies
# and labels; both families, TCP and UDP.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe

reach() { in_pod "$1" "$PROBE" "$2" "$3" "$4" "${5:-600}"; }
eventually() { # COMMAND...: succeeds within 3 s
	local i
	for ((i = 0; i < 30; i++)); do "$@" && return 0; sleep 0.1; done
	return 1
}
eventually_not() { local i; for ((i = 0; i < 30; i++)); do "$@" || return 0; sleep 0.1; done; return 1; }
objects() { cat >"$TMP/n/objects/$1.tmp" && mv "$TMP/n/objects/$1.tmp" "$TMP/n/objects/$1"; }

node_up n '["10.20.0.0/24","fd00:20::/64"]'
world_up n
in_pod world ip route add 10.20.0.0/24 via 192.0.2.1
in_pod world ip -6 route add fd00:20::/64 via 2001:db8:2::1
echo '{"masquerade":false}' >"$TMP/n/agent.json"
agent_start n || { not_ok "the agent starts"; done_testing; }
ok "the agent starts"

{ namespace_manifest a; namespace_manifest b; } | objects ns.json
{
	pod_manifest a/client '{"app":"client"}'
	pod_manifest a/server '{"app":"server"}' '[{"name":"web","containerPort":80}]'
	pod_manifest b/other '{"app":"other"}'
} | objects pods.json
mapfile -t client < <(pod_add n a/client)
mapfile -t server < <(pod_add n a/server)
mapfile -t other < <(pod_add n b/other)
check "weir-cni gives each pod an IPv4 and an IPv6 address" test "${#client[@]}${#server[@]}${#other[@]}" = 222
background a/server "$PROBE" serve 80 81
background a/client "$PROBE" serve 80
background world "$PROBE" serve 80
background n "$PROBE" serve 80
sleep 0.3

for f in 0 1; do
	fam=$((f ? 6 : 4))
	for p in tcp udp; do
		check "IPv$fam $p: without policies pods reach each other" eventually reach a/client $p "${server[f]}" 80
	done
	check "IPv$fam: ping" quietly in_pod a/client ping -c1 -W1 -q "${server[f]}"
	check "IPv$fam: the node reaches its pod" in_node n "$PROBE" tcp "${server[f]}" 80
	[ $f = 0 ] && node=192.0.2.1 world=192.0.2.2 || node=2001:db8:2::1 world=2001:db8:2::2
	check "IPv$fam: a pod reaches its node" reach a/client tcp $node 80
	check "IPv$fam: a pod reaches the world" eventually reach a/client tcp $world 80 # once addresses are no longer tentative
	check "IPv$fam: the world reaches a pod" in_pod world "$PROBE" tcp "${server[f]}" 80
done

objects policy.yaml <<-EOF
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {namespace: a, name: server}
	spec:
	  podSelector: {matchLabels: {app: server}}
	  ingress:
	    - from: [{podSelector: {matchLabels: {app: client}}}]
	      ports: [{port: web}]
EOF
check "a policy comes into force while the agent runs" eventually_not reach b/other tcp "${server[0]}" 80 200
for f in 0 1; do
	fam=$((f ? 6 : 4))
	check "IPv$fam: the named port is allowed to the client" reach a/client tcp "${server[f]}" 80
	check_not "IPv$fam: another port is not" reach a/client tcp "${server[f]}" 81 200
	check_not "IPv$fam: nor the same port over UDP" reach a/client udp "${server[f]}" 80 200
	check_not "IPv$fam: another pod is denied" reach b/other tcp "${server[f]}" 80 200
	check_not "IPv$fam: the world is denied" in_pod world "$PROBE" tcp "${server[f]}" 80 200
	check "IPv$fam: the pod's own node is always allowed" in_node n "$PROBE" tcp "${server[f]}" 81
	check "IPv$fam: the isolated pod itself may open connections" reach a/server tcp "${client[f]}" 80
done

in_pod a/client "$PROBE" hold "${server[0]}" 80 8 >/dev/null 2>"$TMP/held" &
held=$!
sleep 0.5
{
	pod_manifest a/client '{"app":"was-client"}'
	pod_manifest a/server '{"app":"server"}' '[{"name":"web","containerPort":80}]'
	pod_manifest b/other '{"app":"other"}'
} | objects pods.json
check "a label change takes the client's right away" eventually_not reach a/client tcp "${server[0]}" 80 200
check_not "and its open connection is cut" wait $held
{
	pod_manifest a/client '{"app":"client"}'
	pod_manifest a/server '{"app":"server"}' '[{"name":"web","containerPort":80}]'
	pod_manifest b/other '{"app":"other"}'
} | objects pods.json
check "another one gives it back" eventually reach a/client tcp "${server[0]}" 80

objects policy.yaml <<-EOF
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {namespace: a, name: server, annotations: {weir.io/audit: "true"}}
	spec:
	  podSelector: {matchLabels: {app: server}}
	  ingress:
	    - from: [{ipBlock: {cidr: 192.0.2.0/24}}]
EOF
check "an audited policy lets everything pass" eventually reach b/other tcp "${server[0]}" 80
sleep 0.3
check "and reports what it would deny" grep -q 'AUDITED BY server (NetworkPolicy)' \
	<(weir n observe --all --pod b/other --verdict AUDIT)
objects policy.yaml <<-EOF
	apiVersion: networking.k8s.io/v1
	kind: NetworkPolicy
	metadata: {namespace: a, name: server}
	spec:
	  podSelector: {matchLabels: {app: server}}
	  ingress:
	    - from: [{ipBlock: {cidr: 192.0.2.0/24}}]
EOF
check "enforced, it does" eventually_not reach b/other tcp "${server[0]}" 80 200
check "an ipBlock lets the world in" in_pod world "$PROBE" tcp "${server[0]}" 80
check_not "of the other family it does not" in_pod world "$PROBE" tcp "${server[1]}" 80 200

echo 'kind: [not a policy' | objects policy.yaml
sleep 0.3
check_not "a broken file widens nothing" reach b/other tcp "${server[0]}" 80 200
check "the last good version stays in force" in_pod world "$PROBE" tcp "${server[0]}" 80
check "weir status names the broken file" grep -q 'policy.yaml' <(weir n status)
agent_stop "$AGENT_PID" KILL
agent_start n
check_not "nor does it in the next agent" reach b/other tcp "${server[0]}" 80 200
check "whose policy is the last good one too" in_pod world "$PROBE" tcp "${server[0]}" 80
check "and weir status names the file" grep -q 'policy.yaml' <(weir n status)
: >"$TMP/n/objects/policy.yaml"
sleep 0.3
check_not "an empty file widens nothing" reach b/other tcp "${server[0]}" 80 200
rm "$TMP/n/objects/policy.yaml"
check "a policy that goes is no longer in force" eventually reach b/other tcp "${server[0]}" 80

in_pod a/client ip addr add 10.20.0.77/32 dev eth0
check_not "a forged source address is dropped" quietly in_pod a/client ping -c1 -W1 -q -I 10.20.0.77 "${server[0]}"
sleep 0.3
check "with a reason" grep -q 'Invalid source ip' <(weir n observe --all -t drop)
in_pod a/client ip addr del 10.20.0.77/32 dev eth0

reach a/client tcp "${server[0]}" 80
sleep 0.3
check "flows name pods on both sides" grep -qE 'a/client:[0-9]+ .*-> a/server:80 .*(FORWARDED|ALLOWED)' <(weir n observe --all)
# A Service's address is nobody's here, but flows say whose it is.
jq -nc '{apiVersion: "v1", kind: "Service", metadata: {namespace: "b", name: "shop"}, spec: {clusterIP: "203.0.113.10"}}' >"$TMP/n/objects/.shop" &&
	mv "$TMP/n/objects/.shop" "$TMP/n/objects/shop.json"
called() { in_pod a/client "$PROBE" tcp 203.0.113.10 80 100; weir n observe --all --to-service b/shop | grep -q '\-> b/shop:80'; }
check "flows name the Service that was called" eventually called
rm "$TMP/n/objects/shop.json"
check "denied flows name the policy" grep -q 'DENIED BY server (NetworkPolicy)' <(weir n observe --all --verdict DROPPED)

for p in a/client a/server b/other; do check "DEL of $p" pod_del n $p; done
sleep 0.5
check "no endpoint is left" test "$(weir n endpoint list -o json | jq length)" = 0
check "no link is left" test "$(in_node n ip -o link | grep -c weir)" = 0
check "no pin is left" test "$(find "$(bpf_dir n)/links" -name 'weir*' | wc -l)" = 0
done_testing
