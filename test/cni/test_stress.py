# SPDX-License-Identifier: Apache-2.0
"""Many at once, and killed at any moment."""
import concurrent.futures
import os
import random
import time

from harness import NOTHING, Agent, ip, sh, test


@test
def fifty_at_once(host, net):
    """1,000 ADD/DEL pairs, 50 at a time: no address twice, nothing left, links and descriptors back to where they were"""
    pods = [host.new_pod() for _ in range(50)]
    held, twice = {}, []

    def life(i):
        cid, pod = f"c{i}", pods[i % 50]
        a = net.add(pod, cid=cid).ok()
        for f in (4, 6):
            if held.setdefault(a.address(f), cid) != cid:
                twice.append(a.address(f))
        for f in (4, 6):
            held.pop(a.address(f))
        net.delete(cid=cid, netns=pod).ok()

    def lives(k):
        for i in range(k, 1000, 50):
            life(i)
    fds = len(os.listdir("/proc/self/fd"))
    with Agent(net) as agent, concurrent.futures.ThreadPoolExecutor(50) as pool:
        list(pool.map(lives, range(50)))
        assert agent.ops().count("add") == agent.ops().count("del") == 1000
    assert not twice and net.left() == NOTHING, twice
    assert len(os.listdir("/proc/self/fd")) <= fds + 1
    assert all([l["ifname"] for l in ip("link", netns=p)] == ["lo"] for p in pods[:3])


@test
def pool_for_fifty(host, net):
    """50 ADDs at once into a pool for 29: exactly 29 succeed, each with its own address"""
    pods = [host.new_pod() for _ in range(50)]
    net.conf["ipam"] = {"subnets": ["10.9.0.0/27"]}
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda i: net.add(pods[i], cid=f"c{i}"), range(50)))
        good = [a.address() for a in answers if a.rc == 0]
        assert len(good) == len(set(good)) == 29 and all(a.rc == 0 or a.code == 102 for a in answers), answers
        assert len(net.leases()) == len(net.records()) == 29
        list(pool.map(lambda i: net.delete(cid=f"c{i}").ok(), range(50)))


def killed(net, pod, rounds, how_long, clean, stages=1):
    """kill -9 at random moments of ADD; clean() must leave nothing. Returns how far the rounds got: more of them, up to six
    times as many, while they have not met so many stages (a busy machine is hard to aim at, and an ADD takes a millisecond)."""
    far = set()
    for i in range(6 * rounds):
        if i >= rounds and len(far) >= stages:
            break
        # mostly early: on a quiet machine ADD is done in a fraction of the time that starting it takes
        net.kill_after("ADD", random.random() ** 3 * how_long, cid=f"k{i}", netns=pod)
        left = net.left()
        far.add((bool(left["records"]), bool(left["leases"]), bool(left["links"]), bool(left["routes"])))
        clean(i)
        assert net.left() == NOTHING, (i, left, net.left())
        assert [l["ifname"] for l in ip("link", netns=pod)] == ["lo"]
        d = net.dir / "state/attachments"
        assert not d.exists() or not os.listdir(d), os.listdir(d)
    return far


def one_add_takes(net, pod):
    start = time.perf_counter()
    net.add(pod).ok()
    took = time.perf_counter() - start
    net.delete().ok()
    return took


@test
def killed_then_deleted(host, net):
    """kill -9 at 150 random moments of ADD and more, then DEL: nothing is left"""
    pod = host.new_pod()
    far = killed(net, pod, 150, min(one_add_takes(net, pod), 0.01), lambda i: net.delete(cid=f"k{i}", netns=pod).ok(), 3)
    assert len(far) >= 3, f"the kills did not spread over the stages: {far}"


@test
def killed_then_collected(host, net):
    """kill -9 at 50 random moments of ADD, then GC: nothing is left"""
    pod = host.new_pod()

    def collect(_):
        d = net.dir / "state/attachments"
        for f in d.glob(".*") if d.exists() else []:
            os.utime(f, (0, 0))  # a minute later
        net.run("GC", conf={"cni.dev/valid-attachments": []}).ok()
    killed(net, pod, 50, min(one_add_takes(net, pod), 0.01), collect)


@test
def killed_deletes(host, net):
    """kill -9 at 50 random moments of DEL, then DEL again: nothing is left, no lease of another is touched"""
    pod, other = host.new_pod(), host.new_pod()
    keep = net.add(other, cid="keep").ok()
    for i in range(50):
        net.add(pod, cid=f"k{i}").ok()
        net.kill_after("DEL", random.random() * 0.03, cid=f"k{i}", netns=pod)
        net.delete(cid=f"k{i}").ok()
        assert set(net.leases()) == {keep.address(4), keep.address(6)} and net.records() == ["keep:eth0.json"]
    net.delete(cid="keep").ok()


@test
def the_next_sandbox(host, net):
    """after a killed ADD the runtime's retry with a new ID works at once"""
    pod = host.new_pod()
    for i in range(20):
        net.kill_after("ADD", random.random() * 0.003, cid=f"a{i}", netns=pod)
        fresh = host.new_pod()
        net.add(fresh, cid=f"b{i}").ok()
        net.delete(cid=f"a{i}").ok()
        net.delete(cid=f"b{i}").ok()
        sh("ip", "netns", "del", fresh.rsplit("/", 1)[1])


@test
def no_descriptor_leaks_into_plugins(host, net):
    """a delegated plugin inherits standard descriptors only, in the host's namespace"""
    d = net.dir / "bin"
    d.mkdir()
    (d / "fds").write_text('#!/bin/sh\nls -l /proc/self/fd >"$LOG"\nreadlink /proc/self/ns/net >>"$LOG"\n'
                           '[ $CNI_COMMAND != ADD ] || echo \'{"cniVersion":"1.1.0","ips":[{"address":"10.4.0.9/24"}]}\'\n')
    (d / "fds").chmod(0o755)
    net.conf["ipam"] = {"type": "fds"}
    kw = {"path": str(d), "LOG": str(net.dir / "log")}
    net.add(host.new_pod(), **kw).ok()
    seen = (net.dir / "log").read_text()
    numbers = {line.split(" -> ")[0].split()[-1] for line in seen.splitlines() if " -> " in line}
    assert numbers == {"0", "1", "2", "3"}, seen  # 3: the folder that ls reads
    assert os.readlink("/proc/self/ns/net") in seen
    net.delete(**kw).ok()
