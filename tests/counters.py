#!/usr/bin/env python3
# counters.py - a node for tests whose counters grow as steadily as a clock
# SPDX-License-Identifier: Apache-2.0
"""Serves /metrics of both dialects of LMCache, every value a straight line of
the time of the request: what is worked out of two scrapes is the same however
far apart they are. With --reset-after a request that comes later than that
finds the counters started anew, once.
"""
import argparse
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LES = ["0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1.0", "+Inf"]
# Counters: name, start, growth per second.
COUNTERS = [
    ("lmcache:num_requested_tokens_total", 1e6, 4000),
    ("lmcache:num_hit_tokens_total", 6e5, 3000),
    ("lmcache:num_lookup_tokens_total", 2e6, 5000),
    ("lmcache:num_lookup_hits_total", 5e5, 4500),
    ("lmcache:num_lookup_requests_total", 1e4, 40),
    ("lmcache:lookup_0_hit_requests_total", 2500, 4),
    ("lmcache:local_cpu_evict_count_total", 300, 7),
    ("lmcache:num_remote_read_bytes_total", 1e9, 1e6),
    ("lmcache_mp_lookup_requested_tokens_total", 3e6, 2000),
    ("lmcache_mp_lookup_hit_tokens_total", 1e6, 1500),
    ("lmcache_mp_l1_read_chunks_total", 1e4, 30),
]
GAUGES = [
    ("lmcache:local_cache_usage", 5e9), ("lmcache:lmcache_is_healthy", 1),
    ("lmcache:remote_ping_latency", 1.5), ("lmcache:retrieve_hit_rate", 0.7),
    ("lmcache_mp_l1_usage_ratio", 0.5), ("lmcache_mp_l1_memory_usage_bytes", 1e9),
]
# Histograms: name, what each bucket gets per second; ten thousand seconds' worth
# of another shape were there before.
HISTOGRAMS = [
    ("lmcache:time_to_retrieve", [1, 2, 3, 10, 20, 4, 1, 0.1]),
    ("lmcache:time_to_lookup", [20, 30, 2, 1, 0.5, 0.1, 0, 0]),
    ("lmcache_mp_l1_chunk_lifetime_seconds", [0, 0, 0.5, 1, 2, 3, 4, 1]),
]
BEFORE = 10000


def text(args, t):
    labels = f'model_name="m",worker_id="{args.worker}"'
    scale = 1 + args.worker
    out = []
    for name, start, slope in COUNTERS:
        start = 0 if args.anew else start
        out.append(f"# TYPE {name} counter\n{name}{{{labels}}} {(start + slope * t) * scale}\n")
    for name, value in GAUGES:
        out.append(f"# TYPE {name} gauge\n{name}{{{labels}}} {value * scale}\n")
    for name, slope in HISTOGRAMS:
        out.append(f"# TYPE {name} histogram\n")
        n = 0
        for le, was, b in zip(LES, reversed(slope), slope):
            n += ((0 if args.anew else was * BEFORE) + b * t) * scale
            out.append(f'{name}_bucket{{{labels},le="{le}"}} {n}\n')
        out.append(f"{name}_count{{{labels}}} {n}\n{name}_sum{{{labels}}} {n / 7}\n")
    return "".join(out)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        args = self.server.args
        t = time.time() - self.server.began
        if args.reset_after and not args.anew and t > args.reset_after:
            args.anew = True
            self.server.began = time.time() - args.reset_shows
            t = args.reset_shows
        body = text(args, t).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--worker", type=int, default=0)
    parser.add_argument("--reset-after", type=float, default=0)
    parser.add_argument("--reset-shows", type=float, default=1,
                        help="seconds of growth that the first answer after it has")
    args = parser.parse_args()
    args.anew = False
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.args = args
    server.began = time.time()
    if args.ready_fd is not None:
        os.write(args.ready_fd, b"127.0.0.1:%d\n" % server.server_port)
        os.close(args.ready_fd)
    server.serve_forever()


main()
