"""Largest difference of two golden folders, per tensor group: `python compare.py DIR OTHER`.

Prints max|a - b| / max|a|; for adversarial images the share of elements that differ by over 1e-6.
"""

import sys
from pathlib import Path

from safetensors.torch import load_file


def difference(name, a, b):
    if ".adversarial." in name:
        return ((a - b).abs() > 1e-6).double().mean().item()
    a, b = a.double(), b.double()
    return ((a - b).abs().max() / a.abs().max().clamp(min=1e-30)).item()


def main(first, second):
    for path in sorted(Path(first).glob("*.safetensors")):
        a, b = load_file(path), load_file(Path(second) / path.name)
        print(path.name)
        for name in a:
            if name not in b:
                print(f"  {name:60s} absent")
            elif difference(name, a[name], b[name]) > 0:
                print(f"  {name:60s} {difference(name, a[name], b[name]):.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
