# SPDX-License-Identifier: Apache-2.0
"""What `weir policy` prints and how it exits, beyond the verdicts of the truth tables."""
import json
import os
import subprocess
import tempfile

from tables import WEIR


def pod(name, **status):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "a", "name": name, "labels": {"app": name}},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}, "status": status}


def policy(name, **spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"namespace": "a", "name": name},
            "spec": {"podSelector": {}, **spec}}


def node(name, *ips):
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
            "status": {"addresses": [{"type": "InternalIP", "address": ip} for ip in ips]}}


def probe(src, dst, **more):
    return {"from": src, "to": dst, "port": 80, **more}


class Folder:
    """A folder of manifests; files maps names to lists of objects, or to text."""

    def __init__(self, files, probes=None):
        self.files = {"objects/" + k: v for k, v in files.items()}
        self.files["probes"] = json.dumps(probes)
        self.folders, self.fifos = [], []

    def run(self, *args):
        with tempfile.TemporaryDirectory(prefix="weir-policy-") as root:
            os.mkdir(root + "/objects")
            for name, content in self.files.items():
                with open(root + "/" + name, "w") as f:
                    f.write(content if isinstance(content, str) else "\n".join(map(json.dumps, content)))
            for name in self.folders:
                os.mkdir(root + "/" + name)
            for name in self.fifos:
                os.mkfifo(root + "/" + name)
            run = subprocess.run([os.path.abspath(WEIR), "policy", *args], cwd=root, capture_output=True, text=True,
                                 timeout=60)
        return run.returncode, run.stdout.splitlines(), run.stderr.splitlines()

    def ask(self, *args):
        status, out, _ = self.run("matrix", "--objects", "objects", "--probe", "probes", *args)
        return status, out


def same(want, got):
    return [] if want == got else ["want %r" % (want,), "got  %r" % (got,)]


def unanswered_probes():
    """a probe that cannot be judged has a line in its place, and the exit status says so"""
    f = Folder({"w.json": [pod("web", podIP="10.0.0.1"), pod("db", podIP="10.0.0.2")]},
               [probe("a/web", "a/db"), probe("a/nobody", "a/db"), 7, probe("a/web", "\x1b[31m"), probe("a/web", "a/db", port=0),
                probe("a/web", "a/db", fromIP="10.0.0.9"), probe("a/db", "a/web")])
    status, out = f.ask("-o", "json")
    rows = [json.loads(line) for line in out]
    bad = same((1, [True, None, None, None, None, None, True]), (status, [r["allowed"] for r in rows]))
    bad += same({"from": "a/nobody", "to": "a/db", "port": 80, "allowed": None, "error": "there is no pod a/nobody"}, rows[1])
    bad += same("a/web does not have the address 10.0.0.9", rows[5]["error"])
    long = pod("x", podIP="10.0.0.3")
    long["metadata"]["namespace"] = "n" * 63
    status, out = Folder({"w.json": [long]}, [probe("n" * 64 + "/x", "n" * 63 + "/x")]).ask("-o", "json")
    bad += same((1, "there is no pod " + "n" * 64 + "/x"), (status, json.loads(out[0]).get("error")))
    for start in "", "x":  # the message is cut, in one of the two within a letter
        _, out = Folder({"w.json": [long]}, [probe(start + "\u00e9" * 2000, "a/x")]).ask("-o", "json")
        bad += same(True, json.loads(out[0]).get("error", "").startswith('"%s\u00e9' % start))
    status, out = f.ask()
    return bad + same((1, 7, "a/nobody", "error", "^[[31m"), (status, len(out), *out[1].split()[0:3:2], out[3].split()[1]))


def families():
    """ends of different families are told as such; a node's traffic reaches its pods whatever addresses of it are known"""
    f = Folder({"w.json": [pod("four", podIP="10.0.0.1"), pod("six", podIP="fd00::1"), node("n1", "192.168.0.1"),
                           node("n2", "192.168.0.2"), policy("p")]},
               [probe("a/four", "a/six"), probe("node/n1", "a/six"), probe("node/n2", "a/six")])
    status, out = f.ask("-o", "json")
    return same((0, [(False, "no common address family"), (True, "node"), (False, "no common address family")]),
                (status, [(r["allowed"], r["ingress"]) for r in map(json.loads, out)]))


def unaddressed():
    """a pod that has no address yet is judged against pods of either family"""
    f = Folder({"w.json": [pod("new"), pod("four", podIP="10.0.0.1"), pod("six", podIP="fd00::1"),
                           policy("p", ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "new"}}}]}])]},
               [probe("a/new", "a/four"), probe("a/new", "a/six"), probe("a/four", "a/new"), probe("a/six", "a/new")])
    status, out = f.ask("-o", "json")
    return same((0, [True, True, False, False]), (status, [json.loads(line)["allowed"] for line in out]))


def finished():
    """a finished pod's name stands for its addresses, of two that others have now for one owner's"""
    def ips(*all):
        return {"podIP": all[0], "podIPs": [{"ip": ip} for ip in all]}
    def ask(*new):
        f = Folder({"w.json": [pod("old", phase="Succeeded", **ips("10.0.0.5", "fd00::5")), *new,
                               pod("web", **ips("10.0.0.1", "fd00::1")), policy("p", podSelector={"matchLabels": {"app": "new"}})]},
                   [probe("a/web", "a/old"), probe("a/web", "a/old", toIP="fd00::5")])
        return [json.loads(line)["allowed"] for line in f.ask("-o", "json")[1]]
    both = pod("new", **ips("10.0.0.5", "fd00::5"))
    return (same([True, True], ask()) + same([False, False], ask(both)) + same([False, None], ask(pod("new", podIP="10.0.0.5"))) +
            same([False, False], ask(pod("new", podIP="fd00::5"))))


def host_ip():
    """status.hostIP tells a node's addresses where there is no Node object"""
    f = Folder({"w.json": [pod("web", podIP="10.0.0.1", hostIP="192.168.0.1", hostIPs=[{"ip": "192.168.0.1"}, {"ip": "fd01::1"}]),
                           policy("p")]},
               [probe("192.168.0.1", "a/web"), probe("192.168.0.2", "a/web"), probe("node/n1", "a/web", fromIP="192.168.0.1"),
                probe("fd01::1", "a/web")])
    status, out = f.ask("-o", "json")
    return same((0, [True, False, True, True]), (status, [json.loads(line)["allowed"] for line in out]))


def many_policies():
    """every policy that decides is named, however many"""
    names = ["%s-%03d" % ("p" * 59, i) for i in range(100)]
    f = Folder({"w.json": [pod("web", podIP="10.0.0.1"), pod("db", podIP="10.0.0.2")] + [policy(n) for n in names]},
               [probe("a/web", "a/db")])
    _, out = f.ask("-o", "json")
    got = json.loads(out[0])["ingress"].removeprefix("default deny: ").split(",")
    return same([], sorted({"a/" + n for n in names} ^ set(got)))


def check_tells_where():
    """check names file, line, object and field of each mistake, and exits 1"""
    text = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: a}\nspec:\n  ingress:\n  - form: []\n"
    status, out, _ = Folder({"w.yaml": text}).run("check", "objects")
    return same((1, ["error: objects/w.yaml:6: NetworkPolicy a/p: spec.ingress[0].form: unknown field",
                     "1 files, 1 objects, 1 errors"]), (status, out))


def explain_in_words():
    """explain says of both sides who decided"""
    f = Folder({"w.json": [pod("web", podIP="10.0.0.1"), pod("db", podIP="10.0.0.2"),
                           policy("p", ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 80, "endPort": 90}]}])]})
    ask = ("explain", "--objects", "objects", "--from", "a/web", "--to", "a/db", "--port")
    want = ["a/web (10.0.0.1) -> a/db (10.0.0.2), 90/TCP: ALLOWED", "",
            "Egress of a/web: allowed. No NetworkPolicy isolates it in this direction.", "Ingress of a/db: allowed by", "    a/p",
            "      allows from pods with app=web of its own namespace, on 80-90/TCP"]
    bad = same((0, want, []), f.run(*ask, "90"))
    return bad + same((0, "a/web (10.0.0.1) -> a/db (10.0.0.2), 91/TCP: DENIED"), (lambda s, out, _: (s, out[0]))(*f.run(*ask, "91")))


def no_files():
    """what is no file in a folder of manifests is an error, like for the agent, and nothing to wait for"""
    f = Folder({"a.json": [pod("web", podIP="10.0.0.1")]})
    f.folders, f.fifos = ["objects/dir.yaml"], ["objects/fifo.yaml"]
    want = ["error: objects/%s.yaml: cannot read: Invalid argument" % name for name in ("dir", "fifo")]
    return same((1, want + ["1 files, 1 objects, 2 errors"], []), f.run("check", "objects"))


def duplicates():
    """of two files with one object the first by name counts, and the error names both, in whatever order they are given"""
    f = Folder({"a.json": [pod("web", podIP="10.0.0.1"), pod("db", podIP="10.0.0.2"), policy("p")], "b.json": [policy("p", ingress=[{}])]},
               [probe("a/web", "a/db")])
    story = "error: objects/b.json: NetworkPolicy a/p: is defined in objects/a.json already; that definition counts"
    bad = []
    for order in (("objects/a.json", "objects/b.json"), ("objects/b.json", "objects/a.json")):
        bad += same((1, [story, "2 files, 3 objects, 1 errors"]), f.run("check", *order)[:2])
    status, out, err = f.run("matrix", "--objects", "objects", "--probe", "probes", "-o", "json")
    return bad + same((1, False, [story]), (status, json.loads(out[0])["allowed"], err))


TESTS = (unanswered_probes, families, unaddressed, finished, host_ip, many_policies, check_tells_where, explain_in_words,
         duplicates, no_files)


def run(tap):
    for test in TESTS:
        try:
            problems = test()
        except (OSError, ValueError, KeyError, IndexError, subprocess.TimeoutExpired) as e:
            problems = [repr(e)]
        tap.result(test.__doc__, problems)
