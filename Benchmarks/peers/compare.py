"""Compares clat with PyTorch and JAX in one run: `python compare.py CASE... [options]`.

Every engine is a process of its own; they take turns, repetition by repetition, so that a
disturbance of the machine meets all of them. README.md of the folder above has examples.
"""

import argparse
import contextlib
import fcntl
import json
import os
import statistics
import sys
import time
from pathlib import Path

from cases import CASES
from engines import ENGINES, OURS, Worker, serves
from protocol import WORKS
import report

# Idle workers' threads spin for a moment before they sleep.
PAUSE = 0.3


def chosen(known):
    def parse(text):
        wrong = [name for name in text.split(",") if name not in known]
        if wrong:
            raise argparse.ArgumentTypeError(f"'{wrong[0]}': expected {', '.join(known)}")
        return text.split(",")
    return parse


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", choices=CASES, metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--work", type=chosen(WORKS), default=list(WORKS), help=", ".join(WORKS))
    parser.add_argument("--engines", type=chosen(ENGINES), default=list(ENGINES),
                        help=", ".join(ENGINES))
    parser.add_argument("--runs", type=int, default=5, help="repetitions after the first")
    parser.add_argument("--steps", type=int, default=10, help="steps of every attack")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--torch-python", default=sys.executable, help="a Python with torch")
    parser.add_argument("--jax-python", default=sys.executable, help="a Python with jax")
    parser.add_argument("--lock", action="append", default=[], metavar="FILE",
                        help="held during every round, where others use the machine")
    parser.add_argument("--out", type=Path, help="writes OUT.json, OUT.txt and OUT.svg")
    return parser.parse_args()


@contextlib.contextmanager
def alone(paths):
    """Holds all locks, in order."""
    with contextlib.ExitStack() as stack:
        for path in paths:
            fcntl.flock(stack.enter_context(open(path, "w")), fcntl.LOCK_EX)
        yield


def measure(name, work, options):
    """One row of results for every engine that serves the work."""
    case = CASES[name]
    workers = [Worker(e, case, work, options) for e in options.engines if serves(e, work)]
    rows = [{"case": name, "model": case.model, "batch": case.batch, "work": work,
             "critical": case.critical, "steps": options.steps, "threads": options.threads,
             "engine": worker.engine, "seconds": [], "foreign": []} for worker in workers]
    limits = []
    for repetition in range(options.runs + 1):
        with alone(options.lock):
            for worker, row in zip(workers, rows):
                run_once(worker, row, work, limits, is_first=repetition == 0)
    for worker in workers:
        worker.close()
    return summarised(rows, max(limits, default=None))


def run_once(worker, row, work, limits, is_first):
    time.sleep(PAUSE)
    answer = worker.run(work)
    if worker.engine in OURS:
        limits.append(worker.run("limits")["flops_per_second"])
    row["peak_bytes"] = answer["peak_bytes"]
    row["flops"] = answer.get("flops")
    if is_first:
        row["first_seconds"] = answer["seconds"]
    else:
        row["seconds"].append(answer["seconds"])
        row["foreign"].append(answer["foreign"])


def summarised(rows, limit):
    """Medians, and what clat's program says about the work: its operations, the machine's limit."""
    flops = next((row["flops"] for row in rows if row["flops"]), None)
    for row in rows:
        row["flops"], row["limit_flops_per_second"] = flops, limit
        row["median_seconds"] = statistics.median(row["seconds"])
        row["best_seconds"] = min(row["seconds"])
        row["foreign_share"] = statistics.median(row["foreign"])
        row["compile_seconds"] = max(0, row["first_seconds"] - row["median_seconds"])
    return rows


def main():
    options = arguments()
    rows = []
    for name in options.cases:
        for work in options.work:
            rows += measure(name, work, options)
            print(report.table(rows[-len(options.engines):], name, work), flush=True)
            if options.out:
                options.out.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
                options.out.with_suffix(".txt").write_text(report.tables(rows))
                options.out.with_suffix(".svg").write_text(report.plot(rows))


if __name__ == "__main__":
    main()
