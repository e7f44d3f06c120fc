#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 1,000 ADD/DEL pairs, 50 at a time, against a running agent: no duplicate address, and everything is back where it was.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PAIRS=1000 AT_ONCE=50

node_up n '["10.22.0.0/22","fd00:22::/64"]'
namespace_manifest a >"$TMP/n/objects/o.json"
agent_start n || { not_ok "the agent starts"; done_testing; }
state() {
	echo "links $(in_node n ip -o link | wc -l)"
	echo "routes $(in_node n ip route show table all | wc -l) $(in_node n ip -6 route show table all | wc -l)"
	echo "neighbours $(in_node n ip neigh show nud permanent | wc -l)"
	echo "pins $(find "$(bpf_dir n)" | wc -l)"
	for m in weir_ep_if weir_ipcache weir_policy; do
		echo "$m $(bpftool map dump pinned "$(bpf_dir n)/maps/$m" -j | jq length)"
	done
	echo "leases $(find "$TMP/n/state" -type l -path '*ipam*' | wc -l)"
	echo "records $(find "$TMP/n/state/attachments" -type f 2>/dev/null | wc -l)"
	echo "descriptors $(find "/proc/$AGENT_PID/fd" | wc -l)"
	echo "endpoints $(weir n endpoint list -o json | jq length)"
}
sleep 0.5
state >"$TMP/before"
worker() { # N: its share of the pairs, one after the other
	local i ns=$ID-leak$1
	ip netns add "$ns"
	for ((i = $1; i < PAIRS; i += AT_ONCE)); do
		cni n ADD "c$i" "$ns" "a/p$i" | jq -r '.ips[].address' | sed "s/^/$i /" >>"$TMP/addrs.$1" || echo "ADD $i" >>"$TMP/failed"
		cni n DEL "c$i" "$ns" "a/p$i" >>"$TMP/failed" || echo "DEL $i" >>"$TMP/failed"
	done
	ip netns del "$ns"
}
# All at once first: every address that is held at one time must be different.
hold() {
	local ns=$ID-hold$1
	ip netns add "$ns"
	cni n ADD "h$1" "$ns" "a/h$1" | jq -r '.ips[].address' >"$TMP/held.$1"
}
workers=()
for ((w = 0; w < AT_ONCE; w++)); do hold $w & workers+=($!); done
wait "${workers[@]}"
check "50 ADDs at once: 100 addresses" test "$(cat "$TMP"/held.* | wc -l)" = 100
check "and no two are the same" test -z "$(cat "$TMP"/held.* | sort | uniq -d)"
workers=()
for ((w = 0; w < AT_ONCE; w++)); do { cni n DEL "h$w" "$ID-hold$w" "a/h$w"; ip netns del "$ID-hold$w"; } & workers+=($!); done
wait "${workers[@]}"
workers=()
for ((w = 0; w < AT_ONCE; w++)); do worker $w & workers+=($!); done
wait "${workers[@]}"
check "$PAIRS ADD/DEL pairs, $AT_ONCE at a time, all succeed" test ! -s "$TMP/failed"
check "each ADD gave two addresses" test "$(cat "$TMP"/addrs.* | wc -l)" = $((PAIRS * 2))
for ((i = 0; i < 50; i++)); do
	state >"$TMP/after"
	cmp -s "$TMP/before" "$TMP/after" && break
	sleep 0.2
done
check "links, routes, neighbours, pins, map entries, leases, records, descriptors are as before" diff "$TMP/before" "$TMP/after"
done_testing
