#!/usr/bin/env python3
# generations.py - LMCache's HTTP APIs of several generations, as far as tests need them
# SPDX-License-Identifier: Apache-2.0
"""usage: generations.py GENERATION

GENERATION: mp0 to mp3 (lmcache server), old (in vLLM, 0.3) or fork (in vLLM,
threads as JSON). Unknown paths and methods get FastAPI's answers. With a file
"sick" in the directory the server says that its engine is not there. Requests
are appended to the file "asked": METHOD TARGET BODY.
"""
import http.server
import json
import os
import sys

GEN = sys.argv[1]
SICK = lambda: os.path.exists("sick")
THREADS = """Thread: <_MainThread(MainThread, started 7)>
Stack trace:
  File "/x/main.py", line 12, in run
    wait()


=== Thread Summary ===
Total threads: 1
"""
JSON_THREADS = [{"thread_id": 7, "name": "MainThread", "state": "running",
                 "function_name": "<function run at 0x1>", "cpu_time": 0, "memory_usage": 0}]
STATUS = {"is_healthy": True, "engine_type": "mp", "chunk_size": 256, "active_sessions": 3,
          "registered_gpu_ids": [0], "active_prefetch_jobs": 0, "storage_manager": {"is_healthy": True}}
CONFIG = {"mp": {"chunk_size": 256}, "storage_manager": {}, "observability": {}}
SUMS = {"status": "success", "chunk_size": 2, "num_chunks": 1, "chunk_checksums": ["d41d"],
        "layerwise": False, "block_id_ranges": [[0, 1]]}
NO_ENGINE = 503, {"error": "engine not initialized"}


def well(good, sick):
    return lambda _: sick if SICK() else (200, good)


def always(body, status=200):
    return lambda _: (status, body)


def checksums(body):
    if json.loads(body)["block_ids"] != [0, 1]:
        return 400, {"detail": "block_ids"}
    return 200, SUMS


PING = {("GET", "/"): always({"status": "ok", "service": "LMCache HTTP API"})}
HEALTH = well({"status": "healthy"}, (503, {"status": "unhealthy", "reason": "engine not initialized"}))
CLEAR = well({"status": "ok"}, (503, {"status": "error", "reason": "engine not initialized"}))
COMMON = {
    ("GET", "/version"): always("0.4.0-gabc"),
    ("GET", "/env"): always({"HOME": "/root"}),
    ("GET", "/loglevel"): always("=== Loggers and Levels ===\nlmcache: INFO\n"),
    ("GET", "/metrics"): always("lmcache_mp_active_prefetch_jobs 2.0\n"),
    ("GET", "/threads"): always(JSON_THREADS if GEN == "fork" else THREADS),
    ("GET", "/periodic-threads-health"): always(
        {"healthy": True, "unhealthy_count": 0, "unhealthy_threads": []}),
    ("POST", "/run_script"): always("2"),
}
QUOTA = {
    ("GET", "/quota"): always({"users": {"alice": {"limit_gb": 1.5, "current_usage_gb": 0.5}}}),
    ("DELETE", "/quota/bob"): always({"cache_salt": "bob", "status": "not_found"}),
}
ROUTES = {
    "mp0": {**PING, ("GET", "/api/v1/all_hashes"): always([])},
    "mp1": {
        **PING,
        ("GET", "/api/healthcheck"): HEALTH,
        ("GET", "/api/status"): well(STATUS, NO_ENGINE),
        ("POST", "/api/clear-cache"): CLEAR,
    },
    "mp2": {
        **PING, **COMMON, **QUOTA,
        ("GET", "/healthcheck"): HEALTH,
        ("GET", "/status"): well(STATUS, NO_ENGINE),
        ("POST", "/clear-cache"): CLEAR,
        ("GET", "/conf"): well(CONFIG, (503, {"error": "configs not initialized"})),
        ("GET", "/kvcache/check"): always(SUMS),
    },
    "mp3": {
        **PING, **COMMON, **QUOTA,
        ("GET", "/healthcheck"): HEALTH,
        ("GET", "/status"): well(STATUS, NO_ENGINE),
        ("POST", "/cache/clear"): well({"status": "ok", "cleared": {"tier": "l1"}},
                                       (503, {"detail": "server not initialized"})),
        ("GET", "/config"): well(CONFIG, (503, {"error": "configs not initialized"})),
        ("GET", "/config/adapters"): always({"adapters": [
            {"index": 0, "type_name": "fs", "tier": "l2", "primary": True, "reconfigurable": False}]}),
        ("POST", "/cache/checksums"): checksums,
        ("GET", "/cache/objects"): always({"adapter": "fs", "entries": [], "next_page_token": None}),
        ("DELETE", "/cache/objects"): always({"deleted": 0, "skipped": 1, "ok": False}),
        ("POST", "/run_script"): always("The /run_script API is disabled. Set it.", 404),
    },
    "old": {
        **COMMON,
        ("GET", "/conf"): always('{\n  "chunk_size": 256,\n  "pd_allocation_timeout_sec": Infinity\n}'),
        ("GET", "/meta"): always("/meta api only work for lmcache_engine", 500),
        ("DELETE", "/cache/clear"): always({"status": "success", "num_removed": 3}),
    },
}
ROUTES["fork"] = ROUTES["old"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with open("asked", "a") as log:
            log.write("%s %s %s\n" % (self.command, self.path, body.decode().replace("\r\n", " ")))
        path = self.path.partition("?")[0]
        routes = ROUTES[GEN]
        if (self.command, path) in routes:
            status, out = routes[self.command, path](body)
        elif any(p == path for _, p in routes):
            status, out = 405, {"detail": "Method Not Allowed"}
        else:
            status, out = 404, {"detail": "Not Found"}
        text = not isinstance(out, (dict, list)) and path != "/version"
        raw = (out if text else json.dumps(out, separators=(",", ":"))).encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8" if text else "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
os.write(9, b"127.0.0.1:%d\n" % server.server_port)
os.close(9)
server.serve_forever()
