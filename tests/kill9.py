#!/usr/bin/env python3
# kill9.py - is a file whole whenever its writer is killed?
# SPDX-License-Identifier: Apache-2.0
"""usage: kill9.py TIMES FILE LMC ONE.prom TWO.prom

Lets lmc write ONE and TWO to FILE in turn, kills it at a random moment, and
compares FILE with what a writer that lived made of either.
"""
import os
import random
import subprocess
import sys
import time

times, out, lmc, one, two = int(sys.argv[1]), *sys.argv[2:]


def writer(source):
    return [lmc, "metrics", "--merge", "n=" + source, "--textfile", out]


whole = []
for source in (one, two):
    began = time.time()
    subprocess.run(writer(source), check=True)
    took = time.time() - began
    whole.append(open(out, "rb").read())
assert whole[0] != whole[1]
random.seed(7)
killed = changed = 0
was = whole[1]
for i in range(times):
    p = subprocess.Popen(writer((one, two)[i % 2]))
    time.sleep(random.random() * took * 1.2)
    p.kill()
    killed += p.wait() < 0
    now = open(out, "rb").read()
    if now not in whole:
        sys.exit(f"after {i} times the file is neither the old nor the new one")
    changed += now != was
    was = now
    for name in os.listdir(os.path.dirname(out)):
        if name.endswith(".prom") and name != os.path.basename(out):
            sys.exit(f"a collector would read {name}")
print(f"{killed} of {times} killed, the file changed {changed} times")
sys.exit(killed < times // 4 or changed < 3)
