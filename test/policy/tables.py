# SPDX-License-Identifier: Apache-2.0
"""Compares truth tables with `weir policy matrix`. TAP on stdout, one test per case."""
import json
import os
import subprocess
import tempfile

import cases

WEIR = os.environ.get("WEIR", "build/weir")


def ask(case):
    """The answers of weir to the probes of a case, in their order."""
    with tempfile.TemporaryDirectory(prefix="weir-policy-") as folder:
        os.mkdir(os.path.join(folder, "objects"))
        cases.write_objects(case, os.path.join(folder, "objects"))
        probe_file = os.path.join(folder, "probes.json")
        with open(probe_file, "w") as f:
            json.dump(cases.probes(case), f)
        run = subprocess.run([WEIR, "policy", "matrix", "--objects", os.path.join(folder, "objects"), "-o", "json",
                              "--probe", probe_file], capture_output=True, text=True)
    if run.returncode != case.get("exit", 0):
        raise RuntimeError("exit status %d: %s" % (run.returncode, run.stderr.strip()))
    return [json.loads(line) for line in run.stdout.splitlines()]


def differences(case, answers):
    if len(answers) != len(case["expect"]):
        return ["%d answers to %d probes" % (len(answers), len(case["expect"]))]
    out = []
    for want, got in zip(case["expect"], answers):
        for key in ("allowed", "egress", "ingress"):
            if key in want and want[key] != got[key]:
                out.append("%s, but %s is %s" % (json.dumps(want), key, json.dumps(got[key])))
    return out


class Tap:
    def __init__(self):
        self.n = 0
        self.failed = 0

    def result(self, what, problems):
        self.n += 1
        self.failed += bool(problems)
        print("%sok %d - %s" % ("not " if problems else "", self.n, what.replace("#", "")), flush=True)
        for p in problems[:10]:
            print("# " + p)

    def skip(self, what, why):
        self.n += 1
        print("ok %d - %s # SKIP %s" % (self.n, what, why))

    def done(self):
        print("1..%d" % self.n)
        return 1 if self.failed else 0


def check(tap, case):
    try:
        problems = differences(case, ask(case))
    except (RuntimeError, OSError) as e:
        problems = [str(e)]
    tap.result(case["name"], problems)


def run(tap, path, what):
    rows = tables = 0
    for case in cases.load(path):
        check(tap, case)
        tables += 1
        rows += len(case["expect"])
    print("# %s: %d cases, %d rows" % (what, tables, rows), flush=True)
