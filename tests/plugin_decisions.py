#!/usr/bin/env python3
# plugin_decisions.py - lmc's decisions beside the recorded ones, row by row
# SPDX-License-Identifier: Apache-2.0
"""plugin_decisions.py LMC FIXTURES DIR: builds the recorded tree in DIR/tree,
asks `LMC plugin-run --list -o json` for every launcher, role and id, and
compares decision, reason, argv and environment with what the real launchers
did. Prints each difference and the count; exit 1 if one differs."""
import base64
import json
import os
import subprocess
import sys

lmc, fixtures, top = sys.argv[1:]
tree = os.path.join(top, "tree")
with_python = os.path.join(top, "withpython")
recorded_python = "/opt/venv/lib/python/run/withpython/"


def build():
    os.makedirs(tree)
    os.makedirs(with_python)
    os.symlink("/usr/bin/python3", os.path.join(with_python, "python"))
    entries = json.load(open(os.path.join(fixtures, "plugin_tree.json")))
    modes = []
    for e in entries:
        path = os.path.join(os.fsencode(tree), os.fsencode(e["name"]))
        if e["kind"] == "dir":
            os.makedirs(path, exist_ok=True)
        elif e["kind"] == "link":
            os.symlink(e["target"], path)
            continue
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(base64.b64decode(e["content_base64"]))
        modes.append((path, int(e["mode"], 8)))
    for path, mode in reversed(modes):
        os.chmod(path, mode)


def ask(launcher, role, worker_id, count, location, path):
    env = {**{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")},
           "PATH": path, "LC_ALL": "C.UTF-8"}
    cmd = [lmc, "plugin-run", "--list", "-o", "json", "--strict-upstream", launcher,
           "--worker-id", str(worker_id), "--worker-count", str(count),
           "--config", os.path.join(top, "conf.json")]
    if role != "NONE":
        cmd += ["--role", role.lower()]
    out = subprocess.run(cmd + [location], env=env, cwd=tree, capture_output=True, timeout=60)
    if out.returncode or out.stderr:
        sys.exit("%s: %d %s" % (cmd, out.returncode, out.stderr))
    return {r["file"]: r for r in json.loads(out.stdout)}


def placed(arg):
    """A recorded argument as it must be here."""
    if arg.startswith("DIR/"):
        return os.path.join(tree, arg[4:])
    if arg.startswith(recorded_python):
        return os.path.join(with_python, arg[len(recorded_python):])
    return arg


def differences(row, got, sample):
    if got is None:
        yield "no such row", None, None
        return
    for key, want in (("runs", row["ran"]), ("decision", row["decision"]),
                      ("reason", row["reason"]),
                      ("argv", row.get("argv") and [placed(a) for a in row["argv"]])):
        if got.get(key) != want:
            yield key, want, got.get(key)
    seen = row.get("seen")
    if not seen:
        return
    for name, want in seen["env"].items():
        if name.startswith("LMCACHE") or name == "PYTHONUNBUFFERED":
            have = got["env"].get(name, "<unset>")
            if have != want:
                yield name, want, have
        else:
            lengths = want.split("/")
            for family, length in zip(("RUNTIME_", ""), lengths):
                have = got["env"].get("LMCACHE_%sPLUGIN_CONFIG" % family, "")
                if have != (sample if length != "0" else ""):
                    yield name + family, want, len(have)


def main():
    if os.path.exists("/usr/bin/python"):
        print("skipped: the recording machine had no /usr/bin/python")
        sys.exit(77)
    build()
    recorded = json.load(open(os.path.join(fixtures, "plugin_decisions.json")))
    sample = recorded["config_env_sample"]
    with open(os.path.join(top, "conf.json"), "w") as f:
        f.write(sample)
    asked, equal, bad = {}, {}, 0
    for row in recorded["rows"]:
        is_file = row["location"] == "file"
        location = os.path.join(tree, row["file"]) if is_file else tree
        path = "/usr/bin:/bin"
        if row.get("path_has_python"):
            path = with_python + ":" + path
        key = (row["launcher"], row["role"], row["worker_id"], row["worker_count"], location, path)
        if key not in asked:
            asked[key] = ask(*key)
        wrong = list(differences(row, asked[key].get(row["file"]), sample))
        for what, want, have in wrong:
            print("%s %s %r: %s should be %r, is %r" %
                  (row["launcher"], row["role"], row["file"], what, want, have))
        bad += bool(wrong)
        equal[row["launcher"]] = equal.get(row["launcher"], 0) + (not wrong)
    for key, rows in asked.items():
        if key[4] == tree and len(rows) != 128:
            print("%s: %d rows instead of 128" % (key[:4], len(rows)))
            bad += 1
    for launcher, n in equal.items():
        print("%s: %d rows equal" % (launcher, n))
    print("%d of %d rows equal" % (sum(equal.values()), len(recorded["rows"])))
    sys.exit(1 if bad else 0)


main()
