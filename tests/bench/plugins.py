#!/usr/bin/env python3
# plugins.py - what starting 50 plugins costs beyond the plugins themselves
# SPDX-License-Identifier: Apache-2.0
"""usage: plugins.py LMC

Runs 50 scripts that end at once, by lmc plugin-run and by a bare posix_spawn,
in turn, and prints the median of each in ms.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

COUNT, ROUNDS = 50, 21
lmc = os.path.abspath(sys.argv[1])


def bare(files):
    null = os.open("/dev/null", os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in range(3)]
    for f in files:
        os.posix_spawn("/bin/sh", ["/bin/sh", f], os.environ, file_actions=actions)
    for _ in files:
        os.wait()
    os.close(null)


def lmc_with(*options):
    def run(files):
        subprocess.run([lmc, "plugin-run", "--until-done", *options, os.path.dirname(files[0])],
                       stderr=subprocess.DEVNULL, check=True)
    return run


def main():
    ways = {"bare posix_spawn": bare, "lmc plugin-run": lmc_with(),
            "lmc plugin-run --cgroup none": lmc_with("--cgroup", "none")}
    took = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as top:
        files = [os.path.join(top, "all_%d.sh" % i) for i in range(COUNT)]
        for f in files:
            with open(f, "w") as out:
                out.write("#!/bin/sh\nexit 0\n")
        for _ in range(ROUNDS):
            for name, run in ways.items():
                start = time.monotonic()
                run(files)
                took[name].append((time.monotonic() - start) * 1000)
    for name, ms in took.items():
        print("%-30s median %5.1f ms   best %5.1f ms" % (name, statistics.median(ms), min(ms)))


main()
