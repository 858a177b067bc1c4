"""JAX's side, NHWC: `python jax_worker.py MODEL BATCH CRITICAL STEPS THREADS`.

One jitted function for each kind of step; XLA drops what no result needs.
"""

import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import protocol
from protocol import DECAY, EPSILON, LAMBDA, MOMENTUM, RATE, STEP

RANDOM = np.random.default_rng(0)
relu = jax.nn.relu


class Pass:
    """One forward pass; makes the parameters that it does not find. `features` are those of the
    main path's convolutions, each replaced by what activates it."""

    def __init__(self, parameters, training=False):
        self.parameters, self.training = parameters, training
        self.features, self.names, self.statistics = [], [], {}
        self.counts = {"conv": 0, "norm": 0}

    def parameter(self, kind, make):
        name = f"{kind}{self.counts[kind]}"
        self.counts[kind] += 1
        if name not in self.parameters:
            self.parameters[name] = make()
        return name, self.parameters[name]

    def conv(self, x, channels, kernel=3, stride=1, main=True):
        shape = (kernel, kernel, x.shape[-1], channels)
        scale = (2 / (kernel * kernel * channels)) ** 0.5
        name, weight = self.parameter(
            "conv", lambda: (RANDOM.standard_normal(shape) * scale).astype(np.float32))
        y = lax.conv_general_dilated(
            x, weight, (stride, stride), [(kernel // 2, kernel // 2)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"))
        if main:
            self.features.append(y)
            self.names.append(name)
        return y

    def norm(self, x):
        channels = x.shape[-1]
        name, (gamma, beta, mean, var) = self.parameter("norm", lambda: tuple(
            np.full(channels, v, np.float32) for v in (1, 0, 0, 1)))
        if self.training:
            moments = x.mean((0, 1, 2)), x.var((0, 1, 2))
            self.statistics[name] = tuple(
                0.9 * old + 0.1 * new for old, new in zip((mean, var), moments))
            mean, var = moments
        scale = gamma * lax.rsqrt(var + 1e-5)
        return x * scale + (beta - mean * scale)

    def activated(self, x):
        """`x` is the activated feature of the convolution that came last."""
        self.features[-1] = x
        return x

    def head(self, x):
        if "head" not in self.parameters:
            self.parameters["head"] = (
                (RANDOM.standard_normal((x.shape[-1], 10)) * 0.01).astype(np.float32),
                np.zeros(10, np.float32))
        weight, bias = self.parameters["head"]
        return x.mean((1, 2)) @ weight + bias


def basic(p, x, channels, stride):
    h = p.activated(relu(p.norm(p.conv(x, channels, 3, stride))))
    h = p.norm(p.conv(h, channels))
    if stride != 1 or x.shape[-1] != channels:
        x = p.norm(p.conv(x, channels, 1, stride, main=False))
    return p.activated(relu(h + x))


def bottleneck(p, x, channels, stride):
    h = p.activated(relu(p.norm(p.conv(x, channels, 1))))
    h = p.activated(relu(p.norm(p.conv(h, channels, 3, stride))))
    h = p.norm(p.conv(h, 4 * channels, 1))
    if stride != 1 or x.shape[-1] != 4 * channels:
        x = p.norm(p.conv(x, 4 * channels, 1, stride, main=False))
    return p.activated(relu(h + x))


def resnet(p, x, blocks, block, width=64):
    x = p.activated(relu(p.norm(p.conv(x, width))))
    for stage, count in enumerate(blocks):
        for index in range(count):
            x = block(p, x, width << stage, 2 if stage and not index else 1)
    return p.head(x)


def wide_resnet(p, x, depth, width):
    x = p.conv(x, 16)
    for stage in range(3):
        channels = (16 << stage) * width
        for index in range((depth - 4) // 6):
            stride = 2 if stage and not index else 1
            a = p.activated(relu(p.norm(x)))
            h = p.activated(relu(p.norm(p.conv(a, channels, 3, stride))))
            h = p.conv(h, channels)
            equal = x.shape[-1] == channels
            x = h + (x if equal else p.conv(a, channels, 1, stride, main=False))
    return p.head(p.activated(relu(p.norm(x))))


def vgg(p, x, stages, width=64):
    for stage, count in enumerate(stages):
        for _ in range(count):
            x = p.activated(relu(p.norm(p.conv(x, width * min(8, 1 << stage)))))
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return p.head(x)


def densenet(p, x, layers, growth=32):
    x = p.conv(x, 2 * growth)
    for stage, count in enumerate(layers):
        for index in range(count):
            a = relu(p.norm(x))
            if stage == index == 0:
                p.activated(a)
            h = p.activated(relu(p.norm(p.conv(a, 4 * growth, 1))))
            x = jnp.concatenate([p.conv(h, growth), x], -1)
        if stage + 1 < len(layers):
            x = p.conv(relu(p.norm(x)), x.shape[-1] // 2, 1)
            x = lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4
    return p.head(relu(p.norm(x)))


NETWORKS = {
    "resnet18": lambda p, x, **k: resnet(p, x, [2, 2, 2, 2], basic, **k),
    "resnet50": lambda p, x, **k: resnet(p, x, [3, 4, 6, 3], bottleneck, **k),
    "wrn": wide_resnet,
    "vgg19": lambda p, x, **k: vgg(p, x, [2, 2, 4, 4, 4], **k),
    "densenet121": lambda p, x, **k: densenet(p, x, [6, 12, 24, 16], **k),
}


def cross_entropy(logits, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()


def distances(moved, clean):
    return [jnp.sqrt(jnp.square(a - b).sum((1, 2, 3)) + 1e-12).mean()
            for a, b in zip(moved, clean)]


def descend(parameter, momentum, gradient):
    momentum = MOMENTUM * momentum + gradient + DECAY * parameter
    return parameter - RATE * momentum, momentum


class Engine:
    def __init__(self, model, batch, critical, steps):
        name, arguments = protocol.parse_model(model)
        self.network = lambda p, x: NETWORKS[name](p, x, **arguments)
        self.critical, self.steps, made = critical, steps, {}
        trial = Pass(made)
        jax.eval_shape(lambda x: self.network(trial, x), jnp.zeros((1, 32, 32, 3)))
        self.names = [trial.names[i] for i in critical]
        self.parameters = jax.tree.map(jnp.asarray, made)
        self.momentum = jax.tree.map(jnp.zeros_like, self.parameters)
        self.x = jnp.asarray(RANDOM.random((batch, 32, 32, 3), np.float32))
        self.y = jnp.asarray(RANDOM.integers(0, 10, batch))
        self.logits = jax.jit(lambda p, x: self.apply(p, x)[0])
        self.some = jax.jit(lambda p, x: self.apply(p, x, critical)[1])
        self.every = jax.jit(lambda p, a, b: distances(
            *(self.apply(p, x, range(len(trial.names)))[1] for x in (a, b))))
        self.pgd_step = jax.jit(lambda p, point, x, y: self.ascended(
            lambda q: cross_entropy(self.apply(p, q)[0], y), point, x))
        self.clat_step = jax.jit(lambda p, point, x, clean: self.ascended(
            lambda q: sum(distances(self.apply(p, q, critical)[1], clean)), point, x))
        self.train_step, self.clat_update = jax.jit(self.trained), jax.jit(self.updated)

    def apply(self, parameters, x, layers=(), training=False):
        state = Pass(parameters, training)
        logits = self.network(state, x)
        return logits, [state.features[i] for i in layers], state.statistics

    @staticmethod
    def ascended(loss, point, x):
        moved = point + STEP * jnp.sign(jax.grad(loss)(point))
        return jnp.clip(jnp.clip(moved, x - EPSILON, x + EPSILON), 0, 1)

    def trained(self, parameters, momentum, x, y):
        def loss(p):
            logits, _, statistics = self.apply(p, x, training=True)
            return cross_entropy(logits, y), statistics
        gradient, statistics = jax.grad(loss, has_aux=True)(parameters)
        pairs = jax.tree.map(descend, parameters, momentum, gradient)
        new, momentum = (jax.tree.map(lambda _, pair: pair[i], parameters, pairs) for i in (0, 1))
        return new | {n: new[n][:2] + s for n, s in statistics.items()}, momentum

    def updated(self, parameters, momentum, x, moved, y):
        def loss(chosen):
            p = parameters | chosen
            logits, clean, _ = self.apply(p, x, self.critical)
            features = self.apply(p, moved, self.critical)[1]
            return cross_entropy(logits, y) + LAMBDA * sum(distances(features, clean))
        gradient = jax.grad(loss)({n: parameters[n] for n in self.names})
        pairs = {n: descend(parameters[n], momentum[n], gradient[n]) for n in self.names}
        return ({n: p for n, (p, _) in pairs.items()}, {n: m for n, (_, m) in pairs.items()})

    def start(self):
        noise = RANDOM.uniform(-EPSILON, EPSILON, self.x.shape).astype(np.float32)
        return jnp.clip(self.x + noise, 0, 1)

    def forward(self):
        return jax.block_until_ready(self.logits(self.parameters, self.x))

    def train(self, x=None):
        self.parameters, self.momentum = jax.block_until_ready(self.train_step(
            self.parameters, self.momentum, self.x if x is None else x, self.y))

    def pgd(self):
        point = self.start()
        for _ in range(self.steps):
            point = self.pgd_step(self.parameters, point, self.x, self.y)
        return jax.block_until_ready(point)

    def clat(self):
        clean, point = self.some(self.parameters, self.x), self.start()
        for _ in range(self.steps):
            point = self.clat_step(self.parameters, point, self.x, clean)
        new, momentum = jax.block_until_ready(self.clat_update(
            self.parameters, self.momentum, self.x, point, self.y))
        self.parameters, self.momentum = self.parameters | new, self.momentum | momentum

    def criticality(self):
        moved = self.pgd()
        return jax.block_until_ready(self.every(self.parameters, moved, self.x))


def main():
    model, batch, critical, steps, _ = sys.argv[1:]
    engine = Engine(model, int(batch), [int(i) for i in critical.split(",")], int(steps))
    protocol.serve({
        "forward": engine.forward, "train": engine.train, "pgd": engine.pgd,
        "pgd-at": lambda: engine.train(engine.pgd()), "clat": engine.clat,
        "criticality": engine.criticality})


if __name__ == "__main__":
    main()
