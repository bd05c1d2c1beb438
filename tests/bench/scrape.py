#!/usr/bin/env python3
# scrape.py - merged /metrics a second, and what they cost the frontend
# SPDX-License-Identifier: Apache-2.0
"""usage: scrape.py [--lmc LMC] [--seconds N]

64 nodes of 17.6 kB behind one frontend, scraped by one, then by four at once,
as text and with gzip; then 1000 nodes of which 100 hang, with a deadline of
2 seconds. The nodes and the scrapers are Python and share the machine: CPU
time of the frontend is what counts, rates are what remained.
"""
import argparse
import http.client
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = os.sysconf("SC_CLK_TCK")


def ready(args):
    r, w = os.pipe()
    p = subprocess.Popen([*args, "--ready-fd", str(w)], pass_fds=[w],
                         stderr=subprocess.DEVNULL)
    os.close(w)
    with os.fdopen(r) as f:
        addr = f.readline().strip()
    if not addr:
        raise SystemExit(f"did not start: {args}")
    return p, addr


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])


class House:
    def __init__(self, lmc, count, hang):
        self.dir = tempfile.TemporaryDirectory()
        self.nodes, _ = ready([sys.executable, HERE + "/../many.py", "--count", str(count),
                               "--hang", str(hang), self.dir.name])
        self.front, self.addr = ready([lmc, "proxy", "--config", self.dir.name + "/nodes.json",
                                       "--port", "0", "--probe", "0"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in (self.front, self.nodes):
            p.terminate()
            p.wait()
        self.dir.cleanup()

    def scrape(self, c, headers):
        c.request("GET", "/metrics", headers=headers)
        answer = c.getresponse()
        body = answer.read()
        assert answer.status == 200, answer.status
        return body

    def rate(self, scrapers, seconds, headers):
        ends = time.time() + seconds
        counts = [0] * scrapers

        def loop(i):
            c = http.client.HTTPConnection(self.addr, timeout=10)
            while time.time() < ends:
                self.scrape(c, headers)
                counts[i] += 1

        threads = [threading.Thread(target=loop, args=(i,)) for i in range(scrapers)]
        before, began = cpu(self.front.pid), time.time()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        took, n = time.time() - began, sum(counts)
        return n / took, (cpu(self.front.pid) - before) / n * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lmc", default=os.environ.get("LMC", "./lmc"))
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()

    print(f'{"64 nodes, 17.6 kB each":32} {"scrapes/s":>10} {"cpu ms":>8} {"peak KiB":>9}')
    with House(args.lmc, 64, 0) as h:
        for n, name, headers in ((1, "one scraper", {}), (4, "four scrapers", {}),
                                 (1, "one scraper, gzip", {"Accept-Encoding": "gzip"})):
            rate, ms = h.rate(n, args.seconds, headers)
            print(f"{name:32} {rate:10.1f} {ms:8.2f} {peak(h.front.pid):9}")
    with House(args.lmc, 1000, 100) as h:
        c = http.client.HTTPConnection(h.addr, timeout=30)
        began = time.time()
        body = h.scrape(c, {"X-Prometheus-Scrape-Timeout-Seconds": "2"}).decode()
        up = len(re.findall(r"^lmc_node_up\{.*\} 1$", body, re.M))
        print(f"1000 nodes, 100 hang, 2 s: {time.time() - began:.2f} s, {up} up, "
              f"{len(body) / 1e6:.1f} MB, {cpu(h.front.pid) * 1000:.0f} ms CPU, "
              f"peak {peak(h.front.pid)} KiB")


main()
