# SPDX-License-Identifier: Apache-2.0
"""DEL, CHECK, GC, STATUS."""
import concurrent.futures
import os
import time

from harness import NOTHING, Agent, Net, ip, sh, test


@test
def del_again_and_again(host, net):
    """DEL: of what never was, twice, ten at once; each exits 0 and prints nothing"""
    assert not net.delete(netns=host.new_pod()).ok().raw
    pod = host.new_pod()
    net.add(pod).ok()
    assert not net.delete(netns=pod).ok().raw
    assert [l["ifname"] for l in ip("link", netns=pod)] == ["lo"]
    net.delete(netns=pod).ok()
    net.add(pod).ok()
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        for a in pool.map(lambda _: net.delete(netns=pod), range(10)):
            a.ok()


@test
def del_without_namespace(host, net):
    """DEL after the namespace has gone, or without its path, releases everything"""
    for netns in (None, "", "/run/netns/gone", "/etc/passwd"):
        pod = host.new_pod()
        net.add(pod).ok()
        sh("ip", "netns", "del", pod.rsplit("/", 1)[1])
        net.delete(netns=netns).ok()
        assert net.left() == NOTHING


@test
def del_with_stale_prev_result(host, net):
    """DEL with a stale prevResult never frees the address of who came after"""
    pod, other = host.new_pod(), host.new_pod()
    conf = {"ipam": {"subnets": ["10.9.0.0/30"]}}
    stale = net.add(pod, conf=conf).ok().json
    net.delete(conf={**conf, "prevResult": stale}).ok()
    net.add(other, cid="c2", conf=conf).ok()
    before = net.left()
    net.delete(conf={**conf, "prevResult": stale}).ok()
    net.delete(conf={**conf, "prevResult": None}).ok()
    assert net.left() == before and net.leases() == {"10.9.0.2": "c2:eth0"}
    net.delete(cid="c2", conf=conf).ok()


@test
def del_of_a_broken_record(host, net):
    """DEL with a record that cannot be read removes all that the name tells"""
    net.add(host.new_pod()).ok()
    (net.dir / "state/attachments/c1:eth0.json").write_text("{")
    net.delete().ok()
    assert net.left() == NOTHING


# What ADD refuses, each on its own, and two at once.
BROKEN = [{"ipam": v} for v in (None, {}, [], 7, {"type": 1}, {"type": "../evil"}, {"subnets": "10.9.0.0/24"},
                                {"subnets": ["10.9.0.0"]}, {"subnets": [7]}, {"ranges": {}})] + [
    {"mtu": "big"}, {"runDir": "run"}, {"bpfDir": 1}, {"prevResult": 7}, {"runDir": 1, "prevResult": [], "ipam": []}]


@test
def broken_configuration(host, net):
    """DEL and GC of a configuration that ADD refuses remove everything, also leases without a record, and say what is wrong"""
    pod, keep = host.new_pod(), host.new_pod()
    net.add(keep, cid="keep").ok()
    before = net.left()
    everyone = {"cni.dev/valid-attachments": [{"containerID": "keep", "ifname": "eth0"}]}
    for conf in BROKEN:
        for cmd in ("DEL", "GC"):
            net.add(pod).ok()
            os.symlink("c1:eth0", net.dir / "state/ipam/net/10.9.0.200")
            (net.dir / "state/attachments/c1:eth0.json").unlink()  # its address is known by the lease only, too
            a = net.run(cmd, conf={**everyone, **conf}).ok()
            assert not a.raw and (conf in BROKEN[:2] or list(conf)[-1] in a.err), (conf, a)
            if cmd == "GC":
                net.delete().ok()  # without a record GC knows no link
            assert net.left() == before, (cmd, conf)
            net.add(pod).ok()
            assert not net.run(cmd, conf={**everyone, **conf}).ok().raw and net.left() == before, (cmd, conf)
    net.add(pod).ok()
    assert "CNI_ARGS" in net.delete(args="broken").ok().err and net.left() == before
    net.delete(cid="keep").ok()


@test
def broken_state_dir(host, net):
    """DEL and GC with a wrong stateDir look into the default one"""
    sh("mount", "-t", "tmpfs", "weir-test", "/var/lib")
    try:
        for cmd, wrong in (("DEL", 7), ("DEL", "state"), ("GC", 7), ("GC", "state")):
            net.add(host.new_pod(), conf={"stateDir": None}).ok()
            assert os.listdir("/var/lib/weir/attachments") == ["c1:eth0.json"]
            net.run(cmd, conf={"stateDir": wrong, "cni.dev/valid-attachments": []}).ok()
            assert net.left() == NOTHING and not os.listdir("/var/lib/weir/attachments")
            assert not [f for f in os.listdir("/var/lib/weir/ipam/net") if f[0] != "."]
    finally:
        sh("umount", "/var/lib")


def check(net, pod, result, **kw):
    return net.run("CHECK", netns=pod, conf={"prevResult": result}, **kw)


@test
def check_passes(host, net):
    """CHECK right after ADD: exit 0, nothing printed, nothing changed; what others add is tolerated"""
    pod = host.new_pod()
    for v in ("0.4.0", "1.0.0", "1.1.0"):
        net.conf["cniVersion"] = v
        result = net.add(pod).ok().json
        before = (net.left(), net.record())
        assert not check(net, pod, result).ok().raw
        sh("ip", "-n", pod.rsplit("/", 1)[1], "addr", "add", "10.200.0.1/24", "dev", "eth0")
        sh("ip", "-n", pod.rsplit("/", 1)[1], "route", "add", "10.201.0.0/24", "via", "10.200.0.2")
        assert not check(net, pod, result).ok().raw
        assert (net.left(), net.record()) == before
        net.delete().ok()


@test
def check_finds(host, net):
    """CHECK finds each of: no record, interface, address, route, neighbour's end, MAC, MTU, program, lease, prevResult"""
    pod = host.new_pod()
    ns = ("ip", "-n", pod.rsplit("/", 1)[1])
    dev = None

    def rewrite(ok, **change):
        return lambda: (ok, change)
    for what, word in (
            (lambda: sh(*ns, "link", "del", "eth0"), ""),
            (lambda: sh(*ns, "link", "set", "eth0", "down"), "down"),
            (lambda: sh("ip", "link", "set", dev, "down"), "down"),
            (lambda: sh(*ns, "addr", "del", "10.9.0.2/32", "dev", "eth0"), "address 10.9.0"),
            (lambda: (sh(*ns, "addr", "del", "10.9.0.2/32", "dev", "eth0"), sh(*ns, "addr", "add", "10.9.0.2/24", "dev", "eth0")),
             "address 10.9.0.2/32"),
            (lambda: sh(*ns, "route", "replace", "default", "dev", "eth0"), "via 169.254.1.1"),
            (lambda: sh(*ns, "route", "del", "default"), "route to 0.0.0.0/0"),
            (lambda: sh(*ns, "-6", "route", "del", "default"), "route to ::/0"),
            (lambda: sh("ip", "route", "flush", "dev", dev), "route to 10.9.0"),
            (lambda: sh(*ns, "link", "set", "eth0", "address", "02:00:00:00:00:09"), "MAC"),
            (lambda: sh("ip", "link", "set", dev, "address", "02:00:00:00:00:09"), "MAC"),
            (lambda: sh(*ns, "link", "set", "eth0", "mtu", "1300"), "MTU"),
            (lambda: sh("tc", "filter", "del", "dev", dev, "ingress"), "from_pod"),
            (lambda: sh("tc", "filter", "del", "dev", dev, "egress"), "to_pod"),
            (lambda: sh("tc", "qdisc", "del", "dev", dev, "clsact"), "pod"),
            (lambda: os.unlink(net.dir / "state/ipam/net/10.9.0.2"), "leased"),
            (lambda: os.unlink(net.dir / "state/attachments/c1:eth0.json"), "no attachment")):
        for f in (net.dir / "state/ipam/net").glob(".last*"):
            f.unlink()
        result = net.add(pod).ok().json
        dev = net.record()["hostIf"]
        check(net, pod, result).ok()
        what()
        check(net, pod, result).fails(103, word, "call DEL, then ADD again")
        sh("ip", "link", "del", dev, check=False)
        net.delete().ok()
        for f in (net.dir / "state/ipam/net").glob("[!.]*"):
            f.unlink()  # of the one whose record was taken away
    result = net.add(pod).ok().json
    check(net, pod, {**result, "ips": result["ips"][:1]}).fails(103, "prevResult")
    check(net, pod, {**result, "interfaces": []}).fails(103)
    net.run("CHECK", netns=pod).fails(7, "prevResult")
    net.run("CHECK", netns=host.new_pod(), conf={"prevResult": result}).fails(103)
    check(net, pod, result, cid="c2").fails(103)
    with Agent(net, {"ok": False, "code": 100, "error": "unknown"}):
        check(net, pod, result).fails(100, "unknown")
    net.delete().ok()


def changed(result, i, **change):
    """The result with its interface i changed: 0 is the host's end, 1 the pod's."""
    interfaces = [{**x, **change} if n == i else x for n, x in enumerate(result["interfaces"])]
    return {**result, "interfaces": interfaces}


@test
def check_compares_prev_result(host, net):
    """CHECK finds what prevResult has and the kernel has not: sandbox, MACs, MTUs, addresses, routes"""
    pod = host.new_pod()
    ns = ("ip", "-n", pod.rsplit("/", 1)[1])
    result = net.add(pod).ok().json
    ips, routes = result["ips"], result["routes"]
    more = {"address": "10.200.0.1/24", "interface": 1}
    there = {"dst": "10.201.0.0/24", "gw": "10.200.0.2"}
    for wrong, *words in (
            (changed(result, 1, sandbox="/run/netns/other"), "eth0", "/run/netns/other", pod),
            (changed(result, 1, mac="02:00:00:00:00:09"), "eth0", "MAC", "02:00:00:00:00:09"),
            (changed(result, 0, mac="02:00:00:00:00:09"), net.record()["hostIf"], "MAC"),
            (changed(result, 1, mtu=1300), "eth0", "MTU", "1300"), (changed(result, 0, mtu=1300), "MTU"),
            ({**result, "ips": [*ips, more]}, "address 10.200.0.1/24"),
            ({**result, "ips": [*ips, {"address": "fd77::1/64"}]}, "address fd77::1/64"),
            ({**result, "ips": [*ips, {"address": "10.200.0.1/33"}]}, "prevResult", "10.200.0.1/33"),
            ({**result, "routes": [*routes, there]}, "route to 10.201.0.0/24"),
            ({**result, "routes": [*routes, {"dst": "fd77::/64"}]}, "route to fd77::/64"),
            ({**result, "routes": [{**routes[0], "table": 7}, routes[1]]}, "route to 0.0.0.0/0"),
            ({**result, "routes": [{**routes[0], "gw": "169.254.1.9"}]}, "via 169.254.1.9"),
            ({**result, "routes": [{"dst": "everywhere"}]}, "prevResult", "everywhere"),
            ({**result, "routes": [{**routes[0], "gw": "x"}]}, "prevResult", "gw")):
        check(net, pod, wrong).fails(103, *words)
    sh(*ns, "addr", "add", "10.200.0.1/24", "dev", "eth0")
    sh(*ns, "route", "add", "10.201.0.0/24", "via", "10.200.0.2")
    sh(*ns, "route", "add", "10.202.0.0/24", "via", "10.200.0.2", "table", "1007")
    sh(*ns, "link", "set", "eth0", "mtu", "1400")
    sh(*ns, "route", "del", "default")
    later = {**changed(result, 1, mtu=1400), "ips": [*ips, more, {"address": "10.9.9.9/24", "interface": 0}],
             "routes": [routes[1], there, {"dst": "10.202.0.9/24", "table": 1007}, {"dst": "10.201.0.0/24"}]}
    check(net, pod, changed(later, 1, mac=later["interfaces"][1]["mac"].upper())).ok()
    for i in later["interfaces"]:  # as before 1.1.0, when tuning cannot tell that it changed it
        del i["mtu"]
    check(net, pod, later).ok()
    check(net, pod, result).fails(103)
    net.delete().ok()


@test
def gc(host, net):
    """GC removes what is not listed, of this network only, under either key; empty and null lists remove all"""
    other = Net(host, "other", **{k: net.conf[k] for k in ("runDir", "stateDir")}, ipam={"subnets": ["10.8.0.0/24"]})
    other.dir = net.dir
    other.add(host.new_pod(), cid="o").ok()
    for key in ("cni.dev/valid-attachments", "cni.dev/attachments"):
        for i in range(3):
            net.add(host.new_pod(), cid=f"c{i}").ok()
        os.symlink("lost:eth0", net.dir / "state/ipam/net/10.9.0.200")
        with Agent(net) as agent:
            assert not net.run("GC", conf={key: [{"containerID": "c1", "ifname": "eth0"},
                                                 {"containerID": "c2", "ifname": "eth9"}]}).ok().raw
            assert sorted(m["key"] for m in agent.seen if m["op"] == "del") == ["c0:eth0", "c2:eth0"]
        assert net.records() == ["c1:eth0.json", "o:eth0.json"] and set(net.leases().values()) == {"c1:eth0"}
        assert len(net.left()["links"]) == 2
        net.run("GC", conf={key: []}).ok()
        assert net.records() == ["o:eth0.json"] and not net.leases() and len(other.leases()) == 1
        net.run("GC", conf={key: None}).ok()
    net.run("GC").fails(7, "valid-attachments")
    net.run("GC", conf={"cni.dev/valid-attachments": {}}).fails(6)
    net.run("GC", conf={"cni.dev/valid-attachments": [{"containerID": 1}]}).fails(6)
    assert len(other.leases()) == 1
    other.delete(cid="o").ok()


@test
def gc_sweeps(host, net):
    """GC removes the half-written records of killed writers, not those being written"""
    net.add(host.new_pod()).ok()
    d = net.dir / "state/attachments"
    (d / ".old:eth0.json").write_text("{")
    (d / ".new:eth0.json").write_text("{")
    os.utime(d / ".old:eth0.json", (0, 0))
    net.run("GC", conf={"cni.dev/valid-attachments": []}).ok()
    assert os.listdir(d) == [".new:eth0.json"]
    net.add(host.new_pod(), cid="new").fails(104)  # may be in progress
    net.delete(cid="new").ok()
    assert net.left() == NOTHING


@test
def gc_goes_on(host, net):
    """GC goes on after an error and reports it"""
    for i in range(3):
        net.add(host.new_pod(), cid=f"c{i}").ok()
    lease = net.dir / "state/ipam/net/10.9.0.3"
    d = net.dir / "state/attachments"
    (d / ".c1:eth0.json").mkdir()  # cannot be unlinked
    net.run("GC", conf={"cni.dev/valid-attachments": []}).fails(5, "c1:eth0")
    assert net.records() == [".c1:eth0.json", "c1:eth0.json"] and not lease.exists()
    (d / ".c1:eth0.json").rmdir()
    net.run("GC", conf={"cni.dev/valid-attachments": []}).ok()


@test
def status(host, net):
    """STATUS: 0 when ready; 50 without agent, without programs, with a full pool; never more than a second"""
    ready = {"ok": True, "ready": True, "reason": ""}

    def quick(code=None, *words):
        start = time.time()
        a = net.run("STATUS")
        assert time.time() - start < 1, time.time() - start
        return a.fails(code, *words) if code else a.ok()
    quick(50, "weir-agent")
    with Agent(net, ready):
        assert not quick().raw
    with Agent(net, {"ok": True, "ready": False, "reason": "compiling"}):
        quick(50, "compiling")
    with Agent(net, {"ok": False, "code": 51, "error": "limited"}):
        quick(51, "limited")
    with Agent(net, "silent"):
        quick(50, "weir-agent")
    with Agent(net, ready):
        net.conf["ipam"] = {"subnets": ["10.9.0.0/30"]}
        net.add(host.new_pod()).ok()
        quick(50, "IPv4")
        net.delete().ok()
        quick()
        host.unload()
        quick(50, "from_pod")


@test
def add_after_bad_status(host, net):
    """ADD is tried on its merits whatever STATUS said"""
    net.run("STATUS").fails(50)
    net.add(host.new_pod()).ok()
    net.delete().ok()
