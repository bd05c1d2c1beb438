# bench.py - the directory, the tools and the node of one run
# SPDX-License-Identifier: Apache-2.0

import glob
import os
import re
import resource
import shutil
import subprocess
import tempfile

import peers

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TOOLS = ("relay", "upstream", "load", "start")


class Bench:
    """The directory of one run, its tools and its upstream."""

    def __init__(self):
        self.lmc = os.path.abspath(os.environ.get("LMC", TOP + "/lmc"))
        self.build = os.path.join(TOP, "build", "bench")
        self.dir = tempfile.mkdtemp(prefix="lmc-bench-")
        self.text = self.metrics_text()
        self.upstream = None

    def prepare(self):
        """Tools made, upstream running."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.make_tools()
        self.upstream = peers.Upstream(self)

    def tool(self, name):
        return os.path.join(self.build, name)

    def make_tools(self):
        os.makedirs(self.build, exist_ok=True)
        for name in TOOLS:
            sources = [os.path.join(HERE, f)
                       for f in (name + ".c", "bench.c", "bench.h")]
            if stale(self.tool(name), sources):
                made = self.tool(f"{name}.{os.getpid()}")
                subprocess.run(["gcc", "-std=c11", "-D_GNU_SOURCE", "-O2",
                                "-Wall", "-Wextra", "-Werror", "-o", made,
                                *sources[:2]], check=True)
                os.rename(made, self.tool(name))

    def metrics_text(self):
        """A node's recorded /metrics, if the tree has one."""
        for path in glob.glob(TOP + "/tests/fixtures/**/*metrics_scheduler*",
                              recursive=True):
            with open(path, "rb") as f:
                body = f.read().partition(b"\r\n\r\n")[2]
            if len(body) >= 17600:
                text = os.path.join(self.dir, "metrics.txt")
                with open(text, "wb") as f:
                    f.write(body[:17600])
                return text
        return None

    def fill(self, template, name, **words):
        words |= {"DIR": self.dir, "UNIX": self.upstream.path,
                  "TCP": self.upstream.tcp}
        with open(os.path.join(HERE, template)) as f:
            filled = re.sub(r"@([A-Z0-9]+)@",
                            lambda m: str(words[m[1]]), f.read())
        path = os.path.join(self.dir, name + ".conf")
        with open(path, "w") as f:
            f.write(filled)
        return path

    def close(self):
        peers.Process.stop_all()
        shutil.rmtree(self.dir, ignore_errors=True)


def stale(made, sources):
    if not os.path.exists(made):
        return True
    return any(os.stat(s).st_mtime > os.stat(made).st_mtime for s in sources)
