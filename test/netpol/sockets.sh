#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A spread of the truth tables over real sockets: pods wired by weir-cni at the case's addresses, an agent that gets the case's
# manifests, and a connection for every row.
. "$(dirname "$0")/../lib.sh"
AGENT=$BUILD/san/weir-agent
PROBE=$BUILD/test/tool/probe
SPREAD=${SPREAD:-16}

# Which cases: every n-th of those that one node without an outside, TCP and UDP can play.
python3 - "$ROOT" "$TMP" "$SPREAD" <<-'EOF' || exit 1
	import json, os, pathlib, sys
	root, out, spread = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
	sys.path.insert(0, str(root / "test/policy"))
	import cases
	shared = pathlib.Path(os.environ.get("WEIR_CONFORMANCE", root.parent / "shared/conformance")) / "netpol"
	def ips(p):
	    return p.get("ips") or [p[k] for k in ("ip",) if k in p]
	def playable(c):
	    pods = {f"{p['ns']}/{p['name']}": p for p in c["pods"]}
	    plain = all(all(ip.startswith(("10.", "fd00:")) for ip in ips(p)) and ips(p) and not p.get("hostNetwork") and not p.get("phase") and not p.get("spec") and not p.get("terminating") for p in c["pods"])
	    rows = all(r["from"] in pods and r["to"] in pods and r.get("proto", "TCP") in ("TCP", "UDP") and r["from"] != r["to"]
	               and r["port"] > 0 and "fromIP" not in r for r in c["expect"])
	    return plain and rows and len({ips(p)[0] for p in c["pods"]}) == len(c["pods"])
	chosen = []
	for source in (root / "test/policy/cases", shared):
	    if source.exists():
	        able = [c for c in cases.load(str(source)) if playable(c)]
	        for p in (p for c in able for p in c["pods"]):
	            p.pop("node", None)  # between pods it makes no difference: all on this one
	        chosen += able[:: max(1, len(able) // (spread // 2))][: spread // 2]
	for i, c in enumerate(chosen):
	    folder = out / f"case{i:03}"
	    folder.mkdir()
	    cases.write_objects(c, folder)
	    (folder / "name").write_text(c["name"])
	    (folder / "pods").write_text("".join(f"{p['ns']}/{p['name']} {json.dumps(ips(p), separators=(',', ':'))}\n" for p in c["pods"]))
	    ports = sorted({r["port"] for r in c["expect"]})
	    (folder / "ports").write_text(" ".join(map(str, ports)))
	    ip = {f"{p['ns']}/{p['name']}": ips(p)[0] for p in c["pods"]}
	    (folder / "rows").write_text("".join(
	        f"{r['from']} {r.get('proto', 'TCP').lower()} {r.get('toIP', ip[r['to']])} {r['port']} {int(r['allowed'])}\n" for r in c["expect"]))
EOF

ask() { # FROM: this sender's rows, one after the other
	local from proto ip port want
	while read -r from proto ip port want; do
		[ "$from" = "$1" ] || continue
		# A denied probe waits in vain for as long as an allowed one may take on a loaded machine.
		if in_pod "$from" "$PROBE" "$proto" "$ip" "$port" 200 2>/dev/null; then got=1; else got=0; fi
		# A second try: a row is wrong when it stays wrong.
		if [ "$got" != "$want" ] && in_pod "$from" "$PROBE" "$proto" "$ip" "$port" 2000 2>/dev/null; then got=1; fi
		[ "$got" = "$want" ] || echo "$from -> $ip:$port/$proto is $got, not $want"
	done <"$2/rows"
}

play() { # FOLDER
	local pod ip asking=() servers=() p
	rm -f "$TMP/n/objects/o.json" # or the last good version of a policy would stand in for a broken one
	sleep 0.2
	cp "$1/objects.json" "$TMP/n/objects/o.json.tmp" && mv "$TMP/n/objects/o.json.tmp" "$TMP/n/objects/o.json"
	sleep 0.3
	while read -r pod ip; do
		pod_add n "$pod" "{\"runtimeConfig\":{\"ips\":$ip}}" >/dev/null || echo "cannot add $pod"
		# shellcheck disable=SC2046
		nsenter --net="/run/netns/$ID-${pod//\//-}" "$PROBE" serve $(cat "$1/ports") >/dev/null 2>&1 &
		servers+=($!)
	done <"$1/pods"
	sleep 0.3
	while read -r pod ip; do ask "$pod" "$1" & asking+=($!); done <"$1/pods"
	wait "${asking[@]}"
	for p in "${servers[@]}"; do kill "$p"; wait "$p" 2>/dev/null; done
	while read -r pod ip; do pod_del n "$pod" || echo "cannot delete $pod"; done <"$1/pods"
}

node_up n '["0.0.0.0/1","fc00::/7"]'
agent_start n || { not_ok "the agent starts"; done_testing; }
for case in "$TMP"/case*; do
	play "$case" >"$TMP/wrong" 2>&1
	check "over sockets: $(cat "$case/name") ($(wc -l <"$case/rows") rows)" test ! -s "$TMP/wrong"
	[ ! -s "$TMP/wrong" ] || head -5 "$TMP/wrong" | sed 's/^/# /'
done
done_testing
