#!/usr/bin/env python3
# proxy_http.py - what lmc proxy does with HTTP, byte by byte
# SPDX-License-Identifier: Apache-2.0
"""Called by proxy-http.bats, one function a test."""
import contextlib
import os
import sys
import time

from wire import Failed, Lmc, Upstream, check, main, same, say, until

HEAD = "GET /proxy2/up/x HTTP/1.1\r\nHost: localhost\r\n"
POST = "POST /proxy2/up/sink HTTP/1.1\r\nHost: localhost\r\n"


@contextlib.contextmanager
def pair(*args, nofile=None, **kw):
    """A frontend that does not probe, unless told to, in front of one node: what
    the node sees is of the test."""
    up = Upstream(**kw)
    with Lmc("--probe", "0", *args, nodes={"up": up}, nofile=nofile) as lmc:
        yield lmc, up
        if lmc.process.poll() != 0:     # the test ended it
            lmc.alive()
    up.close()


def get(target, fields="", version="1.1", method="GET"):
    return "%s /proxy2/up%s HTTP/%s\r\nHost: localhost\r\n%s\r\n" % (
        method, target, version, fields)


def every(cases, run):
    """Runs all, then fails with all that failed."""
    bad = []
    for case in cases:
        try:
            run(*case) if isinstance(case, tuple) else run(case)
        except (Failed, OSError) as e:
            bad.append("%r: %s" % (case, e))
    check(not bad, "\n" + "\n".join(bad[:20]))


# ---- refused ----

REFUSED = [
    # the request line
    (b"GET\r\n\r\n", 400),
    (b"GET /proxy2/up/x\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ("GET  /proxy2/up/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /proxy2/up/x HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    ("GET /proxy2/up/x\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /proxy2/up/a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /proxy2/up/caf\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("GET /proxy2/up/#x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("GET /proxy2/up/x HTTP/1.1\nHost: localhost\n\n", 400),
    ("GET http://127.0.0.1/proxy2/up/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("GET up:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    ("TRACE /proxy2/up/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    ("get /proxy2/up/x HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
    ("GET /proxy2/up/x HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("GET /proxy2/up/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % ("x" * 17000), 414),
    # Host
    ("GET /proxy2/up/x HTTP/1.1\r\n\r\n", 400),
    (HEAD + "Host: localhost\r\n\r\n", 400),
    ("GET /proxy2/up/x HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET /proxy2/up/x HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
    ("GET /proxy2/up/x HTTP/1.1\r\nHost: localhost.evil\r\n\r\n", 421),
    ("GET /proxy2/up/x HTTP/1.1\r\nHost: 127.0.0.1.evil\r\n\r\n", 421),
    # fields
    (HEAD + "X: 1\r\n folded\r\n\r\n", 400),
    (HEAD + "X : 1\r\n\r\n", 400),
    (HEAD + "X\r\n\r\n", 400),
    (HEAD + "X: a\rb\r\n\r\n", 400),
    (HEAD + "X: a\0b\r\n\r\n", 400),
    (HEAD + "X: %s\r\n\r\n" % ("x" * 17000), 431),
    (HEAD + "X: 1\r\n" * 100 + "\r\n", 431),
    (HEAD + "Expect: something\r\n\r\n", 417),
    # framing
    (POST + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    (POST + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    (POST + "Content-Length: 5, 5\r\n\r\nhello", 400),
    (POST + "Content-Length: +5\r\n\r\nhello", 400),
    (POST + "Content-Length: 0x5\r\n\r\nhello", 400),
    (POST + "Content-Length: 9223372036854775808\r\n\r\nhello", 400),
    (POST + "Content-Length : 5\r\n\r\nhello", 400),
    (POST + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    (POST + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    (POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", 400),
    (POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    (POST + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + "Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", 400),
    (POST.replace("1.1", "1.0", 1) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    # a loop
    (HEAD + "X-Lmc-Hops: 3\r\n\r\n", 508),
    (HEAD + "X-Lmc-Hops: x\r\n\r\n", 508),
    (HEAD + "X-Lmc-Hops:\r\n\r\n", 508),
    # our own API
    ("POST /api/nodes HTTP/1.1\r\nHost: localhost\r\n\r\n", 411),
    ("POST /api/nodes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n", 413),
    ("POST /api/nodes HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5\r\nhelloo\r\n0\r\n\r\n", 400),
    ("POST /api/nodes HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
     "zz\r\n", 400),
]

# These close the connection; those that are only refused keep it.
OPEN = (421, 508, 411)


def test_refused():
    with pair() as (lmc, up):
        def run(data, status):
            with lmc.wire() as w:
                w.send(data)
                a = w.answer()
                check(a, "no answer")
                same(a.status, status)
                check(a.whole and a.json()["detail"], "no detail", a)
                if status in OPEN:
                    return
                same(a.get("Connection"), "close")
                # what comes behind a framing error is no request
                w.send(get("/never", "Connection: close\r\n"))
                w.ends()
        every(REFUSED, run)
        same((up.requests, up.bytes), ([], 0), "a refused request reached the node")


def test_refused_in_pieces():
    with pair() as (lmc, up):
        def run(data, status):
            with lmc.wire() as w:
                data = data.encode("latin-1") if isinstance(data, str) else data
                for i in range(len(data)):
                    w.send(data[i:i + 1])
                    if len(data) > 2000 and i % 64 == 0:
                        time.sleep(0)
                a = w.answer()
                same(a and a.status, status)
        every([c for c in REFUSED if len(c[0]) < 400], run)
        same((up.requests, up.bytes), ([], 0), "a refused request reached the node")


BAD_CHUNKS = [
    "x\r\n", "-1\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhell\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
    "5 5\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\nhello",
    "10000000000000005\r\nhello\r\n0\r\n\r\n", "5;\0\r\nhello\r\n0\r\n\r\n",
    "0\r\nX : y\r\n\r\n", "0\r\n X: y\r\n\r\n", "5;" + "x" * 400 + "\r\nhello\r\n",
    "0\r\n" + "X: y\r\n" * 5000 + "\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n",
]


def test_bad_chunks():
    with pair() as (lmc, up):
        def run(body):
            with lmc.wire() as w:
                w.send(POST + "Transfer-Encoding: chunked\r\n\r\n" + body)
                a = w.answer()
                same(a and a.status, 400)
                same(a.get("Connection"), "close")
                w.send(get("/never"))
                w.ends()
        every(BAD_CHUNKS, run)
        # the node may see the beginning, but never a body that looks whole
        same([r.raw for r in up.requests if r.whole], [])
        check(not any(r.target == "/never" for r in up.requests), "smuggled")
        until(lambda: up.open == 0, "the node's connections are given up")


SMUGGLES = [
    # both framings, in every order and spelling: one request or none
    "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG",
    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\nContent-Length: 41\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding:\tchunked\t\r\nContent-Length: 41\r\n\r\n0\r\n\r\n",
    "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 41\r\n\r\n0\r\n\r\n",
    "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 41\r\n\r\n0\r\n\r\n",
    "X: y\rTransfer-Encoding: chunked\r\nContent-Length: 41\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunk\r\nContent-Length: 41\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: \"chunked\"\r\nContent-Length: 41\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding:: chunked\r\nContent-Length: 41\r\n\r\n0\r\n\r\n",
    "Content-Length: 41\r\nContent-Length: 0\r\n\r\n",
    "Content-Length: 0\r\nContent-Length: 41\r\n\r\n",
    "Content-Length: 0, 44\r\n\r\n",
    "Content-Length: 041 \r\n content-length: 0\r\n\r\n",
    "Connection: Content-Length\r\nContent-Length: 41\r\n\r\n",
    "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n29\r\n",
    "Transfer-Encoding: chunked\r\n\r\n29;\r\n",
    "Transfer-Encoding: chunked\r\n\r\n29 \r\n",
    "Transfer-Encoding: chunked\r\n\r\n000000000000000029\r\n",
    "Transfer-Encoding: chunked\r\n\r\n29\r\r\n",
    "Transfer-Encoding: chunked\r\n\r\n29\n",
    "Transfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    "Expect: 100-continue\r\nContent-Length: 41\r\n\r\n",
    "Upgrade: h29\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 41\r\n\r\n",
]
HIDDEN = "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
assert len(HIDDEN) == 41    # the sizes above


def test_smuggling():
    with pair() as (lmc, up):
        def run(rest):
            with lmc.wire() as w:
                w.send(POST + rest + HIDDEN, then_fin=True)
                w.rest()
        every(SMUGGLES, run)
        until(lambda: up.open == 0 or lmc.ask("/livez").status == 200, "settled")
        same([r.target for r in up.requests if r.target != "/sink"], [])
        same(up.junk, b"", "bytes behind a request")


# ---- passed on ----

def test_pipelined():
    with pair() as (lmc, up):
        with lmc.wire() as w:
            n = 60
            parts = []
            for i in range(n):
                if i % 3 == 0:
                    parts.append(get("/sleep/20?%d" % i))
                elif i % 3 == 1:
                    parts.append(POST.replace("sink", "sink?%d" % i) +
                                 "Content-Length: %d\r\n\r\n%s" % (i, "b" * i))
                else:
                    parts.append("GET /livez?%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % i)
            w.send("".join(parts))
            for i in range(n):
                a = w.answer()
                check(a and a.whole and a.status == 200, i, a)
                same(a.body, [b"ok", b"%d" % i, b"ok\n"][i % 3], "answer %d" % i)
        same([r.target.partition("?")[2] for r in up.requests],
             [str(i) for i in range(n) if i % 3 != 2])


def test_pipelined_in_odd_pieces():
    text = "".join(get("/%d" % i) + "\r\n" for i in range(20)) + \
        POST + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n" + \
        get("/last", "Connection: close\r\n")
    with pair() as (lmc, up):
        for size in (1, 2, 7, 61, 333):
            before = len(up.requests)
            with lmc.wire() as w:
                for i in range(0, len(text), size):
                    w.send(text[i:i + size])
                for i in range(22):
                    a = w.answer()
                    check(a and a.whole and a.status == 200, size, i, a)
                same(w.ends(), "fin")
            same([r.target for r in up.requests[before:]],
                 ["/%d" % i for i in range(20)] + ["/sink", "/last"])


def test_versions():
    with pair() as (lmc, up):
        with lmc.wire() as w:       # 1.0 closes
            a = w.send(get("/x", version="1.0")).answer()
            same((a.status, a.get("Connection"), w.ends()), (200, "close", "fin"))
        with lmc.wire() as w:       # unless asked to stay
            for _ in range(3):
                a = w.send(get("/x", "Connection: keep-alive\r\n", "1.0")).answer()
                same((a.status, a.get("Connection")), (200, "keep-alive"))
        with lmc.wire() as w:       # without Host
            a = w.send("GET /proxy2/up/x HTTP/1.0\r\n\r\n").answer()
            same(a.status, 200)
        with lmc.wire() as w:       # 1.0 is never sent chunks
            a = w.send(get("/gen/300000/chunked", "Connection: keep-alive\r\n",
                           "1.0")).answer()
            same((a.get("Transfer-Encoding"), a.get("Connection")), (None, "close"))
            same((a.whole, len(a.body)), (True, 300000))
        with lmc.wire() as w:       # 1.1 stays
            for _ in range(3):
                a = w.send(get("/x")).answer()
                same((a.status, a.get("Connection")), (200, None))
        with lmc.wire() as w:       # until told
            a = w.send(get("/x", "Connection: close\r\n")).answer()
            same((a.get("Connection"), w.ends()), ("close", "fin"))
        same({r.first.split()[-1] for r in up.requests}, {"HTTP/1.1"})


def test_no_body_answers():
    with pair() as (lmc, up), lmc.wire() as w:
        a = w.send(get("/x", method="HEAD")).answer("HEAD")
        same((a.status, a.get("Content-Length"), a.body), (200, "2", b""))
        a = w.send(get(say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                       method="HEAD")).answer("HEAD")
        same((a.status, a.body), (200, b""))
        a = w.send(get(say("HTTP/1.1 204 No Content\r\n\r\n"))).answer()
        same((a.status, a.get("Content-Length")), (204, None))
        a = w.send(get(say("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n"))).answer()
        same((a.status, a.get("Content-Length")), (204, None))
        a = w.send(get(say("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n"
                           "Content-Length: 7\r\n\r\n"))).answer()
        same((a.status, a.get("ETag"), a.body), (304, '"x"', b""))
        a = w.send(get(say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))).answer()
        same((a.status, a.get("Content-Length"), a.body), (200, "0", b""))
        # a local answer to HEAD has no body either
        w.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        a = w.answer("HEAD")
        check(int(a.get("Content-Length")) > 10, a)
        a = w.send(get("/x")).answer()      # and all of this on one connection
        same((a.status, a.body), (200, b"ok"))
        same(up.connections, 1, "the node's connection was used again")


def test_extra_bytes():
    """What a node sends behind its answer is nobody's answer."""
    fake = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfaked"
    with pair() as (lmc, up):
        def run(answer, method):
            with lmc.wire() as w:
                a = w.send(get(say(answer), method=method)).answer(method)
                check(a.status in (200, 204, 304, 502), a)
                for _ in range(3):
                    a = w.send(get("/x")).answer()
                    check(a and a.body == b"ok", "poisoned:", a)
        every([
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + fake, "GET"),
            ("HTTP/1.1 204 No Content\r\n\r\n" + fake, "GET"),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" + fake, "GET"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + fake, "HEAD"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + fake, "GET"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + fake, "GET"),
        ], run)


# ---- expectations and interim answers ----

def test_continue():
    with pair() as (lmc, up):
        with lmc.wire() as w:       # a client that waits for it
            w.send(POST + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            check(w.head().startswith(b"HTTP/1.1 100 "), "no 100")
            a = w.send("hello").answer()
            same((a.status, a.body), (200, b"5"))
            a = w.send(get("/x")).answer()
            same(a.body, b"ok")
        with lmc.wire() as w:       # one that does not
            w.send(POST + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
            a = w.answer()
            same((a.status, a.body), (200, b"5"))
        same(up.requests[0].get("Expect"), "100-continue")


def test_continue_refused():
    with pair() as (lmc, up):
        no = say("HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno", wait="head")
        with lmc.wire() as w:
            w.send("POST /proxy2/up%s HTTP/1.1\r\nHost: localhost\r\n"
                   "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n" % no)
            a = w.answer()
            same((a.status, a.body, a.interim), (417, b"no", []))
            # the body may or may not come: the connection cannot go on
            same((a.get("Connection"), w.ends()), ("close", "fin"))
        with lmc.wire() as w:       # of a body that is under way the same
            w.send("POST /proxy2/up%s HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Length: 5000000\r\n\r\n" % no)
            w.send(b"x" * 100000)
            a = w.answer()
            same((a.status, a.body), (417, b"no"))
            w.ends()


def test_continue_of_our_own():
    """Our own API asks for the body it waits for, or refuses it at once."""
    body = '{"name":"n","host":"127.0.0.1","port":1}'
    with Lmc() as lmc:
        with lmc.wire() as w:
            w.send("POST /api/nodes HTTP/1.1\r\nHost: localhost\r\n"
                   "Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            check(w.head().startswith(b"HTTP/1.1 100 "), "no 100")
            same(w.send(body).answer().status, 200)
        with lmc.wire() as w:
            w.send("POST /api/nodes HTTP/1.1\r\nHost: localhost\r\n"
                   "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
            a = w.answer()
            same((a.status, a.interim, a.get("Connection")), (413, [], "close"))


def test_expect_of_http_1_0():
    with pair() as (lmc, up):
        for value in ("100-continue", "anything"):
            with lmc.wire() as w:
                w.send("POST /proxy2/up/sink HTTP/1.0\r\nExpect: %s\r\n"
                       "Content-Length: 2\r\n\r\nhi" % value)
                a = w.answer()
                same((a.status, a.interim, a.body), (200, [], b"2"))
        same([r.get("Expect") for r in up.requests], [None, None])


def test_interim():
    with pair() as (lmc, up):
        early = "HTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n"
        ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        with lmc.wire() as w:
            for parts in ((early + ok,), (early, ok), (early[:20], early[20:] + ok[:30], ok[30:])):
                a = w.send(get(say(*parts))).answer()
                same((a.status, a.body, [s for s, _ in a.interim]), (200, b"hi", [103]))
                same(dict(a.interim[0][1]).get("X-Hint"), "1")
            a = w.send(get(say(early * 3 + ok))).answer()
            same([s for s, _ in a.interim], [103] * 3)
        with lmc.wire() as w:       # HTTP/1.0 knows none
            a = w.send(get(say(early, ok), version="1.0")).answer()
            same((a.status, a.interim, a.body), (200, [], b"hi"))
        with lmc.wire() as w:       # they are bounded
            a = w.send(get(say(early * 50 + ok))).answer()
            same(a.status, 502)


def test_upgrade():
    with pair() as (lmc, up):
        with lmc.wire() as w:
            a = w.send(get("/x", "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Key: eA==\r\n")).answer()
            same(a.status, 200)
            r = up.requests[0]
            same((r.get("Upgrade"), r.get("Connection")), (None, None))
        with lmc.wire() as w:
            a = w.send(get(say("HTTP/1.1 101 Switching Protocols\r\n"
                               "Upgrade: x\r\nConnection: upgrade\r\n\r\n"))).answer()
            same((a.status, a.get("Upgrade")), (502, None))


# ---- bodies ----

def test_uploads():
    data = bytes(range(256)) * 5000         # 1.28 MB
    with pair(keep=1 << 22) as (lmc, up):
        with lmc.wire() as w:
            a = w.send(POST.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data).answer()
            same((a.status, a.body), (200, b"%d" % len(data)))
            check(up.requests[0].body == data, "the body changed")
            same(up.requests[0].get("Transfer-Encoding"), None)

            w.send(POST + "Transfer-Encoding: chunked\r\n\r\n")
            for i in range(0, len(data), 70000):
                part = data[i:i + 70000]
                w.send(b"%x;ext=1\r\n" % len(part) + part + b"\r\n")
            a = w.send("0\r\nTrailer: dropped\r\n\r\n").answer()
            same((a.status, a.body), (200, b"%d" % len(data)))
            r = up.requests[1]
            check(r.body == data, "the body changed")
            same((r.get("Transfer-Encoding"), r.get("Content-Length")), ("chunked", None))
            check(b"Trailer:" not in r.raw and b"ext" not in r.raw, "copied through")

            # much more than is passed on in one turn, all at once
            n = 8 << 20
            w.send(POST.encode() + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % n +
                   bytes(n) + b"\r\n0\r\n\r\n")
            same(w.answer().body, b"%d" % n)

            w.send(POST + "Transfer-Encoding: chunked\r\n\r\n")
            for c in "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n":
                w.send(c)
            same(w.answer().body, b"5")
            same(w.send(POST + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").answer().body, b"0")
            same(w.send(POST + "Content-Length: 0\r\n\r\n").answer().body, b"0")
            same(w.send(POST + "\r\n").answer().body, b"0")
            same(up.requests[-2].get("Content-Length"), "0")
        same(up.connections, 1)


def test_downloads():
    with pair() as (lmc, up), lmc.wire() as w:
        for n in (0, 1, 65535, 65536, 65537, 1000000):
            for form in ("", "/chunked"):
                a = w.send(get("/gen/%d%s" % (n, form))).answer()
                same((a.status, a.whole, len(a.body)), (200, True, n), form)
                same(a.get("Transfer-Encoding"), "chunked" if form else None)
        same(up.connections, 1)
        a = w.send(get("/gen/1000000/close")).answer()
        same((a.whole, len(a.body), a.get("Transfer-Encoding")), (True, 1000000, "chunked"))
        a = w.send(get("/x")).answer()      # the client's connection stays
        same(a.body, b"ok")


def test_answer_in_pieces():
    """An answer's bytes may come in any pieces."""
    answers = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello", b"hello"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nT: x\r\n\r\n", b"hello"),
    ]
    with pair() as (lmc, up), lmc.wire() as w:
        for text, body in answers:
            for at in (1, 8, 17, 30, len(text) - 8, len(text) - 1):
                a = w.send(get(say(text[:at], text[at:]))).answer()
                same((a.status, a.whole, a.body), (200, True, body), "split at %d" % at)
            a = w.send(get(say(*text))).answer()
            same((a.status, a.whole, a.body), (200, True, body), "byte by byte")
        same(up.connections, 1)


def test_odd_answers():
    """Unusual, and right."""
    with pair() as (lmc, up):
        def run(text, status, body):
            with lmc.wire() as w:
                a = w.send(get(say(text, then="close"))).answer()
                same((a.status, a.whole, a.body), (status, True, body))
                check(a.head.startswith(b"HTTP/1.1 %d " % status), a.head)
        every([
            ("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, b"x"),
            ("HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", 200, b"x"),
            ("HTTP/1.0 200 Fine\r\n\r\nx", 200, b"x"),
            ("HTTP/1.1 299 Odd thing\r\nContent-Length: 1\r\n\r\nx", 299, b"x"),
            ("HTTP/1.1 500 Oops\r\n\r\ntext", 500, b"text"),
            ("HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 99 + "\r\n", 200, b""),
            ("HTTP/1.1 200 OK\r\nX:\r\nY: caf\xe9\r\n\r\nz", 200, b"z"),
        ], run)


# ---- heads ----

def test_hop_by_hop_request():
    with pair() as (lmc, up), lmc.wire() as w:
        w.send(get("/x", "Connection: keep-alive, X-Mine, authorization\r\n"
                   "Connection: X-Other\r\nX-Mine: 1\r\nX-Other: 2\r\nx-other: 3\r\n"
                   "Authorization: Basic eA==\r\nKeep-Alive: timeout=5\r\n"
                   "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\n"
                   "TE: trailers\r\nTrailer: X\r\nUpgrade: x\r\nX-Stays: \t a b \t\r\n"
                   "x-twice: 1\r\nx-twice: 2\r\n"))
        same(w.answer().status, 200)
        r = up.requests[0]
        for name in ("Connection", "X-Mine", "X-Other", "Authorization", "Keep-Alive",
                     "Proxy-Connection", "Proxy-Authorization", "TE", "Trailer", "Upgrade"):
            same(r.get(name), None, name)
        same((r.get("X-Stays"), r.all("x-twice")), ("a b", ["1", "2"]))
        # one that says close is not all that is said
        w.send(get("/x", "Connection: keep-alive\r\nConnection: X-Mine\r\nX-Mine: 1\r\n"))
        same(w.answer().status, 200)
        same(up.requests[1].get("X-Mine"), None)
        # naming them takes nothing away that the message needs
        w.send("POST /proxy2/up/sink HTTP/1.1\r\nHost: localhost\r\n"
               "Connection: Host, Content-Length, Via\r\nContent-Length: 2\r\n\r\nhi")
        same(w.answer().body, b"2")
        r = up.requests[2]
        same((r.get("Content-Length"), r.all("Host")), ("2", [up.addr]))


def test_hop_by_hop_answer():
    with pair() as (lmc, up), lmc.wire() as w:
        a = w.send(get(say(
            "HTTP/1.1 200 OK\r\nConnection: X-Mine\r\nConnection: keep-alive\r\nX-Mine: 1\r\n"
            "Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nTrailer: X\r\n"
            "Upgrade: h29\r\nX-Stays: y\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Length: 2\r\n\r\nhi"))).answer()
        for name in ("Connection", "X-Mine", "Keep-Alive", "Proxy-Authenticate",
                     "Trailer", "Upgrade"):
            same(a.get(name), None, name)
        same((a.get("X-Stays"), a.all("X-Twice"), a.body), ("y", ["1", "2"], b"hi"))


def test_node_may_not_say():
    """What would act on the frontend's origin in a browser (threats.md T7)."""
    names = ("Strict-Transport-Security", "Clear-Site-Data", "Alt-Svc", "Report-To",
             "Service-Worker-Allowed", "Set-Cookie", "Refresh", "Link", "Content-Security-Policy",
             "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
             "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
             "Access-Control-Expose-Headers", "Access-Control-Max-Age")
    with pair() as (lmc, up), lmc.wire() as w:
        a = w.send(get(say("HTTP/1.1 200 OK\r\n" +
                           "".join("%s: evil\r\n%s: evil\r\n" % (n, n.lower()) for n in names) +
                           "Content-Length: 2\r\n\r\nhi"))).answer()
        check(b"evil" not in a.head, a.head)
        check("sandbox" in a.get("Content-Security-Policy"), a.head)
        same(a.get("X-Content-Type-Options"), "nosniff")


def test_forwarded():
    with pair() as (lmc, up), lmc.wire() as w:
        host = "localhost:123"
        w.send("GET /proxy2/up/x HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
        same(w.answer().status, 200)
        r = up.requests[0]
        same(r.get("X-Forwarded-For"), "127.0.0.1")
        same((r.get("X-Forwarded-Proto"), r.get("X-Forwarded-Host")), ("http", host))
        same(r.get("Forwarded"), 'for=127.0.0.1;host="%s";proto=http' % host)
        same((r.get("Via"), r.get("X-Lmc-Hops")), ("1.1 lmc", "1"))
        same(r.all("Host"), [up.addr])

        w.send(get("/x", "X-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\n"
                   "Forwarded: for=10.0.0.1\r\nForwarded: for=10.0.0.2\r\n"
                   "Via: 1.0 a\r\nVia: 1.1 b\r\nX-Lmc-Hops: 1\r\n"
                   "X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: other\r\n"))
        a = w.answer()
        r = up.requests[1]
        same(r.get("X-Forwarded-For"), "10.0.0.1, 10.0.0.2, 127.0.0.1")
        check(r.get("Forwarded").startswith("for=10.0.0.1, for=10.0.0.2, for=127.0.0.1;"),
              r.get("Forwarded"))
        same((r.get("Via"), r.all("X-Lmc-Hops")), ("1.0 a, 1.1 b, 1.1 lmc", ["2"]))
        same((r.all("X-Forwarded-Proto"), r.all("X-Forwarded-Host")),
             (["http"], ["localhost"]))
        same(a.get("Via"), "1.1 lmc")
        w.send(get("/x", version="1.0"))
        same(w.answer().status, 200)
        same(up.requests[2].get("Via"), "1.0 lmc")
        same(up.requests[2].first, "GET /x HTTP/1.1")


def test_forwarded_over_a_socket():
    """Behind another server on a UNIX socket, its word about the client stays."""
    up = Upstream()
    with Lmc("--listen", "unix:%s/in.sock" % os.getcwd(), nodes={"up": up}) as lmc:
        with lmc.wire() as w:
            w.send(get("/x", "X-Forwarded-For: 10.0.0.1\r\n"))
            same(w.answer().status, 200)
            w.send(get("/x"))
            same(w.answer().status, 200)
        same(up.requests[0].get("X-Forwarded-For"), "10.0.0.1")
        check("for=unknown" in up.requests[1].get("Forwarded"), up.requests[1].raw)
        same(up.requests[1].get("X-Forwarded-For"), None)


TARGETS = [
    "/", "/?", "/a?b=c&d=e", "/a?b=%20+%2B&c=%zz", "/?%", "/a//b", "/a/./b",
    "/..", "/../../x", "/%2e%2e/x", "/%2E%2e%2f..", "/a%2Fb", "/a%2fb", "/a%5Cb",
    "/%252Fvar%252Frun%252Fx.sock", "/%25252F", "/caf%C3%A9", "/caf%c3%a9", "/%ff%fe",
    "/a;b=c", "/a:b@c", "/~a!$&'()*+,;=", "/a?x=http://evil/", "/%0d%0aX:%20y",
    "/a?%00", "/a?q=\"<>\\^`{|}", "/%41%5a%7a", "/proxy2/../x", "/a?a=1&a=2&a=3",
    "/.", "/...", "/a/", "/a/?", "/%20", "/%3Fa%23b", "/a?b?c??",
]


def test_targets():
    """Path and query behind the name go on as they came, byte for byte."""
    with pair() as (lmc, up), lmc.wire() as w:
        for t in TARGETS:
            a = w.send(get(t)).answer()
            same((a.status, up.requests[-1].target), (200, t))


BAD_TARGETS = ["/%", "/%2", "/%zz", "/%g0", "/a%00b", "/%00", "/a%"]


def test_bad_targets():
    with pair() as (lmc, up), lmc.wire() as w:
        for t in BAD_TARGETS:
            a = w.send(get(t)).answer()
            same(a.status, 400, t)
        same(up.requests, [])


def test_names():
    """A node's name is one segment, decoded once."""
    names = ["a b", "a/b", "a%2Fb", "caf\u00e9", "..x", "a?b", "a#b", "a;b", "x.y",
             "%", "proxy2", "a\"b", "<b>"]
    ups = {n: Upstream() for n in names}
    with Lmc(nodes=ups) as lmc, lmc.wire() as w:
        for name, up in ups.items():
            enc = "".join("%%%02X" % b for b in name.encode())
            w.send("GET /proxy2/%s/x?y HTTP/1.1\r\nHost: localhost\r\n\r\n" % enc)
            same((w.answer().status, [r.target for r in up.requests]), (200, ["/x?y"]), name)
        for enc in ("a%2525b", "a%252Fb/", "A%20b", "a+b", "..", "%2e%2e", "%ff", "a%20b%20"):
            w.send("GET /proxy2/%s/x HTTP/1.1\r\nHost: localhost\r\n\r\n" % enc)
            a = w.answer()
            if enc == "a%252Fb/":           # that is "a%2Fb", which exists
                same(a.status, 200, enc)
                continue
            same(a.status, 404, enc)
            check(a.json()["detail"].startswith("Node with name"), a)
        for enc in ("%zz", "a%00", "%2"):
            w.send("GET /proxy2/%s/x HTTP/1.1\r\nHost: localhost\r\n\r\n" % enc)
            same(w.answer().status, 400, enc)
        a = w.send("GET /proxy2/x.y?q=1 HTTP/1.1\r\nHost: localhost\r\n\r\n").answer()
        same((a.status, a.get("Location")), (307, "/proxy2/x.y/?q=1"))
        # one that is too long to be sent elsewhere is refused, not sent nowhere
        a = w.send("GET /proxy2/x.y?%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % ("q" * 3000)).answer()
        check(a.status == 414 or a.get("Location"), a)


def test_by_address():
    """/proxy/HOST/PORT/ reaches registered nodes only, sockets encoded twice."""
    path = os.getcwd() + "/node.sock"
    tcp, un = Upstream(), Upstream(unix=path)
    once = "".join("%2F" if c == "/" else c for c in path)
    twice = once.replace("%", "%25")
    with Lmc(nodes={"tcp": tcp, "un": un}) as lmc:
        port = tcp.node["port"]

        def status(target):
            return lmc.ask(target).status
        same(status("/proxy/127.0.0.1/%d/x?y=%%2F" % port), 200)
        same(tcp.requests[-1].target, "/x?y=%2F")
        same(status("/proxy/localhost/%s/x" % twice), 200)
        same(un.requests[-1].target, "/x")
        same(status("/proxy/localhost/%s/x" % once), 404)
        for target in ("/proxy/127.0.0.1/1/x", "/proxy/169.254.169.254/80/x",
                       "/proxy/localhost/%d/x" % port, "/proxy/0x7f.1/%d/x" % port,
                       "/proxy/2130706433/%d/x" % port, "/proxy/127.1/%d/x" % port,
                       "/proxy/[::ffff:127.0.0.1]/%d/x" % port,
                       "/proxy/127.0.0.1/0%d/x" % port, "/proxy/127.0.0.1/+%d/x" % port,
                       "/proxy/x/%252Fvar%252Frun%252Fdocker.sock/x",
                       "/proxy/x/%s.bak/x" % twice, "/proxy/x/%%252F%s/x" % twice,
                       "/proxy/x/%s%%252F..%%252Fnode.sock/x" % twice,
                       "/proxy/127.0.0.1%%00/%d/x" % port, "/proxy/127.0.0.1/%d%%2500/x" % port):
            got = status(target)
            check(got in (400, 403, 404), target, got)
        same((len(tcp.requests), len(un.requests)), (1, 1))


if __name__ == "__main__":
    sys.exit(main(globals()))
