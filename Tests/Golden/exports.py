"""Writes onnx/*.onnx: small networks as PyTorch's two exporters write them, and onnx/logits.safetensors
with what PyTorch computes for them. `python exports.py [--out DIR] [--resnet20 WEIGHTS FILE]`.

Weights and images are derived (derive.py). Names end in the exporter: `legacy` is TorchScript's,
`dynamo` torch.export's, `training` TorchScript's in training mode, which keeps batch norms.
`--resnet20` exports the published ResNet-20 with the normalisation before it, and nothing else.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn as nn
import torch.nn.functional as F
from onnx import numpy_helper
from safetensors.torch import load_file, save_file

import derive
from networks import NETWORKS, DenseNet
from residual import BasicBlock, Bottleneck, ResNet

SIZE, BATCH, SEED = 16, 2, 3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Normalized(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network
        self.mean = torch.tensor(MEAN).view(1, 3, 1, 1)
        self.std = torch.tensor(STD).view(1, 3, 1, 1)

    def forward(self, x):
        return self.network((x - self.mean) / self.std)


def digits():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


class VGGNet(nn.Module):
    """Convolutions with biases, pools, and a head of linear layers with dropout on flat features."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(8, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(
            nn.Linear(48, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 10))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class PreActNet(nn.Module):
    """Wide residual blocks whose shortcut is the first term of the sum; view and softmax."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12)
        self.conv3 = nn.Conv2d(12, 12, 3, padding=1, bias=False)
        self.convShortcut = nn.Conv2d(8, 12, 1, 2, bias=False)
        self.bn3, self.fc = nn.BatchNorm2d(12), nn.Linear(12, 10)

    def forward(self, x):
        a = F.relu(self.bn1(self.conv1(x)))
        x = torch.add(self.convShortcut(a), self.conv3(F.relu(self.bn2(self.conv2(a)))))
        x = F.avg_pool2d(F.relu(self.bn3(x)), 8).view(-1, 12)
        return F.softmax(self.fc(x), 1)


class MobileNet(nn.Module):
    """Inverted residuals with gates and convolutions in groups, padding that differs at the end,
    activations of all kinds."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, 2, bias=False), nn.BatchNorm2d(8),
            nn.ReLU6())
        self.body = nn.Sequential(
            nn.Conv2d(8, 12, 1, bias=False), nn.BatchNorm2d(12), nn.Hardswish(),
            nn.Conv2d(12, 12, 3, padding=1, groups=12), nn.GELU())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(12, 4, 1), nn.SiLU(), nn.Conv2d(4, 12, 1),
            nn.Hardsigmoid())
        self.project = nn.Sequential(
            nn.Conv2d(12, 8, 1, groups=4), nn.LeakyReLU(0.1), nn.Softplus(), nn.GELU(approximate="tanh"))
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 10, bias=False))

    def forward(self, x):
        y = self.body(self.stem(x))
        x = self.stem(x) + torch.tanh(self.project(y * self.gate(y)))
        return self.head(F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1))


class PoolNet(nn.Module):
    """Channels that are normalised one by one, means that leave out padding or the part of a window
    beyond the edge, slopes that are trained."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.PReLU(8), nn.AvgPool2d(3, 2, 1, count_include_pad=False),
            nn.Conv2d(8, 12, 1, dilation=2), nn.PReLU(), nn.AvgPool2d(3, 1, 1),
            nn.AvgPool2d(3, 2, ceil_mode=True))
        self.fc = nn.Linear(12 * 4 * 4, 10)

    def forward(self, x):
        x = torch.cat([torch.unsqueeze(x[:, c], 1) * (2 - 0.1 * c) - 0.5 for c in range(3)], 1)
        return self.fc(torch.flatten(self.features(x), 1))


CASES = {
    "resnet-a": lambda: ResNet([1, 1], 4, "A", block=BasicBlock),
    "resnet-b": lambda: Normalized(ResNet([1, 2], 4, "B", block=BasicBlock)),
    "bottleneck": lambda: ResNet([1, 1], 2, "B", block=Bottleneck),
    "densenet": lambda: DenseNet([2, 1], 4),
    "vgg": VGGNet, "preact": PreActNet, "mobile": MobileNet, "pool": PoolNet,
}


def export(model, images, path, kind):
    options = {"input_names": ["images"], "output_names": ["logits"]}
    if kind == "dynamo":
        torch.onnx.export(
            model, (images,), path, dynamo=True, external_data=False, verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},), **options)
    else:
        training = torch.onnx.TrainingMode
        torch.onnx.export(
            model, (images,), path, dynamo=False, dynamic_axes={"images": {0: "batch"}},
            opset_version=13 if kind == "training" else 17,
            do_constant_folding=kind != "training",
            training=training.TRAINING if kind == "training" else training.EVAL, **options)
    strip(path)


def strip(path):
    """Leaves out what an exporter notes about the machine and the source."""
    model = onnx.load(path)
    graph = model.graph
    for item in [model, graph, *graph.node, *graph.value_info, *graph.initializer, *graph.input,
                 *graph.output]:
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    graph.ClearField("value_info")
    onnx.save(model, path)


def half_precision(source, path):
    """The same weights as float16, in typed fields instead of raw bytes where float32 stays."""
    model = onnx.load(source)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32:
            continue
        if values.ndim > 1:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
        else:
            tensor.ClearField("raw_data")
            tensor.float_data.extend(values.tolist())
    onnx.save(model, path)


def small_networks(folder):
    images, _ = derive.batch(SEED, BATCH, SIZE)
    logits = {}
    for name, make in CASES.items():
        model = derive.load(make(), SEED).eval()
        for kind in ["legacy", "dynamo"] + (["training"] if name in ["vgg", "resnet-b"] else []):
            export(model, images, folder / f"{name}-{kind}.onnx", kind)
            model.eval()
            network = model.double()
            output = network(images.double())
            if name == "preact":
                output = output.log() - output.log().mean(1, keepdim=True)
            logits[f"{name}-{kind}"] = output.detach().float().clone()
            model.float()
    # Training needs no logits.
    grey = torch.zeros(BATCH, 1, 8, 8)
    export(derive.load(digits(), SEED), grey, folder / "digits-training.onnx", "training")
    half_precision(folder / "bottleneck-dynamo.onnx", folder / "bottleneck-half.onnx")
    half = onnx.load(folder / "bottleneck-half.onnx")
    logits["bottleneck-half"] = torch.from_numpy(reference(half, images.numpy()))
    save_file(logits, folder / "logits.safetensors", metadata={
        "seed": str(SEED), "size": str(SIZE), "batch": str(BATCH)})


def reference(model, images):
    """What onnx's own evaluator says, with every tensor as float64."""
    from onnx.reference import ReferenceEvaluator

    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype in (np.float16, np.float32):
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float64), tensor.name))
    result = ReferenceEvaluator(model).run(None, {"images": images.astype(np.float64)})
    return result[0].astype(np.float32)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "onnx")
    parser.add_argument("--resnet20", nargs=2, type=Path, metavar=("WEIGHTS", "FILE"))
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    if arguments.resnet20:
        weights, path = arguments.resnet20
        model = NETWORKS["resnet20"]()
        model.load_state_dict(load_file(weights), strict=False)
        export(Normalized(model).eval(), torch.zeros(2, 3, 32, 32), path, "dynamo")
        return
    arguments.out.mkdir(exist_ok=True)
    small_networks(arguments.out)


if __name__ == "__main__":
    main()
