#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Masquerading out of the cluster, port mappings into it, and the deny list on the uplink: a world behind the node that has no route
# to the pods.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe

node_up n '["10.24.0.0/24","fd00:24::/64"]'
world_up n
in_pod world ip addr add 192.0.2.66/24 dev eth0
{ namespace_manifest a; pod_manifest a/client '{"app":"client"}'; pod_manifest a/server '{"app":"server"}'; } >"$TMP/n/objects/o.json"
echo '{"xdp":true,"denyPrefixes":["192.0.2.66/32"]}' >"$TMP/n/agent.json"
agent_start n || { not_ok "the agent starts"; done_testing; }
mapfile -t server < <(pod_add n a/server '{"runtimeConfig":{"portMappings":[
	{"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":8053,"containerPort":53,"protocol":"udp"},
	{"hostPort":8082,"containerPort":80,"protocol":"tcp","hostIP":"0.0.0.0"}]}}')
mapfile -t client < <(pod_add n a/client)
background world "$PROBE" serve 80
background a/server "$PROBE" serve 80 53
eventually() { local i; for ((i = 0; i < 40; i++)); do "$@" && return 0; sleep 0.1; done; return 1; }

for world in 192.0.2.2 2001:db8:2::2; do
	check "a pod reaches the world at $world, which could not answer its own address" \
		eventually in_pod a/client "$PROBE" tcp $world 80 600
done
check "hostIP 0.0.0.0 is any IPv4 address of the node" in_pod world "$PROBE" tcp 192.0.2.1 8082 1000
check_not "and no IPv6 address" in_pod world "$PROBE" tcp 2001:db8:2::1 8082 300
for node in 192.0.2.1 2001:db8:2::1; do
	check "the world reaches the pod through $node, TCP 8080" in_pod world "$PROBE" tcp $node 8080 1000
	check "and UDP 8053" in_pod world "$PROBE" udp $node 8053 1000
	check "another pod does, too" in_pod a/client "$PROBE" tcp $node 8080 1000
	check "the pod itself does" in_pod a/server "$PROBE" tcp $node 8080 1000
	check_not "a port that is not mapped leads nowhere" in_pod world "$PROBE" tcp $node 8081 300
done
check "the node reaches it by its own address" in_node n "$PROBE" tcp 192.0.2.1 8080 1000
out=$(pod_add n a/second '{"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}' 2>&1)
check "a host port that is taken is refused" grep -q 'host port 8080/tcp is taken by a/server' <<<"$out"
check_not "and nothing of that pod is left" test -e "/run/netns/$ID-a-second" -a -n "$(in_pod a/second ip -o link show eth0 2>/dev/null)"

in_pod world ip route replace 192.0.2.1/32 dev eth0 src 192.0.2.66
check_not "the deny list stops its prefix" in_pod world "$PROBE" tcp 192.0.2.1 8080 500
in_pod world ip route del 192.0.2.1/32 dev eth0
check "weir status tells how much" grep -qE '^Deny list: +192.0.2.66/32: [1-9][0-9]* packets, [0-9.]+ .*dropped' <(weir n status)
check "and nobody else" in_pod world "$PROBE" tcp 192.0.2.1 8080 1000

check "DEL" pod_del n a/server
sleep 0.5
check_not "takes the mapping away" in_pod world "$PROBE" tcp 192.0.2.1 8080 300
agent_stop "$AGENT_PID"
echo '{"masquerade":false}' >"$TMP/n/agent.json"
agent_start n
check_not "masquerading can be turned off" in_pod a/client "$PROBE" tcp 192.0.2.2 80 500
done_testing
