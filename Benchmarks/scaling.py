"""How time grows with the batch and with the attack's steps: `python scaling.py [options]`.

Runs `clat benchmark` and writes OUT-batch.svg, OUT-steps.svg and OUT.json: seconds an image for
batches (flat where cost is linear), and seconds of a batch by attack steps, with the straight line
through the measured points (least squares) and the largest deviation from it.
"""

import argparse
import json
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


def benchmark(options, batch, steps):
    """Median seconds of PGD by engine."""
    answer = subprocess.run(
        [CLAT, "benchmark", "--model", options.model, "--batch", str(batch), "--work", "pgd",
         "--steps", str(steps), "--runs", str(options.runs), "--json"],
        check=True, capture_output=True, text=True).stdout
    return {row["engine"]: row["median_seconds"] for row in json.loads(answer)}


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
    by_batch = {batch: benchmark(options, batch, 10) for batch in options.batches}
    by_steps = {steps: benchmark(options, options.batch, steps) for steps in options.steps}
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
