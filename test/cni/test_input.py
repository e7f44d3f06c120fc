# SPDX-License-Identifier: Apache-2.0
"""Environment and stdin: what is refused, with which code; nothing is made then."""
import json
import os
import subprocess

from harness import BINARY, NOTHING, ROOT, VERSIONS, ip, test


@test
def commands_and_versions(host, net):
    """no command: about text, exit 0; unknown ones: code 4"""
    for env in ({"cmd": None}, {"cmd": ""}):
        a = net.run(env["cmd"])
        assert a.rc == 0 and not a.raw and "CNI" in a.err, a
    for cmd in ("add", "GET", "ADD ", "ADDD"):
        net.run(cmd).fails(4)


@test
def version_needs_nothing(host, net):
    """VERSION answers on any input, in the version of the input, with every supported one"""
    for stdin in (b"", b"{", b"garbage", b"[]", b'{"cniVersion":7}', b'{"cniVersion":"9.9.9"}'):
        a = net.run("VERSION", stdin=stdin, cid=None, ifname=None, path=None).ok()
        assert a.json == {"cniVersion": "1.1.0", "supportedVersions": VERSIONS}, a
    for v in VERSIONS:
        a = net.run("VERSION", stdin=json.dumps({"cniVersion": v}).encode()).ok()
        assert a.json["cniVersion"] == v and a.json["supportedVersions"] == VERSIONS, a


@test
def missing_variables(host, net):
    """missing variables: code 4 with the names of all of them"""
    pod = host.new_pod()
    net.add(pod, cid=None).fails(4, "CNI_CONTAINERID")
    net.add(None).fails(4, "CNI_NETNS")
    net.add(pod, ifname=None).fails(4, "CNI_IFNAME")
    net.add(pod, path=None).fails(4, "CNI_PATH")
    names = ("CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH")
    net.add(None, cid="", ifname=None, path=None).fails(4, *names)
    net.run("CHECK", cid=None, ifname=None, path=None).fails(4, *names)
    msg = net.delete(cid=None, ifname=None, path=None).fails(4, "CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH").json["msg"]
    assert "CNI_NETNS" not in msg
    for cmd in ("GC", "STATUS"):
        msg = net.run(cmd, cid=None, ifname=None, path=None).fails(4, "CNI_PATH").json["msg"]
        assert "CNI_IFNAME" not in msg


@test
def container_ids(host, net):
    """container IDs outside the alphabet: code 4; 300 characters are fine and stay inside the folder"""
    pod = host.new_pod()
    for cid in ("a/b", "a b", "a\nb", "ä", ".a", "-a", "_a", "../../x", "a:b", "a;b"):
        net.add(pod, cid=cid).fails(4, "CNI_CONTAINERID")
        net.delete(cid=cid).fails(4)
    for cid in ("x" * 300, "a.b_c-d", "0", "a.."):
        net.add(pod, cid=cid).ok()
        assert all("/" not in r and len(r) < 255 for r in net.records())
        net.delete(cid=cid).ok()
        assert net.left() == NOTHING


@test
def interface_names(host, net):
    """interface names that no kernel takes: code 4; odd ones work or fail cleanly"""
    pod = host.new_pod()
    for name in (".", "..", "a/b", "a:b", "a b", "a\tb", "x" * 16):
        net.add(pod, ifname=name).fails(4, "CNI_IFNAME")
    for name in ("é", "x" * 15):
        net.add(pod, ifname=name).ok()
        net.delete(ifname=name).ok()
    for name in ("a%b", "a%d"):  # the kernel takes these for patterns
        net.add(pod, ifname=name).fails(100)
        assert net.left() == NOTHING and [l["ifname"] for l in ip("link", netns=pod)] == ["lo"]


@test
def network_names(host, net):
    """network name: missing or outside the alphabet code 7, wrong type code 6"""
    pod = host.new_pod()
    for name in (None, "", "a/b", "..", "a b", "é"):
        net.add(pod, conf={"name": name}).fails(7)
    net.add(pod, conf={"name": 7}).fails(6, "name")


@test
def broken_stdin(host, net):
    """stdin that is no configuration: code 6, whatever its size or depth"""
    pod = host.new_pod()
    good = json.dumps(net.conf).encode()
    deep = 20000
    for data in (b"", b"garbage", b"[]", b"null", b"\xef\xbb\xbf" + good, good + b"\0", good + b"x", good[:-1],
                 b"\0" + good, b'{"a":' * deep + b"1" + b"}" * deep, b"[" * deep, b'{"cniVersion":"1.1.0","name":"\xff"}',
                 b'{"name":"' + b"x" * (2 << 20) + b'"}', b" " * (1 << 20) + good):
        net.add(pod, stdin=data).fails(6)
    net.add(pod, stdin=b" " * ((1 << 20) - len(good)) + good).ok()
    net.delete().ok()


@test
def config_versions(host, net):
    """unknown cniVersion: code 1 with the supported ones; absent or empty: 0.1.0; a number: 6"""
    pod = host.new_pod()
    for v in ("9.9.9", "1.1", "x", "2.0.0", "1.1.0 "):
        net.add(pod, conf={"cniVersion": v}).fails(1, "0.1.0", "1.1.0")
    net.add(pod, conf={"cniVersion": 1}).fails(6, "cniVersion")
    for v in (None, ""):
        assert net.add(pod, conf={"cniVersion": v}).ok().json["cniVersion"] == "0.1.0"
        net.delete().ok()
    for v in VERSIONS[:4]:
        net.run("CHECK", netns=pod, conf={"cniVersion": v}).fails(1)
    for v in VERSIONS[:6]:
        net.run("GC", conf={"cniVersion": v}).fails(1)
        net.run("STATUS", conf={"cniVersion": v}).fails(1)


@test
def manifest(host, net):
    """the manifest: libcni before 1.2 refuses a result of 1.1.0, later ones choose among cniVersions"""
    conf = json.loads((ROOT / "manifests/10-weir.conflist").read_text())
    assert conf["cniVersion"] in conf["cniVersions"] and conf["cniVersion"] < "1.1.0" and "1.1.0" in conf["cniVersions"]
    net.name = conf["name"]
    for v in conf["cniVersions"]:
        plugin = {**conf["plugins"][0], "name": conf["name"], "cniVersion": v}
        assert net.add(host.new_pod(), conf=plugin).ok().json["cniVersion"] == v
        net.delete(conf=plugin).ok()


@test
def wrong_members(host, net):
    """members of a wrong type or value are named; unknown ones are not ours"""
    pod = host.new_pod()
    for conf, code, word in (
            ({"mtu": "big"}, 6, "mtu"), ({"mtu": 10}, 7, "mtu"), ({"stateDir": "rel/ative"}, 7, "stateDir"),
            ({"bpfDir": 1}, 6, "bpfDir"), ({"prevResult": 7}, 6, "prevResult"), ({"ipam": []}, 6, "ipam"),
            ({"ipam": {"type": 1}}, 6, "ipam"), ({"ipam": {"type": "../evil"}}, 7, "ipam"),
            ({"ipam": {"type": ".."}}, 7, "ipam"), ({"ipam": {}}, 7, "subnet"), ({"ipam": None}, 7, "subnet"),
            ({"ipam": {"subnets": "10.0.0.0/8"}}, 6, "subnets"), ({"ipam": {"subnets": ["10.0.0.0"]}}, 7, "10.0.0.0"),
            ({"ipam": {"subnets": ["10.0.0.0/31"]}}, 7, "small"), ({"ipam": {"subnets": [7]}}, 7, "ipam"),
            ({"ipam": {"subnets": ["10.0.0.0/8", "10.1.0.0/16"]}}, 7, "overlaps"),
            ({"ipam": {"ranges": [[{"subnet": "10.0.0.0/24", "rangeStart": "10.1.0.1"}]]}}, 7, "rangeStart"),
            ({"ipam": {"ranges": [[{"subnet": "10.0.0.0/24", "rangeStart": "10.0.0.9", "rangeEnd": "10.0.0.8"}]]}}, 7, "range"),
            ({"ipam": {"ranges": {}}}, 6, "ranges"), ({"runtimeConfig": 3}, 6, "runtimeConfig")):
        net.add(pod, conf=conf).fails(code, word)
        assert net.left() == NOTHING
    net.add(pod, conf={"flavour": {"x": [1]}, "args": {"foo": 1}, "capabilities": {"portMappings": True}}).ok()
    net.delete().ok()


@test
def cni_args(host, net):
    """CNI_ARGS: the pod's name goes into the record; malformed ones: code 4 unless IgnoreUnknown"""
    pod = host.new_pod()
    net.add(pod, args="K8S_POD_NAMESPACE").fails(4, "CNI_ARGS")
    net.add(pod, args="=x").fails(4, "CNI_ARGS")
    net.add(pod, args="IgnoreUnknown=1;broken;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=u;"
                      "K8S_POD_INFRA_CONTAINER_ID=i;Foo=bar").ok()
    r = net.record()
    assert (r["podNamespace"], r["podName"], r["podUid"]) == ("shop", "web-0", "u"), r
    net.delete().ok()
    net.add(pod).ok()
    assert "podName" not in net.record()
    net.delete().ok()


@test
def host_namespace(host, net):
    """the host's own namespace is refused with code 8, and left alone"""
    for cmd in ("ADD", "DEL", "CHECK"):
        net.run(cmd, netns="/proc/self/ns/net").fails(8)
    # the answer changes when the runtime says that it means it
    a = net.run("ADD", netns="/proc/self/ns/net", CNI_NETNS_OVERRIDE="TRUE").ok()
    net.run("DEL", netns="/proc/self/ns/net", CNI_NETNS_OVERRIDE="1").ok()
    assert a.json["interfaces"][1]["name"] == "eth0"


@test
def namespaces_that_are_none(host, net):
    """ADD into what is no network namespace fails with code 4; DEL does not mind"""
    for path in ("/nonexistent", "/etc/passwd", "/proc/self/ns/mnt", str(net.dir)):
        net.add(path).fails(4)
        net.delete(netns=path).ok()
    net.delete(netns="").ok()
    net.delete(netns=None).ok()


@test
def closed_stdout(host, net):
    """a result that nobody reads is an error"""
    pod = host.new_pod()
    with open("/dev/full", "w") as full:
        p = subprocess.run([BINARY], input=json.dumps(net.conf).encode(),
                           env=net.env("ADD", netns=pod), stdout=full, stderr=subprocess.DEVNULL, check=False)
    assert p.returncode == 1
    net.delete().ok()


@test
def permissions(host, net):
    """the binary is not setuid; state is root's alone"""
    assert not os.stat(BINARY).st_mode & 0o6000
    net.add(host.new_pod()).ok()
    assert os.stat(net.dir / "state/attachments").st_mode & 0o077 == 0
    assert os.stat(net.dir / "state/attachments/c1:eth0.json").st_mode & 0o077 == 0
    net.delete().ok()
