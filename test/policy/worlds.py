# SPDX-License-Identifier: Apache-2.0
"""Random clusters and policies, and a second evaluator that reads policies as the API's documentation tells them."""
import ipaddress
import random

# ---- the evaluator: no compilation, no identities; one connection at a time, straight from the text of the API


def matches(selector, labels):
    """An empty selector matches everything."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for e in selector.get("matchExpressions") or []:
        has, value = e["key"] in labels, labels.get(e["key"])
        good = {"In": has and value in e.get("values", []), "NotIn": not has or value not in e.get("values", []),
                "Exists": has, "DoesNotExist": not has}[e["operator"]]
        if not good:
            return False
    return True


def in_block(block, ip):
    ip = ipaddress.ip_address(ip)

    def inside(cidr):
        net = ipaddress.ip_network(cidr, strict=False)
        return net.version == ip.version and ip in net

    return inside(block["cidr"]) and not any(inside(x) for x in block.get("except") or [])


class World:
    def __init__(self, case):
        self.case = case
        self.labels = {n["name"]: {**n.get("labels", {}), "kubernetes.io/metadata.name": n["name"]}
                       for n in case["namespaces"]}
        self.pods = {p["ns"] + "/" + p["name"]: p for p in case["pods"]}
        self.by_ip = {ip: p for p in case["pods"] for ip in p.get("ips", ()) if self.plain(p)}

    @staticmethod
    def plain(pod):
        return not pod.get("hostNetwork") and pod.get("phase") not in ("Succeeded", "Failed")

    def peer_matches(self, policy, peer, ip):
        if "ipBlock" in peer:
            return in_block(peer["ipBlock"], ip)
        pod = self.by_ip.get(ip)
        if not pod:
            return False
        if "namespaceSelector" in peer:
            if not matches(peer["namespaceSelector"], self.labels[pod["ns"]]):
                return False
        elif pod["ns"] != policy["metadata"]["namespace"]:
            return False
        return "podSelector" not in peer or matches(peer["podSelector"], pod["labels"])

    def port_matches(self, want, port, proto, dst_ip):
        if want.get("protocol", "TCP") != proto:
            return False
        if "port" not in want:
            return True
        if isinstance(want["port"], str):
            pod = self.by_ip.get(dst_ip)
            return bool(pod) and any(p.get("name") == want["port"] and p["port"] == port and p["proto"] == proto
                                     for p in pod["ports"])
        return want["port"] <= port <= want.get("endPort", want["port"])

    def side(self, pod, direction, peer_ip, dst_ip, port, proto):
        rules_key, peers_key = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
        isolating = []
        for policy in self.case["policies"]:
            spec = policy["spec"]
            types = spec.get("policyTypes") or ["Ingress"] + (["Egress"] if spec.get("egress") else [])
            if (direction in types and policy["metadata"]["namespace"] == pod["ns"] and
                    matches(spec["podSelector"], pod["labels"])):
                isolating.append(policy)
        audit = [p for p in isolating if p["metadata"].get("annotations", {}).get("weir.io/audit") == "true"]
        if len(audit) == len(isolating):
            return True  # nothing isolates, or nothing that is enforced
        for policy in isolating:
            for rule in (policy["spec"].get(rules_key) or []) if policy not in audit else []:
                peers, ports = rule.get(peers_key), rule.get("ports")
                if ((not peers or any(self.peer_matches(policy, p, peer_ip) for p in peers)) and
                        (not ports or any(self.port_matches(p, port, proto, dst_ip) for p in ports))):
                    return True
        return False

    def node_of(self, ip):
        return next((n["name"] for n in self.case["nodes"] if ip in n["ips"]), None)

    def allowed(self, src_ip, dst_ip, port, proto, src_node=None):
        """src_node: the source is this node, whatever its address."""
        src, dst = self.by_ip.get(src_ip), self.by_ip.get(dst_ip)
        if src_ip == dst_ip:
            return True
        if src and not self.side(src, "Egress", dst_ip, dst_ip, port, proto):
            return False
        if not dst:
            return True
        node = src_node or (None if src else self.node_of(src_ip))
        return node == dst.get("node", "") or self.side(dst, "Ingress", src_ip, dst_ip, port, proto)


# ---- random cases of the tables' form

KEYS, VALUES, NAMES = ("app", "tier", "x.io/k"), ("a", "b", ""), ("http", "dns", "pg")
PROTOS, PORTS = ("TCP", "TCP", "UDP", "SCTP"), (1, 53, 80, 81, 443, 8080, 65535)
V4 = ("10.0.0.0/8", "10.0.0.0/24", "10.0.1.0/24", "10.0.0.2/31", "10.0.1.3/32", "0.0.0.0/0", "203.0.113.0/24",
      "192.168.0.0/30", "10.0.0.0/23")
V6 = ("::/0", "fd00::/16", "fd00::1:0/112", "fd00::2/127", "2001:db8::/32")


def labels(r):
    return {k: r.choice(VALUES) for k in KEYS if r.random() < 0.6}


def selector(r):
    s = {}
    if r.random() < 0.6:
        s["matchLabels"] = {r.choice(KEYS): r.choice(VALUES)}
    if r.random() < 0.5:
        s["matchExpressions"] = []
        for _ in range(r.randint(1, 2)):
            e = {"key": r.choice(KEYS), "operator": r.choice(("In", "NotIn", "Exists", "DoesNotExist"))}
            if e["operator"] in ("In", "NotIn"):
                e["values"] = r.sample(VALUES, r.randint(1, 2))
            s["matchExpressions"].append(e)
    return s


def block(r):
    cidr = r.choice(V4 + V6)
    net = ipaddress.ip_network(cidr, strict=False)
    inside = [x for x in V4 + V6 for n in [ipaddress.ip_network(x, strict=False)]
              if n.version == net.version and n != net and n.subnet_of(net)]
    b = {"cidr": cidr}
    if inside and r.random() < 0.5:
        b["except"] = r.sample(inside, r.randint(1, min(2, len(inside))))
    return b


def peer(r):
    kind = r.random()
    if kind < 0.35:
        return {"ipBlock": block(r)}
    p = {}
    if kind < 0.8:
        p["podSelector"] = selector(r)
    if kind > 0.6:
        p["namespaceSelector"] = selector(r)
    return p


def policy_port(r):
    p = {}
    if r.random() < 0.7:
        p["protocol"] = r.choice(PROTOS)
    kind = r.random()
    if kind < 0.25:
        p["port"] = r.choice(NAMES)
    elif kind < 0.85:
        p["port"] = r.choice(PORTS)
        if kind < 0.5:
            p["endPort"] = min(65535, p["port"] + r.choice((0, 1, 30, 1000)))
    return p


def rule(r, peers_key):
    out = {}
    if r.random() < 0.8:
        out[peers_key] = [peer(r) for _ in range(r.randint(0, 3))]
    if r.random() < 0.7:
        out["ports"] = [policy_port(r) for _ in range(r.randint(0, 3))]
    return out


def policy(r, i):
    spec = {"podSelector": selector(r) if r.random() < 0.7 else {}}
    for key, peers_key in (("ingress", "from"), ("egress", "to")):
        if r.random() < 0.7:
            spec[key] = [rule(r, peers_key) for _ in range(r.randint(0, 3))]
    if r.random() < 0.6:
        spec["policyTypes"] = r.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"], []))
    meta = {"name": "p%d" % i, "namespace": r.choice(("n0", "n1"))}
    if r.random() < 0.15:
        meta["annotations"] = {"weir.io/audit": "true"}
    return {"metadata": meta, "spec": spec}


def pod(r, i):
    ns = i % 3
    p = {"ns": "n%d" % ns, "name": "p%d" % i, "labels": labels(r), "ips": ["10.0.%d.%d" % (ns % 2, i), "fd00::%d:%d" % (ns % 2, i)],
         "ports": [{"name": r.choice(NAMES), "port": r.choice(PORTS), "proto": r.choice(PROTOS)}
                   for _ in range(r.randint(0, 2))], "node": r.choice(("m0", "m1"))}
    if r.random() < 0.06:
        p["phase"] = "Succeeded"
    return p


def host_pod(r, node):
    """A pod on the network of a node; only where its manifest tells, it has the addresses."""
    p = {"ns": "n0", "name": "host-" + node["name"], "labels": labels(r), "node": node["name"], "hostNetwork": True,
         "ports": [{"name": r.choice(NAMES), "port": r.choice(PORTS), "proto": r.choice(PROTOS)}]}
    if r.random() < 0.7:
        p["ips"] = node["ips"]
    return p


def ends(case):
    """(name, addresses) of everything that there is; None: nothing but an address."""
    pods = [(p["ns"] + "/" + p["name"], p["ips"]) for p in case["pods"] if not p.get("hostNetwork")]
    hosts = [(p["ns"] + "/" + p["name"], next(n["ips"] for n in case["nodes"] if n["name"] == p["node"]))
             for p in case["pods"] if p.get("hostNetwork")]
    return (pods * 2 + hosts + [("node:" + n["name"], n["ips"]) for n in case["nodes"]] +
            [(None, ["203.0.113.7", "2001:db8::7"]), (None, ["198.51.100.1", "2001:db9::1"])])


def probe(r, w):
    family = r.randint(0, 1)
    (src, src_ips), (dst, dst_ips) = (r.choice(ends(w.case)) for _ in range(2))
    row = {"from": src_ips[family], "to": dst_ips[family], "port": r.choice(PORTS + (82, 1080, 9999)), "proto": r.choice(PROTOS)}
    row["allowed"] = w.allowed(row["from"], row["to"], row["port"], row["proto"])
    if src and r.random() < 0.5:
        row.update({"from": src, "fromIP": row["from"]})
    if dst and r.random() < 0.5:
        row.update({"to": dst, "toIP": row["to"]})
    return row


UNKNOWN = "198.18.0.0"  # whoever only an ipBlock for everyone meets


def node_probe(r, w):
    """Of a node that no Node object describes, to or from a pod."""
    node = r.choice(w.case["nodes"])["name"]
    pod = r.choice([p for p in w.case["pods"] if w.plain(p)] or w.case["pods"])
    row = {"from": "node:" + node, "to": pod["ns"] + "/" + pod["name"], "port": r.choice(PORTS), "proto": r.choice(PROTOS)}
    row["allowed"] = w.allowed(UNKNOWN, pod["ips"][0], row["port"], row["proto"], node)
    if r.random() < 0.3:
        row["from"], row["to"] = row["to"], row["from"]
        row["allowed"] = w.allowed(pod["ips"][0], UNKNOWN, row["port"], row["proto"])
    return row


def world(seed, n_probes=40):
    """A case with its expectations filled in by the evaluator."""
    r = random.Random(seed)
    case = {"name": "random world %s" % seed, "namespaces": [{"name": "n%d" % i, "labels": labels(r)} for i in range(3)],
            "nodes": [{"name": "m%d" % i, "ips": ["192.168.0.%d" % (i + 1), "fd01::%d" % (i + 1)]} for i in range(2)],
            "pods": [pod(r, i) for i in range(r.randint(3, 8))], "policies": [policy(r, i) for i in range(r.randint(1, 6))]}
    if r.random() < 0.2:
        w = World(case)
        for p, name in zip(case["pods"], ("m0", "m1")):  # or nothing would name the nodes
            p["node"] = name
        case["expect"] = [node_probe(r, w) for _ in range(n_probes)]
        return {**case, "nodes": []}
    case["pods"] += [host_pod(r, n) for n in case["nodes"] if r.random() < 0.4]
    w = World(case)
    case["expect"] = [probe(r, w) for _ in range(n_probes)]
    return case
