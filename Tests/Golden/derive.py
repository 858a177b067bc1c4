"""Weights, images, labels and noise derived from Philox4x32-10, so that no golden stores them.

The draw of element j of tensor i is the word that Swift gives as
`RandomStream(seed: seed, epoch: 0, purpose: .weights).words(item: i, index: j / 4)`, number j % 4.
All arithmetic below is float32 with one rounding per operation; README.md has the formulas.
"""

import numpy as np
import torch

IMAGES, LABELS, START, MOMENTUM, PROBE = 1000, 1001, 1002, 2000, 3000
WEIGHTS_PURPOSE = 1
MASK = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)


def philox(counter, key):
    """Philox4x32-10 of Salmon et al. 2011; `counter` is four uint32 arrays (held as uint64)."""
    c0, c1, c2, c3 = (np.asarray(c, np.uint64) for c in counter)
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = ((p1 >> SHIFT) ^ c1 ^ np.uint64(k0), p1 & MASK,
                          (p0 >> SHIFT) ^ c3 ^ np.uint64(k1), p0 & MASK)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def words(seed, item, count):
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    zero = np.zeros_like(blocks)
    counter = (blocks, zero + np.uint64(item), zero, zero + np.uint64(WEIGHTS_PURPOSE))
    key = (seed & 0xFFFFFFFF, seed >> 32)
    return np.stack(philox(counter, key), axis=1).reshape(-1)[:count]


def uniform(seed, item, shape):
    """u in [0, 1) with 24 random bits, float32."""
    draws = words(seed, item, int(np.prod(shape))) >> np.uint64(8)
    return (draws.astype(np.float32) * np.float32(2.0 ** -24)).reshape(shape)


def signed(seed, item, shape):
    """t = 2u - 1, exact in float32."""
    return np.float32(2) * uniform(seed, item, shape) - np.float32(1)


def tensor(seed, index, name, value, norms, shift):
    module, kind = name.rsplit(".", 1)
    shape = tuple(value.shape)
    if kind == "running_var":
        return np.float32(0.5) + uniform(seed, index, shape)
    if kind == "weight" and module in norms:
        return np.float32(0.75) + np.float32(0.5) * uniform(seed, index, shape)
    if kind == "weight":
        fan_in = int(np.prod(shape[1:]))
        return signed(seed, index, shape) * np.float32(0.7 * np.sqrt(6.0 / fan_in))
    values = signed(seed, index, shape) * np.float32(0.1)
    return values + np.float32(shift) if kind == "bias" and module in norms else values


def state_names(model):
    """Names in state_dict order without num_batches_tracked; a name's place is its tensor index."""
    return [n for n in model.state_dict() if not n.endswith("num_batches_tracked")]


def load(model, seed, shift=0.0):
    """Fill `model` with derived weights, in place; `shift` is added to every batch norm's bias."""
    norms = {n for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)}
    state = model.state_dict()
    for index, name in enumerate(state_names(model)):
        state[name] = torch.from_numpy(tensor(seed, index, name, state[name], norms, shift))
    model.load_state_dict(state)
    return model


def momentum(model, seed):
    """Momentum buffers of the parameters: t * 0.01, item 2000 + the parameter's tensor index."""
    index = {name: i for i, name in enumerate(state_names(model))}
    return {name: torch.from_numpy(
        signed(seed, MOMENTUM + index[name], tuple(p.shape)) * np.float32(0.01))
        for name, p in model.named_parameters()}


def probe(seed, index, shape):
    """The vector t on which tensor `index` is projected."""
    return torch.from_numpy(signed(seed, PROBE + index, tuple(shape)))


def batch(seed, count, size, classes=10, channels=3):
    """Images (count, channels, size, size) in [0, 1) and labels (count)."""
    images = uniform(seed, IMAGES, (count, channels, size, size))
    labels = words(seed, LABELS, count) % np.uint64(classes)
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))


def start(seed, images, epsilon):
    """clamp(x + epsilon * t, 0, 1), computed in float64 and rounded to float32."""
    noise = torch.from_numpy(signed(seed, START, tuple(images.shape)))
    return (images.double() + epsilon * noise.double()).clamp(0, 1).float()
