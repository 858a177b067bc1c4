import Foundation
import IR

@testable import Models

/// A file of Tests/Golden, and the weights and images derived as its README says.
struct GoldenFile {
  private struct Entry: Decodable {
    var dtype: String
    var shape: [Int]
    var data_offsets: [Int]
  }

  let metadata: [String: String]
  private let entries: [String: Entry]
  private let body: Data

  init(_ name: String) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let file = folder.appendingPathComponent("../Golden/\(name).safetensors")
    let data = try Data(contentsOf: file)
    let length = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = data[8..<8 + length]
    let object = try JSONSerialization.jsonObject(with: header) as? [String: Any] ?? [:]
    metadata = object["__metadata__"] as? [String: String] ?? [:]
    let tensors = object.filter { $0.key != "__metadata__" }
    entries = try JSONDecoder().decode(
      [String: Entry].self, from: JSONSerialization.data(withJSONObject: tensors))
    body = data.dropFirst(8 + length)
  }

  func shape(_ name: String) -> [Int] { entries[name]?.shape ?? [] }

  /// The values of an F32 or I64 tensor in row-major order; empty where it is not in the file.
  func values(_ name: String) -> [Double] {
    guard let entry = entries[name] else { return [] }
    let bytes = body.dropFirst(entry.data_offsets[0])
      .prefix(entry.data_offsets[1] - entry.data_offsets[0])
    return bytes.withUnsafeBytes { raw in
      entry.dtype == "I64"
        ? stride(from: 0, to: raw.count, by: 8).map {
          Double(raw.loadUnaligned(fromByteOffset: $0, as: Int64.self))
        }
        : stride(from: 0, to: raw.count, by: 4).map {
          Double(raw.loadUnaligned(fromByteOffset: $0, as: Float.self))
        }
    }
  }

  /// A metadata entry that holds a list of names.
  func names(_ key: String) throws -> [String] {
    try JSONDecoder().decode([String].self, from: Data((metadata[key] ?? "[]").utf8))
  }

  var seed: UInt64 { UInt64(metadata["seed"] ?? "") ?? 0 }
  var size: Int { Int(metadata["size"] ?? "") ?? 0 }
  var batch: Int { Int(metadata["batch"] ?? "") ?? 0 }

  /// The network, in the terms of `ModelSpec`.
  func model() throws -> Model {
    let json = Data((metadata["arguments"] ?? "{}").utf8)
    let arguments = try JSONSerialization.jsonObject(with: json) as? [String: Any] ?? [:]
    let list = arguments.map { "\($0.key == "option" ? "shortcut" : $0.key)=\($0.value)" }
    let text = "\(metadata["network"] ?? ""):\(list.joined(separator: ","))"
    return try makeModel(text, (size, size, 3))
  }

  /// Parameters and buffers by name.
  func tensors(of model: Model) -> [String: [Double]] {
    var result: [String: [Double]] = [:]
    for (index, info) in model.parameters.enumerated() {
      let draws = uniform(item: index, count: info.count)
      let fanIn = Double(info.shape.dropFirst().reduce(1, *))
      let bound = Float(0.7 * (6 / fanIn).squareRoot())
      result[info.name] = draws.map { u in
        switch info.kind {
        case .weight: Double((2 * u - 1) * bound)
        case .gamma: Double(0.75 + 0.5 * u)
        case .runningVar: Double(0.5 + u)
        case .bias, .beta, .runningMean: Double((2 * u - 1) * 0.1)
        }
      }
    }
    return result
  }

  /// The first `count` images, NHWC.
  func images(_ count: Int) -> [Double] {
    Self.channelsLast(
      uniform(item: 1000, count: count * 3 * size * size).map(Double.init), size: size)
  }

  /// NCHW images of three channels as NHWC.
  static func channelsLast(_ images: [Double], size: Int) -> [Double] {
    let pixels = size * size
    return images.indices.map { i in
      images[i / (3 * pixels) * 3 * pixels + i % 3 * pixels + i / 3 % pixels]
    }
  }

  private func uniform(item: Int, count: Int) -> [Float] {
    let stream = RandomStream(seed: seed, epoch: 0, purpose: .weights)
    let words = (0..<(count + 3) / 4).flatMap { index in
      let (a, b, c, d) = stream.words(item: item, index: index)
      return [a, b, c, d]
    }
    return words.prefix(count).map(Philox.uniform)
  }
}
