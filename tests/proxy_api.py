#!/usr/bin/env python3
# proxy_api.py - the frontend's own API, its state file, its front door
# SPDX-License-Identifier: Apache-2.0
"""Called by proxy.bats, one function a test."""
import contextlib
import json
import os
import random
import signal
import stat
import sys
import threading
import time

from proxy_http import every
from wire import Failed, Lmc, Upstream, ask, check, main, same, until

JSON = {"Content-Type": "application/json"}


def call(lmc, method, target, body=None, fields=JSON):
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return lmc.ask(target, method, fields, body)


def node(name="n", host="127.0.0.1", port=1, **more):
    return dict({"name": name, "host": host, "port": port}, **more)


def names(lmc, proxy="local_proxy"):
    tree = call(lmc, "GET", "/api/nodes").json()["nodes"]
    return [[c["name"] for c in p["children"]] for p in tree if p["name"] == proxy][0]


# ---- shapes, as the peer answers ----

def strip(tree):
    """Without what we say beyond the peer."""
    return [{k: strip(v) if isinstance(v, list) else v for k, v in entry.items()
             if k not in ("state", "last_error", "latency_ms", "age_ms")}
            for entry in tree]


def test_shapes():
    listed = {"tcp_scheduler": node(port=8225), "tcp_worker0": node(port=8226)}
    with Lmc(nodes=listed) as lmc:
        port = int(lmc.addr.split(":")[1])
        a = call(lmc, "GET", "/api/nodes")
        same((a.status, a.get("Content-Type")), (200, "application/json"))
        same(strip(a.json()["nodes"]), [
            {"id": "proxy_local_proxy", "name": "local_proxy", "host": "127.0.0.1",
             "port": port, "is_proxy": True, "children": [
                 {"id": "node_tcp_scheduler", "name": "tcp_scheduler",
                  "host": "127.0.0.1", "port": 8225, "is_proxy": False,
                  "proxy_id": "local_proxy"},
                 {"id": "node_tcp_worker0", "name": "tcp_worker0",
                  "host": "127.0.0.1", "port": 8226, "is_proxy": False,
                  "proxy_id": "local_proxy"}]}])
        same(call(lmc, "GET", "/api/proxies").json(), {"proxies": [
            {"name": "local_proxy", "host": "127.0.0.1", "port": port}]})
        got = call(lmc, "GET", "/api/proxies/local_proxy/nodes").json()["nodes"]
        same(got[0], {"name": "tcp_scheduler", "host": "127.0.0.1", "port": 8225,
                      "proxy_id": "local_proxy"})
        for target in ("/api/proxies/nosuch/nodes", "/api/proxies/nosuch/refresh"):
            a = call(lmc, "GET", target)
            same((a.status, a.json()), (404, {"detail": "Proxy not found"}))
        a = call(lmc, "GET", "/proxy2/nosuch/version")
        same((a.status, a.json()),
             (404, {"detail": "Node with name 'nosuch' not found"}))
        a = call(lmc, "GET", "/proxy2/tcp_worker0/version")
        same((a.status, a.json()), (502, {
            "detail": "Failed to connect to target service 127.0.0.1:8226"}))
        a = call(lmc, "GET", "/health")
        same(a.body, b'{"status":"healthy","service":"lmcache-monitor"}')

        def done(method, target, body, message):
            a = call(lmc, method, target, body)
            same((a.status, a.json()), (200, {"status": "success", "message": message}))
        done("POST", "/api/proxies", node("p2", port="8201"), "Proxy added")
        done("POST", "/api/proxies/p2/nodes", node("n1"), "Node added to proxy")
        same(strip(call(lmc, "GET", "/api/proxies/p2/refresh").json()["nodes"]), [
            {"id": "node_n1", "name": "n1", "host": "127.0.0.1", "port": 1,
             "is_proxy": False, "proxy_id": "p2"}])
        done("PUT", "/api/nodes/p2", node("p2", port="8202"), "Node updated")
        same(call(lmc, "GET", "/api/proxies").json()["proxies"][1],
             node("p2", port="8202"))
        same(names(lmc, "p2"), ["n1"])      # a change of address keeps its nodes
        done("DELETE", "/api/nodes/p2", None, "Node deleted")
        done("POST", "/api/nodes", node("extra", port="/tmp/x.sock"), "Node added")
        done("PUT", "/api/nodes/extra", node("extra2"), "Node updated")
        same(names(lmc), ["tcp_scheduler", "tcp_worker0", "extra2"])
        done("DELETE", "/api/nodes/extra2", None, "Node deleted")


BAD_BODIES = [
    b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}", b'{"name":"x"}', b"\xff\xfe",
    b'{"name":"x","host":"h"}', b'{"name":"x","port":1}', b'{"host":"h","port":1}',
    b'{"name":"x","host":"h","port":0}', b'{"name":"x","host":"h","port":65536}',
    b'{"name":"x","host":"h","port":-1}', b'{"name":"x","host":"h","port":1.5}',
    b'{"name":"x","host":"h","port":"08"}', b'{"name":"x","host":"h","port":"a"}',
    b'{"name":"x","host":"h","port":null}', b'{"name":"x","host":"h","port":[1]}',
    b'{"name":"","host":"h","port":1}', b'{"name":".","host":"h","port":1}',
    b'{"name":"..","host":"h","port":1}', b'{"name":"a\\u0000b","host":"h","port":1}',
    b'{"name":"a\\nb","host":"h","port":1}', b'{"name":1,"host":"h","port":1}',
    b'{"name":"x","host":"a b","port":1}', b'{"name":"x","host":"http://a","port":1}',
    b'{"name":"x","host":"","port":1}', b'{"name":"x","host":"127.1","port":1}',
    b'{"name":"x","host":"0x7f.0.0.1","port":1}', b'{"name":"x","host":"h","port":1}x',
    b'{"name":"x","host":"h","port":1,}', b"{'name':'x','host':'h','port':1}",
    b'{"name":"x","host":"h","port":1,"proxy_id":5}',
    b'{"name":"' + b"x" * 256 + b'","host":"h","port":1}',
    b'{"name":"x","host":"h","port":"/' + b"x" * 200 + b'"}',
    b"[" * 5000,
]


def test_mistakes():
    """A client's mistake is 4xx, says what it is, and changes nothing."""
    with Lmc(nodes={"a": node()}) as lmc:
        call(lmc, "POST", "/api/proxies", node("p", port=2))
        before = call(lmc, "GET", "/api/nodes").json()

        def bad(body):
            for method, target in (("POST", "/api/nodes"), ("PUT", "/api/nodes/a"),
                                   ("POST", "/api/proxies"),
                                   ("POST", "/api/proxies/p/nodes")):
                a = call(lmc, method, target, body)
                same(a.status, 400, target)
                check(a.json()["detail"], a)
        every(BAD_BODIES, bad)

        def status(want, method, target, body=None, fields=JSON):
            a = call(lmc, method, target, body, fields)
            same(a.status, want, "%s %s %s" % (method, target, body))
            check(a.json()["detail"], a)
            return a
        status(409, "POST", "/api/nodes", node("a"))
        status(409, "POST", "/api/proxies", node("p"))
        status(409, "POST", "/api/proxies", node("local_proxy"))
        status(404, "POST", "/api/proxies/nosuch/nodes", node("x"))
        status(404, "POST", "/api/nodes", node("x", proxy_id="nosuch"))
        status(404, "PUT", "/api/nodes/nosuch", node("x"))
        status(404, "DELETE", "/api/nodes/nosuch")
        status(409, "DELETE", "/api/nodes/local_proxy")
        status(409, "PUT", "/api/nodes/local_proxy", node("x"))
        status(400, "DELETE", "/api/nodes/%zz")
        status(400, "DELETE", "/api/nodes/a%00")
        status(400, "PUT", "/api/nodes/%2", node("x"))
        status(404, "GET", "/api/nothing")
        status(404, "GET", "/api/nodes/")
        status(404, "DELETE", "/api/nodes/")
        status(404, "GET", "/API/nodes")
        status(404, "GET", "/api//nodes")
        status(404, "GET", "/api/./nodes")
        for method, target, allow in (
                ("PATCH", "/api/nodes", "GET, HEAD, POST"),
                ("DELETE", "/api/nodes", "GET, HEAD, POST"),
                ("GET", "/api/nodes/a", "PUT, DELETE"),
                ("POST", "/api/proxies/p/refresh", "GET, HEAD"),
                ("POST", "/health", "GET, HEAD"), ("PUT", "/", "GET, HEAD")):
            a = status(405, method, target, b"{}")
            same(a.get("Allow"), allow, target)
        for method, target in (("POST", "/api/nodes"), ("PUT", "/api/nodes/a"),
                               ("POST", "/api/proxies"), ("POST", "/api/proxies/p/nodes")):
            with lmc.wire() as w:
                w.send("%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % (method, target))
                same(w.answer().status, 411)
            status(413, method, target, b" " * (1 << 20) + b"{}x")
            with lmc.wire() as w:       # that much in chunks is found out on the way
                w.send("%s %s HTTP/1.1\r\nHost: localhost\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (method, target, 1 << 24))
                w.send(bytes(2 << 20))
                same(w.answer().status, 413)
        same(call(lmc, "GET", "/api/nodes").json(), before)


def test_odd_names():
    """A name that needs escaping is written and found again everywhere."""
    odd = ['a "b" \\c', "<script>", "caf\u00e9 \u4e16\u754c", "a/b", "a%2Fb", "x?y#z", "\U0001f600"]
    with Lmc() as lmc:
        for name in odd:
            enc = "".join("%%%02x" % b for b in name.encode())
            same(call(lmc, "POST", "/api/nodes", node(name)).status, 200)
            same(call(lmc, "PUT", "/api/nodes/" + enc, node(name, port=2)).status, 200)
        same(names(lmc), odd)
        for name in odd:
            enc = "".join("%%%02x" % b for b in name.encode())
            same(call(lmc, "DELETE", "/api/nodes/" + enc).status, 200)
        same(names(lmc), [])
        for enc in ("%ff", "%c3", "%ed%a0%80"):     # no UTF-8: an answer that is
            a = call(lmc, "GET", "/proxy2/%s/x" % enc)
            same(a.status, 404)
            check(a.json()["detail"], a)


def test_many_nodes():
    """As many as there may be, and not one more."""
    with Lmc() as lmc, lmc.wire() as w:
        for i in range(4097):
            body = json.dumps(node("n%d" % i))
            w.send("POST /api/nodes HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Length: %d\r\n\r\n%s" % (len(body), body))
            a = w.answer()
            same(a.status, 200 if i < 4096 else 409, i)
        same(len(names(lmc)), 4096)
        same(call(lmc, "GET", "/proxy2/n4095/x").status, 502)


def test_refused_changes_leave_nothing():
    """What is kept for a request that is refused is given back."""
    with Lmc() as lmc, lmc.wire() as w:
        text = "PUT /api/nodes/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % ("n" * 250)

        def some(n):
            for _ in range(n // 100):
                w.send(text * 100)
                for _ in range(100):
                    same(w.answer().status, 411)
        some(1000)
        before = lmc.memory("VmRSS")
        some(16000)
        if not lmc.sanitized():
            check(lmc.memory("VmRSS") - before < 1024, "grew by",
                  lmc.memory("VmRSS") - before, "kB")


# ---- the state file ----

STATE = ("--state", "state.json")


def test_state():
    """Changes survive a restart, laid over the configuration of the day."""
    base = {"a": node(port=1), "b": node(port=2)}
    with Lmc(*STATE, nodes=base) as lmc:
        call(lmc, "POST", "/api/nodes", node("c", port="/tmp/c.sock"))
        call(lmc, "PUT", "/api/nodes/a", node("a", port=11))
        call(lmc, "DELETE", "/api/nodes/b")
        call(lmc, "POST", "/api/proxies", node("p", port="80", nodes=[node("x")]))
        call(lmc, "POST", "/api/proxies/p/nodes", node("caf\u00e9 \"y\"", port=4))
        call(lmc, "DELETE", "/api/nodes/x")
        before = call(lmc, "GET", "/api/nodes").json()["nodes"]
        same(lmc.stop(), 0)
    with open("state.json", "rb") as f:
        check(json.load(f), "no JSON")
    same(os.stat("state.json").st_mode & 0o777, 0o600)
    with Lmc(*STATE, nodes=base) as lmc:
        after = call(lmc, "GET", "/api/nodes").json()["nodes"]
        after[0]["port"] = before[0]["port"]        # another free one
        same(strip(after), strip(before))
        # the configuration still counts where nothing was changed
    with Lmc(*STATE, nodes=dict(base, d=node(port=5))) as lmc:
        same(sorted(names(lmc)), ["a", "c", "d"])
        same(names(lmc, "p"), ['caf\u00e9 "y"'])


def test_state_is_replaced():
    """A file that somebody reads is never written to: a new one takes its place."""
    with Lmc(*STATE) as lmc:
        same(call(lmc, "POST", "/api/nodes", node("a")).status, 200)
        with open("state.json", "rb") as f:
            before = f.read()
            same(call(lmc, "POST", "/api/nodes", node("b")).status, 200)
            f.seek(0)
            same(f.read(), before, "written in place")
        with open("state.json", "rb") as f:
            check(f.read() != before, "not written")
        same([f for f in os.listdir(".") if f.startswith("state.json.")], [])


def test_state_over_a_socket():
    """A frontend that listens on a UNIX socket keeps its state as well."""
    listen = ("--listen", "unix:%s/in.sock" % os.getcwd())
    for _ in range(2):
        with Lmc(*STATE, *listen) as lmc:
            call(lmc, "POST", "/api/nodes", node("c"))
            same(names(lmc), ["c"])
            same(lmc.stop(), 0)
    same([f for f in os.listdir(".") if "damaged" in f], [])


def test_state_of_a_frontend_that_is_gone():
    """A configuration without the frontend that was added to drops only that."""
    with open("with.json", "w", encoding="utf-8") as f:
        json.dump([node("a"), node("p", port=80, nodes=[node("x")])], f)
    with open("without.json", "w", encoding="utf-8") as f:
        json.dump([node("a")], f)

    def start(config):
        return Lmc(*STATE, "--config", config)
    with start("with.json") as lmc:
        same(call(lmc, "POST", "/api/proxies/p/nodes", node("y")).status, 200)
        same(call(lmc, "POST", "/api/nodes", node("b")).status, 200)
        same(names(lmc, "p"), ["x", "y"])
        # read again while it runs
        os.rename("with.json", "kept.json")
        os.rename("without.json", "with.json")
        lmc.process.send_signal(signal.SIGHUP)
        until(lambda: len(call(lmc, "GET", "/api/proxies").json()["proxies"]) == 1,
              "the new configuration")
        same(names(lmc), ["a", "b"])
        os.rename("with.json", "without.json")
        os.rename("kept.json", "with.json")
        lmc.process.send_signal(signal.SIGHUP)
        until(lambda: len(call(lmc, "GET", "/api/proxies").json()["proxies"]) == 2,
              "the old configuration")
        same(call(lmc, "POST", "/api/proxies/p/nodes", node("z")).status, 200)
        same(lmc.stop(), 0)
    with start("without.json") as lmc:
        same(names(lmc), ["a", "b"])
    same([f for f in os.listdir(".") if "damaged" in f], [])


DAMAGED = [b"", b"{", b"{}", b"[]", b"\0" * 100, b'{"lmc_state": 1, "put": [{"proxy"',
           b'{"lmc_state": 1, "put": [{"proxy": "local_proxy", "node": {"name": 1}}], "removed": []}',
           b'{"lmc_state": 1, "put": [1], "removed": []}', b"x" * 9000000]


def test_damaged_state():
    """A damaged state file is set aside and said, never silently dropped."""
    for i, data in enumerate(DAMAGED):
        with open("state.json", "wb") as f:
            f.write(data)
        with Lmc(*STATE, nodes={"a": node()}) as lmc:
            same(names(lmc), ["a"], data[:40])
            kept = [f for f in os.listdir(".") if f.startswith("state.json.damaged")]
            same(len(kept), 1, "%r" % data[:40])
            check("damaged" in lmc.said() and kept[0] in lmc.said(), lmc.said())
            with open(kept[0], "rb") as f:
                check(f.read() == data, "changed", i)
            same(call(lmc, "POST", "/api/nodes", node("n")).status, 200)
            same(lmc.stop(), 0)
        os.unlink(kept[0])
        os.unlink("lmc.log")


def test_state_that_cannot_be_read():
    """What is not ours to move is left where it is."""
    for make, is_it in ((os.mkdir, stat.S_ISDIR), (os.mkfifo, stat.S_ISFIFO)):
        make("state.json")
        try:
            with Lmc(*STATE, nodes={"a": node()}) as lmc:
                check(False, "it started:", lmc.addr)
        except Failed as e:
            check("unable to read the state file state.json" in str(e), e)
        check(is_it(os.stat("state.json").st_mode), "moved away")
        os.rename("state.json", make.__name__)


def test_state_that_cannot_be_written():
    """A change that could not be kept says so."""
    os.mkdir("d")
    with Lmc("--state", "d/state.json", nodes={"a": node()}) as lmc:
        same(call(lmc, "POST", "/api/nodes", node("b")).status, 200)
        os.rename("d", "e")
        a = call(lmc, "POST", "/api/nodes", node("c"))
        check(a.status >= 500 and "state" in a.json()["detail"], a)
        check("state" in lmc.said(), lmc.said())


def test_kill_at_any_moment():
    """kill -9 leaves the state of before or after a change, never half of it."""
    random.seed(1)
    known = set()
    for _ in range(12):
        with Lmc(*STATE, nodes={"a": node()}) as lmc:
            got = set(names(lmc)) - {"a"}
            check(known <= got, "lost:", sorted(known - got)[:5])
            known, stop = got, []

            def change():
                i = 0
                with contextlib.suppress(OSError, Failed):
                    while not stop:
                        name = "n%d_%d" % (len(known), i)
                        if call(lmc, "POST", "/api/nodes", node(name)).status == 200:
                            sure.add(name)
                        i += 1
            sure = set()
            threads = [threading.Thread(target=change)]
            for t in threads:
                t.start()
            time.sleep(random.random() * 0.3)
            lmc.process.kill()
            lmc.process.wait()
            stop.append(1)
            for t in threads:
                t.join()
            known = got | sure
        check(not [f for f in os.listdir(".") if "damaged" in f], "damaged")


# ---- the front door ----

READS = ["/", "/health", "/healthz", "/livez", "/readyz", "/api/nodes", "/api/proxies",
         "/api/proxies/local_proxy/nodes", "/api/proxies/local_proxy/refresh",
         "/proxy2/up/", "/proxy2/up/metrics", "/proxy2/up/threads", "/proxy2/up/loglevel",
         "/proxy2/up/loglevel?logger_name=x", "/proxy2/up/conf?names=a", "/proxy2/up/version",
         "/proxy2/local_proxy/proxy2/up/metrics", "/proxy2/up/periodic-threads/x"]
# method, target: what it needs beyond a viewer
COSTLY = [
    ("POST", "/api/nodes"), ("PUT", "/api/nodes/up"), ("DELETE", "/api/nodes/up"),
    ("POST", "/api/proxies"), ("POST", "/api/proxies/local_proxy/nodes"),
    ("GET", "/proxy2/up/env"), ("HEAD", "/proxy2/up/env"), ("POST", "/proxy2/up/run_script"),
    ("POST", "/proxy2/up/conf"), ("DELETE", "/proxy2/up/cache/clear"),
    ("GET", "/proxy2/up/loglevel?logger_name=x&level=DEBUG"),
    ("GET", "/proxy2/up/loglevel?%6cevel=DEBUG"), ("GET", "/proxy2/up/loglevel?level"),
    ("PUT", "/proxy2/up/freeze/enable"), ("GET", "/proxy2/up/unknown"),
    ("POST", "/proxy2/up/metrics"), ("PATCH", "/proxy2/up/metrics"),
    ("GET", "/proxy2/local_proxy/proxy2/up/env"),
    ("GET", "/proxy2/up/proxy2/up/env"), ("GET", "/proxy2/up/proxy2/up/run_script"),
    ("GET", "/proxy2/up/%65nv"), ("GET", "/proxy2/up/ENV"), ("GET", "/proxy2/up//env"),
    ("GET", "/proxy2/up/./env"), ("GET", "/proxy2/up/metrics/../env"),
    ("GET", "/proxy2/up/metrics/..%2fenv"), ("GET", "/proxy2/up/metrics%2f..%2fenv"),
    ("GET", "/proxy2/up/metrics/%2e%2e/env"), ("GET", "/proxy2/up/%2e/env"),
    ("GET", "/proxy2/up/metrics;/../env"), ("GET", "/proxy2/up/metrics%3b"),
    ("GET", "/proxy2/up/metrics%3f"), ("GET", "/proxy2/up/metrics%23"),
    ("GET", "/proxy2/up/metrics%5c..%5cenv"), ("GET", "/proxy2/up/metrics\\..\\env"),
    ("GET", "/proxy2/up/%256detrics"), ("GET", "/proxy2/up/metrics/"),
    ("GET", "/proxy2/up/caf%c3%a9"), ("GET", "/proxy2/up/metrics%20"),
    ("GET", "/proxy2/up/metrics%0a"), ("GET", "/proxy2/up/metrics%ff"),
    ("GET", "/proxy2/up/proxy2/x%2Fperiodic-threads/env"),
    ("GET", "/proxy2/up/periodic-threads%2Fenv"),
    ("GET", "/proxy2/up/proxy2/a/proxy2/b/proxy2/c/proxy2/d/metrics"),
]


def by_address(up, path):
    return "/proxy/%s/%s/%s" % (up.node["host"], up.node["port"], path)


def test_roles():
    """A wider bind serves readers only; loopback and sockets serve all."""
    up = Upstream()
    wide = ("--listen", "0.0.0.0:0")
    unix = "unix:%s/in.sock" % os.getcwd()
    with Lmc(*wide, nodes={"up": up}) as viewers, \
            Lmc(*wide, "--insecure-allow-all", nodes={"up": up}) as anyone, \
            Lmc("--listen", unix, "--listen", "127.0.0.1:0", "--listen", "0.0.0.0:0",
                nodes={"up": up}) as both:
        check("viewers only" in viewers.said(), viewers.said())

        def ask_as(where, method, target):
            return ask(where, target, method, {"Content-Type": "application/json"},
                       None if method in ("GET", "HEAD") else b"{}").status

        def costly(method, target):
            before = len(up.requests)
            for where in (viewers.addr, both.addrs[2]):
                same(ask_as(where, method, target), 403, where)
            same(len(up.requests), before, "it was forwarded")
            for where in (anyone.addr, both.addrs[0], both.addrs[1]):
                if target.startswith("/api/"):
                    check(ask_as(where, method, target) != 403 or method == "DELETE")
                    continue
                same(ask_as(where, method, target) == 403, False, where)
        extra = [("GET", by_address(up, "env")), ("POST", by_address(up, "run_script")),
                 ("GET", by_address(up, "%65nv")), ("GET", by_address(up, "metrics/../env"))]
        # what changes the table is asked only of those who may not
        every([c for c in COSTLY + extra if c[0] != "DELETE" or "/api/" not in c[1]], costly)
        for where in (viewers.addr, both.addrs[2]):
            same(ask_as(where, "DELETE", "/api/nodes/up"), 403)

        def cheap(target):
            for where in [viewers.addr, anyone.addr] + both.addrs:
                for method in ("GET", "HEAD"):
                    check(ask_as(where, method, target) in (200, 204), where, method)
        every(READS + [by_address(up, "metrics")], cheap)


def test_hosts():
    """An unknown Host is 421: a name that an attacker points at us is not ours."""
    up = Upstream()
    with Lmc("--public-host", "lmc.example", "--public-host", "Other", nodes={"up": up}) as lmc:
        def host(value, status, target="/livez"):
            with lmc.wire() as w:
                w.send("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, value))
                a = w.answer()
                same(a.status, status)
                if status == 421:
                    check(a.json()["detail"], a)
        port = lmc.addr.split(":")[1]
        every([(h, 200) for h in (
            "127.0.0.1", "127.0.0.1:" + port, "localhost", "LOCALHOST:1", "[::1]",
            "[::1]:80", "10.1.2.3", "lmc.example", "LMC.Example:443", "other:1",
            "lmc.example:")], host)
        every([(h, 421) for h in (
            "evil.example", "localhost.evil", "xlocalhost", "127.0.0.1.evil", "lmc.example.evil",
            "xlmc.example", "127.0.0.1x", "1e7.evil", "lmc", "localhos", "a", "127.0.0.1-",
            "localhost%00", "lmc.example.")], host)
        host("evil.example", 421, "/proxy2/up/metrics")
        same(up.requests, [])
    with Lmc("--listen", "unix:%s/in.sock" % os.getcwd()) as lmc, lmc.wire() as w:
        w.send("GET /livez HTTP/1.1\r\nHost: whatever\r\n\r\n")
        same(w.answer().status, 200)


def test_other_sites():
    """A page of another site can have nothing changed and no secret shown."""
    up = Upstream()
    with Lmc(nodes={"up": up}) as lmc:
        mine = "http://" + lmc.addr
        asks = [("GET", "/proxy2/up/env"), ("POST", "/proxy2/up/run_script"),
                ("POST", "/api/nodes"), ("DELETE", "/api/nodes/none"),
                ("GET", "/proxy2/up/loglevel?logger_name=x&level=DEBUG"),
                ("POST", "/proxy2/up/metrics"), ("GET", by_address(up, "env"))]

        def status(fields, method, target):
            with lmc.wire() as w:
                w.send("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\n%s\r\n{}" % (
                    method, target, lmc.addr, fields))
                return w.answer().status
        bad = ["Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n",
               "Sec-Fetch-Site: \r\n", "Sec-Fetch-Site: Same-Origin\r\n",
               "Origin: null\r\n", "Origin: http://evil.example\r\n", "Origin:\r\n",
               "Origin: http://127.0.0.1\r\n", "Origin: http://127.0.0.1:1\r\n",
               "Origin: %s.evil\r\n" % mine, "Origin: http://evil@%s\r\n" % lmc.addr,
               "Origin: %s\r\nOrigin: http://evil.example\r\n" % mine,
               "Origin: http://evil.example\r\nOrigin: %s\r\n" % mine,
               "Origin: %s, http://evil.example\r\n" % mine,
               "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
               "Sec-Fetch-Site: same-origin\r\nOrigin: http://evil.example\r\n"]
        every([(f,) + a for f in bad for a in asks],
              lambda f, m, t: same(status(f, m, t), 403))
        same(up.requests, [])
        good = ["", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n",
                "Origin: %s\r\n" % mine, "Origin: https://%s\r\n" % lmc.addr,
                "Sec-Fetch-Site: same-origin\r\nOrigin: %s\r\n" % mine]
        every([(f,) + a for f in good for a in asks],
              lambda f, m, t: check(status(f, m, t) != 403, "refused"))
        # a link to what anyone may read works from anywhere
        same(status("Sec-Fetch-Site: cross-site\r\n", "GET", "/"), 200)
        same(status("Sec-Fetch-Site: cross-site\r\n", "GET", "/proxy2/up/metrics"), 200)
        # HTTP/1.0 has no Host to compare with
        with lmc.wire() as w:
            w.send("POST /api/nodes HTTP/1.0\r\nOrigin: http://\r\nContent-Length: 2\r\n\r\n{}")
            same(w.answer().status, 403)
        lmc.alive()


def test_two_frontends():
    """Nodes behind another frontend are reached through it, by both names."""
    up = Upstream()
    with Lmc(nodes={"w 0": up}) as inner:
        host, port = inner.addr.split(":")
        with Lmc() as outer:
            same(call(outer, "POST", "/api/proxies", node(
                "far", host, port, nodes=[node("w 0", port=9)])).status, 200)
            for target in ("/proxy2/far/proxy2/w%200/x?y=%2F", "/proxy2/w%200/x?y=%2F",
                           "/proxy2/far/proxy2/local_proxy/proxy2/w%200/x?y=%2F"):
                same(call(outer, "GET", target).status, 200, target)
                r = up.requests[-1]
                same(r.target, "/x?y=%2F")
                same((r.get("X-Lmc-Hops"), r.get("X-Forwarded-For")), ("2", "127.0.0.1, 127.0.0.1"))
            for target in ("/proxy2/far/proxy2/none/x", "/proxy2/none/x"):
                same(call(outer, "GET", target).status, 404, target)
            same(call(outer, "GET", "/proxy2/far/api/nodes").status, 200)


def test_ready_and_page():
    with Lmc() as lmc:
        for target in ("/healthz", "/livez", "/readyz"):
            a = call(lmc, "GET", target)
            same((a.status, a.body), (200, b"ok\n"), target)
        a = call(lmc, "GET", "/")
        check(a.status == 200 and b"<html" in a.body.lower(), a)
        check("script-src 'self'" in a.get("Content-Security-Policy"), a.head)
        check("frame-ancestors 'none'" in a.get("Content-Security-Policy"), a.head)
        same(a.get("X-Content-Type-Options"), "nosniff")
        tag = a.get("ETag")
        a = lmc.ask("/", "GET", {"If-None-Match": tag})
        same((a.status, a.body, a.get("ETag")), (304, b"", tag))
        a = lmc.ask("/", "GET", {"Accept-Encoding": "gzip"})
        same((a.get("Content-Encoding"), a.body[:2]), ("gzip", b"\x1f\x8b"))
        a = lmc.ask("/", "GET", {"Accept-Encoding": "gzip;q=0"})
        same(a.get("Content-Encoding"), None)
        for target in ("/static/", "/static/../etc/passwd", "/static/..%2f..%2fetc%2fpasswd",
                       "/static/%2e%2e/index.html", "/index.html", "/static/app.js/",
                       "/static//app.js", "//"):
            same(call(lmc, "GET", target).status, 404, target)


if __name__ == "__main__":
    sys.exit(main(globals()))
