#!/usr/bin/env python3
# peer.py - a small HTTP server for tests that is none of ours
# SPDX-License-Identifier: Apache-2.0
"""Answers every request with what it got, or with files.

The answer to METHOD TARGET is the request line, the header lines as they
came and the body: what a proxy changed can be read off it. With --dir the
file of that path is the answer instead (404 if there is none). A target with
?status=N answers with that status. Requests are appended to --log.
"""
import argparse
import os
import re
import socket
import socketserver
import sys
from http.server import BaseHTTPRequestHandler


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if not size:
                    return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self):
        args = self.server.args
        echo = self.requestline.encode("latin-1") + b"\n"
        for name, value in self.headers.items():
            echo += f"{name}: {value}\n".encode("latin-1")
        echo += b"\n" + self.body()
        if args.log:
            with open(args.log, "ab") as log:
                log.write(echo + b"\n")
        status = re.search(r"[?&]status=(\d+)", self.path)
        status = int(status[1]) if status else 200
        if args.dir:
            name = os.path.join(args.dir, self.path.split("?")[0].lstrip("/"))
            try:
                with open(name, "rb") as file:
                    echo = file.read()
            except OSError:
                status, echo = 404, b"no such file\n"
        self.send_response(status)
        self.send_header("Content-Type", args.type)
        self.send_header("Content-Length", str(len(echo)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(echo)

    def log_message(self, *args):
        pass

    def address_string(self):
        return "peer"


for method in "GET HEAD POST PUT DELETE PATCH OPTIONS".split():
    setattr(Handler, "do_" + method, Handler.answer)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unix", help="listen on this path")
    parser.add_argument("--v6", action="store_true", help="listen on ::1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--dir", help="answer with the files in it")
    parser.add_argument("--type", default="text/plain; charset=utf-8")
    parser.add_argument("--log", help="append the requests to this file")
    parser.add_argument("--ready-fd", type=int)
    args = parser.parse_args()

    if args.unix:
        Server.address_family = socket.AF_UNIX
        Server.allow_reuse_address = False
        server = Server(args.unix, Handler)
        where = "unix:" + args.unix
    else:
        Server.address_family = socket.AF_INET6 if args.v6 else socket.AF_INET
        host = "::1" if args.v6 else "127.0.0.1"
        server = Server((host, args.port), Handler)
        where = "%s:%d" % ("[::1]" if args.v6 else host,
                           server.server_address[1])
    server.args = args
    if args.ready_fd is not None:
        with os.fdopen(args.ready_fd, "w") as ready:
            print(where, file=ready)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
