# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks with real pods share: namespaces, processes, and a node with an agent and pods of its own."""
import atexit
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ID = f"wb{os.getpid()}"
TMP = pathlib.Path(tempfile.mkdtemp(prefix="weir-bench."))
atexit.register(shutil.rmtree, TMP, ignore_errors=True)  # also when no row of a script is wanted
PROCS = []
NODES = []
NGINX = """user root; daemon off; master_process {master}; worker_processes {workers}; pid {tmp}/nginx.{n}.pid; error_log /dev/null crit;
events {{ worker_connections 32768; }} worker_rlimit_nofile 65536;
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600; tcp_nodelay on; sendfile on;
client_body_temp_path {tmp}/b{n}; proxy_temp_path {tmp}/p{n}; fastcgi_temp_path {tmp}/f{n}; uwsgi_temp_path {tmp}/u{n};
scgi_temp_path {tmp}/s{n}; default_type text/plain; root {tmp}/www;
server {{ listen 8080 backlog=4096; location = / {{ return 200 "{body}"; }} }}
server {{ listen 8081 http2 backlog=4096; location = / {{ return 200 "{body}"; }} }} }}
"""


def sh(cmd, ns=None, **kw):
    pre = ["nsenter", f"--net=/run/netns/{ns}"] if ns else []
    r = subprocess.run(pre + (cmd.split() if isinstance(cmd, str) else cmd), text=True, capture_output=True, **kw)
    if r.returncode:
        raise RuntimeError(f"{cmd}: {r.stderr.strip()[:500]} {r.stdout.strip()[:300]}")
    return r.stdout


def netns(name):
    sh(f"ip netns add {name}")
    sh("ip link set lo up", name)
    sh(["sysctl", "-qw", "net.ipv4.ip_local_port_range=2048 65000", "net.ipv4.tcp_tw_reuse=1"], name)
    return name


def background(ns, cmd, **kw):
    p = subprocess.Popen(["nsenter", f"--net=/run/netns/{ns}"] + cmd, **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **kw})
    PROCS.append(p)
    return p


def nginx(ns, n, body, workers=1):
    """nginx in a namespace, one process when there is one worker: HTTP/1 on 8080, HTTP/2 without TLS on 8081, files of TMP/www."""
    (TMP / "www").mkdir(exist_ok=True)
    conf = TMP / f"nginx.{n}.conf"
    conf.write_text(NGINX.format(tmp=TMP, n=n, body=body, workers=workers, master="on" if workers > 1 else "off"))
    return background(ns, ["nginx", "-c", str(conf), "-p", str(TMP)])


class Node:
    """A node with two pods, a/c and a/s, each under a policy that lets them talk; its agent has that configuration."""

    def __init__(self, name, client, server, subnet, config):
        self.ns = netns(f"{ID}-{name}-n")
        self.dir = TMP / name
        self.bpf = f"/sys/fs/bpf/{ID}-{name}"
        self.socket = f"unix://{self.dir}/run/hubble.sock"
        self.agent = None
        NODES.append(self)
        for sub in ("objects", "run", "state"):
            (self.dir / sub).mkdir(parents=True)
        (self.dir / "agent.json").write_text(json.dumps(config))
        self.write_objects()
        self.agent = background(self.ns, [str(ROOT / "build/weir-agent"), "--objects", f"{self.dir}/objects"] + self.options(),
                                stderr=open(self.dir / "log", "w"))
        for _ in range(100):
            if (self.dir / "run/hubble.sock").exists():
                break
            time.sleep(0.1)
        self.client_ip = self.add_pod("c", client, subnet)
        self.ip = self.add_pod("s", server, subnet)

    def options(self):
        return ["--run-dir", f"{self.dir}/run", "--state-dir", f"{self.dir}/state", "--bpf-dir", self.bpf, "--config",
                f"{self.dir}/agent.json"]

    def write_objects(self):
        items = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "a", "name": p, "labels": {"app": p}}} for p in ("c", "s")]
        items += [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}]
        peer = {"podSelector": {"matchLabels": {"app": "c"}}}
        items += [{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                   "metadata": {"namespace": "a", "name": "both"},
                   "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
                            "ingress": [{"from": [peer], "ports": [{"port": 1, "endPort": 65535}]}],
                            "egress": [{"to": [{"podSelector": {}}], "ports": [{"port": 1, "endPort": 65535}]}]}}]
        (self.dir / "objects/o.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def add_pod(self, pod, ns, subnet):
        conf = json.dumps({"cniVersion": "1.1.0", "name": "weir", "type": "weir-cni", "mtu": 1500, "runDir": f"{self.dir}/run",
                           "ipam": {"type": "weir", "subnets": [subnet]}, "stateDir": f"{self.dir}/state", "bpfDir": self.bpf})
        env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": ns, "CNI_NETNS": f"/run/netns/{ns}", "CNI_IFNAME": "eth0",
               "CNI_PATH": "/", "CNI_ARGS": f"K8S_POD_NAMESPACE=a;K8S_POD_NAME={pod}", "PATH": os.environ["PATH"]}
        out = json.loads(sh([str(ROOT / "build/weir-cni")], self.ns, input=conf, env=env))
        return out["ips"][0]["address"].split("/")[0]

    def status(self):
        r = subprocess.run([str(ROOT / "build/weir"), "status", "-o", "json", "--server", self.socket], text=True, capture_output=True)
        return json.loads(r.stdout)

    def close(self):
        if self.agent:
            self.agent.terminate()
            self.agent.wait(5)
        sh([str(ROOT / "build/weir-agent"), "--cleanup"] + self.options(), self.ns)


def cleanup():
    for n in NODES:
        n.close()
    for p in PROCS:
        if p.poll() is None:
            p.terminate()
    for p in PROCS:
        try:
            p.wait(3)
        except subprocess.TimeoutExpired:
            p.kill()
    for line in sh("ip netns list").splitlines():
        if line.split()[0].startswith(f"{ID}-"):
            sh(f"ip netns del {line.split()[0]}")
    sh(["rm", "-rf"] + [n.bpf for n in NODES])
