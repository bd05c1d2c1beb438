#!/usr/bin/env python3
# many.py - very many small nodes for tests, some of which never answer
# SPDX-License-Identifier: Apache-2.0
"""Serves one text as /metrics on DIR/0.sock, DIR/1.sock and so on, all from
one thread, and writes DIR/nodes.json, the list of them. The first --hang of
them take a request and never answer; --delay makes all others late. Requests
are counted: one byte each is appended to DIR/requests.
"""
import argparse
import asyncio
import json
import os


def sample_text(size):
    lines = ["# HELP lmcache:filler Made up\n# TYPE lmcache:filler gauge\n"]
    have, i = len(lines[0]), 0
    while have < size:
        lines.append(f'lmcache:filler{{worker_id="0",model_name="m",part="{i}"}} {i}.5\n')
        have += len(lines[-1])
        i += 1
    return "".join(lines).encode()


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--hang", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--size", type=int, default=17600)
    parser.add_argument("dir")
    args = parser.parse_args()
    body = sample_text(args.size)
    answer = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
              b"Content-Length: %d\r\n\r\n" % len(body)) + body
    log = open(os.path.join(args.dir, "requests"), "ab", buffering=0)

    class Node(asyncio.Protocol):
        hangs = False

        def connection_made(self, transport):
            self.transport = transport

        # A request comes in one piece here: it is small and ours.
        def data_received(self, data):
            log.write(b".")
            if self.hangs:
                return
            if args.delay:
                loop.call_later(args.delay, self.transport.write, answer)
            else:
                self.transport.write(answer)

    class Hanging(Node):
        hangs = True

    loop = asyncio.get_running_loop()
    nodes = []
    for i in range(args.count):
        path = os.path.join(args.dir, f"{i}.sock")
        await loop.create_unix_server(Hanging if i < args.hang else Node, path)
        nodes.append({"name": f"n{i:04}", "host": "h", "port": path})
    with open(os.path.join(args.dir, "nodes.json"), "w") as f:
        json.dump(nodes, f)
    if args.ready_fd is not None:
        os.write(args.ready_fd, b"unix:" + os.path.join(args.dir, "0.sock").encode() + b"\n")
        os.close(args.ready_fd)
    await asyncio.Event().wait()


asyncio.run(main())
