import Foundation
import Models
import Testing

@testable import ONNX

/// Models whose weights are in files beside them.
@Suite final class ExternalDataTests {
  let folder = NSTemporaryDirectory() + "clat-onnx-" + UUID().uuidString

  init() throws {
    try FileManager.default.createDirectory(
      atPath: folder + "/model/parts", withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// The bytes of a golden whose weights are elsewhere: `place` names each one's file, offset and
  /// length.
  private func moved(
    _ place: (Onnx_TensorProto) throws -> (file: String, offset: Int, length: Int)
  ) throws -> Data {
    var model = try Onnx_ModelProto(serializedBytes: Goldens.bytes("pool-dynamo"))
    for index in model.graph.initializer.indices {
      let (file, offset, length) = try place(model.graph.initializer[index])
      model.graph.initializer[index].rawData = Data()
      model.graph.initializer[index].dataLocation = .external
      let fields = [("location", file), ("offset", "\(offset)"), ("length", "\(length)")]
      model.graph.initializer[index].externalData = fields.map { key, value in
        var entry = Onnx_StringStringEntryProto()
        (entry.key, entry.value) = (key, value)
        return entry
      }
    }
    return try model.serializedBytes()
  }

  private func read(_ bytes: Data) throws -> ONNXFile.Import {
    try ONNXFile.read(bytes, folder: folder + "/model")
  }

  private func url(_ name: String) -> URL { URL(fileURLWithPath: folder + "/" + name) }

  @Test func weightsBesideTheModel() throws {
    var files: [String: Data] = [:]
    let bytes = try moved { tensor in
      let file = tensor.dims.count > 1 ? "parts/weights.data" : "vectors.data"
      defer { files[file, default: Data()] += tensor.rawData + Data(count: 7) }
      return (file, files[file]?.count ?? 0, tensor.rawData.count)
    }
    for (name, data) in files { try data.write(to: url("model/" + name)) }
    let (network, whole) = (try read(bytes).network, try Goldens.read("pool-dynamo").network)
    #expect(files.count == 2 && network.values == whole.values && whole.values != nil)
    #expect(message { _ = try ONNXFile.read(bytes) }.contains("is kept in another file"))
    try Data(files["vectors.data"]?.dropLast(40) ?? Data()).write(to: url("model/vectors.data"))
    #expect(message { _ = try read(bytes) }.contains("is kept in 'vectors.data': bytes "))
  }

  /// Nothing outside the model's folder is read, and nothing that is no file.
  @Test func placesOutside() throws {
    try Data(count: 100_000).write(to: url("secret"))
    for (name, target) in [("link", "secret"), ("up", "")] {
      try FileManager.default.createSymbolicLink(
        at: url("model/" + name), withDestinationURL: url(target))
    }
    #expect(mkfifo(url("model/pipe").path, 0o600) == 0)
    for name in [
      "../secret", "parts/../../secret", folder + "/secret", "link", "up/secret", "..", ".", "",
      "parts//x", "./x", "nul\0",
    ] {
      let found = message { _ = try read(moved { _ in (name, 0, 4) }) }
      #expect(found.contains("expected a file in the model's folder"), "\(name): \(found)")
      #expect(!found.contains("\n"))
    }
    for name in ["pipe", "parts", "absent"] {
      let found = message { _ = try read(moved { _ in (name, 0, 4) }) }
      #expect(found.contains("there is no such file beside the model"), "\(name): \(found)")
    }
  }

  /// Tensors that lie on top of each other would make much of a small file.
  @Test func placesInside() throws {
    try Data(count: 8000).write(to: url("model/data"))
    let heap = message { _ = try read(moved { ("data", 0, $0.rawData.count) }) }
    #expect(heap.contains("its tensors lie on top of each other"), "\(heap)")
    for (offset, length) in [(-1, 4), (0, -4), (8001, 0), (0, 8001), (.max, .max)] {
      let found = message { _ = try read(moved { _ in ("data", offset, length) }) }
      #expect(found.contains("is kept in 'data': ") && !found.contains("\n"), "\(found)")
    }
    let short = message { _ = try read(moved { _ in ("data", 0, 4) }) }
    #expect(short.contains("holds 1 numbers"), "\(short)")
  }
}
