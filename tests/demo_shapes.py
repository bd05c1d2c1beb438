"""demo_shapes.py - does a simulated node answer in the shape of a recording?

usage: demo_shapes.py RECORDINGS SOCKET_OF_SCHEDULER SOCKET_OF_WORKER
                      SOCKET_OF_SECOND_WORKER

Sends each recorded request again and compares status line, Allow, Location
and Content-Type, and the body: JSON by keys and types and by its style
(indentation, order of keys), text byte for byte unless it is a text of
numbers. One line per difference; exit 1 if there was any.
SPDX-License-Identifier: Apache-2.0
"""
import json
import re
import socket
import sys

# Lists and objects whose length or keys are the node's own business.
FREE_KEYS = re.compile(r"model\.layers\.\d+\.self_attn\.attn")
# Texts that hold numbers or names: compared after this normalisation.
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


def ask(path, raw):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(path)
    s.sendall(raw)
    data = b""
    while b"\r\n\r\n" not in data:
        got = s.recv(65536)
        if not got:
            break
        data += got
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    want = int(length.group(1)) if length and b"HEAD" != raw[:4] else 0
    while len(body) < want:
        got = s.recv(65536)
        if not got:
            break
        body += got
    s.close()
    return head, body


def headers(head):
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(l.lower().split(": ", 1) for l in lines[1:] if ": " in l)
    return lines[0], {k: fields.get(k) for k in ("content-type", "allow", "location")}


def kind(value):
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "float" if isinstance(value, float) else "int"
    return type(value).__name__


def shape(want, got, at=""):
    """Differences of keys, their order and types."""
    if isinstance(want, dict) and isinstance(got, dict):
        if any(FREE_KEYS.fullmatch(k) for k in want):
            if not all(FREE_KEYS.fullmatch(k) for k in got):
                yield f"{at}: other keys"
            want, got = list(want.values())[:1], list(got.values())[:1]
            yield from shape(want, got, at)
            return
        if list(want) != list(got):
            yield f"{at}: keys {list(got)} instead of {list(want)}"
        for k in want:
            if k in got:
                yield from shape(want[k], got[k], f"{at}.{k}")
    elif isinstance(want, list) and isinstance(got, list):
        for a, b in zip(want, got):
            yield from shape(a, b, at + "[]")
        if bool(want) != bool(got):
            yield f"{at}: {len(got)} elements instead of {len(want)}"
    elif kind(want) != kind(got) and not {kind(want), kind(got)} == {"NoneType", "str"}:
        yield f"{at}: {kind(got)} instead of {kind(want)}"


def style(text):
    """Python's separators and indentation: json.dumps gives the text again."""
    value = json.loads(text)
    for name, args in {
        "indented": {"indent": 2},
        "compact": {"separators": (",", ":"), "ensure_ascii": False},
    }.items():
        if json.dumps(value, **args) == text:
            return name
    return "other"


def compare_json(want, got):
    if style(want) != style(got):
        yield f"style {style(got)} instead of {style(want)}"
    yield from shape(json.loads(want), json.loads(got))


def compare(name, want, got):
    (wline, wh), (gline, gh) = headers(want[0]), headers(got[0])
    # the words after the status are the HTTP library's
    if wline.split()[1] != gline.split()[1]:
        yield f"{gline!r} instead of {wline!r}"
        return
    for k in wh:
        if wh[k] != gh[k]:
            yield f"{k}: {gh[k]!r} instead of {wh[k]!r}"
    wbody, gbody = want[1].decode(), got[1].decode()
    if name in TEXTS:
        yield from TEXTS[name](wbody, gbody)
        return
    try:
        json.loads(wbody)
    except ValueError:
        if NUMBER.sub("0", wbody) != NUMBER.sub("0", gbody):
            yield f"body {gbody[:120]!r} instead of {wbody[:120]!r}"
        return
    yield from compare_json(wbody, gbody)


def metrics(want, got):
    """Every family of the recording, in its order, with HELP and TYPE; the
    labels of the lmcache: samples."""
    heads = [l for l in want.split("\n") if l.startswith("#") and "_created " not in l]
    mine = [l for l in got.split("\n") if l.startswith("#") and "_created " not in l]
    for a, b in zip(heads, mine):
        if a != b:
            yield f"{b!r} instead of {a!r}"
            return
    if len(heads) != len(mine):
        yield f"{len(mine)} comment lines instead of {len(heads)}"
    names = set(re.findall(r"^(lmcache:\w+)\{", want, re.M))
    missing = names - set(re.findall(r"^(lmcache:\w+)\{", got, re.M))
    if missing:
        yield f"no sample of {sorted(missing)}"
    for label in ("model_name", "role", "served_model_name", "worker_id"):
        if not re.search(r'^lmcache:num_lookup_tokens_total\{[^}]*' + label + '="', got, re.M):
            yield f"no label {label}"


def threads(want, got):
    pattern = re.compile(
        r"(Thread: <\w+\([^\n]*, started (daemon )?\d+\)>\nStack trace:\n"
        r"(  File \"[^\"\n]+\", line \d+, in \S+\n    [^\n]+\n)+\n\n)*"
        r"(?:(?<=\n\n)|\A\n\n)=== Thread Summary ===\nTotal threads: \d+\n")
    for text in (want, got):
        if not pattern.fullmatch(text):
            yield "not the text form of /threads"


def loglevels(want, got):
    pattern = re.compile(r"=== Loggers and Levels ===\n([^\n]+: (NOTSET|DEBUG|INFO|WARNING|ERROR|CRITICAL|Level \d+)\n)*")
    for text in (want, got):
        if not pattern.fullmatch(text):
            yield "not the text form of /loglevel"


def script(want, got):
    if not (want == got or got.startswith("simulated node: the script was not executed")):
        yield f"{got!r}"


def environment(want, got):
    """Names and values are made up on both sides."""
    value = json.loads(got)
    if style(want) != style(got) or list(value) != sorted(value):
        yield "not the style of /env"
    if not all(isinstance(v, str) for v in value.values()) or "HF_TOKEN" not in value:
        yield "not the content of /env"


TEXTS = {
    "080_env_scheduler": environment, "081_env_worker": environment,
    "090_run_script_no_result": script,
    "001_metrics_scheduler": metrics, "002_metrics_worker0": metrics,
    "003_metrics_worker1": metrics, "004_metrics_accept_openmetrics": metrics,
    "005_metrics_name_filter_ignored": metrics, "006_metrics_gzip_ignored": metrics,
    "007_threads_all_scheduler": threads, "008_threads_all_worker": threads,
    "009_threads_name": threads, "010_threads_name_none": threads,
    "012_threads_id_zero": threads, "016_threads_both": threads,
    "017_loglevel_all": loglevels, "030_loglevel_empty_params": loglevels,
    "089_run_script_good": script, "096_run_script_import_dotted": script,
    "103_run_script_crlf": script, "107_run_script_slow": script,
}


def main():
    directory, *nodes = sys.argv[1:]
    sockets = dict(zip(("scheduler", "worker0", "worker1"), nodes))
    bad = 0
    with open(f"{directory}/index.json") as f:
        rows = json.load(f)
    for row in rows:
        name = row["name"]
        with open(f"{directory}/{name}.http", "rb") as f:
            head, _, body = f.read().partition(b"\r\n\r\n")
        with open(f"{directory}/{name}.req", "rb") as f:
            got = ask(sockets[row["node"]], f.read())
        try:
            problems = list(compare(name, (head, body), got))
        except ValueError as e:
            problems = [f"{e}: {got[1][:120]!r}"]
        for problem in problems:
            bad += 1
            print(f"{name}: {problem}")
    print(f"{len(rows)} recordings compared, {bad} differences")
    sys.exit(1 if bad else 0)


main()
