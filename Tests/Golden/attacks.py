"""Adversarial training's pieces in plain PyTorch: PGD, criticality and the CLAT step."""

import torch
import torch.nn.functional as F

EPSILON, STEP, STEPS = 8 / 255, 2 / 255, 10


def tiny_fraction(gradient):
    """Share of elements whose sign rounding could flip: |g| < 1e-7 max|g|."""
    magnitude = gradient.abs()
    return (magnitude < 1e-7 * magnitude.max()).double().mean()


def sign_ascent(objective, x, start, steps=STEPS):
    """Iterates 0...steps of x <- clip(x + step * sign(g)), their objectives, and tiny fractions."""
    iterates, values, tiny = [start], [], []
    for _ in range(steps):
        point = iterates[-1].detach().requires_grad_()
        value = objective(point)
        gradient, = torch.autograd.grad(value, point)
        moved = point.detach() + STEP * gradient.sign()
        moved = torch.minimum(torch.maximum(moved, x - EPSILON), x + EPSILON).clamp(0, 1)
        iterates.append(moved)
        values.append(value.detach())
        tiny.append(tiny_fraction(gradient))
    values.append(objective(iterates[-1]).detach())
    return iterates, torch.stack(values), torch.stack(tiny)


def pgd(model, x, y, start):
    return sign_ascent(lambda p: F.cross_entropy(model(p), y), x, start)


def features(model, x):
    taps = {}
    logits = model(x, taps)
    return logits, taps


def distances(clean, moved, names, floor=0.0):
    """Per layer and image, ||F_i(x + d) - F_i(x)||_2; shape (layers, batch)."""
    return torch.stack([
        ((moved[n] - clean[n]).flatten(1).square().sum(1) + floor).sqrt() for n in names])


def criticality(model, x, adversarial):
    """Weakness W_i (batch mean of the distance over N_i), C_i = W_i / W_{i-1} with C_0 = W_0."""
    with torch.no_grad():
        clean, moved = features(model, x)[1], features(model, adversarial)[1]
    names = list(clean)
    sizes = torch.tensor([clean[n][0].numel() for n in names])
    distance = distances(clean, moved, names)
    weakness = distance.mean(1) / sizes
    ratio = torch.cat([weakness[:1], weakness[1:] / weakness[:-1]])
    return names, sizes, distance, weakness, ratio


def feature_loss(clean, moved, selected):
    """L_C: batch mean of the sum over the selected layers, norm sqrt(s + 1e-12)."""
    return distances(clean, moved, selected, floor=1e-12).sum(0).mean()


def clat_inner(model, x, start, selected):
    with torch.no_grad():
        clean = features(model, x)[1]
    return sign_ascent(lambda p: feature_loss(clean, features(model, p)[1], selected), x, start)


def clat_objective(model, x, y, adversarial, selected, weight, detach):
    """CE(F(x), y), L_C, and the gradients of CE + weight * L_C for the selected weights."""
    logits, clean = features(model, x)
    if detach:
        clean = {n: v.detach() for n, v in clean.items()}
    entropy = F.cross_entropy(logits, y)
    distance = feature_loss(clean, features(model, adversarial)[1], selected)
    parameters = [model.get_parameter(n + ".weight") for n in selected]
    gradients = torch.autograd.grad(entropy + weight * distance, parameters)
    return entropy.detach(), distance.detach(), gradients
