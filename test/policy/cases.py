# SPDX-License-Identifier: Apache-2.0
"""Truth tables of NetworkPolicy: reading them, and turning a case into manifests and probes.

A case is {name, namespaces, pods, nodes?, externals?, policies, expect}, as docs/policy.md describes it.

    for case in cases.load(path):            # a file, a folder or a tar archive
        cases.write_objects(case, folder)    # one JSON List that `weir` reads
        probes = cases.probes(case)          # in the order of case["expect"]

As a program: cases.py CASE.json FOLDER writes FOLDER/objects.json and FOLDER/probes.json.
"""
import json
import os
import sys
import tarfile


def load(path):
    """Every case below path, sorted by file name. A file holds one case or a list of them."""
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            if name.endswith(".json"):
                yield from load(os.path.join(path, name))
    elif ".tar" in os.path.basename(path):
        with tarfile.open(path) as tar:
            for member in sorted(tar.getmembers(), key=lambda m: m.name):
                if member.name.endswith(".json"):
                    yield json.load(tar.extractfile(member))
    else:
        with open(path) as f:
            data = json.load(f)
        yield from data if isinstance(data, list) else [data]


def pod_manifest(pod):
    ports = []
    for p in pod.get("ports", []):
        port = {"containerPort": p["port"], "protocol": p.get("proto", "TCP")}
        if p.get("name"):
            port["name"] = p["name"]
        ports.append(port)
    meta = {"name": pod["name"], "namespace": pod["ns"], "labels": pod.get("labels", {})}
    if pod.get("created"):
        meta["creationTimestamp"] = pod["created"]
    if pod.get("terminating"):
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    spec = {"containers": [{"name": "c", "image": "i", "ports": ports}]}
    if pod.get("node"):
        spec["nodeName"] = pod["node"]
    if pod.get("hostNetwork"):
        spec["hostNetwork"] = True
    spec.update(pod.get("spec", {}))
    ips = pod.get("ips") or ([pod["ip"]] if pod.get("ip") else [])
    status = {"phase": pod.get("phase", "Running")}
    if ips:
        status.update(podIP=ips[0], podIPs=[{"ip": ip} for ip in ips])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def node_manifest(node):
    ips = node.get("ips") or [node["ip"]]
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node["name"]},
            "status": {"addresses": [{"type": "InternalIP", "address": ip} for ip in ips]}}


def policy_manifest(policy):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", **policy}


def objects(case):
    items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n["name"], "labels": n.get("labels", {})}}
             for n in case.get("namespaces", [])]
    items += [node_manifest(n) for n in case.get("nodes", [])]
    items += [pod_manifest(p) for p in case["pods"]]
    items += [policy_manifest(p) for p in case["policies"]]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def end(case, text):
    """"ns/pod", "node:NAME" or "ext:NAME" as `weir policy matrix` takes it."""
    kind, _, name = text.partition(":")
    if kind == "node" and name:
        return "node/" + name
    if kind == "ext" and name:
        return next(x["ip"] for x in case["externals"] if x["name"] == name)
    return text


def probes(case):
    out = []
    for row in case["expect"]:
        probe = {"from": end(case, row["from"]), "to": end(case, row["to"]), "port": row["port"],
                 "protocol": row.get("proto", "TCP")}
        probe.update({k: row[k] for k in ("fromIP", "toIP") if k in row})
        out.append(probe)
    return out


def write_objects(case, folder):
    with open(os.path.join(folder, "objects.json"), "w") as f:
        json.dump(objects(case), f)


def main():
    case, folder = next(load(sys.argv[1])), sys.argv[2]
    write_objects(case, folder)
    with open(os.path.join(folder, "probes.json"), "w") as f:
        json.dump(probes(case), f)


if __name__ == "__main__":
    main()
