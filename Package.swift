// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "clat",
  products: [
    .executable(name: "clat", targets: ["clat"]),
    .library(name: "Runner", targets: ["Runner"]),
    .library(name: "IR", targets: ["IR"]),
    .library(name: "Models", targets: ["Models"]),
    .library(name: "ONNX", targets: ["ONNX"]),
    .library(name: "Engine", targets: ["Engine"]),
    .library(name: "Eager", targets: ["Eager"]),
    .library(name: "Adversarial", targets: ["Adversarial"]),
    .library(name: "Datasets", targets: ["Datasets"]),
    .library(name: "Storage", targets: ["Storage"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
  ],
  targets: [
    .target(name: "IR", path: "IR"),
    .target(
      name: "Kernels", path: "Kernels", exclude: ["tests", "kernels.def"],
      publicHeadersPath: "include",
      cSettings: [.unsafeFlags(["-fopenmp", "-O3"])],
      linkerSettings: [.linkedLibrary(":libomp.so.5"), .linkedLibrary("m")]),
    .target(
      name: "CImages", cSettings: [.unsafeFlags(["-O3"])],
      linkerSettings: [.linkedLibrary("jpeg"), .linkedLibrary("png")]),
    .target(
      name: "Datasets", dependencies: ["IR", "Storage", "CImages"],
      exclude: ["Resources/make_digits.py"],
      resources: [.copy("Resources/digits.bin")]),
    .systemLibrary(name: "CZlib", path: "Sources/CZlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "Storage", dependencies: ["IR", "CZlib"]),
    .systemLibrary(
      name: "COpenBLAS", path: "Sources/COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
    .target(name: "CLLVM"),
    .target(name: "Engine", dependencies: ["IR", "Kernels", "CLLVM"]),
    .target(name: "Eager", dependencies: ["IR", "Engine"]),
    .target(name: "Models", dependencies: ["IR"]),
    .target(
      name: "ONNX",
      dependencies: [
        "IR", "Models", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ], exclude: ["generate.sh", "Generated/NOTICE"]),
    .target(
      name: "Adversarial",
      dependencies: [
        "IR", "Models", "Engine", "Eager", "Datasets", "Storage",
        .product(name: "Yams", package: "Yams"),
      ]),
    .target(
      name: "Runner",
      dependencies: [
        "IR", "Models", "ONNX", "Engine", "Eager", "Adversarial", "Datasets", "Storage",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .executableTarget(name: "clat", dependencies: ["Runner"]),
    .target(
      name: "TestSupport", dependencies: ["IR", "Models", "Storage"], path: "Tests/TestSupport"),
    .testTarget(
      name: "IRTests", dependencies: ["IR", "Models", "Adversarial", "TestSupport"],
      exclude: ["Programs"]),
    .testTarget(name: "RunnerTests", dependencies: ["clat", "Storage"]),
    .testTarget(name: "KernelTests", dependencies: ["Kernels"]),
    .testTarget(
      name: "EngineTests",
      dependencies: ["IR", "Engine", "Eager", "Models", "COpenBLAS", "TestSupport"]),
    .testTarget(
      name: "DatasetsTests", dependencies: ["Datasets", "Storage", "IR", "CImages", "TestSupport"],
      exclude: ["range_server.py"]),
    .testTarget(name: "StorageTests", dependencies: ["Storage", "TestSupport"]),
    .testTarget(name: "ModelsTests", dependencies: ["Models", "IR", "TestSupport"]),
    .testTarget(
      name: "ONNXTests",
      dependencies: ["IR", "ONNX", "Models", "Adversarial", "Datasets", "Storage", "TestSupport"]),
    .testTarget(
      name: "FuzzTests",
      dependencies: ["IR", "ONNX", "Models", "Engine", "Datasets", "Storage", "TestSupport"]),
    .testTarget(
      name: "AdversarialTests",
      dependencies: [
        "IR", "Models", "Engine", "Eager", "Datasets", "Storage", "Adversarial", "TestSupport",
      ]),
  ]
)
