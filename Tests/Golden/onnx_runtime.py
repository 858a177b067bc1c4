"""`python onnx_runtime.py NET.onnx EXPECTED.safetensors`: whether onnx finds the file well formed and
onnxruntime computes its logits: to 1e-5 of the largest."""

import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

network, expected = sys.argv[1], load_file(sys.argv[2])
onnx.checker.check_model(network, full_check=True)
session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
logits = session.run(["logits"], {"images": expected["images"]})[0]
error = np.abs(logits - expected["logits"]).max() / np.abs(expected["logits"]).max()
sys.exit(0 if error < 1e-5 else f"{network}: logits differ by {error}")
