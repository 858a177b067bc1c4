"""Reference definitions of the networks, for goldens only.

Parameter names, shapes and registration order are those of the repositories that the field loads
checkpoints from: kuangliu/pytorch-cifar (ResNet-18 and -50, VGG, DenseNet),
akamaster/pytorch_resnet_cifar10 (ResNet-20 to -56) and TRADES/RobustBench (WideResNet).

Every network has `forward(x, taps=None)`. Given a dictionary, it records under the name of each
main-path convolution the activated feature ("act" tap) in forward order:
  convolution inside a block      after the batch norm and ReLU that follow
  convolution that ends a block   after the residual add and ReLU; in the pre-activation WideResNet
                                  after the residual add and the batch norm and ReLU that come next
  last convolution of a dense     its output: the new channels, before the concatenation
  layer, or of a transition
Shortcut convolutions and the linear layer are not on the main path.

`python networks.py` prints each network's state_dict, main path and parameter count.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F


def conv3x3(cin, cout, stride=1, bias=False):
    return nn.Conv2d(cin, cout, 3, stride=stride, padding=1, bias=bias)


def conv1x1(cin, cout, stride=1):
    return nn.Conv2d(cin, cout, 1, stride=stride, bias=False)


def record(taps, name, value):
    if taps is not None:
        taps[name] = value
    return value


class PadShortcut(nn.Module):
    """Option A of He et al.: every second pixel, new channels zero, half before and half after."""

    def __init__(self, cin, cout):
        super().__init__()
        self.before = (cout - cin) // 2
        self.after = cout - cin - self.before

    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.before, self.after))


class BasicBlock(nn.Module):
    def __init__(self, name, cin, cout, stride, option):
        super().__init__()
        self.name = name
        self.conv1, self.bn1 = conv3x3(cin, cout, stride), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = conv3x3(cout, cout), nn.BatchNorm2d(cout)
        self.shortcut = nn.Sequential()
        if stride != 1 or cin != cout:
            self.shortcut = PadShortcut(cin, cout) if option == "A" else nn.Sequential(
                conv1x1(cin, cout, stride), nn.BatchNorm2d(cout))

    def forward(self, x, taps):
        h = record(taps, self.name + ".conv1", F.relu(self.bn1(self.conv1(x))))
        h = F.relu(self.bn2(self.conv2(h)) + self.shortcut(x))
        return record(taps, self.name + ".conv2", h)


class Bottleneck(nn.Module):
    def __init__(self, name, cin, channels, stride, option):
        super().__init__()
        self.name, cout = name, 4 * channels
        self.conv1, self.bn1 = conv1x1(cin, channels), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = conv3x3(channels, channels, stride), nn.BatchNorm2d(channels)
        self.conv3, self.bn3 = conv1x1(channels, cout), nn.BatchNorm2d(cout)
        self.shortcut = nn.Sequential()
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(conv1x1(cin, cout, stride), nn.BatchNorm2d(cout))

    def forward(self, x, taps):
        h = record(taps, self.name + ".conv1", F.relu(self.bn1(self.conv1(x))))
        h = record(taps, self.name + ".conv2", F.relu(self.bn2(self.conv2(h))))
        h = F.relu(self.bn3(self.conv3(h)) + self.shortcut(x))
        return record(taps, self.name + ".conv3", h)


class ResNet(nn.Module):
    """Post-activation ResNet for small images: stem, stages of blocks, pool, linear. A block
    multiplies its channels by `expansion`."""

    def __init__(self, blocks, width, option, classes=10, block=BasicBlock, expansion=1):
        super().__init__()
        self.conv1, self.bn1 = conv3x3(3, width), nn.BatchNorm2d(width)
        self.stages, cin = len(blocks), width
        for s, count in enumerate(blocks):
            cout, stage = width * 2 ** s, []
            for b in range(count):
                stride = 2 if s > 0 and b == 0 else 1
                stage.append(block(f"layer{s + 1}.{b}", cin, cout, stride, option))
                cin = cout * expansion
            setattr(self, f"layer{s + 1}", nn.Sequential(*stage))
        self.linear = nn.Linear(cin, classes)

    def forward(self, x, taps=None):
        x = record(taps, "conv1", F.relu(self.bn1(self.conv1(x))))
        for s in range(self.stages):
            for block in getattr(self, f"layer{s + 1}"):
                x = block(x, taps)
        return self.linear(x.mean((2, 3)))


class WideBlock(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.equal = cin == cout
        self.bn1, self.conv1 = nn.BatchNorm2d(cin), conv3x3(cin, cout, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(cout), conv3x3(cout, cout)
        if not self.equal:
            self.convShortcut = conv1x1(cin, cout, stride)


class WideStage(nn.Module):
    def __init__(self, count, cin, cout, stride):
        super().__init__()
        self.layer = nn.Sequential(*[
            WideBlock(cin if b == 0 else cout, cout, stride if b == 0 else 1)
            for b in range(count)])


class WideResNet(nn.Module):
    """Pre-activation WideResNet-depth-widen. Where a block changes the channel count, its shortcut
    convolution reads the activated input; otherwise the shortcut is the raw input."""

    def __init__(self, depth, widen, classes=10):
        super().__init__()
        count, channels = (depth - 4) // 6, [16, 16 * widen, 32 * widen, 64 * widen]
        assert 6 * count + 4 == depth
        self.conv1 = conv3x3(3, 16)
        for s in range(3):
            stage = WideStage(count, channels[s], channels[s + 1], 1 if s == 0 else 2)
            setattr(self, f"block{s + 1}", stage)
        self.bn1, self.fc = nn.BatchNorm2d(channels[3]), nn.Linear(channels[3], classes)

    def forward(self, x, taps=None):
        x, last = self.conv1(x), "conv1"
        for s in range(3):
            for b, block in enumerate(getattr(self, f"block{s + 1}").layer):
                name = f"block{s + 1}.layer.{b}"
                a = record(taps, last, F.relu(block.bn1(x)))
                h = record(taps, name + ".conv1", F.relu(block.bn2(block.conv1(a))))
                x = block.conv2(h) + (x if block.equal else block.convShortcut(a))
                last = name + ".conv2"
        a = record(taps, last, F.relu(self.bn1(x)))
        return self.fc(a.mean((2, 3)))


VGG_STAGES = {
    16: [[1] * 2, [2] * 2, [4] * 3, [8] * 3, [8] * 3],
    19: [[1] * 2, [2] * 2, [4] * 4, [8] * 4, [8] * 4],
}


class VGG(nn.Module):
    """VGG with batch norm; `features` is one flat sequence of conv, bn, relu and 2x2 max pool."""

    def __init__(self, depth, width, classes=10):
        super().__init__()
        layers, cin = [], 3
        for stage in VGG_STAGES[depth]:
            for multiple in stage:
                cout = width * multiple
                layers += [conv3x3(cin, cout, bias=True), nn.BatchNorm2d(cout), nn.ReLU()]
                cin = cout
            layers.append(nn.MaxPool2d(2))
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(cin, classes)

    def forward(self, x, taps=None):
        for index, layer in enumerate(self.features):
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                record(taps, f"features.{index - 2}", x)
        return self.classifier(x.flatten(1))


class DenseLayer(nn.Module):
    def __init__(self, cin, growth):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(cin), conv1x1(cin, 4 * growth)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv3x3(4 * growth, growth)


class Transition(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(cin), conv1x1(cin, cout)


class DenseNet(nn.Module):
    """DenseNet-BC: dense stages with transitions that halve channels and image between them. A
    layer's new channels come before the old ones."""

    def __init__(self, layers, growth, classes=10):
        super().__init__()
        channels = 2 * growth
        self.conv1, self.stages = conv3x3(3, channels), len(layers)
        for s, count in enumerate(layers):
            stage = [DenseLayer(channels + i * growth, growth) for i in range(count)]
            setattr(self, f"dense{s + 1}", nn.Sequential(*stage))
            channels += count * growth
            if s + 1 < self.stages:
                setattr(self, f"trans{s + 1}", Transition(channels, channels // 2))
                channels //= 2
        self.bn, self.linear = nn.BatchNorm2d(channels), nn.Linear(channels, classes)

    def forward(self, x, taps=None):
        x = self.conv1(x)
        for s in range(self.stages):
            for i, layer in enumerate(getattr(self, f"dense{s + 1}")):
                name, a = f"dense{s + 1}.{i}", F.relu(layer.bn1(x))
                if s == 0 and i == 0:
                    record(taps, "conv1", a)
                h = record(taps, name + ".conv1", F.relu(layer.bn2(layer.conv1(a))))
                x = torch.cat([record(taps, name + ".conv2", layer.conv2(h)), x], 1)
            if s + 1 < self.stages:
                between = getattr(self, f"trans{s + 1}")
                x = record(taps, f"trans{s + 1}.conv", between.conv(F.relu(between.bn(x))))
                x = F.avg_pool2d(x, 2)
        return self.linear(F.relu(self.bn(x)).mean((2, 3)))


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


def cifar_resnet(depth, option="A", width=16):
    return ResNet([(depth - 2) // 6] * 3, width, option)


NETWORKS = {
    "resnet18": lambda width=64: ResNet([2, 2, 2, 2], width, "B"),
    "resnet50": lambda width=64: ResNet(
        [3, 4, 6, 3], width, "B", block=Bottleneck, expansion=4),
    "resnet20": lambda **k: cifar_resnet(20, **k),
    "resnet32": lambda **k: cifar_resnet(32, **k),
    "resnet44": lambda **k: cifar_resnet(44, **k),
    "resnet56": lambda **k: cifar_resnet(56, **k),
    "wrn": lambda depth=34, width=10: WideResNet(depth, width),
    "vgg16": lambda width=64: VGG(16, width),
    "vgg19": lambda width=64: VGG(19, width),
    "densenet121": lambda growth=32: DenseNet([6, 12, 24, 16], growth),
    "small-cnn": lambda: SmallCNN(),
}


def main_path(model, size=32):
    """Names of the main-path convolutions in forward order, as the taps record them."""
    training, taps = model.training, {}
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, size, size, dtype=next(model.parameters()).dtype), taps)
    model.train(training)
    return list(taps)


def show(name, **parameters):
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
    print("main path: " + ", ".join(f"{i} {n}" for i, n in enumerate(main_path(model))))


if __name__ == "__main__":
    show("small-cnn")
    show("resnet18")
    show("resnet18", width=8)
    show("resnet50")
    show("densenet121")
    show("resnet20")
    show("resnet20", option="B")
    for depth in (32, 44, 56):
        show(f"resnet{depth}")
    for depth, width in ((10, 1), (16, 1), (10, 2), (34, 1), (28, 10), (34, 10)):
        show("wrn", depth=depth, width=width)
    show("vgg16")
    show("vgg19")
    show("vgg16", width=8)
