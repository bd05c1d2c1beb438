# peers.py - how each proxy that is compared is started, and looked at
# SPDX-License-Identifier: Apache-2.0

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time

LIMIT = 20  # seconds to become ready, or to end


class Trouble(Exception):
    """Something that ends the bench with one line."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition):
    until = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > until:
            raise Trouble(f"{what}: not within {LIMIT} s")
        time.sleep(0.01)


def accepts(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def end_with_parent():
    """The kernel ends the child when the bench is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Process:
    """A child that is ended by its pid, however the bench ends."""

    started = []
    cpu = None      # CPU list, as taskset takes it
    wrapper = ()    # a program that runs the program: valgrind

    def __init__(self, argv, **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        argv = [*self.wrapper, *argv]
        if self.cpu:
            argv = ["taskset", "-c", self.cpu, *argv]
        self.child = subprocess.Popen(argv, preexec_fn=end_with_parent, **how)
        Process.started.append(self)

    def alive(self):
        return self.child.poll() is None

    def pids(self):
        """The process and what it started, oldest first."""
        found, at = [self.child.pid], 0
        while at < len(found):
            path = f"/proc/{found[at]}/task/{found[at]}/children"
            with open(path) as f:
                found += [int(p) for p in f.read().split()]
            at += 1
        return found

    def cpu_ns(self):
        """Time on a CPU so far: sum_exec_runtime, over all threads."""
        total = 0
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                    total += int(f.read().split()[0])
        return total

    def memory(self):
        """Resident bytes of the process that serves: a master that only
        waits for its worker is not counted."""
        with open(f"/proc/{self.pids()[-1]}/status") as f:
            rows = dict(line.split(":", 1) for line in f)
        kib = {k: int(rows[k].split()[0]) * 1024
               for k in ("VmRSS", "RssAnon", "RssShmem")}
        return {"rss": kib["VmRSS"], "own": kib["RssAnon"] + kib["RssShmem"],
                "anon": kib["RssAnon"]}

    def stop(self):
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        if self in Process.started:
            Process.started.remove(self)

    @classmethod
    def stop_all(cls):
        for p in list(cls.started):
            p.stop()


class Upstream(Process):
    def __init__(self, bench):
        self.path = os.path.join(bench.dir, "node.sock")
        text = ["-m", bench.text] if bench.text else []
        super().__init__([bench.tool("upstream"), *text, "unix:" + self.path,
                          "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        self.child.stdout.readline()
        self.tcp = self.child.stdout.readline().split()[1]


class Client(Process):
    """A load program that waits for our word: see load.c, -s."""

    def __init__(self, bench, argv):
        super().__init__([bench.tool("load"), "-s", *argv], text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.child.stdout.readline() != "ready\n":
            self.stop()
            raise Trouble("the load program did not get its first answers")

    def go(self):
        """To the end of the measured part, the connections still open."""
        self.say()
        line = self.child.stdout.readline()
        if not line:
            self.stop()
            raise Trouble("the load program gave up")
        return json.loads(line)

    def say(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def close(self):
        self.say()
        self.child.wait(LIMIT)
        self.stop()
        self.child.stdin.close()
        self.child.stdout.close()


class Peer:
    """One way from the client to the node.

    .prefix goes before the path; addr(kind) is where to ask for the node
    reached over kind, "unix" or "tcp". .servers are the processes of this
    peer; the one for a kind is server(kind).
    """

    prefix = {"unix": "", "tcp": ""}
    slow = False        # takes part in the small, short cases only

    def __init__(self, bench, name):
        self.bench, self.name, self.ports = bench, name, {}
        self.server_of = {}
        self.start()

    def addr(self, kind):
        return f"127.0.0.1:{self.ports[kind]}"

    def path(self, kind, path):
        return self.prefix[kind] + path

    def server(self, kind):
        return self.server_of[kind]

    def run(self, argv, **how):
        p = Process(argv, **how)
        self.server_of = {"unix": p, "tcp": p}
        wait_for(self.name, lambda: not p.alive() or
                 all(accepts(port) for port in self.ports.values()))
        if not p.alive():
            raise Trouble(f"{self.name} ended at once")

    def restart(self):
        self.stop()
        self.start()

    def stop(self):
        for p in set(self.server_of.values()):
            p.stop()

    def configured(self, template):
        """The template with its @WORDS@ filled in, as a file."""
        self.ports = {"unix": free_port(), "tcp": free_port()}
        return self.bench.fill(template, self.name, PORT=self.ports["unix"],
                               PORT2=self.ports["tcp"])

    @classmethod
    def missing(cls, _bench):
        """Why it cannot take part, or None."""
        return None

    @classmethod
    def version(cls, _bench):
        return ""

    @classmethod
    def binary(cls, _bench):
        """The file whose size counts, or None."""
        return None


def first_line(argv):
    got = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (got.stdout + got.stderr).splitlines()[0]


class Relay(Peer):
    options = []

    def start(self):
        up = self.bench.upstream
        for kind, to in (("unix", "unix:" + up.path), ("tcp", up.tcp)):
            p = Process(self.command("127.0.0.1:0", to),
                        stdout=subprocess.PIPE, text=True)
            self.server_of[kind] = p
            self.ports[kind] = int(p.child.stdout.readline().split(":")[1])

    def command(self, listen, to=None):
        to = to or "unix:" + self.bench.upstream.path
        return [self.bench.tool("relay"), *self.options, listen, to]

    def start_command(self, port):
        return self.command(f"127.0.0.1:{port}")

    @classmethod
    def binary(cls, bench):
        return bench.tool("relay")


class SlowRelay(Relay):
    options = ["-x", "3000"]


class SpliceRelay(Relay):
    options = ["-s"]


class Nginx(Peer):
    def start(self):
        self.run(self.command(self.configured("nginx.conf")))

    def command(self, config):
        return ["nginx", "-c", config, "-e", self.bench.dir + "/nginx.err"]

    def start_command(self, port):
        return self.command(self.bench.fill(
            "nginx.conf", "nginx-start", PORT=port, PORT2=free_port()))

    @classmethod
    def missing(cls, _bench):
        return None if shutil.which("nginx") else "nginx is not installed"

    @classmethod
    def version(cls, _bench):
        return first_line(["nginx", "-v"]).split("/")[-1]

    @classmethod
    def binary(cls, _bench):
        return shutil.which("nginx")


class Haproxy(Peer):
    def start(self):
        self.run(self.command(self.configured("haproxy.cfg")),
                 stderr=subprocess.DEVNULL)

    def command(self, config):
        return ["haproxy", "-q", "-db", "-f", config]

    def start_command(self, port):
        return self.command(self.bench.fill(
            "haproxy.cfg", "haproxy-start", PORT=port, PORT2=free_port()))

    @classmethod
    def missing(cls, _bench):
        return None if shutil.which("haproxy") else "haproxy is not installed"

    @classmethod
    def version(cls, _bench):
        return first_line(["haproxy", "-v"]).split()[2]

    @classmethod
    def binary(cls, _bench):
        return shutil.which("haproxy")


def node_list(up):
    host, port = up.tcp.split(":")
    return json.dumps([{"name": "n", "host": "localhost", "port": up.path},
                       {"name": "t", "host": host, "port": port}])


class Lmc(Peer):
    prefix = {"unix": "/proxy2/n", "tcp": "/proxy2/t"}

    def start(self):
        end, ready = os.pipe()
        p = Process([*self.command(0), "--ready-fd", str(ready)],
                    pass_fds=[ready])
        os.close(ready)
        with open(end) as f:    # ends when lmc writes and closes, or dies
            bound = f.read().split()
        if not bound:
            raise Trouble("lmc proxy did not become ready")
        port = int(bound[0].rsplit(":", 1)[1].rstrip("/"))
        self.ports = {"unix": port, "tcp": port}
        self.server_of = {"unix": p, "tcp": p}

    def command(self, port):
        return [self.bench.lmc, "proxy", "--listen", f"127.0.0.1:{port}",
                "--nodes", node_list(self.bench.upstream)]

    def start_command(self, port):
        return self.command(port)

    @classmethod
    def missing(cls, bench):
        if os.access(bench.lmc, os.X_OK):
            return None
        return f"{bench.lmc} is not there"

    @classmethod
    def version(cls, bench):
        return first_line([bench.lmc, "--version"])

    @classmethod
    def binary(cls, bench):
        return bench.lmc


class Python(Peer):
    prefix = Lmc.prefix
    slow = True

    def start(self):
        port = free_port()
        self.ports = {"unix": port, "tcp": port}
        self.run(self.start_command(port), stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL)

    def start_command(self, port):
        return ["python3", "-m", "lmcache_frontend.app", "--host",
                "127.0.0.1", "--port", str(port), "--log-level", "error",
                "--nodes", node_list(self.bench.upstream)]

    @classmethod
    def missing(cls, _bench):
        got = subprocess.run(["python3", "-c", "import lmcache_frontend.app"],
                             capture_output=True, check=False)
        return got.returncode and "python3 cannot import it" or None


PEERS = {"relay": Relay, "relay-again": Relay, "relay-slow": SlowRelay,
         "relay-splice": SpliceRelay, "nginx": Nginx, "haproxy": Haproxy,
         "lmc": Lmc, "lmcache_frontend": Python}

