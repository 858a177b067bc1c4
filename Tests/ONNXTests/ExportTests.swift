import Adversarial
import Foundation
import IR
import Models
import Storage
import TestSupport
import Testing

@testable import ONNX

/// Networks of ours as ONNX files.
@Suite struct ExportTests {
  private static let registry = [
    "small-cnn:width=4", "resnet18:width=2", "resnet20:width=4", "resnet50:width=2",
    "preact-resnet18:width=2", "wrn-10-1", "vgg16:width=2", "densenet121:growth=2",
  ]

  private func model(_ name: String, size: Int = 32) throws -> Model {
    try Model(
      ModelSpec(name), imageShape: (size, size, 3), classes: 10, mean: [0.5, 0.4, 0.3],
      std: [0.2, 0.25, 0.3])
  }

  private func images(_ count: Int, size: Int = 32) -> [Float] {
    (0..<count * size * size * 3).map { Float(($0 * 7919) % 1009) / 1009 }
  }

  /// Weights with batch norms that do something.
  private func values(_ model: Model) -> [String: [Float]] {
    var values = model.initialValues(seed: 5)
    for parameter in model.parameters where parameter.kind != .weight {
      values[parameter.name] = (0..<parameter.count).map { 0.5 + Float($0 % 7) / 8 }
    }
    return values
  }

  /// What is written reads back as the same network: same names, layers and logits.
  @Test(arguments: registry)
  func roundTrip(name: String) throws {
    let model = try model(name)
    let own = ImportedNetwork(try model.graph(), values: values(model))
    let file = try ONNXFile.write(model, values: #require(own.values))
    let copy = try ONNXFile.read(file)
    #expect(copy.notes.isEmpty && copy.network.values == own.values)
    let read = try copy.network.model(named: name)
    #expect(Set(read.parameters.map(\.name)) == Set(model.parameters.map(\.name)))
    #expect(read.layers.map(\.name) == model.layers.map(\.name))
    #expect(read.allLayers.map(\.kind) == model.allLayers.map(\.kind))
    let images = images(2)
    #expect(try relativeError(copy.network.logits(images), own.logits(images)) < 1e-5)
    #expect(try ONNXFile.write(read, values: #require(own.values)) == file)
  }

  /// ONNX to ours to ONNX to ours.
  @Test(arguments: Goldens.names)
  func rewrites(name: String) throws {
    let first = try Goldens.read(name).network
    let file = try ONNXFile.write(
      first.model(named: name), values: #require(first.values))
    let second = try ONNXFile.read(file).network
    #expect(second.values == first.values)
    #expect(
      try relativeError(second.logits(Goldens.images), first.logits(Goldens.images)) < 1e-6)
  }

  /// The file has the shape that other tools expect.
  @Test func fileForm() throws {
    let model = try model("resnet20:width=4")
    let file = try Onnx_ModelProto(
      serializedBytes: ONNXFile.write(model, values: values(model)))
    #expect(file.irVersion == 9 && file.opsetImport.map(\.version) == [20])
    let graph = file.graph
    let input = graph.input[0].type.tensorType.shape.dim
    #expect(graph.input.map(\.name) == ["images"] && graph.output.map(\.name) == ["logits"])
    #expect(input[0].dimParam == "batch" && input[1...].map(\.dimValue) == [3, 32, 32])
    #expect(graph.node.prefix(3).map(\.opType) == ["Sub", "Div", "Conv"])
    #expect(graph.node[2].name == "/conv1/Conv")
    #expect(graph.node.count { $0.opType == "BatchNormalization" } == 19)
    let names = Set(graph.initializer.map(\.name))
    #expect(names.isSuperset(of: model.parameters.map(\.name)))
  }

  @Test func missingValues() throws {
    let model = try model("small-cnn:width=4")
    let found = message { _ = try ONNXFile.write(model, values: [:]) }
    #expect(found == "no values for 'conv1.weight'")
  }

  /// Written files under onnxruntime.
  @Test(
    .enabled(if: python != nil, "CLAT_PYTHON (with onnx and onnxruntime) is not set"),
    arguments: registry + Goldens.names)
  func runtime(name: String) throws {
    let folder = NSTemporaryDirectory() + "clat-onnx-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let isGolden = Goldens.names.contains(name)
    let model = isGolden ? try Goldens.read(name).network.model(named: name) : try model(name)
    let weights = isGolden ? try #require(Goldens.read(name).network.values) : values(model)
    let (height, width, channels) = model.imageShape
    let images = images(3, size: height)
    let logits = try ImportedNetwork(model.graph(), values: weights).logits(images)
    try ONNXFile.write(model, values: weights)
      .write(to: URL(fileURLWithPath: folder + "/net.onnx"))
    let planar = ImageLayout.planar(images, height: height, width: width, channels: channels)
    try Safetensors(tensors: [
      StoredTensor(name: "images", shape: [3, channels, height, width], values: planar),
      StoredTensor(name: "logits", shape: [3, 10], values: logits.map { Float($0) }),
    ]).write(to: folder + "/expected.safetensors")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.python))
    process.arguments = [
      Goldens.folder + "/../onnx_runtime.py", folder + "/net.onnx",
      folder + "/expected.safetensors",
    ]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  static let python = ProcessInfo.processInfo.environment["CLAT_PYTHON"]
}
