"""How time grows with the batch and with the attack's steps: `python scaling.py [options]`.

Runs `clat benchmark --serve` in turns and writes OUT-batch.svg, OUT-steps.svg and OUT.json: seconds an image for
batches (flat where cost is linear), and seconds of a batch by attack steps, with the straight line
through the measured points (least squares) and the largest deviation from it.
"""

import argparse
import json
import statistics
import subprocess
from pathlib import Path

from plot import curves

CLAT = Path(__file__).resolve().parents[1] / "clat"
ENGINES = ("compiled", "eager")


def numbers(text):
    return [int(part) for part in text.split(",")]


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet18:width=16")
    parser.add_argument("--batches", type=numbers, default=[64, 128, 256, 512])
    parser.add_argument("--steps", type=numbers, default=[1, 2, 5, 10, 20])
    parser.add_argument("--batch", type=int, default=128, help="of the runs with several steps")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", default="scaling")
    return parser.parse_args()


class Setting:
    """A process that runs PGD of one batch and number of steps whenever it is asked."""

    def __init__(self, options, engine, batch, steps):
        self.seconds = []
        self.process = subprocess.Popen(
            [CLAT, "benchmark", "--serve", "--engine", engine, "--model", options.model, "--batch",
             str(batch), "--work", "pgd", "--steps", str(steps)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self):
        try:
            print(json.dumps({"run": "pgd"}), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise SystemExit(f"clat ended with status {self.process.wait()}, see above")
        return json.loads(answer)["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def benchmark(options, settings):
    """Median seconds by engine for every (batch, steps). The settings of an engine take turns, so that
    a disturbance of the machine meets all; the first run of each is not counted."""
    medians = []
    for engine in ENGINES:
        workers = [Setting(options, engine, *setting) for setting in settings]
        for _ in range(options.runs + 1):
            for worker in workers:
                worker.seconds.append(worker.run())
        for worker in workers:
            worker.close()
        medians.append([statistics.median(worker.seconds[1:]) for worker in workers])
    return [dict(zip(ENGINES, seconds)) for seconds in zip(*medians)]


def straight(points):
    """Least squares: intercept, slope, and the largest relative deviation."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    slope = (sum((x - mean_x) * (y - mean_y) for x, y in points)
             / sum((x - mean_x) ** 2 for x, _ in points))
    intercept = mean_y - slope * mean_x
    return intercept, slope, max(abs(y / (intercept + slope * x) - 1) for x, y in points)


def main():
    options = arguments()
    by_batch = dict(zip(options.batches, benchmark(options, [(b, 10) for b in options.batches])))
    by_steps = dict(zip(options.steps, benchmark(options, [(options.batch, s) for s in options.steps])))
    images = {e: [(b, t[e] / b * 1e3) for b, t in by_batch.items()] for e in ENGINES}
    attacks = {e: [(s, t[e]) for s, t in by_steps.items()] for e in ENGINES}
    Path(f"{options.out}-batch.svg").write_text(curves(
        f"PGD-10 of {options.model}", "batch", "milliseconds an image", images))
    Path(f"{options.out}-steps.svg").write_text(curves(
        f"PGD of {options.model}, batch {options.batch}", "attack steps", "seconds a batch",
        attacks))
    result = {"model": options.model, "seconds_by_batch": by_batch, "seconds_by_steps": by_steps}
    for engine in ENGINES:
        intercept, slope, deviation = straight(attacks[engine])
        result[engine] = {"seconds_before": intercept, "seconds_a_step": slope,
                          "largest_deviation": deviation}
        per_image = ", ".join(f"{batch}: {ms:.3f}" for batch, ms in images[engine])
        print(f"{engine}: ms an image by batch {per_image}; {slope * 1e3:.2f} ms a step, "
              f"{intercept * 1e3:.2f} ms before, at most {100 * deviation:.1f} % off the line")
    Path(f"{options.out}.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
