"""The work that is compared, and how a worker process answers for it."""

import json
import os
import resource
import sys
import time

EPSILON, STEP, LAMBDA = 8 / 255, 2 / 255, 1.0
RATE, MOMENTUM, DECAY = 0.01, 0.9, 5e-4
WORKS = ("forward", "train", "pgd", "pgd-at", "clat", "criticality")


def parse_model(text):
    """`resnet18:width=16` and `wrn-34-10` as (name, parameters)."""
    name, _, rest = text.partition(":")
    parameters = {k: int(v) for k, v in (p.split("=") for p in rest.split(",") if p)}
    if name.startswith("wrn-"):
        _, depth, width = name.split("-")
        return "wrn", {"depth": int(depth), "width": int(width)}
    return name, parameters


def answers():
    """Standard output for answers alone; whatever a library prints goes to standard error."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return channel


def serve(works):
    """Runs a work for every line `{"run": NAME}` and answers with its seconds and peak memory."""
    channel = answers()
    for line in sys.stdin:
        run = works[json.loads(line)["run"]]
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"seconds": seconds, "peak_bytes": peak}), file=channel, flush=True)
