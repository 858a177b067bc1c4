"""Writes digits.bin: the 1,797 8x8 digits of the UCI optdigits test file, in UCI order.

    python3 -m venv venv && venv/bin/pip install scikit-learn && venv/bin/python make_digits.py

A record is one label byte (0-9) and 64 grey bytes (0-16), row by row. Data: E. Alpaydin and C. Kaynak,
"Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998, CC BY 4.0.
"""

from pathlib import Path

import numpy
from sklearn.datasets import load_digits

digits = load_digits()
pixels = digits.data.astype(numpy.uint8)
assert pixels.shape == (1797, 64) and pixels.max() == 16 and (pixels == digits.data).all()
records = numpy.concatenate([digits.target.astype(numpy.uint8)[:, None], pixels], axis=1)
Path(__file__).with_name("digits.bin").write_bytes(records.tobytes())
