#!/usr/bin/env bash
# Generates Generated/onnx.pb.swift from onnx.proto with SwiftProtobuf's plugin of the version that
# the package resolves to. Needs Python with venv, and git. The schema is ONNX's, under the Apache
# License 2.0; Generated/NOTICE is its notice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n '/swift-protobuf"/,/version/s/.*"version" : "\(.*\)".*/\1/p' \
  ../../Package.resolved 2>/dev/null || true)
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet install grpcio-tools onnx==1.23.2
git clone --quiet --depth 1 --branch "${version:-1.39.0}" \
  https://github.com/apple/swift-protobuf "$work/plugin"
swift build --package-path "$work/plugin" --product protoc-gen-swift
proto=$("$work/venv/bin/python" -c 'import onnx, os; print(os.path.dirname(onnx.__file__))')
"$work/venv/bin/python" -m grpc_tools.protoc -I "$proto" \
  --plugin="protoc-gen-swift=$work/plugin/.build/debug/protoc-gen-swift" \
  --swift_opt=Visibility=Internal --swift_out=Generated "$proto/onnx.proto"
