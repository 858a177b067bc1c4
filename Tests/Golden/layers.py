"""Writes layers.safetensors: the logits of small networks that have one kind of layer each.

Networks, weights and images are derived as README.md says; `python layers.py [--out DIR]`.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

import derive
from generate import write

SEED, BATCH, SIZE, CLASSES = 3, 2, 12, 5


class SqueezeExcitation(nn.Module):
    """With the names of torchvision.ops.SqueezeExcitation."""

    def __init__(self, channels, squeezed, activation=nn.ReLU, gate=nn.Sigmoid):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.activation, self.gate = activation(), gate()

    def forward(self, x):
        mean = F.adaptive_avg_pool2d(x, 1)
        return x * self.gate(self.fc2(self.activation(self.fc1(mean))))


class Gated(nn.Module):
    """The second half of a block of poloclub/robust-principles, and its padding."""

    def __init__(self):
        super().__init__()
        self.conv_0 = nn.Conv2d(3, 16, 3, stride=2, bias=False)
        self.batchnorm_1 = nn.BatchNorm2d(16)
        self.conv_1 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.se = SqueezeExcitation(16, 4, nn.SiLU)
        self.logits = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.conv_0(F.pad(x, (0, 1, 0, 1)))
        x = x + self.se(self.conv_1(F.silu(self.batchnorm_1(x))))
        return self.logits(x.mean((2, 3)))


def separable():
    """Convolutions in groups, one of them depthwise, and the activations of MobileNets."""
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.Hardswish(),
        nn.Conv2d(12, 12, 3, stride=2, padding=1, groups=12, bias=False), nn.BatchNorm2d(12),
        nn.ReLU6(), nn.Conv2d(12, 18, 3, padding=1, groups=3), nn.Hardsigmoid(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(18 * 4, CLASSES))


def pooled():
    """Pools with padding and incomplete windows, and features that are flattened in order."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Hardtanh(-0.5, 0.25),
        nn.MaxPool2d(3, stride=2, padding=1), nn.Conv2d(8, 8, 3, padding=1),
        nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), nn.AvgPool2d(3, stride=1, padding=1),
        nn.MaxPool2d(2, stride=2, ceil_mode=True), nn.Flatten(),
        nn.Linear(8 * 4, CLASSES, bias=False))


LAYERS = {
    "squeeze_excite": Gated,
    "separable": separable,
    "pooled": pooled,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images, _ = derive.batch(SEED, BATCH, SIZE)
    tensors, names = {}, {}
    for name, make in LAYERS.items():
        model = derive.load(make(), SEED).double().eval()
        with torch.no_grad():
            tensors[name] = model(images.double())
        names[f"{name}.parameters"] = json.dumps([n for n, _ in model.named_parameters()])
    write(options.out / "layers.safetensors", tensors, seed=str(SEED), batch=str(BATCH),
          size=str(SIZE), **names)


if __name__ == "__main__":
    main()
