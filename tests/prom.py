#!/usr/bin/env python3
# prom.py - what a real Prometheus has, and what an exposition says
# SPDX-License-Identifier: Apache-2.0
"""usage: prom.py value PORT QUERY        the one value of an instant query
       prom.py targets PORT              "HEALTH PATH NODE" a line, sorted
       prom.py agree PORT SUMMARY.json   every figure of lmc metrics --summary
                                         against its own formula, within 1 %
       prom.py balance FILE              is no sample of a merge lost?
"""
import json
import math
import re
import sys
import urllib.parse
import urllib.request


def api(port, path, **query):
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def value(port, query):
    result = api(port, "query", query=query)["result"]
    if len(result) != 1:
        return None
    return float(result[0]["value"][1])


def targets(port):
    lines = []
    for t in api(port, "targets", state="active")["activeTargets"]:
        path = urllib.parse.urlsplit(t["scrapeUrl"]).path
        lines.append(f'{t["health"]} {path} {t["labels"].get("node", "-")}')
    return sorted(lines)


def near(a, b):
    return math.isclose(a, b, rel_tol=0.01, abs_tol=1e-9)


def agree(port, file):
    checked = bad = 0
    for x in json.load(open(file)):
        for formula, mine in ((x.get("formula"), x["value"]),
                              (x.get("recent_formula"), x.get("recent"))):
            if not formula:
                continue
            theirs = value(port, formula)
            checked += 1
            if mine is None or theirs is None or not near(mine, theirs):
                bad += 1
                print(f'{x["id"]}: {mine} here, {theirs} there: {formula}')
    print(f"{checked} checked, {bad} differ")
    return checked < 30 or bad


def balance(file):
    """Samples out = samples in + what lmc adds - reported duplicates."""
    out = nodes = dups = own = 0
    for line in open(file):
        if line.startswith("#") or not line.strip():
            continue
        out += 1
        name = re.match(r"[^ {]+", line)[0]
        number = float(line.rsplit(" ", 1)[1])
        own += name.startswith("lmc_")
        nodes += number if name == "lmc_node_scrape_samples" else 0
        dups += number if name == "lmc_metrics_duplicates" else 0
    print(f"{out} samples = {nodes:.0f} of nodes + {own} added - {dups:.0f} twice")
    return not (nodes > 0 and own > 0 and out == nodes + own - dups)


def main():
    what, *rest = sys.argv[1:]
    if what == "value":
        v = value(*rest)
        print("none" if v is None else f"{v:.15g}")
        return 0
    if what == "targets":
        print("\n".join(targets(*rest)))
        return 0
    return {"agree": agree, "balance": balance}[what](*rest)


sys.exit(main())
