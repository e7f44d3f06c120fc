# SPDX-License-Identifier: Apache-2.0
# Sourced by the end-to-end tests, the demo and the benchmarks: a "node" is a network namespace with an agent of its own, its
# pods are namespaces that weir-cni wires. Everything has the run's id in its name; cleanup() takes all of it away.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build
AGENT=$BUILD/weir-agent
ID=w$$
TMP=$(mktemp -d "/tmp/weir-$ID.XXXXXX")
NODES=() PIDS=()

# On bpffs of the machine where there is one, so that pins are found by any process.
bpf_dir() { echo "/sys/fs/bpf/weir-$ID-$1"; }

netns_add() { # NAME, which begins with $ID: cleanup takes away every such namespace
	ip netns add "$1" && nsenter --net="/run/netns/$1" ip link set lo up
}
in_node() { local node=$1; shift; nsenter --net="/run/netns/$ID-$node" "$@"; }
in_pod() { local pod=$1; shift; nsenter --net="/run/netns/$ID-${pod//\//-}" "$@"; }

# node_up NAME SUBNETS-JSON: namespace, folders, CNI configuration. The agent is started with agent_start.
node_up() {
	netns_add "$ID-$1" || return 1
	NODES+=("$1")
	# As on any real node, interface 2 is taken: the kernel brings a veth up only after a second when both ends have one number.
	in_node "$1" ip link add taken type bridge
	in_node "$1" ip addr add 198.51.100.1/32 dev lo
	mkdir -p "$TMP/$1/objects" "$TMP/$1/run" "$TMP/$1/state"
	echo '{}' >"$TMP/$1/agent.json"
	cat >"$TMP/$1/net.conf" <<-EOF
		{"cniVersion":"1.1.0","name":"weir","type":"weir-cni","mtu":${MTU:-1500},
		 "ipam":{"type":"weir","subnets":$2},
		 "runDir":"$TMP/$1/run","stateDir":"$TMP/$1/state","bpfDir":"$(bpf_dir "$1")"}
	EOF
}

# world_up NODE: a namespace "world" behind the node's uplink up0: 192.0.2.1 and .2, 2001:db8:2::1 and ::2. It has no route to pods.
world_up() {
	netns_add "$ID-world"
	ip link add up0 netns "$ID-$1" type veth peer name eth0 netns "$ID-world"
	in_node "$1" ip addr add 192.0.2.1/24 dev up0
	in_node "$1" ip -6 addr add 2001:db8:2::1/64 dev up0 nodad
	in_node "$1" ip link set up0 up
	in_node "$1" ip route add default via 192.0.2.2
	in_node "$1" ip -6 route add default via 2001:db8:2::2
	in_pod world ip addr add 192.0.2.2/24 dev eth0
	in_pod world ip -6 addr add 2001:db8:2::2/64 dev eth0 nodad
	in_pod world ip link set eth0 up
}

# agent_start NODE [OPTION...]: returns when the agent is ready; AGENT_PID is its pid.
agent_start() {
	local node=$1 i; shift
	nsenter --net="/run/netns/$ID-$node" "$AGENT" --config "$TMP/$node/agent.json" --objects "$TMP/$node/objects" \
		--run-dir "$TMP/$node/run" --state-dir "$TMP/$node/state" --bpf-dir "$(bpf_dir "$node")" \
		--node-name "$node" "$@" >>"$TMP/$node/agent.log" 2>&1 &
	AGENT_PID=$!
	PIDS+=("$AGENT_PID")
	disown "$AGENT_PID"
	for ((i = 0; i < 100; i++)); do
		# It answers, if only to say that something is wrong with its objects.
		[ -n "$("$BUILD/weir" status -o json --server "unix://$TMP/$node/run/hubble.sock" 2>/dev/null)" ] && return 0
		kill -0 "$AGENT_PID" 2>/dev/null || break
		sleep 0.1
	done
	echo "weir-agent did not start:" >&2
	tail -20 "$TMP/$node/agent.log" >&2
	return 1
}
agent_stop() { # PID [SIGNAL]
	kill "-${2:-TERM}" "$1" 2>/dev/null
	while kill -0 "$1" 2>/dev/null; do sleep 0.05; done
}
# agent_cleanup NODE: takes everything of Weir out of that node's kernel.
agent_cleanup() {
	in_node "$1" "$AGENT" --cleanup --config "$TMP/$1/agent.json" --run-dir "$TMP/$1/run" --state-dir "$TMP/$1/state" \
		--bpf-dir "$(bpf_dir "$1")"
}
weir() { local node=$1 cmd=$2; shift 2; "$BUILD/weir" "$cmd" "$@" --server "unix://$TMP/$node/run/hubble.sock"; }

# cni NODE COMMAND CONTAINER-ID NETNS-NAME NS/NAME [EXTRA-JSON]: run weir-cni as a runtime does.
cni() {
	local node=$1 conf
	conf=$(jq -c ". + ${6:-{\}}" "$TMP/$node/net.conf")
	in_node "$node" env -i PATH="$PATH" CNI_COMMAND="$2" CNI_CONTAINERID="$3" CNI_NETNS="/run/netns/$4" CNI_IFNAME=eth0 \
		CNI_PATH="$BUILD:/usr/lib/cni" \
		CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=${5%%/*};K8S_POD_NAME=${5##*/};K8S_POD_UID=u-$3" \
		"$BUILD/weir-cni" <<<"$conf"
}
# pod_add NODE NS/NAME [EXTRA-JSON]: a namespace wired by weir-cni; prints its addresses, one a line.
pod_add() {
	local name="$ID-${2//\//-}" out
	[ -e "/run/netns/$name" ] || netns_add "$name" || return 1
	out=$(cni "$1" ADD "$name" "$name" "$2" "${3:-{\}}") || { echo "$out" >&2; return 1; }
	jq -r '.ips[].address | sub("/.*"; "")' <<<"$out"
}
pod_del() { # NODE NS/NAME
	local name="$ID-${2//\//-}"
	cni "$1" DEL "$name" "$name" "$2" && ip netns del "$name"
}

# pod_manifest NS/NAME LABELS-JSON [PORTS-JSON]
pod_manifest() {
	jq -nc --arg ns "${1%%/*}" --arg name "${1##*/}" --argjson labels "$2" --argjson ports "${3:-[]}" \
		'{apiVersion: "v1", kind: "Pod", metadata: {namespace: $ns, name: $name, labels: $labels},
		  spec: {containers: [{name: "main", image: "none", ports: $ports}]}, status: {phase: "Running"}}'
}
namespace_manifest() { # NAME
	jq -nc --arg n "$1" '{apiVersion: "v1", kind: "Namespace", metadata: {name: $n, labels: {"kubernetes.io/metadata.name": $n}}}'
}

# background POD-OR-NODE COMMAND...: run there until cleanup. nsenter becomes the command, so that its pid is known.
background() {
	local name=$1; shift
	nsenter --net="/run/netns/$ID-${name//\//-}" "$@" >/dev/null 2>&1 &
	PIDS+=($!)
	disown $!
}

cleanup() {
	local p n node
	trap - EXIT INT TERM
	for p in ${PIDS[@]+"${PIDS[@]}"}; do kill -TERM "$p" 2>/dev/null; done
	for p in ${PIDS[@]+"${PIDS[@]}"}; do
		for ((n = 0; n < 20; n++)); do kill -0 "$p" 2>/dev/null || break; sleep 0.05; done
		kill -KILL "$p" 2>/dev/null
	done
	for node in ${NODES[@]+"${NODES[@]}"}; do
		agent_cleanup "$node" >/dev/null 2>&1
		rm -rf "$(bpf_dir "$node")"
	done
	for n in $(ip netns list | awk -v id="$ID-" 'index($1, id) == 1 {print $1}'); do ip netns del "$n"; done
	rm -rf "$TMP"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# ---- TAP
T=0 FAILED=0
ok() { T=$((T + 1)); echo "ok $T - $*"; }
not_ok() { T=$((T + 1)); FAILED=1; echo "not ok $T - $*"; }
skip() { T=$((T + 1)); echo "ok $T - $1 # SKIP $2"; }
check() { # WHAT COMMAND...: the command succeeds
	local what=$1; shift
	if "$@"; then ok "$what"; else not_ok "$what"; fi
}
# Not by a redirection behind check, which would take the line of TAP along.
quietly() { "$@" >/dev/null; }
check_not() { local what=$1; shift; if "$@"; then not_ok "$what"; else ok "$what"; fi; }
# No sanitizer may have complained; when something failed, the agents' last words help.
done_testing() {
	local log
	for log in "$TMP"/*/agent.log; do
		[ -e "$log" ] || continue
		check_not "no sanitizer complains in $(basename "$(dirname "$log")")" grep -qE 'Sanitizer|runtime error' "$log"
		[ "$FAILED" = 0 ] || tail -60 "$log" | sed 's/^/# /'
	done
	echo "1..$T"
	exit "$FAILED"
}
