#!/usr/bin/env python3
# frontends.py - many frontends in one process, and a registry that names them
# SPDX-License-Identifier: Apache-2.0
"""Frontends with nodes, as lmc or lmcache_frontend would answer for them.

The first address printed is the registry's: /lmcache_infos names the others.
A frontend answers /api/nodes, and metrics and version of its nodes under
/proxy2. What it should do is told at the registry, N is a frontend's number:

    /set?n=N&down=1        it does not answer any more (down=0: again)
    /set?n=N&gone=1        the registry does not name it any more
    /set?n=N&nodes=K       it has K nodes
    /set?n=N&body=TEXT     it answers /api/nodes with that text
    /set?n=N&metrics=TEXT  its nodes' metrics are that text
    /set?n=N&wait=1        they are not told (wait=0: now)
    /set?registry=STATUS   what the registry answers with
    /seen                  how often /api/nodes was asked, in all
"""
import argparse
import asyncio
import json
import os
import socket
import urllib.parse

METRICS = """# HELP lmcache:num_hit_tokens_total Hits
# TYPE lmcache:num_hit_tokens_total counter
lmcache:num_hit_tokens_total{model_name="m"} %d
# TYPE lmcache:num_hit_tokens_created gauge
lmcache:num_hit_tokens_created{model_name="m"} 1
# TYPE lmcache:wait_seconds histogram
lmcache:wait_seconds_bucket{le="1"} 2
lmcache:wait_seconds_bucket{le="+Inf"} 3
lmcache:wait_seconds_sum 4
lmcache:wait_seconds_count 3
# TYPE lmcache_wait_seconds gauge
lmcache_wait_seconds 5
lmcache_wait_seconds 6
untyped_info 1
"""


class House:
    def __init__(self, args):
        self.args = args
        self.fronts = []
        self.status = 200
        self.seen = 0
        self.rest = "".join(
            f'wide{i // 4}{{i="{i}"}} 1\n' for i in range(args.wide))

    def infos(self):
        infos = {}
        for f in self.fronts:
            if not f.gone:
                at = f"http://127.0.0.1:{f.port}"
                infos[at] = {"count": 1, "lmCacheInfoEntities": [{
                    "ipAddress": None, "pid": 1, "apiAddress": at,
                    "version": "1.0.0", "otherInfo": "{}"}]}
        return {"processCount": len(infos), "versionCount": 1,
                "processInfos": infos, "versions": None}

    def registry(self, path, query):
        if path == "/seen":
            return 200, str(self.seen)
        if path == "/set":
            if "registry" in query:
                self.status = int(query["registry"])
            if "n" in query:
                self.fronts[int(query["n"])].set(query)
            return 200, "ok"
        if path in ("/lmcache_infos", "/infos"):
            return self.status, json.dumps(self.infos())
        return 404, '{"detail":"Not Found"}'


class Front:
    def __init__(self, house, number):
        self.house, self.number = house, number
        self.nodes, self.body = house.args.nodes, None
        self.down = self.gone = False
        self.metrics = None
        self.told = asyncio.Event()
        self.told.set()
        self.port = 0

    def set(self, query):
        self.down = query.get("down", str(int(self.down))) == "1"
        self.gone = query.get("gone", str(int(self.gone))) == "1"
        self.nodes = int(query.get("nodes", self.nodes))
        self.body = query.get("body", self.body)
        self.metrics = query.get("metrics", self.metrics)
        if query.get("wait") == "1":
            self.told.clear()
        elif "wait" in query:
            self.told.set()

    def names(self):
        stem = "" if self.house.args.same else f"h{self.number}_"
        return [f"{stem}worker{i}" for i in range(self.nodes)]

    def list(self):
        children = [{"id": "node_" + n, "name": n, "host": "127.0.0.1",
                     "port": 7000 + i, "is_proxy": False,
                     "proxy_id": "local_proxy", "state": "healthy",
                     "latency_ms": 0.5, "age_ms": 3}
                    for i, n in enumerate(self.names())]
        answer = {"nodes": [{
            "id": "proxy_local_proxy", "name": "local_proxy",
            "host": "127.0.0.1", "port": self.port, "is_proxy": True,
            "children": children}]}
        if not self.house.args.python:
            answer["id"] = f"{self.number:016x}"
        return json.dumps(answer)

    def answer(self, path, _query):
        if path == "/api/nodes":
            self.house.seen += 1
            return 200, self.body or self.list()
        if path.startswith("/proxy2/local_proxy/") and not self.house.args.python:
            path = path[len("/proxy2/local_proxy"):]
        name, _, rest = path.removeprefix("/proxy2/").partition("/")
        if not path.startswith("/proxy2/") or name not in self.names():
            return 404, '{"detail":"Not Found"}'
        if rest == "metrics":
            if self.metrics is not None:
                return 200, self.metrics
            return 200, METRICS % self.number + self.house.rest
        return 200, json.dumps(f"{self.number} {name} {rest}")


async def serve(reader, writer, who):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if getattr(who, "down", False):
                break
            target = head.split(b" ")[1].decode()
            path, _, query = target.partition("?")
            if path.endswith("/metrics"):
                await who.told.wait()
            act = who.registry if isinstance(who, House) else who.answer
            status, body = act(urllib.parse.unquote(path),
                               dict(urllib.parse.parse_qsl(query, True)))
            body = body.encode()
            writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n" % (status, len(body)))
            writer.write(body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("--ready-fd", type=int, required=True)
    p.add_argument("--frontends", type=int, default=3)
    p.add_argument("--nodes", type=int, default=2)
    p.add_argument("--wide", type=int, default=0, help="more samples")
    p.add_argument("--same", action="store_true", help="nodes have the same names everywhere")
    p.add_argument("--python", action="store_true", help="as lmcache_frontend: no ids")
    house = House(p.parse_args())
    house.fronts = [Front(house, i) for i in range(house.args.frontends)]
    told = []
    for who in [house, *house.fronts]:
        s = socket.create_server(("127.0.0.1", 0), backlog=256)
        port = s.getsockname()[1]
        if who is not house:
            who.port = port
        told.append(f"127.0.0.1:{port}\n")
        await asyncio.start_server(lambda r, w, who=who: serve(r, w, who), sock=s)
    os.write(house.args.ready_fd, "".join(told).encode())
    os.close(house.args.ready_fd)
    await asyncio.Event().wait()

asyncio.run(main())
