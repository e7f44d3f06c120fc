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
eventually() { local i; for ((i = 0; i < ${tries:-40}; i++)); do "$@" && return 0; sleep 0.1; done; return 1; }
# Something is in the way of the XDP program's pin at first.
in_the_way=$(bpf_dir n)/links/xdp_net_$(in_node n ip -j link show up0 | jq '.[0].ifindex')
mkdir -p "$in_the_way"
agent_start n || { not_ok "the agent starts"; done_testing; }
up0_is() { grep -q "up0: $1" <(weir n status); }
check "weir status tells why an uplink is not attached" up0_is 'NOT ATTACHED, cannot remove .*/xdp_net_'
check "the log does, too" grep -q 'error: cannot remove .*/xdp_net_.*; it is tried again' "$TMP/n/agent.log"
rmdir "$in_the_way"
tries=120 check "it is tried again, and attached, though nothing happens to the interface" eventually up0_is attached
mapfile -t server < <(pod_add n a/server '{"runtimeConfig":{"portMappings":[
	{"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":8053,"containerPort":53,"protocol":"udp"},
	{"hostPort":8082,"containerPort":80,"protocol":"tcp","hostIP":"0.0.0.0"},
	{"hostPort":8083,"containerPort":80,"protocol":"tcp","hostIP":"127.0.0.1"}]}}')
mapfile -t client < <(pod_add n a/client)
background world "$PROBE" serve 80
background a/server "$PROBE" serve 80 53
background n "$PROBE" serve 9000

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
check "and by 127.0.0.1, TCP" in_node n "$PROBE" tcp 127.0.0.1 8080 1000
check "and UDP" in_node n "$PROBE" udp 127.0.0.1 8053 1000
check "::1 leads to no pod, and says so at once" grep -q refused <(in_node n nc -v -w 3 ::1 8080 2>&1)
echo_from() { [ "$(in_node n nc -N -w 1 -s "$1" "$2" 8080 <<<hello)" = hello ]; }
check "from a source that is not 127.0.0.1" echo_from 192.0.2.1 127.0.0.1
check "from 127.0.0.1 to its own address" echo_from 127.0.0.1 192.0.2.1
check "hostIP 127.0.0.1 is for the node" in_node n "$PROBE" tcp 127.0.0.1 8083 1000
check_not "and for nobody else" in_pod world "$PROBE" tcp 192.0.2.1 8083 300
# So that POD's packets to 127.0.0.1 go to the node, and it would take an answer.
to_loopback_of_node() { # POD GATEWAY SOURCE
	in_pod "$1" ip addr del 127.0.0.1/8 dev lo
	in_pod "$1" sysctl -qw net.ipv4.conf.eth0.route_localnet=1
	in_pod "$1" ip route add 127.0.0.0/8 via "$2" dev eth0 src "$3"
}
to_loopback_of_node a/server 169.254.1.1 "${server[0]}"
to_loopback_of_node world 192.0.2.1 192.0.2.2
for who in a/server world; do
	for port in 8080 8083 9000; do
		check_not "$who does not reach port $port on the node's 127.0.0.1" in_pod $who "$PROBE" tcp 127.0.0.1 $port 300
	done
done
check "there is something on 9000, and there are no routes in the way" in_pod world "$PROBE" tcp 192.0.2.1 9000 1000
localnet() { # POD: is 127.0.0.0/8 routed by its interface?
	in_node n cat "/proc/sys/net/ipv4/conf/$(jq -r .hostIf "$TMP/n/state/attachments/$ID-${1//\//-}:eth0.json")/route_localnet"
}
check "loopback addresses are routed where host ports are" test "$(localnet a/server)" = 1
check "and nowhere else" test "$(localnet a/client)" = 0
out=$(pod_add n a/second '{"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}' 2>&1)
check "a host port that is taken is refused" grep -q 'host port 8080/tcp is taken by a/server' <<<"$out"
check_not "and nothing of that pod is left" test -e "/run/netns/$ID-a-second" -a -n "$(in_pod a/second ip -o link show eth0 2>/dev/null)"

in_pod world ip route replace 192.0.2.1/32 dev eth0 src 192.0.2.66
check_not "the deny list stops its prefix" in_pod world "$PROBE" tcp 192.0.2.1 8080 500
in_pod world ip route del 192.0.2.1/32 dev eth0
check "weir status tells how much" grep -qE '^Deny list: +192.0.2.66/32: [1-9][0-9]* packets, [0-9.]+ .*dropped' <(weir n status)
check "and nobody else" in_pod world "$PROBE" tcp 192.0.2.1 8080 1000

in_node n nft flush ruleset
check "rules that somebody has flushed come back: into the cluster" eventually in_pod world "$PROBE" tcp 192.0.2.1 8080 300
check "out of it" in_pod a/client "$PROBE" tcp 192.0.2.2 80 600
check "and the log says so" grep -q 'somebody has removed the nftables table' "$TMP/n/agent.log"

check "DEL" pod_del n a/server
sleep 0.5
check_not "takes the mapping away" in_pod world "$PROBE" tcp 192.0.2.1 8080 300
agent_stop "$AGENT_PID"
echo '{"masquerade":false}' >"$TMP/n/agent.json"
agent_start n
check_not "masquerading can be turned off" in_pod a/client "$PROBE" tcp 192.0.2.2 80 500
pod_add n a/server '{"runtimeConfig":{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}}' >/dev/null
check "a host port again" test "$(localnet a/server)" = 1
agent_stop "$AGENT_PID"
check "cleanup" agent_cleanup n
check "closes loopback, now that no program guards it" test "$(localnet a/server)" = 0
done_testing
