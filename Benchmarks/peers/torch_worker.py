"""PyTorch's side: `python torch_worker.py MODE LAYOUT MODEL BATCH CRITICAL STEPS THREADS`.

Modes: `eager` as researchers write it (the whole forward pass, features by name); `inductor`, which
drops what no result needs; `expert`, eager on a graph that ends at the last critical layer;
`folded`, like expert with batch norms folded into filters before every attack. Layouts: nchw, cl.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.fx.experimental.optimization import fuse

import protocol
from protocol import DECAY, EPSILON, LAMBDA, MOMENTUM, RATE, STEP

sys.path.insert(0, str(Path(__file__).parents[2] / "Tests/Golden"))
from networks import NETWORKS, main_path  # noqa: E402


class Outputs(nn.Module):
    """A network's logits, where wanted, and the features of some layers."""

    def __init__(self, network, layers=(), logits=True):
        super().__init__()
        self.network, self.layers, self.logits = network, layers, logits

    def forward(self, x):
        taps = {}
        logits = self.network(x, taps)
        features = [taps[name] for name in self.layers]
        return (logits, features) if self.logits else features


def distance(moved, clean):
    """Batch mean of the L2 distances, summed over layers."""
    return sum((a - b).flatten(1).norm(dim=1).mean() for a, b in zip(moved, clean))


class Engine:
    def __init__(self, mode, layout, model, batch, critical, steps):
        torch.manual_seed(0)
        name, parameters = protocol.parse_model(model)
        self.mode, self.steps = mode, steps
        self.format = torch.channels_last if layout == "cl" else torch.contiguous_format
        self.network = NETWORKS[name](**parameters).to(memory_format=self.format)
        self.x = torch.rand(batch, 3, 32, 32).contiguous(memory_format=self.format)
        self.y = torch.randint(0, 10, (batch,))
        path = main_path(self.network, self.x)
        layers = [path[i] for i in critical]
        self.critical = [self.network.get_parameter(f"{n}.weight") for n in layers]
        everything = list(self.network.parameters())
        self.all, self.some = self.optimizer(everything), self.optimizer(self.critical)
        self.logits = self.prepared(Outputs(self.network))
        self.trained = self.compiled(self.network)
        self.features = self.prepared(Outputs(self.network, layers, logits=False))
        self.everything = self.prepared(Outputs(self.network, path, logits=False))
        self.objective = self.compiled(
            self.clat_loss(Outputs(self.network, layers), self.truncated(layers)))

    def optimizer(self, parameters):
        return torch.optim.SGD(parameters, RATE, momentum=MOMENTUM, weight_decay=DECAY)

    def compiled(self, function):
        return torch.compile(function) if self.mode == "inductor" else function

    def truncated(self, layers):
        features = Outputs(self.network, layers, logits=False)
        return features if self.mode in ("eager", "inductor") else self.cut(features)

    @staticmethod
    def cut(outputs):
        graph = fx.symbolic_trace(outputs.eval())
        graph.graph.eliminate_dead_code()
        graph.recompile()
        return graph

    def prepared(self, outputs):
        """A function of the mode, for frozen weights, that makes the function to call."""
        if self.mode != "folded":
            ready = self.cut(outputs) if self.mode == "expert" else self.compiled(outputs)
            return lambda: ready
        graph = self.cut(outputs)
        return lambda: fuse(graph, no_trace=True).requires_grad_(False).to(
            memory_format=self.format)

    def clat_loss(self, whole, features):
        def loss(x, moved, y):
            logits, clean = whole(x)
            return F.cross_entropy(logits, y) + LAMBDA * distance(features(moved), clean)
        return loss

    def freeze(self, but=()):
        """Evaluation mode; only the parameters in `but` ask for gradients."""
        self.network.eval().requires_grad_(False)
        for parameter in but:
            parameter.requires_grad_(True)

    def ascend(self, loss):
        x = self.x
        point = (x + torch.empty_like(x).uniform_(-EPSILON, EPSILON)).clamp(0, 1)
        for _ in range(self.steps):
            point = point.detach().requires_grad_()
            gradient, = torch.autograd.grad(loss(point), point)
            with torch.no_grad():
                moved = point + STEP * gradient.sign()
                point = torch.clamp(torch.clamp(moved, x - EPSILON, x + EPSILON), 0, 1)
        return point.detach()

    def forward(self):
        self.freeze()
        with torch.no_grad():
            self.logits()(self.x)

    def pgd(self):
        self.freeze()
        logits = self.logits()
        return self.ascend(lambda point: F.cross_entropy(logits(point)[0], self.y))

    def train(self, x=None):
        self.network.train().requires_grad_(True)
        self.all.zero_grad()
        F.cross_entropy(self.trained(self.x if x is None else x), self.y).backward()
        self.all.step()

    def clat(self):
        self.freeze()
        features = self.features()
        with torch.no_grad():
            clean = [f.clone() for f in features(self.x)]
        moved = self.ascend(lambda point: distance(features(point), clean))
        self.freeze(but=self.critical)
        self.some.zero_grad()
        self.objective(self.x, moved, self.y).backward()
        self.some.step()

    def criticality(self):
        moved = self.pgd()
        features = self.everything()
        with torch.no_grad():
            clean = [f.clone() for f in features(self.x)]
            return [(a - b).flatten(1).norm(dim=1).mean().item() / a[0].numel()
                    for a, b in zip(features(moved), clean)]


def main():
    mode, layout, model, batch, critical, steps, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    engine = Engine(
        mode, layout, model, int(batch), [int(i) for i in critical.split(",")], int(steps))
    protocol.serve({
        "forward": engine.forward, "train": engine.train, "pgd": engine.pgd,
        "pgd-at": lambda: engine.train(engine.pgd()), "clat": engine.clat,
        "criticality": engine.criticality})


if __name__ == "__main__":
    main()
