import Foundation
import IR
import Models

/// A golden of a network of the registry.
public struct Golden {
  public let file: GoldenFile
  public let model: Model

  /// The networks to test: all, or those that the environment's ONLY lists, with commas.
  public static let networks: [String] = {
    let only = ProcessInfo.processInfo.environment["ONLY"]?.split(separator: ",").map(String.init)
    return all.filter { only?.contains($0) ?? true }
  }()

  /// The networks with a file of their own: `resnet18-8` of `network-resnet18-8.safetensors`.
  public static let all: [String] = {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: GoldenFile.folder)) ?? []
    return files.filter { $0.hasPrefix("network-") && $0.hasSuffix(".safetensors") }
      .map { String($0.dropFirst("network-".count).dropLast(".safetensors".count)) }.sorted()
  }()

  public init(_ name: String) throws {
    file = try GoldenFile(name)
    guard let network = file.metadata["network"], let list = file.metadata["arguments"] else {
      throw IRError("\(name): no network or arguments in the metadata")
    }
    let arguments = try JSONSerialization.jsonObject(with: Data(list.utf8))
    let settings = (arguments as? [String: Any] ?? [:]).map { "\($0)=\($1)" }
    model = try Model(
      ModelSpec("\(network):\(settings.joined(separator: ","))"),
      imageShape: (file.size, file.size, file.channels), classes: 10)
  }

  public var batch: Int { file.batch }

  public func floats(_ name: String) throws -> [Double] { try file.values(name) }

  /// A stored batch of images, in NHWC.
  public func images(_ name: String) throws -> [Double] {
    file.interleaved(try file.values(name))
  }

  /// Weights, statistics, momentum, images `x`, `labels` and noise `t` of images' shape, by name.
  public func inputs() -> [String: [Double]] {
    var inputs = file.tensors(of: model)
    for (index, info) in model.parameters.enumerated() {
      inputs["optimizer.\(info.name)"] =
        file.signed(2000 + index, info.count).map { Double($0 * 0.01) }
    }
    let images = file.images(batch)
    inputs["x"] = images
    inputs["labels"] = file.labels
    inputs["t"] = file.interleaved(file.signed(1002, images.count).map(Double.init))
    return inputs
  }

  /// The projection of the tensor at `index` of a digest on that tensor's derived vector.
  ///
  /// - Parameter isImages: whether the values are a batch of images, in NHWC.
  public func projection(_ values: [Double], _ index: Int, isImages: Bool) -> Double {
    let probe = file.signed(3000 + index, values.count).map(Double.init)
    return zip(values, isImages ? file.interleaved(probe) : probe).reduce(0) { $0 + $1.0 * $1.1 }
  }
}
