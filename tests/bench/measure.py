# measure.py - the cases, and one look at a proxy
# SPDX-License-Identifier: Apache-2.0

import os
import statistics
import subprocess
from dataclasses import dataclass

from peers import Client, Process, Trouble, free_port

IDLE = 5000
MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    size: int
    conns: int
    kind: str           # how the node is reached: unix or tcp
    upload: bool = False
    requests: int = 0   # 0: for the slice's seconds

    @property
    def large(self):
        return self.size >= MIB

    @property
    def name(self):
        way = "up " if self.upload else ""
        return f"{way}{bytes_text(self.size)}, {self.conns} conn, {self.kind}"

    @property
    def path(self):
        where = "/large" if self.large else ""
        return where + ("/up" if self.upload else f"/b/{self.size}")

    def load(self, seconds):
        what = "-u" if self.upload else "-b"
        how = ["-r", self.requests] if self.requests else ["-d", seconds]
        return [str(w) for w in ["-c", self.conns, what, self.size, *how]]


def bytes_text(n):
    if n % MIB == 0:
        return f"{n // MIB} MiB"
    return f"{n / 1000:g} kB" if n >= 1000 else f"{n} B"


QUICK = [Case(8, 32, "unix"), Case(17600, 32, "unix"), Case(MIB, 32, "unix"),
         Case(MIB, 32, "unix", upload=True)]
FULL = [Case(size, conns, kind) for size in (8, 17600)
        for kind in ("unix", "tcp") for conns in (1, 32, 256)]
FULL += [Case(MIB, conns, kind, upload) for upload in (False, True)
         for kind in ("unix", "tcp") for conns in (1, 32)]
FULL += [Case(256 * MIB, 1, kind, upload, requests=4)
         for upload in (False, True) for kind in ("unix", "tcp")]


def busy_ns():
    """CPU time of the whole machine, and what was there to use. Ticks."""
    with open("/proc/stat") as f:
        ticks = [int(t) for t in f.readline().split()[1:9]]
    per_tick = 10 ** 9 // os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - ticks[3] - ticks[4]) * per_tick, \
        sum(ticks) * per_tick


def ours_ns(bench, client, server):
    return sum(p.cpu_ns() for p in (bench.upstream, client, server))


def one_slice(bench, peer, case, seconds):
    """Figures of one short run against one proxy."""
    client = Client(bench, [*case.load(seconds), peer.addr(case.kind),
                            peer.path(case.kind, case.path)])
    server = peer.server(case.kind)
    before, ours = server.cpu_ns(), ours_ns(bench, client, server)
    busy, there = busy_ns()
    got = client.go()
    got["cpu_us"] = (server.cpu_ns() - before) / 1000 / got["requests"]
    ours = ours_ns(bench, client, server) - ours
    busy, there = (b - a for a, b in zip((busy, there), busy_ns()))
    got["others"] = max(0, busy - ours) / there
    got["rate"] = got["requests"] / got["seconds"]
    got["mib_s"] = got["bytes"] / MIB / got["seconds"]
    got["rss"] = server.memory()["rss"]
    client.close()
    return got


def ask(bench, peer, conns, requests, at_once=0):
    """Connections that each asked once, and requests in all; still open."""
    argv = ["-c", conns, "-r", requests, "-b", 8]
    argv += ["-w", at_once] if at_once else []
    client = Client(bench, [*map(str, argv), peer.addr("unix"),
                            peer.path("unix", "/b/8")])
    return client, client.go()


def memory(bench, peer, million):
    """Resident memory: started, with many idle connections, after a
    million requests. Each on a fresh process."""
    peer.restart()
    server = peer.server("unix")
    got = {"idle_rss": server.memory()["rss"],
           "idle_anon": server.memory()["anon"]}

    client, _ = ask(bench, peer, 32, 32)
    client.close()
    before = server.memory()["own"]
    client, _ = ask(bench, peer, IDLE, 0, at_once=32)
    got["per_idle"] = (server.memory()["own"] - before) / IDLE
    client.close()

    peer.restart()
    server = peer.server("unix")
    client, load = ask(bench, peer, 256, million)
    got["loaded_rss"] = server.memory()["rss"]
    got["loaded_anon"] = server.memory()["anon"]
    got["loaded_errors"] = load["errors"]
    client.close()
    return got


def start_ms(bench, peer, times):
    """Median time from exec to the first answer of the node."""
    took = []
    for _ in range(times):
        argv = peer.start_command(port := free_port())
        p = Process([bench.tool("start"), f"127.0.0.1:{port}",
                     peer.path("unix", "/b/8"), *argv],
                    stdout=subprocess.PIPE, text=True)
        text = p.child.communicate()[0]
        p.stop()
        if p.child.returncode:
            raise Trouble(f"{peer.name} did not start")
        took.append(float(text))
    return statistics.median(took)


def binary_size(bench, peer):
    path = peer.binary(bench)
    return os.stat(path).st_size if path else None
