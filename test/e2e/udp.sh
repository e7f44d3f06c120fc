#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# UDP host ports come and go under clients that go on sending from one port: the kernel's conntrack must not keep sending
# them where the port led before.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe

node_up n '["10.26.0.0/24","fd00:26::/64"]'
world_up n
{ namespace_manifest a; for p in client old new; do pod_manifest a/$p "{\"app\":\"$p\"}"; done; } >"$TMP/n/objects/o.json"
agent_start n || { not_ok "the agent starts"; done_testing; }
echo '{"runtimeConfig":{"portMappings":[{"hostPort":8053,"containerPort":53,"protocol":"udp"}]}}' >"$TMP/port"
pod_add n a/client >/dev/null || not_ok "a pod is added"
background world "$PROBE" serve 8053 8054

# FROM ADDRESS PORT: one datagram, always from one port; whoever is there echoes it.
answered() { [ "$(in_pod "$1" nc -u -w 1 -p 40000 "$2" "$3" <<<hello 2>/dev/null)" = hello ]; }
# What conntrack has of datagrams to that port of that address, without what changes with time.
flows() { in_node n grep -E "udp .* dst=$1 sport=[0-9]+ dport=$2 " /proc/net/nf_conntrack | sed 's/.* src=/src=/; s/mark=.*//'; }
nobody() { ! answered "$@"; }
# WHAT COMMAND: the world asks over IPv4 and IPv6, the node by loopback.
from_everywhere() {
	check "$1: IPv4" "$2" world 192.0.2.1 8053
	check "$1: IPv6" "$2" world 2001:db8:2::1 8053
	check "$1: loopback" "$2" n 127.0.0.1 8053
}

from_everywhere "before there is a pod nobody answers" nobody
answered a/client 192.0.2.2 8053
answered world 192.0.2.1 8054
others=$(flows 192.0.2.2 8053; flows 192.0.2.1 8054)
check "and conntrack remembers that" test "$(flows 192.0.2.1 8053 | wc -l)" = 1 -a "$(wc -l <<<"$others")" = 2
pod_add n a/old "$(<"$TMP/port")" >/dev/null || not_ok "a pod with a UDP host port is added"
background a/old "$PROBE" serve 53
sleep 0.3
from_everywhere "the pod answers those who asked before it came" answered
pod_del n a/old
background n "$PROBE" serve 8053
sleep 0.5
from_everywhere "when it is gone, the node does" answered
kill "${PIDS[-1]}"
pod_add n a/new "$(<"$TMP/port")" >/dev/null || not_ok "another pod with the same host port is added"
background a/new "$PROBE" serve 53
sleep 0.3
from_everywhere "the next pod does" answered
agent_stop "$AGENT_PID" KILL
pod_del n a/new 2>/dev/null
background n "$PROBE" serve 8053
agent_start n || not_ok "the agent starts again"
from_everywhere "when it went while the agent was away, the node does" answered
check "flows to that port of others and to other ports of the node are the same" \
	diff <(echo "$others") <(flows 192.0.2.2 8053; flows 192.0.2.1 8054)
done_testing
