#!/usr/bin/env python3
# registry.py - heartbeats a second, memory and lists of lmc discovery
# SPDX-License-Identifier: Apache-2.0
"""usage: registry.py [--lmc LMC] [--frontends N] [--seconds N] [--dir DIR]

N frontends (10,000) report over 64 kept connections, as fast as they are
answered, with the journal in DIR under each --fsync. load.c sends, one thread;
the registry's own CPU time per heartbeat is what counts, and one core's worth
of it is 1 s / that. Then its memory for each entry, and the time of a whole
/lmcache_infos, from asking to the last byte.
"""
import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
PATH = ("/lmcache_heartbeat?pid=12030&api_address=http%3A%2F%2F10.1.2.3%3A@@@@@&version=0.3.10-g1f2e"
        "3d4c5&other_info=%7B%22startup_time%22%3A+%222026-11-23T04%3A36%3A08.553483%22%2C+%22nodes"
        "_count%22%3A+7%7D")
BODY = len('{"status":"success"}\n')


def cpu_us(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0]) / 1000


def own_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"RssAnon:\s+(\d+)", f.read())[1])


class Registry:
    def __init__(self, lmc, *args):
        r, w = os.pipe()
        self.process = subprocess.Popen(
            [lmc, "discovery", "--listen", "127.0.0.1:0", "--per-source", "0", "--entries", "200000",
             "--ready-fd", str(w), *args], pass_fds=[w])
        os.close(w)
        with os.fdopen(r) as f:
            self.addr = f.readline().strip()
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def load(tool, registry, n, *how):
    # ports 1..65535 only; number 0 would be none
    path = PATH.replace("@@@@@", "1@@@@") if n <= 10000 else PATH
    out = subprocess.run([tool, "-c", "64", "-n", str(n), "-b", str(BODY), *map(str, how),
                          registry.addr, path], check=True, stdout=subprocess.PIPE)
    return json.loads(out.stdout)


def beats(opts, tool):
    print(f"{opts.frontends} frontends, 64 connections   beats/s   cpu us   of one core   p99 us  journal kB")
    for sync in ("", "never", "interval", "always"):
        journal = os.path.join(opts.dir, "bench-journal")
        args = ["--journal", journal, "--fsync", sync] if sync else []
        with Registry(opts.lmc, *args) as registry:
            load(tool, registry, opts.frontends, "-r", opts.frontends)
            before = cpu_us(registry.pid)
            got = load(tool, registry, opts.frontends, "-d", opts.seconds)
            us = (cpu_us(registry.pid) - before) / got["requests"]
            size = os.stat(journal).st_size >> 10 if sync else 0
            print(f"{'--fsync ' + sync if sync else 'no journal':36}{got['requests'] / got['seconds']:8.0f}"
                  f"{us:9.2f}{1e6 / us:14.0f}{got['p99_us']:9.0f}{size:12}", flush=True)
            if sync == "interval":      # as httpx.get() does
                before = cpu_us(registry.pid)
                got = load(tool, registry, opts.frontends, "-x", "-r", 20000)
                us = (cpu_us(registry.pid) - before) / got["requests"]
                print(f"{'  a connection for each':36}{got['requests'] / got['seconds']:8.0f}"
                      f"{us:9.2f}{1e6 / us:14.0f}{got['p99_us']:9.0f}", flush=True)
        if sync:
            os.unlink(journal)


def lists(opts, tool):
    with Registry(opts.lmc) as registry:
        empty = own_kb(registry.pid)
        load(tool, registry, opts.frontends, "-r", opts.frontends)
        full = own_kb(registry.pid)
        took, cpu = [], []
        for _ in range(20):
            c = http.client.HTTPConnection(registry.addr, timeout=60)
            c.connect()
            before, start = cpu_us(registry.pid), time.monotonic()
            c.request("GET", "/lmcache_infos")
            body = c.getresponse().read()
            took.append(time.monotonic() - start)
            cpu.append(cpu_us(registry.pid) - before)
            c.close()
        n = json.loads(body)["processCount"]
        print(f"{n} entries: {(full - empty) * 1024 / n:.0f} bytes each; list of {len(body)} bytes: "
              f"median {statistics.median(took) * 1e3:.1f} ms, worst {max(took) * 1e3:.1f} ms, "
              f"{statistics.median(cpu) / 1e3:.1f} ms of CPU")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--lmc", default="./lmc")
    p.add_argument("--frontends", type=int, default=10000)
    p.add_argument("--seconds", type=int, default=5)
    p.add_argument("--dir", default=tempfile.gettempdir(), help="where the journal goes")
    opts = p.parse_args()
    with tempfile.TemporaryDirectory() as d:
        tool = d + "/load"
        subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-o", tool, HERE + "/load.c", HERE + "/bench.c"],
                       check=True)
        beats(opts, tool)
        lists(opts, tool)


if __name__ == "__main__":
    main()
