"""Clean and PGD-10 accuracy of the published ResNet-20 weights, in float32 on one thread."""

import argparse
import time

import torch
import torch.nn.functional as F

import attacks
import derive
import generate


def correct(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(1) == y).sum().item()


def attack(model, x, y, seed):
    start = derive.start(seed, x, attacks.EPSILON)
    objective = lambda p: F.cross_entropy(model(p), y, reduction="sum")
    return attacks.sign_ascent(objective, x, start)[0][-1]


def accuracy(model, x, y, batch, attacked):
    began, hits = time.perf_counter(), 0
    for i in range(0, len(x), batch):
        images, labels = x[i:i + batch], y[i:i + batch]
        hits += correct(model, attack(model, images, labels, 1) if attacked else images, labels)
    return hits, time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cifar", required=True, help="CIFAR-10 test_batch.bin")
    parser.add_argument("--weights", required=True, help="resnet20-cifar10.safetensors")
    parser.add_argument("--count", type=int, default=10000, help="images for clean accuracy")
    parser.add_argument("--attacked", type=int, default=1000, help="images for PGD-10")
    options = parser.parse_args()
    torch.set_num_threads(1)
    generate.DTYPE = torch.float32
    model = generate.published(options.weights).requires_grad_(False)
    for name, count, attacked in (("clean", options.count, False),
                                  ("pgd-10", options.attacked, True)):
        x, y = generate.read_cifar(options.cifar, count)
        hits, seconds = accuracy(model, x, y, 100, attacked)
        print(f"{name}: {hits} of {count} correct, {seconds:.1f} s")


if __name__ == "__main__":
    main()
