"""Finds for each golden the first seed whose tensors survive rounding: `python seeds.py [NAME...]`,
where NAME is `network-resnet18-8`; all of them unless given.

A ReLU input or an input gradient that happens to lie within rounding error of zero makes a golden
useless: two correct programs then differ by percents. A seed is taken when neither a float32 run
nor TRIALS runs with relative noise NOISE on every weight change any tensor by more than LIMIT of
its largest magnitude, or move an element of an adversarial image to another sign step.
"""

import sys

import torch

import generate
from compare import difference

NOISE, LIMIT, TRIALS, SEEDS = 1e-6, 6.001e-5, 6, 2000


def digest_difference(exact, other, name):
    """Of norms or projections, relative to the norms and a hundredth of the largest."""
    norms = exact[name.rsplit(".", 1)[0] + ".l2"].detach().double()
    scale = norms + 0.01 * norms.max()
    return ((exact[name] - other[name]).detach().double().abs() / scale).max().item()


def change(exact, other):
    if other.keys() != exact.keys():
        return float("inf")
    return max(digest_difference(exact, other, n) if n.endswith((".l2", ".projection"))
               else difference(n, v.detach(), other[n].detach()) for n, v in exact.items()
               if "tiny_fraction" not in n)


def runs(golden, case):
    generate.DTYPE = torch.float32
    yield golden(case)[0]
    generate.DTYPE = torch.float64
    for _ in range(TRIALS):
        yield golden(case, NOISE)[0]


def worst(golden, case):
    torch.manual_seed(0)
    generate.DTYPE = torch.float64
    exact, largest = golden(case)[0], 0.0
    for other in runs(golden, case):
        largest = max(largest, change(exact, other))
        if largest > LIMIT:
            break
    return largest


def main():
    torch.set_num_threads(1)
    for kind, golden, cases in (("network", generate.network_golden, generate.NETWORK_CASES),
                                ("attack", generate.attack_golden, generate.ATTACK_CASES)):
        for name, case in cases.items():
            if len(sys.argv) > 1 and f"{kind}-{name}" not in sys.argv[1:]:
                continue
            for seed in range(1, SEEDS + 1):
                found = worst(golden, case._replace(seed=seed))
                if found <= LIMIT:
                    print(f"{kind}-{name}: seed {seed}, largest change {found:.1e}", flush=True)
                    break
            else:
                print(f"{kind}-{name}: none of {SEEDS} seeds", flush=True)


if __name__ == "__main__":
    main()
