#!/usr/bin/env python3
# typist.py - types into an interactive shell and says what became of it
# SPDX-License-Identifier: Apache-2.0
"""typist.py SETUP KEYS SHELL ARGS...

Starts SHELL on a terminal, has it run SETUP, types KEYS (Python escapes, \\t
is the tab key) and then makes the line an operand list of printf: prints
"<WORD>" for each word of the line as the shell sees it, after completion.
What else the terminal showed goes to stderr.
"""
import os
import pty
import re
import select
import signal
import sys
import time

DEADLINE = time.monotonic() + 30


def read_until(fd, pattern, seen=b""):
    while not re.search(pattern, seen):
        left = DEADLINE - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.exit("typist.py: no %r in %r" % (pattern, seen))
        try:
            more = os.read(fd, 65536)
        except OSError:
            more = b""
        if not more:
            sys.exit("typist.py: the shell is gone: %r" % seen)
        seen += more
    return seen


def main():
    setup, keys, shell = sys.argv[1], sys.argv[2], sys.argv[3:]
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="dumb", PS1="$ ", COLUMNS="200", HISTFILE="")
        os.execvp(shell[0], shell)
    try:
        # $((...)): what is typed is echoed, and must not look like its output
        os.write(fd, setup.encode() + b"\necho up$((40+2))\n")
        read_until(fd, rb"up42\r?\n")
        os.write(fd, keys.encode().decode("unicode_escape").encode())
        os.write(fd, b"\x01printf '<%s>' at$((40+2)) \x05 at$((42+1))\r")
        seen = read_until(fd, rb"<at42>[^\n]*<at43>")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    sys.stderr.buffer.write(seen + b"\n")
    sys.stderr.flush()
    print(re.search(rb"<at42>([^\n]*)<at43>", seen)[1].decode())


if __name__ == "__main__":
    main()
