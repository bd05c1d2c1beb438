"""demo_numbers.py - do the numbers of simulated nodes agree with each other?

usage: demo_numbers.py EARLIER LATER...   (expositions of one node, in time)

Checks every exposition by itself and each against the one before.
SPDX-License-Identifier: Apache-2.0
"""
import re
import sys

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
CHUNK_BYTES = 28 * 2 * 256 * 2 * 128 * 2
bad = 0


def check(true, what):
    global bad
    if not true:
        bad += 1
        print("not true:", what)


def read(path):
    samples, types = {}, {}
    with open(path) as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                check(name not in types, f"{name} has one TYPE")
                types[name] = kind
            elif not line.startswith("#"):
                m = SAMPLE.match(line)
                check(m, f"{line!r} is a sample")
                key = (m.group(1), m.group(2) or "")
                check(key not in samples, f"{key} is there once")
                samples[key] = float(m.group(3))
    return samples, types


def histograms(samples, types):
    for name in [n for n, t in types.items() if t == "histogram"]:
        rows = [(k[1], v) for k, v in samples.items() if k[0] == name + "_bucket"]
        if not rows:
            continue
        bounds = [float(re.search(r'le="([^"]+)"', k).group(1)) for k, _ in rows]
        counts = [v for _, v in rows]
        count = [v for k, v in samples.items() if k[0] == name + "_count"]
        total = [v for k, v in samples.items() if k[0] == name + "_sum"]
        check(bounds == sorted(bounds) and bounds[-1] == float("inf"), f"{name}: bounds rise to +Inf")
        check(counts == sorted(counts), f"{name}: buckets are cumulative")
        check(len(count) == 1 and counts[-1] == count[0], f"{name}: +Inf is the count")
        low = sum(b * (c - p) for b, c, p in zip([0] + bounds, counts, [0] + counts))
        check(len(total) == 1 and low <= total[0] * (1 + 1e-9), f"{name}: the sum is at least what the buckets say")
        finite = [c for b, c in zip(bounds, counts) if b != float("inf")]
        if finite[-1] == counts[-1]:
            high = sum(b * (c - p) for b, c, p in zip(bounds, finite, [0] + finite))
            check(total[0] <= high * (1 + 1e-9), f"{name}: the sum is at most what the buckets say")


def engine(v):
    if "num_requested_tokens_total" not in v:
        check(v["num_lookup_hits_total"] <= v["num_lookup_tokens_total"], "lookups find at most what is asked")
        check(v["num_lookup_tokens_total"] == v["num_prompt_tokens_total"], "every prompt is looked up")
        return
    check(0 < v["num_hit_tokens_total"] < v["num_requested_tokens_total"], "some tokens hit, not all")
    check(v["num_stored_tokens_total"] % 256 == 0, "whole chunks are stored")
    check(v["num_remote_read_bytes_total"] % CHUNK_BYTES == 0, "whole chunks are read")
    check(v["num_remote_write_bytes_total"] == v["num_stored_tokens_total"] / 256 * CHUNK_BYTES,
          "what is stored is written to the remote")
    check(v["local_cache_usage"] == v["active_memory_objs_count"] * CHUNK_BYTES, "usage is objects times size")
    check(v["local_cache_usage"] <= 5 * 2**30, "usage fits")
    check(v["local_cpu_evict_keys_count_total"] >= v["local_cpu_evict_count_total"], "an eviction frees a key")
    check(v["time_to_store_count"] == v["num_store_requests_total"], "every store is timed")
    check(v["time_to_retrieve_count"] <= v["num_retrieve_requests_total"], "retrievals are timed")
    check(v["retrieve_speed_count"] == v["time_to_retrieve_count"], "every timed retrieval has a speed")
    check(v["remote_time_to_get_count"] == v["num_remote_read_requests_total"], "every remote read is timed")


def main():
    last = None
    for path in sys.argv[1:]:
        samples, types = read(path)
        histograms(samples, types)
        v = {k[0].removeprefix("lmcache:"): x for k, x in samples.items() if k[0].startswith("lmcache:")}
        if v:
            engine(v)
        if last:
            for key, value in last.items():
                base = key[0]
                kind = types.get(base) or types.get(re.sub(r"_(bucket|count|sum)$", "", base))
                if kind in ("counter", "histogram"):
                    check(samples.get(key, -1) >= value, f"{base} only rises")
            check(samples != last, "something moved")
        last = samples
    print(f"{len(sys.argv) - 1} expositions, {bad} contradictions")
    sys.exit(1 if bad else 0)


main()
