#!/usr/bin/env python3
# replay.py - a byte-exact replay of recorded answers, and what lmc makes of them
# SPDX-License-Identifier: Apache-2.0
"""usage: replay.py CHECK [CASES]

Plays recorded answers (tests/fixtures) to $LMC through a UNIX socket, byte by
byte as they were recorded. CHECK is one of

  cases   every line of CASES: the applet's exit status and text, and that it
          sent the request that was recorded
  every   every recording through `lmc call`: the body as received, 1 for a
          status of 400 and above
  cut     every case and every recording, its answer cut off anywhere: status
          3, a message
  late    every case and every recording, late: 5 with a short --timeout
  slow    every case, its answer in pieces of a few bytes: as if whole
  garble  every case and every recording, bytes changed: a known status, valid
          JSON, no hang

A line of CASES: FILES | STATUS | ARGUMENTS | TEXT. Several FILES (separated
by commas) answer one request after another; "~" before STATUS: what is asked
is not compared with the recording. TEXT must be in what lmc says on both
streams; "=" before it: must be all of stdout. \\n in it is a line's end.
"""
import glob
import gzip
import json
import os
import random
import re
import selectors
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
LMC = os.environ["LMC"]
LIMIT = 20  # seconds: more is a hang


def load(name):
    for folder in ("replay", "demo"):
        path = os.path.join(HERE, "fixtures", folder, name)
        if os.path.exists(path):
            return open(path, "rb").read()
        if os.path.exists(path + ".gz"):
            return gzip.open(path + ".gz", "rb").read()
    raise SystemExit("no recording " + name)


def index():
    rows = json.load(open(os.path.join(HERE, "fixtures/replay/index.json")))
    return {row["file"]: row for row in rows}


class Server:
    """Answers request after request with answers[0], answers[1] ..."""

    def __init__(self, path, answers, how):
        self.answers, self.how, self.asked, self.sent = list(answers), how, [], 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.open = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(conn)
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def read(self, conn):
        data = b""
        while b"\r\n\r\n" not in data:
            got = conn.recv(65536)
            if not got:
                return None
            data += got
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        chunked = re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head)
        while (length and len(body) < int(length[1])) or (
                chunked and not body.endswith(b"0\r\n\r\n")):
            got = conn.recv(65536)
            if not got:
                return None
            body += got
        return head, body

    def serve(self, conn):
        try:
            while True:
                request = self.read(conn)
                if request is None:
                    break
                with self.lock:
                    self.asked.append(request)
                    last = len(self.answers) - 1
                    answer = self.answers[min(self.sent, last)]
                    self.sent += 1
                if self.how(conn, answer, self.over):
                    break
            conn.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        conn.close()

    def close(self):
        self.over.set()
        # The thread must be out of accept() before the descriptor's number is
        # given to the next server: it would answer there with our answers.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for conn in self.open:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def whole(conn, answer, over):
    conn.sendall(answer)
    # No length and nothing chunked: the end of the connection ends it.
    head = answer.partition(b"\r\n\r\n")[0].lower()
    return b"content-length" not in head and b"chunked" not in head


def late(secs):
    def how(conn, answer, over):
        over.wait(secs)
        return whole(conn, answer, over)
    return how


def pieces(size):
    def how(conn, answer, over):
        for i in range(0, len(answer), size):
            conn.sendall(answer[i:i + size])
        return whole(conn, b"", over) and False
    return how


def ask(args, answers, how):
    """lmc's status, stdout and stderr, and the requests it made."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        server = Server(path, answers, how)
        args = [a.replace("@@", HERE) for a in args]
        try:
            p = subprocess.run([LMC, *args, "-n", path], capture_output=True,
                               timeout=LIMIT, stdin=subprocess.DEVNULL, cwd=folder)
            here = folder.encode()
            return (p.returncode, p.stdout.replace(here, b"DIR"),
                    p.stderr.replace(here, b"DIR"), server.asked)
        except subprocess.TimeoutExpired:
            return "hang", b"", b"", server.asked
        finally:
            server.close()


class Case:
    def __init__(self, line):
        files, status, args, text = [w.strip() for w in line.split("|", 3)]
        self.line = line
        self.free = status.startswith("~")
        self.status = int(status.lstrip("~"))
        self.args = shlex.split(args)
        self.text = text.replace("\\n", "\n")
        self.files = []
        for f in files.split(","):
            found = [n for n in ROWS if n.startswith(f + "_") or n == f]
            if len(found) != 1:
                raise SystemExit("no one recording " + f)
            self.files.append(found[0])
        self.answers = [load(f) for f in self.files]


def cases(path):
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if line and not line.startswith("#"):
            yield Case(line)


FAILED = 0


def fail(what, got):
    global FAILED
    FAILED += 1
    status, out, err, _ = got
    print("FAILED %s: status %s\n  stdout %r\n  stderr %r" % (
        what, status, out[:600], err[:600]))


def decoded(target):
    path, _, query = target.partition("?")
    return urllib.parse.unquote(path), sorted(
        urllib.parse.parse_qsl(query, keep_blank_values=True))


def same_request(row, head):
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    want = row["path"] + ("?" + row["query"] if row["query"] else "")
    return method == row["method"] and decoded(target) == decoded(want)


def check_cases(path):
    n = 0
    for c in cases(path):
        got = ask(c.args, c.answers, whole)
        status, out, err, asked = got
        n += 1
        if c.text.startswith("="):
            good = out.decode("utf-8", "surrogateescape").strip() == c.text[1:].strip()
        else:
            good = c.text.encode() in out + err
        if status != c.status or not good:
            fail(c.line, got)
        elif not c.free and not (asked and same_request(ROWS[c.files[-1]], asked[-1][0])):
            fail(c.line + ": it asked %r" % [a[0][:200] for a in asked], got)
    return n


def first_body(raw):
    """What an HTTP/1.1 client makes of the first response: status, body."""
    while True:
        head, _, rest = raw.partition(b"\r\n\r\n")
        status = int(head.split(b" ")[1])
        if status >= 200:
            break
        raw = rest
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if status in (204, 304):
        return status, b""
    if re.search(rb"(?i)transfer-encoding: *chunked", head):
        body = b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            size = int(size.split(b";")[0], 16)
            if not size:
                return status, body
            body, rest = body + rest[:size], rest[size + 2:]
    return status, rest[:int(length[1])] if length else rest


def check_every(_):
    n = 0
    for name, row in sorted(ROWS.items()):
        raw = load(name)
        if not raw.startswith(b"HTTP/"):
            continue
        status, body = first_body(raw)
        head = row["method"] == "HEAD"
        want = 1 if status >= 300 else 0
        want = 4 if status in (401, 403) else want
        method = row["method"] if row["method"].isupper() and row["method"] != "RAW" else "GET"
        args = ["call", method, "/", "-o", "raw"]
        if method not in ("GET", "HEAD", "OPTIONS", "DELETE", "TRACE"):
            args[3:3] = ["x"]
        got = ask(args, [raw], whole)
        n += 1
        if got[0] != want or got[1] != (b"" if head else body):
            fail("call with the answer " + name, got)
    return n


def places(n, most=256):
    """Every byte, or of long answers every byte of the head and the end, and
    many between."""
    if n <= most:
        return range(n)
    return sorted(set(range(0, most // 4)) | set(range(0, n, max(1, n * 2 // most)))
                  | set(range(n - 16, n)))


def bounded(a):
    """One answer of a known length, so that a shorter one is no whole answer."""
    head, _, body = a.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return (length and body and int(length[1]) == len(body)
            and a.startswith(b"HTTP/1.1 ") and a[9:12] not in (b"100", b"204", b"304"))


def one_lmc(args, nodes, folder):
    """What one run says: status, stdout, stderr, and no requests."""
    try:
        p = subprocess.run([LMC, *args, *nodes], capture_output=True, timeout=LIMIT,
                           stdin=subprocess.DEVNULL, cwd=folder)
    except subprocess.TimeoutExpired:
        return "hang", b"", b"", []
    return p.returncode, p.stdout, p.stderr, []


def ask_all(args, answers, hows):
    """One lmc that asks a node for each of the answers."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, str(i)) for i in range(len(answers))]
        servers = [Server(p, [a], how) for p, a, how in zip(paths, answers, hows)]
        nodes = [word for p in paths for word in ("-n", p)]
        try:
            return one_lmc(args, nodes, folder)
        finally:
            for s in servers:
                s.close()


class Cutter:
    """Many sockets, each with its beginning of one answer; one thread."""

    def __init__(self, folder, beginnings):
        self.selector = selectors.DefaultSelector()
        self.stop, self.stopped = socket.socketpair()
        self.selector.register(self.stopped, selectors.EVENT_READ, None)
        self.open = [self.stop, self.stopped]
        for i, answer in enumerate(beginnings):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(os.path.join(folder, str(i)))
            listener.listen(4)
            self.open.append(listener)
            self.selector.register(listener, selectors.EVENT_READ, (True, answer))
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                listens, answer = key.data
                if listens:
                    conn = key.fileobj.accept()[0]
                    self.open.append(conn)
                    self.selector.register(conn, selectors.EVENT_READ, (False, answer))
                else:
                    self.reply(key.fileobj, answer)

    def reply(self, conn, answer):
        self.selector.unregister(conn)
        if conn.recv(65536):
            conn.sendall(answer)
        conn.close()

    def close(self):
        self.stop.send(b".")
        self.thread.join()
        for s in self.open:
            s.close()


def ask_cut(args, answer, ats):
    """One lmc that asks a node for each place where the answer is cut off."""
    with tempfile.TemporaryDirectory() as folder:
        server = Cutter(folder, [answer[:at] for at in ats])
        nodes = [word for i in range(len(ats)) for word in ("-n", os.path.join(folder, str(i)))]
        try:
            return one_lmc(args, nodes, folder)
        finally:
            server.close()


def cut_everywhere(what, args, answer, ats):
    ats = list(ats)
    for i in range(0, len(ats), 200):
        some = ats[i:i + 200]
        got = ask_cut(args, answer, some)
        if got[0] != 3 or got[2].count(b"broken answer from") != len(some):
            fail("%s: cut off at each of %r" % (what, some), got)
    return len(ats)


def check_cut(path):
    """Every case by its applet, and every recording by lmc call."""
    n = 0
    for c in cases(path):
        args = [a.replace("@@", HERE) for a in c.args]
        if len(c.files) == 1 and bounded(c.answers[0]):
            n += cut_everywhere(c.line, args, c.answers[0], places(len(c.answers[0])))
    for name, row in sorted(ROWS.items()):
        raw = load(name)
        if bounded(raw) and row["method"] != "HEAD":
            n += cut_everywhere(name, ["call", "GET", "/"], raw, places(len(raw), 48))
    return n + cut_in_turn(path)


def cut_in_turn(path):
    """Of several answers one after another, each one is cut off once."""
    n = 0
    for c in cases(path):
        for i in range(len(c.files) if len(c.files) > 1 else 0):
            if not bounded(c.answers[i]):
                continue
            broken = c.answers[i][:len(c.answers[i]) // 2]
            answers = c.answers[:i] + [broken] + c.answers[i + 1:]

            def how(conn, answer, over, broken=broken):
                return whole(conn, answer, over) or answer is broken
            got = ask(c.args, answers, how)
            n += 1
            if got[0] not in (1, 3) or not got[2]:
                fail("%s: answer %d cut off" % (c.line, i), got)
    return n


def check_late(path):
    n = 0
    for c in cases(path):
        if len(c.files) > 1 or "--timeout" in c.args:
            continue
        got = ask(c.args + ["--timeout", "30ms"], c.answers, late(LIMIT))
        n += 1
        if got[0] != 5 or b"no answer from" not in got[2]:
            fail(c.line + ": late", got)
    every = [load(name) for name in sorted(ROWS)]
    got = ask_all(["call", "GET", "/", "--parallel", "1000", "--timeout", "300ms"], every,
                  [late(LIMIT)] * len(every))
    if got[0] != 5 or got[2].count(b"no answer from") != len(every):
        fail("every recording, late", got)
    return n + len(every)


def check_slow(path):
    n = 0
    for c in cases(path):
        if len(c.files) > 1 or len(c.answers[0]) > 30000 or not bounded(c.answers[0]):
            continue
        want = ask(c.args, c.answers, whole)
        got = ask(c.args, c.answers, pieces(7))
        n += 1
        timed = c.args[0] in ("health", "metrics")  # they tell how long it took
        if got[0] != want[0] or (got[1] != want[1] and not timed):
            fail(c.line + ": in pieces", got)
    return n


def spoiled(answer):
    a = bytearray(answer)
    for _ in range(random.choice((1, 2, 30))):
        a[random.randrange(len(a))] = random.randrange(256)
    return bytes(a)


def garble_every():
    every = [load(name) for name in sorted(ROWS)]
    every = [a for a in every if a and len(a) < 200000]
    n = 0
    for _ in range(10):
        got = ask_all(["call", "GET", "/", "-o", "json", "--timeout", "2s"],
                      [spoiled(a) for a in every], [whole] * len(every))
        n += len(every)
        try:
            rows = json.loads(got[1], parse_constant=lambda x: 1 / 0)
            good = got[0] in (1, 3, 4, 5) and len(rows) == len(every)
        except (ValueError, ZeroDivisionError):
            good = False
        if not good:
            fail("every recording, garbled", got)
    return n


def check_garble(path):
    random.seed(5)
    n = garble_every()
    for c in cases(path):
        if c.args[0] == "call" or max(map(len, c.answers)) > 200000:
            continue
        for _ in range(12):
            answers = [spoiled(a) for a in c.answers]
            args = c.args if "-o" in c.args else c.args + ["-o", "json"]
            got = ask(args + ["--timeout", "200ms"], answers, whole)
            n += 1
            try:
                if "-o" not in c.args:
                    json.loads(got[1], parse_constant=lambda x: 1 / 0)
                good = got[0] in (0, 1, 3, 4, 5)
            except (ValueError, ZeroDivisionError):
                good = False
            if not good:
                fail("%s: garbled to %r" % (c.line, answers[0][:300]), got)
    return n


ROWS = index()
COUNT = globals()["check_" + sys.argv[1]](sys.argv[2] if len(sys.argv) > 2 else None)
print("%d answers played, %d failed" % (COUNT, FAILED))
sys.exit(1 if FAILED or not COUNT else 0)
