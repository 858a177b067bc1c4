import Adversarial
import Foundation
import IR
import Models
import ONNX
import Storage
import Testing

/// The files of Tests/Golden/onnx, which exports.py makes.
enum Goldens {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Golden/onnx").path

  static let logits = try! Safetensors.read(folder + "/logits.safetensors")

  /// The files that have logits.
  static let names = logits.tensors.map(\.name).sorted()

  static func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).onnx"))
  }

  static func read(_ name: String) throws -> ONNXFile.Import {
    try ONNXFile.read(bytes(name))
  }

  /// The images of exports.py, NHWC.
  static var images: [Float] {
    let size = Int(logits.metadata["size"] ?? "") ?? 0
    let batch = Int(logits.metadata["batch"] ?? "") ?? 0
    let seed = UInt64(logits.metadata["seed"] ?? "") ?? 0
    let stream = RandomStream(seed: seed, epoch: 0, purpose: .weights)
    let words = (0..<batch * 3 * size * size / 4).flatMap { index in
      let (a, b, c, d) = stream.words(item: 1000, index: index)
      return [a, b, c, d]
    }
    return ImageLayout.interleaved(
      words.map(Philox.uniform), height: size, width: size, channels: 3)
  }
}

extension ImportedNetwork {
  /// The logits for images NHWC, on the compiled engine.
  func logits(_ images: [Float], threads: Int = 2) throws -> [Double] {
    let model = try model(named: "net.onnx")
    let session = try ModelSession(model, values: #require(values), threads: threads)
    let (height, width, channels) = model.imageShape
    let batch = images.count / (height * width * channels)
    let program = try session.program(.evaluation(), batch: batch)
    _ = try session.images("x", batch).floats.update(from: images)
    program.run()
    return try program.floats("logits").map(Double.init)
  }
}

func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch { return "\(error)" }
}
