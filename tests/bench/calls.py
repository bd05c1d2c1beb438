#!/usr/bin/env python3
# calls.py - one-shot applets beside curl, and what many nodes cost
# SPDX-License-Identifier: Apache-2.0
"""usage: calls.py [--lmc LMC] [--rounds N]

lmc metrics, loglevel and version of one simulated node on a UNIX socket, in
alternation with curl --unix-socket for the same request: wall time from fork
to exit. Then lmc's start-up (an applet that ends before it asks anybody),
resident memory at its peak (GNU time's, if it is there), and version of 200
nodes beside one.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def once(args):
    start = time.perf_counter()
    subprocess.run(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return (time.perf_counter() - start) * 1000


def alternate(rounds, *commands):
    times = [[] for _ in commands]
    for _ in range(rounds):
        for t, command in zip(times, commands):
            t.append(once(command))
    return times


def resident(args):
    """KiB. The shell between us and time keeps our own memory out of it."""
    if not os.path.exists("/usr/bin/time"):
        return "-"
    p = subprocess.run(["sh", "-c", 'exec 3>&2; /usr/bin/time -f %M "$@" >/dev/null', "sh", *args],
                       capture_output=True, text=True, check=False)
    return re.findall(r"\d+", p.stderr)[-1]


def node(lmc, paths):
    r, w = os.pipe()
    words = [word for p in paths for word in ("--node", "unix:" + p)]
    p = subprocess.Popen([lmc, "demo", *words, "--ready-fd", str(w)], pass_fds=[w],
                         stderr=subprocess.DEVNULL)
    os.close(w)
    with os.fdopen(r) as f:
        if not f.read():
            raise SystemExit("the nodes did not start")
    return p


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lmc", default=os.environ.get("LMC", os.path.join(HERE, "../../lmc")))
    parser.add_argument("--rounds", type=int, default=301)
    o = parser.parse_args()
    lmc = os.path.abspath(o.lmc)
    curl = shutil.which("curl")
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, "n%d.sock" % i) for i in range(200)]
        p = node(lmc, paths)
        try:
            print("%-10s %9s %9s %6s %9s %9s %9s %9s" % (
                "", "lmc ms", "curl ms", "ratio", "lmc best", "curl best", "lmc KiB", "curl KiB"))
            for applet, path in (("metrics", "/metrics"), ("loglevel", "/loglevel"), ("version", "/version")):
                ours = [lmc, applet, "-n", paths[0]]
                theirs = [curl, "-s", "--unix-socket", paths[0], "http://localhost" + path]
                a, b = alternate(o.rounds, ours, theirs)
                x, y = statistics.median(a), statistics.median(b)
                print("%-10s %9.2f %9.2f %6.2f %9.2f %9.2f %9s %9s" % (
                    applet, x, y, x / y, min(a), min(b), resident(ours), resident(theirs)))
            start, = alternate(o.rounds, [lmc, "version", "-n", folder + "/none"])
            print("start-up: median %.2f ms, best %.2f ms" % (statistics.median(start), min(start)))
            many = [word for q in paths for word in ("-n", q)]
            one, all_ = alternate(max(11, o.rounds // 10), [lmc, "version", "-n", paths[0]], [lmc, "version", *many])
            x, y = statistics.median(one), statistics.median(all_)
            print("version of 200 nodes: median %.1f ms, of one %.1f ms; the goal is %.1f ms; %s KiB" % (
                y, x, 1.5 * x + 200, resident([lmc, "version", *many])))
        finally:
            p.terminate()
            p.wait()


main()
