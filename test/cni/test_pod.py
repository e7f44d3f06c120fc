# SPDX-License-Identifier: Apache-2.0
"""ADD: the result in every version, what is in the kernel afterwards, capabilities, addresses, the agent."""
import ipaddress
import pathlib
import time

from harness import NOTHING, VERSIONS, Agent, Monitor, Net, filters, inside, ip, reachable, sh, test

RTF_LOCAL = 0x80000000


@test
def results_in_every_version(host, net):
    """the result is in exactly the version that was asked for"""
    pod = host.new_pod()
    for v in VERSIONS:
        j = net.add(pod, conf={"cniVersion": v}).ok().json
        assert j["cniVersion"] == v
        if v < "0.3.0":
            assert set(j) <= {"cniVersion", "ip4", "ip6", "dns"}, j
            assert j["ip4"]["ip"].startswith("10.9.0.") and j["ip4"]["gateway"] == "169.254.1.1"
            assert j["ip6"]["routes"] == [{"dst": "::/0", "gw": "fe80::1"}]
        else:
            inner, outer = j["interfaces"][1], j["interfaces"][0]
            assert inner["sandbox"] == pod and inner["name"] == "eth0" and "sandbox" not in outer
            assert outer["name"] == net.record()["hostIf"]
            assert [i["interface"] for i in j["ips"]] == [1, 1]
            assert j["ips"][0]["address"].endswith("/32") and j["ips"][1]["address"].endswith("/128")
            assert [i.get("version") for i in j["ips"]] == (["4", "6"] if v < "1.0.0" else [None, None])
            assert ("mtu" in inner) == (v >= "1.1.0")
        net.delete().ok()


@test
def wiring(host, net):
    """addresses, routes, neighbours, MACs on both ends are what the result says"""
    pod = host.new_pod()
    a = net.add(pod).ok()
    r = net.record()
    outer, = ip("link", "show", r["hostIf"])
    inner, = ip("addr", "show", "eth0", netns=pod)
    assert outer["address"] == r["hostMac"] == a.json["interfaces"][0]["mac"]
    assert inner["address"] == r["mac"] == a.json["interfaces"][1]["mac"]
    assert int(r["mac"][:2], 16) & 3 == 2 and r["mac"] != r["hostMac"]
    assert "UP" in outer["flags"] and "UP" in inner["flags"]
    have = {f"{x['local']}/{x['prefixlen']}" for x in inner["addr_info"] if x["scope"] == "global"}
    assert have == {i["address"] for i in a.json["ips"]}
    assert not any(x.get("tentative") for x in inner["addr_info"] if x["scope"] == "global")
    routes = {(x["dst"], x.get("gateway")) for x in ip("-4", "route", netns=pod)}
    assert routes == {("default", "169.254.1.1"), ("169.254.1.1", None)}, routes
    assert ("default", "fe80::1") in {(x["dst"], x.get("gateway")) for x in ip("-6", "route", netns=pod)}
    near = {(n["dst"], n["lladdr"]) for n in ip("neigh", "show", "nud", "permanent", netns=pod)}
    assert near == {("169.254.1.1", r["hostMac"]), ("fe80::1", r["hostMac"])}
    assert {n["dst"]: n["lladdr"] for n in ip("neigh", "show", "nud", "permanent")} == {
        a.address(4): r["mac"], a.address(6): r["mac"]}
    assert not ip("addr", "show", r["hostIf"])[0]["addr_info"], "the host end needs no address"
    net.delete().ok()


@test
def programs_are_attached(host, net):
    """from_pod on ingress, to_pod on egress of the host end"""
    net.add(host.new_pod()).ok()
    f = filters(net.record()["hostIf"])
    assert f == {"ingress": ["weir"], "egress": ["weir"]} or all(len(v) == 1 for v in f.values()), f
    out = sh("bpftool", "net", "show", "dev", net.record()["hostIf"]).stdout
    ids = sh("bpftool", "net", "show").stdout
    assert "clsact/ingress" in out + ids and "clsact/egress" in out + ids
    net.delete().ok()


@test
def host_sysctls(host, net):
    """the host end routes, takes no advertisements, has no address of its own accord; rp_filter is off"""
    for path in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        open(f"/proc/sys/net/{path}", "w").write("0")
    net.add(host.new_pod()).ok()
    dev = net.record()["hostIf"]
    want = {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1, f"ipv4/conf/{dev}/rp_filter": 0,
            f"ipv4/conf/{dev}/forwarding": 1, f"ipv4/conf/{dev}/accept_redirects": 0, f"ipv4/conf/{dev}/proxy_arp": 0,
            f"ipv6/conf/{dev}/accept_ra": 0, f"ipv6/conf/{dev}/forwarding": 1,
            f"ipv6/conf/{dev}/proxy_ndp": 0, f"ipv6/conf/{dev}/addr_gen_mode": 1}
    for path, value in want.items():
        assert int(open(f"/proc/sys/net/{path}").read()) == value, path
    net.delete().ok()


@test
def one_queue(host, net):
    """both ends have one queue each way, however many processors there may be"""
    pod = host.new_pod()
    net.add(pod).ok()
    ends = [l for ns in (None, pod) for l in ip("link", netns=ns) if l["ifname"] in (net.record()["hostIf"], "eth0")]
    assert [(l["num_tx_queues"], l["num_rx_queues"]) for l in ends] == [(1, 1)] * 2, ends
    net.delete().ok()


@test
def packets_flow(host, net):
    """with programs that pass everything: host to pod, pod to pod, both families"""
    host.load(host.passing)
    pods = [host.new_pod(), host.new_pod()]
    a = [net.add(p, cid=f"c{i}").ok() for i, p in enumerate(pods)]
    for family in (4, 6):
        assert reachable(pods[0], a[0].address(family))
        assert reachable(pods[1], a[1].address(family), pods[0])
    for i in range(2):
        net.delete(cid=f"c{i}").ok()


@test
def no_programs_no_pod(host, net):
    """without pinned programs ADD fails with code 11 and nothing is made"""
    pod = host.new_pod()
    host.unload()
    net.add(pod).fails(11, "from_pod")
    assert net.left() == NOTHING
    assert [l["ifname"] for l in ip("link", netns=pod)] == ["lo"]


@test
def broken_programs(host, net):
    """what is pinned in the place of a program cannot be attached: ADD fails, and the host end was never up"""
    pod = host.new_pod()
    for name in ("from_pod", "to_pod"):
        host.load(host.real)
        (host.bpf / "progs" / name).unlink()
        sh("bpftool", "map", "create", str(host.bpf / "progs" / name), "type", "array", "key", "4", "value", "4",
           "entries", "1", "name", "x")
        with Monitor() as monitor:
            net.add(pod).fails(100, "program")
            seen = monitor.events()
        assert any(e[0] == "link" for e in seen) and not any(e[0] == "link" and e[2] for e in seen), seen
        assert net.left() == NOTHING


@test
def never_up_without_programs(host, net):
    """the host end is not up before both programs are attached"""
    with Monitor() as monitor:
        net.add(host.new_pod()).ok()
        seen = monitor.events()
    index = ip("link", "show", net.record()["hostIf"])[0]["ifindex"]
    before = seen[:seen.index(("link", index, True))]
    assert before.count(("filter", index)) == 2, seen
    net.delete().ok()


@test
def one_family(host, net):
    """IPv4 alone and IPv6 alone"""
    pod = host.new_pod()
    for subnet, family in (("10.9.0.0/24", 4), ("fd09::/64", 6)):
        a = net.add(pod, conf={"ipam": {"subnets": [subnet]}}).ok()
        assert a.address(family) and not a.address(10 - family) and len(a.json["routes"]) == 1
        net.delete().ok()


@test
def pod_with_ipv6_off(host, net):
    """IPv6 is turned on in a namespace whose runtime turned it off"""
    pod = host.new_pod()
    sh("nsenter", "--net=" + pod, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
       "net.ipv6.conf.default.disable_ipv6=1")
    a = net.add(pod).ok()
    assert a.address(6) in [x["local"] for x in ip("addr", "show", "eth0", netns=pod)[0]["addr_info"]]
    net.delete().ok()


@test
def mtu(host, net):
    """mtu: of the configuration, else of the uplink with the default route, else 1500"""
    pod = host.new_pod()

    def both(conf=None):
        net.add(pod, conf=conf).ok()
        got = {ip("link", "show", net.record()["hostIf"])[0]["mtu"], ip("link", "show", "eth0", netns=pod)[0]["mtu"]}
        net.delete().ok()
        return got
    assert both() == {1500}
    assert both({"mtu": 1400}) == {1400}
    for route in (("route", "add", "default", "dev", "up0"), ("-6", "route", "add", "default", "dev", "up0")):
        sh("ip", "link", "add", "up0", "mtu", "1450", "type", "veth", "peer", "name", "up1")
        sh("ip", "link", "set", "up0", "up")
        sh("ip", *route)
        assert both() == {1450}
        assert both({"mtu": 9000}) == {9000}
        sh("ip", "link", "del", "up0")


@test
def existing_interface(host, net):
    """an interface of that name in the pod: error, and it stays as it was"""
    pod = host.new_pod()
    sh("ip", "link", "add", "eth0", "netns", pod.rsplit("/", 1)[1], "type", "bridge")
    before = ip("link", netns=pod)
    a = net.add(pod).fails(100, "exists")
    assert ip("link", netns=pod) == before and net.left() == NOTHING, a


@test
def add_twice(host, net):
    """ADD twice without DEL: error, and the first one is left alone"""
    pod = host.new_pod()
    net.add(pod).ok()
    before = (net.left(), net.record(), filters(net.record()["hostIf"]))
    net.add(pod).fails(104, "DEL")
    net.add(host.new_pod()).fails(104)
    assert (net.left(), net.record(), filters(net.record()["hostIf"])) == before
    net.add(pod, ifname="eth1").fails(100, "another network", "exists")
    assert (net.left(), net.record()) == before[:2]
    net.delete().ok()


@test
def foreign_link_is_kept(host, net):
    """a link that has our name by accident is not removed by the ADD that fails over it"""
    pod = host.new_pod()
    name = net.add(pod).ok().json["interfaces"][0]["name"]
    net.delete().ok()
    sh("ip", "link", "add", name, "type", "bridge")
    net.add(pod).fails(100, "exists")
    assert [l["ifname"] for l in ip("link")] == ["lo", name] and not net.leases() and not net.records()
    sh("ip", "link", "del", name)


@test
def hears_answers(host, net):
    """when ADD returns, the pod takes in what is sent to its IPv6 address: the kernel makes that route in a worker, later"""
    def is_there(address):
        local = [r.split() for r in pathlib.Path("/proc/thread-self/net/ipv6_route").read_text().splitlines()]
        return any(r[0] == ipaddress.ip_address(address).packed.hex() and int(r[8], 16) & RTF_LOCAL for r in local)
    for i in range(100):
        pod = host.new_pod()
        a = net.add(pod, cid=f"c{i}").ok()
        with inside(pod):
            assert is_there(a.address(6)), i
    for i in range(100):
        net.delete(cid=f"c{i}").ok()


@test
def mac_capability(host, net):
    """mac: honoured from runtimeConfig, args.cni and CNI_ARGS; anything else is refused"""
    pod = host.new_pod()
    for conf, args, want in (({"runtimeConfig": {"mac": "02:11:22:33:44:55"}}, None, "02:11:22:33:44:55"),
                             ({"args": {"cni": {"mac": "02:11:22:33:44:66"}}}, None, "02:11:22:33:44:66"),
                             ({}, "MAC=02:11:22:33:44:77", "02:11:22:33:44:77"),
                             ({"runtimeConfig": {"mac": "02:00:00:00:00:01"}}, "MAC=02:11:22:33:44:77", "02:00:00:00:00:01")):
        j = net.add(pod, conf=conf, args=args).ok().json
        assert j["interfaces"][1]["mac"] == ip("link", "show", "eth0", netns=pod)[0]["address"] == want
        net.delete().ok()
    for bad in ("02:11:22:33:44", "01:11:22:33:44:55", "00:00:00:00:00:00", "02:11:22:33:44:55:66", "x", "2:1:2:3:4:5"):
        net.add(pod, conf={"runtimeConfig": {"mac": bad}}).fails(7, "mac")
    net.add(pod, conf={"runtimeConfig": {"mac": 7}}).fails(6, "mac")


@test
def ips_capability(host, net):
    """ips: args.cni beats runtimeConfig beats CNI_ARGS; what cannot be had is refused"""
    pod = host.new_pod()
    a = net.add(pod, conf={"runtimeConfig": {"ips": ["10.9.0.77", "fd09::77/64"]}}).ok()
    assert (a.address(4), a.address(6)) == ("10.9.0.77", "fd09::77")
    other = host.new_pod()
    net.add(other, cid="c2", args="IP=10.9.0.77").fails(102, "taken")
    a = net.add(other, cid="c2", conf={"args": {"cni": {"ips": ["10.9.0.78"]}}}, args="IP=10.9.0.79").ok()
    assert a.address(4) == "10.9.0.78" and a.address(6)
    net.delete(cid="c2").ok()
    assert net.add(other, cid="c2", args="IP=10.9.0.79").ok().address(4) == "10.9.0.79"
    net.delete(cid="c2").ok()
    for bad in ("10.9.0.0", "10.9.0.1", "10.9.0.255", "10.8.0.5", "fd09::", "fd09::1", "nonsense"):
        net.add(other, cid="c2", conf={"runtimeConfig": {"ips": [bad]}}).fails(7)
    net.add(other, cid="c2", conf={"runtimeConfig": {"ips": ["10.9.0.5", "10.9.0.6"]}}).fails(7, "more than one")
    net.add(other, cid="c2", conf={"runtimeConfig": {"ips": "10.9.0.5"}}).fails(6)
    net.delete().ok()


@test
def bandwidth(host, net):
    """bandwidth: a rate is refused by name; bursts without a rate mean nothing"""
    pod = host.new_pod()
    for b in ({"ingressRate": 1000, "ingressBurst": 1000}, {"egressRate": 1, "egressBurst": 4294967295},
              {"IngressRate": 0, "IngressBurst": 4294967295, "EgressRate": 1000, "EgressBurst": 4294967295}):
        assert net.add(pod, conf={"runtimeConfig": {"bandwidth": b}}).fails(101, "bandwidth")
        assert net.left() == NOTHING
    net.add(pod, conf={"runtimeConfig": {"bandwidth": {"ingressRate": 0, "ingressBurst": 4294967295}}}).ok()
    net.delete().ok()


MAPPING = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}


@test
def port_mappings(host, net):
    """portMappings: checked, recorded, given to the agent; without it code 11, never silently ignored"""
    pod = host.new_pod()
    for change in ({"hostPort": 0}, {"hostPort": 65536}, {"containerPort": 0}, {"protocol": "icmp"}, {"hostIP": "x"},
                   {"hostPort": "80"}, {"protocol": None}):
        net.add(pod, conf={"runtimeConfig": {"portMappings": [{**MAPPING, **change}]}}).fails(7, "portMappings[0]")
    conf = {"runtimeConfig": {"portMappings": [MAPPING, {"hostPort": 53, "containerPort": 53, "protocol": "UDP",
                                                         "hostIP": "192.0.2.1"}]}}
    net.add(pod, conf=conf).fails(11, "portMappings")
    assert net.left() == NOTHING
    with Agent(net, {"ok": False, "code": 11, "error": "no NAT yet"}):
        net.add(pod, conf=conf).fails(11, "no NAT yet")
    assert net.left() == NOTHING
    with Agent(net) as agent:
        net.add(pod, conf=conf).ok()
        sent = agent.seen[-1]["attachment"]
        assert {**sent, "ifindex": 0} == net.record()
        assert sent["portMappings"] == [{"hostIp": "", "hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
                                        {"hostIp": "192.0.2.1", "hostPort": 53, "containerPort": 53, "protocol": "udp"}]
        net.delete().ok()


@test
def port_mappings_of_containerd(host, net):
    """portMappings: containerd writes the names with capitals, and Go's plugins do not care"""
    mapping = {"HostPort": 8080, "ContainerPort": 80, "Protocol": "tcp", "HostIP": "192.0.2.1"}
    with Agent(net) as agent:
        net.add(host.new_pod(), conf={"runtimeConfig": {"portMappings": [mapping]}}).ok()
        assert agent.seen[-1]["attachment"]["portMappings"] == [{"hostIp": "192.0.2.1", "hostPort": 8080,
                                                                 "containerPort": 80, "protocol": "tcp"}]
        net.delete().ok()


@test
def the_agent_is_told_last(host, net):
    """the agent gets the finished attachment; its answer is awaited, its refusal undoes everything"""
    pod = host.new_pod()

    def look(msg):
        if msg["op"] == "add":
            a = msg["attachment"]
            assert ip("link", "show", a["hostIf"])[0]["ifindex"] == a["ifindex"]
            assert len(filters(a["hostIf"])["ingress"]) == 1
            assert net.record() == {**a, "ifindex": 0}
        return {"ok": True, "state": "ready"}
    with Agent(net, look) as agent:
        a = net.add(pod, args="K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p").ok()
        sent = agent.seen[0]["attachment"]
        assert (sent["ipv4"], sent["ipv6"]) == (a.address(4), a.address(6)) and sent["podName"] == "p"
        net.delete().ok()
        assert agent.ops() == ["add", "del"] and agent.seen[1]["key"] == "c1:eth0", agent.seen
    for answer, code in (({"ok": False, "code": 123, "error": "4095 pods"}, 123), ({"ok": False}, 100), (b"garbage", 100),
                         ({"ok": "yes"}, 100)):
        with Agent(net, answer) as agent:
            net.add(pod).fails(code)
            assert net.left() == NOTHING and agent.ops() == ["add", "del"], (answer, agent.ops())


@test
def the_agent_is_away(host, net):
    """no agent, one that is dead, one that says nothing: ADD and DEL succeed, in about two seconds at most"""
    import socket
    pod = host.new_pod()
    assert "host only" in net.add(pod).ok().err
    net.delete().ok()
    path = str(net.dir / "run/cni.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(path)
        s.listen()
    assert "host only" in net.add(pod).ok().err  # refused
    net.delete().ok()
    (net.dir / "run/cni.sock").unlink()
    with Agent(net, "silent"):
        start = time.time()
        net.add(pod).ok()
        assert 1.5 < time.time() - start < 3.5
        net.delete().ok()


@test
def addresses_rotate(host, net):
    """round robin; never network, gateway or broadcast; a full pool is an error; what is released comes back"""
    pods = [host.new_pod() for _ in range(6)]
    conf = {"ipam": {"type": "weir", "subnets": ["10.7.0.0/29"]}}
    got = [net.add(p, cid=f"c{i}", conf=conf).ok().address() for i, p in enumerate(pods[:5])]
    assert got == [f"10.7.0.{n}" for n in (2, 3, 4, 5, 6)], got
    net.add(pods[5], cid="c5", conf=conf).fails(102, "IPv4")
    assert len(net.records()) == 5
    net.delete(cid="c1", conf=conf).ok()
    assert net.add(pods[5], cid="c5", conf=conf).ok().address() == "10.7.0.3"
    for i in range(6):
        net.delete(cid=f"c{i}", conf=conf).ok()
    again = net.add(pods[0], cid="c0", conf=conf).ok().address()
    assert again == "10.7.0.4", "the address freed last must rest"
    net.delete(cid="c0", conf=conf).ok()


@test
def ranges(host, net):
    """host-local's ranges; ipRanges of runtimeConfig; a second subnet when the first is full"""
    pods = [host.new_pod() for _ in range(3)]
    conf = {"ipam": {"ranges": [[{"subnet": "10.6.0.0/24", "rangeStart": "10.6.0.10", "rangeEnd": "10.6.0.12",
                                  "gateway": "10.6.0.11"}], [{"subnet": "fd06::/64"}]]}}
    a = [net.add(p, cid=f"c{i}", conf=conf).ok() for i, p in enumerate(pods[:2])]
    assert [x.address() for x in a] == ["10.6.0.10", "10.6.0.12"] and a[1].address(6) == "fd06::3"
    net.add(pods[2], cid="c2", conf=conf).fails(102, "IPv4")
    for i in range(2):
        net.delete(cid=f"c{i}").ok()
    conf = {"ipam": {"subnets": ["10.6.0.0/30", "10.6.1.0/30"]}}
    assert {net.add(p, cid=f"c{i}", conf=conf).ok().address() for i, p in enumerate(pods[:2])} == {"10.6.0.2", "10.6.1.2"}
    net.add(pods[2], cid="c2", conf=conf).fails(102)
    for i in range(2):
        net.delete(cid=f"c{i}").ok()
    conf = {"ipam": {}, "runtimeConfig": {"ipRanges": [[{"subnet": "10.5.0.0/24"}]]}}
    assert net.add(pods[0], conf=conf).ok().address() == "10.5.0.2"
    net.delete().ok()


@test
def one_family_full(host, net):
    """an ADD that gets one family's address and not the other's gives it back"""
    pods = [host.new_pod() for _ in range(3)]
    conf = {"ipam": {"subnets": ["10.6.0.0/24", "fd06::/126"]}}
    for i in range(2):
        net.add(pods[i], cid=f"c{i}", conf=conf).ok()
    before = net.left()
    net.add(pods[2], cid="c2", conf=conf).fails(102, "IPv6")
    assert net.left() == before
    for i in range(2):
        net.delete(cid=f"c{i}").ok()


@test
def networks_are_apart(host, net):
    """two networks of one state folder do not share leases; a pod may be in both"""
    pod = host.new_pod()
    other = Net(host, "other", **{k: net.conf[k] for k in ("runDir", "stateDir")},
                ipam={"subnets": ["10.9.0.0/24"]})
    other.dir = net.dir
    net.conf["ipam"] = {"subnets": ["fd09::/64"]}
    net.add(pod).ok()
    other.add(pod, ifname="eth1").ok()
    assert set(other.leases()) == {"10.9.0.2"} and set(net.leases()) == {"fd09::2"}
    other.delete(ifname="eth1").ok()
    assert set(net.leases()) == {"fd09::2"} and not other.leases()
    net.delete().ok()
