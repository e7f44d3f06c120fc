#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manifest under real container runtimes, where they are installed: containerd (by ctr) and podman. They have mounts and processes
# of their own, which end with this script, and see nothing of the machine's other containers.
[ -n "${WEIR_ID:-}" ] || exec env WEIR_ID=w$$ unshare --mount --pid --fork --kill-child --mount-proc "$0"
. "$(dirname "$0")/../lib.sh"
ID=$WEIR_ID
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe
ROOTFS=$TMP/rootfs

own_folders() {
	local dir
	mount -t tmpfs weir-test /mnt || return 1
	for dir in etc opt var/lib; do
		mkdir -p "/mnt/$dir/"{new,work}
		mount -t overlay weir-test -o "lowerdir=/$dir,upperdir=/mnt/$dir/new,workdir=/mnt/$dir/work" "/$dir" || return 1
	done
	mount -t tmpfs weir-test /run && rm -rf /var/lib/cni /etc/cni && mkdir -p /run/{netns,lock} /etc/cni/net.d /opt/cni/bin
}
eventually() { local i; for ((i = 0; i < 50; i++)); do "$@" && return 0; sleep 0.1; done; return 1; }
addresses() { weir n endpoint list -o json | jq -r --arg of "$1" '.endpoints[]? | select(.container_id == $of or .pod == $of) | .ipv4, .ipv6'; }
known() { [ -n "$(addresses "$1")" ]; }
nothing_left() { [ -z "$(cd "$TMP/n/state" && find attachments ipam ! -type d ! -name '.*')$(in_node n ip -br link show type veth)" ]; }
# refuses COMMAND...: why a container cannot even run without a network; says nothing when it can.
refuses() {
	local said
	said=$("$@" 2>&1)
	grep -q ^usage <<<"$said" || echo "it runs no containers here: ${said##*$'\n'}"
}

ctr() { in_node n ctr --address /run/containerd/test.sock "$@"; }
ctr_run() { ctr run --rm --cgroup '' --rootfs "$@"; } # ROOTFS ID COMMAND...
with_containerd() {
	local server to why
	type -P runc containerd >/dev/null || { skip "containerd" "containerd or runc is not installed"; return; }
	printf 'version = 2\nroot = "/run/containerd/root"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$TMP/containerd.toml"
	background n containerd --config "$TMP/containerd.toml" --address /run/containerd/test.sock
	eventually test -S /run/containerd/test.sock || { skip "containerd" "it does not start here"; return; }
	why=$(refuses ctr_run "$ROOTFS" alone /probe)
	[ -z "$why" ] || { skip "containerd" "$why"; return; }

	ctr_run --cni "$ROOTFS" server /probe serve 80 >"$TMP/server.log" 2>&1 &
	eventually known default-server || { not_ok "containerd: a container gets its network: $(tail -1 "$TMP/server.log")"; return; }
	ok "containerd: a container gets its network"
	mapfile -t server < <(addresses default-server)
	check "two addresses" test "${#server[@]}" = 2
	check "the node reaches it" eventually in_node n "$PROBE" tcp "${server[0]}" 80
	for to in "${server[@]}"; do
		check "another container reaches it at $to" ctr_run --cni "$ROOTFS" client /probe tcp "$to" 80 1000
	done
	ctr task kill --signal KILL server
	check "when they end, nothing stays" eventually nothing_left
}

podman() {
	in_node n env CONTAINERS_CONF="$TMP/containers.conf" podman --root /run/podman/root --runroot /run/podman/run --tmpdir /run/podman/tmp \
		--storage-driver vfs --cgroup-manager cgroupfs "$@"
}
podman_run() { podman run "${CGROUPS[@]}" --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"; }
podman_with() { # RUNTIME
	[ "$1" = crun ] && CGROUPS=(--cgroups disabled) || CGROUPS=(--cgroup-parent "/weir-$ID")
	cat >"$TMP/containers.conf" <<-EOF
		[network]
		network_backend = "cni"
		cni_plugin_dirs = ["/opt/cni/bin"]
		network_config_dir = "/etc/cni/net.d"
		default_network = "weir"
		[engine]
		events_logger = "file"
		runtime = "$1"
	EOF
}
with_podman() {
	local web why
	type -P podman >/dev/null || { skip "podman" "podman is not installed"; return; }
	podman_with crun
	[ "$(podman info --format '{{.Host.NetworkBackend}}' 2>/dev/null)" = cni ] || { skip "podman" "it has no network backend cni"; return; }
	why=$(refuses podman_run --rm --network none --rootfs "$ROOTFS" /probe)
	if [ -n "$why" ] && type -P runc >/dev/null; then # it takes cgroups as they are
		podman_with runc
		why=$(refuses podman_run --rm --network none --rootfs "$ROOTFS" /probe)
	fi
	[ -z "$why" ] || { skip "podman" "$why"; return; }

	why=$(podman_run -d --name web -p 8080:80 --ip 10.244.0.77 --mac-address 02:11:22:33:44:55 --rootfs "$ROOTFS" \
		/probe serve 80 2>&1) || { not_ok "podman: a container gets its network: ${why##*$'\n'}"; return; }
	ok "podman: a container gets its network"
	mapfile -t web < <(addresses web)
	check "the address that was asked for" test "${web[0]}" = 10.244.0.77
	check "the node reaches it" eventually in_node n "$PROBE" tcp "${web[0]}" 80
	check "and its host port" in_node n "$PROBE" tcp 198.51.100.1 8080
	check "another container reaches it" podman_run --rm --rootfs "$ROOTFS" /probe tcp "${web[1]}" 80 1000
	check "an address that is taken is refused" \
		grep -q '10.244.0.77: taken' <(podman_run --rm --ip 10.244.0.77 --rootfs "$ROOTFS" /probe 2>&1)
	pod_manifest default/web '{}' >"$TMP/n/objects/web.json"
	jq -nc '{apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: {name: "web"}, spec: {podSelector: {}}}' \
		>"$TMP/n/objects/policy.json"
	sleep 0.5
	check_not "but not against the policy of a Pod with its name" podman_run --rm --rootfs "$ROOTFS" /probe tcp "${web[0]}" 80 300
	kill -KILL "$(podman inspect --format '{{.State.Pid}}' web)"
	check "killed, its network is taken away" eventually nothing_left
	check "it is started again" quietly podman start web
	check "and reached" eventually in_node n "$PROBE" tcp "${web[0]}" 80
	quietly podman rm --force --time 0 web
	check "when they end, nothing stays" eventually nothing_left
}

remove_cgroups() { find /sys/fs/cgroup -depth -type d -path "*/weir-$ID*" -exec rmdir {} + 2>/dev/null; }
trap 'cleanup; remove_cgroups' EXIT
own_folders 2>"$TMP/log" || { skip "container runtimes" "no folders of their own here: $(tail -1 "$TMP/log")"; done_testing; }
node_up n '[]'
jq --arg run "$TMP/n/run" --arg state "$TMP/n/state" --arg bpf "$(bpf_dir n)" \
	'.plugins[0] += {runDir: $run, stateDir: $state, bpfDir: $bpf}' "$ROOT/manifests/10-weir.conflist" >/etc/cni/net.d/10-weir.conflist
cp "$BUILD/weir-cni" /opt/cni/bin/
mkdir -p "$ROOTFS"/{proc,sys,dev,etc,run} && cp "$PROBE" "$ROOTFS/probe"
agent_start n || { not_ok "the agent starts"; done_testing; }
with_containerd
with_podman
done_testing
