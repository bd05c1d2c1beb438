#!/usr/bin/env python3
# united.py - what a frontend over many frontends costs
# SPDX-License-Identifier: Apache-2.0
"""usage: united.py [--lmc LMC] [--demo] [FRONTENDSxNODES...]

For each (10x10, 100x10, 1000x4): stand-ins for frontends (tests/frontends.py),
or with --demo so many `lmc demo`, which have at least three nodes; a registry
that names them; and `lmc proxy` over it. Prints a row of docs/scale.md: until
all are listed; until a change is listed, least and most of five; the helper's
CPU over ten seconds; VmHWM of helper and frontend, before and after three
scrapes; the median time of /api/nodes, and of those scrapes.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
running = []


def start(*args):
    """The addresses it says it is bound to."""
    r, w = os.pipe()
    p = subprocess.Popen([*args, "--ready-fd", str(w)], pass_fds=[w], stderr=subprocess.DEVNULL)
    running.append(p)
    os.close(w)
    return r, p


def ready(r):
    with os.fdopen(r) as f:
        return f.read().split()


def get(url, data=None, **headers):
    req = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(req, timeout=60) as a:
        return a.read()


def until(true, pause=0.02):
    begin = time.monotonic()
    while not true():
        if time.monotonic() - begin > 120:
            sys.exit("united.py: it never came true")
        time.sleep(pause)
    return time.monotonic() - begin


def peak_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(l.split()[1]) for l in f if l.startswith("VmHWM")) / 1000


def cpu_s(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0]) / 1e9


def stand_ins(n, nodes):
    r, _ = start("python3", os.path.join(HERE, "../frontends.py"), "--frontends", str(n),
                 "--nodes", str(nodes))
    registry = "http://" + ready(r)[0]
    return registry, lambda i: get(f"{registry}/set?n={i}&nodes={nodes + 1}")


def demos(lmc, n, nodes):
    r, _ = start(lmc, "discovery", "--listen", "127.0.0.1:0", "--per-source", "0", "--ttl", "50m")
    registry = "http://" + ready(r)[0]
    fronts = [start(lmc, "demo", "-q", "--port", "0", "--workers", str(nodes - 2), "--instance", f"h{i}")[0]
              for i in range(n)]
    fronts = ["http://" + ready(r)[0] for r in fronts]
    for i, f in enumerate(fronts):
        get(f"{registry}/heartbeat?pid={i}&api_address={urllib.parse.quote(f)}")
    body = b'{"name":"added","host":"127.0.0.1","port":1}'
    return registry, lambda i: get(fronts[i] + "/api/nodes", body)


def scrape(url):
    begin = time.monotonic()
    text = get(url + "/metrics", **{"X-Prometheus-Scrape-Timeout-Seconds": "30"})
    return time.monotonic() - begin, len(text), text.count(b"\nlmc_node_up{")


def row(lmc, demo, n, nodes):
    registry, change = demos(lmc, n, nodes) if demo else stand_ins(n, nodes)
    begin = time.monotonic()
    r, p = start(lmc, "proxy", "--nodes", "[]", "--port", "0", "--node-supplier-url", registry)
    url = "http://" + ready(r)[0]

    def leaves():
        return sum(len(f["children"]) for f in json.loads(get(url + "/api/nodes"))["nodes"])

    until(lambda: leaves() == n * nodes)
    all_s = time.monotonic() - begin
    changes = []
    for i in range(5):
        change(i)
        changes.append(until(lambda: leaves() == n * nodes + i + 1))
    with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
        helper = int(f.read())
    begin = cpu_s(helper)
    time.sleep(10)
    cpu = (cpu_s(helper) - begin) * 10
    quick = []
    for _ in range(9):
        at = time.monotonic()
        get(url + "/api/nodes")
        quick.append(time.monotonic() - at)
    before = peak_mb(p.pid)
    scrapes = [scrape(url) for _ in range(3)]
    asked = {s[2] for s in scrapes}
    if asked != {n * nodes + 5}:
        sys.exit(f"united.py: scrapes of {asked} nodes")
    took, size, _ = sorted(scrapes)[1]
    print(f"| {n:,} × {nodes}{', `lmc demo`' if demo else ''} | {all_s:.1f} s | {min(changes):.1f} to "
          f"{max(changes):.1f} s | {cpu:.1f} %, {peak_mb(helper):.1f} MB | {before:.1f} MB | {peak_mb(p.pid):.1f} MB | "
          f"{statistics.median(quick) * 1000:.0f} ms | {took:.2f} s, {size / 1e6:.1f} MB |", flush=True)


def main():
    o = argparse.ArgumentParser()
    o.add_argument("--lmc", default=os.environ.get("LMC", os.path.join(HERE, "../../lmc")))
    o.add_argument("--demo", action="store_true")
    o.add_argument("sizes", nargs="*", default=["10x10", "100x10", "1000x4"])
    o = o.parse_args()
    for size in o.sizes:
        n, _, nodes = size.partition("x")
        try:
            row(os.path.realpath(o.lmc), o.demo, int(n), int(nodes))
        finally:
            for p in reversed(running):
                p.terminate()
            for p in running:
                p.wait()
            running.clear()


main()
