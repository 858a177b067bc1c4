"""Tests of ratios, thresholds and plots, without any engine: `python test_report.py`."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from xml.dom import minidom

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "peers"))
import compare  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
from engines import ENGINES, serves  # noqa: E402
from protocol import parse_model  # noqa: E402


def result(seconds):
    """Rows of one case and work from seconds by engine."""
    rows = [{"case": "resnet18-16", "model": "resnet18:width=16", "batch": 128, "work": "pgd",
             "critical": [11], "steps": 10, "threads": 2, "engine": engine, "seconds": values,
             "foreign": [0.02], "first_seconds": 9.0, "peak_bytes": 1e8,
             "flops": 180e9 if engine == "clat" else None} for engine, values in seconds.items()]
    return compare.summarised(rows, 500e9)


SECONDS = {"clat": [1.0, 3.0, 1.2], "clat-eager": [2.0, 2.0, 2.4],
           "torch-eager-cl": [1.5, 1.8, 4.0], "jax": [9.0, 9.0, 1.4]}


class Reports(unittest.TestCase):
    def test_ratios_to_the_best_peer_and_to_eager(self):
        found = report.ratios(result(SECONDS))
        self.assertAlmostEqual(found["peer_median"], 1.8 / 1.2)
        self.assertAlmostEqual(found["peer_best"], 1.4)
        self.assertAlmostEqual(found["eager_median"], 2.0 / 1.2)

    def test_tables_show_rates_against_the_limit(self):
        row = next(l for l in report.tables(result(SECONDS)).splitlines() if l.startswith("clat "))
        self.assertEqual(
            row.split()[1:], ["1200.0", "1000.0", "106.7", "150", "30", "100", "7.8", "2"])

    def test_plots_are_xml(self):
        bars = minidom.parseString(report.plot(result(SECONDS)))
        self.assertEqual(len(bars.getElementsByTagName("rect")), 1 + len(SECONDS))
        lines = minidom.parseString(plot.curves("a < b", "x", "y", {"c": [(1, 2), (2, 3)]}))
        self.assertEqual(len(lines.getElementsByTagName("polyline")), 1)

    def test_check_fails_below_a_threshold(self):
        least = json.loads((HERE / "thresholds.json").read_text())["resnet18-16"]["pgd"]["peer"]
        for ratio, code in ((least * 1.01, 0), (least * 0.99, 1)):
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(result({"clat": [1.0], "jax": [ratio]}), file)
                file.flush()
                done = subprocess.run([HERE / "check", file.name], capture_output=True, text=True)
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)

    def test_models_and_variants(self):
        self.assertEqual(parse_model("wrn-34-10"), ("wrn", {"depth": 34, "width": 10}))
        self.assertEqual(parse_model("resnet18:width=16"), ("resnet18", {"width": 16}))
        only_clat = {e for e in ENGINES if serves(e, "clat") and not serves(e, "train")}
        self.assertEqual(len(only_clat), 4)


if __name__ == "__main__":
    ran = unittest.main(exit=False).result
    bad = len(ran.failures) + len(ran.errors)
    print(f"benchmarks: {ran.testsRun - bad} passed, {bad} failed")
    sys.exit(bad > 0)
