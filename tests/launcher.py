#!/usr/bin/env python3
# launcher.py - starts plugins the way LMCache's own launcher does, for tests
# SPDX-License-Identifier: Apache-2.0
"""launcher.py [--generation runtime|plugin] [--role R] [--worker-id N]
[--worker-count N] [--config JSON] LOCATION...

Behaves as the launcher is specified to: eligibility by file name, interpreter
from the first line or the suffix, both families of variables, output read and
printed as "[FILE] LINE", SIGTERM to every child at exit and nothing else. No
restart, no group, no wait. Ends on SIGTERM by way of atexit."""
import argparse
import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading


def files(location):
    path = pathlib.Path(location)
    if path.is_file():
        return [path]
    return [*path.rglob("*.py"), *path.rglob("*.sh")]


def eligible(path, role, worker_id):
    parts = path.stem.lower().split("_")
    if len(parts) < 2:
        return True
    if role is not None and parts[0].upper() not in ("ALL", role.upper()):
        return False
    if len(parts) > 2 and parts[1].isdigit():
        return int(parts[1]) == worker_id
    return True


def interpreter(path, generation):
    with open(path, encoding="utf-8") as f:
        line = f.readline().strip()
    named = line[2:].strip() if line.startswith("#!") else None
    defaults = {".py": ["python", "python3"], ".sh": ["bash"]}[path.suffix]
    if generation == "plugin":
        return named or defaults[0]
    for candidate in [named] * bool(named) + defaults:
        if shutil.which(candidate):
            return shutil.which(candidate)
    raise RuntimeError("No valid interpreter found for %s" % path)


def environment(args):
    env = dict(os.environ)
    families = ["LMCACHE_PLUGIN_"]
    if args.generation == "runtime":
        families.append("LMCACHE_RUNTIME_PLUGIN_")
        env["PYTHONUNBUFFERED"] = "1"
    for prefix in families:
        env[prefix + "ROLE"] = args.role or ""
        env[prefix + "CONFIG"] = args.config
        env[prefix + "WORKER_ID"] = str(args.worker_id)
        env[prefix + "WORKER_COUNT"] = str(args.worker_count)
    return env


def read(path, child):
    for line in child.stdout:
        print("[%s] %s" % (path, line.strip()), flush=True)
    print("Runtime plugin %s exited with code %s" % (path, child.wait()), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--generation", default="runtime")
    p.add_argument("--role")
    p.add_argument("--worker-id", type=int, default=0)
    p.add_argument("--worker-count", type=int, default=1)
    p.add_argument("--config", default="{}")
    p.add_argument("locations", nargs="+")
    args = p.parse_args()
    children = []

    def stop():
        for child in children:
            if child.poll() is None:
                child.terminate()

    atexit.register(stop)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for location in args.locations:
        for path in files(location):
            if not eligible(path, args.role, args.worker_id):
                continue
            command = [interpreter(path, args.generation), str(path)]
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     text=True, env=environment(args))
            children.append(child)
            print("Launched runtime plugin: %s with %s" % (path, command[0]), flush=True)
            threading.Thread(target=read, args=(path, child), daemon=True).start()
    while True:
        signal.pause()


main()
