# SPDX-License-Identifier: Apache-2.0
"""Other plugins: address management by others, before and after weir-cni in a chain."""
import json
import os
import pathlib

from harness import NOTHING, REFERENCE, VERSIONS, Agent, filters, ip, sh, test

FAKE = """#!/bin/sh
cat >"$LOG.stdin"
env | grep ^CNI_ | sort >"$LOG.env"
echo "$CNI_COMMAND" >>"$LOG"
echo "from the plugin" >&2
eval "$PLUGIN"
"""


def fake(net, body, **env):
    """A delegated plugin whose behaviour is a shell fragment."""
    d = net.dir / "bin"
    d.mkdir(exist_ok=True)
    (d / "fake").write_text(FAKE)
    (d / "fake").chmod(0o755)
    net.conf["ipam"] = {"type": "fake", "extra": [1, {"x": "y"}]}
    return {"path": f"/nonexistent:{d}", "LOG": str(net.dir / "log"), "PLUGIN": body, **env}


def calls(net):
    p = net.dir / "log"
    seen = p.read_text().split() if p.exists() else []
    p.unlink(missing_ok=True)
    return seen


GIVES = """[ $CNI_COMMAND != ADD ] || echo '{"cniVersion":"1.1.0","ips":[{"address":"10.4.0.9/24","gateway":"10.4.0.1"},
{"address":"fd04::9/64"}],"routes":[{"dst":"0.0.0.0/0"}],"dns":{"nameservers":["10.4.0.53"]}}'"""


@test
def host_local(host, net):
    """Debian's host-local: addresses given, released, in two families"""
    d = str(net.dir / "leases")
    net.conf.update(cniVersion="1.0.0", ipam={"type": "host-local", "dataDir": d, "ranges": [
        [{"subnet": "10.3.0.0/24"}], [{"subnet": "fd03::/64"}]]})
    pod = host.new_pod()
    a = net.add(pod).ok()
    assert (a.address(4), a.address(6)) == ("10.3.0.2", "fd03::2")
    assert "10.3.0.2" in os.listdir(d + "/net") and not net.leases()
    net.run("CHECK", netns=pod, conf={"prevResult": a.json}).ok()
    net.delete(conf={"prevResult": a.json}).ok()
    assert not [f for f in os.listdir(d + "/net") if f[0].isdigit() or f[0] == "f"]
    net.conf["cniVersion"] = "9.9.9"
    net.add(pod).fails(1)


@test
def same_input(host, net):
    """the plugin gets the same environment and the same stdin, byte for byte; its stderr goes through"""
    pod = host.new_pod()
    kw = fake(net, GIVES)
    a = net.add(pod, args="IgnoreUnknown=1;X=y", **kw).ok()
    assert json.loads((net.dir / "log.stdin").read_text()) == net.conf and "from the plugin" in a.err
    env = dict(line.split("=", 1) for line in (net.dir / "log.env").read_text().splitlines())
    assert env["CNI_COMMAND"] == "ADD" and env["CNI_ARGS"] == "IgnoreUnknown=1;X=y" and env["CNI_NETNS"] == pod
    assert (a.address(4), a.address(6)) == ("10.4.0.9", "fd04::9") and a.json["dns"] == {"nameservers": ["10.4.0.53"]}
    net.run("CHECK", netns=pod, conf={"prevResult": a.json}, **kw).ok()
    net.delete(**kw).ok()
    assert calls(net) == ["ADD", "CHECK", "DEL"]
    net.run("GC", conf={"cni.dev/valid-attachments": []}, **kw).ok()
    with Agent(net):
        net.run("STATUS", **kw).ok()
    assert calls(net) == ["GC", "STATUS"]


@test
def plugin_errors(host, net):
    """the plugin's error comes back with its code; on ADD it is told DEL first"""
    pod = host.new_pod()
    bad = """echo '{"cniVersion":"1.1.0","code":11,"msg":"try later","details":"really"}'; exit 1"""
    for body, code, word in ((bad, 11, "try later: really"), ("exit 3", 100, "status 3"), ("kill -9 $$", 100, "signal 9"),
                             ("echo garbage", 100, "no address"), ("echo '{\"ips\":[{\"address\":\"x\"}]}'", 100, "no address"),
                             ("true", 100, "no address")):
        kw = fake(net, f"[ $CNI_COMMAND = DEL ] || {{ {body}; }}")
        net.add(pod, **kw).fails(code, word)
        assert calls(net) == ["ADD", "DEL"] and net.left() == NOTHING
    kw = fake(net, bad)
    for cmd in ("DEL", "GC", "STATUS"):
        with Agent(net):
            net.run(cmd, conf={"cni.dev/valid-attachments": []}, **kw).fails(11, "try later")
    net.conf["ipam"]["type"] = "absent"
    net.add(pod, **kw).fails(7, "absent", "CNI_PATH")


@test
def rollback_behind_the_plugin(host, net):
    """a failure behind the plugin's ADD gives its address back"""
    pod = host.new_pod()
    kw = fake(net, GIVES)
    sh("ip", "-n", pod.rsplit("/", 1)[1], "link", "add", "eth0", "type", "bridge")
    net.add(pod, **kw).fails(100)
    assert calls(net) == ["ADD", "DEL"] and net.left() == NOTHING


@test
def wishes_behind_the_plugin(host, net):
    """an address that is asked for is the plugin's to give; when it gives another, ADD fails and leaves nothing"""
    pod = host.new_pod()
    kw = fake(net, GIVES)
    net.add(pod, conf={"runtimeConfig": {"ips": ["10.4.0.8"]}}, **kw).fails(7, "10.4.0.8")
    assert calls(net) == ["ADD", "DEL"] and net.left() == NOTHING
    net.add(pod, conf={"runtimeConfig": {"ips": ["10.4.0.9/24", "fd04::9"]}}, **kw).ok()
    net.delete(**kw).ok()


def reference(plugin, net, cmd, conf, prev=None, **kw):
    conf = {"cniVersion": "1.0.0", "name": "net", "type": plugin, **conf}
    if prev:
        conf["prevResult"] = prev
    return net.run(cmd, binary=f"{REFERENCE}/{plugin}", stdin=json.dumps(conf).encode(), **kw)


@test
def others_behind(host, net):
    """tuning behind weir-cni takes its result; CHECK and DEL of the chain work"""
    net.conf["cniVersion"] = "1.0.0"
    pod = host.new_pod()
    first = net.add(pod).ok().json
    tuning = {"sysctl": {"net.ipv4.conf.eth0.arp_announce": "2"}, "dataDir": str(net.dir / "tuning")}
    second = reference("tuning", net, "ADD", tuning, first, netns=pod).ok().json
    assert second["ips"] == first["ips"]
    net.run("CHECK", netns=pod, conf={"prevResult": second}).ok()
    reference("tuning", net, "DEL", tuning, second, netns=pod).ok()
    net.delete(netns=pod, conf={"prevResult": second}).ok()


@test
def portmap_behind(host, net):
    """portmap behind weir-cni maps its ports"""
    if not any((pathlib.Path(p) / "iptables").exists() for p in os.environ["PATH"].split(":")):
        return
    net.conf["cniVersion"] = "1.0.0"
    pod = host.new_pod()
    first = net.add(pod).ok().json
    conf = {"capabilities": {"portMappings": True}, "snat": True, "runtimeConfig": {"portMappings": [
        {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}}
    second = reference("portmap", net, "ADD", conf, first, netns=pod).ok().json
    assert first["ips"][0]["address"].split("/")[0] + ":80" in sh("iptables-save", "-t", "nat").stdout
    reference("portmap", net, "DEL", conf, second, netns=pod).ok()
    net.delete(netns=pod, conf={"prevResult": second}).ok()


PTP = {"ipam": {"type": "host-local", "subnet": "10.2.0.0/24"}}


@test
def behind_ptp(host, net):
    """behind ptp: programs on its interface, its result passed through; DEL takes ours away and leaves its"""
    net.conf["cniVersion"] = "1.0.0"
    PTP["ipam"]["dataDir"] = str(net.dir / "leases")
    pod = host.new_pod()
    first = reference("ptp", net, "ADD", PTP, netns=pod).ok().json
    dev = next(i["name"] for i in first["interfaces"] if not i.get("sandbox"))
    for wish in {"ips": ["10.2.0.77"]}, {"mac": "02:11:22:33:44:55"}:
        net.add(pod, conf={"prevResult": first, "ipam": {}, "runtimeConfig": wish}).fails(7, "another")
    assert not any(filters(dev).values()) and not net.records()
    with Agent(net) as agent:
        a = net.add(pod, conf={"prevResult": first, "ipam": {}, "runtimeConfig": {"ips": ["10.2.0.2"]}}).ok()
        assert a.json == first
        sent = agent.seen[0]["attachment"]
    assert (sent["hostIf"], sent["ipv4"], sent["mac"]) == (dev, "10.2.0.2", ip("link", netns=pod)[-1]["address"])
    assert sent["ifindex"] == ip("link", "show", dev)[0]["ifindex"]
    assert all(len(f) == 1 for f in filters(dev).values())
    net.add(pod, conf={"prevResult": first}).fails(104)
    checked = {"conf": {"prevResult": first, "ipam": {}}, "netns": pod}
    net.run("CHECK", **checked).ok()
    sh("ip", "-n", pod.rsplit("/", 1)[1], "route", "add", "10.8.0.0/24", "dev", "eth0")
    net.run("CHECK", **checked).ok()
    sh("ip", "-n", pod.rsplit("/", 1)[1], "addr", "del", first["ips"][0]["address"], "dev", "eth0")
    net.run("CHECK", **checked).fails(103, "address " + first["ips"][0]["address"])
    net.delete(netns=pod, conf={"prevResult": first, "ipam": {}}).ok()
    assert not any(filters(dev).values()) and not net.records()
    reference("ptp", net, "DEL", PTP, first, netns=pod).ok()


@test
def host_ports_behind_ptp(host, net):
    """behind ptp, with host ports: no way to the node's 127.0.0.1 stays on its interface when DEL takes the programs away"""
    PTP["ipam"]["dataDir"] = str(net.dir / "leases")
    net.conf["cniVersion"] = "1.0.0"
    ports = {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}
    for runtime, left in (ports, "0"), ({}, "1"):  # without host ports it is another's setting
        pod = host.new_pod()
        first = reference("ptp", net, "ADD", PTP, netns=pod).ok().json
        dev = next(i["name"] for i in first["interfaces"] if not i.get("sandbox"))
        with Agent(net):
            net.add(pod, conf={"prevResult": first, "ipam": {}, "runtimeConfig": runtime}).ok()
            setting = pathlib.Path(f"/proc/sys/net/ipv4/conf/{dev}/route_localnet")
            setting.write_text("1")  # as the agent does
            net.delete(netns=pod, conf={"prevResult": first, "ipam": {}}).ok()
        assert setting.read_text().strip() == left and not any(filters(dev).values())
        reference("ptp", net, "DEL", PTP, first, netns=pod).ok()


@test
def behind_what_cannot_be_enforced(host, net):
    """behind a bridge port, or with a broken prevResult: refused, nothing changed"""
    pod = host.new_pod()
    sh("ip", "link", "add", "br9", "type", "bridge")
    sh("ip", "link", "add", "host9", "type", "veth", "peer", "name", "eth0", "netns", pod.rsplit("/", 1)[1])
    sh("ip", "link", "set", "host9", "master", "br9")
    prev = {"cniVersion": "1.1.0", "interfaces": [{"name": "eth0", "sandbox": pod}], "ips": [{"address": "10.1.0.2/24"}]}
    net.add(pod, conf={"prevResult": prev}).fails(7, "bridge")
    sh("ip", "link", "set", "host9", "nomaster")
    net.add(pod, conf={"prevResult": {**prev, "ips": [{"address": "10.1.0"}]}}).fails(7, "prevResult")
    net.add(pod, conf={"prevResult": {**prev, "ips": []}}).fails(7, "prevResult")
    net.add(host.new_pod(), conf={"prevResult": prev}).fails(7, "eth0")
    host.unload()
    net.add(pod, conf={"prevResult": prev}).fails(11, "from_pod")
    host.load(host.real)
    with Agent(net, {"ok": False, "code": 100, "error": "no"}):
        net.add(pod, conf={"prevResult": prev}).fails(100, "no")
    assert not net.records() and not any(filters("host9").values())
    sh("ip", "link", "del", "host9")
    sh("ip", "link", "del", "br9")


def veth(pod):
    """The pair of another plugin that takes no result of its own with it."""
    sh("ip", "link", "add", "host9", "type", "veth", "peer", "name", "eth0", "netns", pod.rsplit("/", 1)[1])


IP4 = {"ip": "10.1.0.2/24", "gateway": "10.1.0.1", "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.7.0.0/16", "gw": "10.1.0.9"}]}
IP6 = {"ip": "fd01::2/64", "routes": [{"dst": "::/0", "gw": "fd01::1"}]}
IPS = [{"address": "10.1.0.2/24", "gateway": "10.1.0.1"}, {"address": "fd01::2/64"}]
ROUTES = [*IP4["routes"], *IP6["routes"]]
DNS = {"nameservers": ["10.1.0.53"]}


def result(version, pod, told="1.1.0"):
    """The same result in each version, as the specification of that version has it; told: in which it was told to us."""
    r = {"cniVersion": version, "dns": DNS}
    if version < "0.3.0":
        return {**r, "ip4": IP4, "ip6": IP6}
    r["ips"], r["routes"] = IPS, ROUTES
    if version < "1.0.0":
        r["ips"] = [{**i, "version": v} for i, v in zip(IPS, "46")]
    if told >= "0.3.0":
        r["interfaces"] = [{"name": "eth0", "sandbox": pod}]
        r["ips"] = [{**i, "interface": 0} for i in r["ips"]]
    if version == told == "1.1.0":
        r["interfaces"][0].update(mtu=1500, socketPath="/s", pciID="0")
        r["routes"] = [{**x, "mtu": 1400, "advmss": 1360, "priority": 7, "table": 254, "scope": 0} for x in ROUTES]
    return r


@test
def prev_result_of_another_version(host, net):
    """prevResult in any version: enforced, and passed on in the version of the configuration"""
    pod = host.new_pod()
    veth(pod)
    for told in VERSIONS:
        for wanted in VERSIONS:
            a = net.add(pod, conf={"cniVersion": wanted, "prevResult": result(told, pod)}).ok()
            assert a.json == result(wanted, pod, told), (told, wanted, a.json)
            r = net.record()
            assert (r["ipv4"], r["ipv6"]) == ("10.1.0.2", "fd01::2"), (told, wanted, r)
            net.delete().ok()
    unnamed = {k: v for k, v in result("0.2.0", pod).items() if k != "cniVersion"}
    assert net.add(pod, conf={"prevResult": unnamed}).ok().json == result("1.1.0", pod, "0.2.0")
    net.delete().ok()
    sh("ip", "link", "del", "host9")


@test
def check_of_an_old_prev_result(host, net):
    """CHECK behind a plugin of an old version: passes right after ADD, and finds its address and its route missing"""
    pod = host.new_pod()
    ns = ("ip", "-n", pod.rsplit("/", 1)[1])
    veth(pod)
    sh("ip", "link", "set", "host9", "up")
    sh(*ns, "link", "set", "eth0", "up")
    routes = [{"dst": "10.7.0.0/16", "gw": "10.1.0.9"}]
    for prev in ({"cniVersion": "0.2.0", "ip4": {"ip": "10.1.0.2/24", "routes": routes}},
                 {"cniVersion": "0.4.0", "interfaces": [{"name": "eth0", "sandbox": pod}], "routes": routes,
                  "ips": [{"version": "4", "address": "10.1.0.2/24", "interface": 0}]}):
        conf = {"prevResult": prev}
        sh(*ns, "addr", "add", "10.1.0.2/24", "dev", "eth0")
        sh(*ns, "route", "add", "10.7.0.0/16", "via", "10.1.0.9")
        net.add(pod, conf=conf).ok()
        net.run("CHECK", netns=pod, conf=conf).ok()
        sh(*ns, "route", "del", "10.7.0.0/16")
        net.run("CHECK", netns=pod, conf=conf).fails(103, "route to 10.7.0.0/16")
        sh(*ns, "addr", "del", "10.1.0.2/24", "dev", "eth0")
        net.run("CHECK", netns=pod, conf=conf).fails(103, "address 10.1.0.2/24")
        net.delete().ok()
    sh("ip", "link", "del", "host9")


@test
def check_with_another_interface(host, net):
    """CHECK with a result to which a later plugin added a second interface and its route: is not misled, and finds it missing"""
    pod = host.new_pod()
    ns = ("ip", "-n", pod.rsplit("/", 1)[1])
    first = net.add(pod).ok().json
    sh(*ns, "link", "add", "net1", "type", "bridge")
    sh(*ns, "link", "set", "net1", "up")
    sh(*ns, "addr", "add", "10.6.0.2/24", "dev", "net1")
    sh(*ns, "route", "add", "10.8.0.0/24", "via", "10.6.0.1")
    later = {**first, "interfaces": [*first["interfaces"], {"name": "net1", "sandbox": pod}],
             "ips": [*first["ips"], {"address": "10.6.0.2/24", "interface": 2}],
             "routes": [*first["routes"], {"dst": "10.8.0.0/24", "gw": "10.6.0.1"}]}
    checked = {"conf": {"prevResult": later}, "netns": pod}
    net.run("CHECK", **checked).ok()
    sh(*ns, "route", "del", "10.8.0.0/24")
    net.run("CHECK", **checked).fails(103, "route to 10.8.0.0/24 via 10.6.0.1")
    sh(*ns, "route", "add", "10.8.0.0/24", "via", "10.6.0.1")
    sh(*ns, "route", "replace", "default", "via", "10.6.0.1")
    net.run("CHECK", **checked).fails(103, "route to 0.0.0.0/0 via 169.254.1.1")
    net.delete().ok()


@test
def prev_result_that_is_not_understood(host, net):
    """prevResult of an unknown version or shape: refused, saying which part; nothing changed"""
    pod = host.new_pod()
    veth(pod)
    good = result("1.1.0", pod)
    for change, code, word in (({"cniVersion": "9.9.9"}, 1, "9.9.9"), ({"cniVersion": 1}, 6, "cniVersion"),
                               ({"ips": {}}, 6, "ips"), ({"interfaces": {}}, 6, "interfaces"), ({"routes": "all"}, 6, "routes"),
                               ({"ip4": []}, 6, "ip4"), ({"ip4": IP4}, 6, "ip4"), ({"ips": [7]}, 6, "ips[0]"),
                               ({"interfaces": ["eth0"]}, 6, "interfaces[0]"), ({"routes": [None]}, 6, "routes[0]")):
        for cmd in ("ADD", "CHECK"):
            net.run(cmd, netns=pod, conf={"prevResult": {**good, **change}}).fails(code, "prevResult", word)
    net.add(pod, conf={"prevResult": {"ip6": {**IP6, "routes": {}}}}).fails(6, "prevResult", "routes")
    assert not net.records() and not any(filters("host9").values())
    sh("ip", "link", "del", "host9")


@test
def old_results_of_the_ipam_plugin(host, net):
    """a delegated plugin that answers in an old version, and one in a version that nobody knows"""
    pod = host.new_pod()
    for v, code in ("0.2.0", 0), ("9.9.9", 1):
        kw = fake(net, f"[ $CNI_COMMAND != ADD ] || echo '{json.dumps({**result('0.2.0', pod), 'cniVersion': v})}'")
        a = net.add(pod, **kw)
        if code:
            a.fails(code, "ipam plugin fake", v)
            assert calls(net) == ["ADD", "DEL"] and net.left() == NOTHING
        else:
            assert (a.ok().address(4), a.address(6), a.json["dns"]) == ("10.1.0.2", "fd01::2", DNS)
            net.delete(**kw).ok()
            calls(net)
