"""Writes checkpoints/: small files of torch.save in all its forms, and what is in them.

    python checkpoints.py

`expected.safetensors` holds every tensor as `FILE/PATH`, where PATH joins the keys of nested
dictionaries by dots. `hostile/` holds files that must be refused. `ours.pth` is clat's, of

    clat convert checkpoints/zip.pth checkpoints/ours.pth

and `resaved.pth` what PyTorch makes of it, once it has been found to be the same.
"""

import argparse
import collections
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(__file__).parent / "checkpoints"
LEGACY = {"_use_new_zipfile_serialization": False}


def network():
    net = nn.Sequential(collections.OrderedDict(
        conv1=nn.Conv2d(1, 3, 3, bias=False), bn1=nn.BatchNorm2d(3), linear=nn.Linear(3, 2)))
    for index, tensor in enumerate(net.state_dict().values()):
        if tensor.is_floating_point():
            values = torch.arange(tensor.numel()).reshape(tensor.shape)
            tensor.copy_(torch.sin(values + index))
    return net


def views():
    base = torch.arange(24, dtype=torch.float32)
    kinds = ("float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
             "uint16", "uint32", "uint64")
    tensors = {
        "whole": base, "transposed": base.reshape(4, 6).t(), "part": base[5:9],
        "steps": base[1::7], "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "expanded": base[:1].expand(3, 4), "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3), "channels_last": base.reshape(1, 2, 3, 4).to(
            memory_format=torch.channels_last)}
    for kind in kinds:
        tensors[kind] = torch.arange(-2, 4).to(getattr(torch, kind))
    return tensors


def nested():
    torch.manual_seed(0)
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    state = net.state_dict()
    module = {"module." + name: tensor.clone() for name, tensor in state.items()}
    optimizer.step()
    return {"epoch": 3, "arch": "net", "best": np.float64(0.5), "loss": 1.25, "done": True,
            "args": argparse.Namespace(lr=0.1, layers=[1, 2]), "nothing": None,
            "state_dict": module, "ema": {name: tensor * 2 for name, tensor in module.items()
                                          if tensor.is_floating_point()},
            "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()[:8].clone(),
            "history": collections.defaultdict(list, {"loss": [1.0, 2.0]}),
            "device": torch.device("cpu"), "size": torch.Size([1, 2]), "type": torch.float32,
            "names": {"a"}, "raw": b"\x00\xff", "large": 1 << 70}


def typed(kind):
    return {name: tensor.to(kind) if tensor.is_floating_point() else tensor
            for name, tensor in network().state_dict().items()}


def contents():
    """name -> (object, arguments of torch.save)"""
    state = network().state_dict()
    return {
        "zip.pth": (state, {}), "legacy.th": (state, LEGACY),
        "half.pth": (typed(torch.float16), {}), "bfloat16.pth": (typed(torch.bfloat16), {}),
        "double.th": (typed(torch.float64), LEGACY), "views.pth": (views(), {}),
        "views.th": ({k: v for k, v in views().items() if k[:5] not in ("uint1", "uint3", "uint6")},
                     LEGACY),
        "nested.pth": (nested(), {}), "nested.th": (nested(), LEGACY),
        "protocol4.pth": (nested(), {"pickle_protocol": 4}),
        "parameters.pth": (dict(network().named_parameters()), {}),
        "list.pth": (list(network().parameters()), {}),
    }


def flattened(value, path=""):
    if isinstance(value, torch.Tensor):
        yield path, value.detach().clone().contiguous()
    elif isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from flattened(item, f"{path}.{key}" if path else str(key))


def changed(source, target, change):
    """Writes an archive again with `change(name, bytes)` for every entry."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            renamed, data, method = change(info.filename, old.read(info))
            entry = zipfile.ZipInfo(renamed, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = method
            new.writestr(entry, data)


def big_endian(name, data):
    if name.endswith("byteorder"):
        data = b"big"
    if "/data/" in name:
        size = 8 if name.endswith("/5") else 4  # num_batches_tracked
        data = np.frombuffer(data, f"<u{size}").byteswap().tobytes()
    return name, data, zipfile.ZIP_STORED


class Call:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile():
    yield "system.pth", Call(os.system, "true"), {}
    yield "system.th", {"state_dict": Call(os.system, "true")}, LEGACY
    yield "eval.pth", [Call(eval, "1")], {"pickle_protocol": 4}
    yield "module.pth", network(), {}
    yield "array.pth", {"a": np.zeros(3)}, {}


def resave(expected):
    ours = torch.load(FOLDER / "ours.pth", weights_only=True)
    assert list(ours) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(ours[name], tensor) and ours[name].dtype == tensor.dtype, name
    network().load_state_dict(ours)
    torch.save(ours, FOLDER / "resaved.pth")


def main():
    (FOLDER / "hostile").mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, (value, arguments) in contents().items():
        torch.save(value, FOLDER / name, **arguments)
        expected |= {f"{name}/{path}": tensor for path, tensor in flattened(value)}
    source = FOLDER / "zip.pth"
    changed(source, FOLDER / "big.pth", big_endian)
    changed(source, FOLDER / "deflated.pth", lambda name, data: (
        "any name/" + name.split("/", 1)[1], data, zipfile.ZIP_DEFLATED))
    for name in ("big.pth", "deflated.pth"):
        expected |= {f"{name}/{path}": t for path, t in flattened(contents()["zip.pth"][0])}
    save_file(expected, FOLDER / "expected.safetensors")
    for name, value, arguments in hostile():
        torch.save(value, FOLDER / "hostile" / name, **arguments)
    (FOLDER / "hostile" / "plain.pkl").write_bytes(pickle.dumps({"a": 1}, protocol=2))
    resave(network().state_dict())


if __name__ == "__main__":
    main()
