"""Reference definitions of the residual networks: ResNet, PreAct ResNet, WideResNet, RaWRN."""

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
    expansion = 1

    def __init__(self, name, cin, cout, stride, option, shortcut):
        super().__init__()
        self.name, self.shortcut_name = name, shortcut
        self.conv1, self.bn1 = conv3x3(cin, cout, stride), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = conv3x3(cout, cout), nn.BatchNorm2d(cout)
        branch = nn.Sequential()
        if stride != 1 or cin != cout:
            branch = PadShortcut(cin, cout) if option == "A" else nn.Sequential(
                conv1x1(cin, cout, stride), nn.BatchNorm2d(cout))
        setattr(self, shortcut, branch)

    def forward(self, x, taps):
        h = record(taps, self.name + ".conv1", F.relu(self.bn1(self.conv1(x))))
        h = F.relu(self.bn2(self.conv2(h)) + getattr(self, self.shortcut_name)(x))
        return record(taps, self.name + ".conv2", h)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, name, cin, channels, stride, option, shortcut):
        super().__init__()
        self.name, self.shortcut_name, cout = name, shortcut, 4 * channels
        self.conv1, self.bn1 = conv1x1(cin, channels), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = conv3x3(channels, channels, stride), nn.BatchNorm2d(channels)
        self.conv3, self.bn3 = conv1x1(channels, cout), nn.BatchNorm2d(cout)
        branch = nn.Sequential()
        if stride != 1 or cin != cout:
            branch = nn.Sequential(conv1x1(cin, cout, stride), nn.BatchNorm2d(cout))
        setattr(self, shortcut, branch)

    def forward(self, x, taps):
        h = record(taps, self.name + ".conv1", F.relu(self.bn1(self.conv1(x))))
        h = record(taps, self.name + ".conv2", F.relu(self.bn2(self.conv2(h))))
        h = F.relu(self.bn3(self.conv3(h)) + getattr(self, self.shortcut_name)(x))
        return record(taps, self.name + ".conv3", h)


def stages(blocks, width, expansion, make):
    """One nn.Sequential a stage of make(name, cin, channels, stride), and the last channels."""
    result, cin = [], width
    for s, count in enumerate(blocks):
        channels, stage = width * 2 ** s, []
        for b in range(count):
            stage.append(make(f"layer{s + 1}.{b}", cin, channels, 2 if s > 0 and b == 0 else 1))
            cin = channels * expansion
        result.append(nn.Sequential(*stage))
    return result, cin


class ResNet(nn.Module):
    """Post-activation ResNet: stem, stages of blocks, pool, linear. With `imagenet` the stem and
    the names are torchvision's."""

    def __init__(self, blocks, width, option="B", block=BasicBlock, classes=10, imagenet=False):
        super().__init__()
        self.imagenet, shortcut = imagenet, "downsample" if imagenet else "shortcut"
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False) if imagenet \
            else conv3x3(3, width)
        self.bn1 = nn.BatchNorm2d(width)
        parts, cin = stages(blocks, width, block.expansion,
                            lambda *shape: block(*shape, option, shortcut))
        for s, stage in enumerate(parts):
            setattr(self, f"layer{s + 1}", stage)
        self.stages, self.head = len(parts), "fc" if imagenet else "linear"
        setattr(self, self.head, nn.Linear(cin, classes))

    def forward(self, x, taps=None):
        x = record(taps, "conv1", F.relu(self.bn1(self.conv1(x))))
        if self.imagenet:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        for s in range(self.stages):
            for block in getattr(self, f"layer{s + 1}"):
                x = block(x, taps)
        return getattr(self, self.head)(x.mean((2, 3)))


class PreActBlock(nn.Module):
    def __init__(self, name, cin, cout, stride):
        super().__init__()
        self.name = name
        self.bn1, self.conv1 = nn.BatchNorm2d(cin), conv3x3(cin, cout, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(cout), conv3x3(cout, cout)
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(conv1x1(cin, cout, stride))


class PreActResNet(nn.Module):
    """kuangliu's has no batch norm after the last block; that of Fast-AT and AWP has one."""

    def __init__(self, blocks, width, final_norm=False, classes=10):
        super().__init__()
        self.conv1 = conv3x3(3, width)
        self.layer1, self.layer2, self.layer3, self.layer4 = \
            stages(blocks, width, 1, PreActBlock)[0]
        if final_norm:
            self.bn = nn.BatchNorm2d(8 * width)
        self.linear = nn.Linear(8 * width, classes)

    def forward(self, x, taps=None):
        x, last = self.conv1(x), "conv1"
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in stage:
                a = record(taps, last, F.relu(block.bn1(x)))
                h = record(taps, block.name + ".conv1", F.relu(block.bn2(block.conv1(a))))
                x = block.conv2(h) + (block.shortcut(a) if hasattr(block, "shortcut") else x)
                last = block.name + ".conv2"
        x = record(taps, last, F.relu(self.bn(x)) if hasattr(self, "bn") else x)
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


class SqueezeExcitation(nn.Module):
    """As torchvision.ops.SqueezeExcitation: 1x1 convolutions with biases on the means."""

    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        gate = self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        return torch.sigmoid(gate) * x


class DeepMindBlock(nn.Module):
    def __init__(self, cin, cout, stride, momentum, squeeze):
        super().__init__()
        self.stride, self.equal = stride, cin == cout
        self.batchnorm_0 = nn.BatchNorm2d(cin, momentum=momentum)
        self.conv_0 = nn.Conv2d(cin, cout, 3, stride=stride, bias=False)
        self.batchnorm_1, self.conv_1 = nn.BatchNorm2d(cout, momentum=momentum), conv3x3(cout, cout)
        if not self.equal:
            self.shortcut = conv1x1(cin, cout, stride)
        if squeeze:
            self.se = SqueezeExcitation(cout, int(round(squeeze * cout)))


class DeepMindWideResNet(nn.Module):
    """Gowal et al. 2020's WideResNet; with `squeeze`, momentum 0.01 and stage widths of its own,
    Peng et al. 2023's RaWRN. Strided convolutions pad below and to the right only."""

    def __init__(self, stem, depths, widths, activation, momentum=0.1, squeeze=None, classes=10):
        super().__init__()
        self.activation = activation
        self.init_conv, cin = conv3x3(3, stem), stem
        self.layer = nn.Sequential()
        for s, (count, cout) in enumerate(zip(depths, widths)):
            group = nn.Module()
            group.block = nn.Sequential(*[
                DeepMindBlock(cin if b == 0 else cout, cout, 2 if s > 0 and b == 0 else 1,
                              momentum, squeeze) for b in range(count)])
            self.layer.append(group)
            cin = cout
        self.batchnorm = nn.BatchNorm2d(cin, momentum=momentum)
        self.logits = nn.Linear(cin, classes)

    def forward(self, x, taps=None):
        x, last, act = self.init_conv(x), "init_conv", self.activation
        for s, group in enumerate(self.layer):
            for b, block in enumerate(group.block):
                name, before = f"layer.{s}.block.{b}", 1 if block.stride == 1 else 0
                a = record(taps, last, act(block.batchnorm_0(x)))
                h = block.conv_0(F.pad(a, (before, 1, before, 1)))
                h = record(taps, name + ".conv_0", act(block.batchnorm_1(h)))
                h, last = block.conv_1(h), name + ".conv_1"
                if hasattr(block, "se"):
                    h = block.se(h)
                x = h + (x if block.equal else block.shortcut(a))
        a = record(taps, last, act(self.batchnorm(x)))
        return self.logits(a.mean((2, 3)))
