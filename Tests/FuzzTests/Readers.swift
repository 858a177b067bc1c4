import Foundation
import IR
import Models
import TestSupport

@testable import Datasets
@testable import Engine
@testable import ONNX
@testable import Storage

extension Reader {
  static let all = [
    safetensors, torch, pickle, onnx, text, idx, npz, npy, cifar, program,
  ]

  static let safetensors = Reader(
    name: "safetensors",
    corpus: {
      let seeds = try StoredType.allCases.map { type in
        try StoredTensor(
          name: "a.\(type.rawValue)", type: type, shape: [2, 3],
          bytes: Data(count: StoredTensor.byteCount(type, [2, 3]) ?? 0))
      }
      let own = Safetensors(tensors: seeds, metadata: ["clat": #"{"network":"x","epoch":"3"}"#])
      return try goldens("checkpoints", "safetensors") + [[UInt8](own.encoded())]
    },
    errors: [StorageError.self],
    read: { try weights($0, "f.safetensors") })

  static let torch = Reader(
    name: "torch",
    corpus: { try goldens("checkpoints", "pth", "th") + goldens("checkpoints/hostile", "pth") },
    errors: [StorageError.self],
    read: { try weights($0, "f.pth") })

  private static func weights(_ bytes: Data, _ file: String) throws -> String {
    let file = try WeightFile.decode(bytes, file: file)
    _ = file.parts
    return "\(Set(file.tensors.map { $0.type.rawValue }).sorted())"
  }

  /// Behind the archive's checksums.
  static let pickle = Reader(
    name: "pickle",
    corpus: {
      try (goldens("checkpoints", "pth") + goldens("checkpoints/hostile", "pth")).compactMap {
        let archive = try ZipArchive(Data($0), file: "f")
        return try archive.entries.first { $0.name.hasSuffix("data.pkl") }
          .map { [UInt8](try archive.contents($0)) }
      } + goldens("checkpoints/hostile", "pkl")
    },
    errors: [StorageError.self],
    read: { bytes in
      var writer = ZipWriter()
      try writer.add("a/data.pkl", bytes, file: "f")
      for (index, size) in [16, 24, 48, 96, 8, 4].enumerated() {
        try writer.add("a/data/\(index)", Data(count: size), file: "f")
      }
      return try weights(writer.encoded(), "f.pth")
    })

  static let onnx = Reader(
    name: "onnx",
    corpus: { try goldens("onnx", "onnx") },
    errors: [ModelError.self],
    read: { try "\(ONNXFile.read($0).network.network.graph.nodes.map(\.op))" })

  static let text = Reader(
    name: "ir",
    corpus: {
      let folder = GoldenFile.folder + "/../IRTests/Programs"
      let tests = try ProgramTest.load(folder: folder).map { Array($0.source.utf8) }
      let models = try ["mobile-dynamo", "preact-dynamo", "vgg-legacy", "densenet-legacy"].map {
        let file = URL(fileURLWithPath: GoldenFile.folder + "/onnx/\($0).onnx")
        return try Array(ONNXFile.read(Data(contentsOf: file)).network.network.graph.text.utf8)
      }
      return tests + models
    },
    errors: [IRError.self, ModelError.self],
    // A node that breaks a rule is shown among its neighbours.
    tellsInOneLine: false,
    read: { bytes in
      let graph = try Graph(parsing: String(decoding: bytes, as: UTF8.self))
      guard try Graph(parsing: graph.text).text == graph.text else { throw Unlike() }
      try Verifier.verify(graph)
      return "\(try NetworkGraph(graph).parameters.count)"
    })

  /// The text of a graph is not read as the graph.
  private struct Unlike: Error {}

  static let program = Reader(
    name: "program",
    corpus: {
      try ["conv2d_input_grad", "fused", "batch_norm", "max_pool2d", "linear"].compactMap {
        guard let definition = try? OpRegistry.definition($0) else { return nil }
        let graph = try Graph(of: definition, definition.samples[0])
        let program = try Compiler.compile(graph, options: .init(threads: 1)).program
        return ProgramWriter.bytes(try ProgramFile([("a", program)], notes: ["model": "none"]))
      }
    },
    errors: [ProgramFileError.self],
    read: { bytes in
      let programs = try ProgramReader.read([UInt8](bytes), threads: 2).programs
      for (_, program) in programs { try program.verify() }
      return "\(programs.map { $0.program.instructions.count })"
    })
}
