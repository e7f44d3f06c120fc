# SPDX-License-Identifier: Apache-2.0
"""A host of its own for the tests of weir-cni: namespaces (network and mount) that end with the process, so that nothing is
left behind however it ends; the real binary; a fake agent; what the kernel and the state folder hold."""
import contextlib
import ctypes
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("WEIR_CNI", str(ROOT / "build/weir-cni"))
REFERENCE = "/usr/lib/cni"  # Debian's containernetworking-plugins
CLONE_NEWNS, CLONE_NEWNET, MS_REC, MS_PRIVATE = 0x20000, 0x40000000, 0x4000, 0x40000
VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
libc = ctypes.CDLL(None, use_errno=True)


def sh(*cmd, check=True, **kw):
    p = subprocess.run(cmd, capture_output=True, text=True, check=False, **kw)
    assert not check or p.returncode == 0, (cmd, p.returncode, p.stderr[-1500:])
    return p


def syscall(r, what):
    if r:
        raise OSError(ctypes.get_errno(), what)


class Host:
    """Enter once, in the main thread, before any other thread is started."""

    def __init__(self):
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="weir-cni-test-"))
        syscall(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
        syscall(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
        os.makedirs("/run/netns", exist_ok=True)
        sh("mount", "-t", "tmpfs", "weir-test", "/run/netns")  # names are ours alone, gone with us
        self.bpf = self.tmp / "bpf"
        self.bpf.mkdir()
        sh("mount", "-t", "bpf", "weir-test", str(self.bpf))
        sh("ip", "link", "set", "lo", "up")
        for address in ("10.255.255.1/32", "fdff::1/128"):
            sh("ip", "addr", "add", address, "dev", "lo")
        self.pods = 0

    def close(self):
        sh("umount", str(self.bpf), check=False)
        shutil.rmtree(self.tmp, ignore_errors=True)

    def load(self, obj):
        """Pin from_pod and to_pod of that object; the former ones are replaced."""
        shutil.rmtree(self.bpf / "progs", ignore_errors=True)
        shutil.rmtree(self.bpf / "maps", ignore_errors=True)
        (self.bpf / "progs").mkdir()
        (self.bpf / "maps").mkdir()
        sh("bpftool", "prog", "loadall", str(obj), str(self.bpf / "progs"), "pinmaps", str(self.bpf / "maps"))

    def unload(self):
        shutil.rmtree(self.bpf / "progs", ignore_errors=True)

    def pass_object(self):
        """Programs that let everything through, for tests of the wiring alone."""
        obj = self.tmp / "pass.bpf.o"
        src = ('#include <linux/bpf.h>\n#define SEC(x) __attribute__((section(x), used))\n'
               'SEC("tc") int from_pod(struct __sk_buff *s) { return 0; }\n'
               'SEC("tc") int to_pod(struct __sk_buff *s) { return 0; }\nchar _license[] SEC("license") = "GPL";\n')
        sh("clang", "-O2", "-g", "-target", "bpf", "-I/usr/include/" + os.uname().machine + "-linux-gnu",
           "-x", "c", "-c", "-", "-o", str(obj), input=src)
        return obj

    def new_pod(self):
        self.pods += 1
        name = f"pod{self.pods}"
        sh("ip", "netns", "add", name)
        return f"/run/netns/{name}"


class Net:
    """One network configuration with folders of its own."""

    def __init__(self, host, name="net", **conf):
        self.host, self.name = host, name
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=host.tmp))
        self.conf = {"cniVersion": "1.1.0", "name": name, "type": "weir-cni", "runDir": str(self.dir / "run"),
                     "stateDir": str(self.dir / "state"), "bpfDir": str(host.bpf),
                     "ipam": {"type": "weir", "subnets": ["10.9.0.0/24", "fd09::/64"]}, **conf}
        (self.dir / "run").mkdir()

    def env(self, cmd, cid="c1", netns=None, ifname="eth0", args=None, path=REFERENCE, **extra):
        e = {"PATH": os.environ["PATH"], "CNI_COMMAND": cmd, "CNI_CONTAINERID": cid, "CNI_NETNS": netns,
             "CNI_IFNAME": ifname, "CNI_ARGS": args, "CNI_PATH": path, **extra}
        return {k: v for k, v in e.items() if v is not None}

    def run(self, cmd, stdin=None, binary=BINARY, timeout=20, conf=None, **kw):
        data = stdin if stdin is not None else json.dumps({**self.conf, **(conf or {})}).encode()
        p = subprocess.run([binary], input=data, env=self.env(cmd, **kw), capture_output=True, timeout=timeout)
        return Answer(p)

    def add(self, netns, **kw):
        return self.run("ADD", netns=netns, **kw)

    def delete(self, **kw):
        return self.run("DEL", **kw)

    def kill_after(self, cmd, seconds, **kw):
        p = subprocess.Popen([BINARY], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env=self.env(cmd, **kw))
        with contextlib.suppress(BrokenPipeError):
            p.stdin.write(json.dumps(self.conf).encode())
            p.stdin.close()
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            pass
        p.kill()
        return p.wait()

    def leases(self, name=None):
        d = self.dir / "state/ipam" / (name or self.name)
        return {f: os.readlink(d / f) for f in os.listdir(d) if f[0] != "."} if d.exists() else {}

    def records(self):
        d = self.dir / "state/attachments"
        return sorted(os.listdir(d)) if d.exists() else []

    def record(self, cid="c1", ifname="eth0"):
        return json.loads((self.dir / f"state/attachments/{cid}:{ifname}.json").read_text())

    def left(self):
        """Everything that an attachment consists of on the host's side."""
        return {"links": sorted(l["ifname"] for l in ip("link") if l["ifname"] != "lo"), "leases": self.leases(),
                "records": self.records(), "routes": sorted(r["dst"] for f in ("-4", "-6") for r in ip(f, "route")
                                                                if r["dev"] != "lo"),
                "neighbours": sorted(n["dst"] for n in ip("neigh", "show", "nud", "permanent"))}


NOTHING = {"links": [], "leases": {}, "records": [], "routes": [], "neighbours": []}


class Answer:
    def __init__(self, p):
        self.rc, self.err, self.raw = p.returncode, p.stderr.decode(errors="replace"), p.stdout.decode()
        self.json = json.loads(self.raw) if self.raw.strip() else None  # fails on two documents
        if self.rc > 0:
            assert isinstance(self.json, dict) and self.json.get("code", 0) > 0 and self.json.get("msg"), self
            assert self.json["cniVersion"] in VERSIONS, self
        self.code = self.json.get("code", 0) if isinstance(self.json, dict) else 0

    def __repr__(self):
        return f"rc {self.rc}, stdout {self.raw[:600]!r}, stderr {self.err[-600:]!r}"

    def ok(self):
        assert self.rc == 0 and not self.code, self
        return self

    def fails(self, code, *words):
        assert self.rc > 0 and self.code == code, (code, self)
        for w in words:
            assert w in self.json["msg"] + self.json.get("details", ""), (w, self)
        return self

    def address(self, family=4):
        for i in self.json["ips"]:
            if (":" in i["address"]) == (family == 6):
                return i["address"].split("/")[0]
        return None


def ip(*args, netns=None):
    where = ("nsenter", "--net=" + netns) if netns else ()
    out = sh(*where, "ip", "-j", "-d", *args).stdout
    own = json.loads(out) if out.strip() else []
    if args[0] == "-6":  # what the kernel itself keeps there
        own = [r for r in own if not r["dst"].startswith("fe80") and not r["dst"].startswith("multicast")]
    return own


def filters(ifname):
    return {d: [f["options"]["bpf_name"] for f in json.loads(sh("tc", "-j", "filter", "show", "dev", ifname, d).stdout)
                if "options" in f] for d in ("ingress", "egress")}


@contextlib.contextmanager
def inside(netns):
    """This thread in another network namespace; sockets made there stay there."""
    with open("/proc/thread-self/ns/net") as own, open(netns) as fd:
        syscall(libc.setns(fd.fileno(), CLONE_NEWNET), "setns")
        try:
            yield
        finally:
            syscall(libc.setns(own.fileno(), CLONE_NEWNET), "setns back")


def reachable(server_ns, address, client_ns=None):
    """Can a TCP connection be made, from the host or from another pod?"""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(server_ns):
        server = socket.socket(family)
    with server, inside(client_ns) if client_ns else contextlib.nullcontext():
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, 4711))
        server.listen()
        try:
            socket.create_connection((address, 4711), timeout=3).close()
        except OSError:
            return False
    return True


class Agent:
    """weir-agent's side of cni.sock. answer: dict, function of the request, or None: says nothing."""

    def __init__(self, net, answer=None):
        self.path = str(net.dir / "run/cni.sock")
        self.answer = answer if answer is not None else {"ok": True, "state": "ready", "ready": True}
        self.seen = []
        self.failure = None

    def __enter__(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.bind(self.path)
        self.sock.listen(128)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def serve(self):
        kept = []
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            msg = conn.recv(65536)
            if not msg:
                continue
            self.seen.append(json.loads(msg))
            try:
                reply = self.answer(self.seen[-1]) if callable(self.answer) else self.answer
            except Exception as e:  # of a check that the test does there; raised again at the end
                self.failure, reply = e, {"ok": False, "code": 999, "error": repr(e)}
            if reply == "silent":
                kept.append(conn)  # connected, but no answer
            else:
                conn.send(reply if isinstance(reply, bytes) else json.dumps(reply).encode())
                conn.close()

    def __exit__(self, *exc):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(5)
        os.unlink(self.path)
        if self.failure:
            raise self.failure

    def ops(self):
        return [m["op"] for m in self.seen]


class Monitor:
    """What happens to links and filters on the host, in order: ("link", index, up) and ("filter", index)."""

    def __enter__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.sock.bind((0, 1 | 8))  # RTMGRP_LINK, RTMGRP_TC
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def events(self):
        seen = []
        while True:
            try:
                data = self.sock.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return seen
            while len(data) >= 16:
                size, kind = struct.unpack_from("=IH", data)
                if kind == 16:  # RTM_NEWLINK
                    index, flags = struct.unpack_from("=iI", data, 20)
                    seen.append(("link", index, bool(flags & 1)))
                elif kind == 44:  # RTM_NEWTFILTER
                    seen.append(("filter", struct.unpack_from("=i", data, 20)[0]))
                data = data[(size + 3) & ~3:]


TESTS = []


def test(f):
    TESTS.append(f)
    return f
