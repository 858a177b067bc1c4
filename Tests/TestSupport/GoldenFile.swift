import Foundation
import IR
import Models
import Storage

/// A file of Tests/Golden, and the weights, images and labels derived as its README says.
public struct GoldenFile {
  public static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Golden").path

  public let metadata: [String: String]
  /// Of the derived images.
  public let batch, size, channels: Int
  private let tensors: [String: StoredTensor]
  private let seed: UInt64
  /// Added to the bias of every batch norm.
  private let shift: Float

  public init(_ name: String) throws {
    let file = try Safetensors.read(Self.folder + "/\(name).safetensors")
    metadata = file.metadata
    tensors = file.byName
    func number(_ key: String) -> Int? { file.metadata[key].flatMap { Int($0) } }
    guard let batch = number("batch"), let size = number("size"), let seed = number("seed") else {
      throw IRError("\(name): no batch, size or seed in the metadata")
    }
    (self.batch, self.size, self.seed) = (batch, size, UInt64(seed))
    channels = number("channels") ?? 3
    shift = metadata["shift"].flatMap { Float($0) } ?? 0
  }

  /// Names of the stored tensors.
  public var names: Set<String> { Set(tensors.keys) }

  /// The values of a stored tensor in row-major order.
  public func values(_ name: String) throws -> [Double] {
    guard let tensor = tensors[name] else { throw IRError("no golden '\(name)'") }
    return try tensor.type == .i64
      ? tensor.integers().map(Double.init) : tensor.floats().map(Double.init)
  }

  /// A metadata entry that holds a list of names.
  public func names(_ key: String) throws -> [String] {
    try JSONDecoder().decode([String].self, from: Data((metadata[key] ?? "[]").utf8))
  }

  /// NCHW images as NHWC.
  public func interleaved(_ values: [Double]) -> [Double] {
    let pixels = size * size
    return values.indices.map { index in
      let (image, pixel) = (index / (pixels * channels), index / channels % pixels)
      return values[(image * channels + index % channels) * pixels + pixel]
    }
  }
}

extension GoldenFile {
  private func words(_ item: Int, _ count: Int) -> [UInt32] {
    let stream = RandomStream(seed: seed, epoch: 0, purpose: .weights)
    var words = [UInt32]()
    words.reserveCapacity(count + 3)
    for index in 0..<(count + 3) / 4 {
      let (a, b, c, d) = stream.words(item: item, index: index)
      words += [a, b, c, d]
    }
    return Array(words.prefix(count))
  }

  private func uniform(_ item: Int, _ count: Int) -> [Float] {
    words(item, count).map(Philox.uniform)
  }

  /// Numbers from -1 to 1.
  public func signed(_ item: Int, _ count: Int) -> [Float] {
    uniform(item, count).map { 2 * $0 - 1 }
  }

  /// The first `count` images, NHWC.
  public func images(_ count: Int) -> [Double] {
    interleaved(uniform(1000, count * size * size * channels).map(Double.init))
  }

  public var labels: [Double] { words(1001, batch).map { Double($0 % 10) } }

  /// Parameters and buffers by name.
  public func tensors(of model: Model) -> [String: [Double]] {
    var result: [String: [Double]] = [:]
    for (index, info) in model.parameters.enumerated() {
      result[info.name] = values(info, index).map(Double.init)
    }
    return result
  }

  private func values(_ info: ParameterInfo, _ index: Int) -> [Float] {
    switch info.kind {
    case .runningVar: return uniform(index, info.count).map { 0.5 + $0 }
    case .gamma: return uniform(index, info.count).map { 0.75 + 0.5 * $0 }
    case .weight:
      let fanIn = Double(info.shape.dropFirst().reduce(1, *))
      let bound = Float(0.7 * (6 / fanIn).squareRoot())
      return signed(index, info.count).map { $0 * bound }
    case .beta: return signed(index, info.count).map { $0 * 0.1 + shift }
    case .bias, .runningMean: return signed(index, info.count).map { $0 * 0.1 }
    }
  }
}
