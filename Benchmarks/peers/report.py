"""Tables, ratios and the plot of a comparison's rows."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from plot import bars  # noqa: E402

OURS = ("clat", "clat-eager")


def best_peer(rows, key):
    return min((row[key] for row in rows if row["engine"] not in OURS), default=None)


def ratios(rows):
    """How many times as long as clat the best peer and the eager engine take, by the median and
    by the best repetition; `rows` are those of one case and work."""
    ours = next((row for row in rows if row["engine"] == "clat"), None)
    eager = next((row for row in rows if row["engine"] == "clat-eager"), None)
    result = {}
    for name in ("median", "best"):
        key = f"{name}_seconds"
        if ours and best_peer(rows, key):
            result[f"peer_{name}"] = best_peer(rows, key) / ours[key]
        if ours and eager:
            result[f"eager_{name}"] = eager[key] / ours[key]
    return result


def groups(rows):
    """Rows by case and work."""
    result = {}
    for row in rows:
        result.setdefault((row["case"], row["work"]), []).append(row)
    return result


def gigaflops(row):
    return row["flops"] / row["median_seconds"] / 1e9 if row["flops"] else 0


def table(rows, case, work):
    rows = groups(rows)[case, work]
    first, lines = rows[0], []
    limit = first["limit_flops_per_second"]
    title = f"{first['model']}, batch {first['batch']}, {work}"
    if work not in ("forward", "train"):
        title += f", {first['steps']} steps"
    if work == "clat":
        title += f", layers {', '.join(str(i) for i in first['critical'])}"
    cells = [("engine", "median ms", "best ms", "img/s", "GFLOP/s", "% of limit", "peak MB",
              "compile s", "foreign %")]
    for row in sorted(rows, key=lambda row: row["median_seconds"]):
        cells.append((
            row["engine"], f"{row['median_seconds'] * 1e3:.1f}", f"{row['best_seconds'] * 1e3:.1f}",
            f"{row['batch'] / row['median_seconds']:.1f}", f"{gigaflops(row):.0f}",
            f"{100e9 * gigaflops(row) / limit:.0f}" if limit else "",
            f"{row['peak_bytes'] / 1e6:.0f}", f"{row['compile_seconds']:.1f}",
            f"{100 * row['foreign_share']:.0f}"))
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    for line in cells:
        lines.append("  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths))).rstrip())
    found = ratios(rows)
    if "peer_median" in found:
        lines.append("best peer / clat: {peer_median:.2f} by medians, {peer_best:.2f} by best "
                     "repetitions".format(**found))
    if "eager_median" in found:
        lines.append("clat-eager / clat: {eager_median:.2f} by medians, {eager_best:.2f} by best "
                     "repetitions".format(**found))
    return "\n".join([title, *lines, ""])


def tables(rows):
    return "\n".join(table(rows, case, work) for case, work in groups(rows))


def plot(rows):
    """Bars of operations a second (a direct convolution's), with the machine's limit."""
    limits = [row["limit_flops_per_second"] for row in rows if row["limit_flops_per_second"]]
    panels = [
        (f"{case}, batch {group[0]['batch']}: {work}",
         [(row["engine"], gigaflops(row), f"{row['median_seconds'] * 1e3:.0f} ms")
          for row in sorted(group, key=lambda row: row["median_seconds"])])
        for (case, work), group in groups(rows).items()]
    return bars(
        panels, "GFLOP/s, operations counted as a direct convolution's",
        limit=max(limits) / 1e9 if limits else None, limit_name="measured FMA limit",
        highlight="clat")
