"""Writes the goldens: `python generate.py [--out DIR] [--float32] [--cifar FILE --weights FILE]`.

Everything is computed in float64 from float32 weights and inputs and rounded to float32 at the end.
`--float32` computes in float32 instead: comparing the two directories shows what rounding costs.
"""

import argparse
import json
from collections import namedtuple
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import attacks
import derive
from networks import NETWORKS, main_path

LAMBDA, INPUTS_SEED = 0.1, 1
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DTYPE = torch.float64

# `shift` moves the batch norms' biases: where most units are positive, a deep network has fewer
# ReLUs that rounding could switch.
Case = namedtuple("Case", "network arguments batch size seed channels shift",
                  defaults=(3, 0.0))

# Seeds are those that seeds.py finds.
NETWORK_CASES = {
    "small-cnn": Case("small-cnn", {}, 4, 32, 1),
    "resnet18-8": Case("resnet18", {"width": 8}, 4, 32, 15),
    "resnet34-4": Case("resnet34", {"width": 4}, 4, 16, 1, shift=1.0),
    "resnet50-4": Case("resnet50", {"width": 4}, 4, 16, 3, shift=1.0),
    "resnet101-2": Case("resnet101", {"width": 2}, 4, 16, 1, shift=1.0),
    "resnet18-imagenet-4": Case("resnet18-imagenet", {"width": 4}, 4, 64, 1, shift=1.0),
    "resnet34-imagenet-2": Case("resnet34-imagenet", {"width": 2}, 4, 64, 1, shift=1.0),
    "resnet50-imagenet-4": Case("resnet50-imagenet", {"width": 4}, 4, 64, 1, shift=1.0),
    "resnet101-imagenet-2": Case("resnet101-imagenet", {"width": 2}, 4, 64, 1, shift=1.0),
    "preact-resnet18-4": Case("preact-resnet18", {"width": 4}, 4, 16, 1),
    "preact-resnet18-norm-4": Case(
        "preact-resnet18", {"width": 4, "final-norm": "yes"}, 4, 16, 3),
    "preact-resnet34-2": Case("preact-resnet34", {"width": 2}, 4, 16, 1, shift=1.0),
    "resnet20-A": Case("resnet20", {"shortcut": "A"}, 2, 32, 1),
    "resnet20-B": Case("resnet20", {"shortcut": "B"}, 2, 16, 1),
    "resnet32-A": Case("resnet32", {"shortcut": "A"}, 2, 16, 4),
    "resnet44-A": Case("resnet44", {"shortcut": "A"}, 2, 16, 1),
    "resnet56-A": Case("resnet56", {"shortcut": "A"}, 2, 16, 6),
    "wrn-10-2": Case("wrn", {"depth": 10, "width": 2}, 2, 16, 2),
    "wrn-16-1": Case("wrn", {"depth": 16, "width": 1}, 2, 32, 1),
    "wrn-34-1": Case("wrn", {"depth": 34, "width": 1}, 2, 16, 2, shift=1.0),
    "dm-wrn-16-1": Case("dm-wrn-70-16", {"depth": 16, "width": 1}, 2, 16, 1),
    "dm-wrn-10-1-relu": Case(
        "dm-wrn-70-16", {"depth": 10, "width": 1, "activation": "relu"}, 2, 16, 1),
    "rawrn-4": Case("rawrn-70-16", {"depths": "2/3/1", "width": 8, "stem": 6}, 2, 16, 1),
    "vgg16-8": Case("vgg16", {"width": 8}, 4, 32, 1),
    "vgg19-8": Case("vgg19", {"width": 8}, 4, 32, 2),
    "vgg16-mlp-4": Case("vgg16-mlp", {"width": 4, "hidden": 24, "dropout": 0.0}, 4, 32, 4),
    "vgg19-mlp-4": Case("vgg19-mlp", {"width": 4, "hidden": 24, "dropout": 0.0}, 4, 32, 1),
    "densenet121-4": Case("densenet121", {"growth": 4}, 4, 16, 22, shift=1.0),
    "densenet121-imagenet-2": Case(
        "densenet121-imagenet", {"growth": 2}, 4, 64, 1, shift=1.0),
    "mnist-madry-4": Case("mnist-madry", {"width": 4, "hidden": 24}, 4, 28, 1, channels=1),
    "mnist-trades-4": Case(
        "mnist-trades", {"width": 4, "hidden": 20, "dropout": 0.0}, 4, 28, 1, channels=1),
}
ATTACK_CASES = {
    "small-cnn": Case("small-cnn", {}, 4, 32, 1),
    "resnet18-8": Case("resnet18", {"width": 8}, 2, 32, 133),
    "wrn-16-1": Case("wrn", {"depth": 16, "width": 1}, 2, 32, 100),
}


def perturb(model, noise):
    """Relative noise on every weight, to measure what rounding may change."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1 + noise * torch.randn_like(parameter)
    return model


def build(case, noise):
    arguments = {k.replace("-", "_"): v for k, v in case.arguments.items()}
    model = NETWORKS[case.network](**arguments)
    model = derive.load(model, case.seed, case.shift).to(DTYPE).eval()
    x, y = derive.batch(case.seed, case.batch, case.size, channels=case.channels)
    return perturb(model, noise), x.to(DTYPE), y


def norm_modules(model):
    return [n for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)]


def in_full(model, path):
    """Parameters stored whole: first and middle convolution, middle batch norm, linear."""
    norms = norm_modules(model)
    middle, linear = norms[len(norms) // 2], list(model.named_parameters())[-1][0]
    linear = linear.rsplit(".", 1)[0]
    return [path[0] + ".weight", path[len(path) // 2] + ".weight", middle + ".weight",
            middle + ".bias", linear + ".weight", linear + ".bias"]


def running(model, prefix):
    norms, state = norm_modules(model), model.state_dict()
    if not norms:
        return {}
    return {f"{prefix}.{n}.{k}": state[f"{n}.{k}"].clone()
            for n in (norms[0], norms[-1]) for k in ("running_mean", "running_var")}


def digest(prefix, tensors, seed):
    """Norms, and projections on derived vectors: an error in any tensor changes them."""
    probes = [derive.probe(seed, i, t.shape).to(DTYPE) for i, t in enumerate(tensors)]
    return {f"{prefix}.l2": torch.stack([t.norm() for t in tensors]),
            f"{prefix}.projection": torch.stack([(t * p).sum() for t, p in zip(tensors, probes)])}


def sort_metadata(path):
    """Rewrite the header with sorted metadata, which the library writes in random order."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])


def write(path, tensors, **metadata):
    rounded = {}
    for name, value in tensors.items():
        value = value.detach()
        value = value.reshape(1) if value.dim() == 0 else value
        rounded[name] = (value.float() if value.is_floating_point() else value).contiguous()
    text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
    save_file(rounded, path, metadata=text)
    sort_metadata(path)
    print(f"{path.name}: {path.stat().st_size} bytes")


def describe(case, model, x):
    return {"network": case.network, "arguments": case.arguments, "seed": str(case.seed),
            "batch": str(case.batch), "size": str(case.size), "channels": str(case.channels),
            "shift": str(case.shift), "layers": main_path(model, x),
            "parameters": [n for n, _ in model.named_parameters()]}


def forward_backward(model, x, y):
    x = x.clone().requires_grad_()
    logits = model(x)
    loss = F.cross_entropy(logits, y)
    names, parameters = zip(*model.named_parameters())
    gradients = torch.autograd.grad(loss, [x, *parameters])
    return logits, loss, gradients[0], dict(zip(names, gradients[1:]))


def network_golden(case, noise=0.0):
    """Tensors and facts of one network's forward and backward pass in eval and train mode."""
    model, x, y = build(case, noise)
    facts = describe(case, model, x)
    clean = attacks.features(model, x[:1])[1]
    tensors = {"eval.features": torch.stack([f.norm() for f in clean.values()])}
    for mode in ("eval", "train"):
        logits, loss, input_gradient, gradients = forward_backward(
            model.train(mode == "train"), x, y)
        if mode == "eval":
            tensors["eval.input_gradient"] = input_gradient
        tensors |= {f"{mode}.logits": logits, f"{mode}.loss": loss,
                    **digest(f"{mode}.gradient", [*gradients.values(), input_gradient], case.seed)}
    return tensors | running(model, "train"), facts


def sgd_golden(model, x, y, seed):
    """One step on `x` in train mode; lr 0.1, momentum 0.9, weight decay 5e-4 on every parameter."""
    model.train()
    buffers = derive.momentum(model, seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    for name, parameter in model.named_parameters():
        optimizer.state[parameter]["momentum_buffer"] = buffers[name].to(DTYPE)
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    updated = dict(model.named_parameters())
    moments = [optimizer.state[p]["momentum_buffer"] for p in updated.values()]
    full = in_full(model, main_path(model, x))
    return {"sgd.loss": loss, **digest("sgd.updated", list(updated.values()), seed),
            **digest("sgd.momentum", moments, seed), **running(model, "sgd"),
            **{f"sgd.updated.{n}": updated[n] for n in full}}


def criticality_golden(model, x, adversarial):
    names, sizes, distance, weakness, ratio = attacks.criticality(model, x, adversarial)
    ranked = sorted(range(len(names)), key=lambda i: -ratio[i])
    return [names[i] for i in sorted(ranked[:2])], {
        "criticality.sizes": sizes, "criticality.distance": distance,
        "criticality.weakness": weakness, "criticality.ratio": ratio,
        "criticality.ranking": torch.tensor(ranked)}


def clat_golden(model, x, y, start, selected):
    iterates, values, tiny = attacks.clat_inner(model, x, start, selected)
    adversarial = iterates[-1].float().to(DTYPE)
    tensors = {"clat.inner": values, "clat.tiny_fraction": tiny,
               "clat.adversarial.1": iterates[1], "clat.adversarial.10": iterates[-1]}
    for detach, prefix in ((False, "clat.gradient"), (True, "clat.gradient_detached")):
        entropy, distance, gradients = attacks.clat_objective(
            model, x, y, adversarial, selected, LAMBDA, detach)
        tensors |= {f"{prefix}.{n}.weight": g for n, g in zip(selected, gradients)}
    return tensors | {"clat.lambda": torch.tensor([LAMBDA]), "clat.cross_entropy": entropy,
                      "clat.feature_loss": distance, "clat.loss": entropy + LAMBDA * distance}


def attack_golden(case, noise=0.0):
    """Tensors and facts of PGD, criticality, the CLAT step and an adversarial SGD step."""
    model, x, y = build(case, noise)
    facts = describe(case, model, x)
    start = derive.start(case.seed, x.float(), attacks.EPSILON).to(DTYPE)
    iterates, losses, tiny = attacks.pgd(model, x, y, start)
    tensors = {"pgd.loss": losses, "pgd.tiny_fraction": tiny,
               **{f"pgd.adversarial.{i}": iterates[i] for i in (1, 2, 10)}}
    adversarial = iterates[-1].float().to(DTYPE)
    selected, weights = criticality_golden(model, x, adversarial)
    tensors |= weights | clat_golden(model, x, y, start, selected)
    tensors |= sgd_golden(model, adversarial, y, case.seed)
    return tensors, facts | {"selected": selected}


def inputs_golden(out):
    """The derived batch and start, to check a generator against before anything else."""
    x, y = derive.batch(INPUTS_SEED, 4, 32)
    start = derive.start(INPUTS_SEED, x, attacks.EPSILON)
    write(out / "inputs.safetensors", {"images": x, "labels": y, "start": start},
          seed=str(INPUTS_SEED))


def read_cifar(path, count):
    records = np.fromfile(path, np.uint8, count * 3073).reshape(count, 3073)
    images = records[:, 1:].reshape(count, 3, 32, 32).astype(np.float32) / np.float32(255)
    return torch.from_numpy(images), torch.from_numpy(records[:, 0].astype(np.int64))


class Normalised(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
        self.mean = torch.tensor(MEAN, dtype=DTYPE).view(1, 3, 1, 1)
        self.std = torch.tensor(STD, dtype=DTYPE).view(1, 3, 1, 1)

    def forward(self, x, taps=None):
        return self.model((x - self.mean) / self.std, taps)


def published(weights):
    model = NETWORKS["resnet20"]()
    missing, unexpected = model.load_state_dict(load_file(weights), strict=False)
    assert not unexpected and all(n.endswith("num_batches_tracked") for n in missing)
    return Normalised(model.to(DTYPE).eval())


def published_golden(weights, cifar, out, count=8):
    x, y = read_cifar(cifar, count)
    logits, loss, gradient, _ = forward_backward(published(weights), x.to(DTYPE), y)
    write(out / "published-resnet20.safetensors",
          {"logits": logits, "loss": loss, "input_gradient": gradient, "labels": y,
           "input_gradient.tiny_fraction": attacks.tiny_fraction(gradient)},
          mean=list(MEAN), std=list(STD))


def published_logits(checkpoint, cifar, out, count=1000):
    """Logits and accuracy by the published checkpoint itself, read by torch.load."""
    state = torch.load(checkpoint, "cpu", weights_only=True)["state_dict"]
    model = NETWORKS["resnet20"]()
    model.load_state_dict({name.removeprefix("module."): tensor for name, tensor in state.items()})
    x, y = read_cifar(cifar, count)
    with torch.no_grad():
        logits = Normalised(model.to(DTYPE).eval())(x.to(DTYPE))
    correct = (logits.argmax(1) == y).sum()
    write(out / "published-resnet20-logits.safetensors", {"logits": logits, "correct": correct},
          mean=list(MEAN), std=list(STD))


def main():
    global DTYPE
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--float32", action="store_true")
    parser.add_argument("--cifar", help="CIFAR-10 test_batch.bin")
    parser.add_argument("--weights", help="resnet20-cifar10.safetensors")
    parser.add_argument("--checkpoint", help="resnet20-12fca82f.th")
    options = parser.parse_args()
    DTYPE = torch.float32 if options.float32 else torch.float64
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    inputs_golden(options.out)
    for name, case in NETWORK_CASES.items():
        tensors, facts = network_golden(case)
        write(options.out / f"network-{name}.safetensors", tensors, **facts)
    for name, case in ATTACK_CASES.items():
        tensors, facts = attack_golden(case)
        write(options.out / f"attack-{name}.safetensors", tensors, **facts)
    if options.cifar and options.weights:
        published_golden(options.weights, options.cifar, options.out)
    if options.cifar and options.checkpoint:
        published_logits(options.checkpoint, options.cifar, options.out)


if __name__ == "__main__":
    main()
