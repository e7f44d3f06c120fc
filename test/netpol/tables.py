#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every truth table over the compiled maps: build/test/netpol/maps answers each row by running the datapath's programs on its
first packet. Prints TAP, a test a set of tables."""
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/policy"))
import cases  # noqa: E402

BPF = f"/sys/fs/bpf/weir-netpol-{os.getpid()}"
CONFORMANCE = pathlib.Path(os.environ.get("WEIR_CONFORMANCE", ROOT.parent / "shared/conformance"))


def differences(maps, case):
    world = {"objects": cases.objects(case)["items"], "probes": cases.probes(case)}
    maps.stdin.write(json.dumps(world) + "\n")
    maps.stdin.flush()
    answer = maps.stdout.readline()
    if not answer:
        raise RuntimeError(f"{case['name']}: the harness ended")
    return [row for row, allowed in zip(case["expect"], json.loads(answer), strict=True) if row["allowed"] != allowed]


def run(number, title, source):
    worlds = rows = 0
    bad = []
    with subprocess.Popen([ROOT / "build/test/netpol/maps", BPF], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as maps:
        for case in cases.load(str(source)):
            worlds += 1
            rows += len(case["expect"])
            bad += [(case["name"], row) for row in differences(maps, case)]
        maps.stdin.close()
    ok = not bad and worlds and maps.returncode == 0
    print(f"{'ok' if ok else 'not ok'} {number} - {title}: {worlds} worlds, {rows} rows over the compiled maps, {len(bad)} differ", flush=True)
    for name, row in bad[:10]:
        print(f"# {name}: {row}")
    return ok


def main():
    sources = [("the project's own table", ROOT / "test/policy/cases"), ("upstream's e2e tables", CONFORMANCE / "netpol"),
               ("cyclonus' worlds", CONFORMANCE / "netpol-cyclonus.tar.xz")]
    good = True
    try:
        for i, (title, source) in enumerate(sources, 1):
            if source.exists():
                good = run(i, title, source) and good
            else:
                print(f"ok {i} - {title} # SKIP {source.name} is not there")
    finally:
        subprocess.run(["rm", "-rf", BPF], check=False)
    return 0 if good else 1


sys.exit(main())
