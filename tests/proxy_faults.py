#!/usr/bin/env python3
# proxy_faults.py - lmc proxy between nodes and clients that misbehave
# SPDX-License-Identifier: Apache-2.0
"""Called by proxy-faults.bats, one function a test."""
import contextlib
import os
import socket
import sys
import threading
import time

from proxy_http import every, get, pair
from wire import Failed, Lmc, Upstream, Wire, check, main, same, say, until

OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def took(what):
    start = time.monotonic()
    got = what()
    return got, time.monotonic() - start


# ---- bad answers ----

NO_ANSWERS = [
    ("", "close"), ("", "reset"),
    ("garbage\r\n\r\n", "close"), ("garbage", "close"), ("\r\n\r\n", "close"),
    ("\0\0\0\0\r\n", "keep"), ("HTTP/1.1 200 OK\n\nhi", "close"),
    ("HTTP/1.1 200 OK\r\n", "close"), ("HTTP/1.1 200 OK\r\nX: y\r\n", "reset"),
    ("HTTP/1.1 200 OK\r\nX: y", "close"), ("HTT", "close"),
    ("HTTP/2.0 200 OK\r\n\r\n", "keep"), ("HTTP/1.1 abc OK\r\n\r\n", "keep"),
    ("HTTP/1.1 99 OK\r\n\r\n", "keep"), ("HTTP/1.1 777 OK\r\n\r\n", "keep"),
    ("<html>hello</html>", "close"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "keep"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "keep"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "keep"),
    ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 101 + "\r\n", "keep"),
    ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "keep"),
    ("HTTP/1.1 100 Continue\r\n\r\n", "close"),
    ("HTTP/1.1 100 Continue\r\n\r\n" * 9 + OK, "keep"),
    ("HTTP/1.1 100 Continue\r\n\r\ngarbage\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "keep"),
]


def test_no_answers():
    """What is no answer is 502, and the client's connection goes on."""
    with pair() as (lmc, up):
        def run(data, then, *more):
            for version in ("1.1", "1.0"):
                with lmc.wire() as w:
                    a = w.send(get(say(data, then=then), "Connection: keep-alive\r\n",
                                   version)).answer()
                    check(a and a.whole, a)
                    if data.endswith("zz\r\n") and a.status == 200:
                        continue
                    same(a.status, 502)
                    check(a.json()["detail"], a)
                    if a.get("Connection") != "close":
                        same(w.send(get("/x")).answer().body, b"ok")
        every(NO_ANSWERS, run)
        same(up.junk, b"")


def test_long_head():
    """A head over 16 KiB, in whatever pieces, is 502."""
    def serve(listening, pieces):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            with sock:
                sock.recv(65536)
                with contextlib.suppress(OSError):
                    for piece in pieces:
                        sock.sendall(piece)
                        time.sleep(0.01)
                    sock.recv(65536)

    line = b"HTTP/1.1 200 OK\r\n"
    for pieces in ([line + b"X: " + b"y" * 20000 + b"\r\n\r\n"],
                   [line, b"X: "] + [b"y" * 1000] * 20,
                   [b"HTTP/1.1 200 " + b"y" * 100000],
                   [line + b"X: y\r\n" * 4000]):
        listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=serve, args=(listening, pieces), daemon=True).start()
        node = {"host": "127.0.0.1", "port": listening.getsockname()[1]}
        with Lmc(nodes={"up": node}) as lmc:
            same(lmc.ask("/proxy2/up/x").status, 502)
        listening.close()


BROKEN = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly this", "close"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly this", "reset"),
    ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", "close"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n", "close"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly", "close"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n0\r\n", "close"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n", "reset"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly thisXX0\r\n\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\nzz\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n"
     "fffffffffffffffff\r\n", "keep"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n0\r\nX : y\r\n\r\n",
     "keep"),
    ("HTTP/1.1 200 OK\r\n\r\nonly this", "reset"),
    ("HTTP/1.0 200 OK\r\n\r\nonly this", "reset"),
]


def test_broken_answers():
    """An answer that was cut off never looks complete, to nobody."""
    with pair() as (lmc, up):
        def run(text, then):
            head, _, body = text.partition("\r\n\r\n")
            parts = [(text,), (head + "\r\n\r\n", body), (text[:-1], text[-1:])]
            for pieces in parts:
                for version in ("1.1", "1.0"):
                    with lmc.wire() as w:
                        a = w.send(get(say(*pieces, then=then), "Connection: keep-alive\r\n",
                                       version)).answer()
                        if a is None and w.ended == "reset":
                            continue
                        check(a, "nothing at all", pieces, version)
                        if a.status == 502 and a.whole:
                            check(a.json()["detail"], a)
                            continue
                        same((a.status, a.whole), (200, False), "%r %s" % (pieces, version))
                        check(a.body in b"only this", a)
        every(BROKEN, run)
        same(lmc.ask("/proxy2/up/x").body, b"ok")


def test_curl_notices():
    with pair() as (lmc, up):
        for text, then in BROKEN[:2] + BROKEN[3:8]:
            got = os.waitstatus_to_exitcode(os.system(
                "curl -s -o got --max-time 20 'http://%s/proxy2/up%s'" % (
                    lmc.addr, say(text, then=then))))
            with open("got", "rb") as f:
                data = f.read()
            check(got in (18, 56) or b"detail" in data, text, got)


# ---- nodes that are down ----

def deaf():
    """A listener whose queue is full: a connect to it hangs."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    fill = []
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            s.connect(sock.getsockname())
        fill.append(s)
    return sock, fill


def test_down():
    """A node that is down costs its own clients little, and others nothing."""
    up = Upstream()
    gone = Upstream()
    gone.close()
    mute, fill = deaf()
    nodes = {"up": up, "gone": gone,
             "nosock": {"host": "localhost", "port": os.getcwd() + "/none.sock"},
             "mute": {"host": "127.0.0.1", "port": mute.getsockname()[1]}}
    with Lmc("--connect-timeout", "1s", nodes=nodes) as lmc:
        for name in ("gone", "nosock"):
            best = 9
            for _ in range(5):
                a, s = took(lambda n=name: lmc.ask("/proxy2/%s/x" % n))
                same(a.status, 502)
                check("Failed to connect" in a.json()["detail"], a)
                best = min(best, s)
            check(best < 0.05, name, "took", best)
        waiting = [lmc.wire() for _ in range(20)]
        start = time.monotonic()
        for w in waiting:
            w.send("GET /proxy2/mute/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
        best = min(took(lambda: lmc.ask("/proxy2/up/x"))[1] for _ in range(10))
        check(best < 0.1, "another node took", best)
        for w in waiting:
            a = w.answer()
            check(a.status in (502, 504), a)
        check(0.9 < time.monotonic() - start < 5, "took", time.monotonic() - start)
        # known to be down, it fails at once
        a, s = took(lambda: min(took(lambda: lmc.ask("/proxy2/mute/x"))[1] for _ in range(5)))
        check(a < 0.05, "took", a)
        tree = lmc.ask("/api/nodes").json()["nodes"][0]["children"]
        states = {n["name"]: n["state"] for n in tree}
        same(states["mute"], "down")
        same(states["up"], "healthy")
        check(states["gone"] in ("failing", "down"), states)
    for s in fill:
        s.close()


def test_back_again():
    """A node that was down serves again by itself."""
    mute, fill = deaf()
    node = {"host": "127.0.0.1", "port": mute.getsockname()[1]}
    with Lmc("--connect-timeout", "100ms", "--probe", "200ms", nodes={"up": node}) as lmc:
        for _ in range(4):
            check(lmc.ask("/proxy2/up/x").status in (502, 504))

        def serve():
            while True:
                try:
                    sock, _ = mute.accept()
                except OSError:
                    return
                with sock, contextlib.suppress(OSError):
                    sock.settimeout(1)
                    if sock.recv(65536):
                        sock.sendall(OK.encode())
        for s in fill:
            s.close()
        threading.Thread(target=serve, daemon=True).start()
        until(lambda: lmc.ask("/proxy2/up/x").status == 200, "the node is back")
    mute.close()


def test_back_again_without_probes():
    """With probes off a node that was down is still tried."""
    mute, fill = deaf()
    node = {"host": "127.0.0.1", "port": mute.getsockname()[1]}
    with Lmc("--connect-timeout", "100ms", "--probe", "0", nodes={"up": node}) as lmc:
        for _ in range(4):
            check(lmc.ask("/proxy2/up/x").status in (502, 504))
        for s in fill:
            s.close()

        def serve():
            while True:
                try:
                    sock, _ = mute.accept()
                except OSError:
                    return
                with sock, contextlib.suppress(OSError):
                    sock.settimeout(1)
                    if sock.recv(65536):
                        sock.sendall(OK.encode())
        threading.Thread(target=serve, daemon=True).start()
        until(lambda: lmc.ask("/proxy2/up/x").status == 200, "the node is tried again", 8)
    mute.close()


# ---- kept connections that are gone ----

def in_parallel(n, run):
    bad = []

    def one(i):
        try:
            run(i)
        except (Failed, OSError) as e:
            bad.append("%d: %r" % (i, e))
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(not bad, len(bad), "failed:", bad[:3])


def test_stale():
    """A node that closes after each answer without saying so loses nothing."""
    for kw in ({}, {"unix": os.getcwd() + "/stale.sock"}):
        for path in ("/stale", "/once"):
            with pair(**kw) as (lmc, up):
                def run(i):
                    with lmc.wire() as w:
                        for _ in range(40):
                            a = w.send(get(path)).answer()
                            check(a and a.whole and a.body == b"ok", a)
                in_parallel(12, run)
                if path == "/once":
                    check(len(up.requests) > 480, "nothing was retried")
            if kw:
                os.unlink(kw["unix"])


def test_post_is_not_repeated():
    with pair() as (lmc, up), lmc.wire() as w:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            same(w.send(get("/once")).answer().status, 200)
            before = len(up.requests)
            w.send("%s /proxy2/up/y HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Length: 2\r\n\r\nhi" % method)
            a = w.answer()
            mine = [r for r in up.requests[before:] if r.target == "/y"]
            same((len(mine), a.status), (1, 502), method)
        # and a safe one just once
        same(w.send(get("/x")).answer().status, 200)
        before = len(up.requests)
        same(w.send(get(say("", then="close"))).answer().status, 502)
        same(len(up.requests) - before, 2)


def test_restart_under_load():
    """A node that is restarted costs only what it could not answer."""
    path = os.getcwd() + "/node.sock"
    up = Upstream(unix=path)
    with Lmc(nodes={"up": up}) as lmc:
        seen, stop = {}, []

        def load(i):
            with lmc.wire() as w:
                while not stop:
                    a = w.send(get("/x")).answer()
                    check(a and a.whole, "no answer")
                    seen[a.status] = seen.get(a.status, 0) + 1
        t = threading.Thread(target=in_parallel, args=(8, load))
        t.start()
        for _ in range(5):
            until(lambda n=sum(seen.values()): sum(seen.values()) > n + 50, "load")
            up.close()
            os.unlink(path)
            up = Upstream(unix=path)
        until(lambda n=seen.get(200, 0): seen.get(200, 0) > n + 100, "answers again")
        stop.append(1)
        t.join()
        same(set(seen) - {200, 502}, set())
        lmc.alive()


# ---- clients that are gone ----

def test_client_gone():
    """The node's connection ends at once with the client's."""
    with pair() as (lmc, up):
        def run(target, method, body, how):
            w = lmc.wire()
            w.send("%s /proxy2/up%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s" % (
                method, target, "Content-Length: 999999\r\n" if body else "", body))
            before = up.open
            until(lambda: up.requests and up.requests[-1].target == target and up.open >= 1,
                  "the request is at the node")
            time.sleep(0.02)
            if target.startswith("/gen"):
                w.sock.recv(1)
            getattr(w, how)()
            until(lambda: up.open == 0, "the node's connection ends (was %d)" % before, 1.5)
            up.requests.clear()
        for how in ("close", "reset"):
            run("/hang", "GET", "", how)
            run("/hang", "POST", "some of it", how)
            run("/sink", "POST", "some of it", how)
            run("/gen/99999999999", "GET", "", how)
            run("/gen/99999999999/chunked", "GET", "", how)
        same(lmc.ask("/proxy2/up/x").body, b"ok")


def test_client_gone_while_waiting():
    """One that waits for a node's connection leaves the queue."""
    with pair("--per-node", "1") as (lmc, up):
        first = lmc.wire().send(get("/hang"))
        until(lambda: up.requests, "the first is at the node")
        n = lmc.fds()
        lost = [lmc.wire().send(get("/lost")) for _ in range(20)]
        until(lambda: lmc.fds() == n + 20, "they are there")
        for w in lost:
            w.close()
        until(lambda: lmc.fds() == n, "they are gone")
        w = lmc.wire().send(get("/x"))
        first.close()
        same(w.answer().body, b"ok")
        w.close()
        same([r.target for r in up.requests if r.target == "/lost"], [])


# ---- nodes that are slow ----

def test_silent():
    with pair("--answer-timeout", "400ms", "--silence-timeout", "400ms") as (lmc, up):
        a, s = took(lambda: lmc.ask("/proxy2/up/hang"))
        same(a.status, 504)
        check("timed out" in a.json()["detail"], a)
        check(0.3 < s < 3, "took", s)
        with lmc.wire() as w:       # silent behind its head
            a, s = took(lambda: w.send(get(say(
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome", then="hang"))).answer())
            same((a.status, a.whole), (200, False))
            check(0.3 < s < 3, "took", s)


def test_silence_has_its_own_limit():
    """Each phase has its own limit, the shorter one counts where it holds."""
    with pair("--answer-timeout", "30s", "--silence-timeout", "400ms") as (lmc, up):
        with lmc.wire() as w:
            a, s = took(lambda: w.send(get(say(
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome", then="hang"))).answer())
            same((a.status, a.whole), (200, False))
            check(s < 4, "took", s)


def test_slow_client_is_not_a_slow_node():
    """The node's time begins when it has the whole request."""
    with pair("--answer-timeout", "300ms", "--body-timeout", "10s") as (lmc, up):
        with lmc.wire() as w:
            w.send("POST /proxy2/up/sink HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Length: 4\r\n\r\n")
            for c in "slow":
                time.sleep(0.4)
                w.send(c)
            a = w.answer()
            same((a.status, a.body), (200, b"4"))
            tree = lmc.ask("/api/nodes").json()["nodes"][0]["children"]
            same(tree[0]["state"], "healthy")


# ---- leaks ----

def test_no_leaks():
    """Descriptors after some thousand faulty requests are those before."""
    n = int(os.environ.get("FAULTS", "2000"))
    path = os.getcwd() + "/node.sock"
    tcp, un, gone = Upstream(), Upstream(unix=path), Upstream()
    gone.close()
    targets = ["/proxy2/%s%s" % (name, say(text, then=then))
               for text, then in NO_ANSWERS[:12] + BROKEN for name in ("tcp", "un")]
    targets += ["/proxy2/gone/x", "/proxy2/none/x", "/livez", "/proxy2/tcp/stale",
                "/proxy2/un/once", "/proxy2/tcp/gen/3000000", "/nope"] * 3
    # a probe would keep a connection of its own
    with Lmc("--probe", "0", nodes={"tcp": tcp, "un": un, "gone": gone}) as lmc:
        lmc.ask("/proxy2/tcp/x")
        until(lambda: tcp.open == 0, "the first connection is given up", 20)
        before, memory = lmc.fds(), lmc.memory("VmRSS")

        def run(i):
            for k in range(n // 8):
                target = targets[(i * 31 + k) % len(targets)]
                w = lmc.wire()
                w.send("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target)
                if k % 5 == 0:
                    w.reset()
                elif k % 5 == 1:
                    w.close()
                else:
                    w.answer()
                    w.close()
        in_parallel(8, run)
        until(lambda: lmc.fds() <= before, "descriptors: %d before, %d now" % (
            before, lmc.fds()), 20)
        check(lmc.fds(pipes=True) <= 64, "pipes:", lmc.fds(pipes=True))
        if not lmc.sanitized():
            check(lmc.memory("VmRSS") < memory + 4096, memory, lmc.memory("VmRSS"))
        lmc.alive()


def test_nobody_gets_anothers_bytes():
    """Large bodies stay their own while others break off in the middle."""
    path = os.getcwd() + "/node.sock"
    n = 3000000
    with Lmc(nodes={"tcp": Upstream(keep=0), "un": Upstream(unix=path, keep=0)}) as lmc:
        def down(i, k, node, byte):
            form = "/chunked" if k % 2 else ""
            w = lmc.wire().send("GET /proxy2/%s/fill/%d/%d%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                % (node, byte, n, form))
            if k % 4 == 0:
                w.take(500000 + i * 1000)
                w.reset()
                return
            a = w.answer()
            same((a.status, a.whole, len(a.body)), (200, True, n))
            same(a.body.count(bytes([byte])), n, "bytes of another")
            w.close()

        def up(i, k, node, byte):
            w = lmc.wire().send("POST /proxy2/%s/only/%d HTTP/1.1\r\nHost: localhost\r\n"
                                "Content-Length: %d\r\n\r\n" % (node, byte, n))
            if k % 4 == 0:
                w.send(bytes([byte]) * (500000 + i * 1000))
                w.reset()
                return
            same(w.send(bytes([byte]) * n).answer().body, b"%d 0" % n)
            w.close()

        def run(i):
            for k in range(12):
                (down if (i + k // 2) % 2 else up)(i, k, "un" if k % 3 else "tcp", 65 + i)
        in_parallel(8, run)
        lmc.alive()


def test_a_queue_that_fails_at_once():
    """A long queue at a node that dies is answered without a deep recursion."""
    path = os.getcwd() + "/node.sock"
    up = Upstream(unix=path)
    n = 3000
    with Lmc("--per-node", "1", "--queue", "100000", nodes={"up": up}) as lmc:
        first = lmc.wire().send(get("/hang"))
        until(lambda: up.requests, "the first is at the node")
        waiting = [lmc.wire().send(get("/x")) for _ in range(n)]
        until(lambda: lmc.ask("/api/nodes").status == 200, "others are served")
        up.close()
        os.unlink(path)
        first.close()
        for w in waiting:
            a = w.answer()
            same(a.status, 502)
            w.close()
        lmc.alive()


if __name__ == "__main__":
    sys.exit(main(globals()))
