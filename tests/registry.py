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
        for name in [n for n, i in seen.items() if now - i["beat"] > self.server.args.forget]:
            del seen[name]
        # Starlette looks for a path's parts when it is decoded.
        path = urllib.parse.unquote(self.path.partition("?")[0])
        one = re.fullmatch(r"/instances/([^/]+)(/heartbeat)?", path)
        if path == "/instances":
            if self.command == "POST":
                return self.register(body, now)
            if self.command == "GET":
                return 200, {"instances": [{k: v for k, v in i.items() if k != "beat"}
                                           for i in seen.values()]}
        elif one and self.command == ("PUT" if one[2] else "DELETE"):
            if not one[2]:
                seen.pop(one[1], None)
                return 204, None
            if one[1] not in seen:
                if self.server.args.silent:
                    return 404, None
                return 404, {"error": f"unknown instance {one[1]}; re-register"}
            seen[one[1]]["beat"] = now
            return 200, {"instance_id": one[1]}
        elif not one:
            return 404, {"detail": "Not Found"}
        return 405, {"detail": "Method Not Allowed"}

    def register(self, body, now):
        try:
            asked = json.loads(body)
            assert self.headers["Content-Type"] == "application/json"
            one = {"instance_id": asked.get("instance_id", "").strip(),
                   "ip": asked["ip"].strip(), "http_port": asked["http_port"],
                   "registration_time": time.time(), "metadata": asked.get("metadata", {}),
                   "p2p_advertised_url": asked.get("p2p_advertised_url", "").strip(),
                   "mq_port": asked.get("mq_port", 0)}
            assert one["ip"] and isinstance(one["metadata"], dict)
            assert isinstance(one["http_port"], int) and 0 < one["http_port"] < 65536
            assert isinstance(one["mq_port"], int) and 0 <= one["mq_port"] < 65536
            assert all(isinstance(v, str) for v in one["metadata"].values())
        except (ValueError, KeyError, AttributeError, AssertionError) as e:
            return 422, {"detail": [{"loc": ["body"], "msg": repr(e)}]}
        name = self.server.args.assign or one["instance_id"] or "mp-" + uuid.uuid4().hex
        again = name in seen
        seen[name] = {**one, "instance_id": name, "beat": now}
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
    p.add_argument("--silent", action="store_true", help="a 404 without a body")
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
