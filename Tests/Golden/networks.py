"""Reference definitions of the networks, for goldens only.

Parameter names, shapes and registration order are those of the repositories that the field loads
checkpoints from: kuangliu/pytorch-cifar (ResNet-18 to -101, PreAct ResNet, VGG, DenseNet),
akamaster/pytorch_resnet_cifar10 (ResNet-20 to -56), TRADES/RobustBench (WideResNet, MNIST),
poloclub/robust-principles (RaWRN), weiaicunzai/pytorch-cifar100 (VGG with three linear layers),
torchvision (-imagenet).

Every network has `forward(x, taps=None)`. Given a dictionary, it records under the name of each
main-path convolution the activated feature ("act" tap) in forward order:
  convolution inside a block      after the batch norm and ReLU that follow
  convolution that ends a block   after the residual add and ReLU; in pre-activation networks after
                                  the residual add and the batch norm and ReLU that come next
  last convolution of a dense     its output: the new channels, before the concatenation
  layer, or of a transition
Convolutions of shortcuts and of squeeze-excite, and linear layers, are not on the main path.

`python networks.py` prints each network's state_dict, main path and parameter count.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from residual import (Bottleneck, DeepMindWideResNet, PreActResNet, ResNet, WideResNet, conv1x1,
                      conv3x3, record)

VGG_STAGES = {
    16: [[1] * 2, [2] * 2, [4] * 3, [8] * 3, [8] * 3],
    19: [[1] * 2, [2] * 2, [4] * 4, [8] * 4, [8] * 4],
}


class VGG(nn.Module):
    """VGG with batch norm; `features` is one flat sequence of conv, bn, relu and 2x2 max pool. With
    `hidden`, three linear layers follow, with dropout between them."""

    def __init__(self, depth, width, hidden=None, dropout=0.5, classes=10):
        super().__init__()
        layers, cin = [], 3
        for stage in VGG_STAGES[depth]:
            for multiple in stage:
                cout = width * multiple
                layers += [conv3x3(cin, cout, bias=True), nn.BatchNorm2d(cout), nn.ReLU()]
                cin = cout
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(cin, classes) if hidden is None else nn.Sequential(
            nn.Linear(cin, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes))

    def forward(self, x, taps=None):
        for index, layer in enumerate(self.features):
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                record(taps, f"features.{index - 2}", x)
        return self.classifier(x.flatten(1))


class DenseLayer(nn.Module):
    def __init__(self, cin, growth, norm):
        super().__init__()
        self.norms = [norm + "1", norm + "2"]
        setattr(self, self.norms[0], nn.BatchNorm2d(cin))
        self.conv1 = conv1x1(cin, 4 * growth)
        setattr(self, self.norms[1], nn.BatchNorm2d(4 * growth))
        self.conv2 = conv3x3(4 * growth, growth)

    def forward(self, x, name, taps):
        first, second = (getattr(self, n) for n in self.norms)
        h = record(taps, name + ".conv1", F.relu(second(self.conv1(F.relu(first(x))))))
        return record(taps, name + ".conv2", self.conv2(h))


class Transition(nn.Module):
    def __init__(self, cin, cout, norm):
        super().__init__()
        setattr(self, norm, nn.BatchNorm2d(cin))
        self.norm_name, self.conv = norm, conv1x1(cin, cout)

    def forward(self, x, name, taps):
        x = self.conv(F.relu(getattr(self, self.norm_name)(x)))
        return F.avg_pool2d(record(taps, name + ".conv", x), 2)


class DenseNet(nn.Module):
    """DenseNet-BC: dense stages with transitions that halve channels and image between them. A
    layer's new channels come before the old ones."""

    def __init__(self, layers, growth, classes=10):
        super().__init__()
        channels = 2 * growth
        self.conv1, self.stages = conv3x3(3, channels), len(layers)
        for s, count in enumerate(layers):
            stage = [DenseLayer(channels + i * growth, growth, "bn") for i in range(count)]
            setattr(self, f"dense{s + 1}", nn.Sequential(*stage))
            channels += count * growth
            if s + 1 < self.stages:
                setattr(self, f"trans{s + 1}", Transition(channels, channels // 2, "bn"))
                channels //= 2
        self.bn, self.linear = nn.BatchNorm2d(channels), nn.Linear(channels, classes)

    def forward(self, x, taps=None):
        x = self.conv1(x)
        if taps is not None:
            record(taps, "conv1", F.relu(self.dense1[0].bn1(x)))
        for s in range(self.stages):
            for i, layer in enumerate(getattr(self, f"dense{s + 1}")):
                x = torch.cat([layer(x, f"dense{s + 1}.{i}", taps), x], 1)
            if s + 1 < self.stages:
                x = getattr(self, f"trans{s + 1}")(x, f"trans{s + 1}", taps)
        return self.linear(F.relu(self.bn(x)).mean((2, 3)))


class ImageNetDenseNet(nn.Module):
    """The same for ImageNet, with torchvision's names; new channels come after the old ones."""

    def __init__(self, layers, growth, classes=10):
        super().__init__()
        channels = 2 * growth
        self.features = nn.Sequential()
        add = self.features.add_module
        add("conv0", nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False))
        add("norm0", nn.BatchNorm2d(channels))
        for s, count in enumerate(layers):
            block = nn.Module()
            for i in range(count):
                layer = DenseLayer(channels + i * growth, growth, "norm")
                block.add_module(f"denselayer{i + 1}", layer)
            add(f"denseblock{s + 1}", block)
            channels += count * growth
            if s + 1 < len(layers):
                add(f"transition{s + 1}", Transition(channels, channels // 2, "norm"))
                channels //= 2
        add("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x, taps=None):
        parts = dict(self.features.named_children())
        x = F.relu(parts["norm0"](parts["conv0"](x)))
        record(taps, "features.conv0", x)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for name, part in list(parts.items())[2:-1]:
            if isinstance(part, Transition):
                x = part(x, f"features.{name}", taps)
                continue
            for inner, layer in part.named_children():
                x = torch.cat([x, layer(x, f"features.{name}.{inner}", taps)], 1)
        return self.classifier(F.relu(parts["norm5"](x)).mean((2, 3)))


class SmallCNN(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(3, 16), nn.BatchNorm2d(16)
        self.conv2, self.bn2 = conv3x3(16, 32, 2), nn.BatchNorm2d(32)
        self.conv3, self.bn3 = conv3x3(32, 64, 2), nn.BatchNorm2d(64)
        self.linear = nn.Linear(64, classes)

    def forward(self, x, taps=None):
        for i in "123":
            x = F.relu(getattr(self, "bn" + i)(getattr(self, "conv" + i)(x)))
            record(taps, "conv" + i, x)
        return self.linear(x.mean((2, 3)))


class MadryCNN(nn.Module):
    """For MNIST: two 5x5 convolutions, each with ReLU and 2x2 max pool, and two linear layers."""

    def __init__(self, width, hidden, size=28, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 5, padding=2)
        self.conv2 = nn.Conv2d(width, 2 * width, 5, padding=2)
        self.fc1 = nn.Linear(2 * width * (size // 4) ** 2, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x, taps=None):
        for i in "12":
            x = record(taps, "conv" + i, F.relu(getattr(self, "conv" + i)(x)))
            x = F.max_pool2d(x, 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class TradesCNN(nn.Module):
    """For MNIST: twice two 3x3 convolutions without padding and a 2x2 max pool, then three linear
    layers with dropout after the first."""

    def __init__(self, width, hidden, dropout=0.5, size=28, classes=10):
        super().__init__()
        self.feature_extractor, self.classifier = nn.Module(), nn.Module()
        channels = [1, width, width, 2 * width, 2 * width]
        for i in range(4):
            conv = nn.Conv2d(channels[i], channels[i + 1], 3)
            self.feature_extractor.add_module(f"conv{i + 1}", conv)
        side = ((size - 4) // 2 - 4) // 2
        features = [channels[4] * side * side, hidden, hidden, classes]
        for i in range(3):
            self.classifier.add_module(f"fc{i + 1}", nn.Linear(features[i], features[i + 1]))
        self.dropout = dropout

    def forward(self, x, taps=None):
        for i, conv in enumerate(self.feature_extractor.children()):
            x = record(taps, f"feature_extractor.conv{i + 1}", F.relu(conv(x)))
            x = F.max_pool2d(x, 2) if i % 2 else x
        linear = self.classifier
        x = F.dropout(F.relu(linear.fc1(x.flatten(1))), self.dropout, self.training)
        return linear.fc3(F.relu(linear.fc2(x)))


def cifar_resnet(depth, shortcut="A", width=16):
    return ResNet([(depth - 2) // 6] * 3, width, shortcut)


def resnet(blocks, bottleneck=False, **fixed):
    options = {"block": Bottleneck} if bottleneck else {}
    return lambda width=64, classes=10: ResNet(blocks, width, classes=classes, **options, **fixed)


def preact_resnet(blocks):
    return lambda width=64, final_norm="no", **k: PreActResNet(
        blocks, width, final_norm == "yes", **k)


def vgg(depth):
    return lambda width=64, **k: VGG(depth, width, **k)


def vgg_mlp(depth):
    return lambda width=64, hidden=4096, dropout=0.5, **k: VGG(depth, width, hidden, dropout, **k)


def dm_wrn(depth=70, width=16, activation="silu", **k):
    count, widths = (depth - 4) // 6, [16 * width, 32 * width, 64 * width]
    return DeepMindWideResNet(16, [count] * 3, widths, getattr(F, activation), **k)


def rawrn(stem=96, depths="30/31/10", width=216, **k):
    return DeepMindWideResNet(stem, [int(d) for d in depths.split("/")],
                              [width, 2 * width, 4 * width], F.silu, 0.01, 0.25, **k)


RESNETS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3]}

NETWORKS = {
    **{f"resnet{d}": resnet(blocks, d >= 50) for d, blocks in RESNETS.items()},
    **{f"resnet{d}-imagenet": resnet(blocks, d >= 50, imagenet=True)
       for d, blocks in RESNETS.items()},
    "preact-resnet18": preact_resnet([2, 2, 2, 2]),
    "preact-resnet34": preact_resnet([3, 4, 6, 3]),
    "resnet20": lambda **k: cifar_resnet(20, **k),
    "resnet32": lambda **k: cifar_resnet(32, **k),
    "resnet44": lambda **k: cifar_resnet(44, **k),
    "resnet56": lambda **k: cifar_resnet(56, **k),
    "wrn": lambda depth=34, width=10, **k: WideResNet(depth, width, **k),
    "dm-wrn-70-16": dm_wrn,
    "rawrn-70-16": rawrn,
    "vgg16": vgg(16),
    "vgg19": vgg(19),
    "vgg16-mlp": vgg_mlp(16),
    "vgg19-mlp": vgg_mlp(19),
    "densenet121": lambda growth=32, **k: DenseNet([6, 12, 24, 16], growth, **k),
    "densenet121-imagenet": lambda growth=32, **k: ImageNetDenseNet([6, 12, 24, 16], growth, **k),
    "small-cnn": lambda: SmallCNN(),
    "mnist-madry": lambda width=32, hidden=1024, **k: MadryCNN(width, hidden, **k),
    "mnist-trades": lambda width=32, hidden=200, dropout=0.5, **k: TradesCNN(
        width, hidden, dropout, **k),
}


def main_path(model, images):
    """Names of the main-path convolutions in forward order, as the taps record them."""
    training, taps = model.training, {}
    with torch.no_grad():
        model.eval()(images[:1], taps)
    model.train(training)
    return list(taps)


def show(name, images=(3, 32, 32), **parameters):
    model = NETWORKS[name](**parameters)
    label = ":".join([name, ",".join(f"{k}={v}" for k, v in parameters.items())]).rstrip(":")
    count = sum(p.numel() for p in model.parameters())
    print(f"\n== {label}   {count} parameters")
    print("state_dict, in order (each batch norm also has num_batches_tracked, i64 scalar, last):")
    index = 0
    for key, value in model.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            print(f"  {index:3d} {key} {list(value.shape)}")
            index += 1
    path = main_path(model, torch.zeros(1, *images))
    print("main path: " + ", ".join(f"{i} {n}" for i, n in enumerate(path)))


if __name__ == "__main__":
    for network in NETWORKS:
        mnist, imagenet = network.startswith("mnist"), network.endswith("imagenet")
        size = (1, 28, 28) if mnist else (3, 224, 224) if imagenet else (3, 32, 32)
        show(network, size, **({"classes": 1000} if imagenet else {}))
    show("resnet20", shortcut="B")
    for depth, width in ((10, 1), (16, 1), (10, 2), (34, 1), (28, 10), (70, 16)):
        show("wrn", depth=depth, width=width)
    show("preact-resnet18", final_norm="yes")
