import Adversarial
import Foundation
import IR
import Models
import Storage

/// A file of Tests/Golden with the network, weights and batch that are derived from its seed.
struct Golden {
  static let eps = Epsilon(text: "8/255")!
  static let step = Epsilon(text: "2/255")!

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Golden").path

  let file: Safetensors
  let model: Model
  let batch: Int
  let seed: UInt64
  let shape: (height: Int, width: Int, channels: Int)

  init(_ name: String) throws {
    file = try Safetensors.read(Self.folder + "/\(name).safetensors")
    let facts = file.metadata
    let arguments = try JSONSerialization.jsonObject(with: Data(facts["arguments"]!.utf8))
    let list = (arguments as? [String: Any] ?? [:]).map { key, value in
      "\(key == "option" ? "shortcut" : key)=\(value)"
    }
    let spec = facts["network"]! + (list.isEmpty ? "" : ":" + list.joined(separator: ","))
    let size = Int(facts["size"]!)!
    shape = (size, size, 3)
    model = try Model(ModelSpec(spec), imageShape: shape, classes: 10)
    batch = Int(facts["batch"]!)!
    seed = UInt64(facts["seed"]!)!
  }

  func floats(_ name: String) throws -> [Double] {
    guard let tensor = file[name] else { throw IRError("no golden '\(name)'") }
    return try tensor.type == .i64
      ? tensor.integers().map(Double.init) : tensor.floats().map(Double.init)
  }

  /// A golden of images, in NHWC.
  func images(_ name: String) throws -> [Double] { interleaved(try floats(name)) }

  func names(_ fact: String) throws -> [String] {
    try JSONDecoder().decode([String].self, from: Data((file.metadata[fact] ?? "[]").utf8))
  }

  /// Indices in `Model.layers` of the golden's selected layers.
  func selected() throws -> [Int] {
    try names("selected").map { name in model.layers.firstIndex { $0.name == name }! }
  }

  private func interleaved(_ values: [Double]) -> [Double] {
    ImageLayout.interleaved(
      values, height: shape.height, width: shape.width, channels: shape.channels)
  }
}

extension Golden {
  private func words(_ item: Int, _ count: Int) -> [UInt32] {
    let stream = RandomStream(seed: seed, epoch: 0, purpose: .weights)
    var words = [UInt32]()
    for index in 0..<(count + 3) / 4 {
      let (a, b, c, d) = stream.words(item: item, index: index)
      words += [a, b, c, d]
    }
    return Array(words.prefix(count))
  }

  private func uniform(_ item: Int, _ count: Int) -> [Float] {
    words(item, count).map(Philox.uniform)
  }

  private func signed(_ item: Int, _ count: Int) -> [Float] {
    uniform(item, count).map { 2 * $0 - 1 }
  }

  private func values(_ info: ParameterInfo, _ index: Int) -> [Double] {
    let values: [Float] =
      switch info.kind {
      case .runningVar: uniform(index, info.count).map { 0.5 + $0 }
      case .gamma: uniform(index, info.count).map { 0.75 + 0.5 * $0 }
      case .weight:
        signed(index, info.count).map {
          let fanIn = Double(info.shape.dropFirst().reduce(1, *))
          return $0 * Float(0.7 * (6 / fanIn).squareRoot())
        }
      case .bias, .beta, .runningMean: signed(index, info.count).map { $0 * 0.1 }
      }
    return values.map(Double.init)
  }

  /// Weights, statistics, momentum, images `x`, `labels` and attack start `start`, by input name.
  func inputs() throws -> [String: [Double]] {
    var inputs: [String: [Double]] = [:]
    for (index, info) in model.parameters.enumerated() {
      inputs[info.name] = values(info, index)
      inputs["optimizer.\(info.name)"] =
        signed(2000 + index, info.count).map { Double($0 * 0.01) }
    }
    let count = batch * shape.height * shape.width * shape.channels
    let x = uniform(1000, count).map(Double.init)
    inputs["x"] = interleaved(x)
    inputs["labels"] = words(1001, batch).map { Double($0 % 10) }
    let noise = signed(1002, count).map(Double.init)
    inputs["start"] = interleaved(
      zip(x, noise).map { x, t in
        Double(Float(min(max(x + Golden.eps.value * t, 0), 1)))
      })
    return inputs
  }
}
