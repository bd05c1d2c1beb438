#!/usr/bin/env python3
# person.py - runs a program on a terminal and types what it asks for
# SPDX-License-Identifier: Apache-2.0
"""usage: person.py [--answer TEXT] [--signal NAME WHEN] PROGRAM ARGS...

The terminal is stdin and stderr; stdout stays ours. Prints what the terminal
showed to stderr, escapes as they came, and exits with the program's status.
--answer is typed once the program has asked ("Type yes"); --signal is sent
once WHEN was shown.
"""
import argparse
import os
import pty
import select
import signal
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--answer")
parser.add_argument("--signal", nargs=2)
parser.add_argument("program", nargs=argparse.REMAINDER)
args = parser.parse_args()

primary, terminal = pty.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    os.dup2(terminal, 0)
    os.dup2(terminal, 2)
    os.close(primary)
    os.execvp(args.program[0], args.program)
os.close(terminal)
seen, end = b"", time.monotonic() + 30
while select.select([primary], [], [], max(0, end - time.monotonic()))[0]:
    try:
        got = os.read(primary, 65536)
    except OSError:
        break
    if not got:
        break
    seen += got
    if args.answer is not None and b"Type yes" in seen:
        os.write(primary, args.answer.encode() + b"\n")
        args.answer = None
    if args.signal and args.signal[1].encode() in seen:
        os.kill(pid, getattr(signal, args.signal[0]))
        args.signal = None
else:
    os.kill(pid, signal.SIGKILL)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stderr.buffer.write(seen)
sys.exit(status if status >= 0 else 128 - status)
