#!/usr/bin/env python3
# wire.py - raw HTTP for tests: a client, an upstream that records, lmc proxy
# SPDX-License-Identifier: Apache-2.0
"""Imported by the proxy_*.py tests; each of those is `NAME.py TEST`.

Nothing here repairs or hides: the client sends the bytes it is given and reads
an answer byte by byte as RFC 9112 frames it; the upstream keeps exactly the
bytes it got, and answers with exactly the bytes its target asks for.
"""
import base64
import contextlib
import ctypes
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

LMC = os.environ.get("LMC", "./lmc")
WAIT = 20       # seconds that something may take on a busy machine


class Failed(Exception):
    pass


def check(holds, *said):
    if not holds:
        raise Failed(" ".join(str(s) for s in said))


def same(got, want, said=""):
    check(got == want, said, "\n   is:", repr(got), "\n  not:", repr(want))


def until(what, said, seconds=WAIT):
    """Polls until what() is true; returns it."""
    end = time.monotonic() + seconds
    while True:
        got = what()
        if got:
            return got
        check(time.monotonic() < end, "never came true:", said)
        time.sleep(0.01)


# ---- the client ----

class Answer:
    """One answer as it was framed. whole is False when it was cut off."""

    def __init__(self):
        self.status, self.head, self.fields = 0, b"", []
        self.body, self.whole, self.interim = b"", False, []

    def get(self, name):
        got = [v for n, v in self.fields if n.lower() == name.lower()]
        return ", ".join(got) if got else None

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%s %r%s" % (self.status, self.body[:200],
                            "" if self.whole else " (cut off)")


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    fields = []
    for line in lines[1:]:
        if line:
            name, _, value = line.partition(":")
            fields.append((name, value.strip(" \t")))
    return lines[0], fields


class Wire:
    """A connection to one address ("127.0.0.1:80", "[::1]:80", "unix:/p")."""

    def __init__(self, where, seconds=WAIT):
        if where.startswith("unix:"):
            self.sock = socket.socket(socket.AF_UNIX)
            target = where[5:]
        else:
            host, _, port = where.rpartition(":")
            v6 = host.startswith("[")
            self.sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
            target = (host.strip("[]").replace("0.0.0.0", "127.0.0.1"), int(port))
        self.sock.settimeout(seconds)
        self.sock.connect(target)
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""
        self.ended = None       # "fin" or "reset"

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data, then_fin=False):
        if isinstance(data, str):
            data = data.encode("latin-1")
        try:
            self.sock.sendall(data)
            if then_fin:
                self.sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass        # what was answered before may still be read
        return self

    def more(self):
        """Reads some bytes; False at the end."""
        if self.ended:
            return False
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            self.ended = "reset"
            return False
        except socket.timeout:
            raise Failed("no more bytes came; so far: %r" % self.buf[:300])
        if not data:
            self.ended = "fin"
            return False
        self.buf += data
        return True

    def line(self):
        while b"\r\n" not in self.buf:
            if not self.more():
                return None
        line, _, self.buf = self.buf.partition(b"\r\n")
        return line

    def take(self, n):
        while len(self.buf) < n and self.more():
            pass
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def rest(self):
        """Everything until the end."""
        while self.more():
            pass
        out, self.buf = self.buf, b""
        return out

    def head(self):
        while b"\r\n\r\n" not in self.buf:
            if not self.more():
                return None
        head, _, self.buf = self.buf.partition(b"\r\n\r\n")
        return head + b"\r\n"

    def chunked(self, a):
        while True:
            line = self.line()
            if line is None:
                return
            check(re.fullmatch(b"[0-9a-fA-F]+(;.*)?", line), "bad chunk size", line)
            size = int(line.split(b";")[0], 16)
            if size == 0:
                a.whole = self.line() == b""
                return
            data = self.take(size)
            a.body += data
            if len(data) < size or self.take(2) != b"\r\n":
                return

    def answer(self, method="GET"):
        """The next final answer; interim ones are kept in .interim. None
        when the connection ends before one begins."""
        a = Answer()
        while True:
            a.head = self.head()
            if a.head is None:
                check(not self.buf, "half a head:", self.buf)
                return None
            first, a.fields = parse_head(a.head)
            check(re.fullmatch(r"HTTP/1\.1 \d\d\d( .*)?", first), "status line", first)
            a.status = int(first[9:12])
            if a.status >= 200:
                break
            a.interim.append((a.status, a.fields))
        length = a.get("Content-Length")
        check(not (length and a.get("Transfer-Encoding")), "two framings", a.head)
        if method == "HEAD" or a.status in (204, 304):
            a.whole = True
        elif a.get("Transfer-Encoding"):
            self.chunked(a)
        elif length is not None:
            a.body = self.take(int(length))
            a.whole = len(a.body) == int(length)
        else:
            a.body = self.rest()
            a.whole = self.ended == "fin"
        return a

    def ends(self, seconds=WAIT):
        """Waits for the end: "fin" or "reset"; no byte may come before."""
        self.sock.settimeout(seconds)
        check(not self.buf, "bytes after the answer:", self.buf[:300])
        got = self.rest()
        check(not got, "bytes after the answer:", got[:300])
        return self.ended


def ask(where, target="/", method="GET", fields=(), body=None, seconds=WAIT):
    """One request on a connection of its own."""
    with Wire(where, seconds) as w:
        head = "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % (
            method, target)
        for name, value in dict(fields).items():
            head += "%s: %s\r\n" % (name, value)
        if body is not None:
            head += "Content-Length: %d\r\n" % len(body)
        w.send(head.encode("latin-1") + b"\r\n" + (body or b""))
        a = w.answer(method)
        check(a, "no answer to", method, target)
        return a


# ---- the upstream ----

class Request:
    def __init__(self, head):
        self.raw = head + b"\r\n"       # head, then the body's bytes as they came
        self.first, self.fields = parse_head(head)
        self.method, self.target = (self.first.split(" ") + ["", ""])[:2]
        self.body, self.whole = b"", False
        self.body_n, self.odd = 0, 0
        self.only = bytes([int(self.target.split("/")[2])]) \
            if self.target.startswith("/only/") else None

    get = Answer.get
    all = Answer.all


def say(*parts, then="keep", wait="body"):
    """The target for which the upstream sends just these bytes, in so many
    writes, then keeps the connection, or closes, resets or hangs it. With
    wait="head" it does so before it reads a body."""
    words = [base64.urlsafe_b64encode(p if isinstance(p, bytes) else
                                      p.encode("latin-1")).decode()
             for p in parts]
    return "/say/%s?then=%s&wait=%s" % (".".join(words), then, wait)


class Upstream:
    """Records every request; answers by target:

    /say/...    see say()
    /gen/N[/chunked|/close]   N bytes
    /fill/B/N   N bytes that are all B
    /sink       reads the body, says how many bytes it had
    /only/B     the same, if every byte of the body was B
    /hang       nothing, ever
    /sleep/MS   "ok" after a while
    /stale      "ok", then closes without having said so
    /once       "ok"; the connection's next request is read, and gets nothing
    others      "ok"
    """

    def __init__(self, unix=None, v6=False, keep=1 << 20):
        if unix:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(unix)
            self.node = {"host": "localhost", "port": unix}
            self.addr = "unix:" + unix
        else:
            self.sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind(("::1" if v6 else "127.0.0.1", 0))
            host, port = self.sock.getsockname()[:2]
            self.node = {"host": host, "port": port}
            self.addr = ("[%s]:%d" if v6 else "%s:%d") % (host, port)
        self.sock.listen(1024)
        self.keep = keep                # bytes of a body that are recorded
        self.requests, self.bytes, self.connections, self.open = [], 0, 0, 0
        self.junk = b""                 # bytes that began no request
        self.lock = threading.Lock()
        self.down = False
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        """No more: what is refused now is refused by the kernel."""
        self.down = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def serve(self):
        while not self.down:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open += 1
            threading.Thread(target=self.talk, args=(sock,), daemon=True).start()

    def talk(self, sock):
        try:
            with sock:
                last = [""]
                while self.one(sock, last):
                    pass
        except OSError:
            pass
        finally:
            with self.lock:
                self.open -= 1

    def recv(self, sock, n=1 << 16):
        data = sock.recv(n)
        with self.lock:
            self.bytes += len(data)
        return data

    def one(self, sock, last):
        buf = b""
        while b"\r\n\r\n" not in buf:
            data = self.recv(sock)
            if not data:
                with self.lock:
                    self.junk += buf
                return False
            buf += data
        head, _, buf = buf.partition(b"\r\n\r\n")
        r = Request(head + b"\r\n")
        with self.lock:
            self.requests.append(r)
        if last[0].startswith("/once"):
            return False
        last[0] = r.target
        early = "wait=head" in r.target
        if "100-continue" in (r.get("Expect") or "") and not early:
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not early:
            buf = self.read_body(sock, r, buf)
            if not r.whole:
                return False
        go_on = self.reply(sock, r)
        if early and go_on:
            buf = self.read_body(sock, r, buf)
        if buf:
            with self.lock:
                self.junk += buf        # a second request from one
        return go_on and not buf

    def eat(self, r, data):
        r.body_n += len(data)
        if r.only:
            r.odd += len(data) - data.count(r.only)
        if len(r.body) < self.keep:
            r.body += data
            r.raw += data

    def read_body(self, sock, r, buf):
        if "chunked" in (r.get("Transfer-Encoding") or ""):
            return self.read_chunks(sock, r, buf)
        left = int(r.get("Content-Length") or 0)
        while left:
            data = buf or self.recv(sock, min(left, 1 << 20))
            if not data:
                return b""
            self.eat(r, data[:left])
            buf, left = data[left:], max(0, left - len(data))
        r.whole = True
        return buf

    def read_chunks(self, sock, r, buf):
        def need(n):
            nonlocal buf
            while len(buf) < n:
                data = self.recv(sock)
                if not data:
                    return False
                buf += data
            return True

        while True:
            while b"\r\n" not in buf:
                if not need(len(buf) + 1):
                    return b""
            line, _, buf = buf.partition(b"\r\n")
            r.raw += line + b"\r\n"
            size = int(line, 16)        # an extension would be an error
            if not need(size + 2):
                return b""
            self.eat(r, buf[:size])
            end, buf = buf[size:size + 2], buf[size + 2:]
            r.raw += end
            if size == 0:
                r.whole = end == b"\r\n"
                return buf

    def ok(self, sock, body=b"ok"):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return True

    def reply(self, sock, r):
        path, _, query = r.target.partition("?")
        words = path.split("/")[1:]
        if words[0] == "say":
            return self.reply_raw(sock, words[1], query)
        if words[0] == "gen":
            return self.reply_gen(sock, int(words[1]), words[2:])
        if words[0] == "fill":
            return self.reply_gen(sock, int(words[2]), words[3:], int(words[1]))
        if words[0] == "sink":
            return self.ok(sock, b"%d" % r.body_n)
        if words[0] == "only":
            return self.ok(sock, b"%d %d" % (r.body_n, r.odd))
        if words[0] == "hang":
            while self.recv(sock):
                pass
            return False
        if words[0] == "sleep":
            time.sleep(int(words[1]) / 1000)
        if r.method == "HEAD":
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            return True
        return self.ok(sock) and words[0] != "stale"

    def reply_raw(self, sock, words, query):
        words = words.split(".")
        for i, word in enumerate(words):
            if i:
                time.sleep(0.05 if len(words) < 9 else 0.002)
            sock.sendall(base64.urlsafe_b64decode(word))
        if "then=keep" in query:
            return True
        if "then=reset" in query:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        if "then=hang" in query:
            while self.recv(sock):
                pass
        return False

    def reply_gen(self, sock, n, form, byte=0):
        chunked, block = form == ["chunked"], bytes([byte]) * (1 << 20)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
        if chunked:
            head += b"Transfer-Encoding: chunked\r\n"
        elif form != ["close"]:
            head += b"Content-Length: %d\r\n" % n
        sock.sendall(head + b"\r\n")
        while n:
            data = block[:min(n, len(block))]
            if chunked:
                sock.sendall(b"%x\r\n" % len(data))
            sock.sendall(data)
            if chunked:
                sock.sendall(b"\r\n")
            n -= len(data)
        if chunked:
            sock.sendall(b"0\r\n\r\n")
        return form != ["close"]


# ---- lmc proxy ----

libc = ctypes.CDLL(None)


def die_with_parent():
    libc.prctl(1, signal.SIGKILL)


class Lmc:
    """lmc proxy on a free port, in front of nodes {name: Upstream or dict}; or
    another server of ours."""

    def __init__(self, *args, nodes=None, nofile=None, wrap=(), applet="proxy"):
        listed = [dict(getattr(n, "node", n), name=name)
                  for name, n in (nodes or {}).items()]
        r, w = os.pipe()
        cmd = list(wrap) + [LMC, applet, "--ready-fd", str(w)]
        if "--config" not in args and applet == "proxy":
            cmd += ["--nodes", json.dumps(listed)]
        if not any(a.startswith(("--listen", "--port", "--host")) for a in args):
            cmd += ["--listen", "127.0.0.1:0"]

        def before():
            die_with_parent()
            if nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

        self.log = open("lmc.log", "a+b")
        # pylint: disable=subprocess-popen-preexec-fn
        self.process = subprocess.Popen(cmd + list(args), pass_fds=(w,),
                                        stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log,
                                        preexec_fn=before)
        os.close(w)
        with os.fdopen(r) as lines:
            self.addrs = lines.read().split()
        if not self.addrs:
            self.process.wait(WAIT)
            raise Failed("lmc did not get ready: " + self.said())
        self.addr = self.addrs[0]
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *args):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def said(self):
        self.log.flush()
        with open("lmc.log", "rb") as f:
            return f.read().decode("utf-8", "replace")

    def stop(self, signo=signal.SIGTERM):
        """Its status, after it ended."""
        self.process.send_signal(signo)
        return self.process.wait(WAIT)

    def wire(self, seconds=WAIT):
        return Wire(self.addr, seconds)

    def ask(self, *args, **kw):
        return ask(self.addr, *args, **kw)

    def alive(self):
        check(self.process.poll() is None, "lmc ended:", self.process.returncode,
              self.said()[-2000:])

    def fds(self, pipes=False):
        """How many descriptors are open that are no pipes, or are."""
        n, where = 0, "/proc/%d/fd/" % self.pid
        for fd in os.listdir(where):
            with contextlib.suppress(FileNotFoundError):
                n += os.readlink(where + fd).startswith("pipe:") == pipes
        return n

    def cpu(self):
        """Seconds of CPU time."""
        with open("/proc/%d/stat" % self.pid) as f:
            words = f.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, what="VmHWM"):
        """In KiB."""
        with open("/proc/%d/status" % self.pid) as f:
            return int(re.search(what + r":\s*(\d+)", f.read())[1])

    def sanitized(self):
        """Built with a sanitizer: its memory says nothing."""
        with open(LMC, "rb") as f:
            return b"__asan_init" in f.read()


# ---- one test per call ----

def main(names):
    """Runs the function argv[1] of the caller's globals."""
    if len(sys.argv) != 2 or not callable(names.get("test_" + sys.argv[1])):
        print("\n".join(n[5:] for n in names if n.startswith("test_")))
        return 2
    try:
        names["test_" + sys.argv[1]]()
    except Failed as e:
        print(e)
        return 1
    return 0
