#!/usr/bin/env python3
# frontend.py - a frontend that is not ours: TLS, and a token it insists on
# SPDX-License-Identifier: Apache-2.0
"""usage: frontend.py [--cert CERT.pem KEY.pem] [--token TOKEN] NODE=SOCKET...

Serves /api/nodes and /proxy2/NODE/PATH for nodes on UNIX sockets, over TLS
with --cert. With --token a request without it gets 401, one with another 403.
The Authorization lines that came are appended to the file "tokens".
"""
import argparse
import http.client
import http.server
import json
import os
import socket
import ssl

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--cert", nargs=2)
parser.add_argument("--token")
parser.add_argument("nodes", nargs="*")
args = parser.parse_args()
NODES = dict(n.split("=", 1) for n in args.nodes)


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def send(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        token = self.headers.get("authorization")
        with open("tokens", "a") as log:
            log.write("%s\n" % token)
        if args.token and token != "Bearer " + args.token:
            self.send(403 if token else 401, b'{"detail":"a token is needed"}')
        elif self.path == "/api/nodes":
            self.send(200, json.dumps({"nodes": [
                {"name": n, "host": "localhost", "port": s} for n, s in NODES.items()]}).encode())
        elif self.path.startswith("/proxy2/"):
            name, _, path = self.path[8:].partition("/")
            node = Unix(NODES[name])
            node.request(self.command, "/" + path, body or None, {"Host": "localhost"})
            a = node.getresponse()
            self.send(a.status, a.read(), a.getheader("content-type"))
        else:
            self.send(404, b'{"detail":"Not Found"}')

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, address):
        pass    # a client that does not trust us hangs up


server = Server(("127.0.0.1", 0), Handler)
if args.cert:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*args.cert)
    # The handshake belongs to the connection's thread, not to accept().
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
os.write(9, b"127.0.0.1:%d\n" % server.server_port)
os.close(9)
server.serve_forever()
