# table.py - what was measured, for people: ratios first
# SPDX-License-Identifier: Apache-2.0

import statistics

BASES = ("relay", "nginx", "haproxy")
RATIOS = (("cpu_us", "cpu"), ("rate", "rate"), ("p99_us", "p99"))
SHOWN = (("cpu_us", "cpu us", "{:.2f}"), ("rate", "req/s", "{:.0f}"),
         ("mib_s", "MiB/s", "{:.0f}"), ("p50_us", "p50 us", "{:.0f}"),
         ("p99_us", "p99 us", "{:.0f}"), ("p999_us", "p99.9 us", "{:.0f}"),
         ("others", "others", "{:.0%}"), ("errors", "wrong", "{:.0f}"))
KEPT = (("idle_rss", "idle RSS KiB", 1024), ("idle_anon", "anon", 1024),
        ("loaded_rss", "1M req RSS KiB", 1024), ("loaded_anon", "anon", 1024),
        ("per_idle", "B/idle conn", 1), ("start_ms", "start ms", 1),
        ("binary", "binary KiB", 1024))


OWN_GOALS = (("idle_rss", "resident, idle, MiB", 1 << 20, 2),
             ("loaded_rss", "resident, after the requests, MiB", 1 << 20, 4),
             ("per_idle", "memory per idle connection, KiB", 1024, 0.5),
             ("start_ms", "start to first answer, ms", 1, 5),
             ("binary", "binary, MiB", 1 << 20, 1))


def ratio(rounds, name, base, key):
    """Median of the ratios of neighbouring slices."""
    pairs = [(a[key], b[key]) for a, b in zip(rounds[name], rounds[base])]
    return statistics.median(a / b for a, b in pairs if b)


def middle(rounds, name, key):
    return statistics.median(r[key] for r in rounds[name])


def ratio_columns(names):
    return [(key, base, f"{word}/{base}") for key, word in RATIOS
            for base in BASES if base in names
            if (word, base) not in (("rate", "relay"), ("p99", "relay"),
                                    ("p99", "haproxy"))]


def case_rows(result):
    names = result["proxies"]
    columns = ratio_columns(names)
    yield ["case", "proxy", *[c[2] for c in columns], *[s[1] for s in SHOWN]]
    for case, rounds in result["cases"].items():
        for name in names:
            if name not in rounds:
                continue
            row = [case, name]
            for key, base, _ in columns:
                row.append(f"{ratio(rounds, name, base, key):.2f}"
                           if base in rounds else "-")
            for key, _, form in SHOWN:
                row.append(form.format(middle(rounds, name, key)))
            yield row


def process_rows(result):
    yield ["process", "proxy", *[k[1] for k in KEPT]]
    for name, got in result["process"].items():
        yield ["", name, *[f"{got[key] / unit:.{digits(unit)}f}"
                           if got.get(key) is not None else "-"
                           for key, _, unit in KEPT]]


def digits(unit):
    return 0 if unit > 1 else 1


def goals(result):
    """What design.md asks of lmc: (words, figure, limit, at most or least)"""
    for case, rounds in result["cases"].items():
        if "lmc" not in rounds:
            continue
        asks = []
        if "MiB" in case and "haproxy" in rounds:
            asks = [("mib_s", "haproxy", 1.0, ">="),
                    ("cpu_us", "haproxy", 1.0, "<=")]
        elif "MiB" not in case and "nginx" in rounds:
            asks = [("rate", "nginx", 1.0, ">="),
                    ("p99_us", "nginx", 1.0, "<=")]
            if " 32 conn" in case:
                asks += [("cpu_us", "nginx", 0.9, "<="),
                         ("cpu_us", "relay", 1.25, "<=")]
        for key, base, limit, how in asks:
            if base in rounds:
                yield (f"{case}: {key} / {base}",
                       ratio(rounds, "lmc", base, key), limit, how)
    got = result["process"].get("lmc", {})
    for key, words, unit, limit in OWN_GOALS:
        if got.get(key) is not None:
            yield words, got[key] / unit, limit, "<="


def goal_rows(result):
    rows = [["goal", "lmc", "limit", "reached"]]
    for words, figure, limit, how in goals(result):
        met = figure <= limit if how == "<=" else figure >= limit
        rows.append([words, f"{figure:.2f}", f"{how} {limit:g}",
                     "yes" if met else "NO"])
    return rows if len(rows) > 1 else []


def aligned(rows):
    """Text columns to the left, figures to the right."""
    rows = list(rows)
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    last = None
    for row in rows:
        if last and row[0] != last and last != rows[0][0]:
            yield ""
        cells = [c.ljust(w) if i < 2 else c.rjust(w)
                 for i, (c, w) in enumerate(zip(row, widths))]
        if row[0] == last:
            cells[0] = " " * widths[0]
        last = row[0]
        yield "  ".join(cells).rstrip()


def text(result):
    parts = [f"{k}: {v}" for k, v in result["about"].items()]
    parts += [f"skipped: {name}: {why}"
              for name, why in result["skipped"].items()]
    if result["cases"]:
        parts += ["", *aligned(case_rows(result))]
    if result["process"]:
        parts += ["", *aligned(process_rows(result))]
    if goal_rows(result):
        parts += [""] + ["  ".join(c.ljust(w) for c, w in
                                   zip(r, (44, 6, 7, 7))).rstrip()
                         for r in goal_rows(result)]
    return "\n".join(parts)
