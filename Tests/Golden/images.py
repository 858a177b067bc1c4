"""Writes small JPEG and PNG files of every kind, what Pillow makes of them, and NumPy archives, to images/.

python3 Tests/Golden/images.py    (needs pillow 13.0, numpy 2.4 and safetensors)
"""

import pathlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).parent / "images"
SIZE = (37, 29)  # width, height
CROP = (5, 3, 28, 21)


def picture():
    """Waves, an edge and noise: something for every frequency."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    noise = np.random.default_rng(0).integers(-20, 20, (SIZE[1], SIZE[0], 3))
    waves = np.stack([np.sin(x / 5), np.cos(y / 4), np.sin((x + y) / 7)], axis=-1)
    image = 128 + 90 * waves + 60 * (x > y)[..., None] - 30 + noise
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def write_files():
    rgb = picture()
    alpha = rgb.convert("RGBA")
    ramp = np.arange(SIZE[0] * SIZE[1]) % 256
    alpha.putalpha(Image.fromarray(ramp.astype(np.uint8).reshape(SIZE[1], SIZE[0])))
    deep = np.asarray(rgb.convert("L"), dtype=np.uint16) * 257
    files = {
        "colour.jpg": (rgb, {"quality": 90}),
        "full.jpg": (rgb, {"quality": 95, "subsampling": 0}),
        "progressive.jpg": (rgb, {"quality": 80, "progressive": True}),
        "grey.jpg": (rgb.convert("L"), {"quality": 90}),
        "cmyk.jpg": (rgb.convert("CMYK"), {"quality": 90}),
        "colour.png": (rgb, {}),
        "palette.png": (rgb.quantize(32), {}),
        "alpha.png": (alpha, {}),
        "grey.png": (rgb.convert("L"), {}),
        "bits.png": (rgb.convert("1"), {}),
        "deep.png": (Image.fromarray(deep), {}),
    }
    for name, (image, options) in files.items():
        image.save(FOLDER / name, **options)
    return sorted(files)


def opened(name):
    if name == "deep.png":  # Pillow clips 16 bits; the rounded value is exact here.
        values = np.asarray(Image.open(FOLDER / name)).astype(np.uint32) // 257
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    return Image.open(FOLDER / name).convert("RGB")


def write_archives():
    images = np.arange(12 * 4 * 5 * 3).reshape(12, 4, 5, 3).astype(np.uint8)
    labels = np.arange(12) % 3
    np.savez(FOLDER / "stored.npz", image=images, label=labels)
    np.savez_compressed(FOLDER / "deflated.npz", images=images, labels=labels.astype(np.uint8))
    np.savez(FOLDER / "wrong-type.npz", x=images.astype(np.float32), y=labels)
    np.savez(FOLDER / "wrong-order.npz", x=images.transpose(0, 3, 1, 2), y=labels)
    np.savez(FOLDER / "wrong-label.npz", x=images, y=labels - 1)
    np.savez(FOLDER / "unnamed.npz", images)


def main():
    FOLDER.mkdir(exist_ok=True)
    tensors = {}
    for name in write_files():
        image = opened(name)
        tensors[name] = np.asarray(image)
        middle = image.resize((20 * SIZE[0] // SIZE[1], 20), Image.BILINEAR)
        left, top = round((middle.width - 16) / 2), round((middle.height - 16) / 2)
        tensors[f"{name} middle"] = np.asarray(middle.crop((left, top, left + 16, top + 16)))
        for side in (7, 16, 50):
            part = image.crop(CROP).resize((side, side), Image.BILINEAR)
            tensors[f"{name} crop {side}"] = np.asarray(part)
    write_archives()
    tensors = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    save_file(tensors, FOLDER / "expected.safetensors")


main()
