#!/usr/bin/env python3
# receiver.py - a syslog or Loki receiver for tests, writing a line per line
# SPDX-License-Identifier: Apache-2.0
"""receiver.py tcp|udp|unix|loki|lokis ADDR OUT [STATUS...]: says "ADDR" on fd 9 when
it listens, then writes the text of every message to OUT. ADDR: a port (0: any)
or a path. STATUS: what Loki answers first, before 204. lokis: TLS, with cert.pem
and cert.key of the current directory. OUT.head: the last push's header lines."""
import http.server
import json
import os
import re
import socket
import ssl
import sys

kind, where, path = sys.argv[1:4]
statuses = [int(s) for s in sys.argv[4:]]
out = open(path, "ab", 0)
HEAD = re.compile(rb"<\d+>1 \S+ \S+ \S+ \S+ \S+ - (.*)", re.S)


def ready(addr):
    try:
        os.write(9, addr.encode() + b"\n")
        os.close(9)
    except OSError:
        pass


def message(m):
    out.write(HEAD.fullmatch(m).group(1) + b"\n")


def tcp():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", int(where)))
    s.listen()
    ready("127.0.0.1:%d" % s.getsockname()[1])
    while True:
        f = s.accept()[0].makefile("rb")
        while True:
            digits = b""
            while (c := f.read(1)) not in (b" ", b""):
                digits += c
            if not digits.isdigit():
                break
            body = f.read(int(digits))
            if len(body) < int(digits):
                break
            message(body)


def datagrams():
    if kind == "udp":
        s = socket.socket(type=socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", int(where)))
        ready("127.0.0.1:%d" % s.getsockname()[1])
    else:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(where)
        ready("unix:" + where)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    while True:
        message(s.recv(1 << 17))


class Loki(http.server.BaseHTTPRequestHandler):
    seen = set()

    def do_POST(self):
        with open(path + ".head", "w") as head:
            head.write(str(self.headers))
        text = self.rfile.read(int(self.headers["Content-Length"]))
        status = statuses.pop(0) if statuses else 204
        if status == 204:
            for stream in json.loads(text)["streams"]:
                labels = json.dumps(stream["stream"], sort_keys=True)
                for time, line in stream["values"]:
                    # as Loki: the same line at the same time is one line
                    if (labels, time, line) in self.seen:
                        continue
                    self.seen.add((labels, time, line))
                    out.write(line.encode() + b"\n")
        self.send_response(status)
        self.end_headers()

    def log_message(self, *args):
        pass


def loki():
    s = http.server.HTTPServer(("127.0.0.1", int(where)), Loki)
    if kind == "lokis":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("cert.pem", "cert.key")
        s.socket = context.wrap_socket(s.socket, server_side=True)
    ready("127.0.0.1:%d" % s.server_address[1])
    s.serve_forever()


{"tcp": tcp, "udp": datagrams, "unix": datagrams, "loki": loki, "lokis": loki}[kind]()
