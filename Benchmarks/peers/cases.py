"""What is compared: networks with their batch, and the layers that the CLAT paper trains."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    model: str
    batch: int
    critical: tuple  # numbers from 0 over the main path's convolutions


CASES = {
    "resnet18": Case("resnet18", 128, (11,)),
    "resnet18-16": Case("resnet18:width=16", 128, (11,)),
    "wrn-34-10": Case("wrn-34-10", 16, (26, 1)),
    "vgg19": Case("vgg19", 128, (9,)),
    "resnet50": Case("resnet50", 64, (34, 41, 48)),
    "densenet121": Case("densenet121", 32, (39, 14, 1, 3, 88)),
}
