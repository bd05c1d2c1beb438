#!/usr/bin/env python3
# registry.py - a registry for tests that is none of ours
# SPDX-License-Identifier: Apache-2.0
"""Both of LMCache's registries, as their code answers, and with faults.

GET on any path is the discovery service's heartbeat (always 200); /instances
is the MP coordinator's, with its checks and its forgetting (30 s, --forget).
What ./mode says decides how: ok, a status, hang, close (no answer), slow (one
second late), large (32 kB). Every request is one line of JSON in --log.
"""
import argparse
import json
import os
import re
import socketserver
import sys
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler

seen = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def mode(self):
        try:
            with open(self.server.args.mode) as file:
                return file.read().strip()
        except OSError:
            return "ok"

    def note(self, body):
        if self.path in ("/version", "/"):
            return      # somebody's lmc nodes --scan, which asks every port
        line = json.dumps({"t": time.time(), "method": self.command, "line": self.requestline,
                           "path": self.path.split("?")[0],
                           "query": urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query),
                           "headers": dict(self.headers.items()), "body": body.decode()})
        with open(self.server.args.log, "a") as log:
            log.write(line + "\n")

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.note(body)
        mode = self.mode()
        if mode == "hang":
            time.sleep(30)
        if mode in ("hang", "close"):
            self.close_connection = True
            return
        if mode == "slow":
            time.sleep(1)
        if mode == "large":
            self.send(200, {"x": "x" * 32000})
        elif mode.isdigit():
            self.send(int(mode), {"detail": "told to say no"})
        elif self.path.startswith("/instances"):
            self.send(*self.coordinator(body))
        else:
            self.send(200, {"status": "success"})

    def coordinator(self, body):
        now = time.monotonic()
        for name in [n for n, at in seen.items() if now - at > self.server.args.forget]:
            del seen[name]
        one = re.fullmatch(r"/instances/([^/]+)(/heartbeat)?", self.path)
        name = urllib.parse.unquote(one[1]) if one else None
        if self.command == "POST" and self.path == "/instances":
            return self.register(body, now)
        if self.command == "PUT" and one and one[2]:
            if name not in seen:
                return 404, {"error": f"unknown instance {name}; re-register"}
            seen[name] = now
            return 200, {"instance_id": name}
        if self.command == "DELETE" and one and not one[2]:
            seen.pop(name, None)
            return 204, None
        if self.command == "GET" and self.path == "/instances":
            return 200, {"instances": [{"instance_id": n} for n in seen]}
        return 404, {"detail": "Not Found"}

    def register(self, body, now):
        try:
            asked = json.loads(body)
            assert self.headers["Content-Type"] == "application/json"
            assert isinstance(asked["ip"], str) and asked["ip"].strip()
            assert isinstance(asked["http_port"], int) and 0 < asked["http_port"] < 65536
            assert all(isinstance(v, str) for v in asked.get("metadata", {}).values())
        except (ValueError, KeyError, AssertionError) as e:
            return 422, {"detail": [{"loc": ["body"], "msg": repr(e)}]}
        name = self.server.args.assign or asked.get("instance_id") or "mp-" + uuid.uuid4().hex
        again = name in seen
        seen[name] = now
        return 200, {"instance_id": name, "re_registered": again}

    def send(self, status, answer):
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

    do_GET = do_POST = do_PUT = do_DELETE = answer


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ready-fd", type=int)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--log", default="told")
    p.add_argument("--mode", default="mode")
    p.add_argument("--assign", default="", help="the instance_id that every one gets")
    p.add_argument("--forget", type=float, default=30)
    args = p.parse_args()
    open(args.log, "a").close()
    with Server(("127.0.0.1", args.port), Handler) as server:
        server.args = args
        if args.ready_fd is not None:
            os.write(args.ready_fd, b"127.0.0.1:%d\n" % server.server_address[1])
            os.close(args.ready_fd)
        server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
