#!/usr/bin/env python3
# discovery.py - lmc discovery as its clients and a crash see it
# SPDX-License-Identifier: Apache-2.0
"""Called by discovery.bats, one function a test.

KILLS and ENTRIES make the crash tests longer: 20 and 100000 are what they are
meant to hold for.
"""
import contextlib
import glob
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

from wire import Lmc, Wire, check, main, same, until

HERE = os.path.dirname(os.path.abspath(__file__))
FORM = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
KILLS = int(os.environ.get("KILLS", "3"))
ENTRIES = int(os.environ.get("ENTRIES", "20000"))


def registry(*args, **kw):
    return Lmc(*args, applet="discovery", **kw)


def beat_path(address, version="1.0", pid=1, info="{}", path="/heartbeat"):
    return path + "?" + urllib.parse.urlencode(
        {"pid": pid, "api_address": address, "version": version, "other_info": info})


def beat(lmc, address, status=200, fields=(), **kw):
    a = lmc.ask(beat_path(address, **kw), fields=fields)
    same(a.status, status, address + " " + repr(a.body))
    return a


def infos(lmc, query=""):
    a = lmc.ask("/lmcache_infos" + query)
    same(a.status, 200)
    return a.json()


def listed(lmc, query=""):
    return sorted(infos(lmc, query)["processInfos"])


def entries(lmc):
    return {e["entry"]: e for e in lmc.ask("/api/entries").json()["entries"]}


def state(lmc, key):
    return entries(lmc).get(key, {}).get("state")


def post(lmc, target, body, status=200, method="POST", fields=()):
    a = lmc.ask(target, method, fields, json.dumps(body).encode())
    same(a.status, status, repr(a.body))
    return a.json() if a.body else None


A, B, C = "http://127.0.0.1:8000", "http://127.0.0.1:8001", "http://[::1]:8000"


# ---- upstream's protocol ----

def recorded(number):
    request, = glob.glob(HERE + "/fixtures/discovery/frontend_%d_*.req" % number)
    name = os.path.basename(request)[:-4]
    with open(request, "rb") as r, open(HERE + "/fixtures/replay/" + name + ".http", "rb") as a:
        return r.read(), a.read().partition(b"\r\n\r\n")


def shape(value):
    """What two answers have in common whatever the moment: keys in their
    order, types, and all that is not a time."""
    if isinstance(value, dict):
        return [(k, shape(v)) for k, v in value.items()]
    if isinstance(value, list):
        return [shape(v) for v in value]
    return "TIME" if isinstance(value, str) and FORM.fullmatch(value) else value


def replay(lmc, number):
    request, (head, _, body) = recorded(number)
    with lmc.wire() as w:
        a = w.send(request).answer(request.split(b" ")[0].decode())
    same(a.status, int(head.split(b" ")[1]), number)
    if a.status == 200:
        same(a.get("Content-Type"), "application/json")
    return a, body


def test_recorded():
    with registry() as lmc:
        for number in (135, 142, 122, 143, 123):
            a, body = replay(lmc, number)
            same(shape(a.json()), shape(json.loads(body)), number)
            same(a.body[-1:], body[-1:], number)
        for number in (126, 131):       # their bodies are HTML upstream
            replay(lmc, number)
        a, body = replay(lmc, 132)
        same(a.body, b"")
        a, body = replay(lmc, 128)      # the third one of it is the address "x",
        theirs = json.loads(body)       # and no version is counted: see below
        theirs["processInfos"].pop("x")
        theirs.update(processCount=2, versionCount=2)
        same(shape(a.json()), shape(theirs))
        request, _ = recorded(125)
        with lmc.wire() as w:           # an address that nobody can reach
            a = w.send(request).answer()
        same((a.status, a.json()["detail"][:12]), (400, "api_address:"))


def local_time(ago=0):
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - ago))


def test_true_values():
    with registry() as lmc:
        before = local_time()
        beat(lmc, A, version="1")
        beat(lmc, B, version="2", pid="none")
        beat(lmc, C, version="1")
        after = local_time()
        i = infos(lmc)
        same((i["processCount"], i["versionCount"], i["versions"]), (3, 2, None))
        same(list(i["processInfos"]), sorted([A, B, C]))
        one = i["processInfos"][A]["lmCacheInfoEntities"][0]
        same(list(one), sorted(one))
        check(before <= one["lastReportTime"] <= after, one)
        check(before <= one["startTime"] <= after, one)
        same(i["processInfos"][B]["lmCacheInfoEntities"][0]["pid"], None)
        start = one["startTime"]
        until(lambda: local_time() > after, "a second passed")
        same(infos(lmc)["processInfos"][A]["lmCacheInfoEntities"][0]["lastReportTime"],
             one["lastReportTime"], "asking is no report")
        beat(lmc, A, version="1")
        one = infos(lmc)["processInfos"][A]["lmCacheInfoEntities"][0]
        check(one["lastReportTime"] > after and one["startTime"] == start, one)
        beat(lmc, A, version="1", pid=2)        # another process
        one = infos(lmc)["processInfos"][A]["lmCacheInfoEntities"][0]
        check(one["startTime"] > after, one)
        until(lambda: listed(lmc, "?minute=0") == [], "no report is of this moment")
        same(listed(lmc, "?hour=1&minute=0"), sorted([A, B, C]), "hour wins")
        same(listed(lmc, "?minute=x"), sorted([A, B, C]), "no number is not there")


def test_coordinator():
    with registry("--ttl", "2s") as lmc:
        body = {"ip": " 127.0.0.1 ", "http_port": 8080, "instance_id": "", "metadata": {"a": "b"},
                "p2p_advertised_url": "http://x", "mq_port": 5}
        made = post(lmc, "/instances", body)
        check(re.fullmatch("mp-[0-9a-f]{32}", made["instance_id"]), made)
        same(made["re_registered"], False)
        body["instance_id"] = "one"
        same(post(lmc, "/instances", body), {"instance_id": "one", "re_registered": False})
        same(post(lmc, "/instances", body), {"instance_id": "one", "re_registered": True})
        got, = [i for i in lmc.ask("/instances").json()["instances"] if i["instance_id"] == "one"]
        check(abs(got.pop("registration_time") - time.time()) < 60, got)
        same(got, {"instance_id": "one", "ip": "127.0.0.1", "http_port": 8080,
                   "metadata": {"a": "b"}, "p2p_advertised_url": "http://x", "mq_port": 5})
        a = lmc.ask("/instances/one/heartbeat", "PUT")
        same((a.status, a.json()), (200, {"instance_id": "one"}))
        a = lmc.ask("/instances/two/heartbeat", "PUT")
        same((a.status, a.json()), (404, {"error": "unknown instance two; re-register"}))
        for _ in range(2):              # whether it was there or not
            same(lmc.ask("/instances/one", "DELETE").status, 204)
        same(len(lmc.ask("/instances").json()["instances"]), 1)
        same(lmc.ask("/healthz").json(), {"status": "healthy"})
        until(lambda: lmc.ask("/instances").json()["instances"] == [], "it is gone")
        for bad in ({}, {"ip": "1.2.3.4"}, {"ip": " ", "http_port": 1}, {"http_port": 1},
                    {"ip": "1.2.3.4", "http_port": 0}, {"ip": "1.2.3.4", "http_port": 65536},
                    {"ip": "1.2.3.4", "http_port": 1.5}, {"ip": "0x7f.1", "http_port": 1},
                    {"ip": "a/b", "http_port": 1}, {"ip": "1.2.3.4", "http_port": 1, "mq_port": -1},
                    {"ip": "1.2.3.4", "http_port": 1, "metadata": {"a": 1}},
                    {"ip": "1.2.3.4", "http_port": 1, "metadata": {"a": "x" * 3000}},
                    {"ip": "1.2.3.4", "http_port": 1, "instance_id": "a/b"},
                    {"ip": "1.2.3.4", "http_port": 1, "instance_id": "x" * 200}, []):
            post(lmc, "/instances", bad, 422)
        same(lmc.ask("/instances", "POST", (), b"{").status, 422)
        same(lmc.ask("/instances", "POST", (), b"x" * 20000).status, 413)


# ---- what is no report ----

def test_bad_reports():
    long = "x" * 3000
    with registry() as lmc:
        for address in ("", "x", "javascript:alert(1)", "file:///etc/passwd", "127.0.0.1:80",
                        "http://127.0.0.1:0", "http://127.0.0.1:70000", "http://0x7f.1:80",
                        "http://2130706433:80", "http://u@127.0.0.1:80", "http://127.0.0.1:80/x",
                        "http://169.254.169.254:80", "http://0.0.0.0:80", "http://224.0.0.1:80",
                        "http://[fe80::1]:80", "http://[fd00:ec2::254]:80", "http://[::]:80",
                        "http://[::ffff:1.2.3.4]:80", "http://" + "a." * 200 + "b:80",
                        "unix:/tmp/x", "/tmp/x", "http://a\nb:80", "http://\u00e4:80"):
            a = lmc.ask(beat_path(address))
            check(a.status in (400, 403) and a.json()["detail"], address, a)
        for query in ("pid=1", "", "api_address=%", "api_address=%00", "api_address=http://a%zz"):
            same(lmc.ask("/heartbeat?" + query).status, 400, query)
        long_host = ".".join(["a" * 60] * 4)
        a = beat(lmc, "http://%s:80" % long_host, 400)
        same(a.json()["detail"], "host: over 240 bytes")
        beat(lmc, A, 400, version="x" * 129)
        beat(lmc, A, 400, info=long)
        same(lmc.ask("/heartbeat?api_address=http://127.0.0.1:1&version=%ff").status, 400)
        same(entries(lmc), {})
        beat(lmc, "HTTPS://Example.ORG:8443/")  # one spelling for one place
        beat(lmc, "http://127.0.0.1")
        same(sorted(entries(lmc)), ["http://127.0.0.1:80", "https://example.org:8443"])


def test_other_sites():
    with registry() as lmc:
        beat(lmc, A, 403, fields={"Origin": "http://evil.example"})
        beat(lmc, A, 403, fields={"Sec-Fetch-Site": "cross-site"})
        with lmc.wire() as w:
            w.send("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n")
            same(w.answer().status, 421)
        same(entries(lmc), {})
    with registry("--public-host", "registry") as lmc, lmc.wire() as w:
        w.send("GET /healthz HTTP/1.1\r\nHost: registry:5000\r\n\r\n")
        same(w.answer().status, 200)


def outside():
    """An address of this machine that is not loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("10.255.255.255", 1))
        except OSError:
            return None
        mine = s.getsockname()[0]
        return None if mine.startswith("127.") else mine


def test_sources():
    """On an address that others reach, a report is for its sender's own one.
    127.0.0.2 to 127.0.0.1 is as local as it gets, so this needs a real one."""
    mine = outside()
    check(mine, "this machine has no address but loopback")
    with registry("--listen", mine + ":0", "--listen", "127.0.0.1:0") as lmc:
        check("reached from outside without a token" in lmc.said(), lmc.said())
        inside = lmc.addrs[1]
        beat(lmc, "http://%s:8000" % mine)
        beat(lmc, "http://10.255.255.1:8000", 403)
        beat(lmc, "http://127.0.0.1:8000", 403)
        beat(lmc, "http://name.example:8000", 403)
        post(lmc, "/instances", {"instance_id": "i", "ip": "10.255.255.1", "http_port": 1}, 403)
        same(lmc.ask("/api/entries/x/drain", "POST").status, 403)
        lmc.addr, there = inside, lmc.addr
        beat(lmc, "http://10.255.255.1:8000")
        post(lmc, "/instances", {"instance_id": "i", "ip": "10.255.255.1", "http_port": 1})
        lmc.addr = there
        same(lmc.ask("/instances/i", "DELETE").status, 403)
        same(lmc.ask("/instances/i/heartbeat", "PUT").status, 403)
        same(len(entries(lmc)), 3)
    with registry("--listen", mine + ":0", "--allow", "10.1.0.0/16", "--allow", "fd00:1::/32",
                  "--allow", "192.0.2.7", "--allow", ".svc.cluster.local") as lmc:
        for address in ("10.1.2.3", "[fd00:1::5]", "192.0.2.7", "a.b.svc.cluster.local"):
            beat(lmc, "http://%s:8000" % address)
        for address in ("10.2.0.0", "[fd00:2::5]", "192.0.2.8", "svc.cluster.local",
                        "10.1.2.3.example", mine, "127.0.0.1", "169.254.169.254"):
            beat(lmc, "http://%s:8000" % address, 403)
        same(len(entries(lmc)), 4)


def test_token():
    secret = "0123456789abcdef-secret"
    with open("token", "w", encoding="ascii") as f:
        f.write(secret + "\n")
    os.chmod("token", 0o600)
    good = {"Authorization": "Bearer " + secret}
    with registry("--token-file", "token") as lmc:
        for fields in ({}, {"Authorization": "Bearer " + secret[:-1]},
                       {"Authorization": "Bearer " + secret + "x"},
                       {"Authorization": secret}, {"Authorization": "Bearer "},
                       {"Authorization": "Basic bG1jOng="}):
            a = beat(lmc, A, 401, fields=fields)
            same(a.get("WWW-Authenticate"), "Bearer")
            post(lmc, "/instances", {"ip": "127.0.0.1", "http_port": 1}, 401, fields=fields)
            same(lmc.ask("/api/entries/x/drain", "POST", fields).status, 401)
            same(lmc.ask("/instances/x", "DELETE", fields).status, 401)
        beat(lmc, A, fields=good)
        beat(lmc, "http://10.1.2.3:80", fields=good)
        beat(lmc, "http://name.example:80", fields=good)
        beat(lmc, "http://169.254.169.254:80", 403, fields=good)
        # http://lmc:SECRET@HOST/, which is all that some clients know
        beat(lmc, B, fields={"Authorization": "Basic bG1jOjAxMjM0NTY3ODlhYmNkZWYtc2VjcmV0"})
        same(len(entries(lmc)), 4, "reading needs none")
        same(lmc.ask("/api/entries/proxy_127.0.0.1_8000/drain", "POST", good).status, 200)
        with open("token", "w", encoding="ascii") as f:
            f.write("another-secret-of-ours")
        lmc.process.send_signal(signal.SIGHUP)
        until(lambda: lmc.ask(beat_path(A), fields=good).status == 401, "the new one holds")
        beat(lmc, A, fields={"Authorization": "Bearer another-secret-of-ours"})
        os.chmod("token", 0o644)
        lmc.process.send_signal(signal.SIGHUP)
        until(lambda: "the old one stays" in lmc.said(), "it is told")
        beat(lmc, A, fields={"Authorization": "Bearer another-secret-of-ours"})
        check(secret not in lmc.said() and "another" not in lmc.said(), "a secret in the log")


def test_counts():
    with registry("--per-source", "3", "--ttl", "600ms", "--forget", "1h") as lmc:
        for port in range(1, 4):
            beat(lmc, "http://127.0.0.1:%d" % port)
        a = beat(lmc, "http://127.0.0.1:4", 429)
        check("source" in a.json()["detail"], a)
        beat(lmc, "http://127.0.0.1:1")
        until(lambda: state(lmc, "http://127.0.0.1:2") == "gone", "one is gone")
        beat(lmc, "http://127.0.0.1:4")         # takes the place of one that is gone
        same(len(entries(lmc)), 3)
    with registry("--entries", "2", "--per-source", "0") as lmc:
        beat(lmc, A)
        beat(lmc, B)
        beat(lmc, C, 503)
        beat(lmc, A)


# ---- states ----

def test_states():
    with registry("--ttl", "1500ms", "--late", "600ms", "--forget", "3s") as lmc:
        beat(lmc, A)
        born = time.monotonic()
        same((state(lmc, A), listed(lmc)), ("alive", [A]))
        until(lambda: state(lmc, A) == "late", "it is late")
        check(time.monotonic() - born >= 0.55, "late too early")
        same(listed(lmc), [A])
        until(lambda: listed(lmc) == [], "it is listed no more")
        check(1.45 <= time.monotonic() - born < 10, "gone after", time.monotonic() - born)
        same(state(lmc, A), "gone")
        same(lmc.ask("/api/nodes").json(), {"nodes": []})
        same(lmc.ask("/sd/prometheus").json(), [])
        beat(lmc, A)
        same((state(lmc, A), listed(lmc)), ("alive", [A]))
        until(lambda: entries(lmc) == {}, "it is forgotten")
        got = [e["event"] for e in lmc.ask("/api/events").json()["events"]]
        same(got, ["joined", "late", "gone", "alive", "late", "gone", "forgotten"])


def test_flaps():
    with registry("--ttl", "200ms", "--late", "100ms", "--hold", "1s", "--forget", "1h") as lmc:
        beat(lmc, A)
        for n in range(3):
            until(lambda: state(lmc, A) == "gone", "it is gone")
            same(listed(lmc), [])
            beat(lmc, A)
            same(state(lmc, A), "alive" if n < 2 else "held")
        since = time.monotonic()
        same((listed(lmc), lmc.ask("/api/nodes").json()["nodes"]), ([], []))
        check(0 < entries(lmc)[A]["held_ms"] <= 1000, entries(lmc))

        def steady():
            beat(lmc, A)
            return state(lmc, A) == "alive"
        until(steady, "it has stayed long enough")
        check(time.monotonic() - since >= 0.95, "too early")
        same(listed(lmc), [A])
        check("held" in [e["event"] for e in lmc.ask("/api/events").json()["events"]])
    with registry("--ttl", "200ms", "--late", "100ms", "--hold", "30s") as lmc:
        for pid in range(1, 4):                 # gone and another process is one return
            beat(lmc, A, pid=pid)
            same(state(lmc, A), "alive")
            until(lambda: state(lmc, A) == "gone", "it is gone")
        beat(lmc, A, pid=4)
        same(state(lmc, A), "held")
    with registry("--hold", "1s") as lmc:       # a process that crashes and starts again
        for pid in range(1, 5):
            beat(lmc, A, pid=pid)
        same(state(lmc, A), "held")
    with registry("--hold", "0") as lmc:
        for pid in range(1, 9):
            beat(lmc, A, pid=pid)
        same(state(lmc, A), "alive")


def test_drain():
    with registry("--journal", "j") as lmc:
        beat(lmc, A)
        beat(lmc, C)
        post(lmc, "/instances", {"instance_id": "i", "ip": "127.0.0.1", "http_port": 1})
        for name in (urllib.parse.quote(A, ""), "proxy_::1_8000", "mp_i"):
            same(lmc.ask("/api/entries/%s/drain" % name, "POST").status, 200, name)
        same([e["state"] for e in entries(lmc).values()], ["drained"] * 3)
        same((listed(lmc), lmc.ask("/instances").json()["instances"]), ([], []))
        beat(lmc, A)
        same(state(lmc, A), "drained")
        lmc.process.kill()
        lmc.process.wait()
    with registry("--journal", "j") as lmc:
        same([e["state"] for e in entries(lmc).values()], ["drained"] * 3)
        same(lmc.ask("/api/entries/127.0.0.1:8000/undrain", "POST").status, 200)
        same(listed(lmc), [A])
        same(lmc.ask("/api/entries/i", "DELETE").status, 204)
        same(lmc.ask("/api/entries/i", "DELETE").status, 404)
        same(lmc.ask("/api/entries/nosuch/drain", "POST").status, 404)
        same(lmc.ask("/api/entries/i/drain").status, 405)
        same(len(entries(lmc)), 2)


# ---- events ----

def events(lmc, query=""):
    a = lmc.ask("/api/events" + query)
    same(a.status, 200, repr(a.body))
    return a.json()


def test_events():
    with registry("--ttl", "1h", "--forget", "2h") as lmc:
        first = events(lmc)
        same((first["events"], first["missed"]), ([], False))
        beat(lmc, A)
        got = events(lmc, "?since=%d" % first["last"])
        same([(e["event"], e["entry"], e["name"], e["kind"], e["state"]) for e in got["events"]],
             [("joined", A, "proxy_127.0.0.1_8000", "frontend", "alive")])
        same(got["last"], first["last"] + 1)
        start = time.monotonic()
        same(events(lmc, "?since=%d&wait=300ms" % got["last"])["events"], [])
        check(0.25 < time.monotonic() - start < 10, "waited", time.monotonic() - start)
        with lmc.wire() as w:
            w.send("GET /api/events?since=%d&wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n"
                   % got["last"])
            time.sleep(0.1)
            beat(lmc, B)
            same([e["entry"] for e in w.answer().json()["events"]], [B])
        same(events(lmc, "?since=5&wait=60s")["missed"], True, "from before a restart")
        same(events(lmc, "?since=9999999999999&wait=60s")["missed"], True, "from nowhere")
        same(lmc.ask("/api/events?since=x").status, 400)
        same(lmc.ask("/api/events?since=1&wait=x").status, 400)
        for n in range(1100):           # more than are kept
            beat(lmc, A, version=str(n))
        got = events(lmc, "?since=%d" % first["last"])
        same((len(got["events"]), got["missed"]), (1024, True))


def test_stream():
    with registry() as lmc, lmc.wire() as w:
        beat(lmc, A)
        w.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        head = w.head()
        check(b"200 OK" in head and b"Content-Type: text/event-stream" in head, head)

        def has(text):
            while text not in w.buf:
                check(w.more(), "ended before", text, w.buf)
        has(b"event: joined\ndata: {\"id\":")
        beat(lmc, B)
        has(B.encode())
        last = int(re.findall(rb"id: (\d+)\n", w.buf)[-1])
        lmc.process.send_signal(signal.SIGTERM)
        has(b"0\r\n\r\n")
        same(lmc.process.wait(20), 0)
        with registry() as again, again.wire() as v:
            v.send("GET /api/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: %d\r\n"
                   "Accept: text/event-stream\r\n\r\n" % last)
            v.head()
            while b"event: missed" not in v.buf:
                check(v.more(), "ended")


def test_waiting_ends():
    """Those who wait hold up no end, and one that is gone no other."""
    with registry() as lmc:
        last = events(lmc)["last"]
        waiting = []
        for _ in range(5):
            w = lmc.wire()
            w.send("GET /api/events?since=%d&wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n" % last)
            waiting.append(w)
        time.sleep(0.1)
        waiting.pop(2).reset()
        waiting.pop(0).close()
        start = time.monotonic()
        same(lmc.stop(), 0)
        check(time.monotonic() - start < 5, "ended late")
        for w in waiting:
            same(w.answer().json()["events"], [])


# ---- the journal ----

def test_restart():
    with registry("--journal", "j", "--ttl", "20s") as lmc:
        beat(lmc, A, version="7", info='{"x": "\u00e4"}')
        post(lmc, "/instances", {"instance_id": "i", "ip": "127.0.0.1", "http_port": 1,
                                 "metadata": {"k": "v"}})
        post(lmc, "/instances", {"instance_id": "k", "ip": "127.0.0.1", "http_port": 2})
        same(lmc.ask("/instances/k", "DELETE").status, 204)
        was, instances = entries(lmc), lmc.ask("/instances").body
        same(lmc.stop(), 0)
    same(os.stat("j").st_mode & 0o777, 0o600)
    with registry("--journal", "j", "--ttl", "20s") as lmc:
        now = entries(lmc)
        same(now, was)
        same(lmc.ask("/instances").body, instances)
        same(lmc.ask("/instances/i/heartbeat", "PUT").status, 200)
        with contextlib.suppress(Exception):
            registry("--journal", "j").stop()
        check("another process has it" in lmc.said(), lmc.said())
        lmc.alive()


def test_ttl_over_restart():
    """Who is killed is gone after the TTL although the registry was away; who
    lives is not lost because of that."""
    with registry("--journal", "j", "--ttl", "3s", "--late", "1s") as lmc:
        beat(lmc, A)
        start = time.monotonic()
        lmc.process.kill()
        lmc.process.wait()
    with registry("--journal", "j", "--ttl", "3s", "--late", "1s") as lmc:
        same(listed(lmc), [A])
        until(lambda: listed(lmc) == [], "it is gone")
        check(time.monotonic() - start < 3 + 2, "listed for", time.monotonic() - start)


def test_torn_tail():
    with registry("--journal", "j") as lmc:
        beat(lmc, A)
        beat(lmc, B)
        lmc.process.kill()
        lmc.process.wait()
    with open("j", "rb") as f:
        whole = f.read()
    for cut in range(len(whole) - 60, len(whole)):
        with open("j", "wb") as f:
            f.write(whole[:cut])
        with registry("--journal", "j") as lmc:
            check(A in entries(lmc), cut)
            check("no whole record: cut off" in lmc.said(), cut, lmc.said())
            check(os.stat("j").st_size < cut, "not cut")
    with open("j", "wb") as f:          # damage in the middle costs itself alone
        f.write(whole[:30] + b"?" + whole[31:])
    with registry("--journal", "j") as lmc:
        same(list(entries(lmc)), [B])
        check("damaged: passed over" in lmc.said(), lmc.said())
    with open("j", "wb") as f:
        f.write(b"#!/bin/sh\necho somebody else's file\n")
    with contextlib.suppress(Exception):
        registry("--journal", "j")
    with open("lmc.log", "rb") as f:
        check(b"this is no journal of lmc" in f.read())
    with open("j", "rb") as f:
        same(f.read(2), b"#!")


def test_full_disk():
    """What cannot be kept is not acknowledged, and is once it can be."""
    limit = 1200        # bytes of a file; SIGXFSZ is ignored, so write() fails
    wrap = ["sh", "-c", "trap '' XFSZ; ulimit -f 2; exec \"$@\"", "sh"]
    with registry("--journal", "j", "--per-source", "0", wrap=wrap) as lmc:
        kept = []
        for port in range(1, 200):
            a = lmc.ask(beat_path("http://127.0.0.1:%d" % port))
            if a.status != 200:
                break
            kept.append(port)
        same(a.status, 503)
        check("journal cannot be written" in a.json()["detail"], a)
        check(len(kept) * 60 < 2048 + limit, len(kept))
        same(lmc.ask("/healthz").status, 200)
        lmc.process.kill()
        lmc.process.wait()
    with registry("--journal", "j", "--per-source", "0") as lmc:
        there = entries(lmc)
        check("cut off" not in lmc.said() and "damaged" not in lmc.said(), lmc.said())
        for port in kept:
            check("http://127.0.0.1:%d" % port in there, port)


class Beats:
    """Heartbeats as fast as they are answered, many under way at once. An
    address is reported on one connection only: order holds on each alone."""

    CONNECTIONS, DEEP = 64, 8
    REQUEST = ("GET /heartbeat?pid=1&api_address=%s&version=%s&other_info=%%7B%%7D HTTP/1.1\r\n"
               "Host: localhost\r\n\r\n")

    def __init__(self, lmc, make):
        self.make, self.acked, self.answered = make, {}, 0
        self.socks = [lmc.wire().sock for _ in range(self.CONNECTIONS)]

    def round(self):
        """False: the registry is gone."""
        batches = []
        try:
            for i, s in enumerate(self.socks):
                batch = [self.make(i) for _ in range(self.DEEP)]
                s.sendall("".join(self.REQUEST % b for b in batch).encode())
                batches.append((s, batch))
        except OSError:
            pass
        alive = len(batches) == len(self.socks)
        for s, batch in batches:
            got, buf = 0, b""
            try:
                while got < len(batch):
                    data = s.recv(1 << 16)
                    if not data:
                        raise OSError
                    buf += data
                    got = buf.count(b'{"status":"success"}\n')
            except OSError:
                alive = False
            got = buf.count(b'{"status":"success"}\n')
            self.answered += got
            for address, version in batch[:got]:
                self.acked[address] = version
        return alive


class Fleet:
    """New frontends, and old ones whose version rises."""

    def __init__(self, n=0):
        self.n, self.version, self.random = n, 0, random.Random(7)

    def address(self, i):
        return "http://10.%d.%d.%d:80" % (i >> 16, i >> 8 & 255, i & 255)

    def make(self, connection):
        self.version += 1
        many = self.n // Beats.CONNECTIONS
        if many > 2 and self.random.random() < 0.5:
            many = self.random.randrange(many)
        else:
            self.n += 1
        return self.address(many * Beats.CONNECTIONS + connection), "%09d" % self.version


BIG = ("--journal", "j", "--entries", "1000000", "--per-source", "0", "--ttl", "1h",
       "--forget", "2h")


def test_kill9():
    fleet, acked, rates = Fleet(), {}, []
    for kill in range(KILLS):
        with registry(*BIG, "--fsync", ("interval", "always", "never")[kill % 3]) as lmc:
            beats = Beats(lmc, fleet.make)
            start = time.monotonic()
            killer = threading.Timer(0.3 + fleet.random.random(), lmc.process.kill)
            killer.start()
            while beats.round():
                pass
            rates.append(beats.answered / (time.monotonic() - start))
            killer.join()
            lmc.process.wait()
            acked.update(beats.acked)
        with registry(*BIG) as lmc:
            there = entries(lmc)
            for address, version in acked.items():
                check(address in there, "lost", address, "after kill", kill + 1)
                check(there[address]["version"] >= version, address, version, there[address])
    print("%d kills, %d entries acknowledged, none lost; beats/s %s" % (
        KILLS, len(acked), " ".join("%d" % r for r in rates)))


def test_many():
    """A restart with many entries takes less than a second."""
    fleet = Fleet()

    def make(_):
        fleet.n += 1
        return fleet.address(fleet.n - 1), "0.3.10"
    with registry(*BIG) as lmc:
        beats, start = Beats(lmc, make), time.monotonic()
        while fleet.n < ENTRIES:
            check(beats.round(), lmc.said())
        filled = time.monotonic() - start
        lmc.process.kill()
        lmc.process.wait()
    start = time.monotonic()
    with registry(*BIG) as lmc:
        took = time.monotonic() - start
        start = time.monotonic()
        n = infos(lmc)["processCount"]
        same(n, fleet.n)
        check(took < 1 or lmc.sanitized(), "the restart took", took)
        print("%d entries came in %.1f s; restart %.3f s, journal %d kB; list %.3f s, VmHWM %d kB"
              % (n, filled, took, os.stat("j").st_size >> 10, time.monotonic() - start,
                 lmc.memory()))
        until(lambda: b"lmc_journal_rewrites_total 1" in lmc.ask("/metrics").body or
              os.stat("j").st_size < 8 << 20, "it is written anew")
        lmc.process.kill()
        lmc.process.wait()
    with registry(*BIG) as lmc:
        same(infos(lmc)["processCount"], fleet.n)


def test_rewrite():
    """A journal that has grown is written anew while beats come, and is whole
    when it is killed at that."""
    versions = Fleet()
    with registry(*BIG, "--fsync", "never") as lmc:
        def make(i):
            versions.version += 1
            return versions.address(i), "%09d" % versions.version + "x" * 100
        beats = Beats(lmc, make)
        until(lambda: beats.round() and
              int(re.search(rb"lmc_journal_rewrites_total (\d+)",
                            lmc.ask("/metrics").body)[1]) >= 2, "written anew twice", 60)
        beats.round()
        check(os.stat("j").st_size < 6 << 20, "it grew to", os.stat("j").st_size)
        lmc.process.kill()
        lmc.process.wait()
    with registry(*BIG) as lmc:
        there = entries(lmc)
        same(len(there), Beats.CONNECTIONS)
        for address, version in beats.acked.items():
            same(there[address]["version"], version)
        check(not os.path.exists("j.new"))


def test_slow_reader():
    """A list larger than a socket takes is sent piece by piece."""
    fleet = Fleet()

    def make(_):
        fleet.n += 1
        return fleet.address(fleet.n - 1), "x" * 120
    with registry(*BIG) as lmc:
        beats = Beats(lmc, make)
        while fleet.n < 12000:
            check(beats.round(), lmc.said())
        with lmc.wire() as w:
            w.send("GET /api/entries HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            time.sleep(0.3)
            same(lmc.ask("/healthz").status, 200, "others are served")
            same(len(w.answer().json()["entries"]), fleet.n)
        with lmc.wire() as w:           # and one that goes away costs nothing
            w.send("GET /api/entries HTTP/1.1\r\nHost: localhost\r\n\r\n")
            w.more()
            w.reset()
        same(lmc.ask("/healthz").status, 200)
        # the lists that nobody reads on have a ceiling together
        host, port = lmc.addr.rsplit(":", 1)
        slow, said = [], b""
        while b" 503 " not in said:
            check(len(slow) < 100, "no ceiling")
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(20)
            s.connect((host, int(port)))
            s.send(b"GET /api/entries HTTP/1.1\r\nHost: localhost\r\n\r\n")
            said = s.recv(16)
            slow.append(s)
        check(len(slow) > 3, len(slow), "were enough")
        for s in slow:
            s.close()
        until(lambda: lmc.ask("/api/entries").status == 200, "it is free again", 20)


def test_readers():
    """lmc nodes reads the list: at once, and all of it or it says so."""
    fleet = Fleet()
    fleet.address = lambda i: "http://127.1.%d.%d:9" % (i >> 8, i & 255)

    def make(_):
        fleet.n += 1
        return fleet.address(fleet.n - 1), "1"

    def nodes(*args):
        start = time.monotonic()
        r = subprocess.run([os.environ["LMC"], "nodes", "--no-headers", *args], check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return r.returncode, r.stdout.count("\n"), r.stderr, time.monotonic() - start
    with registry(*BIG) as lmc:
        where = "http://" + lmc.addr
        beat(lmc, A)
        check(min(nodes("--from", where)[3] for _ in range(5)) < 0.5, "it sleeps")
        lmc.ask("/api/entries/127.0.0.1:8000", "DELETE")
        beats = Beats(lmc, make)
        limits = "at most 4096 entries, 1024 frontends, 3 in a row, 4096 nodes\n"
        for n in (512, 1024, 4608):
            while fleet.n < n:
                check(beats.round(), lmc.said())
            over = max(0, n - 1023)     # one of 1024 is who makes the list
            same(nodes("--from", where)[:3], (int(over > 0), n - over, over and
                 "lmc nodes: %d left out: %s" % (over, limits) or ""))
            same(nodes("--nodes", where)[:3], (1, 0, "lmc nodes: %s: its list is too large: %s"
                                               % (where, limits)) if over else
                 (3, 0, "lmc nodes: %d frontends do not answer, the first: proxy_127.1.0.0_9: "
                  "Connection refused\n" % n))


if __name__ == "__main__":
    raise SystemExit(main(globals()))
